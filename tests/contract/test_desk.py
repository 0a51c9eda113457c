"""Two desks negotiate over their outboxes: by rule, by hand, with a counter-offer, and through crashes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connector.audit.recorder import Recorder
from connector.contract import desk as desk_module
from connector.contract.agreement import sign_agreement
from connector.contract.desk import KeyReplaced, NoSuchNegotiation, TooManyOpen
from connector.contract.errors import (
    AgreementDiffers,
    ContractError,
    IllegalMove,
    NotThisNegotiation,
    SignByPassed,
    UnknownKey,
)
from connector.contract.force import Evidence, in_force
from connector.contract.liability import Role
from connector.contract.messages import ContractAgreement, compose
from connector.contract.offer import Approval
from connector.contract.states import Stamp, next_envelope
from connector.contract.terms import Period
from connector.store import outbox
from connector.store.database import StoreUnavailable
from ledger.canonical import JSONObject
from ledger.document import BadSignature, SignedDocument, from_json, sign, thumbprint
from ledger.errors import BylagError
from ledger.names import AgreementId, Milliseconds, NegotiationId, ParticipantId
from tests.contract.desks import Desks, Side
from tests.contract.world import (
    CITIZEN,
    CITIZENS_LOG,
    CONSUMER,
    DAY,
    KEYS,
    PROVIDER,
    STRANGER,
    TERMS,
    TO_FINALIZED,
    Directory,
    World,
    key,
)

MEMBERS = Approval(any_member=True)
FINAL = ("FINALIZED", "FINALIZED")


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Desks]:
    desks = Desks(tmp_path, MEMBERS)
    yield desks
    desks.close()


@pytest.fixture
def by_hand(tmp_path: Path) -> Iterator[Desks]:
    desks = Desks(tmp_path)
    yield desks
    desks.close()


def kinds(side: Side) -> list[str]:
    return [leaf["type"] for leaf in side.leaves()][2:]


# --- how an agreement comes about ---------------------------------------------------------------


async def test_by_rule_both_hold_an_agreement_that_both_signed(desks: Desks) -> None:
    await desks.ask()
    desks.carry()
    assert (desks.states(), desks.refused) == (FINAL, [])
    (one,), (other,) = desks.provider.agreements(), desks.consumer.agreements()
    same = ("id", "payload", "provider_jws", "consumer_jws", "acknowledgement")
    assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]
    assert (one.role, other.role) == ("provider", "consumer")
    for side in desks.sides:
        (row,) = [row for row in side.side_rows() if "evidence" in row]
        evidence = Evidence(*(from_json(each) for each in row["evidence"]))
        assert in_force(evidence, desks.keys).agreement.id == one.id
        assert kinds(side) == [*["negotiation"] * 4, "agreement"]


async def test_by_hand_a_person_approves_under_a_mandate_and_both_read_the_words(by_hand: Desks) -> None:
    await by_hand.ask(words="for the winter plan")
    by_hand.carry()
    assert by_hand.states() == ("REQUESTED", "REQUESTED")
    said = {"words": "welcome", "actor": "Clerk 7", "mandate": "delegation 12"}
    await by_hand.provider.desk.approve(by_hand.at_provider, unit=None, beside=said)
    by_hand.carry()
    assert by_hand.states() == FINAL
    for side in by_hand.sides:
        assert side.only.words[:2] == ({"words": "for the winter plan"}, said)
        for secret in ("winter", "welcome", "Clerk", "delegation"):
            assert secret not in str(side.leaves())


async def test_a_counter_offer_is_accepted_and_signed_as_it_was_countered(by_hand: Desks) -> None:
    await by_hand.ask()
    by_hand.carry()
    dearer = replace(by_hand.published.proposal, terms=replace(TERMS, windows=2))
    await by_hand.provider.desk.counter(by_hand.at_provider, dearer, unit=None, beside={"words": "less"})
    by_hand.carry()
    assert by_hand.states() == ("OFFERED", "OFFERED")
    await by_hand.consumer.desk.approve(by_hand.consumer.only.id, unit=None, beside={})
    by_hand.carry()
    assert by_hand.states() == FINAL
    assert {row.windows for side in by_hand.sides for row in side.agreements()} == {2}


async def test_an_offer_to_somebody_who_did_not_ask(by_hand: Desks) -> None:
    await by_hand.provider.desk.offer(CONSUMER, by_hand.published.proposal)
    by_hand.carry()
    assert by_hand.states() == ("OFFERED", "OFFERED")
    await by_hand.consumer.desk.approve(by_hand.consumer.only.id, unit=None, beside={})
    by_hand.carry()
    assert by_hand.states() == FINAL


async def test_the_number_that_a_message_promises_is_where_its_record_stands(desks: Desks) -> None:
    await desks.ask()
    desks.carry()
    for side in desks.sides:
        promised = {
            entry.message.digest: entry.message.envelope.aseq
            for entry in side.only.negotiation.history
            if entry.message.envelope.sender == side.me
        }
        stood = {leaf["message"]: leaf["aseq"] for leaf in side.leaves() if "message" in leaf}
        assert promised == stood


# --- how it ends --------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["provider", "consumer"])
async def test_either_ends_a_negotiation_with_a_code_and_words_that_both_read(
    by_hand: Desks, who: str
) -> None:
    await by_hand.ask()
    by_hand.carry()
    side = getattr(by_hand, who)
    words = {"words": "the budget was cut"}
    await side.desk.terminate(side.only.id, "NO_LONGER_NEEDED", beside=words)
    by_hand.carry()
    assert by_hand.states() == ("TERMINATED", "TERMINATED")
    for each in by_hand.sides:
        assert each.only.negotiation.termination == (Role(who), "NO_LONGER_NEEDED")
        assert each.only.words[-1] == words
        assert "budget" not in str(each.leaves())
    with pytest.raises(IllegalMove):
        await by_hand.provider.desk.approve(by_hand.at_provider, unit=None, beside={})


@pytest.mark.parametrize("who", ["provider", "consumer"])
async def test_either_ends_an_agreement_and_both_bar_it_at_once(desks: Desks, who: str) -> None:
    await desks.ask()
    desks.carry()
    side: Side = getattr(desks, who)
    (row,) = side.agreements()
    await side.desk.end_agreement(AgreementId(row.id), "BREACH", beside={"words": "see the letter"})
    assert side.barred == [(row.id, "AGREEMENT_TERMINATED")]
    desks.carry()
    for each in desks.sides:
        (held,) = each.agreements()
        assert (held.state, held.end_code) == ("terminated", "BREACH")
        assert (row.id, "AGREEMENT_TERMINATED") in each.barred
        assert kinds(each)[-1] == "termination"
        assert "letter" not in str(each.leaves())
        with pytest.raises(IllegalMove):
            await each.desk.end_agreement(AgreementId(row.id), "OTHER", beside={})


async def test_an_agreement_is_barred_also_when_its_end_cannot_be_written(
    desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desks.ask()
    desks.carry()
    (row,) = desks.provider.agreements()

    def full(*_: Any) -> Any:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(outbox, "put", full)
    with pytest.raises(StoreUnavailable):
        await desks.provider.desk.end_agreement(AgreementId(row.id), "BREACH", beside={})
    assert desks.provider.barred == [(row.id, "AGREEMENT_TERMINATED")]
    assert desks.provider.agreements()[0].state == "active"


async def test_when_its_period_is_over_an_agreement_is_expired_with_a_record(desks: Desks) -> None:
    await desks.ask()
    desks.carry()

    def expire(side: Side) -> int:
        return side.writer.submit(side.desk.agreements.expire).result()

    assert [expire(side) for side in desks.sides] == [0, 0]
    end = TERMS.period.end
    assert end is not None
    desks.ambient.advance(end - desks.ambient.now() - 1)
    assert [expire(side) for side in desks.sides] == [0, 0]
    desks.ambient.advance(1)
    for side in desks.sides:
        assert [expire(side), expire(side)] == [1, 0]
        (row,) = side.agreements()
        assert (row.state, row.end_code, row.ended) == ("expired", "PERIOD_ENDED", desks.ambient.now())
        leaf = side.leaves()[-1]
        assert (leaf["type"], leaf["code"], leaf["agreement"], leaf["until"]) == (
            "expiry",
            "PERIOD_ENDED",
            row.id,
            end,
        )
        assert side.barred[-1][0] == row.id
        side.restart()
        assert expire(side) == 0


async def test_an_agreement_without_an_end_does_not_expire(tmp_path: Path) -> None:
    desks = Desks(tmp_path, MEMBERS)
    endless = replace(TERMS, period=Period(Milliseconds(desks.ambient.now()), None))
    desks.published = replace(desks.published, terms=endless)
    for side in desks.sides:
        side.published = desks.published
    try:
        await desks.ask()
        desks.carry()
        desks.ambient.advance(100 * 365 * DAY)
        assert desks.provider.writer.submit(desks.provider.desk.agreements.expire).result() == 0
        assert desks.provider.agreements()[0].state == "active"
    finally:
        desks.close()


# --- what is sent twice, late, or by somebody else -------------------------------------------------


def everything_said(side: Side) -> list[tuple[SignedDocument, Any]]:
    entries = side.only.negotiation.history
    rows = [row for row in side.side_rows() if "said" in row]
    openings = {row["said"]["jws"]: row.get("beside", {}) for row in rows}
    return [
        (entry.message.document, openings[entry.message.document.jws])
        for entry in entries
        if entry.message.envelope.sender == side.me
    ]


async def test_whatever_is_delivered_again_changes_nothing(desks: Desks) -> None:
    await desks.ask(words="please")
    desks.carry()
    before = [(side.leaves(), side.only, side.agreements()) for side in desks.sides]
    for giver, taker in (desks.sides, desks.sides[::-1]):
        for document, opening in everything_said(giver):
            taker.takes(giver.me, document, opening)
    assert [(side.leaves(), side.only, side.agreements()) for side in desks.sides] == before
    assert desks.carry() == 0


async def test_a_message_counts_only_from_its_sender_to_its_recipient_in_its_space(by_hand: Desks) -> None:
    await by_hand.ask()
    (notice,) = by_hand.consumer.waiting(PROVIDER)
    content = notice.document.content()
    other = "did:web:other.example"
    for changed, field in (
        ({"sender": other}, "sender"),
        ({"recipient": other}, "recipient"),
        ({"space": "another-space"}, "space"),
    ):
        forged = sign({**content, **changed}, KEYS[Role.CONSUMER])
        with pytest.raises(NotThisNegotiation) as refused:
            by_hand.provider.takes(CONSUMER, forged, notice.opening)
        assert refused.value.field == field
    with pytest.raises(NotThisNegotiation):
        by_hand.provider.takes(ParticipantId(other), notice.document, notice.opening)
    with pytest.raises((BadSignature, ContractError)):
        by_hand.provider.takes(CONSUMER, sign(content, STRANGER), notice.opening)
    assert by_hand.provider.desk.all() == []
    assert kinds(by_hand.provider) == []


async def test_words_that_are_not_the_ones_committed_to_are_refused(by_hand: Desks) -> None:
    await by_hand.ask(words="for the winter plan")
    (notice,) = by_hand.consumer.waiting(PROVIDER)
    words = notice.opening["words"]
    assert isinstance(words, dict)
    forged: JSONObject = {**notice.opening, "words": {**words, "value": "for nothing at all"}}
    for opening in (forged, {"actor": words}):
        with pytest.raises(BylagError):
            by_hand.provider.takes(CONSUMER, notice.document, opening)
    assert by_hand.provider.desk.all() == []


async def test_a_second_signature_after_sign_by_makes_no_agreement(desks: Desks) -> None:
    await desks.ask()
    desks.carry(steps=2)  # the request, and the agreement that the provider signed
    assert desks.states() == ("AGREED", "VERIFIED")
    desks.ambient.advance(8 * DAY)
    desks.carry()
    (refusal,) = desks.refused
    assert isinstance(refusal.error, SignByPassed)
    assert desks.states() == ("AGREED", "VERIFIED")
    assert [side.agreements() for side in desks.sides] == [[], []]
    await desks.provider.desk.terminate(desks.at_provider, "SIGN_BY_PASSED", beside={})
    desks.carry()
    assert desks.states() == ("TERMINATED", "TERMINATED")


async def test_an_agreement_that_arrives_after_sign_by_is_not_signed(desks: Desks) -> None:
    await desks.ask()
    desks.carry(steps=1)
    desks.ambient.advance(8 * DAY)
    desks.carry()
    assert isinstance(desks.refused[0].error, SignByPassed)
    assert desks.states() == ("AGREED", "REQUESTED")
    assert [side.agreements() for side in desks.sides] == [[], []]


async def test_an_id_that_an_agreement_has_is_not_signed_again(desks: Desks) -> None:
    """A provider that gives a second agreement the first one's id would put both into one chain."""
    await desks.ask()
    desks.carry()
    (held,) = desks.consumer.agreements()
    second = await desks.ask()
    request = desks.consumer.waiting(PROVIDER)[0]
    desks.provider.takes(CONSUMER, request.document, request.opening)
    provider_view = next(s for s in desks.provider.desk.all() if s.negotiation.state.value == "AGREED")
    negotiation, agreement = provider_view.negotiation, provider_view.negotiation.agreement
    assert agreement is not None
    before = replace(negotiation, history=negotiation.history[:1], agreement=None)
    twin = replace(agreement, id=AgreementId(held.id))
    body = ContractAgreement(twin, sign_agreement(twin, KEYS[Role.PROVIDER]))
    sent = negotiation.history[-1].message.envelope
    envelope = replace(next_envelope(before, Role.PROVIDER, _stamp(sent)), provider_pid=provider_view.id)
    with pytest.raises(AgreementDiffers) as refused:
        desks.consumer.takes(PROVIDER, compose(envelope, body, KEYS[Role.PROVIDER]).document, {})
    assert refused.value.field == "agreement.id"
    assert desks.consumer.desk.get(second.id).negotiation.state.value == "REQUESTED"
    assert len(desks.consumer.agreements()) == 1


