"""What a policy must leave possible before it is offered: to be signed, and to be used under."""

from __future__ import annotations

from typing import Any

import pytest

from connector.policy.errors import MalformedPolicy
from connector.policy.normal import NormalPolicy
from connector.policy.offered import check_offered, check_purpose, for_purpose, purposes_named
from connector.policy.parse import normalise
from connector.policy.reading import read_policy
from ledger.names import DatasetId, ParticipantId

DPV = "https://w3id.org/dpv#"
CITY, TABLE = ParticipantId("did:web:city.example"), DatasetId("table")


def purposed(name: str, operator: str = "isA") -> dict[str, Any]:
    return {"leftOperand": "purpose", "operator": operator, "rightOperand": f"dpv:{name}"}


COUNTED = {"leftOperand": "count", "operator": "lteq", "rightOperand": 3}


def policy(*permissions: dict[str, Any], **members: Any) -> NormalPolicy:
    rules: list[Any] = [{"action": "use", **permission} for permission in permissions]
    return normalise(
        {
            "@context": "http://www.w3.org/ns/odrl.jsonld",
            "@type": "Offer",
            "uid": "urn:x:offer",
            **members,
            "permission": rules,
        }
    )


RESEARCH = policy({"constraint": [purposed("ResearchAndDevelopment"), COUNTED]})


@pytest.mark.parametrize("member", ["target", "assigner"])
def test_an_offer_about_something_else_or_of_somebody_else_is_refused(member: str) -> None:
    other = policy({}, **{member: "urn:x:another"})
    with pytest.raises(MalformedPolicy) as refused:
        check_offered(other, CITY, TABLE, f"{DPV}PublicBenefit")
    assert refused.value.field == member


def test_an_offer_names_its_provider_its_dataset_and_one_recipient_or_leaves_them_open() -> None:
    check_offered(policy({}), CITY, TABLE, f"{DPV}PublicBenefit")
    named = policy({}, target=TABLE, assigner=CITY, assignee="did:web:company.example")
    check_offered(named, CITY, TABLE, f"{DPV}PublicBenefit")
    two = policy({"assignee": "did:web:one.example"}, {"assignee": "did:web:two.example"})
    with pytest.raises(MalformedPolicy):
        check_offered(two, CITY, TABLE, f"{DPV}PublicBenefit")


@pytest.mark.parametrize(
    ("purpose", "holds"),
    [
        ("ResearchAndDevelopment", True),
        ("AcademicResearch", True),
        ("Purpose", True),
        ("PublicBenefit", False),
        ("Marketing", False),
    ],
)
def test_a_purpose_for_which_nothing_is_permitted_is_refused(purpose: str, holds: bool) -> None:
    if holds:
        check_purpose(RESEARCH, DPV + purpose)
        return
    with pytest.raises(MalformedPolicy) as refused:
        check_purpose(RESEARCH, DPV + purpose)
    assert refused.value.field == "purpose"
    assert "ResearchAndDevelopment" in refused.value.message


def test_one_permission_that_can_hold_is_enough() -> None:
    check_purpose(policy({"constraint": [purposed("Marketing")]}, {}), f"{DPV}PublicBenefit")
    later = {"leftOperand": "dateTime", "operator": "gt", "rightOperand": "2030-01-01T00:00:00Z"}
    either = {"constraint": {"or": [purposed("Marketing"), later]}}
    check_purpose(policy(either), f"{DPV}PublicBenefit")


def test_the_purposes_that_a_policy_names_are_read_from_its_permissions() -> None:
    assert purposes_named(RESEARCH) == (f"{DPV}ResearchAndDevelopment",)
    assert purposes_named(policy({})) == ()
    two = policy({"constraint": [purposed("Marketing")]}, {"constraint": [purposed("PublicBenefit")]})
    assert set(purposes_named(two)) == {f"{DPV}Marketing", f"{DPV}PublicBenefit"}


def test_another_purpose_takes_the_place_of_the_one_that_permissions_ask_for() -> None:
    other = for_purpose(RESEARCH, f"{DPV}ResearchAndDevelopment", f"{DPV}Marketing")
    assert purposes_named(other) == (f"{DPV}Marketing",)
    check_purpose(other, f"{DPV}Marketing")
    assert read_policy(other.content) == other
    assert for_purpose(RESEARCH, f"{DPV}PublicBenefit", f"{DPV}Marketing") == RESEARCH
