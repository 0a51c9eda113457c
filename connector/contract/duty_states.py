"""What a decision may know of an agreement's duties: one state for each, from all the tasks it became.

Rules that hold here:

* A duty that arises with each exchange is never fulfilled in advance: it is violated while one of its tasks
  is, pending while one is open, and otherwise not arisen. Any other duty is fulfilled when all its tasks are.
* A report that waits to be accepted fulfils nothing yet.
* The consequence of a duty that is still undone makes nothing good: the duty *and* its consequences are to
  be fulfilled (ODRL Information Model 2.2, 2.6.3). It counts as pending until then.
* States are read together with the number of changes that led to them, so that whoever keeps them can tell
  whether they still hold.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, Protocol

from connector.policy.facts import DutyState
from connector.store.database import Database
from connector.store.writer import Transaction, Writer
from ledger.names import AgreementId

CHANGED: Final = "duties "
"""How a commit that changed an agreement's duties is marked; its id follows, and how often they changed."""

_STATES: Final = """
SELECT task.duty, task.kind = 'duty' AND task.occasion <> '', task.state, coalesce(parent.state, '')
FROM duty_task AS task LEFT JOIN duty_task AS parent ON parent.id = task.parent
WHERE task.agreement = ? GROUP BY 1, 2, 3, 4
"""
_CHANGES: Final = "SELECT duty_changes FROM agreement WHERE id = ?"


class Tasks(NamedTuple):
    """Some tasks of one duty that stand alike."""

    duty: str
    repeated: bool
    """Whether the duty arises with each exchange."""
    state: str
    parent: str
    """The state of the task that they are a consequence of; empty for none."""


class Known(NamedTuple):
    """The states of an agreement's duties, and after how many changes."""

    changes: int
    states: Mapping[str, DutyState]


class DutyStates(Protocol):
    """The states of duties, as decisions ask for them."""

    def changes(self, agreement: AgreementId) -> int:
        """How often the agreement's duties have changed, as far as this process knows: costs nothing."""

    def changes_in(self, transaction: Transaction, agreement: AgreementId) -> int:
        """The same as a transaction sees it."""

    def read(self, agreement: AgreementId, transaction: Transaction | None = None) -> Known:
        """The states now, or as a transaction sees them."""


def states(tasks: Iterable[Tasks]) -> dict[str, DutyState]:
    """The state of each duty that has a task; a duty that never arose is not in it."""
    found: dict[str, set[str]] = {}
    repeated: set[str] = set()
    for task in tasks:
        found.setdefault(task.duty, set()).add(_effective(task))
        if task.repeated:
            repeated.add(task.duty)
    return {duty: _together(seen, duty in repeated) for duty, seen in found.items()}


def _effective(task: Tasks) -> str:
    if task.state == "fulfilled" and task.parent == "violated":
        return "pending"
    return "pending" if task.state == "reported" else task.state


def _together(seen: set[str], repeated: bool) -> DutyState:
    if "violated" in seen:
        return "violated"
    if "pending" in seen:
        return "pending"
    return "unset" if repeated else "fulfilled"


class StoredDutyStates:
    """The states as the store has them. The number of changes is kept, and told of by commits."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._changes: dict[AgreementId, int] = {}
        writer.after_commit(self._committed)

    def changes(self, agreement: AgreementId) -> int:
        """As of the last commit that this process has been told of."""
        known = self._changes.get(agreement)
        if known is None:
            with self._database.read_sqlite() as connection:
                known = _one(connection.execute(_CHANGES, (agreement,)).fetchone())
            # What a commit said meanwhile is newer, and stays. What it said of a job that was undone makes
            # questions be put anew without need, no more.
            known = self._changes.setdefault(agreement, known)
        return known

    def changes_in(self, transaction: Transaction, agreement: AgreementId) -> int:
        """As the transaction sees it, jobs before it in the same commit included."""
        return _one(transaction.first(_CHANGES, agreement))

    def read(self, agreement: AgreementId, transaction: Transaction | None = None) -> Known:
        """States and number of one moment."""
        if transaction is not None:
            return _read(transaction.sqlite, agreement)
        with self._database.read_sqlite() as connection:
            return _read(connection, agreement)

    def _committed(self, marks: frozenset[str]) -> None:
        for mark in marks:
            if mark.startswith(CHANGED):
                name, _, changes = mark.removeprefix(CHANGED).rpartition(" ")
                agreement = AgreementId(name)
                self._changes[agreement] = max(int(changes), self._changes.get(agreement, 0))


class NoDuties:
    """Where no duty is tracked: nothing ever arises."""

    def changes(self, _agreement: AgreementId) -> int:
        return 0

    def changes_in(self, _transaction: Transaction, _agreement: AgreementId) -> int:
        return 0

    def read(self, _agreement: AgreementId, _transaction: Transaction | None = None) -> Known:
        return Known(0, {})


def _read(connection: sqlite3.Connection, agreement: AgreementId) -> Known:
    # The number first: a change in between is then seen as one, and read again.
    changes = _one(connection.execute(_CHANGES, (agreement,)).fetchone())
    rows = connection.execute(_STATES, (agreement,)).fetchall()
    return Known(
        changes, states(Tasks(duty, bool(again), state, parent) for duty, again, state, parent in rows)
    )


def _one(row: tuple[int, ...] | None) -> int:
    return int(row[0]) if row is not None else 0
