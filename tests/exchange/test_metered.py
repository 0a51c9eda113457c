"""Both sides count the same windows, by the same messages, whatever happened on the way.

A stream that breaks loses what was said last on it, on either side, and nothing before that. A side that
dies loses nothing that was durable.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connector.audit.scope import Counterpart, Scope
from connector.contract.settlement import Line, Span
from connector.exchange import metered
from connector.exchange.answer import provide
from connector.exchange.asking import AskingSession
from connector.exchange.channel import Frame
from connector.exchange.consumer import ConsumerExchange
from connector.exchange.conversation import Conversation
from connector.exchange.inbox import Delivery
from connector.exchange.messages import Accept, End
from connector.exchange.provider import Interrupted
from connector.exchange.wish import Wish, new_exchange
from connector.store.tables import ExchangeRow
from ledger.errors import BylagError
from ledger.names import ExchangeId, MessageHash, Milliseconds, ParticipantId
from tests.exchange.settling import SettlingWorld, small_windows
from tests.exchange.test_query import session
from tests.exchange.world import AGREEMENT, CONSUMER, DATASET, PROVIDER, Party, Pipe, Rule, pipe
from tests.security.dealing import KEY, deal, kind_of

ALWAYS = Span(Milliseconds(0), Milliseconds(2**52))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SettlingWorld]:
    monkeypatch.setattr("connector.exchange.provider.WindowMaker", small_windows)
    world = SettlingWorld(tmp_path)
    yield world
    world.close()


class Crash(Exception):
    """A process that is gone."""


@dataclass(frozen=True)
class Attempt:
    """How one attempt goes: what is lost, and when."""

    frames: int | None = None
    """The provider's stream breaks before this frame."""
    acks: int | None = None
    """From this Ack on nothing that the consumer says arrives, and the stream ends."""
    crash: int | None = None
    """The consumer dies when this Ack is durable, and before it is sent."""
    bar: int | None = None
    """The agreement is barred when this frame is handed over."""


async def play(world: SettlingWorld, attempt: Attempt, exchange: ExchangeId | None) -> ExchangeId:
    """One attempt at the transfer, or the next one; nothing where there is nothing to go on with."""
    if exchange is not None:
        with world.consumer.database.read() as reading:
            row = reading.get_one(ExchangeRow, exchange)
        if not row.accept or row.state in ("COMPLETED", "TERMINATED"):
            return exchange
    ends = pipe()
    frames = acks = 0
    gone = False
    started: list[ExchangeId] = []

    def provider_says(message: Any) -> Any:
        nonlocal frames
        if isinstance(message, Frame):
            frames += 1
            if frames == attempt.frames:
                raise Interrupted("the stream broke")
            if frames == attempt.bar:
                world.provider.ground.bars.bar(AGREEMENT, "AGREEMENT_TERMINATED")
        return message

    def consumer_says(message: Any) -> Any:
        nonlocal acks, gone
        if not started and kind_of(message) is not None:
            started.append(message.document.content()["exchange"])
        if kind_of(message) == "ack":
            acks += 1
            if acks == attempt.crash:
                raise Crash
            if acks == attempt.acks:
                gone = True
                ends[1].outgoing.put_nowait(None)
        return None if gone else message

    try:
        await deal(
            world, provider_says=provider_says, consumer_says=consumer_says, resume=exchange, ends=ends
        )
    except* Crash:
        pass
    return started[0]


async def lines_after(world: SettlingWorld, *attempts: Attempt) -> tuple[list[Line], list[Line]]:
    """What each side would bill after these attempts, and after the outboxes are empty."""
    exchange: ExchangeId | None = None
    for attempt in attempts:
        exchange = await play(world, attempt, exchange)
    world.resend()
    world.carry()
    return world.seller.lines(ALWAYS), world.buyer.lines(ALWAYS)


async def test_a_whole_transfer_counts_the_same_on_both_sides_without_the_outbox(
    world: SettlingWorld,
) -> None:
    await play(world, Attempt(), None)
    assert world.resend() == 0, "End showed that every Ack had come"
    here, there = world.seller.lines(ALWAYS), world.buyer.lines(ALWAYS)
    assert here == there
    assert [line.window for line in here] == [1, 2, 3, 4]
    assert sum(line.rows for line in here) == 12 * 1000
    assert sum(line.bytes for line in here) == len(world.dataset.content())
    assert [line.requests for line in here] == [1, 0, 0, 0]


@pytest.mark.parametrize("acks", [1, 2, 3, 4])
async def test_acks_that_were_lost_arrive_each_by_itself_through_the_outbox(
    world: SettlingWorld, acks: int
) -> None:
    await play(world, Attempt(acks=acks), None)
    before = world.seller.lines(ALWAYS)
    assert len(before) == acks - 1
    world.carry()
    here, there = world.seller.lines(ALWAYS), world.buyer.lines(ALWAYS)
    assert here == there
    assert [line.ack for line in here] == _acks(world), "each window stands on its own Ack"
    assert len(here) >= acks


