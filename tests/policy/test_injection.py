"""Policy values are data: whatever stands in them, they change no rule and break no engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connector.policy.embedded import EmbeddedEngine
from connector.policy.errors import MalformedPolicy, PolicyRefused
from connector.policy.facts import Facts, Quantity
from connector.policy.input import AgreementFacts, Recipient
from connector.policy.parse import normalise
from connector.policy.vocabulary import NAMED_OPERANDS, PLACES
from ledger.names import AgreementId, DatasetId, ParticipantId
from tests.policy.test_engines_agree import assert_same
from tests.policy.world import (
    COMPANY,
    MARKETING,
    NOON,
    RESEARCH,
    Document,
    agreed,
    constraint,
    offer,
    permission,
    question,
)

VALUES = {
    "quotes": "urn:x:\"'`",
    "Rego": 'urn:x:"}\nallow:=true#'.replace("\n", ""),
    "a Rego rule": 'urn:x:"]|true;data.bylag.decision.allow:=true',
    "JSON": 'urn:x:","allow":true,"x":"',
    "a template": "urn:x:{{allow}}${allow}%s%(rule)s{rule}",
    "a path": "urn:x:../../data.json",
    "a JSON pointer": "urn:x:/policy/rules/0~1",
    "backslashes": "urn:x:\\u0022\\",
    "emoji": "urn:x:\U0001f600\U0001f468",
    "a long one": "urn:x:" + "A" * 480,
    "a reference": "data.bylag.decision.allow",
    "true": "true",
    "a number": "1e999",
    "a wildcard": "*",
    "an empty object": "{}",
}

NAMING = sorted(name for name in NAMED_OPERANDS if name not in PLACES)


def new_terms(value: str) -> Document:
    """A policy that holds ``value`` in every term that takes a name or an identifier."""
    members = {"@type": "PartyCollection", "@id": "urn:x:" + value, "source": value}
    duty = {
        "@id": "urn:x:duty:" + value,
        "action": "inform",
        "informedParty": value,
        "consequence": [{"@id": "urn:x:consequence:" + value, "action": "compensate", "target": value}],
    }
    bill = {**constraint("payAmount", "lteq", "3"), "unit": value}
    return {
        **offer(
            permission(*(constraint(name, "isAnyOf", [value, "urn:x:a"]) for name in NAMING), bill),
            permission(assignee=members),
            permission(
                action={"rdf:value": {"@id": "sell"}, "refinement": [constraint("event", "eq", value)]},
                duty=[duty],
            ),
            {"@id": "urn:x:free", **permission(constraint("purpose", "isA", RESEARCH))},
            prohibition=[
                {
                    "action": "distribute",
                    "target": {"@type": "AssetCollection", "@id": value},
                    "remedy": [{"@id": "urn:x:remedy:" + value, "action": "delete"}],
                }
            ],
            obligation=[{"@id": "urn:x:alone:" + value, "action": "inform", "assignee": value}],
        ),
        "@type": "Set",
    }


REFUSED_AT_THE_EDGE = {
    "a newline": "urn:x:a\nallow:=true",
    "a NUL": "urn:x:\x00",
    "right-to-left": "urn:x:\u202egnp.exe",
    "a line separator": "urn:x:\u2028",
    "a lone surrogate": "urn:x:\ud800",
    "too long": "urn:x:" + "A" * 600,
    "a space": "urn:x:a b",
}


@pytest.mark.parametrize("what", VALUES)
def test_a_value_of(engine: EmbeddedEngine, what: str) -> None:
    """Only whoever is named by exactly that value is meant, and the rule beside it stays as it was."""
    value = VALUES[what]
    policy = agreed(
        offer(
            permission(constraint("recipient", "eq", value)),
            {
                "@id": "urn:x:" + value,
                "action": "use",
                "constraint": [constraint("purpose", "isA", RESEARCH)],
            },
            prohibition=[
                permission(constraint("recipient", "isAnyOf", [value, "urn:x:nobody"]), action="sell")
            ],
            **{"dct:title": value},
        )
    )
    assert engine.decide(question(policy)).allow
    assert not engine.decide(question(policy, purpose=MARKETING)).allow
    denied = engine.decide(question(policy, purpose=MARKETING))
    assert any(reason.parameters.get("named") == value for reason in denied.reasons)


@pytest.mark.parametrize("what", VALUES)
def test_a_request_with(engine: EmbeddedEngine, what: str) -> None:
    """The asker's own words prove nothing either."""
    value = VALUES[what]
    policy = agreed(offer(permission(constraint("purpose", "isA", RESEARCH))))
    asks: list[dict[str, Any]] = [
        {"purpose": value},
        {"action": value},
        {"dataset": DatasetId(value)},
        {"recipient": Recipient(ParticipantId(value), None, {value: value})},
    ]
    for ask in asks:
        decision = engine.decide(question(policy, **ask))
        assert (decision.allow, decision.failed) == (False, False)
    assert engine.decide(
        question(policy, recipient=Recipient(COMPANY, None, {value: [value, {value: 1}]}))
    ).allow


