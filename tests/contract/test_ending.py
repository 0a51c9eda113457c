"""Either party ends an agreement alone, with a reason, and nobody else does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connector.contract.ending import Ending, ending_of
from connector.contract.errors import AgreementDiffers, ForgedSender, IllegalMove, KeyNotValid, UnknownKey
from connector.contract.liability import Role
from connector.contract.messages import AgreementTermination, Body, Message, Step, compose
from connector.contract.states import next_envelope
from ledger.document import BadSignature, SignedDocument
from ledger.names import AgreementId, Milliseconds, ParticipantId
from tests.contract.world import CONSUMER, DAY, KEYS, NOW, STRANGER, TO_FINALIZED, C, P, World

ENDS = Milliseconds(NOW + DAY)


def finalized() -> tuple[World, AgreementTermination]:
    world = World()
    world.play(*TO_FINALIZED)
    agreement = world.agreed
    return world, AgreementTermination(agreement.id, agreement.digest, "BREACH", ENDS)


def written(
    world: World, role: Role, body: Body, *, signer: Ed25519PrivateKey | None = None, **changes: Any
) -> Message:
    assert world.negotiation is not None
    envelope = replace(next_envelope(world.negotiation, role, world.stamp()), **changes)
    return compose(envelope, body, signer or KEYS[role])


@pytest.mark.parametrize("role", list(Role))
def test_either_party_ends_it_with_a_code(role: Role) -> None:
    world, body = finalized()
    message = written(world, role, body)
    assert ending_of(world.agreed, role, message, keys=world.keys, at=NOW) == Ending(role, "BREACH", ENDS)


def test_an_end_in_the_past_is_at_once() -> None:
    world, body = finalized()
    message = written(world, C, replace(body, ends=Milliseconds(0)))
    assert ending_of(world.agreed, C, message, keys=world.keys, at=NOW).ends == NOW


def test_the_end_of_another_agreement_does_not_end_this_one() -> None:
    world, body = finalized()
    for wrong in (replace(body, agreement=AgreementId("agreement-2")), replace(body, contract="00" * 32)):
        with pytest.raises(AgreementDiffers):
            ending_of(world.agreed, C, written(world, C, wrong), keys=world.keys, at=NOW)
    with pytest.raises(AgreementDiffers):
        ending_of(world.agreed, C, written(world, C, body, space="elsewhere"), keys=world.keys, at=NOW)


def test_nobody_ends_it_in_anothers_name() -> None:
    world, body = finalized()
    third = ParticipantId("did:web:third.example")
    world.keys.hold(third, STRANGER)
    for message, error in (
        (written(world, C, body, signer=STRANGER), UnknownKey),
        (written(world, C, body, signer=STRANGER, sender=third), ForgedSender),
        (written(world, C, body, recipient=third), ForgedSender),
        (written(world, P, body), ForgedSender),
    ):
        with pytest.raises(error):
            ending_of(world.agreed, C, message, keys=world.keys, at=NOW)


def test_a_changed_end_or_an_ended_key_is_refused() -> None:
    world, body = finalized()
    message = written(world, C, body)
    payload = message.document.payload.replace(b"BREACH", b"OTHERS").replace(b"OTHERS", b"OTHER")
    changed = replace(message, document=SignedDocument(payload, message.document.jws))
    with pytest.raises(BadSignature):
        ending_of(world.agreed, C, changed, keys=world.keys, at=NOW)
    world.keys.hold(CONSUMER, KEYS[C], until=NOW)
    with pytest.raises(KeyNotValid):
        ending_of(world.agreed, C, message, keys=world.keys, at=NOW)


def test_a_message_of_the_negotiation_ends_no_agreement() -> None:
    world, _ = finalized()
    assert world.negotiation is not None
    request = world.negotiation.message(Step.REQUEST)
    assert request is not None
    with pytest.raises(IllegalMove):
        ending_of(world.agreed, C, request, keys=world.keys, at=NOW)
