"""The outbox: numbered without gaps, kept until acknowledged, taken once and in order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.store import outbox
from connector.store.database import Database
from connector.store.migrate import migrate
from connector.store.writer import Writer
from ledger.document import sign
from ledger.names import Milliseconds, ParticipantId

PEER = ParticipantId("did:web:peer.example")
KEY = Ed25519PrivateKey.generate()
NOW = Milliseconds(1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tuple[Database, Writer]]:
    database = Database(tmp_path / "bylag.db")
    migrate(database)
    writer = Writer(database)
    yield database, writer
    writer.close()
    database.close()


def put(writer: Writer, text: str) -> int:
    document = sign({"type": "note", "version": 1, "text": text}, KEY)
    return writer.submit(lambda tx: outbox.put(tx, PEER, document, {"words": text}, NOW)).result()


def waiting(database: Database, after: int = 0) -> list[int]:
    with database.read() as session:
        return [notice.number for notice in outbox.waiting(session, PEER, after, 100)]


def test_notices_are_numbered_and_forgotten_once_the_cursor_passed(store: tuple[Database, Writer]) -> None:
    database, writer = store
    assert [put(writer, text) for text in "abc"] == [1, 2, 3]
    writer.submit(lambda tx: outbox.delivered(tx, PEER, 2)).result()
    assert waiting(database) == [3]
    assert put(writer, "d") == 4
    with database.read() as session:
        last = outbox.waiting(session, PEER, 3, 10)[0]
    assert (last.opening, last.document.content()["text"]) == ({"words": "d"}, "d")


def test_a_cursor_beyond_what_was_sent_is_refused(store: tuple[Database, Writer]) -> None:
    database, writer = store
    put(writer, "a")
    with pytest.raises(outbox.NoticeGap):
        writer.submit(lambda tx: outbox.delivered(tx, PEER, 2)).result()
    assert waiting(database) == [1]


@settings(max_examples=30, deadline=None)
@given(numbers=st.lists(st.integers(1, 8), max_size=40))
def test_whatever_arrives_is_taken_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int]
) -> None:
    database = Database(tmp_path_factory.mktemp("outbox") / "bylag.db")
    migrate(database)
    writer = Writer(database)
    taken: list[int] = []
    for number in numbers:
        try:
            if writer.submit(partial(outbox.take, peer=PEER, number=number)).result():
                taken.append(number)
        except outbox.NoticeGap:
            assert number > len(taken) + 1
    writer.close()
    database.close()
    assert taken == list(range(1, len(taken) + 1))
