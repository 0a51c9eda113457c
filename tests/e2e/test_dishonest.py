"""Parties that do not play fair, on the real wire: what they gain by it, and what both logs say of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connector.exchange.channel import Message, Signed
from connector.exchange.wish import new_exchange
from ledger.errors import BylagError
from ledger.names import ParticipantId
from tests.e2e.space import Participant, findings, reason, until
from tests.e2e.town import WINDOW, Town
from tests.e2e.wire import Change, is_a, member

BUDGET = 2
QUIET_SECONDS = 1.0


@pytest.fixture
def liar(town: Town) -> Participant:
    """A member of the town that publishes a photo, and lies about it when told to."""
    return town.liar


def test_a_provider_that_sends_other_bytes_than_it_committed_to_gets_a_signed_reject(
    town: Town, liar: Participant, tmp_path: Path
) -> None:
    consumer = town.voltlinje
    delivery = fetch_from(liar, consumer, "frame", "WRONG_BYTES")
    assert (delivery["state"], delivery["bytes"]) == ("SUSPENDED", 0)
    exchange = delivery["exchange"]
    with pytest.raises(BylagError):
        consumer.use(exchange, tmp_path / "nothing")
    (reject,) = [leaf for leaf in consumer.leaves() if leaf["type"] == "reject"]
    assert (reject["exchange"], reject["window"], reject["code"]) == (exchange, 1, "OTHER_BYTES")
    until(lambda: liar.types(exchange), lambda types: "reject" in types)
    assert "ack" not in liar.types(exchange)
    assert findings(town.space.verify(liar, consumer), exchange) == []
    # honest from now on: what was rejected was never in the consumer's custody, and is sent again
    assert consumer.insist("resume", exchange=exchange)["state"] == "COMPLETED"
    assert consumer.use(exchange, tmp_path / "photo.bin") == town.photo.read_bytes()


def test_a_provider_that_signs_a_commit_it_has_not_recorded_is_found_out_by_comparing_the_logs(
    town: Town, liar: Participant
) -> None:
    consumer = town.voltlinje
    delivery = fetch_from(liar, consumer, "digest", "WRONG_BYTES")
    assert (delivery["state"], delivery["bytes"]) == ("SUSPENDED", 0)
    judged = town.space.verify(liar, consumer, good=False)
    (found,) = findings(judged, delivery["exchange"])
    assert "promised" in found
    assert "another stands there" in found


def test_an_end_that_claims_more_than_was_acknowledged_gets_no_receipt(town: Town, liar: Participant) -> None:
    consumer = town.voltlinje
    delivery = fetch_from(liar, consumer, "end", "OUT_OF_TURN")
    assert (delivery["state"], delivery["bytes"]) == ("SUSPENDED", town.photo.stat().st_size)
    assert "receipt" not in consumer.types(delivery["exchange"])
    assert consumer.insist("resume", exchange=delivery["exchange"])["state"] == "COMPLETED"


async def test_an_ack_of_another_digest_passes_no_custody_and_ends_the_attempt(town: Town) -> None:
    async with member(town.tester) as tester:
        agreement = await tester.agree(town.strandby, "squares")
        exchange = new_exchange(tester.node.ground)

        def lie_in_acks(message: Message) -> Message:
            if isinstance(message, Signed) and is_a("ack", message):
                return tester.signed_anew(message, digest="ab" * 32)
            return message

        with pytest.raises(BylagError) as refused:
            await tester.fetch(agreement, exchange=exchange, sending=lie_in_acks)
    assert reason(refused.value) == "WRONG_ACK"
    told = [leaf for leaf in town.strandby.leaves() if leaf.get("exchange") == exchange]
    (commit,) = [leaf for leaf in told if leaf["type"] == "commit"]
    # the true one lies in the consumer's store, and may come by the outbox meanwhile
    assert {leaf["digest"] for leaf in told if leaf["type"] == "ack"} <= {commit["digest"]}
    assert not {"end", "receipt"} & {leaf["type"] for leaf in told}


async def test_withheld_acks_hold_back_every_exchange_of_the_agreement_until_they_come(town: Town) -> None:
    provider = town.strandby
    commits: asyncio.Queue[str] = asyncio.Queue()

    def noting(exchange: str) -> Change:
        def note(message: Message) -> Message:
            if is_a("commit", message):
                commits.put_nowait(exchange)
            return message

        return note

    async def require_quiet(exchange: str) -> None:
        await asyncio.to_thread(until, lambda: provider.types(exchange), lambda types: "accept" in types)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(commits.get(), QUIET_SECONDS)
        assert "commit" not in provider.types(exchange)

    async with member(town.tester) as tester:
        agreement = await tester.agree(provider, "narrow")
        first, second = new_exchange(tester.node.ground), new_exchange(tester.node.ground)
        one = asyncio.create_task(
            tester.fetch(agreement, exchange=first, sending=without_acks, receiving=noting(first))
        )
        async with asyncio.timeout(20):
            assert [await commits.get() for _ in range(BUDGET)] == [first] * BUDGET
        two = asyncio.create_task(tester.fetch(agreement, exchange=second, receiving=noting(second)))
        await require_quiet(second)
        await asyncio.to_thread(
            until, lambda: town.tester.types(first), lambda types: types.count("ack") == 2
        )
        await asyncio.to_thread(provider.kill)
        for task in (one, two):
            with pytest.raises(BylagError):
                await asyncio.wait_for(task, 20)

    # the count stands in the provider's store, and what was withheld lies in the outbox
    await asyncio.to_thread(provider.start)
    async with member(town.tester) as tester:
        third = new_exchange(tester.node.ground)
        three = asyncio.create_task(tester.fetch(agreement, exchange=third, receiving=noting(third)))
        await require_quiet(third)
        tester.running.lines.keep(ParticipantId(provider.did))
        assert (await asyncio.wait_for(three, 30)).state == "COMPLETED"
        acks = await asyncio.to_thread(
            until,
            lambda: [
                leaf for leaf in provider.leaves() if leaf["type"] == "ack" and leaf["exchange"] == first
            ],
            lambda found: len(found) == BUDGET,
        )
    assert [(ack["window"], ack["bytes"]) for ack in acks] == [(1 + at, WINDOW) for at in range(BUDGET)]


def without_acks(message: Message) -> Message | None:
    return None if is_a("ack", message) else message


def fetch_from(liar: Participant, consumer: Participant, lie: str, code: str) -> dict[str, Any]:
    """A fetch in which the provider lies, and which fails for that; the delivery as it then stands."""
    agreement = consumer.agree(liar, "photo")
    (liar.home.folder / "lie").write_text(lie)
    with pytest.raises(BylagError) as refused:
        consumer.ask("fetch", agreement=agreement)
    assert reason(refused.value) == code
    (delivery,) = [each for each in consumer.ask("deliveries") if each["agreement"] == agreement]
    return dict(delivery)
