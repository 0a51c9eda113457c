"""The provider's side of a subscription: new rows of an append-only table, as they come.

Rules that hold here (LEDGER.md section 3, "Subscribe"):

* The first Commit of an attempt comes by the deadline, with whatever is there, and without frames
  where nothing is: that bounds the opening. Nothing bounds the stream.
* From then on a window closes at 8 MiB or a second after its first row. New rows wake this side by
  an event (``growth``); between them the stream's own heartbeats say that it lives.
* Either side ends it. The consumer's End is answered by a Receipt, if it says what was acknowledged
  and nothing else is on its way; if something is, that is acknowledged first and then this side says
  End. It also says End when the version does not grow any more, because a newer one took its place.
* What bars the agreement, or makes the policy say no, cuts it, also between two windows.
* What was offered is what is sent: a decision that hides other columns or rows than the Offer's cuts it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from connector.exchange import custody, labels, process
from connector.exchange.admission import Admitted
from connector.exchange.budget import BudgetUsed
from connector.exchange.channel import Channel, Signed
from connector.exchange.conversation import OutOfTurn
from connector.exchange.digest import RunningDigest
from connector.exchange.gathering import Gathering
from connector.exchange.ground import Denied, Ground
from connector.exchange.growth import Follower
from connector.exchange.labels import people_member
from connector.exchange.messages import Body, End, Receipt
from connector.exchange.provider import ROOM_SECONDS, Interrupted, ProviderExchange
from connector.exchange.windows import Window, WindowMaker
from connector.store.tables import ExchangeRow
from connector.store.writer import Transaction
from ledger.names import LeafHash


class FeedingSubscription(ProviderExchange):
    """One attempt at a subscription, after its Offer."""

    def __init__(self, ground: Ground, channel: Channel, admitted: Admitted) -> None:
        super().__init__(ground, channel, admitted)
        self._barred = asyncio.Event()
        self._follower = Follower()
        self._made = RunningDigest(b"")
        """D after the last window that was made."""
        self._end_heard: End | None = None

    async def _send_windows(self) -> None:
        exchange, version = self._conversation.exchange, self._admitted.snapshot.digest
        self._made = RunningDigest(bytes.fromhex(self._reached.digest))
        with (
            self._ground.bars.watch(self._terms.agreement) as self._barred,
            self._ground.growth.follow(exchange, version) as self._follower,
        ):
            try:
                await self._feed()
            except Denied as denied:
                if self._last is None:
                    raise
                await self._cut_after(self._last, denied.reason)
        self._sent_all.set()

    async def _feed(self) -> None:
        """Windows, as rows come, until somebody ends it. Raises ``Denied`` for what cuts it."""
        gathering = Gathering(self._reached.position)
        await asyncio.to_thread(self._gather, gathering)
        going = await self._send(gathering, opening=True)
        gathering = Gathering(gathering.next)
        while going and not self._follower.is_ending:
            self._follower.woken.clear()
            if self._barred.is_set():
                raise Denied(self._ground.bars.code(self._terms.agreement) or "ENDED")
            grows = await asyncio.to_thread(self._gather, gathering)
            left = gathering.seconds_left(self._ground.ambient.monotonic())
            if left == 0 or (left is not None and not grows):
                going = await self._send(gathering)
                gathering = Gathering(gathering.next)
            elif grows:
                await self._woken(left)
            else:
                return

    def _gather(self, gathering: Gathering) -> bool:
        """Read what is there; whether more can come. On a thread."""
        admitted, shelf = self._admitted, self._ground.shelf
        # Before reading: what was appended before the version was followed by another is read.
        grows = shelf.snapshot(self._terms.dataset, None).digest == admitted.snapshot.digest
        until = admitted.snapshot.end()
        if not gathering.is_full and (gathering.next < until or not gathering.next):
            pieces = admitted.snapshot.pieces(
                admitted.selection,
                gathering.next,
                mask=admitted.ruling.mask,
                row_filter=admitted.ruling.row_filter,
                until=until,
                labels=self._labels,
            )
            gathering.take(pieces, until, self._ground.ambient.monotonic())
        return grows

    async def _send(self, gathering: Gathering, *, opening: bool = False) -> bool:
        """Make a window, commit to it, hand it over. False when it was cut, or ended before it left."""
        window = await asyncio.to_thread(self._make, gathering)
        commit = await self._commit_in_time(window, opening=opening)
        if commit is None:
            return False
        self._made = window.digest
        self._last_window, self._last = window.number, window
        await self._channel.send(commit)
        return await self._send_frames(window, self._barred)

    def _make(self, gathering: Gathering) -> Window:
        maker = WindowMaker(
            iter(gathering.frames),
            digest=self._made,
            number=self._last_window,
            position=self._last.position if self._last is not None else self._reached.position,
            ambient=self._ground.ambient,
            labels=self._labels,
        )
        window = maker.next()
        if window is None:
            raise ValueError("a maker's first window is always one")
        return window

    async def _commit_in_time(self, window: Window, *, opening: bool) -> Signed | None:
        """The Commit once the budget has room; None when the end came first."""
        while not self._follower.is_ending:
            self._follower.woken.clear()
            with suppress(BudgetUsed):
                return await self._commit_now(window)
            left = (self._admitted.request.deadline - self._ground.ambient.now()) / 1000 if opening else None
            if left is not None and left <= 0:
                raise Interrupted("the budget had no room for the first window by the request's deadline")
            await self._woken(ROOM_SECONDS if left is None else min(left, ROOM_SECONDS))
        return None

    async def _woken(self, seconds: float | None) -> None:
        """Wait for new rows, an Ack, an End or a bar: at most ``seconds``."""
        waiting = [
            asyncio.create_task(self._follower.woken.wait()),
            asyncio.create_task(self._barred.wait()),
        ]
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    def _decision_now(self, transaction: Transaction) -> LeafHash:
        ruling = self._ground.policy.decide(self._admitted.asked, self._admitted.counts, transaction)
        offered = self._admitted.ruling
        if ruling.allow is True and (ruling.mask, ruling.row_filter) != (offered.mask, offered.row_filter):
            raise Denied("DECISION_CHANGED")
        return super()._decision_now(transaction)

    async def _hear(self) -> None:
        """Acks, and the consumer's End; then what closes the subscription from this side."""
        while not self._is_settled():
            message = await self._next_while_sending()
            if message is not None:
                await self._take(message)
        if self._was_cut:
            return
        self._all = await asyncio.to_thread(self._everything)
        if self._end_heard == End(*self._totals()):
            await self._answer_end()
        else:
            await self._end()

    async def _take_heard(self, message: Signed, body: Body) -> bool:
        if isinstance(body, End):
            await self._take_end(message, body)
            return False
        is_last = await super()._take_heard(message, body)
        self._follower.wake()
        return is_last

    async def _take_end(self, message: Signed, end: End) -> None:
        """The consumer wants no more: record that, and send nothing new."""
        if self._end_heard is not None:
            raise OutOfTurn("the consumer said End before", field="type")

        def record(transaction: Transaction) -> None:
            self._conversation.record_heard(transaction, "end", message.document, end.members())

        await self._ground.writer.write(record)
        self._end_heard = end
        self._follower.end()

    async def _answer_end(self) -> None:
        """Sign the totals that the consumer said."""

        def record(transaction: Transaction) -> Signed:
            receipt = Receipt(*self._totals())
            signed = self._conversation.say(
                transaction, receipt, members={**receipt.members(), **people_member(self._all)}
            )
            labels.store(transaction, self._conversation.place, labels.ALL, self._all)
            row = transaction.session.get_one(ExchangeRow, self._conversation.exchange)
            process.complete(row)
            custody.remember_said(transaction, self._conversation)
            return signed

        await self._channel.send(await self._ground.writer.write(record))
        await self._seal()

    async def _hear_receipt(self) -> tuple[Signed, Body]:
        """The Receipt of this side's End. An End of the consumer's may have crossed it: ours stands."""
        message, body = await super()._hear_receipt()
        if isinstance(body, End):
            await self._take_end(message, body)
            return await super()._hear_receipt()
        return message, body
