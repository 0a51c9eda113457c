"""Rules that ask for something in return, name collections, or inherit: from ODRL to decision."""

from __future__ import annotations

from typing import Any

import pytest

from connector.policy.decision import Decision
from connector.policy.embedded import EmbeddedEngine
from connector.policy.errors import MalformedPolicy, PolicyRefused
from connector.policy.facts import DutyState, Facts, duty_ids
from connector.policy.input import Recipient
from connector.policy.normal import NormalPolicy
from connector.policy.parse import normalise
from connector.policy.printing import as_odrl
from connector.policy.reading import read_policy
from ledger.canonical import decode
from tests.policy.world import CITY, COMPANY, OTHER, Document, agreed, constraint, offer, permission, question

TELL = {"@id": "urn:x:tell", "action": "inform", "informedParty": CITY}
PAY = {"@id": "urn:x:pay", "action": "compensate", "compensatedParty": CITY}
CONSENT = {"@id": "urn:x:consent", "action": "obtainConsent"}
AMOUNT = {**constraint("payAmount", "eq", "500"), "unit": "urn:iso:4217:SEK"}
BILL = {**PAY, "action": {"rdf:value": {"@id": "compensate"}, "refinement": [AMOUNT]}}


def decide(engine: EmbeddedEngine, document: Document, **states: DutyState) -> Decision:
    duties = {f"urn:x:{name}": state for name, state in states.items()}
    return engine.decide(question(agreed(document), facts=Facts(duties=duties)))


def owed(decision: Decision) -> list[tuple[Any, Any]]:
    return [(task["kind"], task["duty"]) for task in decision.obligations]


@pytest.mark.parametrize("state", ["unset", "pending", "fulfilled"])
def test_a_duty_that_is_not_violated_lets_data_out(engine: EmbeddedEngine, state: DutyState) -> None:
    decision = decide(engine, offer(permission(duty=[TELL])), tell=state)
    assert decision.allow
    assert owed(decision) == ([] if state == "fulfilled" else [("duty", "urn:x:tell")])


def test_what_is_owed_names_whom_and_what(engine: EmbeddedEngine) -> None:
    (task,) = decide(engine, offer(permission(duty=[TELL]))).obligations
    assert task["action"] == {"name": "inform", "refinement": None}
    parties: Any = task["parties"]
    assert parties["informedParty"]["id"] == CITY
    assert task["state"] == "unset"


def test_a_violated_duty_denies_until_its_consequence_is_fulfilled(engine: EmbeddedEngine) -> None:
    document = offer(permission(duty=[{**TELL, "consequence": [PAY]}]))
    denied = decide(engine, document, tell="violated")
    assert (denied.allow, owed(denied)) == (False, [("consequence", "urn:x:pay")])
    assert [reason.code for reason in denied.reasons] == ["DUTY_VIOLATED"]
    assert decide(engine, document, tell="violated", pay="fulfilled").allow


@pytest.mark.parametrize("duty", [CONSENT, BILL], ids=["consent", "an amount to pay"])
def test_what_comes_first_must_be_fulfilled_before(engine: EmbeddedEngine, duty: Document) -> None:
    document = offer(permission(duty=[duty]))
    assert [reason.code for reason in decide(engine, document).reasons] == ["DUTY_COMES_FIRST"]
    assert decide(engine, document, consent="fulfilled", pay="fulfilled").allow


def test_a_permission_without_a_duty_stands_beside_one_with_a_violated_duty(
    engine: EmbeddedEngine,
) -> None:
    document = offer(permission(duty=[TELL]), permission(action="read"))
    assert decide(engine, document, tell="violated").allow


def test_an_obligation_of_the_policy_is_owed_whatever_is_asked(engine: EmbeddedEngine) -> None:
    document = offer(permission(action="read"), obligation=[TELL])
    assert owed(decide(engine, document)) == [("obligation", "urn:x:tell")]
    assert owed(engine.decide(question(agreed(document), action="sell"))) == [("obligation", "urn:x:tell")]
    assert owed(decide(engine, document, tell="fulfilled")) == []


@pytest.mark.parametrize("state", ["unset", "pending", "fulfilled", "violated"])
def test_a_remedy_permits_nothing(engine: EmbeddedEngine, state: DutyState) -> None:
    document = offer(permission(), prohibition=[{"action": "read", "remedy": [PAY]}])
    decision = decide(engine, document, pay=state)
    assert not decision.allow
    assert owed(decision) == ([("remedy", "urn:x:pay")] if state == "pending" else [])


def test_every_duty_stands_in_the_question() -> None:
    document = offer(
        permission(duty=[{**TELL, "consequence": [{**PAY, "consequence": [CONSENT]}]}]),
        prohibition=[{"action": "sell", "remedy": [{"@id": "urn:x:remedy", "action": "delete"}]}],
        obligation=[{"@id": "urn:x:alone", "action": "inform"}],
    )
    assert duty_ids(agreed(document)) == tuple(
        sorted(f"urn:x:{name}" for name in ("tell", "pay", "consent", "remedy", "alone"))
    )


