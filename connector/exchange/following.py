"""The consumer's side of a subscription: windows of new rows, stored and signed for as they come.

Rules that hold here (LEDGER.md section 3, "Subscribe"):

* Only the opening has a deadline: Request to first Commit. A stream that says nothing at all, not
  even a heartbeat, is over by the transport's own limit.
* What was acknowledged can be used at once; the subscription goes on meanwhile.
* Somebody here asks for the end (a bound was reached, or ``growth`` was asked): this side signs an
  End over what it has acknowledged, behind every Ack that is under way. It goes on taking windows
  until the provider's Receipt, or its End over more, which crossed ours.
* A *gap* is reported: rows between two windows that neither holds, and that nothing that was asked
  for explains. The provider's policy may have held them back, or they are lost; the log shows both
  positions, so the question can be put.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from connector.exchange import metered, process
from connector.exchange.application import DEADLINE_MS
from connector.exchange.channel import Channel, Frame, Signed
from connector.exchange.consumer import ConsumerExchange, Progress
from connector.exchange.conversation import OutOfTurn
from connector.exchange.ground import Ground, Terms
from connector.exchange.growth import Follower
from connector.exchange.inbox import Delivery
from connector.exchange.labels import people_member, root_of
from connector.exchange.messages import Commit, Cut, End, Receipt
from connector.exchange.provider import Interrupted
from connector.store.tables import DeliveryRow, ExchangeRow
from connector.store.writer import Transaction
from ledger.canonical import JSONObject
from ledger.names import ExchangeId

OPENING_SECONDS: Final = DEADLINE_MS / 1000


@dataclass(frozen=True, slots=True)
class Bounds:
    """When to ask for the end; whichever comes first. Windows are taken whole, so rows may be more."""

    rows: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Rows that no window holds: so many of them, from ``position`` on, before ``window``."""

    window: int
    position: int
    rows: int

    def to_json(self) -> JSONObject:
        return {"window": self.window, "position": self.position, "rows": self.rows}


class FollowingSubscription(ConsumerExchange):
    """One attempt at a subscription. Begin it with :meth:`fetch`, or go on with :meth:`resume`."""

    def __init__(
        self,
        ground: Ground,
        channel: Channel,
        terms: Terms,
        delivery: Delivery,
        *,
        exchange: ExchangeId,
        bounds: Bounds,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(ground, channel, terms, delivery, exchange=exchange, progress=progress)
        self._bounds = bounds
        self.gaps: list[Gap] = []
        """What is missing, as far as it was noticed in this attempt."""
        self._position = 0
        self._is_partial = False
        self._is_closing = False
        self._end_said: End | None = None

    async def _take_windows(self) -> None:
        row = self._stored()
        self._position, self._is_partial = row.position, bool(row.selection)
        with self._ground.growth.follow(self._exchange, None) as follower:
            ending = asyncio.create_task(self._end_when_asked(follower))
            loop = asyncio.get_running_loop()
            seconds = self._bounds.seconds
            timer = loop.call_later(seconds, follower.end) if seconds is not None else None
            try:
                await self._follow(follower)
            finally:
                ending.cancel()
                if timer is not None:
                    timer.cancel()

    async def _follow(self, follower: Follower) -> None:
        came = 0
        message = await self._opening()
        while True:
            if not isinstance(message, Signed):
                raise OutOfTurn("frames come after the Commit of their window", field="frame")
            body = self._conversation.hear(message)
            if isinstance(body, Commit):
                self._look_for_gap(body)
                await self._take_window(message, body)
                came += body.rows
                if self._bounds.rows is not None and came >= self._bounds.rows:
                    follower.end()
            elif isinstance(body, Cut):
                await self._take_cut(message, body)
            elif isinstance(body, End):
                await self._take_end(message, body)
                return
            elif isinstance(body, Receipt):
                await self._take_receipt(message, body)
                return
            else:
                raise OutOfTurn("a Commit, a Cut or the End is expected", field="type")
            message = await self._next()

    async def _opening(self) -> Signed | Frame:
        """The first Commit, by the deadline."""
        try:
            async with asyncio.timeout(OPENING_SECONDS):
                return await self._next()
        except TimeoutError as error:
            raise Interrupted("no window came by the request's deadline") from error

    def _look_for_gap(self, commit: Commit) -> None:
        """Compare how far the position went with how many rows came."""
        went = commit.position - max(self._position, 1) if commit.position != self._position else 0
        if commit.position < self._position or went < commit.rows:
            raise OutOfTurn("the window's position is not behind its rows", field="position")
        if went > commit.rows and not self._is_partial:
            self.gaps.append(Gap(commit.window, self._position, went - commit.rows))
        self._position = commit.position

    async def _end_when_asked(self, follower: Follower) -> None:
        while not follower.is_ending:
            await follower.woken.wait()
            follower.woken.clear()
        if not self._is_closing:
            # Behind every Ack that is under way, so that messages leave in the order they were signed.
            self._acking = asyncio.create_task(self._say_end(self._acking))

    async def _say_end(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before
        reached = self._stored().window
        everything = await self._labels.everything(reached)

        def record(transaction: Transaction) -> Signed:
            row = transaction.session.get_one(ExchangeRow, self._exchange)
            end = End(row.window, row.rows, row.size, row.digest, root_of(everything))
            signed = self._conversation.say(
                transaction, end, members={**end.members(), **people_member(everything)}
            )
            self._conversation.remember(row)
            self._end_said = end
            return signed

        await self._channel.send(await self._ground.writer.write(record))

    async def _take_cut_in_window(self, message: Signed, commit: Commit, stored: int, size: int) -> None:
        self._is_closing = True
        await super()._take_cut_in_window(message, commit, stored, size)

    async def _take_cut(self, message: Signed, cut: Cut) -> None:
        self._is_closing = True
        await super()._take_cut(message, cut)

    async def _take_end(self, message: Signed, end: End) -> None:
        self._is_closing = True
        await super()._take_end(message, end)

    async def _take_receipt(self, message: Signed, receipt: Receipt) -> None:
        """The provider's answer to our End: the same totals."""
        await self._wait_for_acks()
        said = self._end_said
        if said is None or receipt.members() != said.members():
            raise OutOfTurn("End is answered by a Receipt of the same totals", field="type")

        def record(transaction: Transaction) -> None:
            self._conversation.record_heard(transaction, "receipt", message.document, receipt.members())
            metered.all_held(transaction, self._exchange)
            row = transaction.session.get_one(ExchangeRow, self._exchange)
            process.complete(row)
            self._conversation.remember(row)
            transaction.session.get_one(DeliveryRow, self._exchange).complete = True

        await self._ground.writer.write(record)
        await self._seal()
