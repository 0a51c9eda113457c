"""A consumer whose provider lies about sizes, or who is asked for the same thing twice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.exchange import consumer, windows
from connector.exchange.attempts import Attempts, AttemptUnderWay
from connector.exchange.channel import Frame
from connector.exchange.consumer import ConsumerExchange, WrongBytes
from connector.exchange.inbox import Delivery, read_frames, sync
from connector.store.tables import ExchangeRow
from ledger.errors import BylagError
from ledger.names import ExchangeId
from tests.exchange.world import PROVIDER, World, pipe
from tests.security.dealing import KEY, deal, kind_of, lying


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.dataset.count = 3
    yield world
    world.close()


def at_consumer(world: World, exchange: str) -> ExchangeRow:
    with world.consumer.database.read() as session:
        return session.get_one(ExchangeRow, exchange)


def stored(world: World, exchange: str) -> int:
    folder = world.folder / "inbox" / exchange
    return sum(path.stat().st_size for path in folder.glob("*.part"))


async def test_a_frame_beyond_a_mebibyte_is_rejected_though_it_is_what_was_committed_to(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could be stored, and never be read back: nobody signs for what they cannot use."""
    monkeypatch.setattr(windows, "MAX_FRAME_BYTES", 2 << 20)
    world.dataset.piece_size = 3 << 19
    outcome = await deal(world)
    assert isinstance(outcome.consumer, WrongBytes)
    rejected = [leaf for leaf in world.consumer.leaves() if leaf["type"] == "reject"]
    assert [leaf["code"] for leaf in rejected] == ["OTHER_LENGTH"]
    assert at_consumer(world, outcome.exchange).window == 0


async def test_a_window_with_more_bytes_than_its_commit_says_is_not_stored(world: World) -> None:
    """A Commit may name 4,096 frames and a few bytes; the disk holds no more than it said."""
    outcome = await deal(world, provider_says=lying(world, PROVIDER, "commit", bytes=10))
    assert isinstance(outcome.consumer, WrongBytes)
    assert stored(world, outcome.exchange) == 0


async def test_an_exchange_is_received_once_at_a_time(world: World) -> None:
    """Two commands that resume the same exchange: the second is told so, and spoils nothing."""
    world.dataset.count = 20
    frames = iter(range(1000))

    def break_off(message: Any) -> Any:
        return Frame(b"") if isinstance(message, Frame) and next(frames) == 12 else message

    broken = await deal(world, provider_says=break_off)
    going, ends = asyncio.Event(), pipe()

    def slowly(message: Any) -> Any:
        if kind_of(message) == "resume":
            going.set()
        return message

    first = asyncio.create_task(deal(world, resume=broken.exchange, consumer_says=slowly, ends=ends))
    await going.wait()
    ground = world.consumer.ground
    delivery = Delivery(world.folder / "inbox", broken.exchange, KEY, ground.ambient)
    second = ConsumerExchange(ground, pipe()[1], world.terms, delivery, exchange=broken.exchange)
    with pytest.raises(AttemptUnderWay):
        await second.resume()
    assert (await first).consumer is None
    row = at_consumer(world, broken.exchange)
    received = read_frames(world.folder / "inbox", ExchangeId(row.id), KEY, iter(range(1, row.window + 1)))
    assert b"".join(received) == world.dataset.content()


async def test_an_ack_of_an_attempt_that_was_given_up_does_not_come_in_between_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two windows are still being synced when the stream breaks; the disk is done while the next begins."""
    world.dataset.count = 40
    gate, synced = threading.Event(), sync

    def slow(part: Any) -> None:
        if part.name.endswith(("2.part", "3.part")):
            gate.wait(3)
        synced(part)

    monkeypatch.setattr(consumer, "sync", slow)
    ends = pipe()

    def break_off(message: Any) -> Any:
        if kind_of(message) == "commit" and message.document.content()["window"] == 4:
            ends[0].hang_up()
        return message

    broken = await deal(world, provider_says=break_off, ends=ends)
    assert isinstance(broken.consumer, BylagError)

    async def while_the_disk_finishes(*_: Any) -> None:
        gate.set()
        await asyncio.sleep(0.5)

    monkeypatch.setattr(world.consumer, "compare", while_the_disk_finishes)
    again = await deal(world, resume=broken.exchange)
    assert (again.consumer, again.provider) == (None, None)


def test_what_ended_can_be_begun_again() -> None:
    attempts, exchange = Attempts(), ExchangeId("exchange-1")
    for _ in range(2):
        with pytest.raises(KeyError), attempts.alone(exchange):
            raise KeyError("it broke")
