"""Prices as options and in words."""

from __future__ import annotations

from typing import Any

import click
import pytest

from connector.cli.prices import BASES, money, price_in_words, take_price
from connector.contract import terms

NOTHING: dict[str, Any] = dict.fromkeys(("price", "amount", "currency", "per", "price_ground"))


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1250, "SEK", "12.50 SEK"),
        (5, "SEK", "0.05 SEK"),
        (-105, "EUR", "-1.05 EUR"),
        (123456789, "ISK", "123,456,789 ISK"),
        (1234, "KWD", "1.234 KWD"),
        (0, None, "0"),
    ],
)
def test_an_amount_has_its_point_where_the_currency_has_it(
    amount: int, currency: str | None, text: str
) -> None:
    assert money(amount, currency) == text


def test_the_command_knows_every_basis() -> None:
    assert terms.BASES == BASES


@pytest.mark.parametrize("basis", BASES)
def test_every_basis_has_words(basis: str) -> None:
    price = {"basis": basis, "amount": 25, "currency": "SEK", "per": 1000, "legal_ground": "eli:sfs/1992/191"}
    words = price_in_words(price)
    assert (words == "free") is (basis == "free")
    assert ("0.25 SEK" in words) is ("eli:sfs/1992/191" in words) is (basis != "free")


def test_what_is_said_of_a_price_becomes_one_argument() -> None:
    said = {**NOTHING, "price": "record", "amount": 25, "currency": "SEK", "days": 3}
    assert take_price(said) == {
        "days": 3,
        "price": {"basis": "record", "amount": 25, "currency": "SEK", "per": 1, "legal_ground": None},
    }
    assert take_price(dict(NOTHING)) == {}


@pytest.mark.parametrize(
    "said",
    [
        {"amount": 25},
        {"price_ground": "eli:sfs/1992/191"},
        {"price": "record", "amount": 25},
        {"price": "flat", "currency": "SEK"},
    ],
)
def test_half_a_price_is_no_price(said: dict[str, Any]) -> None:
    with pytest.raises(click.UsageError):
        take_price({**NOTHING, **said})
