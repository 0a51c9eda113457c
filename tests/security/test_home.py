"""What lies on this machine: the home folder and its socket are the owner's alone."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any, cast

import pytest

from connector.control.operations.exchange import OutputExists, _write
from connector.control.running import Running
from connector.control.socket import ControlServer
from connector.store.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    home.config.write_text("")
    return home


def test_a_home_is_its_owners_alone_whatever_the_umask(home: Home) -> None:
    assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700
    for part in (home.log, home.snapshots, home.inbox):
        assert stat.S_IMODE(part.stat().st_mode) == 0o700


async def test_the_control_socket_is_the_owners_alone_and_answers_in_errors(home: Home) -> None:
    server = ControlServer(cast("Running", None))
    await server.start(home)
    assert stat.S_IMODE(home.control_socket.stat().st_mode) == 0o600
    for line, code in (
        (b"no json\n", "MALFORMED_JSON"),
        (b'{"operation": "no-such"}\n', "UNKNOWN_OPERATION"),
        (b'{"operation": "status", "operation": "doctor"}\n', "MALFORMED_JSON"),
    ):
        assert (await _answer(home, line))["error"]["code"] == code
    await server.close(home)
    assert not home.control_socket.exists()


def test_what_is_taken_out_of_the_inbox_is_the_owners_alone_and_follows_no_link(tmp_path: Path) -> None:
    """In a folder where others may write, the names that will be used can be guessed."""
    somebodys = tmp_path / "somebodys"
    somebodys.write_bytes(b"theirs")
    out = tmp_path / "out.csv"
    (tmp_path / ".out.csv.part").symlink_to(somebodys)
    _write(out, iter([b"a,b\n", b"1,2\n"]), lambda _: None)
    assert somebodys.read_bytes() == b"theirs"
    assert (out.read_bytes(), stat.S_IMODE(out.stat().st_mode)) == (b"a,b\n1,2\n", 0o600)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "somebodys"]


def test_a_file_that_appears_while_a_delivery_is_written_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"

    def appear(_: int) -> None:
        out.write_bytes(b"theirs")

    with pytest.raises(OutputExists):
        _write(out, iter([b"1,2\n"]), appear)
    assert out.read_bytes() == b"theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


async def _answer(home: Home, line: bytes) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(str(home.control_socket))
    writer.write(line)
    answer = json.loads(await reader.readline())
    writer.close()
    return cast("dict[str, Any]", answer)
