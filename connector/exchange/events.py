"""Events that are under way, as this participant attests them: a policy's `event`.

Rules that hold here:

* An event is a name, an IRI. It is under way from a recorded act to another one (``attestation``, with the
  codes ``EVENT_BEGAN`` and ``EVENT_ENDED``); whoever recorded it answers for it.
* A leaf only commits to the name, because the name of an event may say more than a log should.
* What runs learns of it with its next release: questions are put anew when an event has begun or ended.
* Whoever decides goes by its own acts: the provider at a release, the consumer at a later use.
* No event is "none is under way": a permission that needs one is denied, and a prohibition that rests on one
  binds, because nobody can attest all that does not happen.
"""

from __future__ import annotations

import re
from typing import Final

from sqlmodel import select

from connector.audit.recorder import Recorder
from connector.audit.scope import Scope
from connector.store.database import Database
from connector.store.tables import EventRow
from connector.store.writer import Transaction
from ledger.ambient import Ambient
from ledger.commitment import fresh_json
from ledger.errors import BylagError, ErrorKind
from ledger.fields import Fields
from ledger.names import Milliseconds

BEGAN: Final = "EVENT_BEGAN"
ENDED: Final = "EVENT_ENDED"
MOST_EVENTS: Final = 64
"""How many may be under way: each of them stands in every question."""
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}:[A-Za-z0-9._:/#?&%~=+@-]{1,224}", re.ASCII)


class EventUnderWay(BylagError):
    """The event has begun already, or too many have."""

    code = "EVENT_UNDER_WAY"
    kind = ErrorKind.CONFLICT
    default_next_step = "See which events are under way: `bylag events list`."


class NoSuchEvent(BylagError):
    """No event of that name is under way."""

    code = "NO_SUCH_EVENT"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "See which events are under way: `bylag events list`."


def event_name(fields: Fields) -> str:
    """An event's name as somebody typed it, an IRI. Raises :class:`~ledger.fields.BadField`."""
    return fields.text("event", limit=256, pattern=_NAME)


class Events:
    """The events that are under way in one store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.changes = 0
        """How often :meth:`changed` was told: a question that was put before is put anew."""

    def under_way(self) -> dict[str, Milliseconds]:
        """Each event with when it began."""
        with self._database.read() as session:
            rows = session.exec(select(EventRow).order_by(EventRow.name)).all()
            return {row.name: Milliseconds(row.began) for row in rows}

    def changed(self) -> None:
        """An event has begun or ended, durably."""
        self.changes += 1


def begin(transaction: Transaction, recorder: Recorder, name: str, ambient: Ambient) -> None:
    """Attest that an event has begun. Raises :class:`EventUnderWay`."""
    known = transaction.session.exec(select(EventRow.name)).all()
    if name in known or len(known) >= MOST_EVENTS:
        raise EventUnderWay(
            "the event is under way already" if name in known else f"{MOST_EVENTS} events are under way",
            field="event",
        )
    transaction.session.add(EventRow(name=name, began=ambient.now()))
    _record(transaction, recorder, name, BEGAN, ambient)


def end(transaction: Transaction, recorder: Recorder, name: str, ambient: Ambient) -> None:
    """Attest that an event has ended. Raises :class:`NoSuchEvent`."""
    row = transaction.session.get(EventRow, name)
    if row is None:
        raise NoSuchEvent("no such event is under way", field="event")
    transaction.session.delete(row)
    _record(transaction, recorder, name, ENDED, ambient)


def _record(transaction: Transaction, recorder: Recorder, name: str, code: str, ambient: Ambient) -> None:
    opening = fresh_json("event", name, ambient)
    recorder.record(
        transaction,
        "attestation",
        Scope(),
        side_row={"event": name, "openings": {"event": opening.to_json()}},
        members={"code": code, "commitments": {"event": opening.commitment}},
    )
