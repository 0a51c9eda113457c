"""Duties as tracked tasks: both sides have the same ones, and what is overdue bars the next release."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector.contract.duties import CannotReport, NoSuchDuty, NotEnough
from connector.contract.errors import AgreementDiffers, ForgedSender, IllegalMove, UnknownKey
from connector.contract.messages import DutyAnswered, DutyReported, Infringed
from connector.contract.tasks import leaf_name
from connector.exchange import discard as discarding
from connector.exchange.ground import Denied
from connector.exchange.use import Discarded, record_use
from ledger.commitment import BadOpening
from ledger.document import BadSignature, SignedDocument
from ledger.leaf import validate
from ledger.names import DataSpaceId, MessageHash, ParticipantId
from tests.exchange.owing import (
    CONSENT,
    DAY,
    DELETE,
    GRACE,
    PAY,
    Owing,
    OwingWorld,
    document,
    owed,
    within,
)
from tests.exchange.settling import small_windows
from tests.exchange.world import AGREEMENT, CONSUMER, PROVIDER, Rule
from tests.security.dealing import deal

Make = Callable[..., OwingWorld]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.setattr("connector.exchange.provider.WindowMaker", small_windows)
    made: list[OwingWorld] = []

    def world(**policy: Any) -> OwingWorld:
        made.append(OwingWorld(tmp_path, document(**policy)))
        return made[0]

    yield world
    for each in made:
        for side in each.both:
            for leaf in side.party.leaves():
                validate(leaf)
                assert not any(word in str(leaf) for word in ("tell nobody", "transfer 4711"))
        each.close()


def denied(outcome: Any) -> str | None:
    return outcome.consumer.reason if isinstance(outcome.consumer, Denied) else None


def agree(world: OwingWorld) -> None:
    """Both have the same tasks in the same states, and both ledgers tell of the same."""
    here, there = (
        [(row.id, row.arisen, row.due, row.state, row.late, row.report, row.accepted) for row in side.tasks()]
        for side in world.both
    )
    assert here == there
    assert world.giver.told() == world.taker.told()


# --- how a duty arises ------------------------------------------------------------------------------


async def test_each_exchange_brings_the_same_duty_to_both_sides(make: Make) -> None:
    world = make(duty=[DELETE])
    assert world.giver.tasks() == []
    first, second = await world.exchange(), await world.exchange()
    assert (denied(first), denied(second)) == (None, None)
    for side in world.both:
        rows = side.tasks()
        assert [row.exchange for row in rows] == [first.exchange, second.exchange]
        assert {(row.owed_by, row.action, row.state, row.kind) for row in rows} == {
            ("consumer", "delete", "pending", "duty")
        }
        assert {(row.due or 0) - row.arisen for row in rows} == {30 * DAY}
    agree(world)
    (leaf, _) = [leaf for leaf in world.giver.party.leaves() if leaf["type"] == "duty"]
    assert (leaf["code"], leaf["duty"]) == ("ARISEN", leaf_name("urn:x:delete"))
    assert leaf["exchange"] == first.exchange


async def test_a_resumed_exchange_brings_its_duties_once(make: Make) -> None:
    world = make(duty=[DELETE])
    broken = await deal(world, consumer_says=_until_accepted())
    assert world.taker.states() == {"delete": "pending"}
    await deal(world, resume=broken.exchange)
    assert [row.exchange for row in world.giver.tasks()] == [broken.exchange]
    agree(world)


def _until_accepted() -> Callable[[Any], Any]:
    """The consumer's stream breaks when its Accept is recorded, before it is sent."""
    said = []

    def tamper(message: Any) -> Any:
        said.append(message)
        if len(said) == 2:
            raise _Broken
        return message

    return tamper


class _Broken(Denied):
    def __init__(self) -> None:
        super().__init__("BROKEN")


def test_what_is_owed_once_is_owed_with_the_agreement(make: Make) -> None:
    world = make(
        duty=[CONSENT, DELETE],
        obligation=[owed("tell", "inform", constraint=within("P1D"))],
        prohibition=[{"@id": "urn:x:sale", "action": "sell", "remedy": [PAY]}],
    )
    assert world.giver.states() == {"consent": "pending", "tell": "pending"}
    agree(world)
    now = world.provider.ambient.now()
    world.giver.do(lambda tx: world.giver.duties.tasks.agreed(tx, AGREEMENT, now))
    agree(world)


