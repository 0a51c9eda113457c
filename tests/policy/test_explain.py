"""Explanations: what would change an answer is found by asking, and is told only where it is so."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from connector.policy.changes import SOMEBODY_ELSE
from connector.policy.embedded import EmbeddedEngine
from connector.policy.explain import Explanation, explain
from connector.policy.explained import explained
from connector.policy.facts import Facts, Quantity
from connector.policy.input import DecisionInput, Recipient
from connector.policy.normal import NormalPolicy
from connector.policy.parse import normalise
from connector.policy.supposed import blank, edited, supposing
from ledger.canonical import JSONObject, decode_object, encode
from ledger.fields import BadField, Fields
from ledger.names import Milliseconds
from tests.policy.strategies import cases
from tests.policy.world import (
    COMPANY,
    MARKETING,
    NOON,
    OTHER,
    RESEARCH,
    SCIENTIFIC,
    agreed,
    constraint,
    offer,
    permission,
    question,
)

DAY = 86_400_000
MIDNIGHT = NOON + DAY // 2
SOON = constraint("dateTime", "lt", "2026-01-02T00:00:00Z")


def of(engine: EmbeddedEngine, policy: NormalPolicy, **asked: Any) -> Explanation:
    return explain(decode_object(question(policy, **asked).encoded), engine)


def changes(found: Explanation) -> list[set[tuple[str, Any]]]:
    return [{(change.fact, change.to) for change in each.changes} for each in found.otherwise]


def facts(found: Explanation) -> set[str]:
    return {change.fact for each in found.otherwise for change in each.changes}


def text(found: Explanation, language: str = "en") -> str:
    return "\n".join(line for sentence in explained(found, language) for _, line in sentence.lines())


def test_another_purpose_is_named_when_it_is_the_purpose(engine: EmbeddedEngine) -> None:
    found = of(engine, agreed(offer(permission(constraint("purpose", "isA", MARKETING)))))
    assert not found.decision.allow
    assert changes(found) == [{("purpose", MARKETING)}]
    assert "It would be allowed if the purpose were Marketing (declared by the recipient)." in text(found)


def test_the_moments_at_which_a_period_begins_and_ends_are_named(engine: EmbeddedEngine) -> None:
    begins = constraint("dateTime", "gteq", "2026-01-01T00:00:00Z")
    policy = agreed(offer(permission(SOON, begins)))
    early = of(engine, policy, now=NOON - DAY)
    assert changes(early) == [{("time", NOON - DAY // 2)}]
    end = "and until 2026-01-02T00:00:00Z."
    assert f"asked at 2026-01-01T00:00:00Z (measured by the provider), {end}" in text(early)
    late = of(engine, policy, now=NOON + 2 * DAY)
    assert changes(late) == [{("time", MIDNIGHT - 1)}]
    within = of(engine, policy)
    assert {("time", MIDNIGHT)} in changes(within)
    assert {("time", NOON - DAY // 2 - 1)} in changes(within)
    assert "Time alone changes nothing about this before 2026-01-02T00:00:00Z." in text(within)


def test_a_counter_below_its_limit_is_named_and_how_far_it_may_go(engine: EmbeddedEngine) -> None:
    policy = agreed(offer(permission(constraint("count", "lteq", 3))))
    assert changes(of(engine, policy, uses=3)) == [{("count", 2)}]
    allowed = of(engine, policy, uses=1)
    assert {("count", 3)} in changes(allowed)
    assert [(each.value, each.below) for each in allowed.counters] == [(1, 3)]
    assert "is below 3; it is 1." in text(allowed)


def test_a_use_too_many_today_is_allowed_tomorrow(engine: EmbeddedEngine) -> None:
    policy = agreed(offer(permission(constraint("bylag:rate", "lteq", 2))))
    assert {("time", MIDNIGHT)} in changes(of(engine, policy, uses=2))


def test_the_recipient_whom_the_policy_names_is_named(engine: EmbeddedEngine) -> None:
    policy = agreed(offer(permission(constraint("purpose", "isA", RESEARCH))))
    found = of(engine, policy, recipient=Recipient(OTHER))
    assert changes(found) == [{("recipient", COMPANY)}]
    assert {("recipient", SOMEBODY_ELSE)} in changes(of(engine, policy))


def test_a_fact_that_is_not_known_and_a_duty_that_comes_first_are_named(engine: EmbeddedEngine) -> None:
    ground = agreed(offer(permission(constraint("bylag:secrecyGround", "eq", "urn:law:1"))))
    found = of(engine, ground)
    assert facts(found) == {"bylag:secrecyGround"}
    assert "[not known] The ground for lifting secrecy is urn:law:1." in text(found)
    duty = agreed(offer(permission(duty=[{"action": "obtainConsent"}])))
    found = of(engine, duty)
    (change,) = found.otherwise[0].changes
    assert (change.fact, change.to) == ("duty", "fulfilled")
    assert "('obtainConsent'), which comes first: unset." in text(found)


def test_a_prohibition_is_shown_with_what_would_lift_it(engine: EmbeddedEngine) -> None:
    policy = agreed(
        offer(
            permission(), prohibition=[{"action": "read", "constraint": [constraint("event", "eq", "urn:e")]}]
        )
    )
    found = of(engine, policy)
    assert "event" in facts(found)
    assert any(rule.kind == "prohibition" and rule.active for rule in found.trace.rules)


def test_where_no_single_change_helps_a_smallest_set_is_found(engine: EmbeddedEngine) -> None:
    policy = agreed(
        offer(permission(constraint("purpose", "isA", MARKETING), constraint("count", "lteq", 3), SOON))
    )
    found = of(engine, policy, uses=3, now=NOON + DAY)
    assert changes(found) == [{("purpose", MARKETING), ("count", 2), ("time", MIDNIGHT - 1)}]
    assert ", and " in text(found)


def test_where_nothing_helps_that_is_said(engine: EmbeddedEngine) -> None:
    never = permission(SOON, constraint("dateTime", "gt", "2026-01-03T00:00:00Z"))
    found = of(engine, agreed(offer(never)))
    assert found.otherwise == ()
    assert found.is_complete
    assert "No change was found with which it would be allowed." in text(found)


def test_an_open_choice_asks_for_the_easier_side(engine: EmbeddedEngine) -> None:
    either: Any = {
        "or": [
            {"and": [constraint("purpose", "isA", MARKETING), constraint("event", "eq", "urn:e")]},
            constraint("language", "eq", "sv"),
        ]
    }
    assert facts(of(engine, agreed(offer(permission(either))))) == {"language"}


def test_the_area_and_the_agreed_purpose_are_told(engine: EmbeddedEngine) -> None:
    policy = agreed(offer(permission()))
    found = of(engine, policy, facts=Facts(area=("SE",)))
    assert facts(found) == {"country", "transfer"}
    assert "[no] Recipient (none) and processing lie within the configured area (SE)" in text(found)


def test_reasons_are_in_the_language_asked_for(engine: EmbeddedEngine) -> None:
    policy = agreed(offer(permission(constraint("count", "lteq", 3))))
    found = of(engine, policy, uses=3)
    assert "tillåter 3 användningar" in text(found, "sv")
    assert "tillader 3 anvendelser" in text(found, "da")


def test_a_search_that_ends_at_its_bound_says_so(
    engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.policy.explain.MOST_QUESTIONS", 2)
    policy = agreed(
        offer(permission(constraint("purpose", "isA", MARKETING), constraint("count", "lteq", 3)))
    )
    found = of(engine, policy, uses=3)
    assert not found.is_complete
    assert "The search ended at its bound: there may be more." in text(found)


def test_of_many_moments_the_nearest_are_asked_about_and_that_is_said(engine: EmbeddedEngine) -> None:
    days = [permission(constraint("dateTime", "lt", f"2026-03-{day:02}T00:00:00Z")) for day in range(1, 29)]
    found = of(engine, agreed(offer(*days)), now=NOON + 90 * DAY, action="sell")
    assert not found.is_complete


@given(cases())
@settings(
    max_examples=6,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_change_that_is_told_gives_the_other_verdict_and_nothing_in_it_is_idle(
    engine: EmbeddedEngine, asked: list[DecisionInput]
) -> None:
    for one in asked[:2]:
        found = explain(decode_object(one.encoded), engine)
        assert found.decision == engine.decide(one) == found.trace.decision
        for each in found.otherwise:
            for few in range(1, len(each.changes) + 1):
                for some in combinations(each.changes, few):
                    edits = [edit for change in some for edit in change.edits]
                    then = engine.replay(encode(edited(found.question, edits)))
                    assert (then.allow is not found.decision.allow) is (some == each.changes)


OFFER = normalise(
    offer(
        permission(
            constraint("purpose", "isA", SCIENTIFIC),
            constraint("count", "lteq", 3),
            constraint("payAmount", "gteq", 100) | {"unit": "urn:iso:std:iso:4217:SEK"},
            constraint("spatial", "eq", "SE"),
            duty=[{"action": "delete"}],
        )
    )
)


def supposed(**said: Any) -> JSONObject:
    made = blank(OFFER, Milliseconds(NOON), said)
    return supposing(made, OFFER, Fields(said, "request"), ["company"])


def test_a_supposed_question_has_the_policys_own_defaults_and_what_is_said(engine: EmbeddedEngine) -> None:
    plain = supposed()
    request: Any = plain["request"]
    assert request["purpose"] == SCIENTIFIC
    assert not engine.replay(encode(plain)).allow
    said = supposed(
        recipient={"did": COMPANY, "attributes": {"country": "SE", "kind": "company"}},
        facts={"payAmount": 100},
        counters={"count": 2},
        duties={"delete": "fulfilled"},
        time="2026-01-02T00:00:00Z",
    )
    assert engine.replay(encode(said)).allow
    facts: Any = said["facts"]
    assert facts["now"] == MIDNIGHT
    assert set(facts["duties"].values()) == {"fulfilled"}
    assert set(facts["counters"].values()) == {2}
    assert facts["values"]["payAmount"] == {"value": 100, "unit": "urn:iso:std:iso:4217:SEK"}
    assert facts["collections"]["urn:bylag:profile:1:company"] == [COMPANY]


def test_of_somebody_else_nothing_is_attested_until_it_is_said() -> None:
    known = supposed(recipient={"did": COMPANY, "attributes": {"country": "SE", "kind": "company"}})
    other: Any = supposing(known, OFFER, Fields({"recipient": {"did": OTHER}}))
    assert other["request"]["recipient"]["attributes"] == {}
    assert (other["facts"]["values"]["spatial"], other["facts"]["collections"]) == (None, {})


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"action": "fly"}, "request.action"),
        ({"purpose": "dpv:Nothing"}, "request.purpose"),
        ({"time": "tomorrow"}, "request.time"),
        ({"counters": {"rate": 1}}, "request.counters.rate"),
        ({"duties": {"delete": "done"}}, "request.duties.delete"),
        ({"duties": {"pay": "fulfilled"}}, "request.duties.pay"),
        ({"facts": {"dateTime": 5}}, "request.facts.dateTime"),
        ({"facts": {"payAmount": "much"}}, "request.facts.payAmount"),
        ({"facts": {"payAmount": -1}}, "request.facts.payAmount"),
        ({"recipient": {"colour": "red"}}, "request.recipient.colour"),
        ({"weather": "fine"}, "request.weather"),
    ],
)
def test_what_cannot_be_supposed_is_named(said: dict[str, Any], field: str) -> None:
    with pytest.raises(BadField) as raised:
        supposed(**said)
    assert raised.value.field == field


def test_quantities_are_told_in_their_unit(engine: EmbeddedEngine) -> None:
    kept = agreed(offer(permission(constraint("bylag:retentionPeriod", "lteq", "P30D"))))
    found = of(engine, kept, facts=Facts(measured={"bylag:retentionPeriod": Quantity(40 * DAY)}))
    assert "It is 40 days (declared by the recipient)." in text(found)
    assert "how long it is kept were 30 days" in text(found)
    json.dumps(found.to_json())
