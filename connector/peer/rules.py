"""Which call needs what: the one table.

A call that does not stand here is refused. ``FULL`` is for members and guests in good standing under
a list in force. ``PROTECTIVE`` calls stay open to whoever is suspended, removed, ended or expired
(invariant 2): what they carry is checked again where it is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from connector.identity.peer import Standing


@dataclass(frozen=True, slots=True)
class Rule:
    """What one call needs."""

    standing: Standing
    seconds: float | None
    """How long a unary call may take; None for a stream, which has an idle limit instead."""


LET_IN: Final = "bylag-let-in"
"""What the gate says first on a stream that it lets through, as initial metadata. The caller waits for
it before its first message: grpc loses the status of a call that is refused while a message leaves."""

RULES: Final[dict[str, Rule]] = {
    "/connector.v1.ParticipantService/Describe": Rule(Standing.PROTECTIVE, 10),
    "/connector.v1.ParticipantService/GetMembershipLists": Rule(Standing.PROTECTIVE, 30),
    "/connector.v1.ParticipantService/Carry": Rule(Standing.PROTECTIVE, None),
    "/connector.v1.CatalogService/GetCatalog": Rule(Standing.FULL, 30),
    "/connector.v1.CatalogService/GetDataset": Rule(Standing.FULL, 30),
    "/connector.v1.ExchangeService/Exchange": Rule(Standing.FULL, None),
    "/connector.v1.LedgerService/GetCheckpoint": Rule(Standing.PROTECTIVE, 10),
    "/connector.v1.LedgerService/GetRecord": Rule(Standing.PROTECTIVE, 30),
    "/connector.v1.LedgerService/GetHead": Rule(Standing.PROTECTIVE, 30),
    "/grpc.health.v1.Health/Check": Rule(Standing.PROTECTIVE, 10),
    "/grpc.health.v1.Health/Watch": Rule(Standing.PROTECTIVE, None),
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Rule(Standing.FULL, None),
}
