"""The consumer's side of a transfer: store and sync each window, then sign for it.

Rules that hold here (LEDGER.md section 3; the numbers are its steps, of which ``application`` does 1 to 3):

* 5. An Ack is signed after its window's frames are synced and their digests equal the Commit's. A
  frame that is not what was committed to gets a signed Reject in the Ack's place, and ends the attempt.
* Rows about people carry labels. The sets that Commit, Cut and End sign are computed from the rows; a
  set that is another gets a Reject, and no Receipt.
* 6. The Receipt says what this side stored; an End that says otherwise is refused.
* Windows are acknowledged in order, while the next ones are already arriving.
* A resume starts at the last durable Ack; whatever lies beyond it was discarded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, Final

from connector.audit.scope import Scope
from connector.contract.liability import Role
from connector.exchange import custody, labels, metered, process
from connector.exchange.application import Application, Offered
from connector.exchange.channel import Channel, Frame, Heartbeat, Signed
from connector.exchange.conversation import Conversation, OutOfTurn, commit_members
from connector.exchange.digest import FrameKey, RunningDigest, after_frame, key_digest
from connector.exchange.ground import Denied, Ground, Terms
from connector.exchange.inbox import Delivery, sync
from connector.exchange.labels import people_member, root_of
from connector.exchange.messages import (
    MAX_FRAME_BYTES,
    Ack,
    Commit,
    Cut,
    End,
    Receipt,
    Reject,
)
from connector.exchange.provider import Interrupted
from connector.exchange.received import Received
from connector.exchange.sealing import counterlog, seal
from connector.exchange.wish import Wish
from connector.store import outbox
from connector.store.memory import give_memory_back
from connector.store.tables import DeliveryRow, ExchangeRow
from connector.store.writer import Transaction
from ledger.canonical import decode_object, encode
from ledger.document import SignedDocument, from_json
from ledger.errors import BylagError, ErrorKind
from ledger.names import ExchangeId, MessageHash, Milliseconds

OTHER_LABELS: Final = "OTHER_LABELS"
Progress = Callable[[int, int, int | None], None]
"""Called after each acknowledged window: rows and bytes received so far, and of how many bytes, if known."""


class WrongBytes(BylagError):
    """The provider sent other bytes than it committed to; the Reject is signed and recorded."""

    code = "WRONG_BYTES"
    kind = ErrorKind.CONFLICT
    default_next_step = "Both logs hold the proof. Resume to ask again, or end the agreement with a reason."


_Coming = tuple[Commit, MessageHash, Milliseconds]
"""A window: its Commit, that message's hash, and when it claims to have been signed."""


