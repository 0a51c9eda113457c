"""The control socket: the same as in process, for one asker or several, whatever they send or do."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.control import socket as control_socket
from connector.control.operation import MAX_ASKED_BYTES, OPERATIONS, Asked, run
from connector.control.perform import perform, run_loop
from connector.control.running import Running
from connector.control.socket import (
    ConnectorStopped,
    ControlServer,
    FromConnector,
    NotRunning,
    ask,
    error_to_json,
)
from connector.identity.enrolment import MAX_ADMISSION
from connector.node import Node
from connector.store.home import Home, HomeInUse
from ledger.canonical import JSONObject, MalformedJson
from ledger.errors import BylagError, ErrorKind
from tests.control.homes import CITY, COMPANY, Homes


def test_a_connector_serves_its_peers_before_it_loads_what_commands_ask_for() -> None:
    """A tenth of a start, and some megabytes: the first command fills the table."""
    loads = "import connector.cli.serving, sys; print('connector.control.operations' in sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", loads], capture_output=True, check=True, text=True, timeout=60
    )
    assert loaded.stdout.strip() == "False"


class Wrong(BylagError):
    code = "WRONG"
    kind = ErrorKind.CONFLICT
    default_next_step = "Do it right."


class Tried:
    """Operations that tests ask for, and what they have seen."""

    def __init__(self) -> None:
        self.begun, self.ended = asyncio.Event(), asyncio.Event()
        self.go = asyncio.Event()

    async def echo(self, asked: Asked) -> Any:
        return asked.arguments.any("value")

    async def count(self, asked: Asked) -> Any:
        for done in range(3):
            asked.report("counting", done, 3)
        return "counted"

    async def large(self, asked: Asked) -> Any:
        return ["x" * 1000] * asked.arguments.integer("kibibytes")

    async def wrong(self, asked: Asked) -> Any:
        raise Wrong("this is wrong", field="value")

    async def unforeseen(self, asked: Asked) -> Any:
        raise KeyError("guest:5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a")

    async def slow(self, asked: Asked) -> Any:
        self.begun.set()
        await self.go.wait()
        asked.report("slow", 1, None)
        self.ended.set()
        return "slow"


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> Tried:
    tried = Tried()
    for name in ("echo", "count", "large", "wrong", "unforeseen", "slow"):
        monkeypatch.setitem(OPERATIONS, f"test-{name}", getattr(tried, name))
    return tried


@pytest.fixture
async def home(tmp_path: Path) -> Home:
    return await Homes(tmp_path).join(CITY)


@pytest.fixture
async def running(home: Home, tried: Tried) -> AsyncIterator[Running]:
    async with serving(home) as running:
        yield running


class serving:  # noqa: N801  # reads as a phrase in a with statement
    """A home's connector that answers on its control socket."""

    def __init__(self, home: Home) -> None:
        self.home = home

    async def __aenter__(self) -> Running:
        self.running = Running(Node(self.home))
        self.control = ControlServer(self.running)
        await self.control.start(self.home)
        return self.running

    async def __aexit__(self, *_: object) -> None:
        await self.control.close(self.home)
        await self.running.close()


def quiet(doing: str, done: int, total: int | None) -> None: ...


async def raw(home: Home, sent: bytes) -> list[Any]:
    """Send bytes as they are, and read every line that comes back."""
    reader, writer = await asyncio.open_unix_connection(str(home.control_socket), limit=1 << 26)
    writer.write(sent)
    if not sent.endswith(b"\n"):
        writer.write_eof()
    lines = [json.loads(line) async for line in reader]
    writer.close()
    return lines


async def test_the_same_result_in_process_and_over_the_socket(running: Running, home: Home) -> None:
    for name in ("status", "members", "agreements", "negotiations", "deliveries", "keys"):
        assert await ask(home, name, {}, quiet) == await run(running, name, {}, quiet)


