"""Publishing with a template: the policy, and the terms that go with it into the offer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.control.operations.catalog import DAY_MS
from connector.control.running import Running
from connector.policy.parse import normalise
from connector.policy.template import BadParameter, NoSuchTemplate
from connector.policy.templates import TEMPLATES
from ledger.fields import BadField
from tests.control.homes import CITY, Homes, ask

DPV = "https://w3id.org/dpv#"


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[Running]:
    homes = Homes(tmp_path)
    async with homes.running(await homes.join(CITY)) as running:
        yield running


async def publish(city: Running, folder: Path, name: str, dataset: str = "table", **said: Any) -> Any:
    table = folder / "table.csv"
    table.write_text("kind,number\na,1\nb,2\n")
    values = said.pop("set", {})
    arguments = {"file": str(table), "dataset": dataset, "template": {"name": name, "set": values}, **said}
    entry = await ask(city, "publish", **arguments)
    return entry["offers"][-1]["document"]["terms"]


async def test_every_template_is_published_as_it_is(city: Running, tmp_path: Path) -> None:
    for name, template in TEMPLATES.items():
        terms = await publish(city, tmp_path, name, dataset=name)
        expected: Any = normalise(template.fill({}).policy).content["rules"]
        stated = [rule["constraint"] for rule in terms["policy"]["rules"]]
        assert stated == [rule["constraint"] for rule in expected]
        assert terms["policy"]["id"].startswith("urn:uuid:")
        assert terms["purpose"] == template.fill({}).purpose


async def test_what_is_paid_per_record_has_its_price(city: Running, tmp_path: Path) -> None:
    terms = await publish(city, tmp_path, "paid-per-record", set={"price": "25", "per": "1000"})
    assert terms["price"] == {
        "basis": "record",
        "amount": 25,
        "currency": "SEK",
        "per": 1000,
        "legal_ground": None,
    }


async def test_purpose_length_and_legal_basis_go_into_the_terms(city: Running, tmp_path: Path) -> None:
    limited = await publish(
        city, tmp_path, "time-limited", set={"days": 7, "purpose": "AcademicResearch"}, dataset="limited"
    )
    assert limited["purpose"] == DPV + "AcademicResearch"
    assert limited["period"]["end"] - limited["period"]["begin"] == 7 * DAY_MS
    task = await publish(city, tmp_path, "public-task", dataset="task")
    assert task["legal_basis"] == DPV + "PublicInterest"
    free = await publish(city, tmp_path, "open-data", dataset="open", days=10)
    assert free["period"]["end"] - free["period"]["begin"] == 10 * DAY_MS


async def test_what_a_template_says_is_not_said_twice(city: Running, tmp_path: Path) -> None:
    price = {"basis": "flat", "amount": 5, "currency": "SEK", "per": 1, "legal_ground": None}
    for name, said in (
        ("purpose-bound", {"purpose": "Marketing"}),
        ("purpose-bound", {"count": 3}),
        ("purpose-bound", {"policy": {}}),
        ("time-limited", {"days": 3}),
        ("paid-per-record", {"price": price}),
    ):
        with pytest.raises(BadField):
            await publish(city, tmp_path, name, **said)
    flat = await publish(city, tmp_path, "purpose-bound", price=price)
    assert flat["price"] == price


async def test_a_template_or_value_that_is_none_publishes_nothing(city: Running, tmp_path: Path) -> None:
    with pytest.raises(NoSuchTemplate):
        await publish(city, tmp_path, "free-for-all")
    for values in ({"days": 40_000}, {"days": "soon"}):
        with pytest.raises(BadParameter):
            await publish(city, tmp_path, "time-limited", set=values)
    assert await ask(city, "catalog", dcat=False) == []
