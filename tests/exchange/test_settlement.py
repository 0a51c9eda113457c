"""Two parties settle a period: equal statements are signed by both, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector.contract.errors import AgreementDiffers, ForgedSender, NoSuchAgreement, UnknownKey
from connector.contract.messages import SettlementRefused, SettlementSigned, compose, read_message
from connector.contract.settlement import TYPE, Span, differences, digest_of, lines_in
from connector.contract.settlements import (
    GRACE_MS,
    LEAST_BY_RULE_MS,
    AcksUnderWay,
    AlreadySettled,
    NothingToAnswer,
    OtherIsOpen,
    PeriodNotOver,
    StatementChanged,
)
from connector.exchange import metered
from connector.store import outbox
from connector.store.tables import SettlementRow
from ledger import side as side_rows
from ledger.document import BadSignature, SignedDocument, sign_payload, verify
from ledger.names import DataSpaceId, Milliseconds, ParticipantId
from tests.exchange.settling import SettlingWorld, Side, small_windows
from tests.exchange.test_metered import Attempt, play
from tests.exchange.world import AGREEMENT, CONSUMER, PROVIDER


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SettlingWorld]:
    monkeypatch.setattr("connector.exchange.provider.WindowMaker", small_windows)
    world = SettlingWorld(tmp_path)
    yield world
    world.close()


def sign(side: Side, span: Span, **beside: str) -> Any:
    return side.do(lambda tx: _plain(side.settlements.sign(tx, AGREEMENT, span, beside)))


def refuse(side: Side, span: Span, **beside: str) -> Any:
    return side.do(lambda tx: _plain(side.settlements.refuse(tx, AGREEMENT, span, beside)))


def _plain(row: SettlementRow) -> SettlementRow:
    return SettlementRow.model_validate(row.model_dump())


def states(world: SettlingWorld) -> list[list[str]]:
    return [[row.state for row in side.rows()] for side in (world.seller, world.buyer)]


def settlements(side: Side) -> list[dict[str, Any]]:
    return [leaf for leaf in side.party.leaves() if leaf["type"] == "settlement"]


async def test_both_sign_the_same_bytes_and_each_holds_both_signatures(world: SettlingWorld) -> None:
    await play(world, Attempt(), None)
    span = world.until_now()
    sign(world.seller, span, words="July, as agreed.")
    world.carry()
    assert states(world) == [["signed"], ["received"]]
    sign(world.buyer, span)
    world.carry()
    assert states(world) == [["settled"], ["settled"]]
    here, there = world.seller.rows()[0], world.buyer.rows()[0]
    assert here.statement == there.statement
    assert (here.mine, here.theirs) == (there.theirs, there.mine)
    for did, jws in ((PROVIDER, here.mine), (CONSUMER, here.theirs)):
        document = SignedDocument(here.statement, str(jws))
        content = verify(document, TYPE, world.keys[did].public_key(), max_bytes=1 << 22)
        assert content["totals"] == {
            "lines": 4, "records": 12_000, "bytes": 108_000, "requests": 1, "amount": 300, "currency": "SEK",
        }  # fmt: skip
    for side in (world.seller, world.buyer):
        leaves = settlements(side)
        assert [leaf["code"] for leaf in leaves][-1] == "SETTLED"
        assert {leaf["document"]["digest"] for leaf in leaves} == {here.digest}
        assert {(leaf["amount"], leaf["currency"], leaf["windows"]) for leaf in leaves} == {(300, "SEK", 4)}
        assert {(leaf["since"], leaf["until"]) for leaf in leaves} == {(span.begin, span.until)}
    assert world.refused == []


async def test_a_line_cites_messages_that_both_logs_hold(world: SettlingWorld) -> None:
    await play(world, Attempt(acks=2), None)
    world.carry()
    span = world.until_now()
    held = []
    for party in (world.provider, world.consumer):
        named = set()
        for leaf in party.leaves():
            named |= {leaf.get("message"), leaf.get("counterpart", {}).get("message")}
        held.append(named)
    lines = world.seller.statement(world.agreement, span).lines
    assert lines
    for line in lines:
        for names in held:
            assert {line.commit, line.ack} <= names


async def test_a_rule_countersigns_an_equal_statement_at_once(world: SettlingWorld) -> None:
    await play(world, Attempt(), None)
    world.buyer.settlements.by_rule = True
    span = world.until_now()
    sign(world.seller, span)
    world.carry()
    assert states(world) == [["settled"], ["settled"]]


async def test_a_rule_leaves_short_periods_to_a_person(world: SettlingWorld) -> None:
    """Every statement begins its blocks anew: cut into days, the same deliveries would cost more."""
    world.buyer.settlements.by_rule = True
    span = world.until_now()
    sign(world.seller, Span(Milliseconds(span.until - LEAST_BY_RULE_MS + 1), span.until))
    world.carry()
    assert states(world) == [["signed"], ["received"]]
    sign(world.buyer, Span(Milliseconds(span.until - LEAST_BY_RULE_MS + 1), span.until))
    world.carry()
    assert states(world) == [["settled"], ["settled"]]


async def test_a_message_that_could_not_be_taken_leaves_nothing_waiting(world: SettlingWorld) -> None:
    span = world.until_now()
    sign(world.seller, span)
    elsewhere = replace(world.buyer.settlements._speaker, space=DataSpaceId("other.example"))
    world.buyer.settlements._speaker = elsewhere
    world.carry()
    assert [type(error) for error in world.refused] == [AgreementDiffers]
    assert [(row.state, row.code) for row in world.seller.rows()] == [("refused", "NOT_TAKEN")]
    assert world.buyer.rows() == []
    sign(world.seller, span)


async def test_who_signed_one_statement_signs_no_other_of_the_period(world: SettlingWorld) -> None:
    """Their statement may equal this side's by now: this side has signed another, and waits."""
    await play(world, Attempt(acks=3), None)
    span = world.until_now()
    sign(world.seller, span)  # lacks the Acks that are on their way
    world.seller.settlements.by_rule = True
    with world.consumer.database.read() as session:
        acks = outbox.waiting(session, world.seller.did, 0, 100)
    for notice in acks:
        world.seller.do(lambda tx, each=notice: world.seller.take(tx, world.buyer.did, each))
        world.buyer.do(lambda tx, each=notice: _delivered(tx, world, each.number))
    sign(world.buyer, span)
    world.carry()
    (here,), (there,) = world.seller.rows(), world.buyer.rows()
    assert (here.state, there.state) == ("refused", "refused")
    sign(world.buyer, span)
    world.carry()
    assert states(world) == [["settled"], ["settled"]]


