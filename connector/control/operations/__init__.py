"""Everything a command can ask of a connector, a file a group. Importing this fills the table."""

from connector.control.operations import (
    catalog,
    contract,
    exchange,
    guests,
    keys,
    ledger,
    membership,
    query,
    rules,
    status,
    subscription,
)

__all__ = [
    "catalog",
    "contract",
    "exchange",
    "guests",
    "keys",
    "ledger",
    "membership",
    "query",
    "rules",
    "status",
    "subscription",
]
