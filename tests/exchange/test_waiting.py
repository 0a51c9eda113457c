"""A Request that waits for its provider: one stream takes it, and nothing is left behind when none does."""

from __future__ import annotations

import asyncio

import pytest

from connector.exchange import waiting
from connector.exchange.attempts import AttemptUnderWay
from connector.exchange.channel import Collect
from connector.exchange.conversation import OutOfTurn
from connector.exchange.provider import Interrupted
from connector.exchange.waiting import WaitingRequests
from ledger.names import ExchangeId
from tests.exchange.world import CONSUMER, PROVIDER, Pipe, pipe

EXCHANGE = ExchangeId("exchange-1")


async def announced() -> None: ...


def from_provider(peer: str = PROVIDER) -> Pipe:
    end = pipe()[1]
    end.peer = peer
    return end


async def test_the_first_stream_takes_the_request_and_a_second_is_refused() -> None:
    requests, collect = WaitingRequests(), Collect(EXCHANGE, 1)
    end = from_provider()
    coming: list[asyncio.Task[None]] = []

    async def announce() -> None:
        coming.append(asyncio.create_task(requests.collected(collect, end)))

    async with requests.channel(PROVIDER, EXCHANGE, announce) as channel:
        assert channel is end
        with pytest.raises(OutOfTurn):
            await requests.collected(collect, from_provider())
        assert not coming[0].done(), "the stream is kept open while it is used"
    await asyncio.wait_for(coming[0], 1)


async def test_nobody_else_takes_it() -> None:
    requests = WaitingRequests()

    async def announce() -> None:
        with pytest.raises(OutOfTurn):
            await requests.collected(Collect(EXCHANGE, 1), from_provider(CONSUMER))
        raise Interrupted("enough")

    with pytest.raises(Interrupted, match="enough"):
        async with requests.channel(PROVIDER, EXCHANGE, announce):
            raise AssertionError("nobody came")
    assert (requests._waiting, requests._done) == ({}, {})


async def test_when_nobody_comes_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "COLLECT_SECONDS", 0.02)
    requests = WaitingRequests()
    with pytest.raises(Interrupted):
        async with requests.channel(PROVIDER, EXCHANGE, announced):
            raise AssertionError("nobody came")
    assert (requests._waiting, requests._done) == ({}, {})


async def test_one_exchange_waits_once() -> None:
    requests = WaitingRequests()

    async def announce() -> None:
        with pytest.raises(AttemptUnderWay):
            async with requests.channel(PROVIDER, EXCHANGE, announced):
                raise AssertionError("it waits already")
        raise Interrupted("enough")

    with pytest.raises(Interrupted, match="enough"):
        async with requests.channel(PROVIDER, EXCHANGE, announce):
            raise AssertionError("nobody came")
