"""Every template is a policy that publishes, and permits and denies as its words say."""

from __future__ import annotations

from typing import Any

import pytest

from connector.policy.coverage import TABLE
from connector.policy.duty import duties_of
from connector.policy.embedded import EmbeddedEngine
from connector.policy.facts import DutyState, Facts, Quantity
from connector.policy.input import NO_OBJECTION, AgreementFacts
from connector.policy.normal import NormalPolicy, leaves
from connector.policy.parse import normalise
from connector.policy.printing import as_odrl
from connector.policy.sentences import sentences
from connector.policy.template import BadParameter, NoSuchTemplate, Type
from connector.policy.templates import TEMPLATES, template
from ledger.names import AgreementId
from tests.policy.world import CITY, COMPANY, DPV, ENERGY, MARKETING, NOON, RESEARCH, SCIENTIFIC, question

NAMES = (
    "open-data purpose-bound time-limited consent-bound public-task aggregated-only paid-per-record"
    " no-onward-sharing delete-after"
).split()
DAY = 86_400_000
FOR_RESEARCH = {"purpose": "ResearchAndDevelopment"}


def policy(name: str, **values: Any) -> NormalPolicy:
    """The template as the city and the company agree on it."""
    return normalise(template(name).fill(values).policy).agreed(
        name="urn:uuid:e8dc8655-44c2-46ef-b701-4cffdc2faa44", assigner=CITY, assignee=COMPANY, target=ENERGY
    )


def allows(engine: EmbeddedEngine, agreed: NormalPolicy, *, facts: Facts | None = None, **asked: Any) -> bool:
    known = facts if facts is not None else Facts(began=NOON)
    return engine.decide(question(agreed, facts=known, **asked)).allow


def under_way(*events: str) -> Facts:
    return Facts(began=NOON, named={"event": dict.fromkeys(events, ())})


