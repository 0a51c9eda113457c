"""The one base class of every error bylag raises on purpose.

Rules that hold here:

* An error says in one sentence what is wrong, and in another what to do next.
* ``code`` is stable: programs branch on it, records carry it, translations hang on it.
* ``kind`` is what an edge needs to choose a gRPC status, an HTTP status or an exit status.
* An error's text holds no personal data and no secret: it is logged, and it crosses the wire.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class ErrorKind(Enum):
    """What sort of failure it is, in terms every edge can translate."""

    INVALID = "invalid"
    """The caller sent something malformed or out of range; the same call will fail again."""
    DENIED = "denied"
    """The caller may not do this, by membership, role or policy."""
    UNAUTHENTICATED = "unauthenticated"
    """The caller's identity could not be established."""
    NOT_FOUND = "not-found"
    """The thing named does not exist, or may not be seen by the caller."""
    CONFLICT = "conflict"
    """The state does not allow this now: an illegal move, a duplicate, a lost race."""
    EXHAUSTED = "exhausted"
    """A limit or a budget is used up; later it may work."""
    UNAVAILABLE = "unavailable"
    """A part that is needed does not answer; later it may work."""
    DAMAGED = "damaged"
    """Stored state contradicts itself: stop, do not go on."""


class BylagError(Exception):
    """Base of every deliberate error: a stable code, a sentence, and the user's next step.

    ``field`` names the part of the input that is wrong, as a path such as
    ``permission[0].constraint[2].operator``; it is None where no single part is to blame.
    """

    code: ClassVar[str] = "ERROR"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID
    default_next_step: ClassVar[str] = "Run `bylag doctor` and look at what it reports."

    def __init__(self, message: str, *, next_step: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step or self.default_next_step
        self.field = field

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


def alone(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What a group of tasks failed with, as one error to raise.

    The first of them where all are ours, else the group: somebody must look at it. This stands in for
    ``except*``, out of which an error comes wrapped into a group before Python 3.11.4 (gh-103590).
    """
    found: list[BaseException] = []
    waiting: list[BaseException] = [group]
    while waiting:
        error = waiting.pop(0)
        if isinstance(error, BaseExceptionGroup):
            waiting[:0] = error.exceptions
        else:
            found.append(error)
    return found[0] if all(isinstance(error, BylagError) for error in found) else group