def _delivered(transaction: Any, world: SettlingWorld, number: int) -> None:
    outbox.delivered(transaction, world.seller.did, number)
    metered.delivered(transaction, world.seller.did, number)


async def test_the_consumer_can_sign_first(world: SettlingWorld) -> None:
    await play(world, Attempt(), None)
    world.seller.settlements.by_rule = True
    sign(world.buyer, world.until_now())
    world.carry()
    assert states(world) == [["settled"], ["settled"]]


async def test_signatures_that_cross_settle(world: SettlingWorld) -> None:
    await play(world, Attempt(), None)
    span = world.until_now()
    for side in (world.seller, world.buyer):
        sign(side, span)
    world.carry()
    assert states(world) == [["settled"], ["settled"]]


async def test_statements_that_cross_and_overlap_are_both_refused(world: SettlingWorld) -> None:
    await play(world, Attempt(), None)
    span = world.until_now()
    sign(world.seller, span)
    sign(world.buyer, Span(span.begin, Milliseconds(span.until + 1)))
    world.carry()
    assert {state for row in states(world) for state in row} == {"refused"}
    assert [line.window for line in world.seller.lines(span)] == [1, 2, 3, 4], "nothing is billed yet"
    sign(world.seller, span)
    world.carry()
    sign(world.buyer, span)
    world.carry()
    assert "settled" in states(world)[0]


