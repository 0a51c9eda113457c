"""Two parties who negotiate, with real keys and a clock that a test holds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from connector.contract.agreement import Agreement, ListReference, sign_agreement
from connector.contract.keys import FoundKey
from connector.contract.liability import LiabilityTerms, Role
from connector.contract.messages import (
    Accepted,
    Body,
    ContractAgreement,
    ContractOffer,
    ContractRequest,
    ContractTermination,
    ContractVerification,
    Finalized,
    LogHead,
    Message,
    Step,
    compose,
)
from connector.contract.negotiation import advance
from connector.contract.offer import BY_HAND, Approval, Offer
from connector.contract.opening import NONE_BESIDE, Commitments
from connector.contract.party import Party, PartyLog, ProtectionRole
from connector.contract.states import Negotiation, Stamp, first_envelope, next_envelope
from connector.contract.terms import (
    Period,
    Price,
    Proposal,
    Prose,
    ProseDocument,
    References,
    Terms,
    VersionRule,
    policy_digest,
)
from connector.policy.parse import normalise
from ledger.canonical import JSONObject
from ledger.document import thumbprint
from ledger.names import (
    AgreementId,
    DatasetId,
    DataSpaceId,
    MessageHash,
    Milliseconds,
    NegotiationId,
    OfferId,
    Origin,
    ParticipantId,
    RulebookDigest,
    Thumbprint,
    UnitId,
)

NOW = Milliseconds(1_767_225_600_000)
DAY = 86_400_000
SPACE = DataSpaceId("norden-test")
PROVIDER = ParticipantId("did:web:city.example")
CONSUMER = ParticipantId("did:web:company.example")
CITIZEN = ParticipantId("guest:" + "5a" * 16)
PIDS = {Role.CONSUMER: NegotiationId("c-0001"), Role.PROVIDER: NegotiationId("p-0001")}
LIST = ListReference(4, hashlib.sha256(b"list 4").hexdigest())
POLICY: JSONObject = normalise({"@type": "Offer", "permission": [{"action": "use"}]}).content


def key(name: str) -> Ed25519PrivateKey:
    """A key that is the same in every run."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


KEYS = {Role.PROVIDER: key("provider"), Role.CONSUMER: key("consumer")}
STRANGER = key("stranger")


@dataclass
class Directory:
    """The parties' keys, each with the time up to which it is valid."""

    held: dict[tuple[ParticipantId, Thumbprint], tuple[Ed25519PublicKey, int]] = field(default_factory=dict)

    def hold(self, party: ParticipantId, private: Ed25519PrivateKey, *, until: int = NOW + 400 * DAY) -> None:
        public = private.public_key()
        self.held[party, thumbprint(public)] = (public, until)

    def key(self, did: ParticipantId, kid: Thumbprint, at: Milliseconds) -> FoundKey | None:
        found = self.held.get((did, kid))
        return FoundKey(found[0], at < found[1]) if found else None


def directory() -> Directory:
    """A directory that holds both parties' keys."""
    keys = Directory()
    keys.hold(PROVIDER, KEYS[Role.PROVIDER])
    keys.hold(CONSUMER, KEYS[Role.CONSUMER])
    return keys


def log(origin: str) -> PartyLog:
    return PartyLog(Origin(origin), f"{origin}+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")


CITIZENS_LOG = log(f"guest/{'4c' * 16}/log/1")
PARTIES = {
    Role.PROVIDER: Party(
        PROVIDER,
        UnitId("energy"),
        ProtectionRole.CONTROLLER,
        thumbprint(KEYS[Role.PROVIDER].public_key()),
        log("city.example/log"),
    ),
    Role.CONSUMER: Party(
        CONSUMER,
        None,
        ProtectionRole.CONTROLLER,
        thumbprint(KEYS[Role.CONSUMER].public_key()),
        log("company.example/log"),
    ),
}
PROSE = hashlib.sha256(b"the contract in words").hexdigest()
ANNEX = hashlib.sha256(b"the annex").hexdigest()

TERMS = Terms(
    policy=POLICY,
    policy_digest=policy_digest(POLICY),
    purpose="https://w3id.org/dpv#ResearchAndDevelopment",
    legal_basis="https://w3id.org/dpv#PublicTask",
    secrecy_ground=None,
    liability=LiabilityTerms({
        "accuracy": "best-effort",
        "breach-notice-hours": 24,
        "cap": {"amount": 50_000_00, "currency": "SEK"},
        "cap-excludes": ["intent", "personal-data"],
        "law": "SE",
        "undetermined-loss": "shared",
    }),
    period=Period(NOW, Milliseconds(NOW + 365 * DAY)),
    price=Price("record", 25, "SEK", 1000),
    places=("DK", "EU", "SE-AC"),
    transfer_ground=None,
    windows=4,
    acknowledge_seconds=60,
    prose=Prose(
        (
            ProseDocument(PROSE, "contract", "Avtal om energidata", "sv", "application/pdf"),
            ProseDocument(ANNEX, "annex", "Annex 1: processing", "en", "text/plain"),
        ),
        (PROSE, "policy", ANNEX),
    ),
    references=References("KS 2026/114", None),
)  # fmt: skip


