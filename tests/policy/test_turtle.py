"""A policy in Turtle is the policy in JSON-LD."""

from __future__ import annotations

import sys
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.policy.errors import MalformedPolicy, PolicyRefused, TurtleUnavailable
from connector.policy.normal import Logic
from connector.policy.parse import MAX_DOCUMENT_BYTES, normalise
from connector.policy.printing import as_odrl
from connector.policy.turtle import document_of
from tests.policy.world import RESEARCH, constraint, offer, permission

pytest.importorskip("rdflib")

PREFIXES = b"""
@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
@prefix dct: <http://purl.org/dc/terms/> .
@prefix dpv: <https://w3id.org/dpv#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""
OFFER = b"""
<urn:uuid:6bcea82e-c509-443d-ba8c-8eef25984c07> a odrl:Offer ;
    odrl:uid <urn:uuid:6bcea82e-c509-443d-ba8c-8eef25984c07> ;
    odrl:permission [
        odrl:action odrl:use ;
        odrl:constraint
            [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:isA ;
              odrl:rightOperand dpv:ResearchAndDevelopment ] ,
            [ odrl:leftOperand odrl:count ; odrl:operator odrl:lteq ; odrl:rightOperand 10 ] ] .
"""


def test_it_means_the_same() -> None:
    json_ld = offer(permission(constraint("purpose", "isA", RESEARCH), constraint("count", "lteq", 10)))
    assert normalise(document_of(PREFIXES + OFFER)) == normalise(json_ld)


def test_what_is_printed_reads_back() -> None:
    policy = normalise(document_of(PREFIXES + OFFER))
    assert normalise(as_odrl(policy)) == policy


def test_a_list_keeps_its_order() -> None:
    sequence = b"""
<urn:x:p> a odrl:Set ; odrl:permission [ odrl:action odrl:use ; odrl:constraint [ odrl:andSequence (
    [ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:gt ;
      odrl:rightOperand "2026-01-02T00:00:00Z"^^xsd:dateTime ]
    [ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ;
      odrl:rightOperand "2026-01-01T00:00:00Z"^^xsd:dateTime ] ) ] ] .
"""
    (rule,) = normalise(document_of(PREFIXES + sequence)).rules
    assert isinstance(rule.constraint, Logic)
    assert [operand.to_json()["operator"] for operand in rule.constraint.operands] == ["gt", "lt"]


REFUSED = {
    "a term nobody knows": OFFER + b"<urn:uuid:6bcea82e-c509-443d-ba8c-8eef25984c07> <urn:x:more> 1 .",
    "an action that was replaced": b"<urn:x:p> a odrl:Set ; odrl:permission [ odrl:action odrl:write ] .",
}

MALFORMED = {
    "no Turtle": b"{}",
    "nothing": b"",
    "two policies": OFFER + b"<urn:x:q> a odrl:Set .",
    "a statement beside the policy": OFFER + b"<urn:x:q> odrl:permission [] .",
    "a circle": b"<urn:x:p> a odrl:Set ; odrl:permission <urn:x:r> . <urn:x:r> odrl:duty <urn:x:r> .",
    "a list without an end": b"<urn:x:p> a odrl:Set ; odrl:permission _:l . _:l "
    b"<http://www.w3.org/1999/02/22-rdf-syntax-ns#first> 1 ; "
    b"<http://www.w3.org/1999/02/22-rdf-syntax-ns#rest> _:l .",
    "too much": b"#" * (MAX_DOCUMENT_BYTES + 1),
    "a blank node alone": b"<urn:x:p> a odrl:Set ; odrl:permission [] .",
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_by_name(what: str) -> None:
    with pytest.raises(PolicyRefused):
        normalise(document_of(PREFIXES + REFUSED[what]))


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed(what: str) -> None:
    with pytest.raises(MalformedPolicy):
        document_of(PREFIXES + MALFORMED[what])


def test_nodes_that_many_lead_to_do_not_multiply() -> None:
    layers = b"<urn:x:p> a odrl:Set ; odrl:permission <urn:x:0a>, <urn:x:0b> .\n"
    for n in range(26):
        for name in (b"a", b"b"):
            layers += b"<urn:x:%d%s> odrl:duty <urn:x:%da>, <urn:x:%db> .\n" % (n, name, n + 1, n + 1)
    with pytest.raises(MalformedPolicy):
        document_of(PREFIXES + layers)


def test_without_rdflib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdflib", None)
    with pytest.raises(TurtleUnavailable) as unavailable:
        document_of(PREFIXES + OFFER)
    assert "turtle" in str(unavailable.value.next_step)


@given(st.integers(0, len(OFFER)), st.integers(0, 12), st.binary(max_size=12))
@settings(max_examples=300, deadline=None)
def test_a_document_that_breaks_off_or_is_spoilt_is_refused_and_nothing_else(
    at: int, cut: int, noise: bytes
) -> None:
    """The parser below lets its own slips through for some of these; here they are one error."""
    for spoilt in (OFFER[:at], OFFER[:at] + noise + OFFER[at + cut :]):
        with suppress(MalformedPolicy, PolicyRefused):
            normalise(document_of(PREFIXES + spoilt))