async def test_no_other_statement_is_signed_while_one_waits(world: SettlingWorld) -> None:
    span = world.until_now()
    sign(world.seller, span)
    with pytest.raises(OtherIsOpen):
        sign(world.seller, Span(span.begin, Milliseconds(span.until + 1)))


async def test_a_period_is_signed_after_its_grace(world: SettlingWorld) -> None:
    now = world.provider.ambient.now()
    with pytest.raises(PeriodNotOver):
        sign(world.seller, Span(Milliseconds(0), Milliseconds(now - GRACE_MS + 60_000)))
    sign(world.seller, Span(Milliseconds(0), Milliseconds(now - GRACE_MS)))


async def test_a_period_that_is_not_over_here_is_refused(world: SettlingWorld) -> None:
    world.provider.ambient.step(10 * GRACE_MS)
    now = world.provider.ambient.now()
    sign(world.seller, Span(Milliseconds(0), Milliseconds(now - GRACE_MS)))
    world.carry()
    assert [row.code for row in world.seller.rows()] == ["PERIOD_NOT_OVER"]


async def test_a_settled_period_is_not_settled_again_nor_a_part_of_it(world: SettlingWorld) -> None:
    await play(world, Attempt(), None)
    world.buyer.settlements.by_rule = True
    span = world.until_now(begin=1_000)
    sign(world.seller, span)
    world.carry()
    for other in (
        span,
        Span(Milliseconds(1_500), Milliseconds(span.until + 1)),
        Span(Milliseconds(0), Milliseconds(1_001)),
        Span(Milliseconds(0), Milliseconds(500)),
    ):
        with pytest.raises(AlreadySettled):
            sign(world.seller, other)
    following = Span(span.until, Milliseconds(span.until + 1))
    assert world.seller.statement(world.agreement, following).lines == ()


async def test_a_withheld_ack_bills_nothing_and_comes_late_to_the_next_statement(
    world: SettlingWorld,
) -> None:
    await play(world, Attempt(acks=3), None)
    first = world.until_now()
    assert len(world.seller.lines(first)) == 2
    with pytest.raises(AcksUnderWay):
        sign(world.buyer, first)
    sign(world.seller, first)
    world.later()
    seller = world.seller
    with seller.party.database.read() as session:
        (notice,) = outbox.waiting(session, world.buyer.did, 0, 1)
    # The provider's signature comes first, the consumer's Acks after it.
    world.buyer.do(lambda tx: world.buyer.take(tx, seller.did, notice))
    world.carry()
    assert states(world)[0] == ["refused"], "the provider lacked what the consumer knows to have signed"
    world.buyer.settlements.by_rule = True
    sign(world.seller, first)
    world.carry()
    assert states(world) == [["settled"], ["settled"]]


async def test_a_late_line_is_billed_once_in_the_next_statement(world: SettlingWorld) -> None:
    exchange = await play(world, Attempt(acks=3), None)
    first = world.until_now()
    # What the consumer signed stays with it: nobody settles it before both hold it.
    seller = world.seller
    row = sign(seller, first)
    billed = {line.window for line in lines_in(row.statement)}
    assert billed == {1, 2}
    settle_alone(world, first)
    world.carry()
    second = world.until_now(begin=first.until)
    here, there = (side.statement(world.agreement, second) for side in (world.seller, world.buyer))
    assert here == there
    told: Any = here.content()["lines"]
    assert [line["window"] for line in told if line["late"]] == [line.window for line in here.lines]
    assert {line.window for line in here.lines}.isdisjoint(billed)
    assert {line.exchange for line in here.lines} == {exchange}
    total = {line.window for line in here.lines} | billed
    assert total == set(range(1, max(total) + 1)), "nothing is lost"


