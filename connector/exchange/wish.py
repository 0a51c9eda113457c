"""What a consumer asks for, and the name of the exchange in which it does."""

from __future__ import annotations

from dataclasses import dataclass

from connector.exchange.declared import NOTHING, Declared
from connector.exchange.ground import Ground
from ledger.ambient import fresh_id
from ledger.canonical import JSONObject
from ledger.names import DatasetId, ExchangeId


@dataclass(frozen=True, slots=True)
class Wish:
    """What a consumer asks for under an agreement."""

    dataset: DatasetId
    purpose: str
    mode: str = "transfer"
    version: str | None = None
    cursor: int = 0
    selection: JSONObject | None = None
    declared: Declared = NOTHING


def new_exchange(ground: Ground) -> ExchangeId:
    """A fresh exchange id."""
    return ExchangeId(fresh_id(ground.ambient))
