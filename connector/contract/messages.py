"""The signed messages of a negotiation, as values, and their one signed form.

Rules that hold here:

* The messages are the Dataspace Protocol's (2025-1, section 7); each is a document of its own type,
  signed by its sender. ``Step`` has the standard's name for each beside ours.
* Every message carries an :class:`Envelope`: who to whom, which negotiation, the sender's own
  message before (``prev``), the last one received (``seen``), the place of its record in the
  sender's log (``aseq``), membership list, log head, time, and commitments to what is said beside.
* The schema is closed and has one spelling: every member is there, what does not apply is null.
* The side that has heard nothing from the other yet may not know the other's id, and writes null.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Final, Self, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connector.contract import forms
from connector.contract.agreement import Agreement, ListReference, read_agreement
from connector.contract.opening import Commitments
from connector.contract.party import Party
from connector.contract.terms import Proposal
from ledger.canonical import JSONObject
from ledger.document import SignedDocument, header_of, sign
from ledger.errors import BylagError
from ledger.fields import Fields
from ledger.names import (
    AgreementId,
    DataSpaceId,
    MessageHash,
    Milliseconds,
    NegotiationId,
    Origin,
    ParticipantId,
)

VERSION: Final = 1
MAX_BYTES: Final = 256 << 10

TERMINATION_CODES: Final = (
    "TERMS_UNACCEPTABLE",
    "POLICY_NOT_ENFORCED",
    "NOT_APPROVED",
    "NOT_A_MEMBER",
    "OFFER_WITHDRAWN",
    "SIGN_BY_PASSED",
    "SIGNATURE_REFUSED",
    "NO_LONGER_NEEDED",
    "BREACH",
    "LEGAL_OBLIGATION",
    "TECHNICAL_FAILURE",
    "OTHER",
)
"""Why a negotiation or an agreement is terminated; the sender's own words travel beside."""


SETTLEMENT_CODES: Final = (
    "DIFFERS",
    "ALREADY_SETTLED",
    "OTHER_IS_OPEN",
    "PERIOD_NOT_OVER",
    "REFUSED_BY_HAND",
)
"""Why a settlement statement is not signed."""


DUTY_CODES: Final = ("ACCEPTED", "LATE", "NOT_DONE", "NOT_ENOUGH", "NO_EVIDENCE", "OTHER")
"""How a report of a duty is answered. ``LATE`` only says that it came too late here; what comes after it
rejects the report."""


class UnknownMessage(BylagError):
    """A signed message of a type that no negotiation has."""

    code = "UNKNOWN_MESSAGE"
    default_next_step = "Send one of the negotiation's own messages, with its type as the standard has it."


class Step(Enum):
    """What a message does in the state machine, with its name in DSP 2025-1 and its event type, if any."""

    REQUEST = ("ContractRequestMessage", None)
    OFFER = ("ContractOfferMessage", None)
    ACCEPT = ("ContractNegotiationEventMessage", "ACCEPTED")
    AGREE = ("ContractAgreementMessage", None)
    VERIFY = ("ContractAgreementVerificationMessage", None)
    FINALIZE = ("ContractNegotiationEventMessage", "FINALIZED")
    TERMINATE = ("ContractNegotiationTerminationMessage", None)

    def __init__(self, message: str, event: str | None) -> None:
        self.message = message
        self.event = event


