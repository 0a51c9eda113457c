"""What one peer may ask for at a time, so that nobody's calls crowd out another's.

Rules that hold here:

* Each peer has an allowance of its own in each lane: what protects is never crowded out by what does
  not, not even by the same peer's (LEDGER.md section 3, "Protective messages").
* Two things are counted: calls that are open, and calls begun, with room for a burst. Both cost a
  dictionary look-up, and come before anything that a call brings is read or verified.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from connector.identity.peer import Standing
from ledger.ambient import Ambient
from ledger.errors import BylagError, ErrorKind
from ledger.names import ParticipantId

OPEN_CALLS: Final = 64
"""Calls of one peer in one lane that may be open; an exchange under way holds some 16 MiB."""
CALLS_A_SECOND: Final = 100.0
BURST: Final = 500.0
_KEPT: Final = 4096


class AllowanceUsed(BylagError):
    """A peer has more calls open, or begins more of them, than one peer may."""

    code = "ALLOWANCE_USED"
    kind = ErrorKind.EXHAUSTED
    default_next_step = "Wait until some of the open calls have ended, and call less often."


@dataclass(slots=True)
class _Account:
    open: int
    left: float
    """Calls that may still be begun."""
    at: float
    """When ``left`` was right, by the monotonic clock."""


class Allowances:
    """Every peer's allowance, in every lane."""

    def __init__(self, ambient: Ambient) -> None:
        self._ambient = ambient
        self._accounts: dict[tuple[ParticipantId, Standing], _Account] = {}

    @contextmanager
    def call(self, peer: ParticipantId, lane: Standing) -> Iterator[None]:
        """One call, open while the block runs. Raises :class:`AllowanceUsed`."""
        account = self._account(peer, lane)
        now = self._ambient.monotonic()
        account.left = min(BURST, account.left + (now - account.at) * CALLS_A_SECOND)
        account.at = now
        if account.open >= OPEN_CALLS or account.left < 1:
            raise AllowanceUsed("this peer's allowance of calls is used up")
        account.left -= 1
        account.open += 1
        try:
            yield
        finally:
            account.open -= 1

    def _account(self, peer: ParticipantId, lane: Standing) -> _Account:
        known = self._accounts.get((peer, lane))
        if known is None:
            if len(self._accounts) >= _KEPT:
                self._accounts = {place: each for place, each in self._accounts.items() if each.open}
            known = self._accounts[peer, lane] = _Account(0, BURST, self._ambient.monotonic())
        return known
