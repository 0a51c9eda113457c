"""What a side holds and attests itself, beside agreement, list and request: events, and payments.

Rules that hold here: it is read when a question is put; when an event has begun or ended the number of
changes is another, and whoever holds a question puts it anew.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Protocol

from connector.exchange.events import Events
from connector.exchange.ground import Terms
from connector.exchange.payments import paid
from connector.policy.facts import Quantity
from connector.store.database import Database


class Attested(Protocol):
    """What this side itself holds and attests, read when a question is prepared."""

    @property
    def changes(self) -> int:
        """Another number when what is attested has changed: then a question is put anew."""

    def events(self) -> Collection[str]:
        """The events that are under way (``events``)."""

    def paid(self, terms: Terms) -> Quantity | None:
        """What was paid so far under an agreement (``payments``)."""


class NothingAttested:
    """No event is attested, and no payment is known."""

    changes = 0

    def events(self) -> Collection[str]:
        return ()

    def paid(self, terms: Terms) -> Quantity | None:  # noqa: ARG002
        return None


class StoredAttested:
    """What the store has."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database = database
        self._events = events

    @property
    def changes(self) -> int:
        return self._events.changes

    def events(self) -> Collection[str]:
        return self._events.under_way()

    def paid(self, terms: Terms) -> Quantity | None:
        return paid(self._database, terms.agreement, terms.currency)


NOTHING_ATTESTED: Final = NothingAttested()
