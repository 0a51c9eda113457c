"""Duties as tasks: who owes them, when they arise, until when; and what tracking could not honour."""

from __future__ import annotations

from typing import Any

import pytest

from connector.policy.duty import Duty, arising, comes_first, duties_of
from connector.policy.errors import PolicyRefused
from connector.policy.parse import normalise
from connector.policy.reading import read_policy
from ledger.canonical import decode
from ledger.names import Milliseconds
from tests.policy.world import CITY, COMPANY, OTHER, Document, agreed, constraint, offer, permission

DAY = 86_400_000
NOON = Milliseconds(1_767_268_800_000)
MARKETING, RESEARCH = "https://w3id.org/dpv#Marketing", "https://w3id.org/dpv#ResearchAndDevelopment"
SCIENTIFIC = "https://w3id.org/dpv#ScientificResearch"
AMOUNT = {**constraint("payAmount", "gteq", "500"), "unit": "urn:iso:4217:SEK"}
BILL = {"rdf:value": {"@id": "compensate"}, "refinement": [AMOUNT]}


def tell(*limits: Document, **more: Any) -> Document:
    return {"@id": "urn:x:tell", "action": "inform", "constraint": list(limits), **more}


def of(duty: Document, **more: Any) -> Duty:
    """The one duty of a permission, as the city and the company agreed on it."""
    (found,) = duties_of(agreed({**offer(permission(duty=[duty])), **more})).values()
    return found


