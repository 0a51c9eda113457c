"""``bylag policy``: what a policy says, without a home and without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Shell
from tests.cli.conftest import ALFA, Space

OFFER: dict[str, Any] = {
    "@context": "http://www.w3.org/ns/odrl.jsonld",
    "@type": "Offer",
    "permission": [
        {
            "action": "read",
            "constraint": [
                {"leftOperand": "purpose", "operator": "isA", "rightOperand": "dpv:AcademicResearch"},
                {"leftOperand": "count", "operator": "lteq", "rightOperand": 5},
            ],
        }
    ],
}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "policy.json").write_text(json.dumps(OFFER))
    return Shell(tmp_path)


def test_a_policy_is_told_in_sentences_with_where_its_facts_come_from(shell: Shell) -> None:
    told = shell("policy", "check", "policy.json").out
    assert "The purpose is, or is a narrower one than, AcademicResearch." in told
    assert "The number of uses is at most 5." in told
    facts = {each["operand"]: each["from"] for each in shell.json("policy", "check", "policy.json")["facts"]}
    assert facts == {"purpose": "declared", "count": "measured"}


def test_the_digest_is_that_of_the_policy_however_it_is_written(shell: Shell) -> None:
    permission = OFFER["permission"][0]
    turned = {**OFFER, "permission": [{**permission, "constraint": permission["constraint"][::-1]}]}
    (shell.folder / "turned.json").write_text(json.dumps(turned, indent=4))
    one, other = (shell.json("policy", "check", f"{name}.json") for name in ("policy", "turned"))
    assert one == other


def test_a_term_that_is_not_enforced_is_named_with_its_place_and_what_to_use_instead(shell: Shell) -> None:
    (shell.folder / "policy.json").write_text(
        json.dumps({**OFFER, "permission": [{"action": "read", "target": {"hasPolicy": "urn:x:p"}}]})
    )
    refused = shell("policy", "check", "policy.json", status=None)
    refused.refused("POLICY_REFUSED", 2)
    assert "'hasPolicy'" in refused.err
    assert "permission[0]" in refused.err


REGION = """
@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
<urn:x:region> a odrl:Offer ; odrl:prohibition [ odrl:action odrl:sell ] .
"""
CHILD = {**OFFER, "inheritFrom": "urn:x:region"}


def test_a_policy_inherits_from_one_in_turtle_that_is_given_along(shell: Shell) -> None:
    pytest.importorskip("rdflib", reason="rdflib is not installed: pip install 'bylag[turtle]'")
    (shell.folder / "region.ttl").write_text(REGION)
    (shell.folder / "child.json").write_text(json.dumps(CHILD))
    shell("policy", "check", "child.json", status=None).refused("POLICY_REFUSED", 2)
    told = shell("policy", "check", "child.json", "--parent", "region.ttl").out
    assert "The number of uses is at most 5." in told
    assert "sell" in told
    explained = ("policy", "explain", "child.json", "--parent", "region.ttl", "--purpose", "AcademicResearch")
    for action, allow in (("read", True), ("sell", False)):
        found = shell.json(*explained, "--action", action)
        assert found["decision"]["allow"] is allow
    shell("policy", "check", "policy.json", "--parent", "region.ttl", status=None).refused(
        "MALFORMED_POLICY", 2
    )


def test_a_dataset_is_published_under_a_policy_in_turtle_and_one_that_inherits(space: Space) -> None:
    pytest.importorskip("rdflib", reason="rdflib is not installed: pip install 'bylag[turtle]'")
    (space.folder / "region.ttl").write_text(REGION)
    (space.folder / "child.json").write_text(json.dumps(CHILD))
    (space.folder / "wards.csv").write_text("ward,visits\nnorth,7\n")
    publish = ("publish", "wards.csv", "--home", "alfa", "--policy", "child.json")
    space.bylag(*publish, status=None).refused("POLICY_REFUSED", 2)
    entry = space.bylag.json(*publish, "--parent", "region.ttl")
    policy = entry["offers"][-1]["document"]["terms"]["policy"]
    assert [rule["kind"] for rule in policy["rules"]] == ["permission", "prohibition"]
    agreement = space.bylag.json("negotiate", ALFA, "wards", "--home", "beta")["negotiation"]
    told = space.bylag("negotiation", "show", agreement, "--home", "beta").out
    assert "FINALIZED" in told
    space.bylag("publish", "wards.csv", "--home", "alfa", "--parent", "region.ttl", status=None).refused(
        "WRONG_USAGE", 2
    )
    (space.folder / "broken.ttl").write_text("<urn:x> a")
    space.bylag("publish", "wards.csv", "--home", "alfa", "--policy", "broken.ttl", status=None).refused(
        "MALFORMED_POLICY", 2
    )
