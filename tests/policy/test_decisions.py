"""What comes out for whom: from an ODRL document to a decision of the engine that runs in production."""

from __future__ import annotations

from typing import Any

import pytest

from connector.policy.decision import Decision
from connector.policy.embedded import EmbeddedEngine
from connector.policy.input import AgreementFacts, CounterName, Recipient, counters_of
from ledger.names import AgreementId, DatasetId, UnitId
from tests.policy.world import (
    COMPANY,
    DPV,
    MARKETING,
    NOON,
    OTHER,
    RESEARCH,
    SCIENTIFIC,
    Document,
    agreed,
    constraint,
    offer,
    permission,
    question,
    unit,
)

FOR_RESEARCH = constraint("purpose", "isA", RESEARCH)
IN_2026 = {
    "and": [
        constraint("dateTime", "gteq", "2026-01-01T00:00:00Z"),
        constraint("dateTime", "lt", "2027-01-01T00:00:00Z"),
    ]
}
MIDNIGHT_2026 = 1_767_225_600_000
MIDNIGHT_2027 = 1_798_761_600_000


@pytest.fixture
def decide(engine: EmbeddedEngine) -> Any:
    def decided(document: Document, **how: Any) -> Decision:
        return engine.decide(question(agreed(document), **how))

    return decided


def codes(decision: Decision) -> set[str]:
    return {reason.code for reason in decision.reasons}


def test_research_under_a_research_policy_is_allowed(decide: Any) -> None:
    decision = decide(offer(permission(FOR_RESEARCH)), purpose=SCIENTIFIC)
    assert (decision.allow, codes(decision)) == (True, {"PERMITTED"})
    assert decision.valid_until is None


def test_another_purpose_is_denied_and_named(decide: Any) -> None:
    decision = decide(offer(permission(FOR_RESEARCH)), purpose=MARKETING)
    assert not decision.allow
    (reason,) = decision.reasons
    assert (reason.code, reason.parameters["asked"]) == ("PURPOSE_NOT_PERMITTED", MARKETING)


@pytest.mark.parametrize("purpose", [DPV + "Purpose", DPV + "Nothing", "fun", "", None])
def test_a_wider_unknown_or_missing_purpose_is_denied(decide: Any, purpose: str | None) -> None:
    assert not decide(offer(permission(FOR_RESEARCH)), purpose=purpose).allow


def test_a_purpose_wider_than_the_agreements_is_denied_whatever_the_policy_says(decide: Any) -> None:
    agreement = AgreementFacts(AgreementId("a" * 32), "d" * 64, SCIENTIFIC)
    assert decide(offer(permission()), purpose=SCIENTIFIC, agreement=agreement).allow
    denied = decide(offer(permission()), purpose=RESEARCH, agreement=agreement)
    assert (denied.allow, codes(denied)) == (False, {"PURPOSE_BEYOND_AGREEMENT"})


def test_a_prohibited_purpose_is_denied_even_inside_a_wider_request(decide: Any) -> None:
    document = offer(permission(), prohibition=[permission(constraint("purpose", "eq", MARKETING))])
    assert decide(document, purpose=SCIENTIFIC).allow
    assert not decide(document, purpose=MARKETING).allow
    assert not decide(document, purpose=DPV + "DirectMarketing").allow
    assert not decide(document, purpose=DPV + "Purpose").allow


@pytest.mark.parametrize(
    ("now", "allowed"),
    [
        (MIDNIGHT_2026 - 1, False),
        (MIDNIGHT_2026, True),
        (MIDNIGHT_2027 - 1, True),
        (MIDNIGHT_2027, False),
    ],
)
def test_a_period_begins_and_ends_to_the_millisecond(decide: Any, now: int, allowed: bool) -> None:
    decision = decide(offer(permission(IN_2026)), now=now)
    assert decision.allow is allowed
    if not allowed:
        assert codes(decision) == {"OUTSIDE_PERIOD"}


def test_an_answer_says_until_when_it_holds(decide: Any) -> None:
    assert decide(offer(permission(IN_2026)), now=NOON).valid_until == MIDNIGHT_2027
    assert decide(offer(permission(IN_2026)), now=MIDNIGHT_2026 - 5).valid_until == MIDNIGHT_2026
    assert decide(offer(permission(IN_2026)), now=MIDNIGHT_2027 + 1).valid_until is None