def offer(approval: Approval = BY_HAND, terms: Terms = TERMS) -> Offer:
    """An offer that the provider publishes."""
    return Offer(
        id=OfferId("offer-7"),
        provider=PROVIDER,
        unit=UnitId("energy"),
        dataset=DatasetId("household-energy"),
        versions=VersionRule("any"),
        terms=terms,
        approval=approval,
        until=Milliseconds(NOW + 30 * DAY),
    )


PROPOSAL = offer().proposal


@dataclass
class World:
    """One negotiation, seen by an observer who delivers every message to the machine."""

    keys: Directory = field(default_factory=directory)
    negotiation: Negotiation | None = None
    now: Milliseconds = NOW
    records: int = 0
    consumer: Party = field(default_factory=lambda: PARTIES[Role.CONSUMER])
    consumer_key: Ed25519PrivateKey = field(default_factory=lambda: KEYS[Role.CONSUMER])

    def signer(self, role: Role) -> Ed25519PrivateKey:
        return self.consumer_key if role is Role.CONSUMER else KEYS[Role.PROVIDER]

    def stamp(self, commitments: Commitments = NONE_BESIDE) -> Stamp:
        self.records += 1
        head = LogHead(Origin("city.example/log"), self.records, "ab" * 32)
        return Stamp(LIST, self.records, head, self.now, commitments)

    def make(self, role: Role, body: Body, *, signer: Ed25519PrivateKey | None = None) -> Message:
        """A signed message that follows on what this world has seen."""
        if self.negotiation is None:
            sender, recipient = self.consumer.id, PROVIDER
            if role is Role.PROVIDER:
                sender, recipient = recipient, sender
            envelope = first_envelope(
                role, PIDS[role], space=SPACE, sender=sender, recipient=recipient, stamp=self.stamp()
            )
        else:
            envelope = next_envelope(self.negotiation, role, self.stamp())
            if role is Role.CONSUMER and envelope.consumer_pid is None:
                envelope = replace(envelope, consumer_pid=PIDS[role])
            if role is Role.PROVIDER and envelope.provider_pid is None:
                envelope = replace(envelope, provider_pid=PIDS[role])
        return compose(envelope, body, signer or self.signer(role))

    def deliver(self, role: Role, message: Message) -> Negotiation:
        self.negotiation = advance(self.negotiation, role, message, keys=self.keys, at=self.now)
        return self.negotiation

    def send(self, role: Role, body: Body) -> Negotiation:
        return self.deliver(role, self.make(role, body))

    def body(self, step: Step) -> Body:
        """A body that would be right for ``step`` now, as far as one can be."""
        match step:
            case Step.REQUEST:
                return ContractRequest(PROPOSAL, self.consumer)
            case Step.OFFER:
                return ContractOffer(PROPOSAL, PARTIES[Role.PROVIDER])
            case Step.ACCEPT:
                return Accepted(self.on_the_table.digest, self.consumer)
            case Step.AGREE:
                agreement = self.agreement()
                return ContractAgreement(agreement, sign_agreement(agreement, KEYS[Role.PROVIDER]))
            case Step.VERIFY:
                agreement = self.agreed
                return ContractVerification(
                    agreement.digest, sign_agreement(agreement, self.signer(Role.CONSUMER))
                )
            case Step.FINALIZE:
                verification = self.negotiation.message(Step.VERIFY) if self.negotiation else None
                answered = verification.digest if verification else MessageHash("00" * 32)
                return Finalized(self.agreed.digest, answered, self.now)
            case Step.TERMINATE:
                return ContractTermination("NO_LONGER_NEEDED")

    @property
    def on_the_table(self) -> Proposal:
        return self.negotiation.proposal if self.negotiation else PROPOSAL

    @property
    def agreed(self) -> Agreement:
        if self.negotiation is not None and self.negotiation.agreement is not None:
            return self.negotiation.agreement
        return self.agreement()

    def agreement(self, **changes: Any) -> Agreement:
        """The agreement on the proposal that lies on the table."""
        table = self.on_the_table
        agreement = Agreement(
            space=SPACE,
            id=AgreementId("agreement-1"),
            consumer_pid=PIDS[Role.CONSUMER],
            provider_pid=PIDS[Role.PROVIDER],
            list=LIST,
            provider=PARTIES[Role.PROVIDER],
            consumer=self.consumer,
            offer=table.offer,
            dataset=table.dataset,
            versions=table.versions,
            terms=table.terms,
            rulebook=RulebookDigest("cd" * 32),
            witness_policy="quorum none\n",
            nonce="ef" * 32,
            made=self.now,
            sign_by=Milliseconds(self.now + DAY),
        )
        return replace(agreement, **changes)

    def play(self, *steps: tuple[Role, Step]) -> Negotiation:
        for role, step in steps:
            self.send(role, self.body(step))
        assert self.negotiation is not None
        return self.negotiation


C, P = Role.CONSUMER, Role.PROVIDER
TO_AGREED = ((C, Step.REQUEST), (P, Step.AGREE))
TO_FINALIZED = (*TO_AGREED, (C, Step.VERIFY), (P, Step.FINALIZE))
