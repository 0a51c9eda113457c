"""A door in one process: a real server behind the gate, real TLS, a member and a guest who come to it.

The clock is the machine's, because TLS goes by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from sqlmodel import SQLModel

from connector.identity import guest
from connector.identity.certificate import key_to_pem, server_name
from connector.identity.change import Change
from connector.identity.credential import read_credential
from connector.identity.directory import Directory
from connector.identity.guestbook import GuestBook
from connector.identity.keys import GUEST_JOBS, KeyRing
from connector.identity.peer import Assurance, GuestKind
from connector.identity.trust import Accepted
from connector.peer.client import Client, Identity
from connector.peer.convert import decode_message, encode_message
from connector.peer.gate import Gate
from connector.peer.post import Post
from connector.peer.server import Server
from connector.peer.services import CatalogServicer, LedgerServicer, ParticipantServicer
from connector.peer.stream import StreamChannel
from connector.store.database import Database
from connector.store.writer import Writer
from ledger.ambient import SystemAmbient
from ledger.names import ParticipantId
from tests.identity.world import ALVIK, BERGA, SPACE, Participant, Space


class Catalog:
    """One dataset, and room for whatever a test wants a call to do."""

    def __init__(self) -> None:
        self.act: Callable[[], Any] = lambda: None

    def page(self, query: str, size: int, token: str) -> tuple[bytes, str]:
        self.act()
        return b"[]", ""

    def one(self, dataset: str) -> bytes | None:
        return None


class Log:
    """No log."""

    def checkpoint(self) -> str | None:
        return None

    def record(self, peer: str, agreement: str, aseq: int) -> tuple[bytes, int, str]:
        return b"entry", 0, "proof"

    def head_of(self, peer: str, agreement: str) -> Any:
        raise AssertionError("nobody asks")


@dataclass
class Person:
    """A guest with keys and a certificate."""

    ring: KeyRing
    certificate: bytes
    handle: ParticipantId

    @property
    def identity(self) -> Identity:
        return Identity(key_to_pem(self.ring.tls), self.certificate)


class Door:
    """Alvik's server, and Berga who calls it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ambient = SystemAmbient()
        self.space = Space(folder, self.ambient)
        self.alvik, self.berga = self.space.join(ALVIK), self.space.join(BERGA)
        self.space.catch_up(self.alvik.trust)
        self.guests = GuestBook(ALVIK)
        self.catalog = Catalog()
        self.gate = Gate(lambda: Directory(self.alvik.trust, self.guests), self.ambient)
        self.inside = 0
        """How many exchange streams have a handler at work."""
        self.database = Database(folder / "post.db")
        SQLModel.metadata.create_all(self.database.engine)
        self.writer = Writer(self.database)
        self.post = self._post(self.alvik)
        self.port = 0

    def _post(self, member: Participant) -> Post:
        return Post(
            me=member.did,
            space=SPACE,
            key=lambda: member.ring.sign,
            ambient=self.ambient,
            writer=self.writer,
            database=self.database,
            directory=lambda: Directory(self.alvik.trust, self.guests),
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Door]:
        participant = ParticipantServicer(
            me=ALVIK,
            space=SPACE,
            software="test",
            now=self.ambient.now,
            trust=self.alvik.trust,
            post=self.post,
        )
        catalog = CatalogServicer(self.catalog)
        self.server = Server(self.gate, participant, catalog, LedgerServicer(Log()), self._exchange())
        identity = Identity(key_to_pem(self.alvik.ring.tls), self.alvik.leaf())
        self.port = await self.server.start(
            "127.0.0.1:0",
            lambda: (identity.key, identity.chain, self.alvik.trust.roots(self.ambient.now())),
        )
        try:
            yield self
        finally:
            self.post.hang_up()
            await self.server.stop(0)
            self.writer.close()
            self.database.close()

    def _exchange(self) -> grpc.GenericRpcHandler:
        """An exchange that hears until nothing more comes, as a session that waits for questions."""

        async def hear(_requests: Any, context: Any) -> None:
            channel = StreamChannel("a peer", context.read, context.write, self.ambient)
            self.inside += 1
            try:
                while (message := await channel.receive()) is not None:
                    await channel.send(message)
            finally:
                self.inside -= 1
                await channel.close()

        handlers = {"Exchange": grpc.stream_stream_rpc_method_handler(hear, decode_message, encode_message)}
        return grpc.method_handlers_generic_handler("connector.v1.ExchangeService", handlers)

    def client(self, who: Identity | None = None) -> Client:
        """A client that finds Alvik's server, with Berga's certificate or another's."""
        identity = who or Identity(key_to_pem(self.berga.ring.tls), self.berga.leaf())
        return At(self.port, identity=lambda: identity, trust=lambda: self.alvik.trust, ambient=self.ambient)

    def channel(self, options: tuple[tuple[str, Any], ...] = ()) -> grpc.aio.Channel:
        """A bare channel of Berga's to the server, for calls that no client of ours would make."""
        credentials = grpc.ssl_channel_credentials(
            self.alvik.trust.roots_for(ALVIK, self.ambient.now()),
            key_to_pem(self.berga.ring.tls),
            self.berga.leaf(),
        )
        named = ("grpc.ssl_target_name_override", server_name(ALVIK))
        return grpc.aio.secure_channel(f"127.0.0.1:{self.port}", credentials, options=(named, *options))

    def take(self, change: Change) -> Accepted:
        """The registrar changes the list; Alvik takes it, and the gate hears of it."""
        self.space.registrar.publish(change)
        accepted = self.space.catch_up(self.alvik.trust)
        assert accepted is not None
        self.gate.end_calls(accepted.barred, accepted.ended)
        return accepted

    def vouch(self) -> Person:
        """A citizen of Alvik's."""
        ring = KeyRing.create(self.folder / f"guest{id(object())}", self.ambient, jobs=GUEST_JOBS)
        asked = guest.request(ring, SPACE, ALVIK, GuestKind.CITIZEN, self.ambient)
        signed = guest.vouch(
            guest.read_guest_request(asked),
            controller=ALVIK,
            space=SPACE,
            ring=self.alvik.ring,
            assurance=Assurance.HIGH,
            ambient=self.ambient,
        )
        answer = guest.answer(signed, self.alvik.issuer, self.space.registrar.answer, self.ambient)
        credential = read_credential(signed)
        self.guests.add(credential)
        return Person(ring, answer.certificate, credential.handle)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(3):
            while not holds():
                await asyncio.sleep(0.01)


class At(Client):
    """A client that looks for every peer at one port, whatever the list says."""

    def __init__(self, port: int, **named: Any) -> None:
        super().__init__(**named)
        self._port = port

    def endpoints(self, peer: ParticipantId) -> tuple[str, ...]:
        return (f"127.0.0.1:{self._port}",)