async def test_only_the_permission_that_an_exchange_can_rest_on_asks_something_for_it(make: Make) -> None:
    other = {"leftOperand": "purpose", "operator": "isA", "rightOperand": "https://w3id.org/dpv#Marketing"}
    world = make(
        permission=[
            {"action": "use"},
            {"action": "use", "constraint": [other], "duty": [owed("credit", "attribute")]},
            {"action": "distribute", "duty": [owed("notice", "inform")]},
        ]
    )
    await world.exchange()
    assert world.giver.tasks() == world.taker.tasks() == []


# --- overdue ----------------------------------------------------------------------------------------


async def test_what_is_overdue_bars_the_next_release_until_it_is_done(make: Make) -> None:
    world = make(duty=[DELETE])
    await world.exchange()
    world.later(30 * DAY + GRACE - 60_000)
    world.sweep()
    assert world.giver.states() == {"delete": "pending"}, "two clocks may differ"
    world.later(120_000)
    world.sweep()
    assert world.giver.states() == world.taker.states() == {"delete": "violated"}
    agree(world)
    assert denied(await world.exchange()) == "DUTY_VIOLATED"
    world.taker.report("delete")
    world.carry()
    assert world.giver.task("delete").late
    assert world.giver.states() == {"delete": "fulfilled"}
    agree(world)
    assert denied(await world.exchange()) is None


async def test_a_release_that_is_under_way_ends_when_a_duty_is_overdue(make: Make) -> None:
    """Each window is decided anew, on the duties as the transaction sees them."""
    world = make(duty=[owed("credit", "attribute", constraint=within("PT1H"))])
    world.dataset.count = 12
    await world.exchange()
    seen = 0

    def overdue_meanwhile(message: Any) -> Any:
        nonlocal seen
        if getattr(message, "data", None) is not None:
            seen += 1
            if seen == 3:
                world.later(3_600_000 + GRACE)
                world.giver.sweep()
        return message

    outcome = await deal(world, provider_says=overdue_meanwhile)
    assert isinstance(outcome.provider, Denied)
    assert outcome.provider.reason == "DUTY_VIOLATED"
    assert seen < 12


async def test_a_consequence_is_owed_as_well_as_the_duty(make: Make) -> None:
    world = make(duty=[{**DELETE, "consequence": [{**PAY, "constraint": within("P10D")}]}])
    await world.exchange()
    world.later(31 * DAY)
    world.sweep()
    assert world.giver.states() == {"delete": "violated", "pay": "pending"}
    pay, delete = world.giver.task("pay"), world.giver.task("delete")
    assert (pay.parent, pay.arisen) == (delete.id, (delete.due or 0) + GRACE)
    agree(world)
    world.taker.report("pay", amount=500)
    world.carry()
    world.giver.answer("pay", "ACCEPTED")
    world.carry()
    assert world.giver.states() == {"delete": "violated", "pay": "fulfilled"}
    assert denied(await world.exchange()) == "DUTY_VIOLATED", "who pays must delete all the same"
    world.taker.report("delete")
    world.carry()
    assert world.giver.states() == {"delete": "fulfilled", "pay": "fulfilled"}
    assert denied(await world.exchange()) is None
    agree(world)
    assert "FULFILLED" not in {code for _, code, *_ in world.giver.told()}


async def test_deleting_late_does_not_spare_the_consequence(make: Make) -> None:
    world = make(duty=[{**DELETE, "consequence": [PAY]}])
    await world.exchange()
    world.later(31 * DAY)
    world.taker.report("delete")
    world.carry()
    assert world.giver.states() == world.taker.states() == {"delete": "violated", "pay": "pending"}
    world.taker.report("pay", amount=700)
    world.carry()
    assert world.taker.states()["pay"] == "reported"
    world.giver.answer("pay", "ACCEPTED")
    world.carry()
    assert world.taker.states() == {"delete": "fulfilled", "pay": "fulfilled"}
    agree(world)
    assert "FULFILLED" in {code for _, code, *_ in world.giver.told()}