async def test_the_same_error_in_process_and_over_the_socket(running: Running, home: Home) -> None:
    refused: list[tuple[str, JSONObject]] = [
        ("test-wrong", {}),
        ("negotiation", {"negotiation": "nothing"}),
        ("negotiation", {}),
        ("status", {"unknown": 1}),
        ("no-such-operation", {}),
    ]
    for name, arguments in refused:
        with pytest.raises(BylagError) as here:
            await run(running, name, arguments, quiet)
        with pytest.raises(FromConnector) as there:
            await ask(home, name, arguments, quiet)
        assert error_to_json(there.value) == error_to_json(here.value)


async def test_progress_is_told_in_order_and_before_the_result(running: Running, home: Home) -> None:
    told: list[tuple[str, int, int | None]] = []

    def tell(doing: str, done: int, total: int | None) -> None:
        told.append((doing, done, total))

    result = await ask(home, "test-count", {}, tell)
    assert (result, told) == ("counted", [("counting", done, 3) for done in range(3)])


async def test_a_large_answer_and_a_large_question_fit(running: Running, home: Home) -> None:
    large = await ask(home, "test-large", {"kibibytes": 20_000}, quiet)
    assert isinstance(large, list)
    assert len(large) == 20_000
    value = "y" * (12 << 20)
    assert await ask(home, "test-echo", {"value": value}, quiet) == value


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\n", "MALFORMED_JSON"),
        (b"", "MALFORMED_JSON"),
        (b"not json\n", "MALFORMED_JSON"),
        (b"[]\n", "MALFORMED_JSON"),
        (b"\xff\xfe\n", "MALFORMED_JSON"),
        (b'{"operation": "status", "operation": "status"}\n', "MALFORMED_JSON"),
        (b'{"operation": 7}\n', "UNKNOWN_OPERATION"),
        (b'{"operation": "test-echo", "arguments": [1]}\n', "BAD_FIELD"),
        (b'{"operation": "test-echo", "arguments": {"value": 0.5}}\n', "MALFORMED_JSON"),
        (
            b'{"operation": "test-echo", "arguments": {"value": ' + b"[" * 200 + b"]" * 200 + b"}}\n",
            "MALFORMED_JSON",
        ),
    ],
)
async def test_whatever_is_sent_gets_one_clear_error(
    running: Running, home: Home, sent: bytes, code: str
) -> None:
    (answer,) = await raw(home, sent)
    assert answer["error"]["code"] == code
    assert answer["error"]["next_step"]
    assert await ask(home, "test-echo", {"value": 1}, quiet) == 1


