"""What a policy limits and each use changes, reserved in the writer's transaction.

Two requests for the last use: one gets it. The count is read and raised in the transaction that
records the grant, so it holds across restarts and cannot be passed by requests at the same time.

A rate is kept in a row for each window, named with the window's start, ``rate:day:RULE:START``; a question
is asked about the window that holds now. Rows of windows that ended go with the next use.

Time of use is measured by ``meters``. Before a release is reserved, the time of every exchange that is open
under the agreement is added in the same transaction: so no session lets time pass that another has used up.
What passed since the last release, in a process that is killed, is not counted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from connector.exchange.ground import Denied, Ground
from connector.policy.decision import CounterGuard
from connector.policy.vocabulary import RATE_WINDOWS
from connector.store.database import Database
from connector.store.writer import Transaction
from ledger.names import AgreementId, ExchangeId, Milliseconds

METERED: Final = "metered:"
"""How the name of a counter of time begins."""
Place: TypeAlias = tuple[AgreementId, ExchangeId]


def values(
    database: Database, agreement: AgreementId, names: Iterable[str], now: Milliseconds
) -> dict[str, int]:
    """What has been granted so far, by each of the counters ``names``; a rate's, in the window of ``now``.

    Here no row means that nothing was granted: a counter begins with its first grant.
    """
    wanted = tuple(names)
    if not wanted:
        return {}
    with database.read_sqlite() as connection:
        granted = _read(connection, agreement)
    return {name: granted.get(_row(name, now), 0) for name in wanted}


def _read(connection: sqlite3.Connection, agreement: AgreementId) -> dict[str, int]:
    rows = connection.execute("SELECT name, value FROM counter WHERE agreement = ?", (agreement,))
    return dict(rows.fetchall())


def reserve(
    transaction: Transaction, agreement: AgreementId, guards: Iterable[CounterGuard], now: Milliseconds
) -> None:
    """Reserve each counter as its kind says (:class:`~connector.policy.decision.CounterGuard`).

    Raises :class:`~connector.exchange.ground.Denied` at a limit.
    """
    guards = tuple(guards)
    if not guards:
        return
    granted = _read(transaction.sqlite, agreement)
    for guard in guards:
        name = guard.name if guard.window is None else f"{guard.name}:{guard.window}"
        value = granted.get(name, 0)
        if guard.kind == "spacing":
            if value and now - value < guard.limit:
                raise Denied("TOO_SOON", f"the agreement asks for {guard.limit} ms between two uses")
            _set(transaction.sqlite, agreement, name, now)
        elif value >= guard.limit and guard.kind == "room":
            raise Denied("METERED_TIME_USED_UP", f"the agreement allows {guard.limit} ms of use")
        elif value >= guard.limit:
            raise Denied("COUNT_EXHAUSTED", f"the agreement allows {guard.limit}")
        elif guard.kind == "use":
            _set(transaction.sqlite, agreement, name, value + 1)
            if guard.window is not None:
                _forget_ended(transaction.sqlite, agreement, guard.name, guard.window, granted)


def begin_use(ground: Ground, place: Place, guards: Iterable[CounterGuard]) -> None:
    """An exchange was accepted: its time runs, where a permission limits time."""
    ground.meters.begin(*place, _timed(guards), ground.ambient.monotonic())


def reserve_use(
    transaction: Transaction, ground: Ground, place: Place, guards: Iterable[CounterGuard]
) -> None:
    """Add the time of the agreement's open exchanges, then :func:`reserve`."""
    guards = tuple(guards)
    with ground.meters.taking(*place, _timed(guards), ground.ambient.monotonic()) as passed:
        add_each(transaction, place, passed)
        reserve(transaction, place[0], guards, ground.ambient.now())


def end_use(ground: Ground, place: Place) -> Mapping[str, int]:
    """An exchange ended or broke off: what is left of its time, for :func:`add_each`."""
    return ground.meters.end(*place, ground.ambient.monotonic())


def _timed(guards: Iterable[CounterGuard]) -> list[str]:
    return [guard.name for guard in guards if guard.kind == "room"]


def add_each(transaction: Transaction, place: Place, passed: Mapping[str, int]) -> None:
    """Add measured time to counters, by their names."""
    for name, milliseconds in passed.items():
        if milliseconds:
            add(transaction, place[0], name, milliseconds)


def add(transaction: Transaction, agreement: AgreementId, name: str, milliseconds: int) -> None:
    """Add measured time of use to a metered counter."""
    value = _read(transaction.sqlite, agreement).get(name, 0)
    _set(transaction.sqlite, agreement, name, value + milliseconds)


def _row(name: str, now: Milliseconds) -> str:
    """The row in which a counter is kept: for a rate, that of the window which holds ``now``."""
    if not name.startswith("rate:"):
        return name
    length = RATE_WINDOWS[name.split(":", 2)[1]]
    return f"{name}:{now - now % length}"


def _set(connection: sqlite3.Connection, agreement: AgreementId, name: str, value: int) -> None:
    connection.execute(
        "INSERT INTO counter (agreement, name, value) VALUES (?, ?, ?)"
        " ON CONFLICT (agreement, name) DO UPDATE SET value = excluded.value",
        (agreement, name, value),
    )


def _forget_ended(
    connection: sqlite3.Connection,
    agreement: AgreementId,
    rate: str,
    window: Milliseconds,
    granted: dict[str, int],
) -> None:
    for name in granted:
        of, _, began = name.rpartition(":")
        if of == rate and int(began) < window:
            connection.execute("DELETE FROM counter WHERE agreement = ? AND name = ?", (agreement, name))
