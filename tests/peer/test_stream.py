"""A channel made of a stream: whatever the transport does, whoever waits is told by an error of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest

from connector.exchange.channel import Frame, Heartbeat
from connector.exchange.provider import Interrupted
from connector.peer import stream
from connector.peer.convert import MalformedMessage
from connector.peer.stream import StreamChannel
from ledger.ambient import SystemAmbient
from ledger.errors import BylagError

PEER = "did:web:peer.example"


class Transport:
    """What gRPC would be: gives what a test lays out, then raises, or ends, or says nothing for ever."""

    def __init__(self, *items: Any) -> None:
        self.items = list(items)
        self.written: list[Any] = []

    async def read(self) -> Any:
        if not self.items:
            return await asyncio.Event().wait()
        item = self.items.pop(0)
        if isinstance(item, BaseException):
            raise item
        return item

    async def write(self, message: Any) -> None:
        self.written.append(message)

    def channel(self, write: Callable[[Any], Awaitable[None]] | None = None) -> StreamChannel:
        return StreamChannel(PEER, self.read, write or self.write, SystemAmbient())


def gone() -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "gone")


ENDINGS = [
    gone(),
    grpc.aio.AbortError("Locally aborted."),
    grpc.aio.UsageError("RPC already finished."),
    asyncio.InvalidStateError("RPC already finished."),
    MalformedMessage("not an ExchangeMessage"),
]


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda error: type(error).__name__)
async def test_whoever_reads_is_told_that_the_stream_is_gone(ending: Exception) -> None:
    channel = Transport(Frame(b"one"), ending).channel()
    try:
        async with asyncio.timeout(2):
            assert await channel.receive() == Frame(b"one")
            with pytest.raises(BylagError):
                await channel.receive()
            assert await channel.receive() is None
    finally:
        await channel.close()


@pytest.mark.parametrize("ending", ENDINGS[:4], ids=lambda error: type(error).__name__)
async def test_whoever_writes_is_told_that_the_stream_is_gone(
    ending: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "REASON_SECONDS", 0.01)

    async def write(_message: Any) -> None:
        raise ending

    channel = Transport().channel(write)
    try:
        with pytest.raises(BylagError):
            await channel.send(Frame(b"one"))
    finally:
        await channel.close()


async def test_a_peer_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "IDLE_SECONDS", 0.05)
    channel = Transport().channel()
    try:
        with pytest.raises(Interrupted, match="nothing was heard"):
            await channel.receive()
    finally:
        await channel.close()


async def test_a_side_with_nothing_to_say_gives_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.01)
    transport = Transport()
    channel = transport.channel()
    try:
        async with asyncio.timeout(2):
            while len(transport.written) < 3:
                await asyncio.sleep(0.01)
    finally:
        await channel.close()
    assert all(isinstance(message, Heartbeat) for message in transport.written)


async def test_giving_up_the_wait_loses_nothing() -> None:
    transport = Transport()
    channel = transport.channel()
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await channel.receive()
        waiting = asyncio.create_task(channel.receive())
        await asyncio.sleep(0)
        waiting.cancel()
        await channel._queue.put(Frame(b"late"))
        assert await channel.receive() == Frame(b"late")
    finally:
        await channel.close()


async def test_a_reader_that_rests_holds_the_sender_back() -> None:
    transport = Transport(*(Frame(bytes([number])) for number in range(100)))
    channel = transport.channel()
    try:
        await asyncio.sleep(0.02)
        assert len(transport.items) >= 100 - stream.QUEUE_LENGTH - 1
        for number in range(100):
            assert await channel.receive() == Frame(bytes([number]))
    finally:
        await channel.close()
