"""The provider's side of a transfer: Offer, then windows that are recorded before they leave.

Rules that hold here (LEDGER.md section 3; the numbers are its steps):

* 2–3. An Offer is answered by an Accept before anything is read from the source.
* 4. A window's Commit is durable, with its guards checked in that transaction, before the Commit or
  any of its frames is handed to the transport. The next window is made meanwhile. A guard that fails
  is a denial, and recorded; so is an Accept that came too late.
* 5. At most W windows wait for a signature; one that waits too long is disputed (``disputes``).
* 6. End comes after the last Ack and says exactly what was acknowledged; the Receipt ends it.
* Between the check that nothing bars the agreement and the hand-over of a frame there is no await;
  one frame at a time is handed over. A bar cuts the window at the frame last taken, or behind the
  last window where it comes between two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from connector.contract.liability import Role
from connector.exchange import counters, custody, labels, metered, process
from connector.exchange.admission import Admitted
from connector.exchange.budget import BudgetUsed, require_room
from connector.exchange.channel import Channel, Frame, Heartbeat, Message, Signed
from connector.exchange.conversation import OutOfTurn, commit_members
from connector.exchange.deciding import record_decision
from connector.exchange.digest import RunningDigest, key_digest
from connector.exchange.ground import Denied, Ground
from connector.exchange.guards import require_grantable, require_latest, require_open_offer
from connector.exchange.labels import AllLabels, Released, WindowLabels, people_member, root_of
from connector.exchange.messages import Accept, Ack, Body, Commit, Cut, End, Receipt, Reject
from connector.exchange.sealing import counterlog, seal
from connector.exchange.windows import Piece, Window, WindowMaker
from connector.policy.decision import CounterGuard
from connector.store.memory import give_memory_back
from connector.store.tables import ExchangeRow
from connector.store.writer import Transaction
from ledger.canonical import JSONObject
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
        self._reached = custody.Reached.of(admitted.row)
        self._ruling = admitted.ruling
        self._decision = admitted.decision
        self._settled = asyncio.Event()
        self._sent_all = asyncio.Event()
        self._was_cut = False
        self._cut_is_whole = False
        """Whether the Cut stands behind a whole window, which has an Ack of its own."""
        self._cut_is_answered = False
        self._last: Window | None = None
        """The last window that was sent in this attempt."""
        self._last_window = self._reached.window
        self._labels: Released | None = None
        self._all: AllLabels | None = None

    async def run(self) -> None:
        """From the Accept to the Receipt. Raises a :class:`~ledger.errors.BylagError`.

        Whatever ends it early leaves the exchange SUSPENDED, to be resumed.
        """
        try:
            await self._take_accept()
            self._labels = await asyncio.to_thread(self._begin_labels)
            async with asyncio.TaskGroup() as tasks:
                hearing = tasks.create_task(self._hear())
                await self._send_windows()
                await hearing
        except (BylagError, BaseExceptionGroup) as raised:
            error = alone(raised) if isinstance(raised, BaseExceptionGroup) else raised
            await self._suspend(error)
            raise error from None
        finally:
            self._last = None
            await self._end_metering()
            await asyncio.to_thread(give_memory_back)

    @property
    def _use(self) -> counters.Place:
        return self._terms.agreement, self._conversation.exchange

    async def _end_metering(self) -> None:
        passed = counters.end_use(self._ground, self._use)
        if not passed:
            return
        with suppress(BylagError):  # as in _suspend: the store itself may have failed
            await self._ground.writer.write(
                lambda transaction: counters.add_each(transaction, self._use, passed)
            )

    async def _take_accept(self) -> None:
        message = await self._next_signed()
        body = self._conversation.hear(message)
        if not isinstance(body, Accept) or body.offer != self._admitted.offer.document.digest:
            raise OutOfTurn("an Offer is answered by an Accept of it", field="type")

        def record(transaction: Transaction) -> None:
            require_latest(transaction, self._conversation)
            require_open_offer(transaction, self._ground, self._terms, self._admitted.expires)
            row = transaction.session.get_one(ExchangeRow, self._conversation.exchange)
            custody.take_accept(transaction, self._conversation, row, message.document)
            self._reached = custody.Reached.of(row)

        await self._ground.writer.write(record)
        counters.begin_use(self._ground, self._use, self._ruling.counters)

    def _begin_labels(self) -> Released | None:
        """The exchange's labels so far; None for data about nobody."""
        if not self._admitted.snapshot.labelled:
            return None
        exchange = self._conversation.exchange
        with self._ground.database.read_sqlite() as connection:
            return Released(self._ground.people, self._terms.provider_unit, exchange, connection)

    async def _send_windows(self) -> None:
        maker = WindowMaker(
            self._pieces(),
            digest=RunningDigest(bytes.fromhex(self._reached.digest)),
            number=self._reached.window,
            position=self._reached.position,
            ambient=self._ground.ambient,
            labels=self._labels,
        )
        with self._ground.bars.watch(self._terms.agreement) as barred:
            upcoming = asyncio.create_task(asyncio.to_thread(maker.next))
            try:
                while (window := await upcoming) is not None:
                    upcoming = asyncio.create_task(asyncio.to_thread(maker.next))
                    commit = await self._commit_when_there_is_room(window)
                    self._last_window, self._last = window.number, window
                    await self._channel.send(commit)
                    if not await self._send_frames(window, barred):
                        break
            except Denied:
                if self._last is None or (code := self._ground.bars.code(self._terms.agreement)) is None:
                    raise
                await self._cut_after(self._last, code)
            finally:
                upcoming.cancel()
        self._sent_all.set()

    def _pieces(self) -> Iterator[Piece]:
        return self._admitted.snapshot.pieces(
            self._admitted.selection,
            self._reached.position,
            mask=self._admitted.ruling.mask,
            row_filter=self._admitted.ruling.row_filter,
            labels=self._labels,
        )

    async def _commit_when_there_is_room(self, window: Window) -> Signed:
        while True:
            self._settled.clear()
            with suppress(BudgetUsed):
                return await self._commit_now(window)
            # An Ack of another exchange, or one that the outbox brought, makes room too: look again.
            with suppress(TimeoutError):
                async with asyncio.timeout(ROOM_SECONDS):
                    await self._settled.wait()

    async def _commit_now(self, window: Window) -> Signed:
        """Raises :class:`~connector.exchange.budget.BudgetUsed`, or what another guard raises."""
        # Asked here, so that the transaction finds the lease and the writer waits for no engine.
        ruling = await self._ground.policy.rule(self._admitted.asked, self._admitted.counts)
        if ruling.allow is not True:
            raise Denied(ruling.code)
        room = [guard for guard in ruling.counters if guard.kind == "room"]
        commit = await self._ground.writer.write(lambda transaction: self._commit(transaction, window, room))
        if self._labels is not None and window.labelled is not None:
            self._labels.told(window.labelled)
        return commit

    def _commit(self, transaction: Transaction, window: Window, room: list[CounterGuard]) -> Signed:
        """Step 4: guards, record and signature in one transaction. ``room``: limits of time of use."""
        require_grantable(transaction, self._ground, self._terms)
        require_latest(transaction, self._conversation)
        require_room(
            transaction,
            self._terms.agreement,
            self._conversation.exchange,
            window.position,
            self._terms.windows,
        )
        counters.reserve_use(transaction, self._ground, self._use, room)
        # Last of the guards: one that fails after it would undo the record of a decision cited later.
        decision = self._decision_now(transaction)
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
            members={**commit_members(commit), **people_member(window.labelled), "decision": decision.hex()},
            people=self._side_rows(window),
        )
        labels.store(transaction, self._conversation.place, labels.WINDOW, window.labelled)
        custody.open_window(
            transaction,
            (*self._conversation.place, window.number),
            self._terms.agreement,
            message=signed.document.digest,
            position=window.position,
            layout=custody.layout_of(window),
            now=self._ground.ambient.now(),
        )
        metered.committed(
            transaction,
            place=self._conversation.place,
            agreement=self._terms.agreement,
            peer=self._terms.consumer,
            commit=commit,
            message=signed.document.digest,
            time=self._conversation.said_time,
            mode=self._admitted.request.mode,
        )
        custody.remember_said(transaction, self._conversation)
        return signed

    def _side_rows(self, window: Window) -> dict[str, JSONObject]:
        """What each person's own record says of this exchange."""
        if self._labels is None or window.labelled is None:
            return {}
        return self._labels.side_rows(
            window.labelled,
            {
                "exchange": self._conversation.exchange,
                "dataset": self._terms.dataset,
                "dataset_version": self._admitted.snapshot.digest,
                "purpose": self._admitted.request.purpose,
            },
        )

    def _decision_now(self, transaction: Transaction) -> LeafHash:
        """The decision that this window leaves under: the lease's, or a fresh one, recorded."""
        ruling = self._ground.policy.decide(self._admitted.asked, self._admitted.counts, transaction)
        if ruling.allow is not True:
            raise Denied(ruling.code)
        if ruling is not self._ruling:
            self._decision = record_decision(
                transaction, self._ground, self._conversation.scope, self._terms, ruling
            )
            self._ruling = ruling
        return self._decision

    async def _send_frames(self, window: Window, barred: asyncio.Event) -> bool:
        """Hand over a window's frames one by one; False when a bar cut the window short."""
        sent = 0
        try:
            async with asyncio.timeout(None) as limit:
                watching = asyncio.create_task(_limit_after(barred, limit))
                try:
                    while sent < len(window.frames) and await _handed(
                        self._channel, window.frames[sent], barred
                    ):
                        sent += 1
                finally:
                    watching.cancel()
        except TimeoutError as error:
            raise Interrupted("a frame was not taken after the agreement was barred") from error
        if sent < len(window.frames):
            await self._cut(window, sent)
        return sent == len(window.frames)

    async def _cut(self, window: Window, sent: int) -> None:
        """End the window at the last frame taken, and the attempt with it."""
        code = self._ground.bars.code(self._terms.agreement) or "ENDED"
        last = sent - 1
        part, everything = await asyncio.to_thread(self._cut_labels, window, sent)

        def record(transaction: Transaction) -> Signed:
            cut = Cut(
                window=window.number,
                frame=sent,
                digest=(window.digests[last] if sent else window.start_digest).hex(),
                rows=sum(window.frame_rows[:sent]),
                bytes=sum(len(data) for data in window.frames[:sent]),
                window_labels=root_of(part),
                labels=root_of(everything),
                position=window.frame_positions[last] if sent else window.start_position,
                code=code,
            )
            labels.store(transaction, self._conversation.place, labels.CUT, part)
            custody.shorten(transaction, self._conversation.place, cut)
            signed = self._record_cut(transaction, cut, everything)
            metered.cut_short(transaction, self._conversation.place, cut, signed.document.digest)
            return signed

        self._was_cut = True
        await self._channel.send(await self._ground.writer.write(record))

    async def _cut_after(self, window: Window, code: str) -> None:
        """End the attempt behind a window that was sent whole."""
        _, everything = await asyncio.to_thread(self._cut_labels, window, len(window.frames))

        def record(transaction: Transaction) -> Signed:
            cut = Cut(
                window=window.number,
                frame=len(window.frames),
                digest=window.digest.hex(),
                rows=window.rows,
                bytes=window.size,
                window_labels=window.labels,
                labels=root_of(everything),
                position=window.position,
                code=code,
            )
            return self._record_cut(transaction, cut, everything)

        self._was_cut = self._cut_is_whole = True
        await self._channel.send(await self._ground.writer.write(record))

    def _cut_labels(self, window: Window, sent: int) -> tuple[WindowLabels | None, AllLabels | None]:
        """What a window's first frames hold, and all with it."""
        if self._labels is None or window.labelled is None:
            return None, None
        part = window.labelled.up_to(sent)
        return part, self._labels.sets.everything(part)

    def _record_cut(self, transaction: Transaction, cut: Cut, everything: AllLabels | None) -> Signed:
        require_latest(transaction, self._conversation)
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
                **people_member(everything),
            },
        )
        labels.store(transaction, self._conversation.place, labels.ALL, everything)
        row = transaction.session.get_one(ExchangeRow, self._conversation.exchange)
        process.terminate(row, Role.PROVIDER, cut.code)
        custody.remember_said(transaction, self._conversation)
        return signed

    async def _hear(self) -> None:
        """Acks free the budget; when all is acknowledged, End and Receipt, unless it was cut."""
        while not self._is_settled():
            message = await self._next_while_sending()
            if message is not None:
                await self._take(message)
        if not self._was_cut:
            await self._end()

    def _is_settled(self) -> bool:
        if not self._sent_all.is_set():
            return False
        return self._cut_is_answered if self._was_cut else self._is_acknowledged()

    def _is_acknowledged(self) -> bool:
        """Whether the last window is acknowledged to its end: an Ack may also name a frame inside it."""
        if self._last is None:
            return True
        reached = (self._reached.window, self._reached.digest)
        return reached == (self._last.number, self._last.digest.hex())

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
        reached = self._reached
        if self._cut_is_whole and (body.window, body.digest) == (reached.window, reached.digest):
            await self._take_answer_to_cut(message, body)
            return True

        self._reached = await self._ground.writer.write(
            lambda transaction: custody.take_ack(transaction, self._conversation, message.document, body)
        )
        if self._labels is not None:
            self._labels.sets.settle(self._reached.window)
        self._settled.set()
        is_last = body.window == self._last_window
        self._cut_is_answered = self._was_cut and is_last and not self._cut_is_whole
        return is_last

    async def _take_answer_to_cut(self, message: Signed, ack: Ack) -> None:
        """The Ack of a Cut behind a whole window: it says again where custody stands, and moves nothing."""

        def record(transaction: Transaction) -> None:
            self._conversation.record_heard(
                transaction,
                "ack",
                message.document,
                {
                    "window": ack.window,
                    "frame": ack.frame,
                    "digest": ack.digest,
                    "rows": 0,
                    "bytes": 0,
                },
            )

        await self._ground.writer.write(record)
        self._cut_is_answered = True

    async def _take_reject(self, message: Signed, reject: Reject) -> None:
        def record(transaction: Transaction) -> None:
            row = transaction.session.get_one(ExchangeRow, self._conversation.exchange)
            custody.take_reject(
                transaction, self._conversation, row, message.document, reject, self._conversation.attempt
            )

        await self._ground.writer.write(record)
        raise Interrupted(f"the consumer rejected window {reject.window} ({reject.code})")

    async def _end(self) -> None:
        """Step 6."""
        self._all = await asyncio.to_thread(self._everything)

        def record_end(transaction: Transaction) -> Signed:
            require_latest(transaction, self._conversation)
            end = End(*self._totals())
            signed = self._conversation.say(
                transaction, end, members={**end.members(), **people_member(self._all)}
            )
            labels.store(transaction, self._conversation.place, labels.ALL, self._all)
            custody.remember_said(transaction, self._conversation)
            return signed

        end = await self._ground.writer.write(record_end)
        await self._channel.send(end)
        message, body = await self._hear_receipt()
        if not isinstance(body, Receipt) or body != Receipt(*self._totals()):
            raise OutOfTurn("End is answered by a Receipt of the same totals", field="type")

        def record_receipt(transaction: Transaction) -> None:
            require_latest(transaction, self._conversation)
            self._conversation.record_heard(transaction, "receipt", message.document, body.members())
            row = transaction.session.get_one(ExchangeRow, self._conversation.exchange)
            process.complete(row)
            row.seen = message.document.digest

        await self._ground.writer.write(record_receipt)
        await self._seal()

    def _totals(self) -> tuple[int, int, int, str, str | None]:
        """What End says, in its order: exactly what was acknowledged."""
        reached = self._reached
        return reached.window, reached.rows, reached.size, reached.digest, root_of(self._all)

    def _everything(self) -> AllLabels | None:
        """All labels that were acknowledged; None for data about nobody."""
        last = self._labels.sets.get(self._reached.window) if self._labels is not None else None
        return None if self._labels is None or last is None else self._labels.sets.everything(last)

    async def _hear_receipt(self) -> tuple[Signed, Body]:
        message = await self._next_signed()
        return message, self._conversation.hear(message)

    async def _seal(self) -> None:
        """Step 7."""
        theirs = counterlog(
            self._ground, self._terms.consumer_log, self._terms.consumer, self._conversation.promised
        )
        if theirs is not None:
            await seal(self._ground, self._channel, self._conversation, theirs)

    async def _suspend(self, error: BaseException) -> None:
        def record(transaction: Transaction) -> None:
            if isinstance(error, Denied):
                self._ground.recorder.record(
                    transaction, "denial", self._conversation.scope, members={"code": error.reason}
                )
            row = transaction.session.get_one(ExchangeRow, self._conversation.exchange)
            if row.attempt == self._conversation.attempt and process.is_running(row):
                process.suspend(row, Role.PROVIDER)

        with suppress(BylagError):
            # The store itself may be what failed; the error that brought us here is the one to raise.
            await self._ground.writer.write(record)

    async def _next_signed(self) -> Signed:
        while True:
            message: Message | None = await self._channel.receive()
            if isinstance(message, Signed):
                return message
            if message is None:
                raise Interrupted("the consumer ended the stream")
            if not isinstance(message, Heartbeat):
                raise OutOfTurn("only signed messages are expected here", field="body")


async def _handed(channel: Channel, data: bytes | memoryview, barred: asyncio.Event) -> bool:
    """Hand a frame over; False, and nothing handed over, when the agreement is barred."""
    if barred.is_set():
        return False
    await channel.send(Frame(data))
    return True


async def _limit_after(barred: asyncio.Event, limit: asyncio.Timeout) -> None:
    """After a bar the frame that is being handed over has :data:`CUT_GRACE_SECONDS` left."""
    await barred.wait()
    limit.reschedule(asyncio.get_running_loop().time() + CUT_GRACE_SECONDS)
