"""What an attempt that was overtaken, cut or never begun may still change: nothing that is not its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from connector.exchange import sealing
from connector.exchange.channel import Frame, Signed
from connector.exchange.conversation import OutOfTurn
from connector.exchange.custody import WrongAck
from connector.exchange.ground import Denied
from connector.exchange.late import LateSignatures
from connector.store.tables import ExchangeRow
from ledger.document import from_json, sign
from ledger.names import ExchangeId
from tests.exchange.world import AGREEMENT, CONSUMER, PROVIDER, Party, Pipe, World, pipe
from tests.security.dealing import Outcome, deal, kind_of, lying


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.dataset.count = 4
    yield world
    world.close()


def row(party: Party, exchange: str) -> ExchangeRow:
    with party.database.read() as session:
        return session.get_one(ExchangeRow, exchange)


def set_row(party: Party, exchange: str, **values: Any) -> None:
    def change(transaction: Any) -> None:
        found = transaction.session.get_one(ExchangeRow, exchange)
        for name, value in values.items():
            setattr(found, name, value)

    party.writer.submit(change).result()


class Held:
    """Keeps the consumer's first message of a kind back, and all behind it, until a test lets it go."""

    def __init__(self, world: World, kind: str) -> None:
        self.world, self.kind, self.message = world, kind, None
        self.ends = pipe()
        self.came = asyncio.Event()

    def __call__(self, message: Any) -> Any:
        if kind_of(message) == self.kind and self.message is None:
            self.message = message
            self.came.set()
        # Nothing passes what is held: a stream keeps its order.
        return message if self.message is None else None

    async def first(self) -> tuple[asyncio.Task[Outcome], ExchangeId]:
        """A first attempt, up to that message; the consumer's process is then another."""
        first = asyncio.create_task(deal(self.world, consumer_says=self, ends=self.ends))
        await self.came.wait()
        with self.world.provider.database.read() as session:
            exchange = ExchangeId(session.exec(select(ExchangeRow)).one().id)
        self.world.consumer.ground.attempts._under_way.clear()
        return first, exchange

    async def let_go(self, first: asyncio.Task[Outcome]) -> Outcome:
        provider_end: Pipe = self.ends[0]
        provider_end.incoming.put_nowait(self.message)
        provider_end.incoming.put_nowait(None)
        self.ends[1].incoming.put_nowait(None)
        return await first


async def test_an_accept_that_comes_when_its_attempt_was_overtaken_changes_nothing(world: World) -> None:
    """The stream hung with the Accept on it; the consumer resumed, with that Accept beside its Resume."""
    held = Held(world, "accept")
    first, exchange = await held.first()
    second = await deal(world, resume=exchange)
    assert (second.consumer, second.provider) == (None, None)
    before = world.provider.leaves()
    overtaken = await held.let_go(first)
    assert isinstance(overtaken.provider, OutOfTurn)
    assert row(world.provider, exchange).state == "COMPLETED"
    assert world.provider.leaves() == before


