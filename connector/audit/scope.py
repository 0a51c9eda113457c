"""Whom and what a record concerns.

A scope decides three things: the record's chain, the members that every record under it carries,
and whether the counterpart is a person, of whom nothing may stand in a leaf.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from ledger.leaf import NODE_CHAIN, agreement_chain, counterpart_chain
from ledger.names import AgreementId, ExchangeId, NegotiationId, ParticipantId, UnitId


@dataclass(frozen=True, slots=True)
class Counterpart:
    """The other party: an organisation by its did, a person by a handle this participant gave."""

    id: ParticipantId
    is_person: bool = False
    unit: UnitId | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What a record is about. An empty scope is about this node itself."""

    counterpart: Counterpart | None = None
    unit: UnitId | None = None
    agreement: AgreementId | None = None
    negotiation: NegotiationId | None = None
    exchange: ExchangeId | None = None
    attempt: int | None = None

    @property
    def chain(self) -> str:
        """What this scope chains by: agreement, else counterpart, else the node itself.

        The log calls an organisation's chain so; a person's gets a random name (``Recorder.chain``).
        """
        if self.agreement is not None:
            return agreement_chain(self.agreement)
        if self.counterpart is not None:
            return counterpart_chain(self.counterpart.id)
        return NODE_CHAIN

    @property
    def person(self) -> ParticipantId | None:
        """The handle of the person whom records under this scope concern, if it is one."""
        if self.counterpart is not None and self.counterpart.is_person:
            return self.counterpart.id
        return None

    def within(self, exchange: ExchangeId, attempt: int) -> Self:
        """The same scope, for one attempt of an exchange."""
        return replace(self, exchange=exchange, attempt=attempt)
