"""The contract negotiation's state machine (DSP 2025-1, section 7), as a function of values.

    (nothing) ─REQUEST─► REQUESTED ◄─REQUEST── OFFERED ◄─OFFER─ (nothing)
                         │  └──────OFFER──────►  │
                         │ AGREE                 │ ACCEPT
                         ▼                       ▼
                        AGREED ◄────AGREE──── ACCEPTED
                         │ VERIFY
                         ▼
                       VERIFIED ──FINALIZE──► FINALIZED          TERMINATED ◄── TERMINATE

Rules that hold here:

* The table (``connector.contract.states``) is the whole machine: (state, who sends, what) → state.
  What is not in it is :class:`~connector.contract.errors.IllegalMove`. A refused message changes nothing.
* Either side may terminate in every state before the end, but for the consumer in VERIFIED: it has
  signed, and its termination could cross the provider's FINALIZED and leave the two in different
  ends. (The standard's text says "any state", its diagram less; TERMINATIONS has what is ours.)
* Every message is verified before it counts: its sender's signature, and in AGREE and VERIFY the
  signature over the agreement's bytes. So FINALIZED is never reached without two valid signatures.
* What is agreed is what lies on the table: AGREE must fix the last proposal, between the parties as
  they described themselves, or it is refused.
* The same message again (same hash) changes nothing and is no error. A different one for the same
  step is refused, and proves that its sender contradicted itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from connector.contract.agreement import Agreement, verify_agreement
from connector.contract.errors import (
    AgreementDiffers,
    ConflictingMessage,
    ForgedSender,
    IllegalMove,
    NotThisNegotiation,
    OutOfOrder,
    SignByPassed,
    TooManyRounds,
)
from connector.contract.keys import KeyDirectory, verify_by
from connector.contract.liability import Role
from connector.contract.messages import (
    MAX_BYTES,
    Accepted,
    ContractAgreement,
    ContractOffer,
    ContractRequest,
    ContractVerification,
    Envelope,
    Finalized,
    Message,
    Step,
)
from connector.contract.party import Party
from connector.contract.states import TRANSITIONS, Entry, Negotiation, State
from connector.contract.terms import Proposal
from connector.policy.reading import read_policy
from ledger.names import MessageHash, Milliseconds, NegotiationId

MAX_PROPOSALS: Final = 64
"""How many requests and offers one negotiation may have."""


def advance(
    negotiation: Negotiation | None,
    sender_role: Role,
    message: Message,
    *,
    keys: KeyDirectory,
    at: Milliseconds,
) -> Negotiation:
    """The negotiation after ``message``; ``at`` is now by the caller's clock.

    Steps: (1) a message that was taken already changes nothing; (2) it belongs here: data space,
    sender, recipient, ids; (3) the machine allows it; (4) it follows the sender's last message and
    answers the other's last; (5) it is signed by its sender with a key valid now, and so is the
    agreement; (6) it says what it may say at this point; (7) the policy that it proposes or fixes is
    enforced here, between these two. Does not check membership, that ``sender`` is the peer
    who delivered it, nor that its time is close to now: the caller does.

    Raises a :class:`~connector.contract.errors.ContractError`, ``BadSignature``, ``MalformedJson``,
    ``PolicyRefused`` or ``MalformedPolicy``.
    """
    if negotiation is not None and negotiation.knows(message):
        return negotiation
    contradicted = _contradicted(negotiation, sender_role, message)
    if contradicted is not None:
        # Two messages for one step are a proof only if the second is really the sender's.
        _check_belongs(negotiation, sender_role, message.envelope)
        _verify_sender(message, keys, at)
        raise ConflictingMessage(contradicted.document, message.document)
    moved = _move(negotiation, sender_role, message)
    _verify_sender(message, keys, at)
    _verify_agreement(moved, message, keys, at)
    if message.body.step in {Step.REQUEST, Step.OFFER, Step.AGREE}:
        _check_policy(moved)
    return moved


def assign_pid(negotiation: Negotiation, role: Role, pid: NegotiationId) -> Negotiation:
    """Give or learn a side's own id, once: the receiver of a first message makes one and answers with it."""
    known = negotiation.pid(role)
    if known is not None and known != pid:
        raise NotThisNegotiation("this side has another id already", field=f"{role.value}_pid")
    if role is Role.PROVIDER:
        return replace(negotiation, provider_pid=pid)
    return replace(negotiation, consumer_pid=pid)


def restore(
    entries: list[Entry], *, consumer_pid: NegotiationId | None, provider_pid: NegotiationId | None
) -> Negotiation:
    """A negotiation from its stored messages, which :func:`advance` took once.

    Signatures are not verified again: a key that ended since does not undo what was taken while it
    counted. Raises a :class:`~connector.contract.errors.ContractError` if they do not follow.
    """
    negotiation: Negotiation | None = None
    for entry in entries:
        negotiation = _move(negotiation, entry.role, entry.message)
        for role, pid in ((Role.CONSUMER, consumer_pid), (Role.PROVIDER, provider_pid)):
            if pid is not None:
                negotiation = assign_pid(negotiation, role, pid)
    if negotiation is None:
        raise OutOfOrder("a negotiation begins with a message")
    return negotiation


