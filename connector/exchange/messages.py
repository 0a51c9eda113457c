"""The signed messages of an exchange (LEDGER.md section 3), as values, and their one signed form.

Rules that hold here:

* Every message carries an :class:`Envelope`: who to whom, which exchange, attempt and agreement,
  the sender's own message before (``prev``), the last one received (``seen``), the place of its
  record in the sender's log (``aseq``), membership list, log head, time.
* Inside stands nothing that may have to be erased: the frame key as its SHA-256, the selection and
  what else is declared as commitments; they travel beside, in the unsigned opening.
* The schema is closed: a message with a member that is not listed here is refused.
* Windows and frames count from 1; ``frame`` 0 means that no frame of the window was stored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from connector.contract.messages import LogHead
from ledger.canonical import JSON, JSONObject
from ledger.errors import BylagError
from ledger.fields import Fields
from ledger.names import AgreementId, DataSpaceId, ExchangeId, MessageHash, Milliseconds, ParticipantId

VERSION: Final = 1
MAX_FRAME_BYTES: Final = 1 << 20
MAX_WINDOW_BYTES: Final = 8 << 20
MAX_FRAMES: Final = 4096
MODES: Final = ("transfer", "query", "subscribe")
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/#%~=-]*", re.ASCII)
_IRI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._:/#?&%~=+-]+", re.ASCII)
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)


class UnknownMessage(BylagError):
    """A signed message of a type that no exchange has."""

    code = "UNKNOWN_MESSAGE"
    default_next_step = "Send one of the exchange's own messages; see docs/reference/exchange.md."


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every signed message says before it says anything of its own."""

    space: DataSpaceId
    sender: ParticipantId
    recipient: ParticipantId
    exchange: ExchangeId
    attempt: int
    agreement: AgreementId
    prev: MessageHash | None
    seen: MessageHash | None
    aseq: int
    list_number: int
    list_hash: str
    head: LogHead | None
    time: Milliseconds

    def members(self) -> JSONObject:
        return {
            "version": VERSION,
            "space": self.space,
            "sender": self.sender,
            "recipient": self.recipient,
            "exchange": self.exchange,
            "attempt": self.attempt,
            "agreement": self.agreement,
            "prev": self.prev,
            "seen": self.seen,
            "aseq": self.aseq,
            "list": {"number": self.list_number, "hash": self.list_hash},
            "head": self.head.members() if self.head else None,
            "time": self.time,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        fields.constant("version", VERSION)
        listed = fields.object("list")
        number, digest = listed.integer("number", least=1), listed.digest("hash")
        listed.finish()
        return cls(
            space=DataSpaceId(fields.text("space", limit=200)),
            sender=ParticipantId(fields.text("sender", limit=256)),
            recipient=ParticipantId(fields.text("recipient", limit=256)),
            exchange=ExchangeId(fields.text("exchange", limit=64, pattern=_IDENTIFIER)),
            attempt=fields.integer("attempt", least=1, most=1 << 20),
            agreement=AgreementId(fields.text("agreement", limit=128, pattern=_IDENTIFIER)),
            prev=_maybe_hash(fields, "prev"),
            seen=_maybe_hash(fields, "seen"),
            aseq=fields.integer("aseq", least=1),
            list_number=number,
            list_hash=digest,
            head=_read_head(fields),
            time=Milliseconds(fields.integer("time")),
        )


@dataclass(frozen=True, slots=True)
class Request:
    """Step 1, consumer: asks for a version of a dataset, for one purpose."""

    kind: ClassVar[str] = "request"
    mode: str
    purpose: str
    dataset: str
    version: str | None
    """The version's digest; None asks for the newest."""
    cursor: int
    """Source position to begin at: 0 for the beginning."""
    selection: str | None
    """Commitment to the selection, None for the whole dataset."""
    nonce: str
    deadline: Milliseconds
    declared: str | None = None
    """Commitment to what the consumer declares beside the purpose, None for nothing."""

    def members(self) -> JSONObject:
        return {
            "mode": self.mode,
            "purpose": self.purpose,
            "dataset": self.dataset,
            "dataset_version": self.version,
            "cursor": self.cursor,
            "selection": self.selection,
            "declared": self.declared,
            "nonce": self.nonce,
            "deadline": self.deadline,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            mode=fields.choice("mode", MODES),
            purpose=fields.text("purpose", limit=256, pattern=_IRI),
            dataset=fields.text("dataset", limit=100, pattern=_IDENTIFIER),
            version=fields.maybe_digest("dataset_version"),
            cursor=fields.integer("cursor"),
            selection=fields.maybe_digest("selection"),
            declared=fields.maybe_digest("declared"),
            nonce=fields.digest("nonce"),
            deadline=Milliseconds(fields.integer("deadline")),
        )


@dataclass(frozen=True, slots=True)
class Offer:
    """Step 2, provider: agreement, ground and facts were checked; this is the right data."""

    kind: ClassVar[str] = "offer"
    request: MessageHash
    version: str
    schema: str
    """SHA-256 of the schema that travels in the opening."""
    media_type: str
    windows: int
    """W: how many windows may be unacknowledged."""
    window_bytes: int
    expires: Milliseconds

    def members(self) -> JSONObject:
        return {
            "request": self.request,
            "dataset_version": self.version,
            "schema": self.schema,
            "media_type": self.media_type,
            "windows": self.windows,
            "window_bytes": self.window_bytes,
            "expires": self.expires,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            request=MessageHash(fields.digest("request")),
            version=fields.digest("dataset_version"),
            schema=fields.digest("schema"),
            media_type=fields.text("media_type", limit=100),
            windows=fields.integer("windows", least=1, most=64),
            window_bytes=fields.integer("window_bytes", least=1, most=MAX_WINDOW_BYTES),
            expires=Milliseconds(fields.integer("expires")),
        )


@dataclass(frozen=True, slots=True)
class Denial:
    """The provider's no to a Request or a Resume, with a reason code."""

    kind: ClassVar[str] = "denial"
    request: MessageHash
    code: str

    def members(self) -> JSONObject:
        return {"request": self.request, "code": self.code}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            request=MessageHash(fields.digest("request")), code=fields.text("code", limit=64, pattern=_CODE)
        )


