"""What a use costs, in integer minor units.

Rules that hold here: money is never a fraction; a price is per *started* block of ``per`` units, so
that both sides compute the same amount from the same totals; charges follow only from totals that
the consumer signed, which is the caller's to see to.
"""

from __future__ import annotations

from dataclasses import dataclass

from connector.contract.terms import Price


@dataclass(frozen=True, slots=True)
class Usage:
    """Signed totals of what was used over one charging period."""

    records: int = 0
    bytes: int = 0
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in a currency's minor unit; ``currency`` is None where nothing is charged."""

    amount: int
    currency: str | None


def charge(price: Price, usage: Usage) -> Money:
    """What ``usage`` costs under ``price``; a flat price is charged once a period, used or not."""
    match price.basis:
        case "record":
            units = usage.records
        case "byte":
            units = usage.bytes
        case "request":
            units = usage.requests
        case "flat":
            units = price.per
        case _:
            units = 0
    return Money(-(-units // price.per) * price.amount, price.currency)