async def test_a_report_that_comes_too_late_is_late_at_both_sides(make: Make) -> None:
    """The signer's own clock decides nothing: the provider had not heard when the time was over."""
    world = make(duty=[{**DELETE, "consequence": [PAY]}])
    await world.exchange()
    world.taker.report("delete")
    world.later(31 * DAY)
    world.giver.sweep()
    world.carry()
    assert world.giver.states() == world.taker.states() == {"delete": "violated", "pay": "pending"}
    agree(world)


async def test_a_clock_that_is_set_back_undoes_nothing(make: Make) -> None:
    world = make(duty=[DELETE])
    await world.exchange()
    world.later(31 * DAY)
    world.sweep()
    world.later(-30 * DAY)
    world.sweep()
    assert world.giver.states() == {"delete": "violated"}


async def test_what_became_due_during_a_restart_is_overdue_after_it(make: Make) -> None:
    world = make(duty=[DELETE])
    await world.exchange()
    for did in (PROVIDER, CONSUMER):
        world.restart(did)
    world.later(31 * DAY)
    world.sweep()
    world.sweep()
    assert [code for _, code, *_ in world.giver.told()] == ["ARISEN", "OVERDUE"]
    world.restart(PROVIDER)
    assert denied(await world.exchange()) == "DUTY_VIOLATED"


# --- what comes first -------------------------------------------------------------------------------


async def test_consent_comes_first_and_counts_once_it_is_accepted(make: Make) -> None:
    world = make(duty=[CONSENT])
    assert denied(await world.exchange()) == "DUTY_COMES_FIRST"
    world.taker.report("consent", evidence="transfer 4711", beside={"words": "tell nobody"})
    world.carry()
    assert world.giver.states() == {"consent": "reported"}
    assert denied(await world.exchange()) == "DUTY_COMES_FIRST", "nobody obtains consent by saying so"
    world.giver.answer("consent", "NO_EVIDENCE")
    world.carry()
    assert world.taker.states() == {"consent": "pending"}
    world.taker.report("consent")
    world.carry()
    world.giver.answer("consent", "ACCEPTED")
    world.carry()
    agree(world)
    assert denied(await world.exchange()) is None


async def test_an_amount_is_paid_in_full_before_anything_is_released(make: Make) -> None:
    world = make(duty=[PAY])
    for amount in (None, 499):
        with pytest.raises(NotEnough):
            world.taker.report("pay", amount=amount)
    assert denied(await world.exchange()) == "DUTY_COMES_FIRST"
    world.taker.report("pay", amount=500)
    world.carry()
    world.giver.answer("pay", "ACCEPTED")
    world.carry()
    assert denied(await world.exchange()) is None
    reported = [leaf for leaf in world.giver.party.leaves() if leaf.get("code") == "REPORTED"]
    assert [(leaf["amount"], leaf["currency"]) for leaf in reported] == [(500, "SEK")]
    with pytest.raises(CannotReport):
        world.giver.answer("pay", "NOT_ENOUGH")


async def test_a_report_is_rejected_and_the_duty_is_open_again(make: Make) -> None:
    world = make(duty=[DELETE])
    await world.exchange()
    world.taker.report("delete")
    world.carry()
    world.later(40 * DAY)
    world.giver.answer("delete", "NOT_DONE")
    world.carry()
    assert world.giver.states() == world.taker.states() == {"delete": "violated"}
    agree(world)


def test_a_remedy_is_owed_when_the_provider_says_what_was_infringed(make: Make) -> None:
    world = make(prohibition=[{"@id": "urn:x:sale", "action": "sell", "remedy": [PAY]}])
    giver, taker = world.both
    with pytest.raises(IllegalMove):
        taker.do(lambda tx: taker.duties.infringed(tx, AGREEMENT, "urn:x:sale", {}))
    with pytest.raises(IllegalMove):
        giver.do(lambda tx: giver.duties.infringed(tx, AGREEMENT, "urn:x:other", {}))
    assert giver.tasks() == []
    for _ in range(2):
        giver.do(
            lambda tx: len(giver.duties.infringed(tx, AGREEMENT, "urn:x:sale", {"words": "tell nobody"}))
        )
    world.carry()
    assert len(taker.tasks(duty="urn:x:pay", kind="remedy", state="pending")) == 2, "each time anew"
    agree(world)
    assert [code for _, code, *_ in taker.told()].count("INFRINGED") == 2