@dataclass(frozen=True, slots=True)
class Accept:
    """Step 3, consumer: bound to the terms. D_0 is this message's hash in attempt 1."""

    kind: ClassVar[str] = "accept"
    offer: MessageHash

    def members(self) -> JSONObject:
        return {"offer": self.offer}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(offer=MessageHash(fields.digest("offer")))


@dataclass(frozen=True, slots=True)
class Commit:
    """Step 4, provider: answers for integrity up to this window; its frames follow."""

    kind: ClassVar[str] = "commit"
    window: int
    key: str
    """SHA-256 of k_j, hexadecimal."""
    digests: tuple[str, ...]
    """D after each frame, hexadecimal; empty for an empty result."""
    digest: str
    """D after the window, hexadecimal."""
    rows: int
    bytes: int
    labels: str | None
    """Root over the labels first seen in this window; None for data not about people."""
    position: int
    """Source position after the window."""

    def members(self) -> JSONObject:
        return {
            "window": self.window,
            "key": self.key,
            "digests": list[JSON](self.digests),
            "digest": self.digest,
            "rows": self.rows,
            "bytes": self.bytes,
            "labels": self.labels,
            "position": self.position,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            window=fields.integer("window", least=1),
            key=fields.digest("key"),
            digests=fields.digests("digests", limit=MAX_FRAMES),
            digest=fields.digest("digest"),
            rows=fields.integer("rows"),
            bytes=fields.integer("bytes", most=MAX_WINDOW_BYTES),
            labels=fields.maybe_digest("labels"),
            position=fields.integer("position"),
        )


@dataclass(frozen=True, slots=True)
class Ack:
    """Step 5, consumer: stored and synced up to this frame; custody up to here has passed."""

    kind: ClassVar[str] = "ack"
    window: int
    frame: int
    digest: str

    def members(self) -> JSONObject:
        return {"window": self.window, "frame": self.frame, "digest": self.digest}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            window=fields.integer("window", least=1),
            frame=fields.integer("frame", most=MAX_FRAMES),
            digest=fields.digest("digest"),
        )


@dataclass(frozen=True, slots=True)
class Reject:
    """In place of an Ack: what arrived is not what was committed to."""

    kind: ClassVar[str] = "reject"
    window: int
    frame: int
    expected: str
    """D that the Commit names for the frame."""
    code: str

    def members(self) -> JSONObject:
        return {"window": self.window, "frame": self.frame, "expected": self.expected, "code": self.code}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            window=fields.integer("window", least=1),
            frame=fields.integer("frame", least=1, most=MAX_FRAMES),
            expected=fields.digest("expected"),
            code=fields.text("code", limit=64, pattern=_CODE),
        )