async def test_an_ack_that_nobody_showed_to_have_stands_on_no_statement(world: SettlingWorld) -> None:
    await play(world, Attempt(acks=3), None)
    assert _acks(world)[2] not in {line.ack for line in world.buyer.lines(ALWAYS)}
    world.carry()
    assert [line.ack for line in world.buyer.lines(ALWAYS)] == _acks(world)


def test_what_was_heard_counts_as_seen_once_it_is_recorded(world: SettlingWorld) -> None:
    """A message that was heard and not recorded is lost in a crash: ``seen`` would have proved nothing."""
    exchange = new_exchange(world.consumer.ground)

    def conversation(party: Party, peer: str) -> Conversation:
        return Conversation(
            party.ground,
            peer=ParticipantId(peer),
            scope=Scope(counterpart=Counterpart(ParticipantId(peer)), agreement=AGREEMENT),
            exchange=exchange,
            agreement=AGREEMENT,
            attempt=1,
        )

    provider, consumer = conversation(world.provider, CONSUMER), conversation(world.consumer, PROVIDER)
    said = world.buyer.do(lambda tx: consumer.say(tx, Accept(MessageHash("1" * 64))))
    provider.hear(said)

    def seen() -> object:
        end = End(0, 0, 0, "2" * 64, None)
        return world.seller.do(lambda tx: provider.say(tx, end)).document.content()["seen"]

    assert seen() is None
    world.seller.do(lambda tx: provider.record_heard(tx, "accept", said.document))
    assert seen() == said.document.digest


async def test_a_querys_acks_that_were_lost_come_through_the_outbox(world: SettlingWorld) -> None:
    provider_end, consumer_end = pipe()
    consumer_end.tamper = lambda message: None if kind_of(message) == "ack" else message
    answering = asyncio.create_task(_answer(world, provider_end))
    exchange = new_exchange(world.consumer.ground)
    delivery = Delivery(world.folder / "inbox", exchange, KEY, world.consumer.ambient)
    consumer = ConsumerExchange(world.consumer.ground, consumer_end, world.terms, delivery, exchange=exchange)
    conversation, digest = await consumer.open_session(Wish(DATASET, Rule().purpose, mode="query"))
    asking = AskingSession(world.consumer.ground, consumer_end, conversation, digest, 0)
    await asyncio.gather(*(asking.ask({"number": number}) for number in range(100)))
    await asking.finish()
    await consumer_end.outgoing.put(None)
    await answering
    assert world.seller.lines(ALWAYS) == world.buyer.lines(ALWAYS) == []
    assert world.resend() == 2
    world.carry()
    assert world.seller.lines(ALWAYS) == world.buyer.lines(ALWAYS)
    assert [line.requests for line in world.seller.lines(ALWAYS)] == [64, 36]


async def _answer(world: SettlingWorld, end: Pipe) -> None:
    try:
        await provide(world.provider.ground, end, await end.first())
    except BylagError:
        return


async def test_a_resume_brings_every_ack_that_may_be_missing(world: SettlingWorld) -> None:
    exchange = await play(world, Attempt(acks=1), None)
    await play(world, Attempt(frames=1), exchange)
    taken = len(_acks(world))
    assert [line.ack for line in world.seller.lines(ALWAYS)] == _acks(world)
    assert world.seller.lines(ALWAYS) == world.buyer.lines(ALWAYS)
    world.carry()  # what the outbox brings now came before
    assert len([leaf for leaf in world.provider.leaves() if leaf["type"] == "ack"]) == taken


async def test_an_ack_that_came_two_ways_is_taken_once(world: SettlingWorld) -> None:
    """A stream that stands still for long is overtaken by the outbox."""

    def overtaken(message: Any) -> Any:
        if kind_of(message) == "ack":
            late = world.seller.late
            world.seller.do(lambda tx: late.take(tx, CONSUMER, message.document, {}))
        return message

    outcome = await deal(world, consumer_says=overtaken)
    assert (outcome.provider, outcome.consumer) == (None, None)
    assert [line.ack for line in world.seller.lines(ALWAYS)] == _acks(world)
    assert len([leaf for leaf in world.provider.leaves() if leaf["type"] == "ack"]) == 4


