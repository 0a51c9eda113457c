"""An agreement counts when both signed the same bytes in time and the first acknowledged the second."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connector.contract.agreement import sign_agreement
from connector.contract.errors import (
    AgreementDiffers,
    ForgedSender,
    KeyNotValid,
    NotAcknowledged,
    SignByPassed,
    UnknownKey,
)
from connector.contract.force import Evidence, SigningTimes, evidence_of, in_force
from connector.contract.liability import Role
from connector.contract.messages import (
    Body,
    ContractAgreement,
    ContractVerification,
    Finalized,
    Message,
    Step,
    compose,
    read_message,
)
from ledger.canonical import MalformedJson
from ledger.document import BadSignature, SignedDocument
from ledger.names import MessageHash, Milliseconds
from tests.contract.world import (
    CONSUMER,
    DAY,
    KEYS,
    NOW,
    PIDS,
    PROVIDER,
    STRANGER,
    TO_AGREED,
    TO_FINALIZED,
    C,
    P,
    World,
    directory,
)

Three = dict[Step, Message]
STEPS = (Step.AGREE, Step.VERIFY, Step.FINALIZE)
SENDER = {Step.AGREE: P, Step.VERIFY: C, Step.FINALIZE: P}


def three() -> Three:
    """The three messages of a good agreement."""
    world = World()
    negotiation = world.play(*TO_FINALIZED)
    found = {step: negotiation.message(step) for step in STEPS}
    return {step: message for step, message in found.items() if message is not None}


def shown(messages: Three) -> Evidence:
    return Evidence(*(messages[step].document for step in STEPS))


def signed_again(messages: Three, step: Step, *, signer: Role | None = None, **changes: Any) -> Three:
    """The same messages, one of them changed in its envelope or body and signed afresh."""
    message = messages[step]
    names = set(changes) & set(message.envelope.__slots__)
    envelope = replace(message.envelope, **{name: changes[name] for name in names})
    body: Body = replace(message.body, **{name: changes[name] for name in set(changes) - names})
    return {**messages, step: compose(envelope, body, KEYS[signer or SENDER[step]])}


def test_two_signatures_and_an_acknowledgement_are_in_force() -> None:
    messages = three()
    found = in_force(shown(messages), directory())
    assert found.since == messages[Step.FINALIZE].envelope.time
    assert found.agreement.id == "agreement-1"
    body = messages[Step.VERIFY].body
    assert isinstance(body, ContractVerification) and found.consumer_signature == body.signature


def test_a_negotiation_shows_its_evidence_only_when_finalized() -> None:
    world = World()
    agreed = world.play(*TO_AGREED)
    with pytest.raises(NotAcknowledged):
        evidence_of(agreed)
    finalized = world.play((C, Step.VERIFY), (P, Step.FINALIZE))
    assert in_force(evidence_of(finalized), directory()).agreement == finalized.agreement


@pytest.mark.parametrize("step", STEPS)
def test_a_changed_byte_anywhere_is_refused(step: Step) -> None:
    messages = three()
    document = messages[step].document
    changed = read_message(
        SignedDocument(document.payload.replace(b'"time":17672', b'"time":17671'), document.jws)
    )
    assert changed.envelope.time != messages[step].envelope.time
    after = {**messages, step: changed}
    if step is Step.VERIFY:
        with pytest.raises(NotAcknowledged):
            in_force(shown(after), directory())
        after = signed_again(after, Step.FINALIZE, verification=changed.digest)
    with pytest.raises(BadSignature):
        in_force(shown(after), directory())


@pytest.mark.parametrize("step", STEPS)
def test_a_message_signed_with_the_wrong_key_is_refused(step: Step) -> None:
    messages = three()
    for wrong in (KEYS[SENDER[step].other], STRANGER):
        forged = compose(messages[step].envelope, messages[step].body, wrong)
        after = {**messages, step: forged}
        if step is Step.VERIFY:
            after = signed_again(after, Step.FINALIZE, verification=forged.digest)
        with pytest.raises(UnknownKey):
            in_force(shown(after), directory())


def test_one_party_alone_cannot_make_an_agreement() -> None:
    messages = three()
    body = messages[Step.AGREE].body
    assert isinstance(body, ContractAgreement)
    own = sign_agreement(body.agreement, KEYS[P])
    alone = signed_again(messages, Step.VERIFY, signature=own)
    alone = signed_again(alone, Step.FINALIZE, verification=alone[Step.VERIFY].digest)
    with pytest.raises(UnknownKey):
        in_force(shown(alone), directory())
    other = sign_agreement(replace(body.agreement, nonce="99" * 32), KEYS[P])
    with pytest.raises(BadSignature):
        in_force(shown(signed_again(messages, Step.AGREE, signature=other)), directory())


def test_an_unacknowledged_signature_does_not_count() -> None:
    messages = three()
    other = signed_again(messages, Step.FINALIZE, verification=MessageHash("00" * 32))
    with pytest.raises(NotAcknowledged):
        in_force(shown(other), directory())
    digest = signed_again(messages, Step.FINALIZE, agreement="00" * 32)
    with pytest.raises(NotAcknowledged):
        in_force(shown(digest), directory())
    with pytest.raises(NotAcknowledged):
        in_force(replace(shown(messages), finalization=messages[Step.AGREE].document), directory())


def test_messages_in_the_wrong_places_are_refused() -> None:
    messages = three()
    evidence = shown(messages)
    with pytest.raises(AgreementDiffers):
        in_force(replace(evidence, agreement=evidence.verification), directory())
    with pytest.raises(AgreementDiffers):
        in_force(replace(evidence, verification=evidence.agreement), directory())
    with pytest.raises(AgreementDiffers):
        in_force(shown(signed_again(messages, Step.VERIFY, agreement="00" * 32)), directory())
    with pytest.raises(MalformedJson):
        in_force(replace(evidence, finalization=SignedDocument(b"", evidence.finalization.jws)), directory())


def test_a_second_signature_after_sign_by_does_not_count() -> None:
    messages = three()
    late = Milliseconds(NOW + DAY + 1)
    with pytest.raises(SignByPassed):
        in_force(shown(signed_again(messages, Step.FINALIZE, received=late)), directory())
    dated = signed_again(messages, Step.VERIFY, time=late)
    dated = signed_again(dated, Step.FINALIZE, verification=dated[Step.VERIFY].digest)
    with pytest.raises(SignByPassed):
        in_force(shown(dated), directory())
    at_the_last_moment = signed_again(messages, Step.FINALIZE, received=Milliseconds(NOW + DAY))
    assert in_force(shown(at_the_last_moment), directory()).agreement.sign_by == NOW + DAY


def test_swapped_roles_are_refused() -> None:
    messages = three()
    first = signed_again(messages, Step.AGREE, signer=C, sender=CONSUMER, recipient=PROVIDER)
    with pytest.raises(ForgedSender):
        in_force(shown(first), directory())
    second = signed_again(messages, Step.VERIFY, signer=P, sender=PROVIDER, recipient=CONSUMER)
    second = signed_again(second, Step.FINALIZE, verification=second[Step.VERIFY].digest)
    with pytest.raises(ForgedSender):
        in_force(shown(second), directory())
    third = signed_again(messages, Step.FINALIZE, signer=C, sender=CONSUMER, recipient=PROVIDER)
    with pytest.raises(ForgedSender):
        in_force(shown(third), directory())


def test_a_message_from_another_space_or_negotiation_is_refused() -> None:
    messages = three()
    with pytest.raises(ForgedSender):
        in_force(shown(signed_again(messages, Step.FINALIZE, space="elsewhere")), directory())
    with pytest.raises(AgreementDiffers):
        in_force(shown(signed_again(messages, Step.FINALIZE, consumer_pid="c-9")), directory())
    with pytest.raises(AgreementDiffers):
        in_force(shown(signed_again(messages, Step.AGREE, provider_pid="p-9")), directory())
    assert PIDS[C] == "c-0001"


@pytest.mark.parametrize("role", list(Role))
def test_a_key_not_valid_when_it_signed_does_not_count(role: Role) -> None:
    keys = directory()
    keys.hold(PROVIDER if role is P else CONSUMER, KEYS[role], until=NOW)
    with pytest.raises(KeyNotValid):
        in_force(shown(three()), keys)


def test_who_knows_more_of_the_times_decides_by_them() -> None:
    keys = directory()
    keys.hold(CONSUMER, KEYS[C], until=NOW + DAY)
    evidence = shown(three())
    early = SigningTimes(NOW, Milliseconds(NOW + DAY - 1), Milliseconds(NOW + DAY))
    assert in_force(evidence, keys, early).agreement.id == "agreement-1"
    late = replace(early, verification=Milliseconds(NOW + DAY))
    with pytest.raises(KeyNotValid):
        in_force(evidence, keys, late)


def test_the_acknowledgement_says_when_the_signature_came() -> None:
    body = three()[Step.FINALIZE].body
    assert isinstance(body, Finalized) and body.received == NOW
