"""Agreements in force, read from the store as an exchange needs them."""

from __future__ import annotations

from connector.contract.agreement import Agreement, decode_agreement
from connector.exchange.ground import Terms
from connector.store.database import Database
from connector.store.tables import AgreementRow
from ledger.ambient import Ambient
from ledger.names import AgreementId


class StoredAgreements:
    """Agreements by id. What was signed never changes, so its reading is kept; its state is not."""

    def __init__(self, database: Database, ambient: Ambient) -> None:
        self._database = database
        self._ambient = ambient
        self._read: dict[AgreementId, Agreement] = {}

    def agreement(self, agreement: AgreementId) -> Agreement | None:
        """The signed document, parsed."""
        known = self._read.get(agreement)
        if known is not None:
            return known
        with self._database.read() as session:
            row = session.get(AgreementRow, agreement)
        if row is None:
            return None
        return self._read.setdefault(agreement, decode_agreement(row.payload))

    def terms(self, agreement: AgreementId) -> Terms | None:
        """The terms of an agreement, and whether it holds now: not ended, and within its period."""
        document = self.agreement(agreement)
        if document is None:
            return None
        with self._database.read() as session:
            state = session.get_one(AgreementRow, agreement).state
        agreed = document.terms
        return Terms(
            agreement=document.id,
            provider=document.provider.id,
            consumer=document.consumer.id,
            provider_unit=document.provider.unit,
            consumer_unit=document.consumer.unit,
            dataset=document.dataset,
            purpose=agreed.purpose,
            policy=agreed.policy,
            policy_digest=agreed.policy_digest,
            contract=document.digest,
            windows=agreed.windows,
            ack_seconds=agreed.acknowledge_seconds,
            active=state == "active" and agreed.period.holds(self._ambient.now()),
            state=state,
            provider_log=document.provider.log.key,
            consumer_log=document.consumer.log.key,
            until=agreed.period.end,
            began=agreed.period.begin,
            legal_basis=agreed.legal_basis,
            secrecy_ground=agreed.secrecy_ground,
            places=agreed.places,
            transfer_ground=agreed.transfer_ground,
            currency=agreed.price.currency,
            versions=document.versions,
        )
