"""``bylag policy explain`` as a command: with a policy alone, and in a home under a real agreement."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connector.cli.explaining import LANGUAGES
from connector.policy.wording import SENTENCES
from tests.cli.command import Shell
from tests.cli.conftest import Space
from tests.cli.test_policies import OFFER


@pytest.fixture
def alone(tmp_path: Path) -> Shell:
    (tmp_path / "policy.json").write_text(json.dumps(OFFER))
    return Shell(tmp_path)


def test_languages_are_those_that_reasons_have_words_in() -> None:
    assert set(LANGUAGES) == set(SENTENCES)


def test_a_policy_is_explained_without_a_home(alone: Shell) -> None:
    told = alone("policy", "explain", "policy.json", "--purpose", "Marketing").out
    assert told.startswith("Denied.\n")
    assert "[no] The purpose is, or is a narrower one than, AcademicResearch." in told
    assert "It would be allowed if the purpose were AcademicResearch (declared by the recipient)." in told
    allowed = alone.json("policy", "explain", "policy.json", "--counter", "count=4")
    assert allowed["allow"] is True
    assert allowed["holds"]["counters"][0]["below"] == 5


def test_options_stand_over_the_file_with_the_request(alone: Shell) -> None:
    said = {"purpose": "Marketing", "counters": {"count": 2}, "recipient": {"did": "did:web:x.example"}}
    (alone.folder / "request.json").write_text(json.dumps(said))
    asked = ("policy", "explain", "policy.json", "--request", "request.json")
    assert alone.json(*asked)["allow"] is False
    over = alone.json(*asked, "--purpose", "AcademicResearch", "--at", "2027-01-01")
    assert over["allow"] is True
    assert over["question"]["facts"]["now"] == 1_798_761_600_000
    assert over["question"]["request"]["recipient"]["did"] == "did:web:x.example"


def test_what_is_not_said_well_is_named(alone: Shell) -> None:
    alone("policy", "explain", status=None).refused("WRONG_USAGE", 2)
    for wrong in (["--counter", "count=many"], ["--fact", "consent"], ["--duty", "x"]):
        alone("policy", "explain", "policy.json", *wrong, status=None).refused("WRONG_USAGE", 2)
    alone("policy", "explain", "policy.json", "--duty", "delete=fulfilled", status=None).refused(
        "BAD_FIELD", 2
    )


def test_an_agreement_is_explained_with_the_worlds_real_state(space: Space, agreement: str) -> None:
    asked = ("policy", "explain", "--agreement", agreement, "--home", "alfa")
    now = space.bylag.json(*asked)
    assert now["allow"] is True
    request = now["question"]["request"]
    assert request["recipient"]["attributes"]["kind"] == "company"
    assert now["question"]["agreement"]["id"] == agreement
    later = space.bylag.json(*asked, "--purpose", "Marketing")
    assert later["allow"] is False
    assert later["decision"]["reasons"][0]["code"] == "PURPOSE_BEYOND_AGREEMENT"
    stranger = space.bylag.json(*asked, "--recipient", "did:web:alfa.example")
    assert stranger["allow"] is False
    assert stranger["question"]["request"]["recipient"]["attributes"]["kind"] == "municipality"
    assert stranger["decision"]["reasons"][0]["code"] == "RECIPIENT_NOT_ASSIGNEE"
    (space.folder / "other.json").write_text(json.dumps(OFFER))
    other = space.bylag.json("policy", "explain", "other.json", "--agreement", agreement, "--home", "alfa")
    assert other["allow"] is False
    assert other["trace"]["rules"][0]["assignee"]["value"] == "true"


def test_a_record_is_explained(space: Space, delivery: str) -> None:
    assert delivery
    records = space.bylag.json("ledger", "show", "--home", "alfa", "--last", "50")
    made = next(each["index"] for each in records if each["leaf"]["type"] == "decision")
    found = space.bylag.json("policy", "explain", "--record", str(made), "--home", "alfa")
    assert found["allow"] is True
    assert found["decision"]["reasons"][0]["code"] == "PERMITTED"


def test_an_agreement_that_is_not_here_is_named(space: Space) -> None:
    space.bylag("policy", "explain", "--agreement", "nothing", "--home", "alfa", status=None).refused(
        "NO_SUCH_AGREEMENT", 5
    )


def test_past_accesses_are_listed_that_another_policy_would_have_denied(
    space: Space, agreement: str, delivery: str
) -> None:
    assert delivery
    (space.folder / "stricter.json").write_text(json.dumps(OFFER))
    within = ("what-if", "stricter.json", "--agreement", agreement, "--home", "alfa")
    differs = space.bylag("policy", *within, status=1)
    assert "allowed  denied  PURPOSE_NOT_PERMITTED" in differs.out
    found = json.loads(space.bylag("policy", *within, "--json", status=1).out)
    assert found["summary"]["denied_now"] == len(found["differing"]) > 0
    assert found["differing"][0]["who"] == "did:web:beta.example"
    (space.folder / "same.json").write_text(json.dumps({"@type": "Offer", "permission": [{"action": "use"}]}))
    same = space.bylag("policy", "what-if", "same.json", "--agreement", agreement, "--home", "alfa")
    assert "No access would have come out differently." in same.out
    before = space.bylag("policy", "what-if", "stricter.json", "--until", "2020-01-01", "--home", "alfa")
    assert "accesses" in before.out
