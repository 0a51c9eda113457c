"""A channel (``connector.exchange.channel``) made of one gRPC stream, at either end.

Rules that hold here:

* A reader of its own takes messages off the stream into a short queue, so that waiting for one can
  be given up without losing it; the queue's bound is what holds a fast sender back.
* A stream that says nothing for the idle limit is over; both sides send heartbeats well within it.
* Whatever the transport raises becomes a :class:`~ledger.errors.BylagError`; what the other side
  said (a rich status) is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

import grpc

from connector.exchange.channel import Heartbeat, Message
from connector.exchange.provider import Interrupted
from connector.peer.status import from_rpc_error
from ledger.ambient import Ambient
from ledger.errors import BylagError

QUEUE_LENGTH: Final = 8
IDLE_SECONDS: Final = 90.0
HEARTBEAT_SECONDS: Final = 20.0
REASON_SECONDS: Final = 1.0
"""How long a sender whose stream is gone waits for the reader to hear why."""

_GONE: Final = (grpc.aio.BaseError, asyncio.InvalidStateError, grpc.RpcError)
"""How grpc says, at either end, that a call is over: ended, aborted by another task, or broken."""
T = TypeVar("T")


async def transported(call: Awaitable[T]) -> T:
    """Wait for the transport; whatever it raises becomes an error of ours, with what the peer said."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error
    except _GONE as error:
        raise Interrupted("the stream is closed") from error


class StreamChannel:
    """One stream to one authenticated peer."""

    def __init__(
        self,
        peer: str,
        read: Callable[[], Awaitable[Any]],
        write: Callable[[Message], Awaitable[None]],
        ambient: Ambient,
    ) -> None:
        self._peer = peer
        self._read = read
        self._write = write
        self._ambient = ambient
        self._queue: asyncio.Queue[Message | BylagError | None] = asyncio.Queue(QUEUE_LENGTH)
        self._sending = asyncio.Lock()
        self._over: BylagError | None = None
        self._ended: BylagError | None = None
        self._broken = asyncio.Event()
        self._finished = False
        self._heard = asyncio.get_running_loop().time()
        self._pumping = asyncio.create_task(self._pump())
        others = (self._beat(), self._watch())
        self._tasks = [self._pumping, *(asyncio.create_task(other) for other in others)]

    @property
    def peer(self) -> str:
        return self._peer

    async def send(self, message: Message) -> None:
        """Hand one message to the transport. Raises :class:`~connector.exchange.provider.Interrupted`."""
        async with self._sending:
            self._require_open()
            try:
                await self._write(message)
            except grpc.aio.AioRpcError as error:
                raise from_rpc_error(error) from error
            except _GONE as error:
                raise await self._reason() from error
            except asyncio.CancelledError:
                # A call that is cancelled cancels whoever writes to it, who is not to be cancelled.
                if not _is_cancelled():
                    self._require_open()
                raise

    def end(self, error: BylagError) -> None:
        """End it from this side, now: whoever reads or writes is told ``error``. The caller ends the call."""
        self._ended = self._over = error
        self._broken.set()
        for task in self._tasks:
            task.cancel()
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(error)

    def _require_open(self) -> None:
        if self._ended is not None:
            raise self._ended

    async def _reason(self) -> BylagError:
        """Why the stream is gone: grpc says it to the reader, the sender only learns that it is."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REASON_SECONDS):
                await self._broken.wait()
        return self._over or Interrupted("the stream is closed")

    async def receive(self) -> Message | None:
        """The next message; None when the other side has finished. Giving up the wait loses nothing."""
        if self._finished and self._queue.empty():
            return None
        item = await self._queue.get()
        if isinstance(item, BylagError):
            self._finished = True
            raise item
        if item is None:
            self._finished = True
        return item

    async def close(self) -> None:
        """Stop reading and beating. The stream itself belongs to whoever opened it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pump(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            item = await self._next()
            self._heard = loop.time()
            if isinstance(item, BylagError):
                self._over = item
                self._broken.set()
            await self._queue.put(item)
            if item is None or isinstance(item, BylagError):
                return

    async def _next(self) -> Message | BylagError | None:
        try:
            message = await transported(self._read())
        except BylagError as error:
            return error
        return None if message is grpc.aio.EOF else message

    async def _watch(self) -> None:
        """End a stream that is silent too long. One whose messages wait to be taken is not silent."""
        loop = asyncio.get_running_loop()
        while True:
            quiet = loop.time() - self._heard
            if quiet >= IDLE_SECONDS and not self._queue.full():
                break
            await asyncio.sleep(IDLE_SECONDS - quiet if quiet < IDLE_SECONDS else 1.0)
        self._pumping.cancel()
        self._over = Interrupted(f"nothing was heard for {IDLE_SECONDS:.0f} seconds")
        self._broken.set()
        await self._queue.put(self._over)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            try:
                await self.send(Heartbeat(self._ambient.now()))
            except BylagError:
                return


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