async def test_a_consumer_that_died_sends_what_it_signed_when_it_is_back(world: SettlingWorld) -> None:
    await play(world, Attempt(crash=2), None)
    world.restart(CONSUMER)
    assert world.buyer.lines(ALWAYS) == world.seller.lines(ALWAYS)[: len(world.buyer.lines(ALWAYS))]
    assert world.resend() >= 1
    assert world.resend() == 0, "each goes once"
    world.carry()
    assert world.buyer.lines(ALWAYS) == world.seller.lines(ALWAYS)
    assert len(world.buyer.lines(ALWAYS)) >= 2


async def test_an_ack_goes_again_only_after_a_while(world: SettlingWorld) -> None:
    async with session(world) as asking:
        await asking.ask({"number": 1})
    buyer = world.buyer

    def sweep(transaction: Any) -> int:
        return metered.resend(transaction, buyer.party.ambient.now(), patience=metered.PATIENCE_MS)

    assert buyer.do(sweep) == 0
    world.later(metered.PATIENCE_MS)
    assert buyer.do(sweep) == 1
    world.carry()
    assert len(world.buyer.lines(ALWAYS)) == 1
    assert world.buyer.lines(ALWAYS) == world.seller.lines(ALWAYS)


async def test_a_query_counts_its_answered_questions(world: SettlingWorld) -> None:
    async with session(world) as asking:
        await asyncio.gather(*(asking.ask({"number": number}) for number in range(100)))
    world.resend()
    world.carry()
    here = world.seller.lines(ALWAYS)
    assert here == world.buyer.lines(ALWAYS)
    assert [line.requests for line in here] == [64, 36]
    assert sum(line.rows for line in here) == 100


async def test_an_ack_that_the_provider_refuses_is_not_held(world: SettlingWorld) -> None:
    await play(world, Attempt(acks=4), None)
    buyer = world.buyer
    (ack,) = [line for line in _acks(world) if line not in {each.ack for each in world.seller.lines(ALWAYS)}]
    buyer.do(lambda tx: metered.refused(tx, world.seller.did, ack))
    buyer.do(lambda tx: metered.delivered(tx, world.seller.did, 100))
    assert ack not in {line.ack for line in buyer.lines(ALWAYS)}


def _acks(world: SettlingWorld) -> list[str]:
    return [leaf["message"] for leaf in world.consumer.leaves() if leaf["type"] == "ack"]


async def test_a_cut_counts_what_it_says(world: SettlingWorld) -> None:
    here, there = await lines_after(world, Attempt(bar=5))
    assert here == there
    cut = here[-1]
    assert cut.cut is not None
    assert 0 < cut.rows < 3000
    assert sum(line.rows for line in here) == sum(
        leaf["rows"] for leaf in world.provider.leaves() if leaf["type"] == "ack"
    )


ATTEMPTS = st.builds(
    Attempt,
    frames=st.none() | st.integers(1, 12),
    acks=st.none() | st.integers(1, 4),
    crash=st.none() | st.integers(1, 4),
    bar=st.none() | st.integers(1, 12),
)


def _bills_the_same(attempts: list[Attempt], restarts: set[ParticipantId]) -> None:
    small = patch("connector.exchange.provider.WindowMaker", small_windows)
    with tempfile.TemporaryDirectory() as folder, small:
        world = SettlingWorld(Path(folder), windows=2)
        try:
            asyncio.run(_history(world, attempts, restarts))
            here, there = world.seller.lines(ALWAYS), world.buyer.lines(ALWAYS)
            assert here == there
            acknowledged = [leaf for leaf in world.provider.leaves() if leaf["type"] == "ack"]
            assert sum(line.rows for line in here) == sum(leaf["rows"] for leaf in acknowledged)
            assert len({line.place for line in here}) == len(here)
        finally:
            world.close()


async def _history(world: SettlingWorld, attempts: list[Attempt], restarts: set[ParticipantId]) -> None:
    exchange: ExchangeId | None = None
    for attempt in attempts:
        exchange = await play(world, attempt, exchange)
        for did in restarts:
            world.restart(did)
    world.resend()
    world.carry()


HISTORIES = st.lists(ATTEMPTS, min_size=1, max_size=4)
RESTARTS = st.sets(st.sampled_from([PROVIDER, CONSUMER]))


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(attempts=HISTORIES, restarts=RESTARTS)
@example([Attempt(acks=2), Attempt(crash=1), Attempt(frames=2), Attempt()], {PROVIDER, CONSUMER})
@example([Attempt(acks=1, bar=4)], set())
def test_both_sides_bill_the_same_after_any_history(
    attempts: list[Attempt], restarts: set[ParticipantId]
) -> None:
    _bills_the_same(attempts, restarts)


@pytest.mark.torture
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(attempts=HISTORIES, restarts=RESTARTS)
def test_both_sides_bill_the_same_after_many_histories(
    attempts: list[Attempt], restarts: set[ParticipantId]
) -> None:
    _bills_the_same(attempts, restarts)
