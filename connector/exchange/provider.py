"""The provider's side of a transfer: Offer, then windows that are recorded before they leave.

Rules that hold here (LEDGER.md section 3; the numbers are its steps):

* 2–3. An Offer is answered by an Accept before anything is read from the source.
* 4. A window's Commit is durable, with its guards checked in that transaction, before the Commit or
  any of its frames is handed to the transport. The next window is made meanwhile.
* 5. At most W windows wait for a signature; one that waits too long is disputed (``disputes``).
* 6. End comes after the last Ack and says exactly what was acknowledged; the Receipt ends it.
* Between the check that nothing bars the agreement and the hand-over of a frame there is no await;
  one frame at a time is handed over. A bar cuts the window at the frame last taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from connector.exchange import custody
from connector.exchange.admission import Admitted, record_decision, require_active, require_grantable
from connector.exchange.budget import BudgetUsed, require_room
from connector.exchange.channel import Channel, Frame, Heartbeat, Message, Signed
from connector.exchange.conversation import OutOfTurn, commit_members
from connector.exchange.digest import RunningDigest, key_digest
from connector.exchange.ground import Denied, Ground
from connector.exchange.messages import Accept, Ack, Body, Commit, Cut, End, Receipt, Reject
from connector.exchange.sealing import counterlog, seal
from connector.exchange.windows import Piece, Window, WindowMaker
from connector.store.tables import ExchangeRow, WindowRow
from connector.store.writer import Transaction
from ledger.errors import BylagError, ErrorKind, alone
from ledger.names import LeafHash

ROOM_SECONDS: Final = 0.5
"""How often a window that waits for room in the agreement's budget looks for it by itself."""
CUT_GRACE_SECONDS: Final = 1.0
"""A frame that the transport has not taken this long after a bar resets the stream."""


class Interrupted(BylagError):
    """The other side went away before the exchange was complete; it can be resumed."""

    code = "INTERRUPTED"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Resume the exchange: `bylag fetch --resume EXCHANGE`."


