"""The gRPC server: mutual TLS, the gate, the services, health and reflection.

Rules that hold here:

* Who may shake hands are the anchors in the membership list, read anew for every connection.
* Messages, metadata and streams are bounded; a dead connection is noticed by keepalive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from connector.peer.convert import MAX_MESSAGE_BYTES
from connector.peer.gate import Gate
from connector.peer.services import CatalogServicer, LedgerServicer, ParticipantServicer
from connector.v1 import (
    catalog_pb2,
    catalog_pb2_grpc,
    exchange_pb2,
    ledger_pb2,
    ledger_pb2_grpc,
    participant_pb2,
    participant_pb2_grpc,
)
from ledger.errors import BylagError, ErrorKind

MAX_ANSWER_BYTES: Final = 8 << 20
"""What a server sends and a caller takes: a membership list alone may have 4 MiB."""
OPTIONS: Final[Sequence[tuple[str, Any]]] = (
    ("grpc.max_metadata_size", 16 << 10),
    ("grpc.max_concurrent_streams", 256),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 4),
    ("grpc.so_reuseport", 0),
)
SERVING: Final[Sequence[tuple[str, Any]]] = (
    *OPTIONS,
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_ANSWER_BYTES),
)
CALLING: Final[Sequence[tuple[str, Any]]] = (
    *OPTIONS,
    ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)


class CannotListen(BylagError):
    """The address is taken, or not one of this machine's."""

    code = "CANNOT_LISTEN"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Choose another address with --listen, or stop what uses this one."


Certificates = Callable[[], tuple[bytes, bytes, bytes]]
"""Gives what a handshake needs now: private key, certificate chain, client roots; all PEM."""


class Server:
    """This participant's door. Start it once; it serves until :meth:`stop`."""

    def __init__(
        self,
        gate: Gate,
        participant: ParticipantServicer,
        catalog: CatalogServicer,
        ledger: LedgerServicer,
        exchange: grpc.GenericRpcHandler,
    ) -> None:
        self._server = grpc.aio.server(interceptors=[gate], options=SERVING)
        participant_pb2_grpc.add_ParticipantServiceServicer_to_server(participant, self._server)
        catalog_pb2_grpc.add_CatalogServiceServicer_to_server(catalog, self._server)
        ledger_pb2_grpc.add_LedgerServiceServicer_to_server(ledger, self._server)
        self._server.add_generic_rpc_handlers((exchange,))
        self.health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        names = [
            module.DESCRIPTOR.services_by_name[service].full_name
            for module, service in (
                (participant_pb2, "ParticipantService"),
                (catalog_pb2, "CatalogService"),
                (exchange_pb2, "ExchangeService"),
                (ledger_pb2, "LedgerService"),
            )
        ]
        reflection.enable_server_reflection(
            [*names, reflection.SERVICE_NAME, health.SERVICE_NAME], self._server
        )

    async def start(self, address: str, certificates: Certificates) -> int:
        """Listen on ``host:port`` (port 0 for any free one) and return the port.

        Raises :class:`CannotListen`.
        """
        configuration = _configuration(certificates)
        credentials = grpc.dynamic_ssl_server_credentials(
            configuration, lambda: _configuration(certificates), require_client_authentication=True
        )
        try:
            port = self._server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise CannotListen(f"cannot listen on {address}") from error
        await self._server.start()
        await self.health.set("", health_pb2.HealthCheckResponse.SERVING)
        return port

    async def stop(self, grace: float = 5.0) -> None:
        """Take no new calls; give open ones ``grace`` seconds."""
        await self.health.enter_graceful_shutdown()
        await self._server.stop(grace)

    async def failing(self) -> None:
        """Tell whoever asks that this connector cannot serve: its log or its policy engine is gone."""
        await self.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)

    async def serving(self) -> None:
        """Tell whoever asks that it serves again."""
        await self.health.set("", health_pb2.HealthCheckResponse.SERVING)


def _configuration(certificates: Certificates) -> Any:
    key, chain, roots = certificates()
    return grpc.ssl_server_certificate_configuration([(key, chain)], root_certificates=roots)
