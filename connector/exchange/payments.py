"""What was paid so far under an agreement: a policy's `payAmount`.

Rules that hold here: what counts is what both sides signed, the statements that are settled
(``connector.contract.settlements``), in the currency of the agreement's price. Nothing settled is nothing
paid; an agreement without a price has no amount, and it stays unknown.
"""

from __future__ import annotations

from typing import Final

from sqlmodel import func, select

from connector.policy.facts import Quantity
from connector.store.database import Database
from connector.store.tables import SettlementRow
from ledger.canonical import LARGEST_INTEGER
from ledger.names import AgreementId

CURRENCY: Final = "urn:iso:4217:"
"""How a policy names a currency as the unit of an amount: ``urn:iso:4217:SEK``."""
SETTLED: Final = "settled"


def paid(database: Database, agreement: AgreementId, currency: str | None) -> Quantity | None:
    """The amount in minor units of ``currency``; None where the agreement has no price."""
    if currency is None:
        return None
    with database.read() as session:
        settled = session.exec(
            select(func.sum(SettlementRow.amount))
            .where(SettlementRow.agreement == agreement, SettlementRow.state == SETTLED)
            .where(SettlementRow.currency == currency)
        ).one()
    # Other evidence of a payment, such as a duty to compensate that was accepted as fulfilled, is added here.
    return Quantity(min(settled or 0, LARGEST_INTEGER), CURRENCY + currency)
