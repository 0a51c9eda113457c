"""Making a home: whole or not at all, wherever it was interrupted, and never over what is there."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from connector.control.joining import HomeExists, Newcomer, make_home
from connector.identity.keyfolder import KeysExist
from connector.store.config import Config, UnitEntry
from connector.store.home import Home, HomeInUse, HomeLock, HomeMissing
from ledger.errors import BylagError

CONFIG = Config(
    "homes.test",
    "organisation",
    "did:web:city.example",
    "City",
    "company",
    "",
    "",
    "",
    (UnitEntry("m", "M"),),
)
OTHER = Config("homes.test", "guest", "", "Somebody", "citizen", "", "", "did:web:city.example", ())
STEPS = {"open", "os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.chmod"}
"""What Python tells of before it asks the system for it, as far as it changes a folder (PEP 578)."""
KILLED, DONE = 9, 0


def make_and_die(folder: Path, last: int) -> int:
    """Make a home in a process that ends before its step number ``last``, without a word."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    steps = 0

    def before(event: str, arguments: Any) -> None:
        nonlocal steps
        if event in STEPS and (event != "open" or _writes(arguments)):
            steps += 1
            if steps == last:
                os._exit(KILLED)

    sys.addaudithook(before)
    try:
        make_home(folder, CONFIG, None)
    finally:
        os._exit(DONE)


def _writes(arguments: Any) -> bool:
    _, mode, flags = arguments
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT
    return bool(flags & writing) if isinstance(flags, int) else "w" in str(mode)


def test_a_home_that_was_interrupted_anywhere_can_be_made_again(tmp_path: Path) -> None:
    ways = set()
    for last in range(1, 1000):
        folder = tmp_path / str(last)
        ended = make_and_die(folder, last)
        home = Home(folder)
        if home.config.exists():
            ways.add("whole")
            with pytest.raises(HomeExists):
                make_home(folder, OTHER, "another passphrase")
            assert Newcomer.open(home, None).config == CONFIG
        else:
            ways.add("unfinished" if home.unfinished.exists() else "nothing")
            with pytest.raises(HomeMissing):
                home.require()
            made = make_home(folder, OTHER, None)
            newcomer = Newcomer.open(made, None)
            assert newcomer.config == OTHER
            assert len(newcomer.ring.jobs) == 4, "the keys are this home's, not the ones left behind"
        left = {path.name for path in folder.iterdir()}
        assert not {name for name in left if name.endswith((".init", ".new"))}
        if ended == DONE:
            break
    assert ended == DONE
    assert last > 20
    assert ways == {"nothing", "unfinished", "whole"}


def test_keys_whose_settings_were_lost_are_never_touched(tmp_path: Path) -> None:
    home = make_home(tmp_path / "city", CONFIG, None)
    kept = {path.name: path.read_bytes() for path in home.keys.iterdir()}
    home.config.unlink()
    for _ in range(2):
        with pytest.raises(KeysExist):
            make_home(tmp_path / "city", CONFIG, None)
    assert {path.name: path.read_bytes() for path in home.keys.iterdir()} == kept
    assert not home.unfinished.exists()


def test_two_cannot_make_the_same_home_at_once(tmp_path: Path) -> None:
    home = Home(tmp_path / "city")
    home.create()
    lock = HomeLock(home)
    try:
        with pytest.raises(HomeInUse):
            make_home(tmp_path / "city", CONFIG, None)
    finally:
        lock.release()
    assert make_home(tmp_path / "city", CONFIG, None).config.is_file()


def test_all_of_a_home_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        home = make_home(tmp_path / "city", CONFIG, None)
    finally:
        os.umask(before)
    for path in (home.folder, *home.folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path.name


def test_a_disk_that_is_full_is_said_in_one_sentence_and_the_next_try_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as held:
        held.setattr("connector.identity.files.os.fsync", full)
        with pytest.raises(BylagError, match="No space left"):
            make_home(tmp_path / "city", CONFIG, None)
    assert make_home(tmp_path / "city", CONFIG, None).config.is_file()
