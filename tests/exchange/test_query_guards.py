"""A query session under a hostile consumer: what leaves, what frees the budget, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector.audit.recorder import Recorder
from connector.exchange import budget
from connector.exchange.answer import provide
from connector.exchange.asking import AskingSession
from connector.exchange.channel import Answer, Signed
from connector.exchange.consumer import ConsumerExchange
from connector.exchange.ground import Denied
from connector.exchange.inbox import Delivery
from connector.exchange.wish import Wish, new_exchange
from connector.store.database import StoreUnavailable
from ledger.document import sign
from ledger.errors import BylagError
from ledger.names import ExchangeId
from tests.exchange.world import AGREEMENT, CONSUMER, DATASET, Pipe, Rule, World, pipe
from tests.security.dealing import kind_of


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, windows=1)
    yield world
    world.close()


class Session:
    """Both sides of a query session, and what became of the provider's."""

    def __init__(self, world: World, exchange: ExchangeId | None = None) -> None:
        self.world = world
        self.ends: tuple[Pipe, Pipe] = pipe()
        self.exchange = exchange or new_exchange(world.consumer.ground)
        delivery = Delivery(world.folder / "inbox", self.exchange, AESGCM(b"k" * 32), world.consumer.ambient)
        self.consumer = ConsumerExchange(
            world.consumer.ground, self.ends[1], world.terms, delivery, exchange=self.exchange
        )
        self.asking: list[AskingSession] = []
        self.provider = asyncio.create_task(self._provide())

    async def _provide(self) -> Any:
        try:
            return await provide(self.world.provider.ground, self.ends[0], await self.ends[0].first())
        finally:
            self.ends[0].outgoing.put_nowait(None)

    async def ask(self) -> AskingSession:
        wish = Wish(DATASET, Rule().purpose, mode="query")
        conversation, digest = await self.consumer.open_session(wish)
        asking = AskingSession(self.world.consumer.ground, self.ends[1], conversation, digest, 0)
        self.asking.append(asking)
        return asking

    async def over(self) -> Any:
        """Hang up, and what the provider's side raised or returned."""
        self.ends[1].outgoing.put_nowait(None)
        result = (await asyncio.gather(self.provider, return_exceptions=True))[0]
        for asking in self.asking:
            await asking.close()
        return result


@asynccontextmanager
async def session(world: World, exchange: ExchangeId | None = None) -> AsyncIterator[Session]:
    opened = Session(world, exchange)
    try:
        yield opened
    finally:
        await opened.over()


def leaves(world: World, kind: str) -> list[dict[str, Any]]:
    return [leaf for leaf in world.provider.leaves() if leaf["type"] == kind]


def outstanding(world: World) -> int:
    with world.provider.database.read_sqlite() as connection:
        return budget.outstanding(connection, AGREEMENT)