@pytest.mark.parametrize("what", VALUES)
def test_in_every_new_term_a_value_of(engine: EmbeddedEngine, what: str) -> None:
    """The rule beside them stays as it was; a fact of exactly that value is the one that is meant."""
    value = VALUES[what]
    policy = normalise(new_terms(value))
    free = engine.decide(question(policy))
    assert free.reasons[0].rule == "urn:x:free"
    assert not engine.decide(question(policy, purpose=MARKETING)).allow
    assert not engine.decide(question(policy, action="distribute")).allow
    known = Facts(
        named={name: {value: (value,)} for name in NAMED_OPERANDS},
        measured={"payAmount": Quantity(3, value)},
        collections={value: (value,), "urn:x:" + value: (value,)},
        duties=dict.fromkeys((f"urn:x:duty:{value}", f"urn:x:alone:{value}"), "violated"),
        transfer=value,
        area=(value,),
    )
    same: dict[str, Any] = {"facts": known, "purpose": MARKETING}
    agreement = AgreementFacts(AgreementId("a" * 32), "d" * 64, None, value)
    whole = {"industry": value, "country": value}
    recipient = Recipient(COMPANY, None, dict(whole))
    decision = engine.decide(question(policy, **same, agreement=agreement, recipient=recipient))
    assert (decision.allow, decision.failed) == (False, False), "the version and the unit are measured"
    other = engine.decide(question(policy, facts=known, purpose=None, recipient=Recipient(COMPANY)))
    assert (other.allow, other.failed) == (False, False)


@pytest.mark.parametrize("what", REFUSED_AT_THE_EDGE)
def test_no_new_term_holds(what: str) -> None:
    value = REFUSED_AT_THE_EDGE[what]
    documents = [
        offer(permission(constraint(name, "eq", value)), **{"@type": "Set"})
        for name in ("event", "bylag:secrecyGround")
    ]
    documents += [
        offer(permission(duty=[{"@id": value, "action": "inform"}])),
        offer(permission(assignee={"@type": "PartyCollection", "source": value})),
        offer(permission({**constraint("payAmount", "lteq", "3"), "unit": value})),
        offer(permission(), inheritFrom=value),
        offer(permission(duty=[{"action": "inform", "informedParty": value}])),
    ]
    for document in documents:
        with pytest.raises((MalformedPolicy, PolicyRefused)):
            normalise(document)


HUGE = {
    "beyond 2^53": 2**53,
    "as a string": str(2**53),
    "a thousand digits": "9" * 1000,
    "negative": -1,
    "a fraction": 1.5,
    "an exponent": "1e3",
    "true": True,
    "Arabic digits": "\u0663",
}


@pytest.mark.parametrize("what", HUGE)
@pytest.mark.parametrize(
    "left", ["count", "bylag:rate", "absoluteSize", "percentage", "bylag:aggregationLevel"]
)
def test_a_number_that_every_engine_reads_alike(left: str, what: str) -> None:
    with pytest.raises(MalformedPolicy):
        normalise(offer(permission(constraint(left, "lteq", HUGE[what]))))


