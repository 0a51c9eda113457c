"""The provider's side of a query session: small questions, each answer recorded before it leaves.

Rules that hold here (LEDGER.md section 3, "Query"):

* One signed Request, Offer and Accept open the session; questions and answers are unsigned and
  covered by the window's Commit and Ack, through F_n = HMAC(k_j, length ‖ question ‖ answer).
* For each question a ``release`` is durable before the answer leaves. Its number and running digest
  are taken inside the writer's transaction, so they follow the log's order; a question that is
  denied there is not part of D.
* A window closes after 64 questions, 8 MiB or one second, whichever is first; it counts in the
  budget from its first answer until all of it is acknowledged.
* What was recorded before the agreement was barred does not leave after it: the session ends.
* The session's ruling is a lease: it is used while it holds, and decided anew when it does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from connector.contract.liability import Role
from connector.exchange import counters, custody, metered, process
from connector.exchange.admission import Admitted
from connector.exchange.budget import BudgetUsed, require_room
from connector.exchange.channel import Answer, Channel, Heartbeat, Question, Signed, WindowOpen
from connector.exchange.conversation import OutOfTurn, commit_members
from connector.exchange.deciding import record_decision
from connector.exchange.digest import FrameKey, RunningDigest, after_answer, fresh_key, key_digest
from connector.exchange.ground import Denied, Ground, Ruling
from connector.exchange.guards import require_current, require_grantable, require_open_offer
from connector.exchange.messages import Accept, Ack, Commit
from connector.exchange.provider import Interrupted
from connector.store.tables import ExchangeRow
from connector.store.writer import Transaction
from ledger.canonical import JSON, JSONObject, decode_object, encode
from ledger.errors import BylagError, alone
from ledger.names import LeafHash

QUESTIONS_A_WINDOW: Final = 64
BYTES_A_WINDOW: Final = 8 << 20
SECONDS_A_WINDOW: Final = 1.0
MAX_QUESTION_BYTES: Final = 16 << 10


@dataclass(slots=True)
class OpenWindow:
    """A window being filled. ``digest``, ``places`` and what follows belong to the writer's thread."""

    number: int
    key: FrameKey
    asked: int = 0
    size: int = 0
    opened: float = 0.0
    digest: RunningDigest = field(default_factory=lambda: RunningDigest(b""))
    places: list[custody.FramePlace] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Found:
    """The rows that answer a question, and the ruling under which they were looked up."""

    question: Question
    selection: JSONObject
    ruling: Ruling
    counts: Mapping[str, int]
    """The counters at use: a replay of the release needs them."""
    rows: bytes
    count: int


_Outgoing = WindowOpen | asyncio.Future[Signed] | tuple[Question, asyncio.Future[Answer]] | None
"""What is sent next: at once, or when its record is durable."""