@dataclass(frozen=True, slots=True)
class Cut:
    """Provider: this window ends at an earlier frame, and with it the attempt; later Commits are void."""

    kind: ClassVar[str] = "cut"
    window: int
    frame: int
    digest: str
    rows: int
    bytes: int
    window_labels: str | None
    labels: str | None
    """Root over all labels of the exchange."""
    position: int
    code: str

    def members(self) -> JSONObject:
        return {
            "window": self.window,
            "frame": self.frame,
            "digest": self.digest,
            "rows": self.rows,
            "bytes": self.bytes,
            "window_labels": self.window_labels,
            "labels": self.labels,
            "position": self.position,
            "code": self.code,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            window=fields.integer("window"),
            frame=fields.integer("frame", most=MAX_FRAMES),
            digest=fields.digest("digest"),
            rows=fields.integer("rows"),
            bytes=fields.integer("bytes"),
            window_labels=fields.maybe_digest("window_labels"),
            labels=fields.maybe_digest("labels"),
            position=fields.integer("position"),
            code=fields.text("code", limit=64, pattern=_CODE),
        )


@dataclass(frozen=True, slots=True)
class Totals:
    """What End and Receipt both say: exactly what was acknowledged."""

    windows: int
    rows: int
    bytes: int
    digest: str
    labels: str | None

    def members(self) -> JSONObject:
        return {
            "windows": self.windows,
            "rows": self.rows,
            "bytes": self.bytes,
            "digest": self.digest,
            "labels": self.labels,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            windows=fields.integer("windows"),
            rows=fields.integer("rows"),
            bytes=fields.integer("bytes"),
            digest=fields.digest("digest"),
            labels=fields.maybe_digest("labels"),
        )


@dataclass(frozen=True, slots=True)
class End(Totals):
    """Step 6, provider: all windows are acknowledged; these are the totals."""

    kind: ClassVar[str] = "end"


@dataclass(frozen=True, slots=True)
class Receipt(Totals):
    """Step 6, consumer: full custody, within the limits of use."""

    kind: ClassVar[str] = "receipt"


@dataclass(frozen=True, slots=True)
class Resume:
    """Consumer: goes on from its last durable Ack; frames after it were discarded."""

    kind: ClassVar[str] = "resume"
    ack: MessageHash | None
    """Hash of the last signed Ack; None when nothing was acknowledged."""
    window: int
    frame: int
    digest: str
    """D there; D_0 when nothing was acknowledged."""
    nonce: str
    deadline: Milliseconds

    def members(self) -> JSONObject:
        return {
            "ack": self.ack,
            "window": self.window,
            "frame": self.frame,
            "digest": self.digest,
            "nonce": self.nonce,
            "deadline": self.deadline,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            ack=_maybe_hash(fields, "ack"),
            window=fields.integer("window"),
            frame=fields.integer("frame", most=MAX_FRAMES),
            digest=fields.digest("digest"),
            nonce=fields.digest("nonce"),
            deadline=Milliseconds(fields.integer("deadline")),
        )


@dataclass(frozen=True, slots=True)
class Seal:
    """Step 7, both: the sender's last record of the exchange lies under a checkpoint the other cosigned."""

    kind: ClassVar[str] = "seal"
    leaf: str
    """Leaf hash of the sender's record at ``record``."""
    record: int
    """Its aseq in the agreement's chain."""
    index: int
    size: int
    root: str
    proof: tuple[str, ...]
    """Inclusion proof, leaf sibling first (RFC 6962 section 2.1.1)."""

    def members(self) -> JSONObject:
        return {
            "leaf": self.leaf,
            "record": self.record,
            "index": self.index,
            "size": self.size,
            "root": self.root,
            "proof": list[JSON](self.proof),
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            leaf=fields.digest("leaf"),
            record=fields.integer("record", least=1),
            index=fields.integer("index"),
            size=fields.integer("size", least=1),
            root=fields.digest("root"),
            proof=fields.digests("proof", limit=64),
        )


Body = Request | Offer | Denial | Accept | Commit | Ack | Reject | Cut | End | Receipt | Resume | Seal

BODIES: Final[dict[str, type[Body]]] = {
    body.kind: body
    for body in (Request, Offer, Denial, Accept, Commit, Ack, Reject, Cut, End, Receipt, Resume, Seal)
}


def content(envelope: Envelope, body: Body) -> JSONObject:
    """The document to sign."""
    return {"type": body.kind, **envelope.members(), **body.members()}


def read(document: JSONObject) -> tuple[Envelope, Body]:
    """Read a message whose signature was verified. Raises :class:`~ledger.fields.BadField`."""
    fields = Fields(document)
    kind = fields.text("type", limit=32)
    if kind not in BODIES:
        raise UnknownMessage("no exchange has a message of this type", field="type")
    envelope = Envelope.read(fields)
    body = BODIES[kind].read(fields)
    fields.finish()
    return envelope, body


def _maybe_hash(fields: Fields, name: str) -> MessageHash | None:
    digest = fields.maybe_digest(name)
    return MessageHash(digest) if digest is not None else None


def _read_head(fields: Fields) -> LogHead | None:
    head = fields.maybe_object("head")
    return LogHead.read(head) if head is not None else None
