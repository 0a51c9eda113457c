"""What this participant answers to its peers. Who calls was checked at the gate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

import grpc

from connector.exchange.answer import provide
from connector.exchange.channel import Collect, Signed
from connector.exchange.conversation import OutOfTurn
from connector.exchange.ground import Ground
from connector.exchange.newest import NewestList
from connector.exchange.waiting import WaitingRequests
from connector.identity.trust import TrustStore
from connector.peer.convert import decode_message, encode_message, to_signed
from connector.peer.gate import caller
from connector.peer.post import Post
from connector.peer.stream import StreamChannel, transported
from connector.v1 import (
    catalog_pb2,
    catalog_pb2_grpc,
    ledger_pb2,
    ledger_pb2_grpc,
    participant_pb2,
    participant_pb2_grpc,
)
from ledger.canonical import LARGEST_INTEGER
from ledger.document import SignedDocument
from ledger.errors import BylagError, ErrorKind
from ledger.names import AgreementId, ParticipantId

LISTS_AT_ONCE: Final = 64
LISTS_BYTES: Final = 1 << 20
"""How much of them an answer holds, if it holds more than one."""
EXCHANGE_METHOD: Final = "/connector.v1.ExchangeService/Exchange"


class NotFound(BylagError):
    """Nothing of that name, or nothing that this caller may see."""

    code = "NOT_FOUND"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "Look at the catalogue for what there is."


class CatalogView(Protocol):
    """The published catalogue, as peers see it."""

    def page(self, query: str, size: int, token: str) -> tuple[bytes, str]:
        """A page of datasets as canonical JSON, and where the next begins (empty at the end)."""

    def one(self, dataset: str) -> bytes | None:
        """One dataset as canonical JSON."""


class LogView(Protocol):
    """What a party may ask of this participant's log."""

    def checkpoint(self) -> str | None:
        """The newest published note."""

    def record(self, peer: ParticipantId, agreement: AgreementId, aseq: int) -> tuple[bytes, int, str]:
        """Entry, index and tlog-proof of a record under an agreement with ``peer``."""

    def head_of(self, peer: ParticipantId, agreement: AgreementId) -> SignedDocument:
        """The signed head of the agreement's chain."""


class ParticipantServicer(participant_pb2_grpc.ParticipantServiceServicer):
    """Who answers here, the membership lists, and the outboxes."""

    def __init__(
        self, *, me: str, space: str, software: str, now: Callable[[], int], trust: TrustStore, post: Post
    ) -> None:
        self._me, self._space, self._software, self._now = me, space, software, now
        self._trust, self._post = trust, post

    async def Describe(  # noqa: N802  # named by the service
        self, _request: participant_pb2.DescribeRequest, _context: Any
    ) -> participant_pb2.DescribeResponse:
        """Who answers, and which list they hold."""
        return participant_pb2.DescribeResponse(
            participant=self._me,
            space=self._space,
            list_number=self._trust.number,
            list_hash=self._trust.digest,
            software=self._software,
            time_ms=self._now(),
        )

    async def GetMembershipLists(  # noqa: N802
        self, request: participant_pb2.GetMembershipListsRequest, _context: Any
    ) -> participant_pb2.GetMembershipListsResponse:
        """Lists from a number on, as they were signed."""
        first = max(1, request.from_number)
        lists: list[participant_pb2.MembershipList] = []
        size = 0
        for number in range(first, min(self._trust.number, first + LISTS_AT_ONCE - 1) + 1):
            signed = self._trust.signed(number)
            size += len(signed.payload)
            if lists and size > LISTS_BYTES:
                break
            lists.append(participant_pb2.MembershipList(payload=signed.payload, signatures=signed.signatures))
        more = first + len(lists) <= self._trust.number
        return participant_pb2.GetMembershipListsResponse(lists=lists, more=more)

    async def Carry(self, _requests: Any, context: Any) -> None:  # type: ignore[override]  # noqa: N802
        """The outboxes of both."""
        await self._post.carry(
            caller.get().id,
            lambda: transported(context.read()),
            lambda message: transported(context.write(message)),
        )


class CatalogServicer(catalog_pb2_grpc.CatalogServiceServicer):
    """What this participant offers."""

    def __init__(self, catalog: CatalogView) -> None:
        self._catalog = catalog

    async def GetCatalog(  # noqa: N802
        self, request: catalog_pb2.GetCatalogRequest, _context: Any
    ) -> catalog_pb2.GetCatalogResponse:
        """A page of the catalogue."""
        size = min(request.page_size or 200, 200)
        datasets, following = self._catalog.page(request.query[:200], size, request.page_token[:200])
        return catalog_pb2.GetCatalogResponse(datasets=datasets, next_page_token=following)

    async def GetDataset(  # noqa: N802
        self, request: catalog_pb2.GetDatasetRequest, _context: Any
    ) -> catalog_pb2.GetDatasetResponse:
        """One dataset."""
        found = self._catalog.one(request.dataset)
        if found is None:
            raise NotFound("no such dataset", field="dataset")
        return catalog_pb2.GetDatasetResponse(dataset=found)


class LedgerServicer(ledger_pb2_grpc.LedgerServiceServicer):
    """What a party may ask of the log."""

    def __init__(self, log: LogView) -> None:
        self._log = log

    async def GetCheckpoint(  # noqa: N802
        self, request: ledger_pb2.GetCheckpointRequest, _context: Any
    ) -> ledger_pb2.GetCheckpointResponse:
        """The newest published checkpoint."""
        note = self._log.checkpoint()
        if note is None or request.origin:
            raise NotFound("no checkpoint of that log has been published", field="origin")
        return ledger_pb2.GetCheckpointResponse(note=note)

    async def GetRecord(  # noqa: N802
        self, request: ledger_pb2.GetRecordRequest, _context: Any
    ) -> ledger_pb2.GetRecordResponse:
        """One record that concerns the caller, with its proof."""
        if request.aseq > LARGEST_INTEGER:
            raise NotFound("the agreement's chain has no such record", field="aseq")
        # On a thread: a record that no checkpoint covers yet is published first, which waits for the disk.
        entry, index, proof = await asyncio.to_thread(
            self._log.record, caller.get().id, AgreementId(request.agreement), request.aseq
        )
        return ledger_pb2.GetRecordResponse(entry=entry, index=index, proof=proof)

    async def GetHead(  # noqa: N802
        self, request: ledger_pb2.GetHeadRequest, _context: Any
    ) -> ledger_pb2.GetHeadResponse:
        """How far the agreement's chain reaches."""
        head = self._log.head_of(caller.get().id, AgreementId(request.agreement))
        return ledger_pb2.GetHeadResponse(head=to_signed(head))


def exchange_handler(ground: Ground, waiting: WaitingRequests) -> grpc.GenericRpcHandler:
    """The exchange stream, with frames encoded by hand (``connector.peer.convert``)."""

    async def exchange(_requests: Any, context: Any) -> None:
        stream = StreamChannel(caller.get().id, context.read, context.write, ground.ambient)
        channel = NewestList(ground, stream)
        try:
            first = await channel.receive()
            if isinstance(first, Collect):
                await waiting.collected(first, channel)
            elif isinstance(first, Signed):
                await provide(ground, channel, first)
            else:
                raise OutOfTurn("an exchange begins with a Request, a Resume or a Collect", field="body")
        finally:
            await stream.close()

    handlers = {
        "Exchange": grpc.stream_stream_rpc_method_handler(exchange, decode_message, encode_message),
    }
    return grpc.method_handlers_generic_handler("connector.v1.ExchangeService", handlers)
