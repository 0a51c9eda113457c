"""Carrying the outbox: one stream, both directions, at least once and in order.

Rules that hold here (LEDGER.md section 3, "Outbox"):

* Each side begins with its signed cursor: how far it has the other's notices, durably. What comes
  after it is sent, in order, again if need be.
* A notice is taken in one transaction with what it changes, and then the cursor moves. One that is
  refused moves the cursor too, so that it does not hold up what follows; its sender is told by a
  notice of its own, which names the message and the reason. So is one that cannot even be read, or
  that fails in a way that nobody foresaw. Only what may work later holds the line up.
* Whoever sends nonsense and acknowledges nothing is not told of all of it: that would fill the disk.
* Protective notices are never refused for age: both times are in the record.
* A cursor names the membership list that its sender holds: it is sent again when that changes, and
  in answer to one that names a newer list, so that the peer hands the newer one on. One that is signed
  by a key which only that newer list may name acknowledges nothing, and is answered just the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connector.identity.directory import Directory
from connector.identity.public import Job
from connector.identity.trust import KeyNotValid
from connector.peer.convert import from_signed, to_signed
from connector.peer.status import reason_of
from connector.store import outbox
from connector.store.database import Database
from connector.store.writer import Transaction, Writer
from connector.v1 import participant_pb2 as wire
from ledger.ambient import Ambient
from ledger.canonical import JSONObject
from ledger.document import BadSignature, SignedDocument, header_of, sign, verify
from ledger.errors import BylagError, ErrorKind, alone
from ledger.fields import Fields
from ledger.names import DataSpaceId, MessageHash, Milliseconds, ParticipantId

logger = logging.getLogger("bylag.post")

NOTICES_AT_ONCE: Final = 16
IDLE_SECONDS: Final = 90.0
HEARTBEAT_SECONDS: Final = 20.0
REFUSED: Final = "notice-refused"
LARGEST_BACKLOG: Final = 1000
"""Notices that a peer has not acknowledged; beyond them it is not told of refusals."""

Taker = Callable[[Transaction, ParticipantId, SignedDocument, JSONObject], None]
"""Takes a notice in the transaction that acknowledges it; raises to refuse it."""


@dataclass(slots=True, eq=False)
class _Line:
    """One open stream: when to look what there is to say, and whether a cursor is due."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    cursor_due: bool = False

    def owe_cursor(self) -> None:
        self.cursor_due = True
        self.changed.set()


class WrongCursor(BylagError):
    """A cursor is not the peer's, or not about this participant."""

    code = "WRONG_CURSOR"
    kind = ErrorKind.UNAUTHENTICATED
    default_next_step = "Send a cursor signed by the participant that received the notices."


class NotTaken(BylagError):
    """A notice that failed in a way that nobody foresaw; the log of the connector has it."""

    code = "INTERNAL"
    kind = ErrorKind.DAMAGED
    default_next_step = "Ask the other side to look into its log at this time."


class LineSilent(BylagError):
    """A line on which nothing is heard any more, not even a sign of life."""

    code = "LINE_SILENT"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Nothing: the line is opened again, and what was not acknowledged is sent again."


