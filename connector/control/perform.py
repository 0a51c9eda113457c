"""Doing what a command asks: by the connector that runs on the home, or here and now.

Rules that hold here: a command gets the same JSON and the same errors either way. Whoever holds the
home without answering yet, because it is starting, or because it is another command that is about to
end, is waited for a few seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

from connector.control.operation import Report, run, strictly
from connector.store.home import Home, HomeInUse, is_in_use
from ledger.ambient import SystemAmbient
from ledger.canonical import JSON, JSONObject
from ledger.errors import BylagError

T = TypeVar("T")
PATIENCE_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.1


def perform(
    home: Home, name: str, arguments: JSONObject, report: Report, *, passphrase: str | None = None
) -> JSON:
    """Run an operation on ``home`` and return its result. Raises a :class:`~ledger.errors.BylagError`."""
    home.require()
    return run_loop(_somewhere(home, name, arguments, report, passphrase))


async def _somewhere(
    home: Home, name: str, arguments: JSONObject, report: Report, passphrase: str | None
) -> JSON:
    clock = SystemAmbient()
    until = clock.monotonic() + PATIENCE_SECONDS
    while True:
        busy: BylagError
        if is_in_use(home):
            from connector.control.socket import NotRunning, ask  # noqa: PLC0415  # needs Unix sockets

            try:
                return await ask(home, name, arguments, report)
            except NotRunning as error:
                busy = error
        else:
            try:
                return await _here(home, name, arguments, report, passphrase)
            except HomeInUse as error:
                busy = error
        if clock.monotonic() > until:
            raise busy
        await asyncio.sleep(_PAUSE_SECONDS)


async def _here(home: Home, name: str, arguments: JSONObject, report: Report, passphrase: str | None) -> JSON:
    from connector.control.running import Running  # noqa: PLC0415  # loads grpc
    from connector.node import Node, NotJoined  # noqa: PLC0415

    if not home.registrar.is_file():
        raise NotJoined("this home has not taken an answer to its request to join yet")
    running = Running(Node(home, passphrase=passphrase))
    try:
        with suppress(BylagError):  # the command itself says what is wrong with the store
            await running.node.tidy()
        result = await run(running, name, strictly(json.dumps(arguments).encode()), report)
        await running.settle()
        return result
    finally:
        await running.close()


def run_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop where it is installed, on asyncio's own loop elsewhere."""
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        return asyncio.run(work)
    if sys.platform == "win32":
        return asyncio.run(work)
    return uvloop.run(work)