def test_only_the_assignee_is_allowed(decide: Any) -> None:
    decision = decide(offer(permission()), recipient=Recipient(OTHER))
    assert codes(decision) == {"RECIPIENT_NOT_ASSIGNEE"}


def test_a_unit_may_be_meant_alone(decide: Any) -> None:
    document = offer(permission(constraint("recipient", "isAnyOf", [COMPANY + "#lab"])))
    assert decide(document, recipient=unit("lab")).allow
    assert not decide(document, recipient=unit("sales")).allow
    assert not decide(document, recipient=Recipient(COMPANY)).allow


def test_another_dataset_is_denied(decide: Any) -> None:
    assert codes(decide(offer(permission()), dataset=DatasetId("urn:x:other"))) == {"OTHER_TARGET"}


def test_use_covers_reading_and_reading_does_not_cover_distributing(decide: Any) -> None:
    assert decide(offer(permission(action="use")), action="read").allow
    assert not decide(offer(permission(action="read")), action="distribute").allow
    assert decide(offer(permission(action="use")), action="odrl:distribute").allow
    assert not decide(offer(permission(action="use")), action="sell").allow
    assert not decide(offer(permission(action="use")), action="nonsense").allow


def test_a_prohibition_wins_unless_the_policy_says_otherwise(decide: Any) -> None:
    prohibited = {"prohibition": [{"action": "use"}]}
    assert codes(decide(offer(permission(), **prohibited))) == {"PROHIBITED"}
    assert decide(offer(permission(), **prohibited, conflict="perm")).allow
    assert codes(decide(offer(permission(), **prohibited, conflict="invalid"))) == {
        "PROHIBITED",
        "POLICY_VOID",
    }


def test_a_count_has_room_until_it_is_used_up(decide: Any) -> None:
    document = offer(permission(constraint("count", "lteq", "3")))
    third = decide(document, uses=2)
    assert third.allow
    assert [(guard.limit, guard.name) for guard in third.counters] == [
        (3, counters_of(agreed(document))[0]),
    ]
    fourth = decide(document, uses=3)
    assert (fourth.allow, codes(fourth), fourth.counters) == (False, {"COUNT_USED_UP"}, ())


def test_a_count_that_nobody_supplied_denies(decide: Any) -> None:
    assert not decide(offer(permission(constraint("count", "lteq", "3"))), uses={}).allow
    wrong = {CounterName("count:another"): 0}
    assert not decide(offer(permission(constraint("count", "lteq", "3"))), uses=wrong).allow


def test_each_permission_stands_alone(decide: Any) -> None:
    document = offer(permission(constraint("purpose", "isA", MARKETING)), permission(FOR_RESEARCH))
    assert decide(document, purpose=SCIENTIFIC).allow
    assert decide(document, purpose=MARKETING).allow


def test_a_policy_that_only_prohibits_allows_nothing(decide: Any) -> None:
    document = {**offer(), "prohibition": [{"action": "distribute"}]}
    del document["permission"]
    assert codes(decide(document)) == {"NO_PERMISSION"}


def test_a_big_policy_is_decided_in_time(decide: Any) -> None:
    days = [
        {
            "and": [
                constraint("dateTime", "gteq", f"2026-{month:02}-{day:02}T09:00:00Z"),
                constraint("dateTime", "lt", f"2026-{month:02}-{day:02}T17:00:00Z"),
            ]
        }
        for month in range(1, 13)
        for day in range(1, 29)
    ]
    assert decide(offer(permission({"or": days})), now=NOON).allow
    night = decide(offer(permission({"or": days})), now=MIDNIGHT_2026)
    assert (night.allow, night.failed, len(night.reasons)) == (False, False, 20)


def test_a_unit_id_cannot_pretend_to_be_somebody_else(decide: Any) -> None:
    trick = Recipient(OTHER, UnitId(f"#{COMPANY}"))
    assert not decide(offer(permission()), recipient=trick).allow
