"""Publishing for money: what the offer says, and what a public body's settings demand."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.control.price import NoPriceGround
from connector.control.running import Running
from ledger.fields import BadField
from tests.control.homes import CITY, Homes, ask

SEK: dict[str, Any] = {"basis": "record", "amount": 25, "currency": "SEK", "per": 1000, "legal_ground": None}
GROUND = "eli:sfs/1992/191"
GROUNDED = {"legal_ground": GROUND}


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[Running]:
    homes = Homes(tmp_path)
    async with homes.running(await homes.join(CITY)) as running:
        yield running


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "numbers.csv"
    path.write_text("number\n1\n2\n")
    return str(path)


def demand_grounds(city: Running) -> None:
    city.node.config = dataclasses.replace(city.node.config, require_price_ground=True)


async def test_an_offer_is_free_unless_a_price_is_given(city: Running, table: str) -> None:
    free = await ask(city, "publish", file=table, dataset="numbers")
    assert free["offers"][0]["document"]["terms"]["price"]["basis"] == "free"
    both = await ask(city, "publish", file=table, dataset="numbers", price=SEK)
    prices = [offer["document"]["terms"]["price"] for offer in both["offers"]]
    assert sorted(price["basis"] for price in prices) == ["free", "record"]
    assert SEK in prices


async def test_a_price_without_its_legal_ground_is_not_published_where_one_is_demanded(
    city: Running, table: str
) -> None:
    demand_grounds(city)
    with pytest.raises(NoPriceGround) as raised:
        await ask(city, "publish", file=table, dataset="numbers", price=SEK)
    assert raised.value.field == "price.legal_ground"
    assert await ask(city, "catalog", dcat=False) == []
    grounded = await ask(city, "publish", file=table, dataset="numbers", price={**SEK, **GROUNDED})
    assert grounded["offers"][0]["document"]["terms"]["price"]["legal_ground"] == GROUND
    await ask(city, "publish", file=table, dataset="open-numbers")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"legal_ground": "the law of 1992"}, "price.legal_ground"),
        ({"basis": "free", "amount": 0, "currency": None, "per": 1, **GROUNDED}, "price.legal_ground"),
        ({"currency": "kr"}, "price.currency"),
    ],
)
async def test_a_price_that_makes_no_sense_is_refused(
    city: Running, table: str, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadField) as raised:
        await ask(city, "publish", file=table, dataset="numbers", price={**SEK, **change})
    assert raised.value.field == field