def _move(negotiation: Negotiation | None, role: Role, message: Message) -> Negotiation:
    _check_belongs(negotiation, role, message.envelope)
    state = _next_state(negotiation, role, message)
    _check_order(negotiation, role, message)
    if negotiation is None:
        negotiation = _begin(role, message, state)
    elif message.body.step in {Step.REQUEST, Step.OFFER}:
        _check_rounds(negotiation)
    moved = _take(negotiation, role, message)
    return replace(moved, state=state, history=(*moved.history, Entry(role, message)))


def _contradicted(negotiation: Negotiation | None, role: Role, message: Message) -> Message | None:
    """An earlier message that the sender signed for the same step, if there is one."""
    for entry in negotiation.history if negotiation is not None else ():
        if entry.role is role and entry.message.envelope.prev == message.envelope.prev:
            return entry.message
    return None


def _check_belongs(negotiation: Negotiation | None, role: Role, envelope: Envelope) -> None:
    own, other = (
        (envelope.consumer_pid, envelope.provider_pid)
        if role is Role.CONSUMER
        else (envelope.provider_pid, envelope.consumer_pid)
    )
    if own is None:
        raise NotThisNegotiation("the sender's own id is missing", field=f"{role.value}_pid")
    if negotiation is None:
        if other is not None:
            raise NotThisNegotiation("nothing has this id here", field=f"{role.other.value}_pid")
        return
    if envelope.space != negotiation.space:
        raise NotThisNegotiation("this negotiation is in another data space", field="space")
    if envelope.sender != negotiation.participant(role):
        raise ForgedSender("the sender is not that party of this negotiation", field="sender")
    if envelope.recipient != negotiation.participant(role.other):
        raise ForgedSender("the recipient is not the other party of this negotiation", field="recipient")
    if negotiation.pid(role) not in {None, own}:
        raise NotThisNegotiation("the sender had given another id", field=f"{role.value}_pid")
    # DSP has both ids in every later message; who has heard nothing yet may not know the other's.
    heard_nothing = other is None and envelope.seen is None
    if other != negotiation.pid(role.other) and not heard_nothing:
        raise NotThisNegotiation("the id is not the one that was given", field=f"{role.other.value}_pid")


def _check_order(negotiation: Negotiation | None, role: Role, message: Message) -> None:
    envelope = message.envelope
    if negotiation is None:
        if envelope.prev is not None or envelope.seen is not None:
            raise OutOfOrder("a first message follows nothing", field="prev")
        return
    last, heard = negotiation.last(role), negotiation.last(role.other)
    ending = message.body.step is Step.TERMINATE
    # A termination may follow a message that was refused here, and cross one on its way.
    if not ending and envelope.prev != (last.digest if last else None):
        raise OutOfOrder("does not follow the sender's last message", field="prev")
    if last is not None and envelope.aseq <= last.envelope.aseq:
        raise OutOfOrder("stands before the sender's last message in the sender's log", field="aseq")
    if not ending and envelope.seen != (heard.digest if heard else None):
        raise OutOfOrder("does not answer the last message sent to its sender", field="seen")
    if ending and not _may_have_seen(negotiation, role, envelope.seen):
        raise OutOfOrder("names a message that was never sent, or unsees one", field="seen")


def _may_have_seen(negotiation: Negotiation, role: Role, seen: MessageHash | None) -> bool:
    sent = [entry.message.digest for entry in negotiation.history if entry.role is role.other]
    order: list[MessageHash | None] = [None, *sent]
    last = negotiation.last(role)
    earlier = last.envelope.seen if last else None
    return seen in order and order.index(seen) >= order.index(earlier)


def _next_state(negotiation: Negotiation | None, role: Role, message: Message) -> State:
    state, step = negotiation.state if negotiation is not None else None, message.body.step
    if step is None or (state, role, step) not in TRANSITIONS:
        here = f"in {state.value}" if state is not None else "first"
        raise IllegalMove(
            f"the {role.value} cannot send a {message.body.kind} {here}",
            field="type",
            next_step="`bylag negotiation show` says for whom it waits; what both have signed is ended with"
            " `bylag agreement terminate`.",
        )
    return TRANSITIONS[state, role, step]


def _check_rounds(negotiation: Negotiation) -> None:
    proposals = [
        entry for entry in negotiation.history if entry.message.body.step in {Step.REQUEST, Step.OFFER}
    ]
    if len(proposals) >= MAX_PROPOSALS:
        raise TooManyRounds(f"the negotiation has had {len(proposals)} proposals")


def _begin(role: Role, message: Message, state: State) -> Negotiation:
    envelope, body = message.envelope, message.body
    if not isinstance(body, ContractRequest | ContractOffer):
        raise IllegalMove("a negotiation begins with a request or an offer", field="type")
    is_consumer = role is Role.CONSUMER
    return Negotiation(
        space=envelope.space,
        consumer=envelope.sender if is_consumer else envelope.recipient,
        provider=envelope.recipient if is_consumer else envelope.sender,
        consumer_pid=envelope.consumer_pid,
        provider_pid=envelope.provider_pid,
        state=state,
        proposal=body.proposal,
        consumer_party=None,
        provider_party=None,
        agreement=None,
        provider_signature=None,
        consumer_signature=None,
        history=(),
    )