class AnsweringSession:
    """A query session after its Offer."""

    def __init__(self, ground: Ground, channel: Channel, admitted: Admitted) -> None:
        self._ground = ground
        self._channel = channel
        self._admitted = admitted
        self._conversation = admitted.conversation
        self._terms = admitted.terms
        self._ruling: Ruling = admitted.ruling
        self._decision: LeafHash = admitted.decision
        self._row = admitted.row
        self._window: OpenWindow | None = None
        self._last_number = self._row.window
        self._digest = RunningDigest(b"")
        """D after the last answer that was recorded; the writer's thread alone touches it."""
        self._committed = RunningDigest(b"")
        """D after the last window that was committed to."""
        self._unacknowledged = 0
        self._outgoing: asyncio.Queue[_Outgoing] = asyncio.Queue(4 * QUESTIONS_A_WINDOW)
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Answer until the other side finishes. Raises a :class:`~ledger.errors.BylagError`.

        The consumer finishes after it acknowledged the last window; anything else leaves the
        exchange SUSPENDED and its open window in the budget.
        """
        error: BaseException | None = None
        try:
            await self._take_accept()
            async with asyncio.TaskGroup() as tasks:
                closing = tasks.create_task(self._close_by_the_clock())
                sending = tasks.create_task(self._send_in_order())
                await self._listen()
                if self._window is not None:
                    raise Interrupted("the consumer left without acknowledging the last window")
                await self._outgoing.put(None)
                await sending
                closing.cancel()
        except (BylagError, BaseExceptionGroup) as raised:
            error = alone(raised) if isinstance(raised, BaseExceptionGroup) else raised
            raise error from None
        finally:
            await self._ground.writer.write(lambda transaction: self._record_the_end(transaction, error))

    @property
    def _use(self) -> counters.Place:
        return self._terms.agreement, self._conversation.exchange

    def _record_the_end(self, transaction: Transaction, error: BaseException | None) -> None:
        counters.add_each(transaction, self._use, counters.end_use(self._ground, self._use))
        if isinstance(error, Denied):
            self._ground.recorder.record(
                transaction, "denial", self._conversation.scope, members={"code": error.reason}
            )
        row = transaction.session.get_one(ExchangeRow, self._row.id)
        is_whole = bool(row.accept) and row.window == self._last_number
        if is_whole:
            process.complete(row)
        else:
            process.suspend(row, Role.PROVIDER)

    async def _take_accept(self) -> None:
        message = await self._channel.receive()
        if not isinstance(message, Signed):
            raise OutOfTurn("an Offer is answered by an Accept of it", field="type")
        body = self._conversation.hear(message)
        if not isinstance(body, Accept) or body.offer != self._admitted.offer.document.digest:
            raise OutOfTurn("an Offer is answered by an Accept of it", field="type")

        def record(transaction: Transaction) -> None:
            require_open_offer(transaction, self._ground, self._terms, self._admitted.expires)
            row = transaction.session.get_one(ExchangeRow, self._row.id)
            custody.take_accept(transaction, self._conversation, row, message.document)
            self._row = custody.detached(transaction, row)

        await self._ground.writer.write(record)
        counters.begin_use(self._ground, self._use, self._ruling.counters)
        self._digest = self._committed = RunningDigest(bytes.fromhex(self._row.digest))

    async def _listen(self) -> None:
        while (message := await self._channel.receive()) is not None:
            if isinstance(message, Question):
                await self._take_question(message)
            elif isinstance(message, Signed):
                await self._take_signed(message)
            elif not isinstance(message, Heartbeat):
                raise OutOfTurn("this message has no place in a query session", field="body")

    async def _take_question(self, question: Question) -> None:
        while True:
            window = self._window
            if window is None or window.asked >= QUESTIONS_A_WINDOW or window.size >= BYTES_A_WINDOW:
                window = await self._open_window()
            ruling, counts = await self._rule()
            if self._window is window:  # the clock may close it while the engine thinks
                break
        answer = self._prepare(question, window, ruling, counts)
        window.asked += 1
        await self._outgoing.put((question, answer))

    def _prepare(
        self, question: Question, window: OpenWindow, ruling: Ruling, counts: Mapping[str, int]
    ) -> asyncio.Future[Answer]:
        """Look the rows up, and submit the record that must be durable before they leave."""
        try:
            selection = _selection(question)
            if ruling.allow is not True:
                raise Denied(ruling.code)
            rows, count = self._admitted.snapshot.lookup(
                selection, mask=ruling.mask, row_filter=ruling.row_filter
            )
        except BylagError as error:
            reason = error.reason if isinstance(error, Denied) else error.code
            return self._ground.writer.begin(lambda transaction: self._deny(transaction, question, reason))
        window.size += len(rows)
        found = _Found(question, selection, ruling, counts, rows, count)
        return self._ground.writer.begin(lambda transaction: self._release(transaction, window, found))

    async def _rule(self) -> tuple[Ruling, Mapping[str, int]]:
        """The ruling for one question, under a lease or decided anew, and the counters it was of."""
        asked = self._admitted.asked
        counts = counters.values(
            self._ground.database, self._terms.agreement, asked.counters, self._ground.ambient.now()
        )
        return await self._ground.policy.rule(asked, counts), counts

    def _release(self, transaction: Transaction, window: OpenWindow, found: _Found) -> Answer:
        """Guards, record, number and running digest, in the transaction that makes it durable."""
        require_current(transaction, self._ground, found.ruling)
        require_grantable(transaction, self._ground, self._terms)
        if not window.places:
            require_room(
                transaction,
                self._terms.agreement,
                self._conversation.exchange,
                window.number,
                self._terms.windows,
            )
            self._begin_window(transaction, window)
        counters.reserve_use(transaction, self._ground, self._use, found.ruling.counters)
        if found.ruling is not self._ruling:
            self._decision = record_decision(
                transaction, self._ground, self._conversation.scope, self._terms, found.ruling
            )
            self._ruling = found.ruling
        question, rows = found.question, found.rows
        before = window.digest if window.places else self._digest
        digest = after_answer(before, window.key, question.selection, rows)
        n = len(window.places) + 1
        at_use: JSONObject = {"counters": dict(found.counts)} if found.counts else {}
        self._ground.recorder.record(
            transaction,
            "release",
            self._conversation.scope,
            side_row={"question": found.selection, **at_use},
            members={
                "window": window.number,
                "query": n,
                "rows": found.count,
                "bytes": len(rows),
                "digest": digest.hex(),
                "decision": self._decision.hex(),
            },
        )
        window.digest = self._digest = digest
        window.places.append(custody.FramePlace(digest.hex(), found.count, len(rows), window.number))
        return Answer(question.id, window.number, n, digest, rows)

    def _begin_window(self, transaction: Transaction, window: OpenWindow) -> None:
        custody.open_window(
            transaction,
            self._place(window),
            self._terms.agreement,
            message="",
            position=window.number,
            layout=encode([]),
            now=self._ground.ambient.now(),
        )

    def _place(self, window: OpenWindow) -> tuple[str, int, int]:
        return self._row.id, self._conversation.attempt, window.number

    def _deny(self, transaction: Transaction, question: Question, code: str) -> Answer:
        counterpart = self._conversation.scope.counterpart
        if counterpart is None or self._ground.floods.lists(counterpart, self._ground.ambient):
            self._ground.recorder.record(
                transaction,
                "denial",
                self._conversation.scope,
                side_row={"question_id": question.id},
                members={"code": code},
            )
        return Answer(question.id, 0, 0, b"", b"", code)

    async def _open_window(self) -> OpenWindow:
        await self._close_window()
        while self._unacknowledged >= self._terms.windows:
            await self._hear_until_room()
        self._last_number += 1
        window = OpenWindow(
            number=self._last_number,
            key=fresh_key(self._ground.ambient),
            opened=self._ground.ambient.monotonic(),
        )
        self._window = window
        self._unacknowledged += 1
        await self._outgoing.put(WindowOpen(window.number, window.key))
        self._wake.set()
        return window

    async def _hear_until_room(self) -> None:
        """While the budget is used up only signatures are of interest."""
        message = await self._channel.receive()
        if isinstance(message, Signed):
            await self._take_signed(message)
        elif message is None:
            raise Interrupted("the consumer ended the session")
        elif not isinstance(message, Heartbeat):
            await self._refuse_for_budget(message)

    async def _refuse_for_budget(self, message: object) -> None:
        if not isinstance(message, Question):
            raise OutOfTurn("this message has no place in a query session", field="body")
        refused = self._ground.writer.begin(
            lambda transaction: self._deny(transaction, message, BudgetUsed.code)
        )
        await self._outgoing.put((message, refused))

    async def _close_window(self) -> None:
        window, self._window = self._window, None
        if window is not None:
            commit = self._ground.writer.begin(lambda transaction: self._commit(transaction, window))
            await self._outgoing.put(commit)

    async def _close_by_the_clock(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            window = self._window
            if window is None:
                continue
            await asyncio.sleep(SECONDS_A_WINDOW)
            if self._window is window:
                await self._close_window()

    async def _send_in_order(self) -> None:
        """Answers leave in the order of their records, each behind its window's key."""
        while (item := await self._outgoing.get()) is not None:
            if isinstance(item, WindowOpen):
                await self._channel.send(item)
            elif isinstance(item, asyncio.Future):
                await self._channel.send(await item)
            else:
                answer = await self._answered(*item)
                if not answer.denial:
                    self._require_unbarred()
                await self._channel.send(answer)

    def _require_unbarred(self) -> None:
        """No await between this and the hand-over (LEDGER.md section 3, "Leaves")."""
        if (code := self._ground.bars.code(self._terms.agreement)) is not None:
            raise Denied(code)

    async def _answered(self, question: Question, answer: asyncio.Future[Answer]) -> Answer:
        try:
            return await answer
        except (Denied, BudgetUsed) as error:
            code = error.reason if isinstance(error, Denied) else error.code
            return await self._ground.writer.write(
                lambda transaction: self._deny(transaction, question, code)
            )

    def _commit(self, transaction: Transaction, window: OpenWindow) -> Signed:
        if not window.places:
            # Every question in it was denied: still a window, so that none is ever missing. It needs
            # no room in the budget, because it exposes nothing.
            self._begin_window(transaction, window)
            window.digest = self._committed
        self._committed = window.digest
        commit = Commit(
            window=window.number,
            key=key_digest(window.key),
            digests=tuple(place.digest for place in window.places),
            digest=window.digest.hex(),
            rows=sum(place.rows for place in window.places),
            bytes=sum(place.size for place in window.places),
            labels=None,
            position=window.number,
        )
        signed = self._conversation.say(transaction, commit, members=commit_members(commit))
        metered.committed(
            transaction,
            place=(self._conversation.exchange, self._conversation.attempt),
            agreement=self._terms.agreement,
            peer=self._terms.consumer,
            commit=commit,
            message=signed.document.digest,
            time=self._conversation.said_time,
            mode=self._row.mode,
        )
        transaction.sqlite.execute(
            "UPDATE exchange_window SET message = ?, layout = ?"
            " WHERE exchange = ? AND attempt = ? AND number = ?",
            (signed.document.digest, encode(_layout(window)), *self._place(window)),
        )
        custody.remember_said(transaction, self._conversation)
        return signed

    async def _take_signed(self, message: Signed) -> None:
        body = self._conversation.hear(message)
        if not isinstance(body, Ack):
            raise OutOfTurn("a window is answered by an Ack", field="type")
        await self._take_ack(message, body)

    async def _take_ack(self, message: Signed, ack: Ack) -> None:
        def record(transaction: Transaction) -> None:
            custody.take_ack(transaction, self._conversation, message.document, ack)

        await self._ground.writer.write(record)
        self._unacknowledged -= 1


def _layout(window: OpenWindow) -> list[JSON]:
    """How a window's answers are stored with it. Its position is passed with the last of them."""
    last = len(window.places) - 1
    return [
        [place.digest, place.rows, place.size, window.number if at == last else window.number - 1]
        for at, place in enumerate(window.places)
    ]


def _selection(question: Question) -> JSONObject:
    if len(question.selection) > MAX_QUESTION_BYTES:
        raise Denied("BAD_SELECTION", "the question is too long")
    return decode_object(question.selection, max_bytes=MAX_QUESTION_BYTES, max_depth=8)
