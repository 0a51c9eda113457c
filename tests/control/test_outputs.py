"""Files that received data, or an export, is written into: the owner's alone, whole or not there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.control.operations.exchange import _write
from ledger.errors import BylagError
from tests.control.homes import CITY, Homes, ask


@pytest.fixture(autouse=True)
def _open_to_all() -> Iterator[None]:
    """A umask that takes nothing away."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_received_data_is_written_for_its_owner_alone_from_the_first_byte(tmp_path: Path) -> None:
    out = tmp_path / "data.csv"
    (tmp_path / ".data.csv.part").write_text("what a crash left behind, open to all")
    seen: list[int] = []
    _write(out, iter([b"one", b"two"]), lambda _: seen.append(mode(tmp_path / ".data.csv.part")))
    assert out.read_bytes() == b"onetwo"
    assert {*seen, mode(out)} == {0o600}
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


def test_of_data_that_cannot_be_written_whole_nothing_is_left(tmp_path: Path) -> None:
    def frames() -> Iterator[bytes]:
        yield b"one"
        raise OSError(28, "No space left on device")

    with pytest.raises(BylagError):
        _write(tmp_path / "data.csv", frames(), lambda _: None)
    assert list(tmp_path.iterdir()) == []


async def test_an_export_is_its_owners_alone(tmp_path: Path) -> None:
    homes = Homes(tmp_path)
    async with homes.running(await homes.join(CITY)) as city:
        await ask(city, "ledger-export", out=str(tmp_path / "export"))
    assert mode(tmp_path / "export") == 0o700