def _take(negotiation: Negotiation, role: Role, message: Message) -> Negotiation:
    """What the message says, checked against what lies on the table."""
    envelope = message.envelope
    pid = envelope.provider_pid if role is Role.PROVIDER else envelope.consumer_pid
    if pid is not None:
        negotiation = assign_pid(negotiation, role, pid)
    match message.body:
        case ContractRequest(proposal, party):
            _check_dataset(negotiation, proposal)
            _check_own_party(envelope, party)
            return replace(negotiation, proposal=proposal, consumer_party=party)
        case ContractOffer(proposal, party):
            _check_dataset(negotiation, proposal)
            _check_own_party(envelope, party)
            return replace(negotiation, proposal=proposal, provider_party=party)
        case Accepted(proposal=digest, party=party):
            if digest != negotiation.proposal.digest:
                raise AgreementDiffers("accepts another proposal than the one on the table", field="proposal")
            _check_own_party(envelope, party)
            return replace(negotiation, consumer_party=party)
        case ContractAgreement(agreement, signature):
            _check_agreement(negotiation, envelope, agreement)
            return replace(negotiation, agreement=agreement, provider_signature=signature)
        case ContractVerification(digest, signature):
            _agreed(negotiation, digest)
            return replace(negotiation, consumer_signature=signature)
        case Finalized() as finalized:
            _check_finalized(negotiation, finalized)
            return negotiation
        case _:
            return negotiation


def _check_dataset(negotiation: Negotiation, proposal: Proposal) -> None:
    if proposal.dataset != negotiation.proposal.dataset:
        raise NotThisNegotiation("this negotiation is about another dataset", field="proposal.dataset")


def _check_policy(negotiation: Negotiation) -> None:
    """Nobody signs what cannot be enforced, or what names other parties than the two who sign.

    A stored negotiation is not held to it again: what was taken stays what it was.
    """
    proposal, agreement = negotiation.proposal, negotiation.agreement
    read_policy(proposal.terms.policy).agreed(
        name="urn:bylag:proposal" if agreement is None else f"urn:bylag:agreement:{agreement.id}",
        assigner=negotiation.provider,
        assignee=negotiation.consumer,
        target=proposal.dataset,
    )


def _check_own_party(envelope: Envelope, party: Party) -> None:
    if party.id != envelope.sender:
        raise ForgedSender("describes somebody else than the sender as a party", field="party.id")


def _check_agreement(negotiation: Negotiation, envelope: Envelope, agreement: Agreement) -> None:
    described = negotiation.provider_party or agreement.provider
    facts = (
        ("space", agreement.space, negotiation.space),
        ("consumer_pid", agreement.consumer_pid, negotiation.consumer_pid),
        ("provider_pid", agreement.provider_pid, negotiation.provider_pid),
        ("list", agreement.list, envelope.list),
        ("provider.id", agreement.provider.id, negotiation.provider),
        ("consumer.id", agreement.consumer.id, negotiation.consumer),
        ("provider", agreement.provider, described),
        ("consumer", agreement.consumer, negotiation.consumer_party),
        ("terms", agreement.proposal.digest, negotiation.proposal.digest),
    )
    for name, agreed, expected in facts:
        if agreed != expected:
            raise AgreementDiffers("is not what was negotiated", field=f"agreement.{name}")


def _agreed(negotiation: Negotiation, digest: str) -> Agreement:
    """The agreement on the table, if ``digest`` is its name."""
    agreement = negotiation.agreement
    if agreement is None or agreement.digest != digest:
        raise AgreementDiffers("is not the agreement of this negotiation", field="agreement")
    return agreement


def _check_finalized(negotiation: Negotiation, finalized: Finalized) -> None:
    agreement = _agreed(negotiation, finalized.agreement)
    verification = negotiation.message(Step.VERIFY)
    if verification is None or verification.digest != finalized.verification:
        raise AgreementDiffers("acknowledges another signature than the one that came", field="verification")
    if finalized.received > agreement.sign_by:
        raise SignByPassed("the second signature came after sign_by", field="received")


def _verify_sender(message: Message, keys: KeyDirectory, at: Milliseconds) -> None:
    sender = message.envelope.sender
    verify_by(keys, sender, message.document, message.body.kind, at=at, max_bytes=MAX_BYTES)


def _verify_agreement(moved: Negotiation, message: Message, keys: KeyDirectory, at: Milliseconds) -> None:
    """Verify the signature over the agreement that a message brings, and that it comes in time."""
    body = message.body
    if not isinstance(body, ContractAgreement | ContractVerification) or moved.agreement is None:
        return
    role = Role.PROVIDER if isinstance(body, ContractAgreement) else Role.CONSUMER
    verify_agreement(moved.agreement, role, body.signature, keys, at)
    if max(at, message.envelope.time) > moved.agreement.sign_by:
        raise SignByPassed(f"the {role.value}'s signature comes after sign_by", field="time")
