"""Where a policy's facts are said: categories and groups at publish, events, and the area in the settings."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.control.running import Running
from connector.exchange.events import MOST_EVENTS, EventUnderWay, NoSuchEvent
from connector.source.errors import BadHeader, UnknownColumn
from connector.store.config import BadConfig, Config, read_config
from connector.store.config_policy import PolicySettings
from ledger.fields import BadField
from tests.control.homes import CITY, Homes, ask

FLOOD = "https://city.example/events/flood"
DPV = "https://w3id.org/dpv#"


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[Running]:
    homes = Homes(tmp_path)
    async with homes.running(await homes.join(CITY)) as running:
        yield running


def table(folder: Path, *rows: str) -> str:
    path = folder / "firms.csv"
    path.write_text("\n".join(("district,turnover", *rows)) + "\n")
    return str(path)


def newest(entry: Any) -> Any:
    return entry["versions"][-1]["manifest"]


async def test_a_category_and_the_smallest_group_are_part_of_what_names_a_version(
    city: Running, tmp_path: Path
) -> None:
    plain = await ask(city, "publish", file=table(tmp_path, "a,1", "a,2", "b,3"), dataset="plain")
    said = {"categories": {"turnover": "CommerciallyConfidentialData"}, "grouped_by": ["district"]}
    first = await ask(city, "publish", file=table(tmp_path, "a,1", "a,2", "b,3"), dataset="firms", **said)
    described = newest(first)
    assert described["schema"]["columns"][1]["category"] == DPV + "CommerciallyConfidentialData"
    assert described["groups"] == {"columns": ["district"], "smallest": 1}
    assert first["versions"][-1]["digest"] != plain["versions"][-1]["digest"]
    later = newest(await ask(city, "publish", file=table(tmp_path, "a,1", "a,2"), dataset="firms"))
    assert later["groups"] == {"columns": ["district"], "smallest": 2}
    assert later["schema"]["columns"][1]["category"] == DPV + "CommerciallyConfidentialData"


@pytest.mark.parametrize(
    ("said", "error", "field"),
    [
        ({"categories": {"turnover": "dpv:Secrets"}}, BadField, "categories.turnover"),
        ({"categories": {"turnover": "no category"}}, BadField, "categories.turnover"),
        ({"categories": {"nothing": "SensitiveData"}}, UnknownColumn, "nothing"),
        ({"grouped_by": ["nothing"]}, UnknownColumn, "nothing"),
        ({"grouped_by": ["district"], "append_only": True}, BadHeader, "grouped_by"),
    ],
)
async def test_what_cannot_be_said_of_a_table_is_refused_by_name(
    city: Running, tmp_path: Path, said: dict[str, Any], error: type[Exception], field: str
) -> None:
    with pytest.raises(error) as refused:
        await ask(city, "publish", file=table(tmp_path, "a,1"), dataset="firms", **said)
    assert getattr(refused.value, "field", None) == field
    assert await ask(city, "catalog", dcat=False) == []


async def test_the_grounds_of_an_offer_are_those_that_were_said(city: Running, tmp_path: Path) -> None:
    said = {
        "legal_basis": "LegalObligation",
        "secrecy_ground": "eli:sfs/2009/400",
        "places": ["EEA", "SE"],
        "transfer_ground": "urn:x:adequacy",
    }
    plain = await ask(city, "publish", file=table(tmp_path, "a,1"), dataset="firms")
    both = await ask(city, "publish", file=table(tmp_path, "a,1"), dataset="firms", **said)
    assert len(plain["offers"]) == 1
    (terms,) = [
        offer["document"]["terms"] for offer in both["offers"] if offer["id"] != plain["offers"][0]["id"]
    ]
    assert {name: terms[name] for name in said} == {**said, "legal_basis": DPV + "LegalObligation"}


@pytest.mark.parametrize(
    "said", [{"legal_basis": "the law"}, {"places": ["Sweden"]}, {"transfer_ground": "no iri"}]
)
async def test_a_ground_that_makes_no_sense_is_refused(
    city: Running, tmp_path: Path, said: dict[str, Any]
) -> None:
    with pytest.raises(BadField) as refused:
        await ask(city, "publish", file=table(tmp_path, "a,1"), dataset="firms", **said)
    assert str(refused.value.field).partition("[")[0] == next(iter(said))


async def test_an_event_is_under_way_from_one_recorded_act_to_the_other(city: Running) -> None:
    assert await ask(city, "events") == []
    before = city.node.events.changes
    begun = await ask(city, "event-begin", event=FLOOD)
    assert [each["event"] for each in begun] == [FLOOD]
    with pytest.raises(EventUnderWay):
        await ask(city, "event-begin", event=FLOOD)
    assert await ask(city, "event-end", event=FLOOD) == []
    with pytest.raises(NoSuchEvent):
        await ask(city, "event-end", event=FLOOD)
    assert city.node.events.changes == before + 2


@pytest.mark.parametrize("name", ["flood", "", "urn:x:a b", "urn:x:" + "a" * 300, "urn:x:a\nb"])
async def test_an_events_name_is_an_iri(city: Running, name: str) -> None:
    with pytest.raises(BadField):
        await ask(city, "event-begin", event=name)


async def test_only_so_many_events_stand_in_a_question(city: Running) -> None:
    for number in range(MOST_EVENTS):
        await ask(city, "event-begin", event=f"urn:x:{number}")
    with pytest.raises(EventUnderWay):
        await ask(city, "event-begin", event=FLOOD)


CONFIG = Config("homes.test", "organisation", CITY, "City", "company", "", "", "")


async def test_the_area_of_the_settings_is_what_decides_and_what_doctor_shows(tmp_path: Path) -> None:
    homes = Homes(tmp_path)
    home = await homes.join(CITY)
    async with homes.running(home) as running:
        assert running.node.rulings._area is None
    home.config.write_text(home.config.read_text() + '\n[policy]\narea = ["EEA", "CH"]\n')
    async with homes.running(home) as running:
        area = running.node.rulings._area
        assert area is not None
        assert {"SE", "NO", "CH", "EU", "EEA"} <= set(area)
        assert "US" not in area
        (found,) = [each for each in (await ask(running, "doctor"))["checks"] if each["check"] == "area"]
        assert found["ok"]
        assert "EEA, CH" in found["found"]


def test_the_area_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "connector.toml"
    for settings in (PolicySettings(), PolicySettings(("SE", "EU"))):
        config = dataclasses.replace(CONFIG, policy=settings)
        path.write_text(config.to_toml())
        assert read_config(path) == config


@pytest.mark.parametrize("area", ["[]", '["Sweden"]', '["se"]', '"SE"', "[1]", '["SE"]\nother = 1'])
def test_an_area_that_makes_no_sense_is_refused(tmp_path: Path, area: str) -> None:
    path = tmp_path / "connector.toml"
    path.write_text(CONFIG.to_toml() + f"\n[policy]\narea = {area}\n")
    with pytest.raises(BadConfig):
        read_config(path)