def test_a_provider_can_owe_something_too(make: Make) -> None:
    world = make(assigner=PROVIDER, obligation=[owed("tell", "inform", informingParty=PROVIDER)])
    assert {row.owed_by for row in world.taker.tasks()} == {"provider"}
    with pytest.raises(CannotReport):
        world.taker.report("tell")
    world.giver.report("tell")
    world.carry()
    assert world.taker.states() == {"tell": "fulfilled"}
    world.taker.answer("tell", "NOT_DONE")
    world.carry()
    assert world.giver.states() == {"tell": "pending"}
    agree(world)


async def test_duties_are_reported_and_answered_after_the_agreement_ended(make: Make) -> None:
    world = make(duty=[DELETE])
    await world.exchange()
    for party in (world.provider, world.consumer):
        party.end_agreement()
    world.later(31 * DAY)
    world.sweep()
    assert world.giver.states() == {"delete": "violated"}
    world.taker.report("delete")
    world.carry()
    assert world.giver.states() == {"delete": "fulfilled"}
    agree(world)


# --- lies -------------------------------------------------------------------------------------------


def report_of(world: OwingWorld, row: Any, **changes: Any) -> DutyReported:
    body = DutyReported(
        AGREEMENT, world.agreement.digest, row.duty, row.id, number=1, late=False, amount=None, evidence=None
    )
    return replace(body, **changes)


LIES: dict[str, tuple[ParticipantId, dict[str, Any], dict[str, Any], type[Exception]]] = {
    "a duty that it does not owe": (PROVIDER, {}, {}, IllegalMove),
    "a task that never arose": (CONSUMER, {"task": "ab" * 32}, {}, NoSuchDuty),
    "one duty's task under another's name": (CONSUMER, {"duty": "urn:x:other"}, {}, NoSuchDuty),
    "under another contract": (CONSUMER, {"contract": "cd" * 32}, {}, AgreementDiffers),
    "a report that is not the next": (CONSUMER, {"number": 2}, {}, IllegalMove),
    "an amount for what costs nothing": (CONSUMER, {"amount": 1}, {}, CannotReport),
    "in another's name": (CONSUMER, {}, {"sender": PROVIDER}, ForgedSender),
    "to somebody else": (CONSUMER, {}, {"recipient": CONSUMER}, ForgedSender),
    "of another data space": (CONSUMER, {}, {"space": "other.example"}, AgreementDiffers),
}


@pytest.mark.parametrize("lie", LIES)
async def test_nobody_reports(make: Make, lie: str) -> None:
    did, changes, envelope, error = LIES[lie]
    world = make(duty=[DELETE])
    await world.exchange()
    heard_by = world.taker if did == PROVIDER else world.giver
    before = heard_by.told()
    message = world.says(did, report_of(world, world.giver.task("delete"), **changes), **envelope)
    with pytest.raises(error):
        world.hand(heard_by, message)
    assert (heard_by.states(), heard_by.told()) == ({"delete": "pending"}, before)


async def test_a_report_by_another_key_or_altered_is_refused(make: Make) -> None:
    world = make(duty=[DELETE])
    await world.exchange()
    task = world.giver.task("delete")
    body = report_of(world, task)
    genuine = world.says(CONSUMER, body)
    altered = SignedDocument(
        genuine.document.payload.replace(b'"number":1', b'"number":2'), genuine.document.jws
    )
    with pytest.raises(BadSignature):
        world.hand(world.giver, replace(genuine, document=altered))
    world.keys[CONSUMER] = world.keys[PROVIDER]
    with pytest.raises(UnknownKey):
        world.hand(world.giver, world.says(CONSUMER, body))
    assert world.giver.states() == {"delete": "pending"}


async def test_what_is_shown_beside_a_report_must_be_what_was_committed_to(make: Make) -> None:
    world = make(duty=[DELETE])
    await world.exchange()
    message = world.says(CONSUMER, report_of(world, world.giver.task("delete"), evidence="ab" * 32))
    with pytest.raises(BadOpening):
        world.hand(world.giver, message, {"evidence": {"r": "A" * 43, "value": "eA"}})
    assert world.giver.states() == {"delete": "pending"}


