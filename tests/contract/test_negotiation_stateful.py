"""No sequence of messages leads a negotiation where the Dataspace Protocol does not let it go."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from connector.contract.agreement import sign_agreement
from connector.contract.errors import ContractError
from connector.contract.liability import Role
from connector.contract.messages import (
    ContractAgreement,
    ContractVerification,
    Message,
    Step,
    compose,
    read_message,
)
from connector.contract.states import TRANSITIONS, State
from connector.contract.stored import dump, load
from ledger.document import BadSignature, SignedDocument, from_base64url, to_base64url
from tests.contract.world import CONSUMER, KEYS, PARTIES, PIDS, PROVIDER, STRANGER, C, P, World

DIAGRAM = """
    NEW       C REQUEST   REQUESTED
    NEW       P OFFER     OFFERED
    REQUESTED P OFFER     OFFERED
    REQUESTED P AGREE     AGREED
    REQUESTED C TERMINATE TERMINATED
    REQUESTED P TERMINATE TERMINATED
    OFFERED   C REQUEST   REQUESTED
    OFFERED   C ACCEPT    ACCEPTED
    OFFERED   C TERMINATE TERMINATED
    OFFERED   P TERMINATE TERMINATED
    ACCEPTED  P AGREE     AGREED
    ACCEPTED  C TERMINATE TERMINATED
    ACCEPTED  P TERMINATE TERMINATED
    AGREED    C VERIFY    VERIFIED
    AGREED    C TERMINATE TERMINATED
    AGREED    P TERMINATE TERMINATED
    VERIFIED  P FINALIZE  FINALIZED
    VERIFIED  P TERMINATE TERMINATED
"""
"""The standard's diagram, written down apart from the code, with its text's "any state" for terminations."""

ALLOWED = {
    (before, sender, step): after
    for before, sender, step, after in (line.split() for line in DIAGRAM.strip().splitlines())
}

SIGNERS: dict[str, Ed25519PrivateKey] = {"consumer": KEYS[C], "provider": KEYS[P], "stranger": STRANGER}


def test_the_table_is_the_diagram() -> None:
    written = {
        (state.value if state else "NEW", role.value[0].upper(), step.name): after.value
        for (state, role, step), after in TRANSITIONS.items()
    }
    assert written == ALLOWED


Given = tuple[Role, Message]


class Negotiating(RuleBasedStateMachine):
    """Two parties, a stranger and a network that repeats, reorders and alters."""

    messages: Bundle[Given] = Bundle("messages")

    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.state = "NEW"

    @rule(
        target=messages,
        role=st.sampled_from(Role),
        step=st.sampled_from(Step),
        signer=st.sampled_from(["own", "own", "own", "other", "stranger"]),
        inner=st.sampled_from(["own", "own", "own", "other", "stranger", "elsewhere"]),
    )
    def write(self, role: Role, step: Step, signer: str, inner: str) -> Given:
        """Somebody writes a message as if it were ``role``'s, signed with some key within and without."""
        body = self.world.body(step)
        if isinstance(body, ContractAgreement | ContractVerification):
            agreement = self.world.agreed if isinstance(body, ContractVerification) else body.agreement
            signed = replace(agreement, nonce="99" * 32) if inner == "elsewhere" else agreement
            body = replace(body, signature=sign_agreement(signed, self._key(role, inner)))
        return role, self.world.make(role, body, signer=self._key(role, signer))

    @rule(target=messages, role=st.sampled_from(Role), given_message=messages)
    def claim(self, role: Role, given_message: Given) -> Given:
        """A message is delivered as if the other side had sent it."""
        return role, given_message[1]

    @rule(
        target=messages,
        given_message=messages,
        part=st.integers(0, 1),
        place=st.integers(0, 10_000),
        bit=st.integers(0, 7),
    )
    def alter(self, given_message: Given, part: int, place: int, bit: int) -> Given | MultipleResults[Given]:
        """A bit flips on the way."""
        role, message = given_message
        payload, jws = message.document.payload, message.document.jws
        if part == 0:
            payload = _flipped(payload, place, bit)
        else:
            protected, _, signature = jws.split(".")
            jws = f"{protected}..{to_base64url(_flipped(from_base64url(signature), place, bit))}"
        try:
            return role, read_message(SignedDocument(payload, jws))
        except Exception as error:  # noqa: BLE001 - what is asserted is that it is one of ours
            assert type(error).__module__.startswith(("ledger.", "connector.contract.")), repr(error)
            return multiple()

    @rule(given_message=messages)
    def deliver(self, given_message: Given) -> None:
        self._deliver(*given_message)

    @rule(given_message=consumes(messages), times=st.integers(2, 3))
    def repeat(self, given_message: tuple[Role, Message], times: int) -> None:
        for _ in range(times):
            self._deliver(*given_message)

    @rule(chosen=st.integers(0, 5), end=st.integers(0, 4))
    def act(self, chosen: int, end: int) -> None:
        """A party does what it may, properly: so that runs get to the end."""
        moves = sorted(move for move in ALLOWED if move[0] == self.state)
        if end:
            moves = [move for move in moves if move[2] != "TERMINATE"]
        if moves:
            move = moves[chosen % len(moves)]
            role = C if move[1] == "C" else P
            self._deliver(role, self.world.make(role, self.world.body(Step[move[2]])))
            assert self.state == ALLOWED[move]

    @rule()
    def come_back_from_the_store(self) -> None:
        if self.world.negotiation is not None:
            assert load(dump(self.world.negotiation)) == self.world.negotiation

    @invariant()
    def nothing_is_finalized_without_two_signatures(self) -> None:
        negotiation = getattr(self, "world", World()).negotiation
        if negotiation is None or negotiation.state is not State.FINALIZED:
            return
        assert negotiation.agreement is not None
        payload = negotiation.agreement.payload
        for role, jws in ((P, negotiation.provider_signature), (C, negotiation.consumer_signature)):
            assert jws is not None
            protected, _, signature = jws.split(".")
            signed = f"{protected}.{to_base64url(payload)}".encode()
            # By the library alone, not through anything that is tested here.
            KEYS[role].public_key().verify(from_base64url(signature), signed)

    def _deliver(self, role: Role, message: Message) -> None:
        before = self.world.negotiation
        try:
            after = self.world.deliver(role, message)
        except (ContractError, BadSignature):
            assert self.world.negotiation is before
            return
        if after is before:
            assert before is not None and before.knows(message)
            return
        step = message.body.step
        assert step is not None
        move = (self.state, role.value[0].upper(), step.name)
        assert move in ALLOWED, f"{move} is not in the diagram"
        assert after.state.value == ALLOWED[move]
        assert message.envelope.sender == (CONSUMER if role is C else PROVIDER)
        self.state = after.state.value

    def _key(self, role: Role, signer: str) -> Ed25519PrivateKey:
        if signer == "stranger":
            return STRANGER
        return KEYS[role.other if signer == "other" else role]