class Post:
    """This participant's side of every outbox."""

    def __init__(
        self,
        *,
        me: ParticipantId,
        space: DataSpaceId,
        key: Callable[[], Ed25519PrivateKey],
        ambient: Ambient,
        writer: Writer,
        database: Database,
        directory: Callable[[], Directory],
    ) -> None:
        self._me = me
        self._space = space
        self._key = key
        self._ambient = ambient
        self._writer = writer
        self._database = database
        self._directory = directory
        self._takers: dict[str, Taker] = {REFUSED: self._take_refusal}
        self._lines: list[_Line] = []
        self._closing = asyncio.Event()
        self._taken: list[Callable[[ParticipantId], None]] = []
        self._on_list: list[Callable[[Transaction, ParticipantId, int], None]] = []
        self._on_delivered: list[Callable[[Transaction, ParticipantId, int], None]] = []
        self._on_refused: list[Callable[[Transaction, ParticipantId, str], None]] = []

    def take_with(self, kinds: set[str] | frozenset[str], taker: Taker) -> None:
        """Hand notices of these kinds to ``taker``."""
        for kind in kinds:
            self._takers[kind] = taker

    def on_taken(self, listener: Callable[[ParticipantId], None]) -> None:
        """Call ``listener`` with the peer after each notice, or cursor, of theirs that was taken."""
        self._taken.append(listener)

    def on_list_named(self, listener: Callable[[Transaction, ParticipantId, int], None]) -> None:
        """Call ``listener`` with the list number that a peer's cursor names."""
        self._on_list.append(listener)

    def on_delivered(self, listener: Callable[[Transaction, ParticipantId, int], None]) -> None:
        """Call ``listener`` with the number of the last notice that a peer says it has."""
        self._on_delivered.append(listener)

    def on_refused(self, listener: Callable[[Transaction, ParticipantId, str], None]) -> None:
        """Call ``listener`` with the hash of a message that a peer refused as a notice."""
        self._on_refused.append(listener)

    def wake(self) -> None:
        """Something may have been put into an outbox: look."""
        for line in self._lines:
            line.changed.set()

    def show_cursors(self) -> None:
        """Another list is held: say so on every open line."""
        for line in self._lines:
            line.owe_cursor()

    def hang_up(self) -> None:
        """End every line, now and from now on. A line ends by nothing else: nobody waits for it in vain."""
        self._closing.set()

    async def carry(
        self,
        peer: ParticipantId,
        read: Callable[[], Awaitable[Any]],
        write: Callable[[wire.CarryMessage], Awaitable[None]],
    ) -> None:
        """Carry both outboxes over one stream until it ends."""
        line = _Line()
        self._lines.append(line)
        lock = asyncio.Lock()

        async def send(message: wire.CarryMessage) -> None:
            async with lock:
                await write(message)

        try:
            await send(wire.CarryMessage(cursor=self._cursor(peer)))
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(self._send(peer, send, line))
                beating = tasks.create_task(self._beat(send))
                hearing = tasks.create_task(self._hear(peer, read, send, line))
                closing = tasks.create_task(self._closing.wait())
                await asyncio.wait((hearing, closing), return_when=asyncio.FIRST_COMPLETED)
                for task in (sending, beating, hearing, closing):
                    task.cancel()
        except BaseExceptionGroup as group:
            raise alone(group) from None
        finally:
            self._lines.remove(line)

    async def _send(
        self,
        peer: ParticipantId,
        send: Callable[[wire.CarryMessage], Awaitable[None]],
        line: _Line,
    ) -> None:
        sent: int | None = None
        while True:
            await line.changed.wait()
            line.changed.clear()
            if line.cursor_due:
                line.cursor_due = False
                await send(wire.CarryMessage(cursor=self._cursor(peer)))
            with self._database.read() as session:
                sent = max(sent or 0, outbox.positions(session, peer)[1])
                notices = outbox.waiting(session, peer, sent, NOTICES_AT_ONCE)
            for notice in notices:
                document = to_signed(notice.document, notice.opening)
                await send(wire.CarryMessage(notice=wire.Notice(number=notice.number, document=document)))
                sent = notice.number
            if len(notices) == NOTICES_AT_ONCE:
                line.changed.set()

    async def _beat(self, send: Callable[[wire.CarryMessage], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await send(wire.CarryMessage(heartbeat=wire.Heartbeat(time_ms=self._ambient.now())))

    async def _hear(
        self,
        peer: ParticipantId,
        read: Callable[[], Awaitable[Any]],
        send: Callable[[wire.CarryMessage], Awaitable[None]],
        line: _Line,
    ) -> None:
        while True:
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    message = await read()
            except TimeoutError as error:
                raise LineSilent(f"nothing was heard for {IDLE_SECONDS:.0f} seconds") from error
            if not isinstance(message, wire.CarryMessage):
                return
            match message.WhichOneof("body"):
                case "cursor":
                    if await self._take_cursor(peer, message.cursor) > self._directory().trust.number:
                        line.owe_cursor()
                    line.changed.set()
                case "notice":
                    await self._take_notice(peer, message.notice)
                    await send(wire.CarryMessage(cursor=self._cursor(peer)))
                    line.changed.set()
                case _:
                    continue

    async def _take_notice(self, peer: ParticipantId, notice: wire.Notice) -> None:
        try:
            signed = from_signed(notice.document)
            await self._writer.write(
                lambda transaction: self._take(
                    transaction, peer, notice.number, signed.document, signed.opening
                )
            )
        except BylagError as error:
            if error.kind in (ErrorKind.UNAVAILABLE, ErrorKind.DAMAGED) or isinstance(
                error, outbox.NoticeGap
            ):
                raise
            await self._turn_down(peer, notice, error)
        except Exception:
            logger.exception("a notice failed in a way that nobody foresaw")
            await self._turn_down(peer, notice, NotTaken("the notice could not be taken"))
        for listener in self._taken:
            listener(peer)
        self.wake()

    def _take(
        self,
        transaction: Transaction,
        peer: ParticipantId,
        number: int,
        document: SignedDocument,
        opening: JSONObject,
    ) -> None:
        if not outbox.take(transaction, peer, number):
            return
        kind = header_of(document.jws).kind
        taker = self._takers.get(kind)
        if taker is None:
            raise WrongCursor(f"no notice has the type {kind[:40]!r}", field="type")
        taker(transaction, peer, document, opening)

    async def _turn_down(self, peer: ParticipantId, notice: wire.Notice, error: BylagError) -> None:
        logger.info("notice refused", extra={"reason": reason_of(error)})
        await self._writer.write(lambda transaction: self._refuse(transaction, peer, notice, error))

    def _refuse(
        self, transaction: Transaction, peer: ParticipantId, notice: wire.Notice, error: BylagError
    ) -> None:
        if not outbox.take(transaction, peer, notice.number):
            return
        kind, digest = _named(SignedDocument(notice.document.payload, notice.document.jws))
        if kind == REFUSED or outbox.backlog(transaction, peer) >= LARGEST_BACKLOG:
            return
        refusal = sign(
            {
                **self.members(REFUSED, peer),
                "number": notice.number,
                "message": digest,
                "reason": reason_of(error),
                "field": error.field,
            },
            self._key(),
        )
        opening: JSONObject = {"words": str(error)[:500], "next_step": error.next_step[:500]}
        outbox.put(transaction, peer, refusal, opening, self._ambient.now())

    def _take_refusal(
        self, transaction: Transaction, peer: ParticipantId, document: SignedDocument, _opening: JSONObject
    ) -> None:
        content = verify(document, REFUSED, self._peer_key(peer, document))
        logger.warning("a peer refused a notice", extra={"reason": str(content.get("reason"))[:64]})
        for listener in self._on_refused:
            listener(transaction, peer, str(content.get("message")))

    def _cursor(self, peer: ParticipantId) -> wire.Cursor:
        with self._database.read() as session:
            number = outbox.positions(session, peer)[0]
        document = sign(
            {**self.members("cursor", peer), "number": number, "list": self._directory().trust.number},
            self._key(),
        )
        return wire.Cursor(number=number, document=to_signed(document))

    async def _take_cursor(self, peer: ParticipantId, cursor: wire.Cursor) -> int:
        """Take a peer's cursor; returns the number of the list that it names."""
        signed = from_signed(cursor.document)
        try:
            content = verify(signed.document, "cursor", self._peer_key(peer, signed.document))
        except KeyNotValid:
            listed = Fields(signed.document.content()).integer("list")
            if listed <= self._directory().trust.number:
                raise
            return listed
        fields = Fields(content)
        about = (fields.text("sender"), fields.text("recipient"), fields.integer("number"))
        if about != (peer, self._me, cursor.number) or fields.text("space") != self._space:
            raise WrongCursor("the cursor is not this peer's to this participant", field="sender")
        listed = fields.integer("list")

        def record(transaction: Transaction) -> None:
            outbox.delivered(transaction, peer, cursor.number)
            for listener in self._on_delivered:
                listener(transaction, peer, cursor.number)
            for listener in self._on_list:
                listener(transaction, peer, listed)

        await self._writer.write(record)
        for listener in self._taken:
            listener(peer)
        return listed

    def _peer_key(self, peer: ParticipantId, document: SignedDocument) -> Any:
        kid = header_of(document.jws).kid
        return self._directory().verification_key(peer, kid, Job.SIGN, self._ambient.now())

    def signing_key(self) -> Ed25519PrivateKey:
        """The key that signs notices now."""
        return self._key()

    def directory(self) -> Directory:
        """Everybody there is."""
        return self._directory()

    def now(self) -> Milliseconds:
        """The time that a notice is stamped with."""
        return self._ambient.now()

    def members(self, kind: str, peer: ParticipantId) -> JSONObject:
        """What every notice of the post's own says."""
        return {
            "type": kind,
            "version": 1,
            "space": self._space,
            "sender": self._me,
            "recipient": peer,
            "time": self._ambient.now(),
        }


def _named(document: SignedDocument) -> tuple[str | None, MessageHash | None]:
    """A notice's type and name, as far as it has any."""
    try:
        return header_of(document.jws).kind, document.digest
    except BadSignature:
        return None, None
