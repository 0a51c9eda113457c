"""What negotiating asks of the rest of the connector: the list, the log, this side's offers and units."""

from __future__ import annotations

from typing import Protocol

from connector.contract.agreement import ListReference
from connector.contract.messages import LogHead
from connector.contract.offer import Applicant, Offer
from connector.contract.party import Party
from connector.contract.terms import Proposal
from ledger.names import AgreementId, ParticipantId, RulebookDigest, UnitId


class Surroundings(Protocol):
    """What the desk asks of the rest of the connector."""

    def list_reference(self) -> ListReference:
        """The membership list in force."""

    def head(self) -> LogHead | None:
        """The newest published checkpoint of this participant's log."""

    def own_party(self, unit: UnitId | None) -> Party:
        """This participant as a party, for one of its units."""

    def applicant(self, participant: ParticipantId) -> Applicant:
        """What the list says of somebody who asks."""

    def offer(self, proposal: Proposal) -> Offer | None:
        """This participant's open offer that a proposal stands on."""

    def is_person(self, participant: ParticipantId) -> bool: ...

    def rulebook(self) -> RulebookDigest: ...

    def bar(self, agreement: AgreementId, code: str) -> None:
        """Stop every release under an agreement, in memory, now."""
