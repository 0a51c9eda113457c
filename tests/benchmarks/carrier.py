"""The bare baselines of a transfer: a raw-frame gRPC stream and a TLS socket.

``python -m tests.benchmarks.carrier server FOLDER FILE`` and ``… client FOLDER GRPC-PORT TLS-PORT``.

Either way the sender reads the file and hashes it once; the receiver hashes it once, writes it and
syncs every 8 MiB. Reading and hashing go on while the piece before is on its way, and a sync while
the next pieces arrive: nobody waits who need not.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from tests.benchmarks.echo import OPTIONS, open_channel, server_credentials
from tests.benchmarks.process import Command, obey, say

SERVICE = "tests.benchmarks.Carrier"
FRAME = 1 << 20
SYNC_EVERY = 8 << 20


class Taker:
    """Hashes and writes what arrives; syncs every 8 MiB, at most one sync behind."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._digest = hashlib.sha256()
        self._syncing: Future[None] | None = None
        self._syncer = ThreadPoolExecutor(1)
        self._unsynced = 0
        self.size = 0

    def take(self, data: bytes | memoryview) -> None:
        """A piece."""
        self._digest.update(data)
        os.write(self._descriptor, data)
        self.size += len(data)
        self._unsynced += len(data)
        if self._unsynced >= SYNC_EVERY:
            self._sync()

    def finish(self) -> str:
        """Sync what is left; the digest of all."""
        self._sync()
        if self._syncing is not None:
            self._syncing.result()
        self._syncer.shutdown()
        os.close(self._descriptor)
        return self._digest.hexdigest()

    def _sync(self) -> None:
        if self._syncing is not None:
            self._syncing.result()
        self._syncing = self._syncer.submit(os.fdatasync, self._descriptor)
        self._unsynced = 0


class Giver:
    """Reads the file and hashes it, a piece at a time."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self._digest = hashlib.sha256()
        self._at = 0

    def next(self) -> bytes:
        """The next piece; empty at the end."""
        data = os.pread(self._descriptor, FRAME, self._at)
        self._digest.update(data)
        self._at += len(data)
        if not data:
            os.close(self._descriptor)
        return data


async def serve(folder: Path, path: Path) -> dict[str, Callable[..., Awaitable[Command]]]:
    """Both servers; their ports are told before they are ready."""

    async def carry(_request: bytes, context: Any) -> None:
        giver = Giver(path)
        upcoming = asyncio.create_task(asyncio.to_thread(giver.next))
        while data := await upcoming:
            upcoming = asyncio.create_task(asyncio.to_thread(giver.next))
            await context.write(data)

    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_stream_rpc_method_handler(carry)
    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Carry": handler}),))
    grpc_port = server.add_secure_port("127.0.0.1:0", server_credentials(folder))
    await server.start()
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_serve_sockets, args=(listener, folder, path), daemon=True).start()
    say(grpc=grpc_port, tls=listener.getsockname()[1])

    async def stop() -> Command:
        await server.stop(None)
        return {}

    return {"stop": stop}


def _serve_sockets(listener: socket.socket, folder: Path, path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "provider.crt", folder / "provider.key")
    context.load_verify_locations(folder / "provider.roots")
    context.verify_mode = ssl.CERT_REQUIRED
    while True:
        plain, _ = listener.accept()
        with context.wrap_socket(plain, server_side=True) as connection:
            giver = Giver(path)
            with ThreadPoolExecutor(1) as reader:
                upcoming = reader.submit(giver.next)
                while data := upcoming.result():
                    upcoming = reader.submit(giver.next)
                    connection.sendall(data)


async def call(folder: Path, grpc_port: int, tls_port: int) -> dict[str, Callable[..., Awaitable[Command]]]:
    """The client."""
    channel = open_channel(folder, grpc_port)
    await channel.channel_ready()
    received = folder.parent / "carried"

    async def over_grpc() -> Command:
        begun = time.perf_counter()
        taker = Taker(received)
        carry: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(f"/{SERVICE}/Carry")
        stream: Any = carry(b"")
        taking: asyncio.Future[None] | None = None
        while (data := await stream.read()) is not grpc.aio.EOF:
            if taking is not None:
                await taking
            taking = asyncio.ensure_future(asyncio.to_thread(taker.take, data))
        if taking is not None:
            await taking
        await asyncio.to_thread(taker.finish)
        return _done(received, taker, begun)

    def over_socket() -> Command:
        begun = time.perf_counter()
        taker = Taker(received)
        context = ssl.create_default_context(cafile=str(folder / "consumer.roots"))
        context.load_cert_chain(folder / "consumer.crt", folder / "consumer.key")
        name = (folder / "provider.name").read_text()
        buffer = memoryview(bytearray(FRAME))
        with (
            socket.create_connection(("127.0.0.1", tls_port)) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            while size := connection.recv_into(buffer):
                taker.take(buffer[:size])
        taker.finish()
        return _done(received, taker, begun)

    async def in_a_thread() -> Command:
        return await asyncio.to_thread(over_socket)

    return {"grpc": over_grpc, "tls": in_a_thread}


def _done(received: Path, taker: Taker, begun: float) -> Command:
    seconds = time.perf_counter() - begun
    received.unlink()
    return {"seconds": seconds, "bytes": taker.size, "rate": taker.size / seconds / 1e6}


if __name__ == "__main__":
    role, certificates, *rest = sys.argv[1:]
    if role == "server":
        obey(lambda: serve(Path(certificates), Path(rest[0])))
    else:
        obey(lambda: call(Path(certificates), int(rest[0]), int(rest[1])))