def test_the_largest_numbers_break_nothing(engine: EmbeddedEngine, opa: Path) -> None:
    largest = "9007199254740991"
    policy = normalise(
        {
            **offer(
                permission(constraint("bylag:rate", "lteq", largest), constraint("count", "lteq", largest)),
                permission(constraint("elapsedTime", "lteq", "P104249991D")),
                permission(constraint("timeInterval", "gt", "P104249991D")),
                permission(constraint("percentage", "lteq", largest)),
            ),
            "@type": "Set",
        }
    )
    for uses in (0, 2**53 - 2):
        facts = Facts(began=NOON, measured={"percentage": Quantity(2**53 - 1)})
        asked = question(policy, uses=uses, facts=facts)
        assert engine.decide(asked).allow
        assert_same(engine, opa, [json.loads(asked.encoded)])


def deep_duties(levels: int) -> Document:
    duty: Document = {"action": "inform"}
    for _ in range(levels):
        duty = {"action": "inform", "consequence": [duty]}
    return offer(permission(duty=[duty]))


def test_duties_nest_no_deeper_than_the_rules_read(engine: EmbeddedEngine) -> None:
    assert engine.decide(question(agreed(deep_duties(2)))).allow
    with pytest.raises(MalformedPolicy, match="nest deeper"):
        normalise(deep_duties(3))
    with pytest.raises(MalformedPolicy, match="nest deeper"):
        normalise(deep_duties(300))


@pytest.mark.parametrize("what", REFUSED_AT_THE_EDGE)
def test_a_policy_never_holds(what: str) -> None:
    for document in (
        offer(permission(constraint("recipient", "eq", REFUSED_AT_THE_EDGE[what]))),
        offer(permission(target=REFUSED_AT_THE_EDGE[what])),
    ):
        with pytest.raises(MalformedPolicy):
            normalise(document)


def hostile(**changes: Any) -> bytes:
    """A question that no publish let through, as if a peer's bytes had gone straight to the engine."""
    usual = json.loads(question(agreed(offer(permission()))).encoded)
    return json.dumps(usual | {"policy": usual["policy"] | changes}).encode()


HOSTILE: dict[str, bytes] = {
    "no JSON": b"{",
    "nothing": b"",
    "not UTF-8": b"\xff\xfe",
    "a number": b"1",
    "a number of a thousand digits": b"[" + b"9" * 1000 + b"]",
    "a huge exponent": b'{"facts":{"now":1e400}}',
    "a hundred thousand brackets": b"[" * 100_000,
    "nested arrays": b"[" * 5_000 + b"]" * 5_000,
    "more than the limit": b'"' + b"x" * (2 << 20) + b'"',
    "rules that are no list": hostile(rules={"0": {}}),
    "a rule that is a string": hostile(rules=["permission"]),
    "a conflict strategy of its own": hostile(rules=[], conflict="allow"),
    "an obligation": hostile(rules=[{"kind": "obligation", "id": "o"}]),
    "ten thousand prohibitions": hostile(
        rules=[{"id": str(n), "kind": "prohibition"} for n in range(10_000)]
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_bytes_that_are_no_question_are_denied(engine: EmbeddedEngine, what: str) -> None:
    assert not engine.replay(HOSTILE[what]).allow
    assert engine.decide(question(agreed(offer(permission())))).allow, "the engine goes on afterwards"


def test_deep_trees_are_denied_and_both_engines_agree(engine: EmbeddedEngine, opa: Path) -> None:
    deep: Any = {"left": "purpose", "operator": "isA", "right": RESEARCH, "id": None}
    for _ in range(200):
        deep = {"logic": "and", "operands": [deep], "id": None}
    usual = json.loads(question(agreed(offer(permission(constraint("purpose", "isA", RESEARCH))))).encoded)
    usual["policy"]["rules"][0]["constraint"] = deep
    assert assert_same(engine, opa, [usual]) == 0


def test_both_engines_read_every_value_alike(engine: EmbeddedEngine, opa: Path) -> None:
    asked = []
    for value in VALUES.values():
        asked.append(json.loads(question(normalise(new_terms(value))).encoded))
    for value in [*VALUES.values(), *REFUSED_AT_THE_EDGE.values()]:
        usual = json.loads(question(agreed(offer(permission(constraint("recipient", "neq", "u:1"))))).encoded)
        usual["request"]["recipient"]["attributes"] = {value: value}
        usual["policy"]["rules"][0]["constraint"]["right"] = value
        usual["policy"]["about"] = {"title": value}
        if "\ud800" not in value:
            asked.append(usual)
    assert assert_same(engine, opa, asked) == len(asked)
