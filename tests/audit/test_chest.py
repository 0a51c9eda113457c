"""The chest of side keys, used by the writer and by others at once."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from ledger.ambient import SystemAmbient
from ledger.errors import BylagError
from ledger.side import KeyChest

PLAIN = b"what somebody may read"


@pytest.fixture
def chest(tmp_path: Path) -> Iterator[KeyChest]:
    chest = KeyChest(tmp_path / "side-keys.db", [b"w" * 32], SystemAmbient())
    yield chest
    chest.close()


def at_once(*work: Callable[[], object]) -> list[BaseException]:
    """Run each on a thread of its own, all at a time, and say what they raised."""
    start, raised = threading.Barrier(len(work)), list[BaseException]()

    def run(each: Callable[[], object]) -> None:
        start.wait()
        try:
            each()
        except (sqlite3.Error, BylagError) as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(each,)) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_two_threads_make_keys_at_once_and_neither_is_in_the_others_transaction(chest: KeyChest) -> None:
    def make(name: str) -> None:
        for number in range(30):
            chest.cipher(f"{name}/{number}")

    assert at_once(*(lambda name=name: make(name) for name in "abc")) == []
    assert all(chest.existing(f"{name}/{number}") for name in "abc" for number in range(30))


def test_two_threads_that_need_the_same_first_key_get_one(chest: KeyChest, tmp_path: Path) -> None:
    boxes: list[tuple[int, bytes]] = []
    nonce = bytes(12)

    def seal(number: int) -> None:
        boxes.append((number, chest.cipher(f"holder/{number}").encrypt(nonce, PLAIN, None)))

    for number in range(20):
        assert at_once(*[partial(seal, number)] * 2) == []
    again = KeyChest(tmp_path / "side-keys.db", [b"w" * 32], SystemAmbient())
    assert all(again.existing(f"holder/{at}").decrypt(nonce, box, None) == PLAIN for at, box in boxes)
    again.close()