def _stamp(envelope: Any) -> Any:
    return Stamp(envelope.list, envelope.aseq, envelope.head, envelope.time)


# --- who is in no good standing ----------------------------------------------------------------------


async def test_no_rule_answers_somebody_who_was_removed(desks: Desks) -> None:
    """The outbox's lane stays open to a removed member: what protects comes on it, and no agreement does."""
    await desks.ask()
    desks.provider.inactive.add(CONSUMER)
    desks.carry()
    assert desks.states() == ("REQUESTED", "REQUESTED")
    assert desks.provider.waiting(CONSUMER) == []


async def test_nothing_is_signed_with_a_provider_who_was_removed_and_a_person_can_go_on_later(
    desks: Desks,
) -> None:
    await desks.ask()
    desks.consumer.inactive.add(PROVIDER)
    desks.carry()
    assert desks.states() == ("AGREED", "AGREED")
    desks.consumer.inactive.clear()
    desks.provider.inactive.add(CONSUMER)
    await desks.consumer.desk.approve(desks.consumer.only.id, unit=None, beside={})
    desks.carry()
    assert desks.states() == ("VERIFIED", "VERIFIED")
    desks.provider.inactive.clear()
    await desks.provider.desk.approve(desks.at_provider, unit=None, beside={})
    desks.carry()
    assert desks.states() == FINAL