@dataclass(frozen=True, slots=True)
class LogHead:
    """The newest checkpoint of the sender's log that the sender has published."""

    origin: Origin
    size: int
    root: str

    def members(self) -> JSONObject:
        return {"origin": self.origin, "size": self.size, "root": self.root}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        origin = Origin(fields.text("origin", limit=256, pattern=forms.ORIGIN))
        head = cls(origin, fields.integer("size"), fields.digest("root"))
        fields.finish()
        return head


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every message of a negotiation says before it says anything of its own."""

    space: DataSpaceId
    sender: ParticipantId
    recipient: ParticipantId
    consumer_pid: NegotiationId | None
    provider_pid: NegotiationId | None
    prev: MessageHash | None
    seen: MessageHash | None
    list: ListReference
    aseq: int
    head: LogHead | None
    time: Milliseconds
    commitments: Commitments

    def members(self) -> JSONObject:
        return {
            "version": VERSION,
            "space": self.space,
            "sender": self.sender,
            "recipient": self.recipient,
            "consumer_pid": self.consumer_pid,
            "provider_pid": self.provider_pid,
            "prev": self.prev,
            "seen": self.seen,
            "list": self.list.members(),
            "aseq": self.aseq,
            "head": self.head.members() if self.head else None,
            "time": self.time,
            "commitments": self.commitments.members(),
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        fields.constant("version", VERSION)
        head = fields.maybe_object("head")
        return cls(
            space=DataSpaceId(forms.identifier(fields, "space")),
            sender=forms.participant(fields, "sender"),
            recipient=forms.participant(fields, "recipient"),
            consumer_pid=forms.maybe_process_id(fields, "consumer_pid"),
            provider_pid=forms.maybe_process_id(fields, "provider_pid"),
            prev=_maybe_hash(fields, "prev"),
            seen=_maybe_hash(fields, "seen"),
            list=ListReference.read(fields.object("list")),
            aseq=fields.integer("aseq", least=1),
            head=LogHead.read(head) if head else None,
            time=Milliseconds(fields.integer("time")),
            commitments=Commitments.read(fields.object("commitments")),
        )


@dataclass(frozen=True, slots=True)
class _Proposed:
    """A proposal on the table, and who its sender would be as a party."""

    proposal: Proposal
    party: Party

    def members(self) -> JSONObject:
        return {"proposal": self.proposal.members(), "party": self.party.members()}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(Proposal.read(fields.object("proposal")), Party.read(fields.object("party")))


@dataclass(frozen=True, slots=True)
class ContractRequest(_Proposed):
    """Consumer: asks for an agreement, on an offer as published or on other terms."""

    kind: ClassVar[str] = "contract-request"
    step: ClassVar[Step] = Step.REQUEST


@dataclass(frozen=True, slots=True)
class ContractOffer(_Proposed):
    """Provider: offers terms, first or in answer to a request."""

    kind: ClassVar[str] = "contract-offer"
    step: ClassVar[Step] = Step.OFFER


@dataclass(frozen=True, slots=True)
class Accepted:
    """Consumer: accepts the offer on the table, named by its digest."""

    kind: ClassVar[str] = "contract-event"
    step: ClassVar[Step] = Step.ACCEPT
    proposal: str
    party: Party

    def members(self) -> JSONObject:
        return {"event": "ACCEPTED", "proposal": self.proposal, "party": self.party.members()}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.digest("proposal"), Party.read(fields.object("party")))


@dataclass(frozen=True, slots=True)
class ContractAgreement:
    """Provider: the agreement itself, with the provider's signature over its bytes: the first of two."""

    kind: ClassVar[str] = "contract-agreement"
    step: ClassVar[Step] = Step.AGREE
    agreement: Agreement
    signature: str

    def members(self) -> JSONObject:
        return {"agreement": self.agreement.content(), "signature": self.signature}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(read_agreement(fields.object("agreement")), _signature(fields))


@dataclass(frozen=True, slots=True)
class ContractVerification:
    """Consumer: the second signature over the agreement's bytes."""

    kind: ClassVar[str] = "contract-verification"
    step: ClassVar[Step] = Step.VERIFY
    agreement: str
    """The agreement's digest."""
    signature: str

    def members(self) -> JSONObject:
        return {"agreement": self.agreement, "signature": self.signature}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.digest("agreement"), _signature(fields))


@dataclass(frozen=True, slots=True)
class Finalized:
    """Provider: acknowledges the second signature, and says when it came."""

    kind: ClassVar[str] = "contract-event"
    step: ClassVar[Step] = Step.FINALIZE
    agreement: str
    verification: MessageHash
    """The consumer's verification message."""
    received: Milliseconds
    """When that came, by the provider's clock: what ``sign_by`` is held against."""

    def members(self) -> JSONObject:
        return {
            "event": "FINALIZED",
            "agreement": self.agreement,
            "verification": self.verification,
            "received": self.received,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            fields.digest("agreement"),
            MessageHash(fields.digest("verification")),
            Milliseconds(fields.integer("received")),
        )


@dataclass(frozen=True, slots=True)
class ContractTermination:
    """Either side: ends the negotiation, with a reason code; words travel beside."""

    kind: ClassVar[str] = "contract-termination"
    step: ClassVar[Step] = Step.TERMINATE
    code: str

    def members(self) -> JSONObject:
        return {"code": self.code}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.choice("code", TERMINATION_CODES))