async def test_a_line_without_end_is_refused_and_the_next_asker_is_served(
    running: Running, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    await_line = b'{"operation": "test-echo", "arguments": {"value": "' + b"z" * (1 << 20)
    monkeypatch.setattr(control_socket, "MAX_ASKED_BYTES", 1 << 16)
    async with second_server(running, home):
        (answer,) = await raw(home, await_line)
        assert answer["error"]["code"] == "LINE_TOO_LONG"
        assert await ask(home, "test-echo", {"value": 1}, quiet) == 1


class second_server:  # noqa: N801  # reads as a phrase in a with statement
    """The control server started again, under other limits."""

    def __init__(self, running: Running, home: Home) -> None:
        self.control, self.home = ControlServer(running), home

    async def __aenter__(self) -> None:
        await self.control.start(self.home)

    async def __aexit__(self, *_: object) -> None:
        await self.control.close(self.home)


async def test_what_nobody_foresaw_is_told_without_details(
    running: Running, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(FromConnector) as raised:
        await ask(home, "test-unforeseen", {}, quiet)
    assert "5a5a" not in f"{raised.value} {raised.value.next_step}"
    assert "nobody foresaw" in caplog.text


async def test_two_commands_at_once_do_not_wait_for_each_other(
    running: Running, home: Home, tried: Tried
) -> None:
    slow = asyncio.create_task(ask(home, "test-slow", {}, quiet))
    await tried.begun.wait()
    assert await ask(home, "test-echo", {"value": 2}, quiet) == 2
    tried.go.set()
    assert await slow == "slow"


async def test_an_asker_who_leaves_takes_nothing_with_them(
    running: Running, home: Home, tried: Tried, caplog: pytest.LogCaptureFixture
) -> None:
    """What was begun is done, and the connector goes on."""
    reader, writer = await asyncio.open_unix_connection(str(home.control_socket))
    writer.write(b'{"operation": "test-slow", "arguments": {}}\n')
    await tried.begun.wait()
    writer.close()
    await asyncio.sleep(0.05)
    tried.go.set()
    await asyncio.wait_for(tried.ended.wait(), 2)
    assert await ask(home, "test-echo", {"value": 3}, quiet) == 3
    assert "foresaw" not in caplog.text
    del reader


async def test_an_asker_who_sends_nothing_holds_nobody_up(running: Running, home: Home) -> None:
    _, writer = await asyncio.open_unix_connection(str(home.control_socket))
    assert await ask(home, "test-echo", {"value": 4}, quiet) == 4
    writer.close()


async def test_a_connector_that_stops_is_not_one_that_is_not_running(home: Home, tried: Tried) -> None:
    """Whoever asks must not ask a second time unawares."""
    server = await asyncio.start_unix_server(lambda _r, w: w.close(), str(home.control_socket))
    with pytest.raises(ConnectorStopped):
        await ask(home, "test-echo", {"value": 1}, quiet)
    server.close()
    home.control_socket.unlink(missing_ok=True)
    with pytest.raises(NotRunning):
        await ask(home, "test-echo", {"value": 1}, quiet)


async def test_the_socket_is_its_owners_alone_and_is_gone_afterwards(home: Home, tried: Tried) -> None:
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(home.control_socket))
    stale.close()
    async with serving(home):
        assert home.control_socket.stat().st_mode & 0o777 == 0o600
        assert home.folder.stat().st_mode & 0o777 == 0o700
        assert await ask(home, "test-echo", {"value": 5}, quiet) == 5
    assert not home.control_socket.exists()


async def test_a_home_with_a_path_longer_than_a_socket_address(tmp_path: Path, tried: Tried) -> None:
    deep = tmp_path / ("a-folder-with-a-long-name-" * 3) / ("and-another-one-" * 4)
    deep.mkdir(parents=True)
    home = await Homes(tmp_path).join(COMPANY, folder=deep / "home")
    assert len(os.fsencode(home.control_socket)) > 108
    async with serving(home):
        assert await ask(home, "test-echo", {"value": 6}, quiet) == 6
    assert not home.control_socket.exists()


def test_a_registrars_longest_answer_fits_into_a_line() -> None:
    assert 2 * MAX_ADMISSION + (1 << 20) < MAX_ASKED_BYTES


async def test_all_of_it_on_the_loop_that_serves(tmp_path: Path, tried: Tried) -> None:
    """``bylag serve`` runs on uvloop where there is one: long paths, errors and lines are the same there."""
    deep = tmp_path / ("a-folder-with-a-long-name-" * 5)
    deep.mkdir()
    home = await Homes(tmp_path).join(COMPANY, folder=deep / "home")

    async def scenario() -> list[Any]:
        async with serving(home):
            found = [await ask(home, "test-echo", {"value": 7}, quiet)]
            for name in ("test-wrong", "test-unforeseen"):
                try:
                    await ask(home, name, {}, quiet)
                except FromConnector as error:
                    found.append(error.reason)
            return found

    assert await asyncio.to_thread(run_loop, scenario()) == [7, "WRONG", "INTERNAL"]


async def test_a_second_process_is_refused_the_home(running: Running, home: Home) -> None:
    with pytest.raises(HomeInUse):
        Node(home)


async def test_a_command_finds_the_connector_that_runs_and_works_by_itself_when_none_does(
    home: Home, tried: Tried
) -> None:
    def command(name: str, arguments: dict[str, Any]) -> Any:
        return asyncio.to_thread(perform, home, name, arguments, quiet)

    async with serving(home) as running:
        there = await command("status", {})
        assert there == await run(running, "status", {}, quiet)
    here = await command("status", {})
    assert here["participant"] == there["participant"] == CITY
    for outcome in (command("test-wrong", {}), command("test-echo", {"value": 0.5})):
        with pytest.raises(BylagError) as raised:
            await outcome
        assert raised.value.code in {"WRONG", MalformedJson.code}
    assert await command("test-echo", {"value": [1]}) == [1]
