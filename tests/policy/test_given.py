"""A policy in a file, and the policies that it inherits from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.policy.errors import MalformedPolicy, PolicyRefused
from connector.policy.given import File, document_in, with_parents
from connector.policy.parse import normalise
from ledger.canonical import MalformedJson
from tests.policy.world import Document, constraint, offer, permission


def named(name: str, *rules: Document, **more: Any) -> Document:
    return {**offer(*rules, **more), "@id": name}


REGION = named("urn:x:region", permission(action="read"))
STATE = named("urn:x:state", permission(action="distribute"))
TURTLE = b"""
@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
<urn:x:region> a odrl:Offer ; odrl:permission [ odrl:action odrl:read ] .
"""


def file(document: Any, name: str = "policy.json") -> File:
    return File(name, json.dumps(document).encode())


def actions(document: Any) -> set[str]:
    return {rule.action.name for rule in normalise(document).rules if rule.action is not None}


def test_a_file_is_json_ld_or_by_its_name_turtle() -> None:
    pytest.importorskip("rdflib", reason="rdflib is not installed: pip install 'bylag[turtle]'")
    for name in ("region.ttl", "REGION.TTL"):
        assert normalise(document_in(File(name, TURTLE))).rules == normalise(REGION).rules
    with pytest.raises(MalformedJson):
        document_in(File("region.json", TURTLE))
    with pytest.raises(MalformedPolicy):
        document_in(file(REGION, "region.ttl"))


def test_the_rules_of_parents_and_of_theirs_are_written_into_the_policy_in_any_order() -> None:
    child = offer(permission(action="print"), inheritFrom="urn:x:region")
    region = {**REGION, "inheritFrom": "urn:x:state"}
    for parents in ([file(region), file(STATE)], [file(STATE), file(region)]):
        document = with_parents(file(child), parents)
        assert actions(document) == {"print", "read", "distribute"}
        assert "inheritFrom" not in document


def test_without_parents_the_policy_stays_as_it_was_written() -> None:
    assert with_parents(file(REGION), []) == REGION


def test_a_parent_that_is_missing_refuses_the_child_by_name() -> None:
    child = file(offer(permission(), inheritFrom=["urn:x:region", "urn:x:state"]))
    with pytest.raises(PolicyRefused) as refused:
        with_parents(child, [file(REGION)])
    assert (refused.value.term, refused.value.field) == ("inheritFrom", "inheritFrom[1]")
    with pytest.raises(PolicyRefused):
        with_parents(child, [file({**REGION, "inheritFrom": "urn:x:nowhere"}), file(STATE)])


def test_parents_in_a_circle_are_refused() -> None:
    one = file(named("urn:x:one", permission(), inheritFrom="urn:x:two"))
    two = file(named("urn:x:two", permission(), inheritFrom="urn:x:one"))
    with pytest.raises(PolicyRefused):
        with_parents(file(offer(permission(), inheritFrom="urn:x:one")), [one, two])


def test_a_parent_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(MalformedPolicy, match="nothing inherits from urn:x:state"):
        with_parents(file(offer(permission(), inheritFrom="urn:x:region")), [file(REGION), file(STATE)])


def test_a_parent_without_a_name_of_its_own_is_refused() -> None:
    nameless = {key: value for key, value in REGION.items() if key != "@id"}
    for parents in ([file(nameless)], [file(REGION), file(REGION)]):
        with pytest.raises(MalformedPolicy, match="needs a uid of its own"):
            with_parents(file(offer(permission(), inheritFrom="urn:x:region")), parents)


def test_a_parents_term_that_is_not_enforced_refuses_the_child() -> None:
    parent = named("urn:x:region", permission(constraint("resolution", "eq", "1")))
    with pytest.raises(PolicyRefused, match="resolution"):
        with_parents(file(offer(permission(), inheritFrom="urn:x:region")), [file(parent)])
