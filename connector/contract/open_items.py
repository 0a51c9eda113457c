"""What was committed to and stands on no statement: the unsigned sheet beside the signed ones.

Rules that hold here: nothing on it is billed; each item says why. It is one side's own view, and the
two need not be equal: what a consumer never acknowledged, it keeps no count of.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from ledger.canonical import JSONObject
from ledger.names import AgreementId, Milliseconds

REASONS: Final = (
    "NOT_ACKNOWLEDGED",
    "PARTLY_ACKNOWLEDGED",
    "DISPUTED",
    "REJECTED",
    "DISCARDED",
    "NOT_COMMITTED",
    "ACK_NOT_SHOWN",
    "ACK_REFUSED",
)
"""Why a window is billed to nobody, or not yet."""


@dataclass(frozen=True, slots=True)
class OpenItem:
    """A window that stands on no statement, and why."""

    exchange: str
    attempt: int
    window: int
    time: Milliseconds
    rows: int
    bytes: int
    requests: int
    reason: str
    """One of :data:`REASONS`."""

    def members(self) -> JSONObject:
        return {
            "exchange": self.exchange,
            "attempt": self.attempt,
            "window": self.window,
            "time": self.time,
            "rows": self.rows,
            "bytes": self.bytes,
            "requests": self.requests,
            "reason": self.reason,
        }


_WINDOWS: Final = """
SELECT metered.exchange, metered.attempt, metered.number, metered.time, metered.rows, metered.size,
       metered.requests,
       CASE WHEN metered.refused THEN 'ACK_REFUSED'
            WHEN metered.ack IS NOT NULL THEN 'ACK_NOT_SHOWN'
            WHEN sent.state = 'rejected' THEN 'REJECTED'
            WHEN metered.attempt < exchange.attempt THEN 'DISCARDED'
            WHEN metered.reached > 0 THEN 'PARTLY_ACKNOWLEDGED'
            WHEN sent.state = 'disputed' THEN 'DISPUTED'
            ELSE 'NOT_ACKNOWLEDGED' END
  FROM metered_window AS metered
  JOIN exchange ON exchange.id = metered.exchange
  LEFT JOIN exchange_window AS sent
    ON (sent.exchange, sent.attempt, sent.number) = (metered.exchange, metered.attempt, metered.number)
 WHERE metered.agreement = ?1 AND metered.time < ?2 AND metered.statement IS NULL
   AND (metered.ack IS NULL OR metered.held = 0)
UNION ALL
SELECT exchange, attempt, number, committed, 0, 0, 0, 'NOT_COMMITTED'
  FROM exchange_window WHERE agreement = ?1 AND committed < ?2 AND message = ''
 ORDER BY 4, 1, 2, 3
"""
"""A query session's window is there from its first answer on, and has a Commit only when it closes."""


def open_items(connection: sqlite3.Connection, agreement: AgreementId, until: Milliseconds) -> list[OpenItem]:
    """What stands open under an agreement, of windows committed to before ``until``, oldest first."""
    return [OpenItem(*row) for row in connection.execute(_WINDOWS, (agreement, until))]
