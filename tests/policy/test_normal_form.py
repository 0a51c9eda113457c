"""One policy, one normal form, one digest, however it was written."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.policy.coverage import TABLE, Where
from connector.policy.errors import MalformedPolicy, PolicyRefused
from connector.policy.normal import MAX_CONSTRAINTS, MAX_RULES, Leaf, Logic, joined
from connector.policy.parse import normalise, normalise_bytes
from connector.policy.printing import as_odrl
from connector.policy.reading import read_policy
from connector.policy.vocabulary import LEFT_OPERANDS, Datatype
from ledger.canonical import JSON, decode, encode
from ledger.names import DatasetId, ParticipantId
from tests.policy.strategies import documents
from tests.policy.world import (
    CITY,
    COMPANY,
    ENERGY,
    OTHER,
    RESEARCH,
    Document,
    agreed,
    constraint,
    offer,
    permission,
)

YEAR_2026 = (
    constraint("dateTime", "gteq", "2026-01-01T00:00:00Z"),
    constraint("dateTime", "lt", "2027-01-01T00:00:00Z"),
)


def everything(term: str, path: str) -> None:
    """A gate that lets all of ODRL through: what is read, whether or not it is enforced yet."""


@given(documents())
@settings(max_examples=80)
def test_a_printed_policy_reads_as_itself(document: Document) -> None:
    policy = normalise(document)
    printed = as_odrl(policy)
    assert normalise(printed) == policy
    assert as_odrl(normalise(printed)) == printed


@given(documents())
@settings(max_examples=60)
def test_the_normal_form_reads_as_itself(document: Document) -> None:
    policy = normalise(document)
    read = read_policy(decode(policy.encoded))
    assert (read, read.digest) == (policy, policy.digest)


@given(documents(), st.randoms(use_true_random=False))
@settings(max_examples=80)
def test_order_does_not_matter_where_odrl_has_none(document: Document, dice: random.Random) -> None:
    assert normalise(shuffled(document, dice)).digest == normalise(document).digest


def shuffled(value: Any, dice: random.Random) -> Any:
    if isinstance(value, dict):
        items = [(name, _below(name, member, dice)) for name, member in value.items()]
        dice.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        return dice.sample([shuffled(item, dice) for item in value], len(value))
    return value


def _below(name: str, member: Any, dice: random.Random) -> Any:
    if name == "andSequence":  # its order means something (ODRL 2.2, 2.5.3)
        return [shuffled(item, dice) for item in member]
    return shuffled(member, dice)


SPELLINGS = [
    ("odrl: prefix", {"odrl:action": "odrl:use", "odrl:constraint": []}),
    ("full IRIs", {"http://www.w3.org/ns/odrl/2/action": {"@id": "http://www.w3.org/ns/odrl/2/use"}}),
    ("arrays of one", {"action": ["use"], "constraint": []}),
    ("a node with its class", {"@type": "Permission", "action": {"@id": "use"}}),
    ("an action by its value", {"action": {"rdf:value": {"@id": "odrl:use"}}}),
    ("rdf:type", {"rdf:type": "odrl:Permission", "action": "use"}),
]


@pytest.mark.parametrize(("how", "rule"), SPELLINGS, ids=[how for how, _ in SPELLINGS])
def test_a_rule_may_be_spelt_in_several_ways(how: str, rule: Document) -> None:
    assert normalise(offer(rule)).digest == normalise(offer({"action": "use"})).digest


LITERALS = [
    ("2026-06-01T12:00:00Z", "2026-06-01T12:00Z"),
    ("2026-06-01T12:00:00Z", "2026-06-01T14:00:00+02:00"),
    ("2026-06-01T12:00:00Z", {"@value": "2026-06-01T12:00:00.000Z", "@type": "xsd:dateTime"}),
    (
        "2026-06-01T12:00:00Z",
        {"@value": "2026-06-01T12:00:00Z", "@type": "http://www.w3.org/2001/XMLSchema#dateTimeStamp"},
    ),
]


@pytest.mark.parametrize(("one", "other"), LITERALS)
def test_a_moment_is_a_moment_however_written(one: Any, other: Any) -> None:
    first, second = (normalise(offer(permission(constraint("dateTime", "lt", it)))) for it in (one, other))
    assert first.digest == second.digest


def test_one_constraint_in_a_list_under_and_or_alone_is_the_same() -> None:
    leaf = constraint("purpose", "isA", RESEARCH)
    forms: list[Document] = [
        permission(leaf),
        permission({"and": [leaf]}),
        permission({"or": [{"and": {"@list": [leaf, leaf]}}]}),
        {"action": "use", "constraint": leaf},
        permission(leaf, leaf),
    ]
    assert len({normalise(offer(form)).digest for form in forms}) == 1


def test_the_same_constraint_twice_in_xone_stays_twice() -> None:
    leaf = Leaf("purpose", "isA", RESEARCH, "iri")
    assert joined("xone", [leaf, leaf]) == Logic("xone", (leaf, leaf))


def test_and_sequence_keeps_its_order() -> None:
    one, other = (Leaf("dateTime", "lt", bound, "dateTime") for bound in (2, 1))
    assert joined("andSequence", [one, other]) != joined("andSequence", [other, one])
    assert joined("and", [one, other]) == joined("and", [other, one])


def test_a_compact_policy_is_the_same_as_one_spelt_out() -> None:
    compact = offer({"constraint": list(YEAR_2026)}, action="use", target=ENERGY, assigner=CITY)
    spelt = offer(permission(*YEAR_2026, target=ENERGY, assigner=CITY))
    assert normalise(compact).digest == normalise(spelt).digest


def test_a_rule_with_several_actions_and_targets_is_several_rules() -> None:
    policy = normalise(offer({"action": ["read", "reproduce"], "target": ["urn:x:1", "urn:x:2"]}))
    assert len(policy.rules) == 4
    assert len({rule.id for rule in policy.rules}) == 4


def test_a_rule_keeps_its_name_and_an_unnamed_one_is_named_by_content() -> None:
    named = normalise(offer({"@id": "urn:x:rule", "action": "use"})).rules[0]
    unnamed = normalise(offer({"action": "use"})).rules[0]
    again = normalise(offer({"action": "use"}, {"action": "read"}))
    assert named.id == "urn:x:rule"
    assert unnamed.id in {rule.id for rule in again.rules}


def test_two_different_rules_of_one_name_are_refused() -> None:
    with pytest.raises(MalformedPolicy, match="two different rules"):
        normalise(offer({"@id": "urn:x:1", "action": "use"}, {"@id": "urn:x:1", "action": "read"}))


def test_words_about_the_policy_are_kept_and_signed() -> None:
    policy = normalise({**offer(permission()), "dct:title": "Energy for research"})
    assert policy.about == (("title", "Energy for research"),)
    assert normalise(as_odrl(policy)) == policy
    assert policy.digest != normalise(offer(permission())).digest


def test_an_agreement_binds_an_offer_to_two_parties_and_a_dataset() -> None:
    policy = agreed(offer(permission(*YEAR_2026)))
    assert (policy.kind, policy.assigner and policy.assigner.id) == ("agreement", CITY)
    assert read_policy(decode(policy.encoded)) == policy
    assert policy.rules == normalise(offer(permission(*YEAR_2026))).rules


@pytest.mark.parametrize("named", [{"assignee": OTHER}, {"target": "urn:x:weather"}, {"assigner": OTHER}])
def test_an_offer_to_somebody_else_does_not_become_my_agreement(named: Document) -> None:
    with pytest.raises(MalformedPolicy, match="names another"):
        agreed(offer(permission(), **named))


def test_an_offer_may_name_whom_it_is_for() -> None:
    own = offer(permission(assignee=COMPANY))
    policy = normalise(own).agreed(name="urn:x:2", assigner=CITY, assignee=COMPANY, target=ENERGY)
    assert policy.assignee is not None
    assert policy.assignee.id == COMPANY
    with pytest.raises(MalformedPolicy):
        normalise(own).agreed(
            name="urn:x:2", assigner=CITY, assignee=ParticipantId(OTHER), target=DatasetId(ENERGY)
        )


def all_of_odrl() -> Document:
    """A policy that uses what is not enforced, too, to hold the whole schema."""
    pay = {
        "action": {
            "rdf:value": {"@id": "compensate"},
            "refinement": [
                {
                    "@id": "urn:x:amount",
                    "leftOperand": "payAmount",
                    "operator": "eq",
                    "rightOperand": "500",
                    "unit": "urn:iso:4217:SEK",
                }
            ],
        },
        "compensatedParty": CITY,
        "consequence": [{"action": "delete", "constraint": [constraint("delayPeriod", "eq", "P30D")]}],
    }
    return {
        "@type": "Agreement",
        "@id": "urn:x:all",
        "profile": "urn:bylag:profile:1:",
        "assigner": CITY,
        "assignee": {"@type": "PartyCollection", "source": "urn:x:members", "refinement": [YEAR_2026[0]]},
        "target": {"@type": "AssetCollection", "@id": "urn:x:part", "source": "urn:x:whole"},
        "permission": [
            {
                "action": "use",
                "output": "urn:x:result",
                "duty": [pay],
                "constraint": [{"andSequence": {"@list": [*YEAR_2026[::-1]]}, "@id": "urn:x:sequence"}],
            }
        ],
        "prohibition": [
            {
                "action": "distribute",
                "remedy": [{**pay, "@id": "urn:x:remedy"}],
                "constraint": [
                    {
                        "leftOperand": "spatial",
                        "operator": "eq",
                        "rightOperandReference": {"@id": "urn:x:area"},
                    },
                    constraint("bylag:processingPlace", "isPartOf", "urn:x:eu"),
                ],
            }
        ],
        "obligation": [{"action": "inform", "informedParty": CITY}],
    }


def test_the_schema_holds_all_of_odrl_today() -> None:
    policy = normalise(all_of_odrl(), everything)
    assert normalise(as_odrl(policy), everything) == policy
    assert read_policy(decode(policy.encoded), everything) == policy
    with pytest.raises(PolicyRefused):
        normalise(all_of_odrl())
    with pytest.raises(PolicyRefused):
        read_policy(decode(policy.encoded))


def constraint_of(content: Document) -> Document:
    found: Document = next(r["constraint"] for r in content["rules"] if r["constraint"])
    return found


def with_constraint(content: Document, **changes: Any) -> Document:
    rules = [
        r | {"constraint": {**r["constraint"], **changes}} if r["constraint"] else r for r in content["rules"]
    ]
    return {**content, "rules": [renamed(rule) for rule in rules]}


def renamed(rule: Document) -> Document:
    content = encode({**rule, "id": ""})
    return {**rule, "id": f"{rule['kind']}-{hashlib.sha256(content).hexdigest()[:16]}"}


def named(content: Document, parties: list[str]) -> list[Document]:
    leaf = {"left": "recipient", "operator": "isAnyOf", "right": parties, "datatype": "iri"}
    return [*constraint_of(content)["operands"], {**leaf, "id": None, "unit": None}]


TAMPERED: list[tuple[str, Any]] = [
    ("another version", lambda c: {**c, "version": 2}),
    ("another type", lambda c: {**c, "type": "offer"}),
    ("an extra member", lambda c: {**c, "extra": 1}),
    ("a missing member", lambda c: {k: v for k, v in c.items() if k != "conflict"}),
    ("rules in another order", lambda c: {**c, "rules": c["rules"][::-1]}),
    ("a rule twice", lambda c: {**c, "rules": c["rules"] * 2}),
    ("a rule under another's name", lambda c: {**c, "rules": [{**c["rules"][0], "id": "permission-0"}]}),
    ("no rule at all", lambda c: {**c, "rules": []}),
    ("a rule that is no object", lambda c: {**c, "rules": ["use"]}),
    ("a kind nobody knows", lambda c: {**c, "kind": "licence"}),
    ("no assignee", lambda c: {**c, "assignee": None}),
    ("a conflict strategy nobody knows", lambda c: {**c, "conflict": "maybe"}),
    ("a number as target", lambda c: {**c, "target": 7}),
    ("a time with a fraction", lambda c: {**c, "timestamp": "2026"}),
    ("operands in another order", lambda c: with_constraint(c, operands=constraint_of(c)["operands"][::-1])),
    ("an operand twice", lambda c: with_constraint(c, operands=constraint_of(c)["operands"] * 2)),
    ("an and of one", lambda c: with_constraint(c, operands=constraint_of(c)["operands"][:1])),
    ("an and of none", lambda c: with_constraint(c, operands=[])),
    ("values in another order", lambda c: with_constraint(c, operands=named(c, [OTHER, COMPANY]))),
    ("a value twice", lambda c: with_constraint(c, operands=named(c, [COMPANY, COMPANY]))),
    ("no value", lambda c: with_constraint(c, operands=named(c, []))),
    ("a list instead", lambda c: [c]),
    ("nothing", lambda c: None),
]


@pytest.mark.parametrize(("what", "change"), TAMPERED, ids=[what for what, _ in TAMPERED])
def test_a_normal_form_with(what: str, change: Any) -> None:
    content = agreed(offer(permission(*YEAR_2026), {"action": "read"})).content
    read_policy(content)
    with pytest.raises((MalformedPolicy, PolicyRefused)):
        read_policy(change(json.loads(encode(content))))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=8))
@settings(max_examples=60)
def test_any_json_in_place_of_any_member_is_read_or_refused(strange: JSON) -> None:
    content = agreed(offer(permission(*YEAR_2026))).content
    for name in content:
        changed = {**content, name: strange}
        try:
            assert read_policy(changed).content == changed
        except (MalformedPolicy, PolicyRefused) as error:
            assert error.field


NOT_ENFORCED = sorted(name for name in LEFT_OPERANDS if TABLE[name].where is Where.REFUSED)
SAMPLES = {
    Datatype.DURATION: "P1D",
    Datatype.INTEGER: "1",
    Datatype.IRI: "urn:x:1",
    Datatype.TEXT: "some",
}


@pytest.mark.parametrize("left", NOT_ENFORCED)
def test_a_peer_cannot_slip_in_by_normal_form_the_operand(left: str) -> None:
    sample = SAMPLES[LEFT_OPERANDS[left].datatype]
    policy = normalise(offer(permission(constraint(left, "eq", sample))), everything)
    with pytest.raises(PolicyRefused) as refused:
        read_policy(decode(policy.encoded))
    assert (refused.value.term, refused.value.field) == (left, "rules[0].constraint.left")


@pytest.mark.parametrize("logic", ["or", "xone"])
def test_a_peer_cannot_slip_in_by_normal_form_a_count_under(logic: str) -> None:
    content = agreed(offer(permission(*YEAR_2026))).content
    count = Leaf("count", "lteq", 3, "integer").to_json()
    changed = with_constraint(content, logic=logic, operands=[count, constraint_of(content)["operands"][0]])
    with pytest.raises(PolicyRefused) as refused:
        read_policy(changed)
    assert (refused.value.term, refused.value.field) == ("count", "rules[0]")


def test_sizes_are_bounded() -> None:
    with pytest.raises(MalformedPolicy, match=f"more than {MAX_RULES} rules"):
        normalise(offer(*({"action": "use", "target": f"urn:x:{n}"} for n in range(MAX_RULES + 1))))
    bounds = [constraint("recipient", "neq", f"did:web:{n}.example") for n in range(900)]
    with pytest.raises(MalformedPolicy, match=f"more than {MAX_CONSTRAINTS} constraints"):
        normalise(offer(*(permission(*bounds, target=f"urn:x:{n}") for n in range(3))))
    deep = constraint("purpose", "isA", RESEARCH)
    for n in range(6):
        deep = {"or" if n % 2 else "and": [deep, constraint("recipient", "eq", f"did:web:{n}.example")]}
    with pytest.raises(MalformedPolicy, match="nest deeper"):
        normalise(offer(permission(deep)))
    with pytest.raises(Exception, match="limit"):
        normalise_bytes(b" " * (600 * 1024))