@dataclass(frozen=True, slots=True)
class AgreementTermination:
    """Either side: ends an agreement in force. No step of the negotiation, which stays FINALIZED."""

    kind: ClassVar[str] = "agreement-termination"
    step: ClassVar[None] = None
    agreement: AgreementId
    contract: str
    """The digest of the agreement's signed bytes."""
    code: str
    ends: Milliseconds
    """When it ends; a time that has passed means at once."""

    def members(self) -> JSONObject:
        return {"agreement": self.agreement, "contract": self.contract, "code": self.code, "ends": self.ends}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            AgreementId(forms.identifier(fields, "agreement")),
            fields.digest("contract"),
            fields.choice("code", TERMINATION_CODES),
            Milliseconds(fields.integer("ends")),
        )


@dataclass(frozen=True, slots=True)
class SettlementSigned:
    """Either side: signs the settlement statement of a period, which both compute and none sends."""

    kind: ClassVar[str] = "settlement"
    step: ClassVar[None] = None
    agreement: AgreementId
    contract: str
    """The digest of the agreement's signed bytes."""
    begin: Milliseconds
    until: Milliseconds
    """The period: from ``begin`` up to, not including, ``until``."""
    statement: str
    """The digest of the statement's bytes."""
    signature: str
    """The sender's detached JWS over them."""

    def members(self) -> JSONObject:
        return {
            "agreement": self.agreement,
            "contract": self.contract,
            "from": self.begin,
            "until": self.until,
            "statement": self.statement,
            "signature": self.signature,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(*_settled(fields), fields.digest("statement"), _signature(fields))


@dataclass(frozen=True, slots=True)
class SettlementRefused:
    """Either side: does not sign a statement; says which one it has instead, so that people can compare."""

    kind: ClassVar[str] = "settlement-refusal"
    step: ClassVar[None] = None
    agreement: AgreementId
    contract: str
    begin: Milliseconds
    until: Milliseconds
    statement: str
    """The digest of the statement that is refused."""
    code: str
    own: str
    """The digest of the sender's own statement for the period, as it stands."""
    lines: int
    records: int
    bytes: int
    requests: int
    amount: int

    def members(self) -> JSONObject:
        return {
            "agreement": self.agreement,
            "contract": self.contract,
            "from": self.begin,
            "until": self.until,
            "statement": self.statement,
            "code": self.code,
            "own": self.own,
            "lines": self.lines,
            "records": self.records,
            "bytes": self.bytes,
            "requests": self.requests,
            "amount": self.amount,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            *_settled(fields),
            fields.digest("statement"),
            fields.choice("code", SETTLEMENT_CODES),
            fields.digest("own"),
            lines=fields.integer("lines"),
            records=fields.integer("records"),
            bytes=fields.integer("bytes"),
            requests=fields.integer("requests"),
            amount=fields.integer("amount"),
        )


@dataclass(frozen=True, slots=True)
class _OfDuty:
    """Which task of which agreement a message is about."""

    agreement: AgreementId
    contract: str
    """The digest of the agreement's signed bytes."""
    duty: str
    """The duty's id in the policy."""
    task: str
    """The task that it became (``connector.contract.tasks.task_id``)."""

    def place(self) -> JSONObject:
        """The members that say so."""
        return {
            "agreement": self.agreement,
            "contract": self.contract,
            "duty": self.duty,
            "task": self.task,
        }


@dataclass(frozen=True, slots=True)
class DutyReported(_OfDuty):
    """Whoever owes a duty: it is done. A reference to the evidence is committed to; words travel beside."""

    kind: ClassVar[str] = "duty-report"
    step: ClassVar[None] = None
    number: int
    """Which report of this task it is, from 1."""
    late: bool
    """Whether the sender knows that it comes after the due time."""
    amount: int | None
    """What was paid, in minor units of the duty's currency."""
    evidence: str | None
    """A commitment to a reference: a payment's number, a register's entry."""

    def members(self) -> JSONObject:
        return {
            **self.place(),
            "number": self.number,
            "late": self.late,
            "amount": self.amount,
            "evidence": self.evidence,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            *_duty(fields),
            number=fields.integer("number", least=1),
            late=fields.boolean("late"),
            amount=fields.maybe_integer("amount", most=forms.LARGEST_AMOUNT),
            evidence=fields.maybe_digest("evidence"),
        )


@dataclass(frozen=True, slots=True)
class DutyAnswered(_OfDuty):
    """The party to whom a duty is owed: accepts or rejects a report of it."""

    kind: ClassVar[str] = "duty-answer"
    step: ClassVar[None] = None
    report: MessageHash
    """The report that is answered."""
    code: str

    def members(self) -> JSONObject:
        return {**self.place(), "report": self.report, "code": self.code}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(*_duty(fields), MessageHash(fields.digest("report")), fields.choice("code", DUTY_CODES))


@dataclass(frozen=True, slots=True)
class Infringed:
    """Provider: a prohibition was infringed; its remedies are owed from now on."""

    kind: ClassVar[str] = "infringement"
    step: ClassVar[None] = None
    agreement: AgreementId
    contract: str
    rule: str
    """The prohibition's id in the policy."""

    def members(self) -> JSONObject:
        return {"agreement": self.agreement, "contract": self.contract, "rule": self.rule}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            AgreementId(forms.identifier(fields, "agreement")),
            fields.digest("contract"),
            fields.text("rule", limit=512),
        )


