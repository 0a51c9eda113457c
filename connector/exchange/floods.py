"""Denials in number: each is on record, and where there are too many they are counted (DESIGN.md, 1).

Rules that hold here: of one peer's denials so many a minute are listed, each with a record and a signed
answer. The others are counted, and the count gets a record of its own once the minute is over. All
of it is done in the writer's jobs, so nothing here needs a lock; a crash forgets a minute's count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from connector.audit.recorder import Recorder
from connector.audit.scope import Counterpart, Scope
from connector.store.writer import Transaction
from ledger.ambient import Ambient
from ledger.canonical import JSONObject
from ledger.errors import BylagError, ErrorKind

LISTED: Final = 60
"""Denials of one peer a minute that are listed."""
SECONDS: Final = 60.0
FLOOD: Final = "FLOOD"
"""The code of the record that says how many were counted."""


class TooManyDenials(BylagError):
    """A peer was denied so often that this denial was only counted."""

    code = "TOO_MANY_DENIALS"
    kind = ErrorKind.EXHAUSTED
    default_next_step = "Look at the denials before this one, and ask for what is allowed."


@dataclass(slots=True)
class _Minute:
    began: float
    listed: int
    counted: int


class Floods:
    """How often each peer was denied within the last minute."""

    def __init__(self) -> None:
        self._minutes: dict[Counterpart, _Minute] = {}

    def lists(self, peer: Counterpart, ambient: Ambient) -> bool:
        """Whether a denial of ``peer`` is listed; if not, it has been counted."""
        peer = Counterpart(peer.id, peer.is_person)
        minute = self._minutes.setdefault(peer, _Minute(ambient.monotonic(), 0, 0))
        if minute.listed < LISTED:
            minute.listed += 1
            return True
        minute.counted += 1
        return False

    def record(self, transaction: Transaction, recorder: Recorder, ambient: Ambient) -> None:
        """Record what was counted in minutes that are over, and begin anew."""
        now = ambient.monotonic()
        over = [peer for peer, minute in self._minutes.items() if now - minute.began >= SECONDS]
        for peer in over:
            counted = self._minutes.pop(peer).counted
            if counted:
                members: JSONObject = {"code": FLOOD, "counters": {"not_listed": counted}}
                recorder.record(transaction, "denial", Scope(counterpart=peer), members=members)
