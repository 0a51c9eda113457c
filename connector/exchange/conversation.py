"""One side of one exchange, as a conversation of signed messages.

Rules that hold here (LEDGER.md section 3, "Order"):

* Every message names the speaker's own message before (``prev``) and the last one heard that is
  recorded (``seen``: so whoever is named there knows that their message is durable); what is heard
  must continue what was heard, and may only claim to have seen what was said.
* A message is verified before it is read: size, the header's form, then a key that counts for the
  peer now, then the signature, then the content.
* A message is signed inside the writer's transaction, with the number that its record gets there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from connector.audit.scope import Scope
from connector.contract.messages import LogHead
from connector.exchange import metered
from connector.exchange.channel import Signed
from connector.exchange.ground import Ground
from connector.exchange.messages import Body, Commit, Cut, Envelope, content, read
from connector.exchange.metered import Shown
from connector.store.tables import ExchangeRow
from connector.store.writer import Transaction
from ledger.canonical import JSONObject
from ledger.document import SignedDocument, header_of, sign, verify
from ledger.errors import BylagError, ErrorKind
from ledger.names import AgreementId, ExchangeId, MessageHash, Milliseconds, Origin, ParticipantId

MAX_MESSAGE_BYTES: Final = 1 << 19
_REMEMBERED: Final = 256


class OutOfTurn(BylagError):
    """A message does not continue the conversation it claims to belong to."""

    code = "OUT_OF_TURN"
    kind = ErrorKind.CONFLICT
    default_next_step = "Resume the exchange from the last acknowledged window."


class Conversation:
    """Signs what this side says and checks what the other says, in one attempt of one exchange."""

    def __init__(
        self,
        ground: Ground,
        *,
        peer: ParticipantId,
        scope: Scope,
        exchange: ExchangeId,
        agreement: AgreementId,
        attempt: int,
        sent: MessageHash | None = None,
        heard: MessageHash | None = None,
    ) -> None:
        self.ground = ground
        self.peer = peer
        self.scope = scope.within(exchange, attempt)
        self.exchange = exchange
        self.agreement = agreement
        self.attempt = attempt
        self.sent = sent
        self.heard = heard
        """The last message heard: the next one must name it as ``prev``."""
        self.seen = heard
        """The last one heard whose record is made: what this side says that it has. A message that was
        heard and is not recorded yet would be lost in a crash."""
        self.shown = Shown()
        """How far the other side has shown that it has this side's Acks."""
        self.said_time = Milliseconds(0)
        """When the last message said was signed."""
        self.heard_time = Milliseconds(0)
        """When the last message heard claims to have been signed."""
        self.promised = 0
        """The number that the last message heard promised for its record."""
        self.their_list = (0, "")
        """Number and hash of the membership list that the last message heard names."""
        self._first_of_attempt = attempt > 1
        self._said: deque[MessageHash] = deque([sent] if sent else [], maxlen=_REMEMBERED)

    def begin_attempt(self, attempt: int, sent: MessageHash | None, heard: MessageHash | None) -> None:
        """Go on in a new attempt, from what was said and heard in the ones before."""
        self.scope = self.scope.within(self.exchange, attempt)
        self.attempt = attempt
        self.sent, self.heard, self.seen = sent, heard, heard
        self.shown = Shown()
        self._first_of_attempt = attempt > 1
        self._said.extend([sent] if sent else [])

    def in_attempt(self, attempt: int) -> Conversation:
        """The same conversation as it was in another attempt, to record what was said in it."""
        return Conversation(
            self.ground,
            peer=self.peer,
            scope=self.scope,
            exchange=self.exchange,
            agreement=self.agreement,
            attempt=attempt,
        )

    @property
    def place(self) -> tuple[ExchangeId, int]:
        """The exchange and the attempt."""
        return self.exchange, self.attempt

    def acknowledged(
        self,
        transaction: Transaction,
        ack: SignedDocument,
        commit: Commit,
        *,
        message: MessageHash,
        time: Milliseconds,
        mode: str,
        cut: tuple[Cut, MessageHash] | None = None,
    ) -> None:
        """Consumer: keep what a window counts for, and its Ack until the provider shows that it has it.

        ``message`` and ``time`` are those of the signed ``commit``.
        """
        metered.signed(
            transaction,
            place=self.place,
            agreement=self.agreement,
            peer=self.peer,
            commit=commit,
            message=message,
            time=time,
            mode=mode,
            ack=ack,
            now=self.ground.ambient.now(),
            cut=cut,
        )
        self.shown.signed(ack.digest, commit.window)
        self.store_shown(transaction)

    def remember(self, row: ExchangeRow) -> None:
        """Keep the last message of each side in the exchange's row: the next one names them."""
        row.sent, row.seen = self.sent, self.heard
        row.changed = self.ground.ambient.now()

    def store_shown(self, transaction: Transaction) -> None:
        """Keep how far the other side has shown that it has this side's Acks."""
        self.shown.store(transaction, *self.place)

    def say(
        self,
        transaction: Transaction,
        body: Body,
        *,
        leaf: str | None = None,
        answering: SignedDocument | None = None,
        opening: JSONObject | None = None,
        side: JSONObject | None = None,
        members: JSONObject | None = None,
        people: Mapping[str, JSONObject] | None = None,
    ) -> Signed:
        """Sign ``body`` and record it, in the writer's transaction.

        ``leaf`` is the record's type where it differs from the message's. ``answering`` is the
        counterpart's message that the same record holds. ``opening`` travels beside the message;
        ``side`` goes to the record's side row with it, ``people`` to side rows of their own.
        """
        recorder = self.ground.recorder
        if answering is not None:
            self.seen = answering.digest
        envelope = self._envelope(recorder.next_record(transaction, self.scope))
        document = sign(content(envelope, body), self.ground.signing_key())
        recorder.record(
            transaction,
            leaf or body.kind,
            self.scope,
            said=document,
            heard=answering,
            side_row={**(opening or {}), **(side or {})},
            members=members,
            people=people,
        )
        self.sent, self.said_time = document.digest, envelope.time
        self._said.append(document.digest)
        return Signed(document, opening or {})

    def record_heard(
        self, transaction: Transaction, leaf: str, document: SignedDocument, members: JSONObject | None = None
    ) -> None:
        """Record a message of the other side that no message of this one answers in the same record."""
        self.ground.recorder.record(transaction, leaf, self.scope, heard=document, members=members)
        self.seen = document.digest

    def opened_by(self, document: SignedDocument) -> None:
        """The other side began this attempt with ``document``, which is recorded with the answer."""
        self.heard = self.seen = document.digest

    def hear(self, message: Signed) -> Body:
        """Verify and read a message of the other side. Raises a :class:`~ledger.errors.BylagError`."""
        document = message.document
        envelope, body = self._verified(document)
        self._check_envelope(envelope)
        # What was on its way when an attempt broke off was said and never heard.
        if not self._first_of_attempt and envelope.prev != self.heard:
            raise OutOfTurn("this message does not follow the last one heard", field="prev")
        if envelope.seen is not None and envelope.seen not in self._said:
            raise OutOfTurn("this message claims to have seen what was never said", field="seen")
        self._first_of_attempt = False
        self.promised = envelope.aseq
        self.their_list = (envelope.list_number, envelope.list_hash)
        self.heard, self.heard_time = document.digest, envelope.time
        self.shown.seen(envelope.seen)
        return body

    def _verified(self, document: SignedDocument) -> tuple[Envelope, Body]:
        header = header_of(document.jws)
        key = self.ground.standing.key(self.peer, header.kid)
        return read(verify(document, header.kind, key, max_bytes=MAX_MESSAGE_BYTES))

    def _check_envelope(self, envelope: Envelope) -> None:
        expected = {
            "space": self.ground.space,
            "sender": self.peer,
            "recipient": self.ground.me,
            "exchange": self.exchange,
            "agreement": self.agreement,
            "attempt": self.attempt,
        }
        for name, value in expected.items():
            if getattr(envelope, name) != value:
                raise OutOfTurn("this message belongs to another conversation", field=name)

    def _envelope(self, aseq: int) -> Envelope:
        standing, head = self.ground.standing, self.ground.notary.head()
        return Envelope(
            space=self.ground.space,
            sender=self.ground.me,
            recipient=self.peer,
            exchange=self.exchange,
            attempt=self.attempt,
            agreement=self.agreement,
            prev=self.sent,
            seen=self.seen,
            aseq=aseq,
            list_number=standing.list_number,
            list_hash=standing.list_hash,
            head=None if head is None else LogHead(Origin(head[0]), head[1], head[2]),
            time=self.ground.ambient.now(),
        )


def read_first(ground: Ground, peer: ParticipantId, document: SignedDocument) -> tuple[Envelope, Body]:
    """Verify and read a message that opens a conversation: nothing to compare it with yet."""
    header = header_of(document.jws)
    key = ground.standing.key(peer, header.kid)
    envelope, body = read(verify(document, header.kind, key, max_bytes=MAX_MESSAGE_BYTES))
    if envelope.space != ground.space:
        raise OutOfTurn("this message belongs to another data space", field="space")
    if envelope.sender != peer or envelope.recipient != ground.me:
        raise OutOfTurn("this message is not from the caller to this participant", field="sender")
    return envelope, body


def commit_members(commit: Commit) -> JSONObject:
    """What the record of a Commit says, at either side."""
    return {
        "window": commit.window,
        "frame_key": commit.key,
        "digest": commit.digest,
        "rows": commit.rows,
        "bytes": commit.bytes,
        "labels": commit.labels,
        "position": commit.position,
    }
