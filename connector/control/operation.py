"""What an operation is, and the one table of them.

Rules that hold here: arguments and results are plain JSON, so that both ways of asking are the same;
arguments are read strictly, like anything from outside; an operation reports progress as it goes on,
and raises a :class:`~ledger.errors.BylagError` or returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from ledger.canonical import JSON, JSONObject, decode_object
from ledger.errors import BylagError, ErrorKind
from ledger.fields import Fields

if TYPE_CHECKING:  # loads grpc, and a command that asks a connector over its socket needs none of it
    from connector.control.running import Running


MAX_ASKED_BYTES: Final = 160 << 20
"""Of a question or an answer: room for a registrar's whole answer, and for the longest list of records."""
MAX_DEPTH: Final = 64


class UnknownOperation(BylagError):
    """A connector of another version was asked for something it does not know."""

    code = "UNKNOWN_OPERATION"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "Use the same version of bylag for the command and the connector that runs."


class Report(Protocol):
    """Told how far a long operation has come."""

    def __call__(self, doing: str, done: int, total: int | None) -> None:
        """``doing`` in a few words, ``done`` of ``total`` (None: not known)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One call of an operation: the running node, its arguments, and where to report progress."""

    running: Running
    arguments: Fields
    report: Report


Operation = Callable[[Asked], Awaitable[JSON]]

OPERATIONS: Final[dict[str, Operation]] = {}
"""Every operation by name; filled by the modules of ``connector.control.operations``, see :func:`load`."""


def operation(name: str) -> Callable[[Operation], Operation]:
    """Enter an operation into the table."""

    def enter(function: Operation) -> Operation:
        if name in OPERATIONS:
            raise ValueError(f"two operations are called {name}")
        OPERATIONS[name] = function
        return function

    return enter


def load() -> None:
    """Fill the table, for the first command: that takes a tenth of a second and some megabytes.

    A connector serves its peers without it.
    """
    import connector.control.operations  # noqa: F401, PLC0415


def strictly(data: bytes) -> JSONObject:
    """Read what is asked, over the socket or not. Raises :class:`~ledger.canonical.MalformedJson`."""
    return decode_object(data, max_bytes=MAX_ASKED_BYTES, max_depth=MAX_DEPTH)


async def run(running: Running, name: str, arguments: JSONObject, report: Report) -> JSON:
    """Run an operation by name. Raises :class:`UnknownOperation`, or what it raises."""
    await asyncio.to_thread(load)
    found = OPERATIONS.get(name)
    if found is None:
        raise UnknownOperation(f"there is no operation {name[:64]!r}")
    return await found(Asked(running, Fields(arguments), report))