async def test_a_receipt_of_an_attempt_that_was_overtaken_completes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer that was put back to an older state resumes while its Receipt is still on the way."""
    monkeypatch.setattr(sealing, "SEAL_SECONDS", 0.1)
    held = Held(world, "receipt")
    first, exchange = await held.first()
    set_row(world.consumer, exchange, state="SUSPENDED")
    again = Held(world, "accept")
    second = asyncio.create_task(deal(world, resume=exchange, consumer_says=again, ends=again.ends))
    await again.came.wait()
    overtaken = await held.let_go(first)
    assert isinstance(overtaken.provider, OutOfTurn)
    assert row(world.provider, exchange).state == "STARTED"
    assert "receipt" not in [leaf["type"] for leaf in world.provider.leaves()]
    await again.let_go(second)


async def test_a_late_accept_of_something_else_than_the_offer_begins_nothing(world: World) -> None:
    held = Held(world, "accept")
    first, exchange = await held.first()

    def another(message: Any) -> Any:
        if kind_of(message) != "resume":
            return message
        accept = from_json(message.opening["accept"]).content()
        changed = sign({**accept, "offer": "9" * 64}, world.keys[CONSUMER])
        resume = {**message.document.content(), "digest": changed.digest}
        return Signed(sign(resume, world.keys[CONSUMER]), {"accept": changed.to_json()})

    refused = await deal(world, resume=exchange, consumer_says=another)
    assert isinstance(refused.provider, OutOfTurn)
    assert row(world.provider, exchange).accept == b""
    await held.let_go(first)


def bar_at(world: World, frame: int) -> Any:
    """End the agreement when so many frames were handed over."""
    frames = iter(range(1, 1000))

    def watch(message: Any) -> Any:
        if isinstance(message, Frame) and next(frames) == frame:
            world.provider.ground.bars.bar(AGREEMENT, "AGREEMENT_TERMINATED")
        return message

    return watch


async def test_an_ack_of_frames_beyond_a_cut_moves_no_custody(world: World) -> None:
    """The Commit named four frames, three left: nobody can have the fourth."""
    commits: list[dict[str, Any]] = []
    barring = bar_at(world, 3)

    def watch(message: Any) -> Any:
        commits.extend([message.document.content()] if kind_of(message) == "commit" else [])
        return barring(message)

    def all_of_it(message: Any) -> Any:
        if kind_of(message) != "ack":
            return message
        changed = {"frame": 4, "digest": commits[0]["digest"]}
        return Signed(sign({**message.document.content(), **changed}, world.keys[CONSUMER]))

    outcome = await deal(world, provider_says=watch, consumer_says=all_of_it)
    assert isinstance(outcome.provider, WrongAck)
    assert row(world.provider, outcome.exchange).rows == 0


async def test_what_a_cut_left_can_be_signed_for_later(world: World) -> None:
    kept: list[Signed] = []

    def lose(message: Any) -> Any:
        if kind_of(message) == "ack":
            kept.append(message)
            return None
        return message

    outcome = await deal(world, provider_says=bar_at(world, 3), consumer_says=lose)
    assert isinstance(outcome.consumer, Denied)
    late = LateSignatures(world.provider.ground)
    await world.provider.writer.write(lambda tx: late.take(tx, CONSUMER, kept[0].document, {}))
    after = row(world.provider, outcome.exchange)
    assert (after.frames, after.state) == (3, "TERMINATED")


@pytest.mark.parametrize("lie", [{"window": 7}, {"frame": 2}, {"bytes": 1}])
async def test_a_cut_at_another_place_than_the_last_frame_is_not_signed_for(
    world: World, lie: dict[str, Any]
) -> None:
    lying_cut, barring = lying(world, PROVIDER, "cut", **lie), bar_at(world, 3)
    outcome = await deal(world, provider_says=lambda message: lying_cut(barring(message)))
    assert isinstance(outcome.consumer, OutOfTurn)
    assert row(world.consumer, outcome.exchange).window == 0
    assert "cut" not in [leaf["type"] for leaf in world.consumer.leaves()]


async def test_an_exchange_of_many_thousand_frames_can_be_resumed(world: World) -> None:
    """A Resume names the frame of the last Ack within its window, however many came before."""
    world.dataset.count = 30
    frames = iter(range(1000))

    def break_off(message: Any) -> Any:
        return Frame(b"") if isinstance(message, Frame) and next(frames) == 12 else message

    broken = await deal(world, provider_says=break_off)
    for party in world.parties.values():
        set_row(party, broken.exchange, frames=10_000)
    again = await deal(world, resume=broken.exchange)
    assert (again.consumer, again.provider) == (None, None)


async def test_a_request_that_nobody_answered_is_over(world: World) -> None:
    """There is nothing to resume before an Accept, so it is not called suspended."""
    ends = pipe()

    def hang_up(_: Any) -> Any:
        ends[0].hang_up()

    outcome = await deal(world, provider_says=hang_up, ends=ends)
    assert outcome.consumer is not None
    ended = row(world.consumer, outcome.exchange)
    assert (ended.state, ended.code) == ("TERMINATED", outcome.consumer.code)
    assert row(world.provider, outcome.exchange).state == "SUSPENDED"