Body: TypeAlias = (
    ContractRequest
    | ContractOffer
    | Accepted
    | ContractAgreement
    | ContractVerification
    | Finalized
    | ContractTermination
    | AgreementTermination
    | SettlementSigned
    | SettlementRefused
    | DutyReported
    | DutyAnswered
    | Infringed
)

EVENTS: Final[dict[str, type[Accepted | Finalized]]] = {"ACCEPTED": Accepted, "FINALIZED": Finalized}
BODIES: Final[dict[str, type[Body]]] = {
    body.kind: body
    for body in (
        ContractRequest,
        ContractOffer,
        ContractAgreement,
        ContractVerification,
        ContractTermination,
        AgreementTermination,
        SettlementSigned,
        SettlementRefused,
        DutyReported,
        DutyAnswered,
        Infringed,
    )
}
KINDS: Final = frozenset({*BODIES, Accepted.kind})
"""The ``type`` of every message here."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it was read, beside its signed form. Read does not mean verified."""

    document: SignedDocument
    envelope: Envelope
    body: Body

    @property
    def digest(self) -> MessageHash:
        """The message's name: what ``prev`` and ``seen`` of others say."""
        return self.document.digest


def content(envelope: Envelope, body: Body) -> JSONObject:
    """The document to sign."""
    return {"type": body.kind, **envelope.members(), **body.members()}


def compose(envelope: Envelope, body: Body, key: Ed25519PrivateKey) -> Message:
    """Sign a message. Raises whatever :func:`read_message` would: nothing is signed that cannot be read."""
    return read_message(sign(content(envelope, body), key))


def read_message(document: SignedDocument) -> Message:
    """Read a message strictly, without verifying it: :func:`~connector.contract.negotiation.advance` does.

    Raises :class:`~ledger.canonical.MalformedJson`, :class:`~ledger.fields.BadField`,
    :class:`~ledger.document.BadSignature` for a header that is not ours, or :class:`UnknownMessage`.
    """
    header = header_of(document.jws)
    given = document.content(max_bytes=MAX_BYTES)
    fields = Fields(given)
    kind = fields.text("type", limit=32)
    if kind not in KINDS or header.kind != kind:
        raise UnknownMessage("no negotiation has a message of this type", field="type")
    envelope = Envelope.read(fields)
    body = _body_type(fields, kind).read(fields)
    fields.finish()
    forms.one_spelling(given, content(envelope, body))
    return Message(document, envelope, body)


def _body_type(fields: Fields, kind: str) -> type[Body]:
    if kind == Accepted.kind:
        return EVENTS[fields.choice("event", EVENTS)]
    return BODIES[kind]


def _settled(fields: Fields) -> tuple[AgreementId, str, Milliseconds, Milliseconds]:
    """Which period of which agreement a message settles, or does not."""
    agreement, contract = AgreementId(forms.identifier(fields, "agreement")), fields.digest("contract")
    begin, until = fields.integer("from"), fields.integer("until")
    if until <= begin:
        raise fields.wrong("until", "must lie after the beginning")
    return agreement, contract, Milliseconds(begin), Milliseconds(until)


def _duty(fields: Fields) -> tuple[AgreementId, str, str, str]:
    """Which task a message is about."""
    agreement, contract = AgreementId(forms.identifier(fields, "agreement")), fields.digest("contract")
    return agreement, contract, fields.text("duty", limit=512), fields.digest("task")


def _signature(fields: Fields) -> str:
    return fields.text("signature", limit=700, pattern=forms.SIGNATURE)


def _maybe_hash(fields: Fields, name: str) -> MessageHash | None:
    digest = fields.maybe_digest(name)
    return MessageHash(digest) if digest is not None else None
