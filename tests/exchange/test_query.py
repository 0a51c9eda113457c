"""A query session: small questions, each recorded on both sides, signed for in windows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector.exchange.answer import provide
from connector.exchange.asking import AskingSession
from connector.exchange.channel import Answer
from connector.exchange.consumer import ConsumerExchange, WrongBytes
from connector.exchange.ground import Denied
from connector.exchange.inbox import Delivery
from connector.exchange.wish import Wish, new_exchange
from connector.policy.decision import CounterGuard
from connector.policy.input import CounterName
from tests.exchange.test_transfer import types
from tests.exchange.world import DATASET, Rule, World, pipe


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


@asynccontextmanager
async def session(world: World, tamper: Any = None) -> Any:
    provider_end, consumer_end = pipe()
    if tamper:
        provider_end.tamper = tamper
    exchange = new_exchange(world.consumer.ground)

    async def answer() -> None:
        await provide(world.provider.ground, provider_end, await provider_end.first())

    answering = asyncio.create_task(answer())
    delivery = Delivery(world.folder / "inbox", exchange, AESGCM(b"k" * 32), world.consumer.ambient)
    consumer = ConsumerExchange(world.consumer.ground, consumer_end, world.terms, delivery, exchange=exchange)
    conversation, digest = await consumer.open_session(Wish(DATASET, Rule().purpose, mode="query"))
    asking = AskingSession(world.consumer.ground, consumer_end, conversation, digest, 0)
    try:
        yield asking
        await asking.finish()
    finally:
        await asking.close()
    await consumer_end.outgoing.put(None)
    await answering


async def test_answers_are_recorded_on_both_sides_and_signed_for_in_windows(world: World) -> None:
    async with session(world) as asking:
        answers = await asyncio.gather(*(asking.ask({"number": number}) for number in range(100)))
    assert answers == [b"%08d\n" % number for number in range(100)]
    provider, consumer = types(world.provider.leaves()), types(world.consumer.leaves())
    assert provider.count("release") == consumer.count("intake") == 100
    assert provider.count("commit") == consumer.count("ack") == 2
    released = [leaf["digest"] for leaf in world.provider.leaves() if leaf["type"] == "release"]
    taken = [leaf["digest"] for leaf in world.consumer.leaves() if leaf["type"] == "intake"]
    assert released == taken


async def test_an_answer_that_does_not_fit_its_digest_is_not_handed_out(world: World) -> None:
    def change_an_answer(message: Any) -> Any:
        if isinstance(message, Answer) and message.id == 3:
            return Answer(3, message.window, message.n, message.digest, b"other rows")
        return message

    with pytest.raises(WrongBytes):
        async with session(world, change_an_answer) as asking:
            for number in range(5):
                await asking.ask({"number": number})
    assert types(world.consumer.leaves()).count("intake") == 2


async def test_a_question_after_the_agreement_ended_is_denied_and_recorded(world: World) -> None:
    async with session(world) as asking:
        await asking.ask({"number": 1})
        world.provider.end_agreement()
        with pytest.raises(Denied) as denied:
            await asking.ask({"number": 2})
    assert denied.value.reason == "AGREEMENT_ENDED"
    assert types(world.provider.leaves()).count("denial") == 1
    assert types(world.provider.leaves()).count("release") == 1


async def test_counted_questions_stop_at_the_limit(world: World) -> None:
    world.rule.counters = (CounterGuard(CounterName("count"), 5),)
    async with session(world) as asking:
        asked = (asking.ask({"number": number}) for number in range(20))
        answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(answer, bytes) for answer in answers) == 5