@pytest.mark.parametrize(
    ("limits", "due"),
    [
        ([], None),
        ([constraint("elapsedTime", "lteq", "P30D")], NOON + 30 * DAY),
        ([constraint("elapsedTime", "eq", "PT1H")], NOON + DAY // 24),
        ([constraint("delayPeriod", "eq", "P2D")], NOON + 2 * DAY),
        ([constraint("elapsedTime", "lteq", "P99999999D")], 253_402_300_799_999),
        ([constraint("dateTime", "lt", "2026-01-03T00:00:00Z")], 1_767_398_400_000),
        (
            [constraint("dateTime", "lteq", "2026-01-03T00:00:00Z"), constraint("elapsedTime", "lt", "P1D")],
            NOON + DAY,
        ),
    ],
)
def test_a_duty_is_due_at_its_earliest_limit(limits: list[Document], due: int | None) -> None:
    assert of(tell(*limits)).due(NOON) == due


@pytest.mark.parametrize(
    ("duty", "more", "debtor"),
    [
        (tell(), {}, "consumer"),
        (tell(informedParty=CITY), {}, "consumer"),
        (tell(informingParty=COMPANY), {"assignee": COMPANY}, "consumer"),
        (tell(informingParty=CITY), {"assigner": CITY}, "provider"),
        (tell(assignee=CITY), {"assigner": CITY}, "provider"),
    ],
)
def test_whoever_is_named_for_it_owes_a_duty_and_otherwise_the_consumer(
    duty: Document, more: Document, debtor: str
) -> None:
    assert of(duty, **more).owed_by == debtor


def test_each_duty_arises_where_it_stands() -> None:
    policy = agreed(
        offer(
            permission(
                duty=[
                    tell(consequence=[{"@id": "urn:x:more", "action": BILL}]),
                    {"@id": "urn:x:consent", "action": "obtainConsent"},
                    {"@id": "urn:x:paid", "action": BILL},
                    {"@id": "urn:x:later", "action": "compensate"},
                ]
            ),
            prohibition=[{"action": "sell", "remedy": [{"@id": "urn:x:fine", "action": "compensate"}]}],
            obligation=[{"@id": "urn:x:always", "action": "attribute"}],
        )
    )
    found = duties_of(policy)
    kinds = {name.removeprefix("urn:x:"): (duty.kind, duty.repeated) for name, duty in found.items()}
    assert kinds == {
        "tell": ("duty", True),
        "more": ("consequence", False),
        "consent": ("duty", False),
        "paid": ("duty", False),
        "later": ("duty", True),
        "fine": ("remedy", False),
        "always": ("obligation", False),
    }
    assert found["urn:x:tell"].consequences == ("urn:x:more",)
    more = found["urn:x:more"]
    assert (more.amount, more.unit, more.currency, more.answered) == (500, "urn:iso:4217:SEK", "SEK", True)
    assert list(arising(policy, SCIENTIFIC)) == ["urn:x:later", "urn:x:tell"]


@pytest.mark.parametrize(
    ("limit", "bears"),
    [
        (None, True),
        (constraint("purpose", "isA", RESEARCH), True),
        (constraint("purpose", "isAnyOf", [MARKETING, RESEARCH]), True),
        (constraint("purpose", "eq", MARKETING), False),
        (constraint("purpose", "neq", RESEARCH), False),
        (constraint("purpose", "isNoneOf", [MARKETING]), True),
        ({"or": [constraint("purpose", "eq", MARKETING), constraint("count", "lteq", "1")]}, None),
    ],
)
def test_a_duty_arises_with_an_exchange_that_can_rest_on_its_permission(
    limit: Any, bears: bool | None
) -> None:
    if bears is None:  # a choice that counts is refused elsewhere; any other choice may bear
        limit, bears = (
            {"or": [constraint("purpose", "eq", MARKETING), constraint("dateTime", "gt", _PAST)]},
            True,
        )
    limits = [] if limit is None else [limit]
    policy = agreed(offer(permission(*limits, duty=[tell()])))
    assert bool(list(arising(policy, SCIENTIFIC))) is bears


_PAST = "2020-01-01T00:00:00Z"


def test_a_permission_for_something_else_brings_no_duty_to_a_release() -> None:
    for action, bears in (("use", True), ("read", True), ("distribute", False)):
        policy = agreed(offer(permission(action=action, duty=[tell()])))
        assert bool(list(arising(policy, SCIENTIFIC))) is bears


REFUSED: dict[str, tuple[str, Document]] = {
    "a purpose": ("purpose", tell(constraint("purpose", "eq", RESEARCH))),
    "a place": ("spatial", tell(constraint("spatial", "eq", "SE"))),
    "a beginning": ("gteq", tell(constraint("dateTime", "gteq", _PAST))),
    "a wait without an end": ("gteq", tell(constraint("delayPeriod", "gteq", "P1D"))),
    "one moment alone": ("eq", tell(constraint("dateTime", "eq", _PAST))),
    "a choice of times": (
        "or",
        tell({"or": [constraint("elapsedTime", "lteq", "P1D"), constraint("elapsedTime", "lteq", "P2D")]}),
    ),
    "an amount for what is not paid": ("payAmount", tell(AMOUNT)),
    "an amount at most": (
        "payAmount",
        {"action": "compensate", "constraint": [{**AMOUNT, "operator": "lteq"}]},
    ),
    "an amount that no report can hold": (
        "payAmount",
        {"action": "compensate", "constraint": [{**AMOUNT, "rightOperand": str(10**12 + 1)}]},
    ),
    "two amounts": ("payAmount", {"action": BILL, "constraint": [{**AMOUNT, "rightOperand": "7"}]}),
    "a refined action": (
        "refinement",
        {"action": {"rdf:value": {"@id": "inform"}, "refinement": [constraint("spatial", "eq", "SE")]}},
    ),
    "a refined party": (
        "refinement",
        tell(
            informedParty={
                "@type": "PartyCollection",
                "source": "urn:x:all",
                "refinement": [constraint("spatial", "eq", "SE")],
            }
        ),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_tracking_cannot_honour_is_refused_by_name(what: str) -> None:
    term, duty = REFUSED[what]
    for document in (
        offer(permission(duty=[duty])),
        offer(permission(), obligation=[duty]),
        offer(permission(duty=[{"action": "attribute", "consequence": [duty]}])),
        offer(permission(), prohibition=[{"action": "sell", "remedy": [duty]}]),
    ):
        with pytest.raises(PolicyRefused) as refused:
            normalise(document)
        assert refused.value.term == term
        assert refused.value.next_step


@pytest.mark.parametrize("name", ["assignee", "informingParty", "compensatingParty"])
def test_a_duty_of_somebody_who_does_not_sign_is_refused(name: str) -> None:
    with pytest.raises(PolicyRefused) as refused:
        normalise({**offer(permission(duty=[tell(**{name: OTHER})])), "assigner": CITY})
    assert refused.value.term == name


def test_one_id_for_two_duties_is_refused() -> None:
    with pytest.raises(PolicyRefused) as refused:
        normalise(offer(permission(duty=[tell(consequence=[tell()])])))
    assert (refused.value.term, refused.value.field) == ("uid", "urn:x:tell")
    same = offer(permission(duty=[tell()]), permission(action="read", duty=[tell()]))
    assert set(duties_of(normalise(same))) == {"urn:x:tell"}


def test_a_peer_cannot_slip_one_past_in_normal_form() -> None:
    content: Any = decode(
        normalise(offer(permission(duty=[tell(constraint("elapsedTime", "eq", "P1D"))]))).encoded
    )
    content["rules"][0]["duties"][0]["constraint"]["left"] = "delayPeriod"
    content["rules"][0]["duties"][0]["constraint"]["operator"] = "gt"
    with pytest.raises(PolicyRefused) as refused:
        read_policy(content)
    assert refused.value.term == "gt"


def test_what_comes_first_is_what_the_rulebook_says_comes_first() -> None:
    """policies/duties.rego has the same list: a change there must be made here."""
    (rule,) = normalise(
        offer(
            permission(duty=[{"action": "obtainConsent"}, {"action": BILL}, {"action": "compensate"}, tell()])
        )
    ).rules
    assert {
        duty.action.name: comes_first(duty)
        for duty in rule.duties
        if duty.action and not duty.action.refinement
    } == {
        "obtainConsent": True,
        "compensate": False,
        "inform": False,
    }
    assert [comes_first(duty) for duty in rule.duties if duty.action and duty.action.refinement] == [True]
