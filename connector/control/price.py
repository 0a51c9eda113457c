"""A price as a command gives it, and what this participant's settings demand of one.

Rules that hold here: what the settings demand is checked wherever this side puts a price on the table
or agrees to one as the provider, before anything is signed.
"""

from __future__ import annotations

from connector.contract.terms import FREE, Price
from connector.store.config import Config
from ledger.errors import BylagError
from ledger.fields import Fields


class NoPriceGround(BylagError):
    """The settings ask for the legal ground of every price, and this one names none."""

    code = "NO_PRICE_GROUND"
    default_next_step = "Name the provision that allows the price: --price-ground IRI. Or ask for no price."


def given_price(fields: Fields) -> Price | None:
    """The price among a command's arguments; None where none is given. Raises ``BadField``."""
    return Price.read(fields.object("price")) if fields.has("price") else None


def require_ground(config: Config, price: Price) -> None:
    """Raise :class:`NoPriceGround` for a price without a legal ground, where the settings demand one."""
    if config.require_price_ground and price.basis != FREE.basis and price.legal_ground is None:
        raise NoPriceGround(
            "this participant's prices name their legal ground (require_price_ground), and this one does not",
            field="price.legal_ground",
        )