Negotiating.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestNegotiating = Negotiating.TestCase


def _flipped(data: bytes, place: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[place % len(changed)] ^= 1 << bit
    return bytes(changed)


Views = tuple[State | None, State | None, tuple[Step, ...], tuple[Step, ...]]


def ends(table: dict[tuple[State | None, Role, Step], State]) -> set[tuple[State | None, State | None]]:
    """Every pair of states in which consumer and provider can come to rest, whatever crosses on the way.

    Each side moves by the table on what it sends and on what reaches it, in order; a refused message
    is dropped. At rest nothing is on the way.
    """
    start: Views = (None, None, (), ())
    seen, queue, found = {start}, deque([start]), set()
    while queue:
        consumer, provider, to_provider, to_consumer = queue.popleft()
        if not to_provider and not to_consumer:
            found.add((consumer, provider))
        following: list[Views] = []
        for (state, role, step), after in table.items():
            if role is C and state is consumer and (state is not None or provider is None):
                following.append((after, provider, (*to_provider, step), to_consumer))
            if role is P and state is provider and (state is not None or consumer is None):
                following.append((consumer, after, to_provider, (*to_consumer, step)))
        if to_provider:
            moved = table.get((provider, C, to_provider[0]), provider)
            following.append((consumer, moved, to_provider[1:], to_consumer))
        if to_consumer:
            moved = table.get((consumer, P, to_consumer[0]), consumer)
            following.append((moved, provider, to_provider, to_consumer[1:]))
        for views in following:
            both_began = {Step.REQUEST, Step.OFFER} <= {*views[2], *views[3]} and None in (consumer, provider)
            if views not in seen and not both_began:
                seen.add(views)
                queue.append(views)
    return found


def test_whatever_crosses_on_the_way_both_sides_end_alike() -> None:
    assert {pair for pair in ends(dict(TRANSITIONS)) if pair[0] is not pair[1]} == set()


def test_a_consumer_that_could_terminate_after_signing_would_part_the_two_ends() -> None:
    loose = {**TRANSITIONS, (State.VERIFIED, C, Step.TERMINATE): State.TERMINATED}
    assert (State.TERMINATED, State.FINALIZED) in ends(loose)


@pytest.mark.parametrize("step", [Step.AGREE, Step.VERIFY])
def test_every_bit_of_a_signature_over_the_agreement_counts(step: Step) -> None:
    world = World()
    world.play((C, Step.REQUEST))
    if step is Step.VERIFY:
        world.play((P, Step.AGREE))
    role = P if step is Step.AGREE else C
    body = world.body(step)
    assert isinstance(body, ContractAgreement | ContractVerification)
    protected, _, signature = body.signature.split(".")
    before = world.negotiation
    for place in range(0, 64, 7):
        bad = f"{protected}..{to_base64url(_flipped(from_base64url(signature), place, place % 8))}"
        with pytest.raises(BadSignature):
            world.deliver(role, world.make(role, replace(body, signature=bad)))
        assert world.negotiation is before


def test_the_agreements_digest_is_the_hash_of_what_was_signed() -> None:
    world = World()
    finalized = world.play((C, Step.REQUEST), (P, Step.AGREE), (C, Step.VERIFY), (P, Step.FINALIZE))
    assert finalized.agreement is not None
    assert finalized.agreement.digest == hashlib.sha256(finalized.agreement.payload).hexdigest()
    assert {finalized.pid(role) for role in Role} == set(PIDS.values())
    assert finalized.consumer_party == PARTIES[C]


def test_a_message_cannot_be_made_that_could_not_be_read() -> None:
    world = World()
    envelope = world.make(C, world.body(Step.REQUEST)).envelope
    with pytest.raises(Exception, match="aseq"):
        compose(replace(envelope, aseq=0), world.body(Step.REQUEST), KEYS[C])
