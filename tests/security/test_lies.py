"""A party that signs what is not so: each lie is found by the other side before it has an effect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connector.exchange.admission import Refused, admit
from connector.exchange.channel import Frame, Signed
from connector.exchange.conversation import OutOfTurn
from connector.store.tables import ExchangeRow
from ledger.document import sign
from ledger.names import ParticipantId
from tests.exchange.world import CONSUMER, PROVIDER, World
from tests.security.dealing import deal, kind_of, lying

MINUTE = 60_000
OTHER = "9" * 64
THIRD = ParticipantId("did:web:third.example")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.dataset.count = 2
    yield world
    world.close()


def kinds(leaves: list[dict[str, Any]]) -> list[str]:
    return [leaf["type"] for leaf in leaves]


def row(world: World, exchange: str) -> ExchangeRow:
    with world.provider.database.read() as session:
        return session.get_one(ExchangeRow, exchange)


@pytest.mark.parametrize("lie", [{"digest": OTHER}, {"window": 3}, {"frame": 4000}])
async def test_an_ack_of_something_else_moves_no_custody(world: World, lie: dict[str, Any]) -> None:
    outcome = await deal(world, consumer_says=lying(world, CONSUMER, "ack", **lie))
    assert outcome.provider is not None
    assert outcome.provider.code in {"WRONG_ACK", "OUT_OF_TURN"}
    assert row(world, outcome.exchange).window == 0
    assert "ack" not in kinds(world.provider.leaves())


async def test_a_receipt_over_other_totals_completes_nothing(world: World) -> None:
    outcome = await deal(world, consumer_says=lying(world, CONSUMER, "receipt", rows=1))
    assert isinstance(outcome.provider, OutOfTurn)
    assert row(world, outcome.exchange).state == "SUSPENDED"
    assert "receipt" not in kinds(world.provider.leaves())


async def test_an_end_over_other_totals_gets_no_receipt(world: World) -> None:
    outcome = await deal(world, provider_says=lying(world, PROVIDER, "end", bytes=1))
    assert isinstance(outcome.consumer, OutOfTurn)
    assert "receipt" not in kinds(world.consumer.leaves())


@pytest.mark.parametrize("lie", [{"windows": 64}, {"schema": OTHER}, {"request": OTHER}, {"expires": 1}])
async def test_an_offer_of_something_else_is_not_accepted(world: World, lie: dict[str, Any]) -> None:
    outcome = await deal(world, provider_says=lying(world, PROVIDER, "offer", **lie))
    assert isinstance(outcome.consumer, OutOfTurn)
    assert "accept" not in kinds(world.consumer.leaves())


async def test_a_window_whose_key_is_not_the_one_committed_to_is_not_taken(world: World) -> None:
    outcome = await deal(world, provider_says=lying(world, PROVIDER, "commit", key=OTHER))
    assert isinstance(outcome.consumer, OutOfTurn)
    assert "ack" not in kinds(world.consumer.leaves())


@pytest.mark.parametrize("lie", [{"prev": OTHER}, {"seen": OTHER}, {"attempt": 2}, {"exchange": "another"}])
async def test_a_message_out_of_its_place_ends_the_attempt(world: World, lie: dict[str, Any]) -> None:
    outcome = await deal(world, provider_says=lying(world, PROVIDER, "commit", **lie))
    assert isinstance(outcome.consumer, OutOfTurn)
    assert outcome.consumer.field in lie
    assert "ack" not in kinds(world.consumer.leaves())


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ({"time": lambda now: now - 6 * MINUTE}, "CLOCK_SKEW"),
        ({"time": lambda now: now + 6 * MINUTE}, "CLOCK_SKEW"),
        ({"deadline": lambda then: then - 3 * MINUTE}, "DEADLINE"),
        ({"deadline": lambda then: then + 11 * MINUTE}, "DEADLINE"),
        ({"dataset": "another"}, "OTHER_DATASET"),
        ({"agreement": "agreement-2"}, "NO_AGREEMENT"),
    ],
)
async def test_a_request_that_is_not_under_the_agreement_now_is_denied_and_recorded(
    world: World, lie: dict[str, Any], code: str
) -> None:
    outcome = await deal(world, consumer_says=lying(world, CONSUMER, "request", **lie))
    denied = world.provider.leaves()[-1]
    assert (denied["type"], denied["code"]) == ("denial", code)
    assert not any(isinstance(message, Frame) for message in outcome.sent)


async def test_anothers_agreement_and_none_look_the_same(world: World) -> None:
    """A third member, in good standing, asks under an agreement that others made."""
    world.keys[THIRD] = Ed25519PrivateKey.generate()
    asked: list[Signed] = []

    def keep(message: Any) -> Any:
        if kind_of(message) == "request":
            asked.append(message)
        return message

    await deal(world, consumer_says=keep)
    refusals = []
    for agreement in ("agreement-1", "agreement-2"):
        content = {**asked[0].document.content(), "sender": THIRD, "agreement": agreement}
        content["exchange"] = f"for-{agreement}"
        content["nonce"] = agreement[-1] * 64
        refused = await admit(world.provider.ground, THIRD, Signed(sign(content, world.keys[THIRD])))
        assert isinstance(refused, Refused)
        refusals.append(refused.code)
    assert refusals == ["NO_AGREEMENT", "NO_AGREEMENT"]


async def test_a_message_in_the_consumers_name_from_another_caller_is_refused(world: World) -> None:
    world.keys[THIRD] = Ed25519PrivateKey.generate()
    asked: list[Signed] = []

    def keep(message: Any) -> Any:
        asked.append(message)
        return message

    await deal(world, consumer_says=keep)
    before = len(world.provider.leaves())
    content = {**asked[0].document.content(), "nonce": OTHER}
    with pytest.raises(OutOfTurn):
        await admit(world.provider.ground, THIRD, Signed(sign(content, world.keys[THIRD])))
    assert len(world.provider.leaves()) == before


async def test_a_resume_from_another_place_is_denied(world: World) -> None:
    world.dataset.count = 12
    frames = iter(range(1000))

    def break_off(message: Any) -> Any:
        if isinstance(message, Frame) and next(frames) == 10:
            return Frame(b"")
        return message

    broken = await deal(world, provider_says=break_off)
    again = await deal(
        world,
        resume=broken.exchange,
        consumer_says=lying(world, CONSUMER, "resume", digest=OTHER),
    )
    assert world.provider.leaves()[-1]["code"] == "RESUME_ELSEWHERE"
    assert not any(isinstance(message, Frame) for message in again.sent)