async def test_whoever_was_removed_can_still_end_what_they_agreed_to(desks: Desks) -> None:
    await desks.ask()
    desks.carry()
    desks.provider.inactive.add(CONSUMER)
    (row,) = desks.consumer.agreements()
    await desks.consumer.desk.end_agreement(AgreementId(row.id), "NO_LONGER_NEEDED", beside={})
    desks.carry()
    assert [side.agreements()[0].state for side in desks.sides] == ["terminated", "terminated"]


async def test_one_peer_has_so_many_negotiations_open_and_no_more(
    by_hand: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "MOST_OPEN", 3)
    for _ in range(4):
        await by_hand.ask()
    by_hand.carry()
    assert [type(each.error) for each in by_hand.refused] == [TooManyOpen]
    held = by_hand.provider.desk.all()
    assert len(held) == 3
    await by_hand.provider.desk.terminate(held[0].id, "OTHER", beside={})
    by_hand.carry()
    await by_hand.ask()
    by_hand.carry()
    assert len(by_hand.refused) == 1


# --- crashes --------------------------------------------------------------------------------------------


async def test_a_restart_of_both_between_any_two_steps_changes_nothing(desks: Desks) -> None:
    await desks.ask(words="please")

    def restart() -> None:
        for side in desks.sides:
            side.restart()

    desks.carry(between=restart)
    assert (desks.states(), desks.refused) == (FINAL, [])
    for side in desks.sides:
        assert kinds(side) == [*["negotiation"] * 4, "agreement"]
        assert side.only.words[0] == {"words": "please"}