def test_there_are_nine() -> None:
    assert list(TEMPLATES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_publishes_says_when_to_use_it_and_reads_as_it_was_printed(name: str) -> None:
    found = template(name)
    normal = normalise(found.fill({}).policy)
    assert normalise(as_odrl(normal)) == normal
    assert found.title in " ".join(value for _, value in normal.about)
    assert len(found.when.split()) > 10
    assert all(leaf.left in TABLE for rule in normal.rules for leaf in leaves(rule))
    assert sentences(normal)


@pytest.mark.parametrize("name", NAMES[1:])
def test_each_but_open_data_keeps_to_its_purpose(engine: EmbeddedEngine, name: str) -> None:
    facts = Facts(
        began=NOON,
        named={"event": {NO_OBJECTION: ()}},
        measured={"bylag:aggregationLevel": Quantity(50)},
        duties=dict.fromkeys(duties_of(policy(name, **FOR_RESEARCH)), "fulfilled"),
    )
    agreed, basis = policy(name, **FOR_RESEARCH), template(name).fill(FOR_RESEARCH).legal_basis
    agreement = AgreementFacts(AgreementId("a" * 32), "d" * 64, RESEARCH, basis)
    assert template(name).fill(FOR_RESEARCH).purpose == RESEARCH
    assert allows(engine, agreed, facts=facts, purpose=SCIENTIFIC, agreement=agreement)
    assert not allows(engine, agreed, facts=facts, purpose=MARKETING, agreement=agreement)


def test_open_data_is_for_any_purpose_and_owes_credit(engine: EmbeddedEngine) -> None:
    agreed = policy("open-data", credit=CITY)
    for purpose in (SCIENTIFIC, MARKETING):
        decision = engine.decide(question(agreed, purpose=purpose))
        assert decision.allow
        assert [owed["action"] for owed in decision.obligations] == [
            {"name": "attribute", "refinement": None}
        ]
    (rule,) = agreed.rules
    party = rule.duties[0].parties["attributedParty"]
    assert party is not None
    assert party.id == CITY
    assert not allows(engine, agreed, facts=Facts(duties={rule.duties[0].id: "violated"}))


def test_a_time_limit_ends(engine: EmbeddedEngine) -> None:
    agreed = policy("time-limited", days=7, **FOR_RESEARCH)
    assert template("time-limited").fill({"days": "7"}).days == 7
    assert allows(engine, agreed, now=NOON + 7 * DAY)
    assert not allows(engine, agreed, now=NOON + 7 * DAY + 1)
    assert not allows(engine, agreed, facts=Facts())


def test_nothing_leaves_before_consent_was_obtained_and_that_was_accepted(engine: EmbeddedEngine) -> None:
    agreed = policy("consent-bound", **FOR_RESEARCH)
    (duty,) = duties_of(agreed).values()
    assert (duty.action, duty.answered, duty.repeated) == ("obtainConsent", True, False)
    lets_out: dict[DutyState, bool] = {"fulfilled": True, "pending": False, "unset": False, "violated": False}
    for state, allow in lets_out.items():
        assert allows(engine, agreed, facts=Facts(began=NOON, duties={duty.id: state})) is allow
    assert not allows(engine, agreed)


def test_a_public_task_needs_its_ground_and_stops_at_an_objection(engine: EmbeddedEngine) -> None:
    filled = template("public-task").fill(FOR_RESEARCH)
    assert filled.legal_basis == DPV + "PublicInterest"
    agreed = policy("public-task", **FOR_RESEARCH)
    on_law = AgreementFacts(AgreementId("a" * 32), "d" * 64, None, filled.legal_basis)
    elsewise = AgreementFacts(AgreementId("a" * 32), "d" * 64, None, DPV + "Consent")
    heard = under_way("urn:x:flood", NO_OBJECTION)
    assert allows(engine, agreed, facts=heard, agreement=on_law)
    for facts in (under_way("urn:x:flood"), under_way(), Facts(began=NOON)):
        assert not allows(engine, agreed, facts=facts, agreement=on_law)
    assert not allows(engine, agreed, facts=heard, agreement=elsewise)
    assert not allows(engine, agreed, facts=heard)
    by_name = policy("public-task", attested="urn:x:visits:heard", **FOR_RESEARCH)
    assert allows(engine, by_name, facts=under_way("urn:x:visits:heard"), agreement=on_law)
    assert not allows(engine, by_name, facts=heard, agreement=on_law)


def test_only_groups_that_are_large_enough_leave(engine: EmbeddedEngine) -> None:
    agreed = policy("aggregated-only", k="20", **FOR_RESEARCH)
    for smallest, allow in ((20, True), (500, True), (19, False)):
        facts = Facts(measured={"bylag:aggregationLevel": Quantity(smallest)})
        assert allows(engine, agreed, facts=facts) is allow
    assert not allows(engine, agreed)


def test_what_is_paid_for_has_its_price_and_owes_it(engine: EmbeddedEngine) -> None:
    filled = template("paid-per-record").fill({"price": "25", "currency": "DKK", "per": 1000, **FOR_RESEARCH})
    assert filled.price == {
        "basis": "record",
        "amount": 25,
        "currency": "DKK",
        "per": 1000,
        "legal_ground": None,
    }
    agreed = policy("paid-per-record", **FOR_RESEARCH)
    decision = engine.decide(question(agreed))
    assert decision.allow
    assert [owed["state"] for owed in decision.obligations] == ["unset"]
    assert not allows(engine, agreed, facts=Facts(duties={agreed.rules[0].duties[0].id: "violated"}))


def test_handing_on_is_forbidden_and_using_is_not(engine: EmbeddedEngine) -> None:
    agreed = policy("no-onward-sharing", **FOR_RESEARCH)
    for action in ("read", "use", "display", "aggregate"):
        assert allows(engine, agreed, action=action), action
    for action in ("distribute", "give", "sell", "transfer", "grantUse", "cc:Sharing", "cc:Distribution"):
        assert not allows(engine, agreed, action=action), action


def test_and_where_it_is_asked_for_each_request_declares_it(engine: EmbeddedEngine) -> None:
    agreed = policy("no-onward-sharing", declared="yes", **FOR_RESEARCH)
    for whom, allow in (("urn:bylag:profile:1:nobody", True), ("did:web:third.example", False)):
        facts = Facts(began=NOON, named={"bylag:onwardTransfer": {whom: ()}})
        assert allows(engine, agreed, facts=facts) is allow
    assert not allows(engine, agreed)


def test_what_was_not_deleted_in_time_is_used_no_more(engine: EmbeddedEngine) -> None:
    agreed = policy("delete-after", days=90, **FOR_RESEARCH)
    (duty,) = agreed.rules[0].duties
    (until,) = leaves(duty)
    assert (until.left, until.operator, until.right) == ("elapsedTime", "lteq", 90 * DAY)
    lets_out: dict[DutyState, bool] = {"unset": True, "pending": True, "fulfilled": True, "violated": False}
    for state, allow in lets_out.items():
        assert allows(engine, agreed, facts=Facts(duties={duty.id: state})) is allow


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("purpose-bound", {"purpose": "Nothing"}),
        ("purpose-bound", {"days": 3}),
        ("time-limited", {"days": 0}),
        ("time-limited", {"days": "07"}),
        ("time-limited", {"days": True}),
        ("time-limited", {"days": 2**60}),
        ("aggregated-only", {"k": 1}),
        ("paid-per-record", {"currency": "crowns"}),
        ("paid-per-record", {"ground": "no IRI"}),
        ("public-task", {"attested": "\u202eurn:x:y"}),
        ("no-onward-sharing", {"declared": "perhaps"}),
        ("open-data", {"credit": {"@id": "urn:x"}}),
    ],
)
def test_a_value_of_another_type_is_refused_by_its_name(name: str, values: dict[str, Any]) -> None:
    with pytest.raises(BadParameter) as raised:
        template(name).fill(values)
    assert raised.value.field == next(iter(values))


def test_every_default_is_of_its_type() -> None:
    for each in TEMPLATES.values():
        for parameter in each.parameters:
            if parameter.default is not None:
                assert parameter.read(parameter.default) == parameter.default
            assert isinstance(parameter.type, Type)


def test_another_name_is_no_template() -> None:
    with pytest.raises(NoSuchTemplate):
        template("free-for-all")
