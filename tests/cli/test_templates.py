"""``bylag policy templates`` and ``template``, and what they print published as a policy of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connector.policy.templates import TEMPLATES
from tests.cli.command import Shell
from tests.cli.conftest import ALFA, Space


@pytest.fixture
def alone(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_the_templates_are_listed_with_their_parameters(alone: Shell) -> None:
    told = alone("policy", "templates").out
    for name, template in TEMPLATES.items():
        assert f"{name}: {template.title}" in told
    assert "k (whole number, default 10)" in told
    assert [each["name"] for each in alone.json("policy", "templates")] == list(TEMPLATES)


def test_a_template_is_printed_as_a_policy_that_can_be_checked(alone: Shell) -> None:
    printed = alone("policy", "template", "aggregated-only", "--set", "k=20").out
    (alone.folder / "policy.json").write_text(printed)
    assert json.loads(printed)["uid"].startswith("urn:uuid:")
    assert (
        "The number of persons behind each figure is at least 20."
        in alone("policy", "check", "policy.json").out
    )
    alone("policy", "template", "delete-after", "--set", "days=90", "--out", "kept.json")
    assert "P90D" in (alone.folder / "kept.json").read_text()
    whole = alone.json("policy", "template", "paid-per-record", "--set", "price=25")
    assert whole["offer"]["price"]["amount"] == 25


def test_what_is_no_template_or_no_value_is_said(alone: Shell) -> None:
    alone("policy", "template", "free-for-all", status=None).refused("NO_SUCH_TEMPLATE", 5)
    alone("policy", "template", "delete-after", "--set", "days=soon", status=None).refused("BAD_PARAMETER", 2)
    alone("policy", "template", "delete-after", "--set", "days", status=None).refused("WRONG_USAGE", 2)
    (alone.folder / "t.csv").write_text("a,b\n1,2\n")
    for wrong in (["--set", "days=3"], ["--template", "open-data", "--policy", "p.json"]):
        alone("publish", "t.csv", *wrong, status=None).refused("WRONG_USAGE", 2)


def test_a_dataset_is_published_with_a_template_and_its_price(space: Space) -> None:
    (space.folder / "companies.csv").write_text("kind,number\na,1\nb,2\n")
    entry = space.bylag.json(
        "publish", "companies.csv", "--home", "alfa", "--template", "paid-per-record", "--set", "price=25",
        "--set", "per=1000", "--set", "purpose=AcademicResearch",
    )  # fmt: skip
    terms = entry["offers"][-1]["document"]["terms"]
    assert (terms["price"]["amount"], terms["price"]["per"]) == (25, 1000)
    assert terms["purpose"] == "https://w3id.org/dpv#AcademicResearch"
    told = space.bylag("dataset", "companies", "--home", "alfa").out
    assert "0.25 SEK for each started 1,000 records" in told


def agreed_on(space: Space, name: str, *settings: str) -> str:
    """What alfa publishes with the template, and beta agrees to."""
    (space.folder / f"{name}.csv").write_text("ward,visits\nnorth,7\n")
    space.bylag("publish", f"{name}.csv", "--home", "alfa", "-d", name, "--template", name, *settings)
    return str(space.bylag.json("negotiate", ALFA, name, "--home", "beta")["agreement"])


def test_with_consent_nothing_leaves_before_it_was_obtained_and_that_was_accepted(space: Space) -> None:
    agreement = agreed_on(space, "consent-bound")
    space.bylag("fetch", agreement, "--home", "beta", status=None).refused("DUTY_COMES_FIRST", 3)
    (owed,) = space.bylag.json(
        "duties", "list", "--agreement", agreement, "--agreement", agreement, "--home", "beta"
    )
    space.bylag("duties", "done", owed["duty"], "--reference", "forms of May, folder 3", "--home", "beta")
    space.bylag("fetch", agreement, "--home", "beta", status=None).refused("DUTY_COMES_FIRST", 3)
    space.bylag("duties", "accept", owed["duty"], "--home", "alfa")
    fetched = space.bylag.json("fetch", agreement, "--home", "beta")
    use = ("use", fetched["exchange"], "--purpose", fetched["purpose"], "--home", "beta")
    assert space.bylag(*use).out == "ward,visits\nnorth,7\n"
    space.bylag("agreement", "terminate", agreement, "--code", "NO_LONGER_NEEDED", "--home", "alfa")
    space.bylag("fetch", agreement, "--home", "beta", status=None).refused("AGREEMENT_ENDED", 3)
    space.bylag(*use, status=None).refused("AGREEMENT_ENDED", 3)


def test_for_a_public_task_an_objection_stops_what_leaves_and_what_is_used(space: Space) -> None:
    heard = "urn:x:public-task:no-objection"
    agreement = agreed_on(space, "public-task", "--set", f"attested={heard}")
    space.bylag("fetch", agreement, "--home", "beta", status=None).refused("FACT_MISSING", 3)
    space.bylag("events", "begin", heard, "--home", "alfa")
    fetched = space.bylag.json("fetch", agreement, "--home", "beta")
    use = ("use", fetched["exchange"], "--purpose", fetched["purpose"], "--home", "beta")
    space.bylag(*use, status=None).refused("FACT_MISSING", 3)
    space.bylag("events", "begin", heard, "--home", "beta")
    assert space.bylag(*use).out == "ward,visits\nnorth,7\n"
    for home in ("alfa", "beta"):
        space.bylag("events", "end", heard, "--home", home)
    space.bylag("fetch", agreement, "--home", "beta", status=None).refused("FACT_MISSING", 3)
    space.bylag(*use, status=None).refused("FACT_MISSING", 3)