@pytest.mark.parametrize("at", range(7))
async def test_a_step_that_fails_in_the_middle_leaves_nothing_and_is_done_again(
    desks: Desks, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever record it is that cannot be written: state, record and answer go together."""
    record = Recorder.record
    written = 0

    def failing(self: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal written
        written += 1
        recorded = record(self, *arguments, **named)
        if written == at + 1:
            raise StoreUnavailable("the disk is full")
        return recorded

    monkeypatch.setattr(Recorder, "record", failing)
    asked = False
    while not asked:
        try:
            await desks.ask()
            asked = True
        except StoreUnavailable:
            assert desks.consumer.desk.all() == []
            assert kinds(desks.consumer) == []
    for _ in range(20):
        held = [(side.leaves(), side.desk.all()) for side in desks.sides]
        for giver, taker in (desks.sides, desks.sides[::-1]):
            for notice in giver.waiting(taker.me)[:1]:

                def take(tx: Any, giver: Side = giver, taker: Side = taker, notice: Any = notice) -> None:
                    if outbox.take(tx, giver.me, notice.number):
                        taker.desk.take(tx, giver.me, notice.document, notice.opening)

                try:
                    taker.writer.submit(take).result()
                except StoreUnavailable:
                    assert [(side.leaves(), side.desk.all()) for side in desks.sides] == held
                    taker.writer.submit(take).result()
                passed = partial(outbox.delivered, peer=taker.me, number=notice.number)
                giver.writer.submit(passed).result()
                held = [(side.leaves(), side.desk.all()) for side in desks.sides]
    assert desks.states() == FINAL
    for side in desks.sides:
        assert kinds(side) == [*["negotiation"] * 4, "agreement"]


# --- people ------------------------------------------------------------------------------------------------


async def test_of_a_negotiation_with_a_person_nothing_that_leads_to_them_stands_in_a_leaf(
    tmp_path: Path,
) -> None:
    desks = Desks(tmp_path, MEMBERS)
    try:
        desks.provider.persons.add(CITIZEN)
        consumer = desks.consumer
        person = key("citizen")
        desks.keys.hold(CITIZEN, person)
        await desks.ask()
        (notice,) = consumer.waiting(PROVIDER)
        content = notice.document.content()
        assert isinstance(content["party"], dict)
        party = {**content["party"], "id": CITIZEN, "unit": None, "key": _thumbprint(person)}
        party["log"] = CITIZENS_LOG.members()
        asked = sign({**content, "sender": CITIZEN, "party": party}, person)
        desks.provider.takes(CITIZEN, asked, notice.opening)
        await desks.provider.desk.approve(desks.at_provider, unit=None, beside={"actor": "Clerk 7"})
        standing = desks.provider.only
        assert standing.negotiation.state.value == "AGREED"
        agreement = standing.negotiation.agreement
        assert agreement is not None
        told = str(desks.provider.leaves())
        for secret in (
            CITIZEN,
            CITIZEN.removeprefix("guest:"),
            standing.id,
            agreement.id,
            asked.digest,
            asked.jws.rpartition(".")[2],
            _thumbprint(person),
            CITIZENS_LOG.origin,
            CITIZENS_LOG.key,
        ):
            assert secret not in told
        assert len(desks.provider.side_rows(CITIZEN)) == 2
        assert desks.provider.side_rows() == []
    finally:
        desks.close()


def _thumbprint(private: Any) -> str:
    return thumbprint(private.public_key())


async def test_what_is_not_there_is_named_as_such(desks: Desks) -> None:
    with pytest.raises(NoSuchNegotiation):
        desks.provider.desk.get(NegotiationId("nothing"))
    with pytest.raises(NoSuchNegotiation):
        await desks.provider.desk.approve(NegotiationId("nothing"), unit=None, beside={})


# --- a key that is replaced meanwhile ----------------------------------------------------------------


async def test_a_consumer_whose_key_was_replaced_signs_nothing_and_ends_the_negotiation(desks: Desks) -> None:
    """The agreement names the old key; a signature by another would count for nothing."""
    await desks.ask()
    replace_key(desks.consumer)
    desks.carry()
    assert desks.refused == []
    assert desks.states() == ("TERMINATED", "TERMINATED")
    assert desks.consumer.agreements() == desks.provider.agreements() == []
    (ending,) = [leaf for leaf in desks.provider.leaves() if leaf.get("code") == "TERMINATED"]
    assert ending["type"] == "negotiation"


async def test_a_provider_whose_key_was_replaced_does_not_agree_with_what_it_offered_before(
    by_hand: Desks,
) -> None:
    provider, consumer = by_hand.sides
    await provider.desk.offer(CONSUMER, by_hand.published.proposal)
    by_hand.carry()
    await consumer.desk.approve(consumer.only.id, unit=None, beside={})
    replace_key(provider)
    by_hand.carry()
    assert by_hand.refused == []
    assert by_hand.states() == ("TERMINATED", "TERMINATED")


async def test_a_person_is_told_to_begin_another_negotiation(by_hand: Desks) -> None:
    by_hand.consumer.inactive.add(PROVIDER)
    await by_hand.ask()
    by_hand.carry()
    await by_hand.provider.desk.approve(by_hand.at_provider, unit=None, beside={})
    by_hand.carry()
    replace_key(by_hand.consumer)
    with pytest.raises(KeyReplaced) as told:
        await by_hand.consumer.desk.approve(by_hand.consumer.only.id, unit=None, beside={})
    assert "Terminate" in told.value.next_step
    assert by_hand.states() == ("AGREED", "AGREED")


def replace_key(side: Side) -> None:
    """The next key is in use, and the directory knows it."""
    private = key(f"{side.me}, the next")
    side.keys.hold(side.me, private)
    side.signing = private


async def test_what_could_not_be_shown_to_an_auditor_does_not_begin(desks: Desks) -> None:
    """Each message was verified as it came; the three are verified together before an agreement exists."""
    agreements = desks.provider.desk.agreements
    finalized = World().play(*TO_FINALIZED)
    agreements._speaker = replace(agreements._speaker, keys=Directory())
    begin = partial(agreements.put_in_force, negotiation=finalized, role=Role.PROVIDER, peer=CONSUMER)
    with pytest.raises(UnknownKey):
        desks.provider.writer.submit(begin).result()
    assert desks.provider.agreements() == []
