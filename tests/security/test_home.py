"""What lies on this machine: the home folder and its socket are the owner's alone."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any, cast

import pytest

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


async def _answer(home: Home, line: bytes) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(str(home.control_socket))
    writer.write(line)
    answer = json.loads(await reader.readline())
    writer.close()
    return cast("dict[str, Any]", answer)
