"""Prices and amounts of money, as options and in words.

Rules that hold here: an amount is an integer in the currency's minor unit wherever a program reads or
writes it; only people see it with a decimal point, placed as ISO 4217 says for the currency.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

BASES: Final = ("record", "byte", "request", "flat", "free")
"""``connector.contract.terms.BASES``, without loading it; a test compares them."""
_DIGITS: Final = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}
"""Digits of the minor unit where they are not two (ISO 4217, list one)."""
LARGEST: Final = 10**12


def priced(command: Command) -> Command:
    """Give a command the options that say what the data costs."""
    for option in (
        click.option("--price-ground", metavar="IRI", help="The provision that allows the price."),
        click.option(
            "--per", type=click.IntRange(1, LARGEST), help="How many records, bytes or requests it is for; 1."
        ),
        click.option("--currency", metavar="CODE", help="ISO 4217, such as SEK."),
        click.option("--amount", type=click.IntRange(0, LARGEST), help="In minor units, such as öre."),
        click.option("--price", type=click.Choice(BASES), help="What is charged for; default free."),
    ):
        command = option(command)
    return command


def take_price(said: dict[str, Any]) -> dict[str, Any]:
    """Put what the options say of the price into one argument, ``price``; nothing where nothing is said."""
    basis, amount, currency = said.pop("price"), said.pop("amount"), said.pop("currency")
    per, ground = said.pop("per"), said.pop("price_ground")
    if basis is None:
        if (amount, currency, per, ground) != (None, None, None, None):
            raise click.UsageError("--amount, --currency, --per and --price-ground go with --price")
        return said
    if basis != "free" and (amount is None or currency is None):
        raise click.UsageError(f"--price {basis} goes with --amount and --currency")
    said["price"] = {
        "basis": basis,
        "amount": amount or 0,
        "currency": currency,
        "per": per or 1,
        "legal_ground": ground,
    }
    return said


def money(amount: int, currency: str | None) -> str:
    """An amount in minor units as people write it, such as ``12.50 SEK``."""
    if currency is None:
        return str(amount)
    digits = _DIGITS.get(currency, 2)
    whole, part = divmod(abs(amount), 10**digits)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole:,}{f'.{part:0{digits}}' if digits else ''} {currency}"


def price_in_words(price: Any) -> str:
    """A price in a few words."""
    basis, amount = price["basis"], money(price["amount"], price["currency"])
    if basis == "free":
        return "free"
    ground = f", on the ground of {price['legal_ground']}" if price["legal_ground"] else ""
    if basis == "flat":
        return f"{amount} a period{ground}"
    many = f"started {price['per']:,} {basis}s" if price["per"] > 1 else basis
    return f"{amount} for each {many}{ground}"