async def test_a_replayed_report_of_a_duty_that_is_open_again_is_refused(make: Make) -> None:
    world = make(duty=[DELETE])
    await world.exchange()
    message = world.says(CONSUMER, report_of(world, world.giver.task("delete")))
    world.hand(world.giver, message)
    told = world.giver.told()
    world.hand(world.giver, message)
    assert world.giver.told() == told, "the same report again changes nothing"
    world.giver.answer("delete", "NOT_DONE")
    with pytest.raises(IllegalMove):
        world.hand(world.giver, message)
    assert world.giver.states() == {"delete": "pending"}


async def test_whoever_owes_a_duty_does_not_answer_for_it(make: Make) -> None:
    world = make(duty=[CONSENT])
    world.taker.report("consent")
    world.carry()
    row = world.taker.task("consent")
    accepted = DutyAnswered(
        AGREEMENT, world.agreement.digest, row.duty, row.id, MessageHash(str(row.report)), "ACCEPTED"
    )
    with pytest.raises(IllegalMove):
        world.hand(world.giver, world.says(CONSUMER, accepted))
    with pytest.raises(CannotReport):
        world.taker.answer("consent", "ACCEPTED")
    other = replace(accepted, report=MessageHash("ab" * 32))
    with pytest.raises(IllegalMove):
        world.hand(world.taker, world.says(PROVIDER, other))
    assert world.giver.states() == world.taker.states() == {"consent": "reported"}


def test_only_the_provider_says_what_was_infringed(make: Make) -> None:
    world = make(prohibition=[{"@id": "urn:x:sale", "action": "sell", "remedy": [PAY]}])
    body = Infringed(AGREEMENT, world.agreement.digest, "urn:x:sale")
    with pytest.raises(IllegalMove):
        world.hand(world.giver, world.says(CONSUMER, body))
    said = world.says(PROVIDER, body)
    world.hand(world.taker, said)
    world.hand(world.taker, said)
    assert len(world.taker.tasks()) == 1


async def test_a_report_that_could_not_be_taken_does_not_stand(make: Make) -> None:
    world = make(duty=[DELETE])
    await world.exchange()
    world.giver.duties._speaker = replace(world.giver.duties._speaker, space=DataSpaceId("other.example"))
    world.taker.report("delete")
    world.carry()
    assert [type(error) for error in world.refused] == [AgreementDiffers]
    assert (world.taker.task("delete").state, world.taker.task("delete").code) == ("pending", "NOT_TAKEN")


async def test_what_an_exchange_that_brought_nothing_asked_for_is_closed_by_a_report(make: Make) -> None:
    """The provider never had the Accept, and knows of no duty; nobody can delete what never came."""
    world = make(duty=[DELETE])
    await deal(world, consumer_says=_until_accepted())
    assert (world.taker.states(), world.giver.states()) == ({"delete": "pending"}, {})
    world.taker.report("delete")
    world.carry()
    assert [type(error) for error in world.refused] == [NoSuchDuty]
    assert world.taker.states() == {"delete": "fulfilled"}