def settle_alone(world: SettlingWorld, span: Span) -> None:
    """Both come to hold both signatures over the seller's statement, before any late Ack is carried."""
    row = world.seller.rows()[0]
    signature = sign_payload(row.statement, TYPE, world.keys[CONSUMER])

    def seller_settles(transaction: Any) -> None:
        kept = transaction.session.get(SettlementRow, (AGREEMENT, span.begin, span.until))
        kept.theirs = signature
        world.seller.settlements._settle(transaction, kept)

    def buyer_settles(transaction: Any) -> None:
        kept = SettlementRow.model_validate({**row.model_dump(), "mine": signature, "theirs": row.mine})
        transaction.session.add(kept)
        world.buyer.settlements._settle(transaction, kept)

    world.seller.do(seller_settles)
    world.buyer.do(buyer_settles)


async def test_a_statement_that_differs_is_refused_with_what_this_side_has(world: SettlingWorld) -> None:
    await play(world, Attempt(), None)
    span = world.until_now()

    def forget(transaction: Any) -> None:
        transaction.sqlite.execute("DELETE FROM metered_window WHERE number = 4")

    world.seller.do(forget)
    sign(world.seller, span)
    world.carry()
    (here,), (there,) = world.seller.rows(), world.buyer.rows()
    assert (here.state, here.code) == (there.state, there.code) == ("refused", "DIFFERS")
    assert (here.their_digest, there.their_digest) == (there.digest, here.digest)
    assert b'"records":12000' in here.their_totals
    (differing,) = differences(lines_in(here.statement), lines_in(there.statement))
    assert differing.members()["only"] == "there"
    assert differing.place[2] == 4


async def test_a_person_can_refuse(world: SettlingWorld) -> None:
    span = world.until_now()
    with pytest.raises(NothingToAnswer):
        refuse(world.buyer, span)
    sign(world.seller, span)
    world.carry()
    refuse(world.buyer, span, words="We are in dispute.")
    world.carry()
    assert [row.code for side in (world.seller, world.buyer) for row in side.rows()] == [
        "REFUSED_BY_HAND"
    ] * 2
    with pytest.raises(NothingToAnswer):
        refuse(world.buyer, span)


async def test_what_changed_after_the_first_signature_is_not_approved_blindly(world: SettlingWorld) -> None:
    await play(world, Attempt(acks=4), None)
    world.carry()
    span = world.until_now()
    sign(world.seller, span)
    world.carry()
    world.buyer.do(lambda tx: tx.sqlite.execute("UPDATE metered_window SET rows = rows + 1 WHERE number = 1"))
    with pytest.raises(StatementChanged):
        sign(world.buyer, span)


class Forged:
    """The provider's message, changed by somebody who holds the provider's key, or does not."""

    def __init__(self, world: SettlingWorld, span: Span) -> None:
        self.world = world
        sign(world.seller, span)
        with world.provider.database.read() as session:
            (self.notice,) = outbox.waiting(session, world.buyer.did, 0, 1)
        self.message = read_message(self.notice.document)
        assert isinstance(self.message.body, SettlementSigned)
        self.body = self.message.body

    def taken(
        self,
        signer: ParticipantId = PROVIDER,
        envelope: Any = None,
        peer: ParticipantId | None = None,
        **changes: Any,
    ) -> None:
        body = replace(self.body, **changes)
        made = compose(envelope or self.message.envelope, body, self.world.keys[signer])
        buyer = self.world.buyer
        buyer.do(lambda tx: buyer.settlements.take(tx, peer or self.world.seller.did, made.document, {}))


