"""Calls to a peer: TLS to exactly that peer, deadlines, and its errors as ours.

Rules that hold here:

* A channel trusts one peer's anchors only and requires the name made of its did: whoever else
  answers fails the handshake. A channel is kept until the membership list or the own certificate
  changes; what is under way on it then may end first.
* When a peer is barred, or a key of its, the exchanges with it end at once.
* Every unary call has a deadline; streams have heartbeats and an idle limit (``connector.peer.stream``).
* A peer may answer without end: how much of an answer is taken is decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import grpc

from connector.exchange.channel import Message
from connector.exchange.provider import Interrupted
from connector.identity.certificate import server_name
from connector.identity.peer import NotActive
from connector.identity.signed import MultiSigned
from connector.identity.trust import TrustStore
from connector.peer.convert import decode_message, encode_message
from connector.peer.post import Post
from connector.peer.rules import LET_IN
from connector.peer.server import CALLING
from connector.peer.services import EXCHANGE_METHOD
from connector.peer.status import RemoteError, from_rpc_error
from connector.peer.stream import StreamChannel, transported
from connector.v1 import (
    catalog_pb2,
    catalog_pb2_grpc,
    ledger_pb2,
    ledger_pb2_grpc,
    participant_pb2,
    participant_pb2_grpc,
)
from ledger.ambient import Ambient
from ledger.errors import BylagError, ErrorKind
from ledger.names import AgreementId, ParticipantId, Thumbprint

UNARY_SECONDS: Final = 20.0
DRAIN_SECONDS: Final = 10.0
"""How long the last words of a peer are waited for, when an exchange is over."""
RETIRED_SECONDS: Final = 3600.0
"""How long calls on a channel that was replaced may go on."""
MOST_PAGES: Final = 500
RECONNECTING: Final = (
    # grpc's own bounds are one second and two minutes: a peer that is back would still be refused.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)
T = TypeVar("T")


class NoEndpoint(BylagError):
    """The membership list names no endpoint for a peer: it must call us."""

    code = "NO_ENDPOINT"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Wait until the peer connects: what you asked for lies in the outbox for it."


@dataclass(frozen=True, slots=True)
class Identity:
    """What this side shows in a handshake: private key and certificate chain, PEM."""

    key: bytes
    chain: bytes


_Place = tuple[str, int, Identity]
"""What a channel was opened with: endpoint, list number, certificate."""


class Client:
    """Calls peers on behalf of one participant or guest."""

    def __init__(
        self, *, identity: Callable[[], Identity], trust: Callable[[], TrustStore], ambient: Ambient
    ) -> None:
        self._identity = identity
        self._trust = trust
        self._ambient = ambient
        self._channels: dict[ParticipantId, tuple[_Place, grpc.aio.Channel]] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._open: dict[StreamChannel, tuple[ParticipantId, Any]] = {}

    def endpoints(self, peer: ParticipantId) -> tuple[str, ...]:
        """Where the list says that a peer listens; nowhere for a guest, who is on no list."""
        entry = self._trust().find(peer)
        return tuple(entry.endpoints) if entry is not None else ()

    def channel(self, peer: ParticipantId) -> grpc.aio.Channel:
        """The channel to a peer's first endpoint. Raises :class:`NoEndpoint`."""
        endpoints = self.endpoints(peer)
        if not endpoints:
            raise NoEndpoint("the list names no endpoint for this peer")
        trust, identity = self._trust(), self._identity()
        place = (endpoints[0], trust.number, identity)
        known = self._channels.get(peer)
        if known is not None and known[0] == place:
            return known[1]
        if known is not None:
            task = asyncio.create_task(known[1].close(RETIRED_SECONDS))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
        opened = self._connect(peer, endpoints[0], trust, identity)
        self._channels[peer] = (place, opened)
        return opened

    def _connect(
        self, peer: ParticipantId, endpoint: str, trust: TrustStore, identity: Identity
    ) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(
            root_certificates=trust.roots_for(peer, self._ambient.now()),
            private_key=identity.key,
            certificate_chain=identity.chain,
        )
        options = (*CALLING, *RECONNECTING, ("grpc.ssl_target_name_override", server_name(peer)))
        return grpc.aio.secure_channel(endpoint, credentials, options=options)

    async def describe(self, peer: ParticipantId) -> participant_pb2.DescribeResponse:
        """Who answers at the peer's endpoint, and which list it holds."""
        stub = participant_pb2_grpc.ParticipantServiceStub(self.channel(peer))
        return await _answered(stub.Describe(participant_pb2.DescribeRequest(), timeout=UNARY_SECONDS))

    async def lists(self, peer: ParticipantId, first: int) -> AsyncIterator[MultiSigned]:
        """Membership lists from ``first`` on, as the peer holds them; nothing is verified here.

        Take each in before asking for the next, and stop at one that adds nothing: a peer that lies
        need not come to an end.
        """
        stub = participant_pb2_grpc.ParticipantServiceStub(self.channel(peer))
        while True:
            request = participant_pb2.GetMembershipListsRequest(from_number=first)
            response = await _answered(stub.GetMembershipLists(request, timeout=UNARY_SECONDS))
            for item in response.lists:
                yield MultiSigned(item.payload, tuple(item.signatures))
            first += len(response.lists)
            if not response.more or not response.lists:
                return

    async def catalog(self, peer: ParticipantId, query: str = "") -> AsyncIterator[bytes]:
        """A peer's catalogue, a page of canonical JSON at a time."""
        stub = catalog_pb2_grpc.CatalogServiceStub(self.channel(peer))
        token = ""
        for _ in range(MOST_PAGES):
            request = catalog_pb2.GetCatalogRequest(query=query, page_token=token)
            page = await _answered(stub.GetCatalog(request, timeout=UNARY_SECONDS))
            yield page.datasets
            token = page.next_page_token
            if not token:
                return

    async def dataset(self, peer: ParticipantId, dataset: str) -> bytes:
        """One dataset of a peer, canonical JSON."""
        stub = catalog_pb2_grpc.CatalogServiceStub(self.channel(peer))
        request = catalog_pb2.GetDatasetRequest(dataset=dataset)
        return (await _answered(stub.GetDataset(request, timeout=UNARY_SECONDS))).dataset

    async def checkpoint(self, peer: ParticipantId) -> str:
        """The peer's newest published checkpoint, a signed note."""
        stub = ledger_pb2_grpc.LedgerServiceStub(self.channel(peer))
        request = ledger_pb2.GetCheckpointRequest()
        return (await _answered(stub.GetCheckpoint(request, timeout=UNARY_SECONDS))).note

    async def head(self, peer: ParticipantId, agreement: AgreementId) -> participant_pb2.SignedDocument:
        """The signed head of an agreement's chain at the peer."""
        stub = ledger_pb2_grpc.LedgerServiceStub(self.channel(peer))
        request = ledger_pb2.GetHeadRequest(agreement=agreement)
        return (await _answered(stub.GetHead(request, timeout=UNARY_SECONDS))).head

    @asynccontextmanager
    async def exchange(self, peer: ParticipantId) -> AsyncIterator[StreamChannel]:
        """An exchange stream to a peer; it is half-closed and drained at the end."""
        multi = self.channel(peer).stream_stream(
            EXCHANGE_METHOD, request_serializer=encode_message, response_deserializer=decode_message
        )
        call = multi()
        await _let_in(call)

        async def write(message: Message) -> None:
            await call.write(message)

        channel = StreamChannel(peer, call.read, write, self._ambient)
        self._open[channel] = (peer, call)
        try:
            yield channel
            await call.done_writing()
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    while await channel.receive() is not None:
                        continue
        finally:
            del self._open[channel]
            await channel.close()
            call.cancel()

    def end_calls(self, barred: frozenset[ParticipantId], ended: frozenset[Thumbprint]) -> None:
        """End the exchanges that were opened to ``barred`` peers, and to those whose TLS key ended."""
        holders = (self._trust().tls_holder(key) for key in ended)
        gone = barred | {holder[0].did for holder in holders if holder is not None}
        for channel, (peer, call) in list(self._open.items()):
            if peer in gone:
                channel.end(NotActive("the membership list no longer allows this exchange"))
                call.cancel()

    async def carry(self, peer: ParticipantId, post: Post) -> None:
        """Carry both outboxes over a stream to a peer until it ends."""
        stub = participant_pb2_grpc.ParticipantServiceStub(self.channel(peer))
        call: Any = stub.Carry()
        await _let_in(call)

        async def read() -> Any:
            message = await transported(call.read())
            return None if message is grpc.aio.EOF else message

        async def write(message: participant_pb2.CarryMessage) -> None:
            await transported(call.write(message))

        try:
            await post.carry(peer, read, write)
        finally:
            call.cancel()

    async def close(self) -> None:
        """Close every channel."""
        for _, channel in self._channels.values():
            await channel.close()
        self._channels.clear()
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)


async def _let_in(call: Any) -> None:
    """Wait until the peer's gate has let a stream in. Raises what the peer, or the transport, says."""
    try:
        async with asyncio.timeout(UNARY_SECONDS):
            if LET_IN in (await transported(call.initial_metadata())):
                return
            await transported(call.read())  # raises the status that ended the call
    except TimeoutError:
        call.cancel()
        raise RemoteError(
            "the peer did not answer",
            reason="TOO_SLOW",
            kind=ErrorKind.UNAVAILABLE,
            next_step=None,
            field=None,
        ) from None
    call.cancel()
    raise Interrupted("the peer answered without letting the call in")


async def _answered(call: Awaitable[T]) -> T:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error


__all__ = ["Client", "Identity", "NoEndpoint", "RemoteError"]