MEMBERS = {"@type": "PartyCollection", "@id": "urn:x:members"}
NORDIC = [constraint("spatial", "isAnyOf", ["DK", "SE"])]


def set_of(*rules: Document, **more: Any) -> NormalPolicy:
    """A policy without parties of its own, which names collections."""
    return normalise({**offer(*rules, **more), "@type": "Set"})


@pytest.mark.parametrize(
    ("collections", "allowed"),
    [({"urn:x:members": (COMPANY,)}, True), ({"urn:x:members": (OTHER,)}, False), ({}, False)],
    ids=["a member", "no member", "nobody says"],
)
def test_a_party_collection_means_its_members(
    engine: EmbeddedEngine, collections: Any, allowed: bool
) -> None:
    policy = set_of(permission(assignee=MEMBERS))
    assert engine.decide(question(policy, facts=Facts(collections=collections))).allow is allowed
    barred = set_of(permission(), prohibition=[permission(assignee=MEMBERS)])
    assert engine.decide(question(barred, facts=Facts(collections=collections))).allow is (
        collections == {"urn:x:members": (OTHER,)}
    ), "a prohibition in doubt binds"


def test_a_refined_collection_means_those_of_its_members(engine: EmbeddedEngine) -> None:
    policy = set_of(
        permission(
            assignee={"@type": "PartyCollection", "source": "urn:x:members", "refinement": NORDIC},
            target={"@type": "AssetCollection", "@id": "urn:x:meters"},
        )
    )
    facts = Facts(collections={"urn:x:members": (COMPANY,), "urn:x:meters": ("urn:bylag:dataset:energy",)})
    for country, allowed in (("SE", True), ("US", False), (None, False)):
        recipient = Recipient(COMPANY, None, {"country": country})
        assert engine.decide(question(policy, recipient=recipient, facts=facts)).allow is allowed


def test_a_refined_action_is_another_action(engine: EmbeddedEngine) -> None:
    def refined(bound: str) -> Document:
        soon = constraint("dateTime", "lt", bound)
        return offer({"action": {"rdf:value": {"@id": "use"}, "refinement": soon}})

    assert decide(engine, refined("2027-01-01T00:00:00Z")).allow
    assert decide(engine, refined("2027-01-01T00:00:00Z")).valid_until == 1_798_761_600_000
    assert not decide(engine, refined("2025-01-01T00:00:00Z")).allow


PARENT = {**offer(permission(action="read"), prohibition=[{"action": "sell"}]), "@id": "urn:x:parent"}


def test_a_policy_inherits_the_rules_of_a_policy_at_hand(engine: EmbeddedEngine) -> None:
    child = offer(permission(action="distribute"), inheritFrom="urn:x:parent", conflict="perm")
    policy = normalise(child, parents={"urn:x:parent": normalise({**PARENT, "conflict": "invalid"})})
    assert (policy.conflict, policy.inherits, len(policy.rules)) == ("perm", (), 3)
    assert normalise(as_odrl(policy)) == read_policy(decode(policy.encoded)) == policy
    for action, allowed in (("read", True), ("distribute", True), ("sell", False), ("print", False)):
        assert engine.decide(question(policy, action=action)).allow is allowed


def test_what_a_parent_states_for_all_its_rules_goes_with_them(engine: EmbeddedEngine) -> None:
    parent = normalise({**PARENT, "assignee": OTHER})
    child = offer(permission(action="distribute", assignee=COMPANY), inheritFrom=["urn:x:parent"])
    policy = normalise(child, parents={"urn:x:parent": parent})
    assert not engine.decide(question(policy, action="read")).allow
    assert engine.decide(question(policy, action="read", recipient=Recipient(OTHER))).allow


def test_a_parent_that_is_not_at_hand_is_refused_by_name() -> None:
    with pytest.raises(PolicyRefused) as refused:
        normalise(offer(permission(), inheritFrom=["urn:x:parent", "urn:x:other"]), parents={})
    assert (refused.value.term, refused.value.field) == ("inheritFrom", "inheritFrom[0]")


def test_a_peer_cannot_hand_over_a_policy_that_still_names_parents() -> None:
    content = agreed(offer(permission())).content
    with pytest.raises(MalformedPolicy):
        read_policy({**content, "inherits": ["urn:x:parent"]})


def test_child_and_parent_may_not_mean_different_things_by_one_name() -> None:
    parent = normalise({**PARENT, "permission": [{"@id": "urn:x:rule", "action": "read"}]})
    with pytest.raises(MalformedPolicy, match="one id"):
        normalise(
            offer({"@id": "urn:x:rule", "action": "sell"}, inheritFrom="urn:x:parent"),
            parents={"urn:x:parent": parent},
        )
