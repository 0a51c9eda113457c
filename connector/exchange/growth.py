"""Tables that grow, and who follows them.

Rules that hold here: whoever follows a version is woken by an event, after what happened is durable
(rows were appended, a newer version took its place, somebody asked for the end). Nobody looks at
the clock. Everything here runs on the event loop, and nothing of it outlives the process: a
subscription that comes back reads from its position.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from ledger.names import ExchangeId


class Follower:
    """One open subscription, at either side."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()
        """Set when there is something to look at; whoever looks clears it first."""
        self._ending = False

    @property
    def is_ending(self) -> bool:
        """Whether somebody asked for the end."""
        return self._ending

    def wake(self) -> None:
        """There is something to look at."""
        self.woken.set()

    def end(self) -> None:
        """Ask for the end: what is under way is finished, and nothing new is begun."""
        self._ending = True
        self.woken.set()


class Growth:
    """Every subscription that is open in this process."""

    def __init__(self) -> None:
        self._followers: dict[Follower, tuple[ExchangeId, str | None]] = {}

    @contextmanager
    def follow(self, exchange: ExchangeId, version: str | None) -> Iterator[Follower]:
        """Follow a dataset version (its digest), or with None only be there to be asked for the end."""
        follower = Follower()
        self._followers[follower] = (exchange, version)
        try:
            yield follower
        finally:
            del self._followers[follower]

    def grew(self, version: str) -> None:
        """Rows were added to a version, or it will not grow any more; durably, before this call."""
        for follower, (_, followed) in self._followers.items():
            if followed == version:
                follower.wake()

    def end(self, exchange: ExchangeId) -> bool:
        """Ask for the end of a subscription; False when none of that exchange is open here."""
        found = [follower for follower, (open_one, _) in self._followers.items() if open_one == exchange]
        for follower in found:
            follower.end()
        return bool(found)
