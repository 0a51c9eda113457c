"""The bare baselines of a query: what gRPC itself carries over the same mutual TLS.

``python -m tests.benchmarks.echo server FOLDER`` and ``… client FOLDER PORT REQUEST REPLY``.

* ``unary``: a call is answered at once. Bytes in, bytes out, no protobuf.
* ``batched``: answers are held until the batch that they came with is released, as a group commit
  would: a thread gathers what has arrived and waits as long as a commit takes on this machine.
* ``stream``: the same messages over one bidirectional stream, as an exchange's are.
* ``sealed``: a stream on which every message is signed and verified, and committed by its sender
  before it is sent and by its receiver before it is answered.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import sys
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.benchmarks.load import closed_loop
from tests.benchmarks.process import Command, obey, say

SERVICE = "tests.benchmarks.Echo"
OPTIONS = (
    ("grpc.max_receive_message_length", 8 << 20),
    ("grpc.max_send_message_length", 8 << 20),
    ("grpc.so_reuseport", 0),
    ("grpc.max_concurrent_streams", 256),
)


class Batches:
    """Holds answers back and releases them together, one wait after another."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._held: queue.SimpleQueue[asyncio.Future[None]] = queue.SimpleQueue()
        self.wait = 0.0
        threading.Thread(target=self._run, daemon=True).start()

    def hold(self) -> asyncio.Future[None]:
        """A future that is done when its batch is released."""
        future = self._loop.create_future()
        self._held.put(future)
        return future

    def _run(self) -> None:
        while True:
            batch = [self._held.get()]
            while not self._held.empty():
                batch.append(self._held.get())
            time.sleep(self.wait)
            self._loop.call_soon_threadsafe(_release, batch)


def _release(batch: list[asyncio.Future[None]]) -> None:
    for future in batch:
        if not future.done():
            future.set_result(None)


class Book:
    """What ``sealed`` commits to: a table, and the keys that sign."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("CREATE TABLE IF NOT EXISTS said (message BLOB)")
        # Both ends sign with one key: what it costs does not depend on whose it is.
        self._key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
        self._public = self._key.public_key()

    def say(self, message: bytes) -> bytes:
        """Sign and commit; what goes over the wire."""
        sealed = self._key.sign(message) + message
        self._commit(sealed)
        return sealed

    def hear(self, sealed: bytes) -> bytes:
        """Verify and commit; the message."""
        self._public.verify(sealed[:64], sealed[64:])
        self._commit(sealed)
        return sealed[64:]

    def _commit(self, sealed: bytes) -> None:
        self._connection.execute("INSERT INTO said VALUES (?)", (sealed,))


async def serve(folder: Path) -> dict[str, Callable[..., Awaitable[Command]]]:
    """The server; its port is told before it is ready."""
    batches = Batches(asyncio.get_running_loop())
    book = Book(folder / "echo-server.db")
    reply = b""

    async def unary(_request: bytes, _context: Any) -> bytes:
        return reply

    async def batched(_request: bytes, _context: Any) -> bytes:
        await batches.hold()
        return reply

    async def stream(_requests: Any, context: Any) -> None:
        while await context.read() is not grpc.aio.EOF:
            await context.write(reply)

    async def sealed(_requests: Any, context: Any) -> None:
        while (message := await context.read()) is not grpc.aio.EOF:
            await context.write(book.say(book.hear(message)))

    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "unary": grpc.unary_unary_rpc_method_handler(unary),
        "batched": grpc.unary_unary_rpc_method_handler(batched),
        "stream": grpc.stream_stream_rpc_method_handler(stream),
        "sealed": grpc.stream_stream_rpc_method_handler(sealed),
    }
    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_secure_port("127.0.0.1:0", server_credentials(folder))
    await server.start()
    say(port=port)

    async def answer_with(size: int, wait: float) -> Command:
        nonlocal reply
        reply, batches.wait = bytes(size), wait
        return {}

    async def stop() -> Command:
        await server.stop(None)
        return {}

    return {"answer_with": answer_with, "stop": stop}


async def call(folder: Path, port: int) -> dict[str, Callable[..., Awaitable[Command]]]:
    """The client."""
    channel = open_channel(folder, port)
    await channel.channel_ready()
    book = Book(folder / "echo-client.db")

    async def load(kind: str, size: int, concurrency: int, seconds: float) -> Command:
        request = bytes(size)
        if kind == "stream":
            return await _load_stream(channel, request, concurrency, seconds)
        multi: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{SERVICE}/{kind}")
        return await closed_loop(lambda: multi(request), concurrency, seconds)

    async def converse(messages: int, size: int) -> Command:
        sealed: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(f"/{SERVICE}/sealed")
        stream: Any = sealed()
        begun = time.perf_counter()
        for _ in range(messages // 2):
            await stream.write(book.say(bytes(size)))
            book.hear(await stream.read())
        took = time.perf_counter() - begun
        await stream.done_writing()
        return {"seconds": took}

    return {"load": load, "converse": converse}


async def _load_stream(channel: Any, request: bytes, concurrency: int, seconds: float) -> Command:
    stream = channel.stream_stream(f"/{SERVICE}/stream")()
    waiting: deque[asyncio.Future[None]] = deque()
    writing = asyncio.Lock()
    loop = asyncio.get_running_loop()

    async def read() -> None:
        while await stream.read() is not grpc.aio.EOF:
            waiting.popleft().set_result(None)

    async def ask() -> None:
        async with writing:
            answered = loop.create_future()
            waiting.append(answered)
            await stream.write(request)
        await answered

    reading = asyncio.create_task(read())
    try:
        return await closed_loop(ask, concurrency, seconds)
    finally:
        await stream.done_writing()
        await reading


def server_credentials(folder: Path) -> Any:
    """Of the provider, requiring a client's certificate."""
    read = folder.joinpath
    pair = (read("provider.key").read_bytes(), read("provider.crt").read_bytes())
    roots = read("provider.roots").read_bytes()
    return grpc.ssl_server_credentials([pair], roots, require_client_auth=True)


def open_channel(folder: Path, port: int) -> grpc.aio.Channel:
    """Of the consumer; it trusts the provider's anchor and no other."""
    read = folder.joinpath
    credentials = grpc.ssl_channel_credentials(
        read("consumer.roots").read_bytes(),
        read("consumer.key").read_bytes(),
        read("consumer.crt").read_bytes(),
    )
    name = ("grpc.ssl_target_name_override", read("provider.name").read_text())
    return grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=(*OPTIONS, name))


if __name__ == "__main__":
    role, certificates, *rest = sys.argv[1:]
    if role == "server":
        obey(lambda: serve(Path(certificates)))
    else:
        obey(lambda: call(Path(certificates), int(rest[0])))
