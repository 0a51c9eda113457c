"""Everything a command can ask of a connector, a file a group. Importing this fills the table."""

from connector.control.operations import (
    audit,
    catalog,
    contract,
    events,
    exchange,
    explain,
    guests,
    keys,
    ledger,
    membership,
    query,
    rules,
    settlement,
    status,
    subscription,
    what_if,
)

__all__ = [
    "audit",
    "catalog",
    "contract",
    "events",
    "exchange",
    "explain",
    "guests",
    "keys",
    "ledger",
    "membership",
    "query",
    "rules",
    "settlement",
    "status",
    "subscription",
    "what_if",
]
