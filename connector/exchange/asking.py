"""The consumer's side of a query session: ask, check the running digest, record, then hand out rows.

Rules that hold here:

* An answer's place in D is recomputed from question, answer and the window's key; one that does not
  fit ends the session before its rows are used.
* An ``intake`` is durable here before the rows are handed out (group-committed with others).
* A Commit is compared with the digests this side computed, then acknowledged; not before every
  ``intake`` of its window is durable.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from connector.exchange import process
from connector.exchange.channel import Answer, Channel, Heartbeat, Question, Signed, WindowOpen
from connector.exchange.consumer import WrongBytes
from connector.exchange.conversation import Conversation, OutOfTurn, commit_members
from connector.exchange.digest import FrameKey, RunningDigest, after_answer, key_digest
from connector.exchange.ground import Denied, Ground
from connector.exchange.messages import Ack, Commit
from connector.exchange.provider import Interrupted
from connector.store.tables import ExchangeRow
from connector.store.writer import Transaction
from ledger.canonical import JSONObject, encode
from ledger.errors import BylagError


@dataclass(slots=True)
class _Window:
    key: FrameKey
    digests: list[str] = field(default_factory=list)
    recorded: list[asyncio.Future[None]] = field(default_factory=list)


class AskingSession:
    """An open query session. Ask with :meth:`ask`, from as many tasks as you like; then :meth:`finish`."""

    def __init__(
        self, ground: Ground, channel: Channel, conversation: Conversation, digest: RunningDigest, window: int
    ) -> None:
        self._ground = ground
        self._channel = channel
        self._conversation = conversation
        self._digest = digest
        self._acknowledged = window
        self._windows: dict[int, _Window] = {}
        self._newest = window
        self._asked: dict[int, tuple[bytes, asyncio.Future[bytes]]] = {}
        self._next_id = 0
        self._acking: asyncio.Task[None] | None = None
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._listening = asyncio.create_task(self._listen())

    async def ask(self, selection: JSONObject) -> bytes:
        """The rows of ``selection``, in the media type that the Offer named.

        Raises :class:`~connector.exchange.ground.Denied` with the provider's code.
        """
        if self._listening.done():
            await self._listening
        self._next_id += 1
        question = Question(self._next_id, encode(selection))
        rows: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked[question.id] = (question.selection, rows)
        self._quiet.clear()
        await self._channel.send(question)
        return await rows

    async def finish(self) -> None:
        """Wait until the last window is acknowledged. The caller then closes its half of the stream."""
        waiting = asyncio.create_task(self._quiet.wait())
        await asyncio.wait((waiting, self._listening), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._listening.done():
            await self._listening
        self._listening.cancel()

        def record(transaction: Transaction) -> None:
            row = transaction.session.get_one(ExchangeRow, self._conversation.exchange)
            process.complete(row)
            self._conversation.store_shown(transaction)

        await self._ground.writer.write(record)

    async def close(self) -> None:
        """Give the session up: whoever still waits for an answer is told so."""
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        for _, rows in self._asked.values():
            rows.cancel()

    async def _listen(self) -> None:
        try:
            while (message := await self._channel.receive()) is not None:
                await self._take(message)
            raise Interrupted("the provider ended the session")
        except BylagError as error:
            for _, rows in self._asked.values():
                if not rows.done():
                    rows.set_exception(error)
            raise

    async def _take(self, message: object) -> None:
        if isinstance(message, Answer):
            self._take_answer(message)
        elif isinstance(message, WindowOpen):
            self._open_window(message)
        elif isinstance(message, Signed):
            await self._take_commit(message)
        elif not isinstance(message, Heartbeat):
            raise OutOfTurn("this message has no place in a query session", field="body")

    def _open_window(self, message: WindowOpen) -> None:
        if message.window != self._newest + 1 or len(message.key) != 32:
            raise OutOfTurn("windows are numbered without gaps", field="window")
        self._newest = message.window
        self._windows[message.window] = _Window(FrameKey(message.key))

    def _take_answer(self, answer: Answer) -> None:
        asked = self._asked.get(answer.id)
        if asked is None:
            raise OutOfTurn("nobody asked this question", field="id")
        selection, rows = asked
        if answer.denial:
            del self._asked[answer.id]
            if not rows.done():  # whoever asked may have given up
                rows.set_exception(Denied(answer.denial))
            self._settle()
            return
        window = self._windows.get(answer.window)
        if window is None or answer.n != len(window.digests) + 1:
            raise OutOfTurn("answers come in the order of the provider's log", field="n")
        digest = after_answer(self._digest, window.key, selection, answer.rows)
        if digest != answer.digest:
            raise WrongBytes("an answer does not fit its running digest")
        del self._asked[answer.id]
        self._digest = digest
        window.digests.append(digest.hex())
        recorded = self._ground.writer.begin(
            lambda transaction: self._intake(transaction, answer, selection, digest)
        )
        recorded.add_done_callback(lambda done: _hand_out(done, rows, answer.rows))
        window.recorded.append(recorded)

    def _intake(
        self, transaction: Transaction, answer: Answer, selection: bytes, digest: RunningDigest
    ) -> None:
        self._ground.recorder.record(
            transaction,
            "intake",
            self._conversation.scope,
            side_row={"question": selection.decode()},
            members={
                "window": answer.window,
                "query": answer.n,
                "bytes": len(answer.rows),
                "digest": digest.hex(),
            },
        )

    async def _take_commit(self, message: Signed) -> None:
        body = self._conversation.hear(message)
        if not isinstance(body, Commit):
            raise OutOfTurn("only a Commit is signed in a query session", field="type")
        commit, time = message.document.digest, self._conversation.heard_time
        window = self._windows.pop(body.window, None)
        if window is None or key_digest(window.key) != body.key:
            raise OutOfTurn("this window was not opened", field="window")
        if list(body.digests) != window.digests:
            raise WrongBytes("the Commit is over other answers than were received")
        await asyncio.gather(*window.recorded)

        def record(transaction: Transaction) -> Signed:
            signed = self._conversation.say(
                transaction,
                Ack(window=body.window, frame=len(body.digests), digest=body.digest),
                answering=message.document,
                members={**commit_members(body), "frame": len(body.digests)},
            )
            transaction.sqlite.execute(
                "UPDATE exchange SET window = ?, digest = ?, frames = frames + ?, rows = rows + ?,"
                " size = size + ?, last_ack = ?, sent = ?, seen = ? WHERE id = ?",
                (
                    *(body.window, body.digest, len(body.digests), body.rows, body.bytes),
                    encode(signed.document.to_json()),
                    *(self._conversation.sent, self._conversation.heard, self._conversation.exchange),
                ),
            )
            self._conversation.acknowledged(
                transaction, signed.document, body, message=commit, time=time, mode="query"
            )
            return signed

        await self._channel.send(await self._ground.writer.write(record))
        self._acknowledged = body.window
        self._settle()

    def _settle(self) -> None:
        if not self._asked and self._acknowledged == self._newest:
            self._quiet.set()


def _hand_out(done: asyncio.Future[None], rows: asyncio.Future[bytes], data: bytes) -> None:
    if rows.done():
        return
    if (error := done.exception()) is not None:
        rows.set_exception(error)
    else:
        rows.set_result(data)
