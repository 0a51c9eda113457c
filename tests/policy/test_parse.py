"""What a policy may say: what is read, what is refused by name, and what is no policy at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.policy.coverage import TABLE, Where
from connector.policy.errors import MalformedPolicy, PolicyRefused
from connector.policy.parse import normalise, normalise_bytes
from connector.policy.vocabulary import LEFT_OPERANDS
from ledger.canonical import MalformedJson
from ledger.errors import BylagError
from tests.policy.world import CITY, COMPANY, RESEARCH, Document, constraint, offer, permission

AT = "permission[0].constraint[0]"
RIGHT = AT + ".rightOperand"
DUTY = {"action": "attribute"}
SOON = constraint("dateTime", "lt", "2027-01-01T00:00:00Z")


def refined_use(limit: Document) -> Any:
    """The action `use`, refined."""
    return {"rdf:value": {"@id": "use"}, "refinement": limit}


def under(limit: Document) -> Document:
    """An offer with one permission under one constraint."""
    return offer(permission(limit))


REFUSED: list[tuple[str, str, Document]] = [
    ("Ticket", "@type", {**offer(permission()), "@type": "Ticket"}),
    ("Request", "@type", {**offer(permission()), "@type": "odrl:Request"}),
    ("inheritFrom", "inheritFrom", offer(permission(), inheritFrom="urn:x:parent")),
    ("profile", "profile", offer(permission(), profile="https://other.example/profile")),
    ("informedParty", "permission[0]", offer(permission(informedParty=CITY))),
    ("output", "permission[0].output", offer(permission(output="urn:x:result"))),
    (
        "partOf",
        "permission[0].target.partOf",
        offer(permission(target={"@id": "urn:x:1", "partOf": "urn:x:2"})),
    ),
    (
        "hasPolicy",
        "permission[0].target.hasPolicy",
        offer(permission(target={"@id": "urn:x:1", "hasPolicy": "u:2"})),
    ),
    ("failure", "permission[0].failure", offer(permission(failure="urn:x:1"))),
    ("function", "permission[0].function", offer(permission(function=CITY))),
    ("write", "permission[0].action", offer(permission(action="write"))),
    ("perform", "permission[0].action", offer(permission(action="perform"))),
    ("partner", AT + ".leftOperand", under(constraint("partner", "eq", "gold"))),
    ("lt", AT + ".operator", under(constraint("purpose", "lt", RESEARCH))),
    ("gteq", AT + ".operator", under(constraint("count", "gteq", "3"))),
    ("isPartOf", AT + ".operator", under(constraint("purpose", "isPartOf", "u:1"))),
    ("policyUsage", RIGHT, under(constraint("dateTime", "lt", "policyUsage"))),
    ("unit", AT + ".unit", offer(permission({**constraint("count", "lteq", "3"), "unit": "u:1"}))),
    ("status", AT + ".status", under({**SOON, "status": "3"})),
    (
        "rightOperandReference",
        AT + ".rightOperandReference",
        under({"leftOperand": "recipient", "operator": "eq", "rightOperandReference": {"@id": "u:1"}}),
    ),
    (
        "count",
        "prohibition[0]",
        offer(permission(), prohibition=[permission(constraint("count", "lteq", "3"))]),
    ),
    ("count", "permission[0]", offer(permission({"or": [SOON, constraint("count", "lteq", "3")]}))),
    ("timeInterval", "permission[0]", under({"xone": [SOON, constraint("timeInterval", "eq", "P1D")]})),
    (
        "count",
        "permission[0].duty[0]",
        offer(permission(duty=[{"action": "inform", "constraint": constraint("count", "lteq", "3")}])),
    ),
    (
        "bylag:rate",
        "permission[0]",
        offer(permission(action=refined_use(constraint("bylag:rate", "lteq", "3")))),
    ),
    ("unit", AT + ".unit", under({**constraint("bylag:rate", "lteq", "3"), "unit": "urn:x:fortnight"})),
    ("unit", AT + ".unit", under({**constraint("absoluteSize", "lteq", "3"), "unit": "urn:x:kilobyte"})),
    ("colour", "permission[0].colour", offer(permission(colour="blue"))),
    ("colour", "colour", offer(permission(), colour="blue")),
    ("@context", "@context", {**offer(permission()), "@context": "https://other.example/context.jsonld"}),
    ("@context", "@context", {**offer(permission()), "@context": {"permission": "odrl:prohibition"}}),
    (
        "@context",
        "@context[1]",
        {**offer(permission()), "@context": ["http://www.w3.org/ns/odrl.jsonld", {"odrl": "u:"}]},
    ),
    (
        "http://purl.org/dc/terms/isReplacedBy",
        "dct:isReplacedBy",
        {**offer(permission()), "dct:isReplacedBy": "u:2"},
    ),
    ("@graph", "@graph", {**offer(permission()), "@graph": []}),
]


@pytest.mark.parametrize(("term", "path", "document"), REFUSED, ids=[f"{t} at {p}" for t, p, _ in REFUSED])
def test_refused_by_name(term: str, path: str, document: Document) -> None:
    with pytest.raises(PolicyRefused) as refused:
        normalise(document)
    assert (refused.value.term, refused.value.field) == (term, path)
    assert refused.value.next_step


@pytest.mark.parametrize("left", sorted(name for name in LEFT_OPERANDS if TABLE[name].where is Where.REFUSED))
def test_a_left_operand_that_is_not_enforced_is_refused_by_name(left: str) -> None:
    """Each of them: whatever it is compared with."""
    with pytest.raises(PolicyRefused) as refused:
        normalise(under(constraint(left, "eq", "whatever")))
    assert (refused.value.term, refused.value.field) == (left, AT + ".leftOperand")


MALFORMED: list[tuple[str, str, Any]] = [
    ("no class", "@type", {"permission": [permission()]}),
    ("a class that is no policy", "@type", {**offer(permission()), "@type": "Dataset"}),
    ("two classes", "@type", {**offer(permission()), "@type": ["Offer", "Set"]}),
    ("no rule", "permission", offer()),
    ("a rule that is no object", "permission[0]", {**offer(), "permission": ["use"]}),
    ("a rule of another class", "permission[0].@type", offer(permission(**{"@type": "Prohibition"}))),
    ("no action", "permission[0].action", offer({"constraint": []})),
    ("an action without a name", "permission[0].action", offer({"action": {"@type": "Action"}})),
    ("the same member twice", "permission[0].odrl:action", offer({"action": "use", "odrl:action": "use"})),
    (
        "a duty on a prohibition",
        "prohibition[0].consequence",
        offer(permission(), prohibition=[{"action": "use", "consequence": []}]),
    ),
    ("a policy's member on a rule", "permission[0].permission", offer(permission(permission=[]))),
    ("an id that is no IRI", "permission[0].@id", offer({"@id": "mine", "action": "use"})),
    ("a blank node", "permission[0].@id", offer({"@id": "_:b0", "action": "use"})),
    ("one id for two rules", "permission[0]", offer({"@id": "u:1", "action": ["read", "print"]})),
    (
        "another assignee than the policy's",
        "permission[0].assignee",
        offer(permission(assignee=CITY), assignee=COMPANY),
    ),
    ("a party that is a number", "permission[0].assignee", offer(permission(assignee=7))),
    ("a party without a name", "permission[0].assignee", offer(permission(assignee={"@type": "Party"}))),
    ("a conflict strategy nobody knows", "conflict", offer(permission(), conflict="maybe")),
    ("no operator", AT + ".operator", under({"leftOperand": "purpose", "rightOperand": RESEARCH})),
    ("no right operand", RIGHT, under({"leftOperand": "purpose", "operator": "eq"})),
    ("no left operand", AT + ".leftOperand", under({"operator": "eq", "rightOperand": "x"})),
    ("two right operands", RIGHT, under(constraint("purpose", "eq", [RESEARCH, RESEARCH]))),
    ("an empty set", RIGHT, under(constraint("purpose", "isNoneOf", []))),
    ("an empty logic", AT + ".and", under({"and": []})),
    ("two logics at once", AT, under({"and": [SOON], "or": [SOON]})),
    ("logic and comparison at once", AT + ".leftOperand", under({"and": [SOON], **SOON})),
    ("a purpose nobody knows", RIGHT, under(constraint("purpose", "eq", "dpv:Fun"))),
    ("a wrong datatype", RIGHT, under(constraint("count", "lteq", {"@value": "3", "@type": "xsd:string"}))),
    ("a stated type that does not fit", RIGHT, under({**SOON, "dataType": "xsd:integer"})),
    ("a language", RIGHT, under(constraint("count", "lteq", {"@value": "3", "@language": "en"}))),
    ("a number too many", RIGHT, under(constraint("count", "lteq", 2**53))),
    ("a negative count", RIGHT, under(constraint("count", "lteq", "-1"))),
    ("true as a number", RIGHT, under(constraint("count", "lteq", True))),
    ("null as a rule", "permission[0]", {**offer(), "permission": [None]}),
    ("a time at an offer", "timestamp", {**offer(permission()), "timestamp": "2026-01-01T00:00:00Z"}),
    ("an agreement without parties", "assigner", {**offer(permission()), "@type": "Agreement"}),
]


@pytest.mark.parametrize(("what", "path", "document"), MALFORMED, ids=[what for what, _, _ in MALFORMED])
def test_no_policy_has(what: str, path: str, document: Document) -> None:
    with pytest.raises((MalformedPolicy, PolicyRefused)) as error:
        normalise(document)
    assert error.value.field == path
    assert error.value.next_step


@pytest.mark.parametrize(
    "written",
    [
        "2026-06-01",
        "2026-06-01T12:00:00",
        "2026-06-01T25:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-06-01T12:00:60Z",
        "2026-06-01T12:00:00+15:00",
        "2026-06-01T12:00:00+01:75",
        "2026-06-01T12:00:00.0001Z",
        "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59-01:00",
        "2026-06-01T12:00:00Z ",
        "٢٠٢٦-06-01T12:00:00Z",
        "",
        "tomorrow",
        1_767_225_600,
    ],
)
def test_what_names_no_moment_is_refused(written: Any) -> None:
    with pytest.raises(MalformedPolicy) as error:
        normalise(under(constraint("dateTime", "lt", written)))
    assert error.value.field == RIGHT


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "two words",
        "line\nbreak",
        "nul\x00",
        "\u202eright-to-left",
        "zero\u200bwidth",
        "e\u0301",
        "x" * 513,
    ],
)
def test_a_name_that_could_deceive_is_refused(name: str) -> None:
    with pytest.raises(MalformedPolicy) as error:
        normalise(offer(permission(target=name)))
    assert error.value.field == "permission[0].target"


@pytest.mark.parametrize("name", ["red\x1b[31m", "line\nbreak", "\u202eright-to-left", "x" * 5000])
def test_a_name_from_outside_stands_harmless_in_the_error(name: str) -> None:
    for strange in (
        offer(permission(), **{name: 1}),
        offer({**permission(), name: 1}),
        under({**SOON, name: 1}),
    ):
        with pytest.raises(PolicyRefused) as refused:
            normalise(strange)
        assert str(refused.value).isprintable()
        assert len(str(refused.value)) < 300


def test_the_example_policies_of_the_dataspace_protocol(test_data: Path) -> None:
    """Those that bylag enforces are read; of the others the term is named, at its place."""
    folder = test_data / "dsp" / "examples"
    message = json.loads((folder / "negotiation" / "contract-offer-message.json").read_bytes())
    policy = normalise(message["offer"])
    assert (policy.kind, policy.target and policy.target.id) == ("offer", message["offer"]["target"])
    assert policy.rules[0].constraint is not None

    full = json.loads((folder / "negotiation" / "contract-agreement-message-full.json").read_bytes())
    with pytest.raises(PolicyRefused) as refused:
        normalise(full["agreement"])
    assert refused.value.term == "profile"
    del full["agreement"]["profile"]
    with pytest.raises(PolicyRefused) as refused:
        normalise(full["agreement"])
    assert (refused.value.term, refused.value.field) == (
        "partner",
        "permission[1].constraint[0].and[0].leftOperand",
    )
    full["agreement"]["permission"] = full["agreement"]["permission"][:1]
    assert normalise(full["agreement"]).kind == "agreement"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b'{"@type": "Offer", "@type": "Set"}',
        b'{"@type": "Offer", "permission": [{"action": "use", "constraint": 1.5}]}',
        b'{"@type": "\xff"}',
        b"[" * 40 + b"]" * 40,
    ],
)
def test_what_is_no_json_is_refused_at_the_edge(data: bytes) -> None:
    with pytest.raises(MalformedJson):
        normalise_bytes(data)


ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.text(max_size=20),
        st.sampled_from(["use", "dateTime", "lt", "Offer"]),
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "@id",
                    "@type",
                    "@value",
                    "permission",
                    "action",
                    "constraint",
                    "and",
                    "leftOperand",
                    "operator",
                    "rightOperand",
                    "target",
                    "odrl:use",
                    "uid",
                    "@list",
                    "refinement",
                    "rdf:value",
                    "duty",
                ]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["permission", "prohibition", "conflict", "target", "x"]), ANYTHING, max_size=4
    )
)
@settings(max_examples=120)
def test_whatever_is_written_is_a_policy_or_one_clear_error(document: Document) -> None:
    try:
        policy = normalise({"@type": "Set", **document})
    except BylagError as error:
        assert isinstance(error, MalformedPolicy | PolicyRefused)
        assert error.field
    else:
        assert policy.rules
