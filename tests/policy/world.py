"""One small world for the tests of this room: a city, a company, a dataset, and policies about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connector.policy.input import (
    AgreementFacts,
    CounterName,
    DecisionInput,
    MembershipFacts,
    Moving,
    Recipient,
    Standing,
    counters_of,
)
from connector.policy.normal import NormalPolicy
from connector.policy.parse import normalise
from ledger.names import (
    AgreementId,
    DatasetId,
    ExchangeId,
    Milliseconds,
    ParticipantId,
    UnitId,
    VersionDigest,
)

CITY = ParticipantId("did:web:city.example")
COMPANY = ParticipantId("did:web:company.example")
OTHER = ParticipantId("did:web:other.example")
ENERGY = DatasetId("urn:bylag:dataset:energy")

DPV = "https://w3id.org/dpv#"
RESEARCH = DPV + "ResearchAndDevelopment"
SCIENTIFIC = DPV + "ScientificResearch"
MARKETING = DPV + "Marketing"

NOON = Milliseconds(1_767_268_800_000)
"""2026-01-01T12:00:00Z."""

Document = dict[str, Any]


def constraint(left: str, operator: str, right: Any) -> Document:
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


def permission(*constraints: Document, action: Any = "use", **more: Any) -> Document:
    return {"action": action, "constraint": list(constraints), **more}


def offer(*permissions: Document, **more: Any) -> Document:
    return {
        "@context": "http://www.w3.org/ns/odrl.jsonld",
        "@type": "Offer",
        "@id": "urn:uuid:6bcea82e-c509-443d-ba8c-8eef25984c07",
        "permission": list(permissions),
        **more,
    }


def agreed(document: Document) -> NormalPolicy:
    """What the city and the company agree on when the company takes the offer."""
    return normalise(document).agreed(
        name="urn:uuid:e8dc8655-44c2-46ef-b701-4cffdc2faa44", assigner=CITY, assignee=COMPANY, target=ENERGY
    )


def standing(policy: NormalPolicy, **changes: Any) -> Standing:
    """The company asks to read the dataset for scientific research."""
    usual = Standing(
        action="read",
        purpose=SCIENTIFIC,
        dataset=ENERGY,
        recipient=Recipient(COMPANY, None, {"kind": "company"}),
        policy=policy,
        agreement=AgreementFacts(AgreementId("a" * 32), "d" * 64, None),
        membership=MembershipFacts(3, "e" * 64),
        version=VersionDigest("f" * 64),
        exchange=ExchangeId("b" * 32),
    )
    return replace(usual, **changes)


def question(
    policy: NormalPolicy, *, now: int = NOON, uses: Mapping[CounterName, int] | int = 0, **changes: Any
) -> DecisionInput:
    counters = dict.fromkeys(counters_of(policy), uses) if isinstance(uses, int) else uses
    return standing(policy, **changes).at(Moving(Milliseconds(now), counters, "nonce"))


def unit(name: str) -> Recipient:
    return Recipient(COMPANY, UnitId(name), {"kind": "company"})
