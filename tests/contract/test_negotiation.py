"""A contract negotiation moves as the Dataspace Protocol says, and in no other way."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connector.contract.agreement import ListReference, sign_agreement
from connector.contract.errors import (
    AgreementDiffers,
    ConflictingMessage,
    ContractError,
    ForgedSender,
    IllegalMove,
    KeyNotValid,
    NotThisNegotiation,
    OutOfOrder,
    SignByPassed,
    TooManyRounds,
    UnknownKey,
)
from connector.contract.liability import Role
from connector.contract.messages import (
    Accepted,
    AgreementTermination,
    ContractAgreement,
    ContractOffer,
    ContractRequest,
    ContractTermination,
    ContractVerification,
    Finalized,
    Message,
    Step,
    compose,
    read_message,
)
from connector.contract.negotiation import MAX_PROPOSALS, advance, assign_pid
from connector.contract.party import Party, ProtectionRole
from connector.contract.states import TRANSITIONS, Negotiation, State, next_envelope
from connector.contract.stored import dump, load
from connector.contract.terms import Proposal, policy_digest
from connector.policy.errors import MalformedPolicy, PolicyRefused
from connector.policy.parse import normalise
from ledger.canonical import JSON, JSONObject, decode_object, encode
from ledger.document import BadSignature, SignedDocument, thumbprint
from ledger.errors import BylagError
from ledger.fields import BadField
from ledger.names import (
    AgreementId,
    DatasetId,
    MessageHash,
    Milliseconds,
    NegotiationId,
    ParticipantId,
    UnitId,
)
from tests.contract.world import (
    CITIZEN,
    CITIZENS_LOG,
    CONSUMER,
    DAY,
    KEYS,
    NOW,
    PARTIES,
    PIDS,
    PROPOSAL,
    PROVIDER,
    STRANGER,
    TERMS,
    TO_AGREED,
    TO_FINALIZED,
    C,
    P,
    World,
    key,
    log,
)

THIRD = ParticipantId("did:web:third.example")
WAYS: dict[State | None, tuple[tuple[Role, Step], ...]] = {
    None: (),
    State.REQUESTED: ((C, Step.REQUEST),),
    State.OFFERED: ((C, Step.REQUEST), (P, Step.OFFER)),
    State.ACCEPTED: ((C, Step.REQUEST), (P, Step.OFFER), (C, Step.ACCEPT)),
    State.AGREED: TO_AGREED,
    State.VERIFIED: (*TO_AGREED, (C, Step.VERIFY)),
    State.FINALIZED: TO_FINALIZED,
    State.TERMINATED: ((C, Step.REQUEST), (P, Step.TERMINATE)),
}


def refused(world: World, role: Role, message: Message, error: type[Exception]) -> Exception:
    """The message is refused with this error, and the negotiation is what it was."""
    before = world.negotiation
    with pytest.raises(error) as caught:
        world.deliver(role, message)
    assert type(caught.value) is error
    assert world.negotiation is before
    return caught.value


def test_a_request_is_offered_accepted_agreed_verified_and_finalized() -> None:
    world = World()
    states = [
        world.send(role, world.body(step)).state
        for role, step in (
            (C, Step.REQUEST),
            (P, Step.OFFER),
            (C, Step.ACCEPT),
            (P, Step.AGREE),
            (C, Step.VERIFY),
            (P, Step.FINALIZE),
        )
    ]
    assert states == ["REQUESTED", "OFFERED", "ACCEPTED", "AGREED", "VERIFIED", "FINALIZED"]


def test_the_provider_may_begin_with_an_offer() -> None:
    world = World()
    finalized = world.play(
        (P, Step.OFFER), (C, Step.ACCEPT), (P, Step.AGREE), (C, Step.VERIFY), (P, Step.FINALIZE)
    )
    assert finalized.state is State.FINALIZED
    assert finalized.consumer == CONSUMER and finalized.provider == PROVIDER


def test_each_side_may_counter_and_what_is_agreed_is_the_last_proposal() -> None:
    world = World()
    world.play((C, Step.REQUEST), (P, Step.OFFER))
    cheaper = replace(PROPOSAL, terms=replace(TERMS, windows=2))
    world.send(C, ContractRequest(cheaper, PARTIES[C]))
    assert world.negotiation is not None and world.negotiation.state is State.REQUESTED
    finalized = world.play((P, Step.AGREE), (C, Step.VERIFY), (P, Step.FINALIZE))
    assert finalized.agreement is not None and finalized.agreement.terms.windows == 2


@pytest.mark.parametrize(
    ("state", "role", "step"),
    list(product(WAYS, Role, Step)),
    ids=lambda value: getattr(value, "name", "NEW"),
)
def test_every_move_is_in_the_table_or_refused_without_a_change(
    state: State | None, role: Role, step: Step
) -> None:
    world = World()
    if WAYS[state]:
        world.play(*WAYS[state])
    message = world.make(role, world.body(step))
    if (state, role, step) in TRANSITIONS:
        assert world.deliver(role, message).state is TRANSITIONS[state, role, step]
    else:
        refused(world, role, message, IllegalMove)


def test_either_side_terminates_with_a_code_that_both_see() -> None:
    for role in Role:
        world = World()
        world.play(*WAYS[State.OFFERED])
        ended = world.send(role, ContractTermination("TERMS_UNACCEPTABLE"))
        assert ended.state is State.TERMINATED
        assert ended.termination == (role, "TERMS_UNACCEPTABLE")


def test_the_same_message_again_changes_nothing_in_any_later_state() -> None:
    world = World()
    taken: list[tuple[Role, Message]] = []
    for role, step in TO_FINALIZED:
        message = world.make(role, world.body(step))
        world.deliver(role, message)
        taken.append((role, message))
        for earlier_role, earlier in taken:
            before = world.negotiation
            again = read_message(SignedDocument(earlier.document.payload, earlier.document.jws))
            assert world.deliver(earlier_role, again) is before


def test_another_message_for_the_same_step_is_refused_and_kept_as_a_proof() -> None:
    world = World()
    first = world.make(C, world.body(Step.REQUEST))
    other = world.make(C, ContractRequest(replace(PROPOSAL, terms=replace(TERMS, windows=9)), PARTIES[C]))
    world.deliver(C, first)
    error = refused(world, C, other, ConflictingMessage)
    assert isinstance(error, ConflictingMessage)
    assert (error.first, error.second) == (first.document, other.document)


def test_a_stranger_cannot_make_a_contradiction_out_of_thin_air() -> None:
    world = World()
    world.deliver(C, world.make(C, world.body(Step.REQUEST)))
    fresh = World(records=7)
    forged = fresh.make(C, ContractTermination("OTHER"), signer=STRANGER)
    refused(world, C, forged, UnknownKey)


@pytest.mark.parametrize("step", [Step.REQUEST, Step.VERIFY, Step.TERMINATE])
def test_a_message_in_the_consumers_name_signed_by_another_is_refused(step: Step) -> None:
    for signer in (STRANGER, KEYS[P]):
        world = World()
        if step is Step.VERIFY:
            world.play(*TO_AGREED)
        elif step is Step.TERMINATE:
            world.play((C, Step.REQUEST))
        refused(world, C, world.make(C, world.body(step), signer=signer), UnknownKey)


def test_a_message_that_was_changed_after_signing_is_refused() -> None:
    world = World()
    genuine = world.make(C, world.body(Step.REQUEST))
    changed = genuine.document.payload.replace(b"offer-7", b"offer-8")
    message = read_message(SignedDocument(changed, genuine.document.jws))
    refused(world, C, message, BadSignature)


def test_a_message_that_its_sender_role_did_not_send_is_refused() -> None:
    world = World()
    world.play((C, Step.REQUEST))
    assert world.negotiation is not None
    by_consumer = compose(
        replace(
            next_envelope(world.negotiation, P, world.stamp()),
            sender=CONSUMER,
            recipient=PROVIDER,
            provider_pid=PIDS[P],
        ),
        world.body(Step.OFFER),
        KEYS[C],
    )
    refused(world, P, by_consumer, ForgedSender)


def test_a_third_member_cannot_speak_for_either_side() -> None:
    third = ParticipantId("did:web:third.example")
    for role in Role:
        world = World()
        world.keys.hold(third, STRANGER)
        world.play(*WAYS[State.OFFERED])
        assert world.negotiation is not None
        envelope = replace(next_envelope(world.negotiation, role, world.stamp()), sender=third)
        refused(world, role, compose(envelope, ContractTermination("OTHER"), STRANGER), ForgedSender)


def test_the_first_message_of_another_negotiation_contradicts_nothing() -> None:
    world = World()
    world.play((C, Step.REQUEST))
    other = World().make(C, world.body(Step.REQUEST))
    message = compose(replace(other.envelope, consumer_pid=NegotiationId("c-0002")), other.body, KEYS[C])
    refused(world, C, message, NotThisNegotiation)


def proposed(policy: JSONObject) -> Proposal:
    return replace(PROPOSAL, terms=replace(TERMS, policy=policy, policy_digest=policy_digest(policy)))


def offered(**members: JSON) -> JSONObject:
    return normalise({"@type": "Offer", "permission": [{"action": "use"}], **members}).content


def unenforced() -> JSONObject:
    """A duty that is not done within a day but after it, as a peer writes it who skips the gate."""
    day: JSON = {"leftOperand": "elapsedTime", "operator": "eq", "rightOperand": "P1D"}
    duty: JSON = {"@id": "urn:x:tell", "action": "inform", "constraint": day}
    policy = encode(offered(permission=[{"action": "use", "duty": [duty]}]))
    return decode_object(policy.replace(b'"elapsedTime"', b'"delayPeriod"').replace(b'"eq"', b'"gt"'))


NOT_ENFORCED: dict[str, tuple[JSONObject, type[BylagError]]] = {
    "a term that is not enforced": (unenforced(), PolicyRefused),
    "no policy at all": ({"permission": "use"}, MalformedPolicy),
    "not in its one spelling": ({**offered(), "rules": []}, MalformedPolicy),
    "for another": (offered(assignee="did:web:third.example"), MalformedPolicy),
    "by another": (offered(assigner="did:web:third.example"), MalformedPolicy),
    "about another dataset": (offered(target="urn:x:other"), MalformedPolicy),
}


@pytest.mark.parametrize("name", NOT_ENFORCED)
@pytest.mark.parametrize("role", Role)
def test_a_policy_that_could_not_be_enforced_does_not_come_onto_the_table(role: Role, name: str) -> None:
    policy, error = NOT_ENFORCED[name]
    for already in ((), WAYS[State.REQUESTED if role is P else State.OFFERED]):
        world = World()
        if already:
            world.play(*already)
        body = ContractRequest if role is C else ContractOffer
        refused(world, role, world.make(role, body(proposed(policy), PARTIES[role])), error)


def test_a_policy_that_names_these_two_and_this_dataset_is_taken() -> None:
    named = offered(assigner=PROVIDER, assignee=CONSUMER, target=PROPOSAL.dataset)
    world = World()
    assert (
        world.deliver(C, world.make(C, ContractRequest(proposed(named), PARTIES[C]))).state is State.REQUESTED
    )


def test_a_party_cannot_be_described_as_somebody_else() -> None:
    world = World()
    refused(world, C, world.make(C, ContractRequest(PROPOSAL, PARTIES[P])), ForgedSender)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"space": "elsewhere"}, NotThisNegotiation),
        ({"recipient": "did:web:third.example"}, ForgedSender),
        ({"consumer_pid": "c-0002"}, NotThisNegotiation),
        ({"consumer_pid": None}, NotThisNegotiation),
        ({"provider_pid": None}, NotThisNegotiation),
        ({"provider_pid": "p-0002"}, NotThisNegotiation),
        ({"prev": None}, ConflictingMessage),
        ({"prev": "11" * 32}, OutOfOrder),
        ({"seen": None}, OutOfOrder),
        ({"seen": "11" * 32}, OutOfOrder),
        ({"aseq": 1}, OutOfOrder),
    ],
)
def test_a_message_that_does_not_belong_or_follow_is_refused(
    changes: dict[str, Any], error: type[ContractError]
) -> None:
    world = World()
    world.play(*WAYS[State.OFFERED])
    assert world.negotiation is not None
    envelope = next_envelope(world.negotiation, C, world.stamp())
    message = compose(replace(envelope, **changes), world.body(Step.ACCEPT), KEYS[C])
    refused(world, C, message, error)


def test_a_first_message_answers_nothing_and_knows_no_id_of_the_other() -> None:
    world = World()
    genuine = world.make(C, world.body(Step.REQUEST))
    for changes, error in (
        ({"seen": MessageHash("11" * 32)}, OutOfOrder),
        ({"prev": MessageHash("11" * 32)}, OutOfOrder),
        ({"provider_pid": NegotiationId("p-9")}, NotThisNegotiation),
        ({"consumer_pid": None}, NotThisNegotiation),
    ):
        refused(world, C, compose(replace(genuine.envelope, **changes), genuine.body, KEYS[C]), error)


def test_the_receiver_gives_its_id_in_the_answer_and_never_another() -> None:
    world = World()
    requested = assign_pid(world.play((C, Step.REQUEST)), P, PIDS[P])
    assert requested.pid(P) == PIDS[P]
    assert assign_pid(requested, P, PIDS[P]) == requested
    with pytest.raises(NotThisNegotiation):
        assign_pid(requested, P, NegotiationId("p-2"))


def test_a_consumer_that_has_heard_nothing_may_still_terminate() -> None:
    world = World()
    world.play((C, Step.REQUEST))
    assert world.negotiation is not None
    known_here = replace(world, negotiation=assign_pid(world.negotiation, P, PIDS[P]))
    assert known_here.deliver(C, world.make(C, world.body(Step.TERMINATE))).state is State.TERMINATED


def test_a_termination_crosses_an_offer_and_both_sides_end_terminated() -> None:
    consumer = World()
    consumer.play((C, Step.REQUEST))
    provider = replace(consumer)
    offered = provider.make(P, provider.body(Step.OFFER))
    provider.deliver(P, offered)
    ended = consumer.make(C, consumer.body(Step.TERMINATE))
    consumer.deliver(C, ended)
    refused(consumer, P, offered, IllegalMove)
    assert provider.deliver(C, ended).state is State.TERMINATED


def test_a_termination_follows_a_message_that_was_refused() -> None:
    provider = World()
    provider.play(*WAYS[State.VERIFIED][:-1])
    consumer = replace(provider)
    late = consumer.make(C, consumer.body(Step.VERIFY))
    consumer.deliver(C, late)
    provider.now = Milliseconds(NOW + 2 * DAY)
    refused(provider, C, late, SignByPassed)
    gives_up = provider.make(P, ContractTermination("SIGN_BY_PASSED"))
    assert consumer.deliver(P, gives_up).state is State.TERMINATED
    assert provider.deliver(P, gives_up).state is State.TERMINATED


def test_a_termination_does_not_unsee_or_invent() -> None:
    world = World()
    world.play(*WAYS[State.ACCEPTED])
    assert world.negotiation is not None
    envelope = next_envelope(world.negotiation, C, world.stamp())
    for seen in (None, MessageHash("22" * 32)):
        message = compose(replace(envelope, seen=seen), ContractTermination("OTHER"), KEYS[C])
        refused(world, C, message, OutOfOrder)


def test_acceptance_of_another_proposal_is_refused() -> None:
    world = World()
    world.play(*WAYS[State.OFFERED])
    other = replace(PROPOSAL, terms=replace(TERMS, windows=8)).digest
    refused(world, C, world.make(C, Accepted(other, PARTIES[C])), AgreementDiffers)


def test_a_negotiation_keeps_to_its_dataset() -> None:
    world = World()
    world.play(*WAYS[State.OFFERED])
    other = replace(PROPOSAL, dataset=DatasetId("another-dataset"))
    refused(world, C, world.make(C, ContractRequest(other, PARTIES[C])), NotThisNegotiation)


@pytest.mark.parametrize(
    "changes",
    [
        {"terms": replace(TERMS, windows=5)},
        {"terms": replace(TERMS, purpose="https://w3id.org/dpv#Marketing")},
        {"space": "elsewhere"},
        {"dataset": "another"},
        {"offer": "offer-8"},
        {"consumer_pid": "c-2"},
        {"provider_pid": "p-2"},
        {"list": ListReference(5, "00" * 32)},
        {"consumer": replace(PARTIES[C], unit=UnitId("sales"))},
        {"consumer": replace(PARTIES[C], id=THIRD, log=log("third.example/log"))},
        {"provider": replace(PARTIES[P], id=THIRD, log=log("third.example/log"))},
        {"consumer": replace(PARTIES[C], log=log("company.example/log/2"))},
        {"provider": replace(PARTIES[P], unit=UnitId("roads"))},
        {"provider": PARTIES[C], "consumer": PARTIES[P]},
    ],
    ids="+".join,
)
def test_an_agreement_that_was_not_negotiated_is_refused(changes: dict[str, object]) -> None:
    world = World()
    world.play(*WAYS[State.ACCEPTED])
    agreement = world.agreement(**changes)
    body = ContractAgreement(agreement, sign_agreement(agreement, KEYS[P]))
    refused(world, P, world.make(P, body), AgreementDiffers)


@pytest.mark.parametrize("signer", [STRANGER, KEYS[C]], ids=["stranger", "consumer"])
def test_an_agreement_without_the_providers_signature_is_refused(signer: Ed25519PrivateKey) -> None:
    world = World()
    world.play((C, Step.REQUEST))
    agreement = world.agreement()
    refused(
        world, P, world.make(P, ContractAgreement(agreement, sign_agreement(agreement, signer))), UnknownKey
    )


def test_a_signature_over_another_agreement_is_refused() -> None:
    world = World()
    world.play((C, Step.REQUEST))
    elsewhere = sign_agreement(world.agreement(nonce="99" * 32), KEYS[P])
    refused(world, P, world.make(P, ContractAgreement(world.agreement(), elsewhere)), BadSignature)


def test_a_verification_without_the_consumers_own_signature_is_refused() -> None:
    world = World()
    world.play(*TO_AGREED)
    digest = world.agreed.digest
    providers = sign_agreement(world.agreed, KEYS[P])
    refused(world, C, world.make(C, ContractVerification(digest, providers)), UnknownKey)
    another = sign_agreement(world.agreement(nonce="99" * 32), KEYS[C])
    refused(world, C, world.make(C, ContractVerification(digest, another)), BadSignature)
    own = sign_agreement(world.agreed, KEYS[C])
    refused(world, C, world.make(C, ContractVerification("00" * 32, own)), AgreementDiffers)


def test_a_key_that_is_not_valid_now_signs_nothing() -> None:
    world = World()
    world.play(*TO_AGREED)
    world.keys.hold(CONSUMER, KEYS[C], until=NOW)
    refused(world, C, world.make(C, world.body(Step.VERIFY)), KeyNotValid)


def test_a_second_signature_after_sign_by_is_refused_by_either_clock() -> None:
    world = World()
    world.play(*TO_AGREED)
    in_time = world.make(C, world.body(Step.VERIFY))
    sign_by = world.agreed.sign_by
    world.now = Milliseconds(sign_by + 1)
    refused(world, C, in_time, SignByPassed)
    dated_late = world.make(C, world.body(Step.VERIFY))
    world.now = sign_by
    refused(world, C, dated_late, SignByPassed)
    assert world.deliver(C, in_time).state is State.VERIFIED


def test_a_provider_does_not_acknowledge_what_it_received_too_late() -> None:
    world = World()
    verified = world.play(*WAYS[State.VERIFIED])
    body = world.body(Step.FINALIZE)
    assert isinstance(body, Finalized) and verified.agreement is not None
    late = replace(body, received=Milliseconds(verified.agreement.sign_by + 1))
    refused(world, P, world.make(P, late), SignByPassed)


def test_finalizing_names_the_agreement_and_the_signature_that_came() -> None:
    world = World()
    world.play(*WAYS[State.VERIFIED])
    body = world.body(Step.FINALIZE)
    assert isinstance(body, Finalized)
    for wrong in (replace(body, agreement="00" * 32), replace(body, verification=MessageHash("00" * 32))):
        refused(world, P, world.make(P, wrong), AgreementDiffers)


def test_the_end_of_an_agreement_is_no_step_of_its_negotiation() -> None:
    world = World()
    world.play(*TO_FINALIZED)
    body = AgreementTermination(AgreementId("agreement-1"), world.agreed.digest, "BREACH", NOW)
    refused(world, P, world.make(P, body), IllegalMove)


def test_proposals_do_not_go_on_for_ever_and_a_termination_always_can() -> None:
    world = World()
    for number in range(MAX_PROPOSALS):
        world.play((C, Step.REQUEST) if number % 2 == 0 else (P, Step.OFFER))
    refused(world, C, world.make(C, world.body(Step.REQUEST)), TooManyRounds)
    assert world.send(C, world.body(Step.TERMINATE)).state is State.TERMINATED


@pytest.mark.parametrize("state", [state for state in WAYS if state is not None])
def test_a_negotiation_comes_back_from_the_store_as_it_was(state: State) -> None:
    world = World()
    negotiation = world.play(*WAYS[state])
    assert load(decode_object(encode(dump(negotiation)))) == negotiation


@pytest.mark.parametrize(("role", "step"), [(C, Step.REQUEST), (P, Step.OFFER)])
def test_a_stored_negotiation_that_learnt_an_id_from_an_answer_comes_back(role: Role, step: Step) -> None:
    world = World()
    begun = assign_pid(world.play((role, step)), role.other, PIDS[role.other])
    assert load(dump(begun)) == begun
    ending = compose(next_envelope(begun, role, world.stamp()), ContractTermination("OTHER"), KEYS[role])
    ended = advance(begun, role, ending, keys=world.keys, at=NOW)
    assert load(dump(ended)) == ended


def test_a_store_that_was_tampered_with_does_not_give_a_state_that_cannot_be() -> None:
    world = World()
    content = dump(world.play(*TO_FINALIZED))
    entries = content["entries"]
    assert isinstance(entries, list)
    with pytest.raises(ContractError):
        load({**content, "entries": [entries[0], entries[1], entries[3]]})
    with pytest.raises(ContractError):
        load({**content, "entries": []})


def test_a_negotiation_between_two_units_of_one_participant_goes_the_same_way() -> None:
    world = World()
    inside = replace(PARTIES[P], unit=UnitId("roads"))
    first = World().make(C, ContractRequest(PROPOSAL, inside))
    message = compose(replace(first.envelope, sender=PROVIDER), ContractRequest(PROPOSAL, inside), KEYS[P])
    negotiation: Negotiation = world.deliver(C, message)
    agreement = world.agreement(consumer=inside)
    world.deliver(P, world.make(P, ContractAgreement(agreement, sign_agreement(agreement, KEYS[P]))))
    second = ContractVerification(agreement.digest, sign_agreement(agreement, KEYS[P]))
    world.deliver(C, world.make(C, second, signer=KEYS[P]))
    assert world.send(P, world.body(Step.FINALIZE)).state is State.FINALIZED
    assert negotiation.consumer == negotiation.provider == PROVIDER


def test_a_citizen_negotiates_under_a_handle_and_no_name_of_theirs_is_signed() -> None:
    private = key("citizen")
    citizen = Party(CITIZEN, None, ProtectionRole.CONTROLLER, thumbprint(private.public_key()), CITIZENS_LOG)
    world = World(consumer=citizen, consumer_key=private)
    world.keys.hold(CITIZEN, private)
    finalized = world.play(*TO_FINALIZED)
    assert finalized.state is State.FINALIZED
    assert finalized.agreement is not None and finalized.agreement.consumer == citizen
    named = replace(citizen, id=ParticipantId("guest:anna-svensson"))
    with pytest.raises(BadField):
        World(consumer=named, consumer_key=private).make(C, ContractRequest(PROPOSAL, named))