class ProviderExchange:
    """One attempt at a transfer, after its Offer."""

    def __init__(self, ground: Ground, channel: Channel, admitted: Admitted) -> None:
        self._ground = ground
        self._channel = channel
        self._admitted = admitted
        self._conversation = admitted.conversation
        self._terms = admitted.terms
        self._row = admitted.row
        self._ruling = admitted.ruling
        self._decision = admitted.decision
        self._settled = asyncio.Event()
        self._sent_all = asyncio.Event()
        self._was_cut = False
        self._last_window = self._row.window

    async def run(self) -> None:
        """From the Accept to the Receipt. Raises a :class:`~ledger.errors.BylagError`.

        Whatever ends it early leaves the exchange SUSPENDED, to be resumed.
        """
        await self._take_accept()
        try:
            async with asyncio.TaskGroup() as tasks:
                hearing = tasks.create_task(self._hear())
                await self._send_windows()
                await hearing
        except BaseExceptionGroup as group:
            await self._suspend()
            raise alone(group) from None

    async def _take_accept(self) -> None:
        message = await self._next_signed()
        body = self._conversation.hear(message)
        if not isinstance(body, Accept) or body.offer != self._admitted.offer.document.digest:
            raise OutOfTurn("an Offer is answered by an Accept of it", field="type")

        def record(transaction: Transaction) -> None:
            require_active(transaction, self._terms.agreement)
            row = transaction.session.get_one(ExchangeRow, self._row.id)
            custody.take_accept(transaction, self._conversation, row, message.document)
            row.state = "STARTED"
            self._row = custody.detached(transaction, row)

        await self._ground.writer.write(record)

    async def _send_windows(self) -> None:
        maker = WindowMaker(
            self._pieces(),
            digest=RunningDigest(bytes.fromhex(self._row.digest)),
            number=self._row.window,
            position=self._row.position,
            ambient=self._ground.ambient,
        )
        with self._ground.bars.watch(self._terms.agreement) as barred:
            upcoming = asyncio.create_task(asyncio.to_thread(maker.next))
            try:
                while (window := await upcoming) is not None:
                    upcoming = asyncio.create_task(asyncio.to_thread(maker.next))
                    commit = await self._commit_when_there_is_room(window)
                    self._last_window = window.number
                    await self._channel.send(commit)
                    if not await self._send_frames(window, barred):
                        break
            finally:
                upcoming.cancel()
        self._sent_all.set()

    def _pieces(self) -> Iterator[Piece]:
        return self._admitted.snapshot.pieces(
            self._admitted.selection,
            self._row.position,
            mask=self._admitted.ruling.mask,
            row_filter=self._admitted.ruling.row_filter,
        )

    async def _commit_when_there_is_room(self, window: Window) -> Signed:
        while True:
            self._settled.clear()
            with suppress(BudgetUsed):
                return await self._ground.writer.write(lambda transaction: self._commit(transaction, window))
            # An Ack of another exchange, or one that the outbox brought, makes room too: look again.
            with suppress(TimeoutError):
                async with asyncio.timeout(ROOM_SECONDS):
                    await self._settled.wait()

    def _commit(self, transaction: Transaction, window: Window) -> Signed:
        """Step 4: guards, record and signature in one transaction."""
        require_grantable(transaction, self._ground, self._terms)
        decision = self._decision_now(transaction)
        require_room(
            transaction,
            self._terms.agreement,
            self._conversation.exchange,
            window.position,
            self._terms.windows,
        )
        commit = Commit(
            window=window.number,
            key=key_digest(window.key),
            digests=tuple(digest.hex() for digest in window.digests),
            digest=window.digest.hex(),
            rows=window.rows,
            bytes=window.size,
            labels=window.labels,
            position=window.position,
        )
        signed = self._conversation.say(
            transaction,
            commit,
            opening={"key": window.key.hex()},
            members={**commit_members(commit), "decision": decision.hex()},
        )
        transaction.session.add(
            WindowRow(
                exchange=self._row.id,
                attempt=self._conversation.attempt,
                number=window.number,
                agreement=self._terms.agreement,
                state="open",
                message=signed.document.digest,
                position=window.position,
                layout=custody.layout_of(window),
                committed=self._ground.ambient.now(),
            )
        )
        self._remember_sent(transaction)
        return signed

    def _decision_now(self, transaction: Transaction) -> LeafHash:
        """The decision that this window leaves under: the lease's, or a fresh one, recorded."""
        ruling = self._ground.policy.decide(self._admitted.asked, self._admitted.counts)
        if ruling.allow is not True:
            raise Denied(ruling.code)
        if ruling is not self._ruling:
            self._decision = record_decision(transaction, self._conversation, self._terms, ruling)
            self._ruling = ruling
        return self._decision

    async def _send_frames(self, window: Window, barred: asyncio.Event) -> bool:
        """Hand over a window's frames one by one; False when a bar cut the window short."""
        for sent, data in enumerate(window.frames):
            if barred.is_set():
                await self._cut(window, sent)
                return False
            handing = asyncio.create_task(_handed(self._channel, data))
            if not await _taken(handing, barred):
                raise Interrupted("a frame was not taken after the agreement was barred")
        return True

    async def _cut(self, window: Window, sent: int) -> None:
        """End the window at the last frame taken, and the attempt with it."""
        code = self._ground.bars.code(self._terms.agreement) or "ENDED"
        last = sent - 1

        def record(transaction: Transaction) -> Signed:
            cut = Cut(
                window=window.number,
                frame=sent,
                digest=(window.digests[last] if sent else window.start_digest).hex(),
                rows=sum(window.frame_rows[:sent]),
                bytes=sum(len(data) for data in window.frames[:sent]),
                window_labels=window.labels,
                labels=None,
                position=window.frame_positions[last] if sent else window.start_position,
                code=code,
            )
            return self._record_cut(transaction, cut)

        self._was_cut = True
        await self._channel.send(await self._ground.writer.write(record))

    def _record_cut(self, transaction: Transaction, cut: Cut) -> Signed:
        signed = self._conversation.say(
            transaction,
            cut,
            members={
                "window": cut.window,
                "frame": cut.frame,
                "digest": cut.digest,
                "rows": cut.rows,
                "bytes": cut.bytes,
                "labels": cut.labels,
                "code": cut.code,
            },
        )
        row = transaction.session.get_one(ExchangeRow, self._row.id)
        row.state, row.code = "TERMINATED", cut.code
        self._remember_sent(transaction)
        return signed

    async def _hear(self) -> None:
        """Acks free the budget; when all is acknowledged, End and Receipt, unless it was cut."""
        while not (self._sent_all.is_set() and self._row.window == self._last_window):
            message = await self._next_while_sending()
            if message is not None and await self._take(message) and self._was_cut:
                return
        if not self._was_cut:
            await self._end()

    async def _next_while_sending(self) -> Signed | None:
        """The next signed message, or None when the last window has just been sent."""
        if self._sent_all.is_set():
            return await self._next_signed()
        receiving = asyncio.ensure_future(self._next_signed())
        waiting = asyncio.ensure_future(self._sent_all.wait())
        try:
            await asyncio.wait({receiving, waiting}, return_when=asyncio.FIRST_COMPLETED)
            return receiving.result() if receiving.done() else None
        finally:
            waiting.cancel()
            receiving.cancel()

    async def _take(self, message: Signed) -> bool:
        """Take what the consumer says; True when it is the Ack of the last window sent."""
        return await self._take_heard(message, self._conversation.hear(message))

    async def _take_heard(self, message: Signed, body: Body) -> bool:
        """Record an Ack or a Reject of a window."""
        if isinstance(body, Reject):
            await self._take_reject(message, body)
        if not isinstance(body, Ack):
            raise OutOfTurn("a window is answered by an Ack or a Reject", field="type")

        def record(transaction: Transaction) -> None:
            row = transaction.session.get_one(ExchangeRow, self._row.id)
            custody.take_ack(
                transaction, self._conversation, row, message.document, body, self._conversation.attempt
            )
            self._row = custody.detached(transaction, row)

        await self._ground.writer.write(record)
        self._settled.set()
        return body.window == self._last_window

    async def _take_reject(self, message: Signed, reject: Reject) -> None:
        def record(transaction: Transaction) -> None:
            row = transaction.session.get_one(ExchangeRow, self._row.id)
            custody.take_reject(
                transaction, self._conversation, row, message.document, reject, self._conversation.attempt
            )

        await self._ground.writer.write(record)
        raise Interrupted(f"the consumer rejected window {reject.window} ({reject.code})")

    async def _end(self) -> None:
        """Step 6."""

        def record_end(transaction: Transaction) -> Signed:
            end = End(*self._totals())
            signed = self._conversation.say(transaction, end, members=end.members())
            self._remember_sent(transaction)
            return signed

        end = await self._ground.writer.write(record_end)
        await self._channel.send(end)
        message, body = await self._hear_receipt()
        if not isinstance(body, Receipt) or body != Receipt(*self._totals()):
            raise OutOfTurn("End is answered by a Receipt of the same totals", field="type")

        def record_receipt(transaction: Transaction) -> None:
            self._ground.recorder.record(
                transaction,
                "receipt",
                self._conversation.scope,
                heard=message.document,
                members=body.members(),
            )
            row = transaction.session.get_one(ExchangeRow, self._row.id)
            row.state, row.seen = "COMPLETED", message.document.digest
            self._row = custody.detached(transaction, row)

        await self._ground.writer.write(record_receipt)
        await self._seal()

    def _totals(self) -> tuple[int, int, int, str, str | None]:
        """What End says, in its order: exactly what was acknowledged."""
        row = self._row
        return row.window, row.rows, row.size, row.digest, None

    async def _hear_receipt(self) -> tuple[Signed, Body]:
        message = await self._next_signed()
        return message, self._conversation.hear(message)

    async def _seal(self) -> None:
        """Step 7."""
        theirs = counterlog(
            self._ground, self._terms.consumer_log, self._terms.consumer, self._conversation.promised
        )
        if theirs is not None and self._terms.provider_log is not None:
            await seal(self._ground, self._channel, self._conversation, theirs)

    async def _suspend(self) -> None:
        def record(transaction: Transaction) -> None:
            row = transaction.session.get_one(ExchangeRow, self._row.id)
            if row.state in ("REQUESTED", "STARTED"):
                row.state = "SUSPENDED"

        with suppress(BylagError):
            # The store itself may be what failed; the error that brought us here is the one to raise.
            await self._ground.writer.write(record)

    def _remember_sent(self, transaction: Transaction) -> None:
        row = transaction.session.get_one(ExchangeRow, self._row.id)
        row.sent, row.seen = self._conversation.sent, self._conversation.heard

    async def _next_signed(self) -> Signed:
        while True:
            message: Message | None = await self._channel.receive()
            if isinstance(message, Signed):
                return message
            if message is None:
                raise Interrupted("the consumer ended the stream")
            if not isinstance(message, Heartbeat):
                raise OutOfTurn("only signed messages are expected here", field="body")


async def _handed(channel: Channel, data: bytes) -> None:
    await channel.send(Frame(data))


async def _taken(handing: asyncio.Task[None], barred: asyncio.Event) -> bool:
    """Wait until a frame was taken; after a bar only :data:`CUT_GRACE_SECONDS` longer."""
    waiting = asyncio.create_task(barred.wait())
    try:
        await asyncio.wait((handing, waiting), return_when=asyncio.FIRST_COMPLETED)
        if not handing.done():
            await asyncio.wait((handing,), timeout=CUT_GRACE_SECONDS)
        if not handing.done():
            handing.cancel()
            return False
        handing.result()
        return True
    finally:
        waiting.cancel()
        handing.cancel()
        handing.add_done_callback(_observe)


def _observe(handing: asyncio.Task[None]) -> None:
    """A stream that breaks tells its reader too: the sender's error is not told a second time."""
    if not handing.cancelled():
        handing.exception()
