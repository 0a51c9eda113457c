"""What a consumer's signatures move at the provider: forward, once, and no further than it signed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.exchange import budget
from connector.exchange.channel import Frame, Signed
from connector.exchange.consumer import ConsumerExchange
from connector.exchange.custody import WrongAck
from connector.exchange.late import LateSignatures
from connector.exchange.messages import Ack
from connector.store.tables import ExchangeRow
from ledger.document import sign
from tests.exchange.world import AGREEMENT, CONSUMER, World
from tests.security.dealing import deal, kind_of


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def at_provider(world: World, exchange: str) -> ExchangeRow:
    with world.provider.database.read() as session:
        return session.get_one(ExchangeRow, exchange)


def acks(world: World) -> list[dict[str, Any]]:
    return [leaf for leaf in world.provider.leaves() if leaf["type"] == "ack"]


def again(world: World, message: Signed, **other: Any) -> Signed:
    """The consumer's message with other members, signed by the consumer."""
    return Signed(sign({**message.document.content(), **other}, world.keys[CONSUMER]), message.opening)


class Acks:
    """Keeps the consumer's Acks, and puts another message in the place of the one with a number."""

    def __init__(self, number: int, instead: Any) -> None:
        self.number, self.instead, self.seen = number, instead, list[Signed]()

    def __call__(self, message: Any) -> Any:
        if kind_of(message) != "ack":
            return message
        self.seen.append(message)
        return self.instead(self.seen) if len(self.seen) == self.number else message


async def test_an_ack_of_a_window_that_was_acknowledged_is_refused_and_counts_nothing_twice(
    world: World,
) -> None:
    """A second signed Ack of window 1, in the place of the one for window 3."""

    def first_again(seen: list[Signed]) -> Signed:
        first = seen[0].document.content()
        return again(world, seen[-1], window=first["window"], frame=first["frame"], digest=first["digest"])

    outcome = await deal(world, consumer_says=Acks(3, first_again))
    assert isinstance(outcome.provider, WrongAck)
    row = at_provider(world, outcome.exchange)
    told = acks(world)
    assert (row.window, len(told)) == (2, 2)
    assert row.rows == sum(leaf["rows"] for leaf in told)
    assert row.digest == told[-1]["digest"]


@pytest.mark.parametrize("number", [1, 4])
async def test_a_window_acknowledged_in_two_steps_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """An Ack may name a frame inside a window, the last one too; the next one goes on from there."""
    world = World(tmp_path, windows=1)
    whole = ConsumerExchange._acknowledge

    async def in_two_steps(self: Any, before: Any, part: Any, message: Signed, coming: Any) -> None:
        commit = coming[0]
        if commit.window == number:
            half = Ack(commit.window, 2, commit.digests[1])
            members = {"window": half.window, "frame": half.frame, "digest": half.digest}
            said = await self._ground.writer.write(
                lambda transaction: self._conversation.say(transaction, half, members=members)
            )
            await self._channel.send(said)
        await whole(self, before, part, message, coming)

    monkeypatch.setattr(ConsumerExchange, "_acknowledge", in_two_steps)
    outcome = await deal(world)
    assert (outcome.provider, outcome.consumer) == (None, None)
    row, told = at_provider(world, outcome.exchange), acks(world)
    assert told[number - 1]["frame"] == 2
    assert told[number]["window"] == told[number - 1]["window"] == number
    assert (row.state, row.frames) == ("COMPLETED", world.dataset.count)
    assert row.rows == sum(leaf["rows"] for leaf in told) == world.dataset.count * (900_000 // 9)
    world.close()


async def test_a_late_ack_of_an_attempt_that_was_given_up_moves_nothing(world: World) -> None:
    """A Resume declares that what was not acknowledged is discarded; its signer cannot have it after all."""
    kept: list[Signed] = []

    def lose_acks(message: Any) -> Any:
        if kind_of(message) == "ack":
            kept.append(message)
            return again(world, message, digest="9" * 64)
        return message

    broken = await deal(world, consumer_says=lose_acks)
    assert isinstance(broken.provider, WrongAck)

    frames = iter(range(1000))

    def break_off(message: Any) -> Any:
        return Frame(b"") if isinstance(message, Frame) and next(frames) == 2 else message

    def as_if_nothing_was_acknowledged(message: Any) -> Any:
        if kind_of(message) != "resume":
            return message
        accept = message.opening["accept"]
        start = at_provider(world, broken.exchange)
        changed = {"ack": None, "window": 0, "frame": 0, "digest": start.digest}
        return Signed(
            sign({**message.document.content(), **changed}, world.keys[CONSUMER]), {"accept": accept}
        )

    await deal(
        world,
        resume=broken.exchange,
        provider_says=break_off,
        consumer_says=as_if_nothing_was_acknowledged,
    )
    before = at_provider(world, broken.exchange)
    late = LateSignatures(world.provider.ground)
    taken = world.provider.writer.submit(lambda tx: late.take(tx, CONSUMER, kept[0].document, {}))
    with pytest.raises(WrongAck):
        taken.result()
    after = at_provider(world, broken.exchange)
    assert (after.window, after.digest, after.rows) == (before.window, before.digest, before.rows)


async def test_an_ack_of_windows_that_left_counts_after_its_stream_is_gone(world: World) -> None:
    kept: list[Signed] = []

    def lose(message: Any) -> Any:
        if kind_of(message) == "ack":
            kept.append(message)
            return again(world, message, digest="9" * 64)
        return message

    broken = await deal(world, consumer_says=lose)
    with world.provider.database.read_sqlite() as connection:
        assert budget.outstanding(connection, AGREEMENT) > 0
    late = LateSignatures(world.provider.ground)
    for _ in range(2):
        world.provider.writer.submit(lambda tx: late.take(tx, CONSUMER, kept[0].document, {})).result()
    row = at_provider(world, broken.exchange)
    assert row.window == 1
    assert len(acks(world)) == 1, "one that came before changes nothing"