async def test_an_answer_that_was_recorded_does_not_leave_after_a_bar(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record stands: one of a release that did not happen, never the other way round."""
    async with session(world) as opened:
        asking = await opened.ask()
        await asking.ask({"number": 1})
        bars, sent = world.provider.ground.bars, list[Answer]()
        begin = world.provider.writer.begin

        def bar_once_it_is_durable(job: Any) -> Any:
            future = begin(job)
            future.add_done_callback(lambda _: bars.bar(AGREEMENT, "AGREEMENT_TERMINATED"))
            return future

        def watch(message: Any) -> Any:
            sent.append(message)
            return message

        opened.ends[0].tamper = watch
        with monkeypatch.context() as patched:
            patched.setattr(world.provider.writer, "begin", bar_once_it_is_durable)
            with pytest.raises(BylagError):
                await asyncio.wait_for(asking.ask({"number": 2}), 5)
        error = await opened.over()
    assert isinstance(error, Denied)
    assert error.reason == "AGREEMENT_TERMINATED"
    assert not any(isinstance(message, Answer) and message.rows for message in sent)
    assert len(leaves(world, "release")) == 2
    assert leaves(world, "denial")[-1]["code"] == "AGREEMENT_TERMINATED"


async def test_a_session_that_broke_is_not_resumed_for_more_than_the_budget(world: World) -> None:
    """Other questions are other data: the window that is missing an Ack is not sent again, it is exposed."""
    async with session(world) as opened:
        opened.ends[1].tamper = lambda message: None if kind_of(message) == "ack" else message
        asking = await opened.ask()
        await asking.ask({"number": 1})
    assert outstanding(world) == 1
    released = len(leaves(world, "release"))
    async with session(world, opened.exchange) as again:
        with pytest.raises(Denied) as denied:
            await again.consumer.resume()
        assert denied.value.reason == "NOT_RESUMABLE"
    async with session(world) as another:
        asking = await another.ask()
        with pytest.raises(Denied) as denied:
            await asking.ask({"number": 2})
        assert denied.value.reason == "BUDGET_USED"
    assert len(leaves(world, "release")) == released
    assert outstanding(world) == 1


async def test_an_ack_of_a_part_of_a_window_does_not_free_it(world: World) -> None:
    async with session(world) as opened:
        digests: list[str] = []

        def keep(message: Any) -> Any:
            if kind_of(message) == "commit":
                digests.extend(message.document.content()["digests"])
            return message

        def only_the_first(message: Any) -> Any:
            if kind_of(message) != "ack":
                return message
            changed = {**message.document.content(), "frame": 1, "digest": digests[0]}
            return Signed(sign(changed, world.keys[CONSUMER]))

        opened.ends[0].tamper, opened.ends[1].tamper = keep, only_the_first
        asking = await opened.ask()
        await asyncio.gather(*(asking.ask({"number": number}) for number in range(10)))
        async with asyncio.timeout(5):
            while not leaves(world, "ack"):
                await asyncio.sleep(0.05)
    assert outstanding(world) == 1


async def test_a_window_in_which_all_was_denied_closes_though_the_budget_is_used(world: World) -> None:
    async with session(world) as first:
        first.ends[1].tamper = lambda message: None if kind_of(message) == "ack" else message
        await (await first.ask()).ask({"number": 1})
    async with session(world) as opened:
        asking = await opened.ask()
        with pytest.raises(Denied):
            await asking.ask({"number": 2})
        await asyncio.wait_for(asking.finish(), 5)
        assert not isinstance(await opened.over(), BaseException)


async def test_whoever_gives_up_a_question_takes_nobody_elses_answer_along(world: World) -> None:
    async with session(world) as opened:
        asking = await opened.ask()
        await asking.ask({"number": 1})  # the session is open at both ends
        world.provider.end_agreement()  # from now on every question is denied
        given_up = asyncio.create_task(asking.ask({"number": 1}))
        await asyncio.sleep(0)
        given_up.cancel()
        for number in (2, 3):
            with pytest.raises(Denied):
                await asyncio.wait_for(asking.ask({"number": number}), 5)
        await asyncio.wait_for(asking.finish(), 5)


async def test_no_window_is_acknowledged_whose_intake_could_not_be_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consumer signs for what it recorded: one answer whose record failed ends the session."""
    record = Recorder.record

    def failing(self: Any, transaction: Any, kind: str, *arguments: Any, **named: Any) -> Any:
        if kind == "intake" and named["members"]["query"] == 3:
            raise StoreUnavailable("the disk is full")
        return record(self, transaction, kind, *arguments, **named)

    monkeypatch.setattr(Recorder, "record", failing)
    async with session(world) as opened:
        asking = await opened.ask()
        asked = [asking.ask({"number": number}) for number in range(5)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [isinstance(answer, bytes) for answer in answers] == [True, True, False, True, True]
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(asking.finish(), 5)
    assert "ack" not in [leaf["type"] for leaf in world.consumer.leaves()]
    assert leaves(world, "ack") == []


async def test_an_accept_that_comes_after_the_offers_end_opens_no_session(world: World) -> None:
    async with session(world) as opened:

        def too_late(message: Any) -> Any:
            if kind_of(message) == "accept":
                world.provider.ambient.step(61_000)
            return message

        opened.ends[1].tamper = too_late
        await opened.ask()
        error = await opened.over()
    assert isinstance(error, Denied)
    assert leaves(world, "denial")[-1]["code"] == "OFFER_EXPIRED"