async def test_a_signature_over_other_bytes_settles_nothing(world: SettlingWorld) -> None:
    await play(world, Attempt(), None)
    world.buyer.settlements.by_rule = True
    span = world.until_now()
    forged = Forged(world, span)
    other = replace(world.seller.statement(world.agreement, span), lines=())
    same = world.seller.statement(world.agreement, span)
    for error, signature in (
        (BadSignature, sign_payload(other.encoded(), TYPE, world.keys[PROVIDER])),
        (UnknownKey, sign_payload(same.encoded(), TYPE, world.keys[CONSUMER])),
    ):
        with pytest.raises(error):
            forged.taken(signature=signature)
    assert world.buyer.rows() == []
    assert settlements(world.buyer) == []


async def test_a_message_of_another_sender_or_agreement_is_refused(world: SettlingWorld) -> None:
    forged = Forged(world, world.until_now())
    with pytest.raises(AgreementDiffers):
        forged.taken(contract="9" * 64)
    with pytest.raises(ForgedSender):
        forged.taken(envelope=replace(forged.message.envelope, recipient=world.seller.did))
    with pytest.raises(Exception, match="key"):
        forged.taken(signer=CONSUMER)
    stranger = ParticipantId("did:web:stranger.example")
    with pytest.raises(NoSuchAgreement):
        forged.taken(peer=stranger, envelope=replace(forged.message.envelope, sender=stranger))
    assert world.buyer.rows() == []


async def test_a_signature_for_another_period_or_amount_does_not_pass(world: SettlingWorld) -> None:
    await play(world, Attempt(), None)
    world.buyer.settlements.by_rule = True
    span = world.until_now()
    forged = Forged(world, span)
    forged.taken(until=Milliseconds(span.until - 500))  # the signature is over another period's bytes
    (row,) = world.buyer.rows()
    assert (row.state, row.code) == ("refused", "DIFFERS")
    dear = replace(world.agreement.terms.price, amount=26)
    dearer = replace(world.seller.statement(world.agreement, span), price=dear).encoded()
    forged.taken(
        statement=digest_of(dearer),
        signature=sign_payload(dearer, TYPE, world.keys[PROVIDER]),
    )
    assert {row.state for row in world.buyer.rows()} == {"refused"}


async def test_a_replayed_signature_changes_nothing(world: SettlingWorld) -> None:
    await play(world, Attempt(), None)
    world.buyer.settlements.by_rule = True
    span = world.until_now()
    forged = Forged(world, span)
    world.carry()
    before = len(world.consumer.leaves())
    for _ in range(2):
        forged.taken()
    assert len(world.consumer.leaves()) == before
    assert states(world) == [["settled"], ["settled"]]
    forged.taken(begin=Milliseconds(span.begin + 1))
    assert [row.state for row in world.buyer.rows()].count("settled") == 1
    assert settlements(world.buyer)[-1]["code"] == "ALREADY_SETTLED"


async def test_a_refusal_of_something_else_changes_nothing(world: SettlingWorld) -> None:
    span = world.until_now()
    sign(world.seller, span)
    world.carry()
    forged = SettlementRefused(
        world.agreement.id, world.agreement.digest, span.begin, span.until, "1" * 64, "DIFFERS", "2" * 64,
        lines=0, records=0, bytes=0, requests=0, amount=0,
    )  # fmt: skip
    row = world.seller.rows()[0]
    envelope = replace(_envelope_of(world), sender=world.buyer.did, recipient=world.seller.did)
    made = compose(envelope, forged, world.keys[CONSUMER])
    world.seller.do(lambda tx: world.seller.settlements.take(tx, world.buyer.did, made.document, {}))
    assert world.seller.rows()[0] == row


def _envelope_of(world: SettlingWorld) -> Any:
    """Any envelope of this world: that of the provider's last message."""
    with world.provider.database.read_sqlite() as connection:
        rows = [row for _, row in side_rows.rows_of(connection, world.provider.chest, side_rows.SHARED)]
    (said,) = [row["said"] for row in rows if "statement" in row]
    return read_message(side_rows.signed_from_json(said)).envelope
