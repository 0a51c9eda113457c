"""What must still be so when a window leaves, and what stands in the log when it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from connector.contract.terms import VersionRule
from connector.exchange.channel import Frame
from connector.exchange.conversation import OutOfTurn
from connector.exchange.ground import Denied
from connector.store.tables import ExchangeRow
from ledger import log
from ledger.errors import BylagError
from ledger.names import ExchangeId, Milliseconds, VersionDigest
from tests.exchange.world import World, pipe
from tests.security.dealing import deal, kind_of


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, windows=1)
    yield world
    world.close()


def leaves(world: World, kind: str) -> list[dict[str, Any]]:
    return [leaf for leaf in world.provider.leaves() if leaf["type"] == kind]


def hashes(world: World) -> set[str]:
    with world.provider.database.read_sqlite() as connection:
        return {entry.hash.hex() for entry in log.entries(connection)}


async def test_every_window_cites_a_decision_that_stands_in_the_log(world: World) -> None:
    """Also when a lease ended while the budget had no room: what was undone then cannot be cited later."""
    ends = pipe()
    held: list[Any] = []

    def hold_the_first_ack(message: Any) -> Any:
        if kind_of(message) == "ack" and not held:
            held.append(message)
            world.rule.rulings.clear()  # the lease ends: the next answer is another decision
            asyncio.get_running_loop().call_later(0.8, ends[1].outgoing.put_nowait, message)
        return None if message in held else message

    outcome = await deal(world, consumer_says=hold_the_first_ack, ends=ends)
    assert (outcome.consumer, outcome.provider) == (None, None)
    cited = {leaf["decision"] for leaf in leaves(world, "commit")}
    assert len(cited) == 2
    assert cited <= hashes(world)


async def test_a_window_that_is_no_longer_allowed_is_a_denial_on_record(world: World) -> None:
    frames = iter(range(1000))

    def end_it_in_the_store(message: Any) -> Any:
        if isinstance(message, Frame) and next(frames) == 3:
            world.provider.end_agreement()
        return message

    outcome = await deal(world, provider_says=end_it_in_the_store)
    assert isinstance(outcome.provider, Denied)
    denied = leaves(world, "denial")
    assert [(leaf["code"], leaf["exchange"]) for leaf in denied] == [("AGREEMENT_ENDED", outcome.exchange)]


async def test_no_window_leaves_after_the_end_of_the_agreements_period(world: World) -> None:
    """Also when nobody has noted the end in the store yet: the provider's clock decides."""
    world.terms = replace(world.terms, until=Milliseconds(world.provider.ambient.now() + 3_600_000))
    frames = iter(range(1000))

    def an_hour_later(message: Any) -> Any:
        if isinstance(message, Frame) and next(frames) == 3:
            world.provider.ambient.step(3_600_000)
        return message

    outcome = await deal(world, provider_says=an_hour_later)
    assert isinstance(outcome.provider, Denied)
    assert [leaf["code"] for leaf in leaves(world, "denial")] == ["AGREEMENT_ENDED"]
    assert len(leaves(world, "commit")) < 4


async def test_another_version_than_was_agreed_is_denied(world: World) -> None:
    other = VersionDigest("f" * 64)
    world.terms = replace(world.terms, versions=VersionRule("pinned", other))
    outcome = await deal(world)
    assert [leaf["code"] for leaf in leaves(world, "denial")] == ["OTHER_VERSION"]
    assert not any(isinstance(message, Frame) for message in outcome.sent)


async def test_an_offer_of_another_version_than_was_agreed_is_not_accepted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreed = world.terms
    monkeypatch.setattr(world.provider, "terms", lambda _agreement: agreed)
    world.terms = replace(agreed, versions=VersionRule("pinned", VersionDigest("f" * 64)))
    outcome = await deal(world)
    assert isinstance(outcome.consumer, OutOfTurn)
    assert "accept" not in {leaf["type"] for leaf in world.consumer.leaves()}


async def test_an_accept_that_comes_after_the_offers_end_grants_nothing(world: World) -> None:
    def too_late(message: Any) -> Any:
        if kind_of(message) == "accept":
            world.provider.ambient.step(61_000)
        return message

    outcome = await deal(world, consumer_says=too_late)
    assert isinstance(outcome.provider, Denied)
    assert outcome.provider.reason == "OFFER_EXPIRED"
    assert [leaf["code"] for leaf in leaves(world, "denial")] == ["OFFER_EXPIRED"]
    assert not any(isinstance(message, Frame) for message in outcome.sent)


async def test_an_attempt_that_was_overtaken_sends_nothing_more(world: World) -> None:
    """The first stream hangs half open, its budget used; the consumer was restarted and has resumed."""
    ends = pipe()
    withheld = asyncio.Event()  # its window is stored and acknowledged: it writes nothing more

    def withhold(message: Any) -> Any:
        if kind_of(message) != "ack":
            return message
        withheld.set()
        return None

    first = asyncio.create_task(deal(world, consumer_says=withhold, ends=ends))
    await withheld.wait()
    with world.provider.database.read() as session:
        exchange = ExchangeId(session.exec(select(ExchangeRow)).one().id)
    world.consumer.ground.attempts._under_way.clear()  # as in the process that is started anew
    second = await deal(world, resume=exchange)
    assert (second.consumer, second.provider) == (None, None)
    await asyncio.sleep(1.2)
    ends[0].hang_up()
    ends[1].hang_up()
    await first
    attempts = [(leaf["attempt"], leaf["window"]) for leaf in leaves(world, "commit")]
    assert [place for place in attempts if place[0] == 1] == [(1, 1)]
    with world.provider.database.read() as session:
        assert session.get_one(ExchangeRow, exchange).state == "COMPLETED"


async def test_a_frame_does_not_leave_between_the_look_and_the_hand_over(world: World) -> None:
    """A bar that is set after the last look, before the transport has the frame, still holds it back."""
    ends = pipe()
    frames = iter(range(1000))
    loop = asyncio.get_running_loop()
    bars = world.provider.ground.bars
    barred_at: list[int] = []

    def bar_in_the_next_turn(message: Any) -> Any:
        if isinstance(message, Frame):
            number = next(frames)
            assert not barred_at, "a frame left after the bar"
            if number == 5:
                turns = 0

                def turn() -> None:
                    nonlocal turns
                    turns += 1
                    if turns < 3:
                        loop.call_soon(turn)
                    else:
                        bars.bar("agreement-1", "AGREEMENT_TERMINATED")
                        barred_at.append(number)

                loop.call_soon(turn)
        return message

    outcome = await deal(world, provider_says=bar_in_the_next_turn, ends=ends)
    assert isinstance(outcome.consumer, BylagError)
    assert barred_at == [5]
