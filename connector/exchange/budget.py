"""How much may be on its way without the consumer's signature: W windows, counted durably.

Rules that hold here (LEDGER.md section 3, "Budget"):

* The count runs over *all* exchanges of one agreement, and survives a restart: it is read from the
  stored windows inside the transaction that commits to the next one.
* A window that was sent and not acknowledged keeps its place until an Ack of any later attempt has
  passed its position. Sending the same stretch of the source again exposes nothing new, so it does
  not count twice.
* A disputed window still counts: silence never frees anything.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from connector.store.writer import Transaction
from ledger.errors import BylagError, ErrorKind
from ledger.names import AgreementId, ExchangeId

_OUTSTANDING: Final = "('open', 'disputed', 'rejected')"


class BudgetUsed(BylagError):
    """W windows are unacknowledged: nothing more leaves before the consumer signs for one."""

    code = "BUDGET_USED"
    kind = ErrorKind.EXHAUSTED
    default_next_step = "Acknowledge the windows that were received, or resume the exchange they belong to."


def require_room(
    transaction: Transaction, agreement: AgreementId, exchange: ExchangeId, position: int, limit: int
) -> None:
    """A guard of the commit: raise :class:`BudgetUsed` unless one more window may leave.

    ``position`` is where the new window ends. Runs inside the writer's transaction.
    """
    furthest = transaction.sqlite.execute(
        "SELECT max(position) FROM exchange_window"  # noqa: S608
        f" WHERE state IN {_OUTSTANDING} AND agreement = ? AND exchange = ?",
        (agreement, exchange),
    ).fetchone()[0]
    if furthest is not None and position <= furthest:
        return
    if outstanding(transaction.sqlite, agreement) >= limit:
        raise BudgetUsed(f"{limit} windows are unacknowledged")


def outstanding(connection: sqlite3.Connection, agreement: AgreementId) -> int:
    """How many windows under ``agreement`` left and are not acknowledged, each stretch once."""
    row = connection.execute(
        "SELECT count(*) FROM (SELECT DISTINCT exchange, position FROM exchange_window"  # noqa: S608
        f" WHERE state IN {_OUTSTANDING} AND agreement = ?)",
        (agreement,),
    ).fetchone()
    return int(row[0])


def settle(transaction: Transaction, agreement: AgreementId, exchange: ExchangeId, position: int) -> None:
    """An Ack reached ``position``: every window of the exchange that ends at or before it is settled."""
    transaction.sqlite.execute(
        "UPDATE exchange_window SET state = 'acknowledged'"  # noqa: S608
        f" WHERE state IN {_OUTSTANDING} AND agreement = ? AND exchange = ? AND position <= ?",
        (agreement, exchange, position),
    )