def test_a_persons_duties_stand_in_a_leaf_only_as_commitments(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = lambda _self, participant: participant == CONSUMER  # noqa: E731
    monkeypatch.setattr("tests.exchange.settling._Surroundings.is_person", person)
    world = make(duty=[CONSENT])
    world.taker.report("consent", evidence="transfer 4711")
    world.carry()
    world.giver.answer("consent", "ACCEPTED")
    leaves = [leaf for leaf in world.provider.leaves() if leaf["type"] == "duty"]
    assert [leaf["code"] for leaf in leaves] == ["ARISEN", "REPORTED", "ACCEPTED"]
    for leaf in leaves:
        assert set(leaf["agreement"]) == set(leaf["with"]) == set(leaf["contract"]) == {"commitment"}
        assert "document" not in leaf
        assert not any(word in str(leaf) for word in (AGREEMENT, CONSUMER, world.giver.task("consent").id))


# --- crashes, and two at once -----------------------------------------------------------------------


async def test_a_report_and_its_notice_are_durable_together_or_not_at_all(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make(duty=[DELETE])
    await world.exchange()
    before = world.taker.told()
    with monkeypatch.context() as broken:
        broken.setattr("connector.contract.duties.outbox.put", _crash)
        with pytest.raises(RuntimeError):
            world.taker.report("delete")
    assert (world.taker.states(), world.taker.told()) == ({"delete": "pending"}, before)
    world.taker.report("delete")
    world.restart(CONSUMER)
    world.carry()
    assert world.giver.states() == {"delete": "fulfilled"}
    agree(world)


def _crash(*_: Any) -> None:
    raise RuntimeError


async def test_of_two_reports_at_once_one_counts(make: Make) -> None:
    world = make(duty=[DELETE])
    await world.exchange()
    task, writer, duties = world.taker.task("delete").id, world.consumer.writer, world.taker.duties
    jobs = [writer.submit(lambda tx: duties.report(tx, task, {}).id) for _ in range(2)]
    raised = [job.exception() for job in jobs]
    assert [type(each) for each in raised] == [type(None), CannotReport]
    world.carry()
    agree(world)


async def test_a_violation_and_a_release_in_one_commit_come_in_the_logs_order(make: Make) -> None:
    """A question that was decided before is not good enough: its duties changed in this very batch."""
    world = make(duty=[DELETE])
    await world.exchange()
    policy, giver = world.provider.ground.policy, world.giver
    asked = policy.ask(world.terms, Rule().purpose)
    ruling = policy.decide(asked, {})
    assert ruling.allow
    world.later(31 * DAY)

    def both(transaction: Any) -> tuple[bool, bool]:
        giver.duties.tasks.overdue(transaction)
        return policy.is_current(ruling, transaction), policy.decide(asked, {}, transaction).allow

    assert giver.do(both) == (False, False)
    giver.do(lambda _: None)  # what a commit tells of is told before the next one
    assert not policy.decide(asked, {}).allow


# --- what is deleted --------------------------------------------------------------------------------


def _reporting(side: Owing) -> Any:
    return lambda transaction, task: side.duties.report(transaction, task, {})


async def test_discarding_a_delivery_attests_its_deletion_and_nothing_opens_it_again(make: Make) -> None:
    world = make(duty=[DELETE])
    kept, gone = await world.exchange(), await world.exchange()
    taker, inbox = world.taker, world.folder / "inbox"
    chest = world.consumer.chest
    chest.cipher(f"delivery/{gone.exchange}")
    ground = world.consumer.ground
    reported = await discarding.discard(ground, inbox, chest, gone.exchange, _reporting(taker))
    world.carry()
    assert [row.exchange for row in world.giver.tasks(state="fulfilled")] == [gone.exchange]
    assert [row.id for row in world.giver.tasks(state="fulfilled")] == reported
    assert [row.exchange for row in world.giver.tasks(state="pending")] == [kept.exchange]
    assert not (inbox / gone.exchange).exists()
    assert (inbox / kept.exchange).exists()
    with pytest.raises(Discarded):
        await record_use(ground, gone.exchange, Rule().purpose, taken_out=False)
    with pytest.raises(Discarded):
        await discarding.discard(ground, inbox, chest, gone.exchange, _reporting(taker))
    await record_use(ground, kept.exchange, Rule().purpose, taken_out=False)
    agree(world)


async def test_a_crash_after_the_record_leaves_nothing_that_opens(make: Make, monkeypatch: Any) -> None:
    world = make(duty=[DELETE])
    gone = await world.exchange()
    inbox, party = world.folder / "inbox", world.consumer
    party.chest.cipher(f"delivery/{gone.exchange}")
    with monkeypatch.context() as broken:
        broken.setattr("connector.exchange.discard._destroy", _crash)
        with pytest.raises(RuntimeError):
            await discarding.discard(party.ground, inbox, party.chest, gone.exchange, _reporting(world.taker))
    assert (inbox / gone.exchange).exists()
    world.restart(CONSUMER)
    with pytest.raises(Discarded):
        await record_use(world.consumer.ground, gone.exchange, Rule().purpose, taken_out=False)
    discarding.finish(world.consumer.database, inbox, world.consumer.chest)
    assert not (inbox / gone.exchange).exists()
    world.carry()
    assert world.giver.states() == {"delete": "fulfilled"}
