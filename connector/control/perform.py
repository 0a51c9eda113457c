"""Doing what a command asks: by the connector that runs on the home, or here and now.

A command gets the same JSON and the same errors either way.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from connector.control.operation import Report, run
from connector.node import Node
from connector.store.home import Home, is_in_use
from ledger.canonical import JSON, JSONObject

T = TypeVar("T")


def perform(
    home: Home, name: str, arguments: JSONObject, report: Report, *, passphrase: str | None = None
) -> JSON:
    """Run an operation on ``home`` and return its result. Raises a :class:`~ledger.errors.BylagError`."""
    home.require()
    if is_in_use(home):
        from connector.control.socket import ask  # noqa: PLC0415  # needs Unix sockets; the other way does not

        return run_loop(ask(home, name, arguments, report))
    return run_loop(_here(home, name, arguments, report, passphrase))


async def _here(home: Home, name: str, arguments: JSONObject, report: Report, passphrase: str | None) -> JSON:
    from connector.control.running import Running  # noqa: PLC0415  # loads grpc

    running = Running(Node(home, passphrase=passphrase))
    try:
        return await run(running, name, arguments, report)
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
