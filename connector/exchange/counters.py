"""Counts that a policy limits, reserved in the writer's transaction.

Two requests for the last use: one gets it. The count is read and raised in the transaction that
records the grant, so it holds across restarts and cannot be passed by requests at the same time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from connector.exchange.ground import Denied
from connector.store.database import Database
from connector.store.writer import Transaction
from ledger.names import AgreementId


def values(database: Database, agreement: AgreementId, names: Iterable[str]) -> dict[str, int]:
    """What has been granted so far, by each of the counters ``names``.

    Here no row means that nothing was granted: a counter begins with its first grant. What is missing
    from the answer is no number, and whoever decides must not take it for one.
    """
    wanted = tuple(names)
    if not wanted:
        return {}
    with database.read_sqlite() as connection:
        granted = _read(connection, agreement)
    return {name: granted.get(name, 0) for name in wanted}


def _read(connection: sqlite3.Connection, agreement: AgreementId) -> dict[str, int]:
    rows = connection.execute("SELECT name, value FROM counter WHERE agreement = ?", (agreement,))
    return dict(rows.fetchall())


def reserve(transaction: Transaction, agreement: AgreementId, limits: tuple[tuple[str, int], ...]) -> None:
    """Raise every counter by one. Raises :class:`~connector.exchange.ground.Denied` at a limit."""
    if not limits:
        return
    granted = _read(transaction.sqlite, agreement)
    for name, limit in limits:
        if granted.get(name, 0) >= limit:
            raise Denied("COUNT_EXHAUSTED", f"the agreement allows {limit}")
        transaction.sqlite.execute(
            "INSERT INTO counter (agreement, name, value) VALUES (?, ?, 1)"
            " ON CONFLICT (agreement, name) DO UPDATE SET value = value + 1",
            (agreement, name),
        )
