"""What the database holds, one file a room. The log's own tables are the ledger's (``ledger.schema``).

A change here comes with a migration (``connector/store/migrations``); a test compares the two.
"""

from connector.store.tables.catalog import DatasetRow, OfferRow, VersionRow
from connector.store.tables.contract import AgreementRow, NegotiationRow
from connector.store.tables.duty import DutyTaskRow
from connector.store.tables.events import EventRow
from connector.store.tables.exchange import (
    CounterRow,
    DeliveryRow,
    ExchangeRow,
    LabelTreeRow,
    NonceRow,
    WindowRow,
)
from connector.store.tables.guests import GuestCredentialRow, GuestRow
from connector.store.tables.membership import ListConflictRow, ListRow, PersonChainRow
from connector.store.tables.outbox import NoticeRow, PeerRow
from connector.store.tables.people import PersonIndexRow, PersonRow
from connector.store.tables.settlement import MeteredWindowRow, SettlementRow

__all__ = [
    "AgreementRow",
    "CounterRow",
    "DatasetRow",
    "DeliveryRow",
    "DutyTaskRow",
    "EventRow",
    "ExchangeRow",
    "GuestCredentialRow",
    "GuestRow",
    "LabelTreeRow",
    "ListConflictRow",
    "ListRow",
    "MeteredWindowRow",
    "NegotiationRow",
    "NonceRow",
    "NoticeRow",
    "OfferRow",
    "PeerRow",
    "PersonChainRow",
    "PersonIndexRow",
    "PersonRow",
    "SettlementRow",
    "VersionRow",
    "WindowRow",
]