class ConsumerExchange:
    """One attempt at receiving a dataset."""

    def __init__(
        self,
        ground: Ground,
        channel: Channel,
        terms: Terms,
        delivery: Delivery,
        *,
        exchange: ExchangeId,
        progress: Progress | None = None,
    ) -> None:
        self._ground = ground
        self._channel = channel
        self._terms = terms
        self._delivery = delivery
        self._progress = progress or (lambda _rows, _bytes, _of: None)
        self._exchange = exchange
        self._conversation = Conversation(
            ground,
            peer=terms.provider,
            scope=Scope(
                counterpart=ground.counterpart(terms, terms.provider),
                unit=terms.consumer_unit,
                agreement=terms.agreement,
            ),
            exchange=exchange,
            agreement=terms.agreement,
            attempt=1,
        )
        self._application = Application(ground, terms, self._conversation)
        self._digest = RunningDigest(b"")
        self._windows = 0
        self._size: int | None = None
        """How many bytes the provider said would come: for progress, nothing is concluded from it."""
        self._key = FrameKey(b"")
        """The key of the window that is coming, or came last."""
        self._coming: _Coming | None = None
        """The window that is coming, or came last."""
        self._labels = Received()
        self._acking: asyncio.Task[None] | None = None
        """The last of :attr:`_unsigned`, each of which waits for the one before."""
        self._unsigned: set[asyncio.Task[None]] = set()

    async def fetch(self, wish: Wish) -> ExchangeRow:
        """Ask for ``wish`` and receive all of it. Returns the exchange as it stands, COMPLETED.

        Raises :class:`~connector.exchange.ground.Denied` with the provider's code, or another
        :class:`~ledger.errors.BylagError`; what was acknowledged by then is kept for a resume.
        """
        with self._ground.attempts.alone(self._exchange):
            request = await self._application.ask(wish)
            await self._channel.send(request)
            return await self._receive(request.document, wish.version)

    async def open_session(self, wish: Wish) -> tuple[Conversation, RunningDigest]:
        """Ask for a query session and accept it: the conversation to go on with, and D_0."""
        request = await self._application.ask(wish)
        await self._channel.send(request)
        try:
            await self._accept(request.document, wish.version)
        except BylagError as error:
            await self._suspend(error)
            raise
        return self._conversation, self._digest

    async def resume(self) -> ExchangeRow:
        """Go on from the last durable Ack of an interrupted exchange.

        Where that stands is read in the transaction that signs the Resume: an Ack of the attempt
        before may have become durable after that attempt was given up.
        """
        with self._ground.attempts.alone(self._exchange):
            resume, row = await self._application.resume()
            await asyncio.to_thread(self._delivery.discard_after, row.window)
            self._windows = row.window
            await self._channel.send(resume)
            return await self._receive(resume.document, row.dataset_version)

    async def _receive(self, asked: SignedDocument, version: str | None) -> ExchangeRow:
        try:
            await self._accept(asked, version)
            await self._take_windows()
            return self._stored()
        except BylagError as error:
            await self._stop_acknowledging()
            await self._suspend(error)
            raise
        finally:
            await self._stop_acknowledging()
            self._delivery.abandon()
            await asyncio.to_thread(give_memory_back)

    async def _stop_acknowledging(self) -> None:
        """Give up the Acks that are not signed yet, all of them: the next attempt begins without them."""
        tasks = {*self._unsigned, *([] if self._acking is None else [self._acking])}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, asked: SignedDocument, version: str | None) -> None:
        """Steps 2 and 3."""
        answer = await self._next()
        if not isinstance(answer, Signed):
            raise OutOfTurn("a Request is answered by an Offer or a Denial", field="type")
        offered = await self._application.hear(answer, asked, version)
        self._size = offered.size
        self._labels = await asyncio.to_thread(self._begin_labels, offered)
        accept, self._digest = await self._application.accept(offered)
        await self._channel.send(accept)

    def _begin_labels(self, offered: Offered) -> Received:
        """The exchange's labels so far, if the Offer promises any."""
        if offered.schema.get("labels") is None:
            return Received()
        row = self._stored()
        with self._ground.database.read_sqlite() as connection:
            known = labels.acknowledged_labels(connection, self._exchange)
        return Received(offered.offer.media_type, known, header=row.position == 0)

    async def _take_windows(self) -> None:
        """Steps 4 to 6."""
        while True:
            message = await self._next()
            if not isinstance(message, Signed):
                raise OutOfTurn("frames come after the Commit of their window", field="frame")
            body = self._conversation.hear(message)
            if isinstance(body, Commit):
                await self._take_window(message, body)
            elif isinstance(body, Cut):
                await self._take_cut(message, body)
            elif isinstance(body, End):
                await self._take_end(message, body)
                return
            else:
                raise OutOfTurn("a Commit, a Cut or the End is expected", field="type")

    async def _take_window(self, message: Signed, commit: Commit) -> None:
        key = self._window_key(message, commit)
        coming = self._coming = (commit, message.document.digest, self._conversation.heard_time)
        frames: list[bytes | memoryview] = []
        size = 0
        while len(frames) < len(commit.digests):
            frame = await self._next()
            if isinstance(frame, Signed):
                await self._store(message, commit, key, frames)
                await self._take_cut_in_window(frame, commit, len(frames), size)
            if not isinstance(frame, Frame):
                raise OutOfTurn("a window's frames come without anything between", field="frame")
            size += len(frame.data)
            if len(frame.data) > MAX_FRAME_BYTES or size > commit.bytes:
                await self._reject(message, commit, len(frames) + 1, "OTHER_LENGTH")
            frames.append(frame.data)
        await self._store(message, commit, key, frames)
        if size != commit.bytes or self._digest.hex() != commit.digest:
            await self._reject(message, commit, max(len(commit.digests), 1), "OTHER_LENGTH")
        if not await self._labels.agrees(commit, key):
            await self._reject(message, commit, max(len(commit.digests), 1), OTHER_LABELS)
        self._windows = commit.window
        before, part = self._acking, self._delivery.finish()
        if before is not None and before.done():
            before.result()
        self._acking = asyncio.create_task(self._acknowledge(before, part, message, coming))
        self._unsigned.add(self._acking)
        self._acking.add_done_callback(self._unsigned.discard)

    def _window_key(self, message: Signed, commit: Commit) -> FrameKey:
        key = message.opening.get("key")
        if commit.window != self._windows + 1:
            raise OutOfTurn("windows are numbered without gaps", field="window")
        if not isinstance(key, str) or len(key) != 64:
            raise OutOfTurn("the window's key is missing beside its Commit", field="key")
        frame_key = FrameKey(bytes.fromhex(key))
        if key_digest(frame_key) != commit.key:
            raise OutOfTurn("the key beside the Commit is not the one it names", field="key")
        self._key = frame_key
        return frame_key

    async def _store(
        self, message: Signed, commit: Commit, key: FrameKey, frames: list[bytes | memoryview]
    ) -> None:
        """Compare a window's frames with its Commit, and store them; the next ones are arriving meanwhile."""
        stored = await asyncio.to_thread(self._store_equal, commit, key, frames)
        if stored < len(frames):
            await self._reject(message, commit, stored + 1, "OTHER_BYTES")
        await self._labels.frames(frames)

    def _store_equal(self, commit: Commit, key: FrameKey, frames: list[bytes | memoryview]) -> int:
        """Store frames up to the first that is not what was committed to; how many those are."""
        self._delivery.begin(commit.window)
        for number, frame in enumerate(frames):
            digest = after_frame(self._digest, key, frame)
            if digest.hex() != commit.digests[number]:
                return number
            self._delivery.store(frame)
            self._digest = digest
        return len(frames)

    async def _acknowledge(
        self, before: asyncio.Task[None] | None, part: BinaryIO, message: Signed, coming: _Coming
    ) -> None:
        """Step 5: sync, then record and sign, then tell the provider; one window after another."""
        commit = coming[0]
        await asyncio.to_thread(sync, part)
        if before is not None:
            await before
        ack, rows, size = await self._ground.writer.write(
            lambda transaction: self._record_ack(transaction, message.document, coming)
        )
        self._labels.settle(commit.window)
        self._progress(rows, size, self._size)
        await self._channel.send(ack)

    def _record_ack(
        self,
        transaction: Transaction,
        heard: SignedDocument,
        coming: _Coming,
    ) -> tuple[Signed, int, int]:
        commit = coming[0]
        frames = len(commit.digests)
        people = self._labels.sign(transaction, self._conversation.place, labels.WINDOW, commit.window)
        signed = self._conversation.say(
            transaction,
            Ack(window=commit.window, frame=frames, digest=commit.digest),
            answering=heard,
            members={**commit_members(commit), **people, "frame": frames},
        )
        self._meter(transaction, signed, coming)
        # By SQL, like all that each window costs (``connector.exchange.custody``).
        transaction.sqlite.execute(
            "UPDATE exchange SET window = ?, position = ?, frames = frames + ?, rows = rows + ?,"
            " size = size + ?, digest = ?, last_ack = ?, sent = ?, seen = ?, changed = ? WHERE id = ?",
            (
                *(commit.window, commit.position, frames, commit.rows, commit.bytes, commit.digest),
                *(encode(signed.document.to_json()), self._conversation.sent, self._conversation.heard),
                *(self._ground.ambient.now(), self._exchange),
            ),
        )
        after = custody.reached(transaction, self._exchange)
        return signed, after.rows, after.size

    def _meter(
        self,
        transaction: Transaction,
        ack: Signed,
        coming: _Coming,
        cut: tuple[Cut, MessageHash] | None = None,
    ) -> None:
        """Keep what the window counts for, and its Ack until the provider shows that it has it."""
        commit, hash_, time = coming
        self._conversation.acknowledged(
            transaction, ack.document, commit, message=hash_, time=time, mode="transfer", cut=cut
        )

    async def _reject(self, message: Signed, commit: Commit, frame: int, code: str) -> None:
        """In place of an Ack: signed, recorded, sent; then the attempt is over."""
        expected = commit.digests[frame - 1] if commit.digests else commit.digest
        await self._say_reject(message, Reject(commit.window, frame, expected, code))

    async def _say_reject(self, message: Signed, reject: Reject) -> None:
        await self._wait_for_acks()

        def record(transaction: Transaction) -> Signed:
            signed = self._conversation.say(
                transaction,
                reject,
                answering=message.document,
                members={
                    "window": reject.window,
                    "frame": reject.frame,
                    "code": reject.code,
                    "digest": reject.expected,
                },
            )
            # The stream ends with it, and may end before it: the outbox gets it through.
            now = self._ground.ambient.now()
            outbox.put(transaction, self._terms.provider, signed.document, {}, now)
            return signed

        await self._channel.send(await self._ground.writer.write(record))
        raise WrongBytes(f"frame {reject.frame} of window {reject.window} is not what was committed to")

    async def _take_cut_in_window(self, message: Signed, commit: Commit, stored: int, size: int) -> None:
        body = self._conversation.hear(message)
        if not isinstance(body, Cut):
            raise OutOfTurn("only a Cut may end a window early", field="type")
        received = (commit.window, stored, size, self._digest.hex())
        if (body.window, body.frame, body.bytes, body.digest) != received:
            raise OutOfTurn("the Cut is at another place than the last frame received", field="frame")
        part = self._delivery.finish()
        await asyncio.to_thread(sync, part)
        await self._wait_for_acks()
        if not await self._labels.agrees(body, self._key):
            await self._say_reject(
                message, Reject(body.window, max(body.frame, 1), body.digest, OTHER_LABELS)
            )
        await self._sign_for_cut(message, body)

    async def _take_cut(self, message: Signed, cut: Cut) -> None:
        """A Cut between windows: the last one was received whole, and no more comes."""
        await self._wait_for_acks()
        if (cut.window, cut.digest) != (self._windows, self._digest.hex()):
            raise OutOfTurn("the Cut is at another place than the last window received", field="window")
        if not self._labels.is_last(cut):
            await self._say_reject(message, Reject(cut.window, max(cut.frame, 1), cut.digest, OTHER_LABELS))
        await self._sign_for_cut(message, cut)

    async def _sign_for_cut(self, message: Signed, cut: Cut) -> None:
        """The Ack of a Cut names the last frame stored, at the Cut's."""
        everything = await self._labels.everything(cut.window)
        if cut.labels != root_of(everything):
            await self._say_reject(message, Reject(cut.window, max(cut.frame, 1), cut.digest, OTHER_LABELS))

        def record(transaction: Transaction) -> Signed:
            signed = self._conversation.say(
                transaction,
                Ack(window=max(cut.window, 1), frame=cut.frame, digest=cut.digest),
                answering=message.document,
                leaf="cut",
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
            self._labels.sign(transaction, self._conversation.place, labels.CUT, cut.window)
            labels.store(transaction, self._conversation.place, labels.ALL, everything)
            row = transaction.session.get_one(ExchangeRow, self._exchange)
            if cut.window > row.window:  # otherwise all of it was acknowledged before
                if cut.frame and self._coming is not None:
                    cut_at = (cut, message.document.digest)
                    self._meter(transaction, signed, self._coming, cut_at)
                row.window, row.position, row.digest = cut.window, cut.position, cut.digest
                row.rows += cut.rows
                row.size += cut.bytes
            process.terminate(row, Role.PROVIDER, cut.code)
            row.last_ack = encode(signed.document.to_json())
            self._conversation.remember(row)
            return signed

        await self._channel.send(await self._ground.writer.write(record))
        raise Denied(cut.code, f"the provider cut the exchange: {cut.code}")

    async def _take_end(self, message: Signed, end: End) -> None:
        """Step 6."""
        await self._wait_for_acks()
        row = self._stored()
        everything = await self._labels.everything(row.window)
        receipt = Receipt(row.window, row.rows, row.size, row.digest, root_of(everything))
        if end.members() != receipt.members():
            raise OutOfTurn("the End's totals are not what was acknowledged", field="digest")

        def record(transaction: Transaction) -> Signed:
            signed = self._conversation.say(
                transaction,
                receipt,
                answering=message.document,
                members={**receipt.members(), **people_member(everything)},
            )
            labels.store(transaction, self._conversation.place, labels.ALL, everything)
            metered.all_held(transaction, self._exchange)
            stored = transaction.session.get_one(ExchangeRow, self._exchange)
            process.complete(stored)
            self._conversation.remember(stored)
            transaction.session.get_one(DeliveryRow, self._exchange).complete = True
            return signed

        await self._channel.send(await self._ground.writer.write(record))
        await self._seal()

    async def _seal(self) -> None:
        """Step 7."""
        theirs = counterlog(
            self._ground, self._terms.provider_log, self._terms.provider, self._conversation.promised
        )
        if theirs is not None:
            await seal(self._ground, self._channel, self._conversation, theirs)

    async def _wait_for_acks(self) -> None:
        if self._acking is not None:
            await self._acking

    async def _suspend(self, error: BylagError) -> None:
        """Leave it to be resumed; what was never accepted is over, and there is nothing to resume."""

        def record(transaction: Transaction) -> None:
            row = transaction.session.get(ExchangeRow, self._exchange)
            if row is None:
                return
            is_latest = row.attempt == self._conversation.attempt
            if is_latest and process.is_running(row):
                process.suspend(row, Role.CONSUMER)
            elif is_latest and row.state == process.REQUESTED:
                process.terminate(row, Role.CONSUMER, error.code)
            self._conversation.store_shown(transaction)
            # What was signed may not have arrived; the outbox gets through to whoever may still call.
            now = self._ground.ambient.now()
            if not metered.resend(transaction, now, exchange=self._exchange) and row.last_ack:
                last = from_json(decode_object(row.last_ack))
                outbox.put(transaction, self._terms.provider, last, {}, now)

        with suppress(BylagError):
            # The store itself may be what failed; the error that brought us here is the one to raise.
            await self._ground.writer.write(record)

    def _stored(self) -> ExchangeRow:
        with self._ground.database.read() as session:
            row = session.get_one(ExchangeRow, self._exchange)
            return ExchangeRow.model_validate(row.model_dump())

    async def _next(self) -> Signed | Frame:
        """The next message; an Ack that failed meanwhile is raised here."""
        while True:
            receiving = asyncio.ensure_future(self._channel.receive())
            waiting: set[asyncio.Future[object]] = {receiving}  # type: ignore[arg-type]
            if self._acking is not None and not self._acking.done():
                waiting.add(self._acking)  # type: ignore[arg-type]
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if self._acking is not None and self._acking.done():
                    self._acking.result()
                message = await receiving
            finally:
                receiving.cancel()
            if message is None:
                raise Interrupted("the provider ended the stream")
            if isinstance(message, Signed | Frame):
                return message
            if not isinstance(message, Heartbeat):
                raise OutOfTurn("this message has no place in a transfer", field="body")
