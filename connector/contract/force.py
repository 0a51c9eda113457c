"""Whether an agreement is in force: what an auditor is shown, and how they check it.

Rules that hold here (DESIGN.md, "Two signatures"; the numbers stand again at the blocks below):

1. The provider sent the agreement with its signature: the first.
2. The consumer sent the second signature over the same bytes.
3. The provider acknowledged that very message: without this the agreement does not count.
4. The second signature was made, and came, by ``sign_by``.
5. Sender and recipient of each message are the agreement's parties, in their roles.
6. Every signature is by a key of that party that was valid when the signature was made.

A signer's own clock decides nothing about a key: whoever knows more gives ``not_after``, the upper
end of each signature's interval (LEDGER.md section 2, "Keys in time"); it defaults to what the
messages say. That the parties could know each other's keys is the directory's matter.
"""

from __future__ import annotations

from dataclasses import dataclass

from connector.contract.agreement import Agreement, verify_agreement
from connector.contract.errors import AgreementDiffers, ForgedSender, NotAcknowledged, SignByPassed
from connector.contract.keys import KeyDirectory, verify_by
from connector.contract.liability import Role
from connector.contract.messages import (
    MAX_BYTES,
    ContractAgreement,
    ContractVerification,
    Finalized,
    Message,
    Step,
    read_message,
)
from connector.contract.states import Negotiation
from ledger.document import SignedDocument
from ledger.names import Milliseconds


@dataclass(frozen=True, slots=True)
class Evidence:
    """The three signed messages that make an agreement, as they were sent."""

    agreement: SignedDocument
    verification: SignedDocument
    finalization: SignedDocument


@dataclass(frozen=True, slots=True)
class SigningTimes:
    """The latest moment at which each of the three can have been signed."""

    agreement: Milliseconds
    verification: Milliseconds
    finalization: Milliseconds


@dataclass(frozen=True, slots=True)
class InForce:
    """An agreement that counts, since the moment that its second signature was acknowledged."""

    agreement: Agreement
    since: Milliseconds
    provider_signature: str
    consumer_signature: str


def evidence_of(negotiation: Negotiation) -> Evidence:
    """The evidence that a negotiation holds. Raises ``NotAcknowledged`` before FINALIZED."""
    found = [negotiation.message(step) for step in (Step.AGREE, Step.VERIFY, Step.FINALIZE)]
    documents = [message.document for message in found if message is not None]
    if len(documents) != len(found):
        raise NotAcknowledged("the negotiation is not finalized")
    return Evidence(*documents)


def in_force(evidence: Evidence, keys: KeyDirectory, not_after: SigningTimes | None = None) -> InForce:
    """The agreement, if it came into force; trusts nothing but the directory of keys.

    Does not check that it still is: the period, a termination, the membership list. Raises a
    :class:`~connector.contract.errors.ContractError` that says which rule does not hold,
    :class:`~ledger.document.BadSignature`, or what reading a malformed message raises.
    """
    first, second, third = (
        read_message(document)
        for document in (evidence.agreement, evidence.verification, evidence.finalization)
    )
    # 1 and 2: two signatures over the same bytes.
    offered = first.body
    if not isinstance(offered, ContractAgreement):
        raise AgreementDiffers("the first message is not the agreement", field="agreement")
    agreement = offered.agreement
    verified = second.body
    if not isinstance(verified, ContractVerification) or verified.agreement != agreement.digest:
        raise AgreementDiffers("the second message does not sign this agreement", field="verification")
    # 3: acknowledged by the first signer.
    final = third.body
    if not isinstance(final, Finalized) or final.agreement != agreement.digest:
        raise NotAcknowledged("the third message does not finalize this agreement", field="finalization")
    if final.verification != second.digest:
        raise NotAcknowledged("another second signature was acknowledged", field="finalization.verification")
    # 4: in time.
    if max(second.envelope.time, final.received) > agreement.sign_by:
        raise SignByPassed("the second signature came after sign_by", field="finalization.received")
    # 5: by the parties, in their roles.
    for role, message in ((Role.PROVIDER, first), (Role.CONSUMER, second), (Role.PROVIDER, third)):
        _check_direction(agreement, role, message)
    # 6: with keys that were theirs and valid.
    times = not_after or SigningTimes(first.envelope.time, final.received, third.envelope.time)
    for role, message, at in (
        (Role.PROVIDER, first, times.agreement),
        (Role.CONSUMER, second, times.verification),
        (Role.PROVIDER, third, times.finalization),
    ):
        party = agreement.party(role)
        verify_by(keys, party.id, message.document, message.body.kind, at=at, max_bytes=MAX_BYTES)
    verify_agreement(agreement, Role.PROVIDER, offered.signature, keys, times.agreement)
    verify_agreement(agreement, Role.CONSUMER, verified.signature, keys, times.verification)
    return InForce(agreement, third.envelope.time, offered.signature, verified.signature)


def _check_direction(agreement: Agreement, role: Role, message: Message) -> None:
    envelope = message.envelope
    if envelope.space != agreement.space:
        raise ForgedSender("the message is from another data space", field="space")
    if envelope.sender != agreement.party(role).id or envelope.recipient != agreement.party(role.other).id:
        raise ForgedSender(f"the message is not from the agreement's {role.value} to the other party")
    pids = (envelope.consumer_pid, envelope.provider_pid)
    if pids != (agreement.consumer_pid, agreement.provider_pid):
        raise AgreementDiffers("the message belongs to another negotiation", field="consumer_pid")
