"""Legal bases and categories of data are the Data Privacy Vocabulary's; countries lie in EU and EEA."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from connector.policy import data_categories, legal_bases
from connector.policy.data_categories import category_iri, wider_categories
from connector.policy.legal_bases import wider_bases
from connector.policy.places import EU, GROUPS, area_of, wider_places
from tests.policy.world import DPV


@pytest.mark.parametrize(
    ("name", "direct"), [("legal_basis", legal_bases.parents()), ("personal_data", data_categories.parents())]
)
def test_they_are_the_published_ones(test_data: Path, name: str, direct: dict[str, tuple[str, ...]]) -> None:
    with (test_data / "dpv" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["type"] == "class"]
    published = {row["iri"]: {iri for iri in row["hasbroader"].split(";") if iri} for row in rows}
    assert {term: set(above) for term, above in direct.items()} == published


def test_what_is_narrower_lies_in_what_is_wider_and_never_in_itself() -> None:
    assert wider_bases(DPV + "VitalInterestOfDataSubject") == tuple(
        DPV + name for name in ("LegalBasis", "VitalInterest", "VitalInterestOfNaturalPerson")
    )
    assert wider_bases("eli:sfs/1992/191") == ()
    health = wider_categories(DPV + "SpecialCategoryPersonalData")
    assert {DPV + "SensitivePersonalData", DPV + "PersonalData", DPV + "Data"} <= set(health)
    assert DPV + "SpecialCategoryPersonalData" not in health


@pytest.mark.parametrize(
    ("written", "iri"),
    [
        ("PersonalData", DPV + "PersonalData"),
        ("dpv:PersonalData", DPV + "PersonalData"),
        (DPV + "PersonalData", DPV + "PersonalData"),
        ("https://w3id.org/dpv/pd#Health", "https://w3id.org/dpv/pd#Health"),
        ("dpv:Secrets", None),
        ("Secrets", None),
        ("https://x.example/a b", None),
        ("", None),
    ],
)
def test_a_category_is_named_by_dpv_or_by_another_vocabularys_iri(written: str, iri: str | None) -> None:
    assert category_iri(written) == iri


def test_an_area_holds_the_members_of_its_groups_and_the_groups_that_lie_in_it() -> None:
    assert len(EU) == 27
    assert area_of(["SE"]) == ("SE",)
    assert set(area_of(["EU"])) == EU | {"EU"}
    assert set(area_of(["EEA", "CH"])) == GROUPS["EEA"] | {"EU", "EEA", "CH"}
    assert area_of(EU) == area_of(["EU"])
    assert wider_places("SE") == ("EU", "EEA")
    assert wider_places("NO") == ("EEA",)
    assert wider_places("EU") == ("EEA",)
    assert wider_places("US") == ()
    assert wider_places("SE-AB") == ("SE", "EU", "EEA")
