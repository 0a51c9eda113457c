"""Purposes are the Data Privacy Vocabulary's, and narrower ones are within wider ones."""

from __future__ import annotations

import csv
from pathlib import Path

from connector.policy.build import POLICIES, written_facts
from connector.policy.purposes import closure, is_within, parents, purpose_iri
from tests.policy.world import DPV, MARKETING, RESEARCH, SCIENTIFIC


def test_they_are_the_published_ones(test_data: Path) -> None:
    with (test_data / "dpv" / "purposes.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["type"] == "class" and row["term"] != "Sector"]
    published = {
        row["iri"]: {iri for column in ("hasbroader", "subclassof") for iri in row[column].split(";") if iri}
        for row in rows
    }
    published[DPV + "RightsFulfilment"] = {DPV + "Purpose"}  # DPV names a legal basis there
    assert {purpose: set(above) for purpose, above in parents().items()} == published


def test_the_closure_goes_all_the_way_up_and_includes_the_purpose_itself() -> None:
    assert closure()[DPV + "CommercialResearch"] == {
        DPV + name
        for name in ("CommercialResearch", "CommercialPurpose", "ResearchAndDevelopment", "Purpose")
    }
    assert all(DPV + "Purpose" in above and purpose in above for purpose, above in closure().items())


def test_narrower_is_within_wider_and_not_the_other_way() -> None:
    assert is_within(SCIENTIFIC, RESEARCH)
    assert is_within(RESEARCH, RESEARCH)
    assert not is_within(RESEARCH, SCIENTIFIC)
    assert not is_within(MARKETING, RESEARCH)
    assert not is_within("", RESEARCH)


def test_a_purpose_has_a_short_name() -> None:
    assert purpose_iri("dpv:ScientificResearch") == purpose_iri(SCIENTIFIC) == SCIENTIFIC
    assert purpose_iri("ScientificResearch") is None
    assert purpose_iri(DPV + "Sector") is None


def test_the_rulebook_has_the_same_facts() -> None:
    assert (POLICIES / "data.json").read_bytes() == written_facts(), "run python -m connector.policy.build"
