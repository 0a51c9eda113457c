"""``bylag policy``: what a policy says, without a home and without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Shell

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
