"""Policies and requests as hypothesis draws them: ODRL documents of all that is enforced."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from connector.policy.input import AgreementFacts, DecisionInput, Moving, Recipient, counters_of
from connector.policy.normal import NormalPolicy
from connector.policy.parse import normalise
from connector.policy.values import written_moment
from ledger.names import AgreementId, DatasetId, Milliseconds, ParticipantId, UnitId
from tests.policy.world import CITY, COMPANY, DPV, ENERGY, NOON, OTHER, Document, constraint, standing

PURPOSES = [
    DPV + name
    for name in (
        "Purpose",
        "ResearchAndDevelopment",
        "ScientificResearch",
        "AcademicResearch",
        "CommercialPurpose",
        "CommercialResearch",
        "Marketing",
        "DirectMarketing",
        "PublicBenefit",
    )
]
ACTIONS = ["use", "read", "distribute", "reproduce", "extract", "transfer", "sell", "cc:Distribution"]
PARTIES = [COMPANY, OTHER, COMPANY + "#lab", COMPANY + "#sales"]
MOMENTS = [NOON + step for step in (-86_400_000, -1, 0, 1, 1000, 86_400_000)]


def purposes() -> st.SearchStrategy[str]:
    return st.sampled_from(PURPOSES)


def _moment_leaves() -> st.SearchStrategy[Document]:
    operators = st.sampled_from(["eq", "neq", "lt", "lteq", "gt", "gteq"])
    literals = st.sampled_from([written_moment(moment) for moment in MOMENTS])
    return st.builds(constraint, st.just("dateTime"), operators, literals)


def _naming_leaves(left: str, one: list[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[Document]:
    return st.one_of(
        st.builds(constraint, st.just(left), st.sampled_from(one), values),
        st.builds(
            constraint,
            st.just(left),
            st.sampled_from(["isAnyOf", "isNoneOf"]),
            st.lists(values, min_size=1, max_size=3),
        ),
    )


def leaves() -> st.SearchStrategy[Document]:
    return st.one_of(
        _moment_leaves(),
        _naming_leaves("purpose", ["eq", "neq", "isA"], purposes()),
        _naming_leaves("recipient", ["eq", "neq"], st.sampled_from(PARTIES)),
    )


def _under_logic(operands: st.SearchStrategy[Document]) -> st.SearchStrategy[Document]:
    return st.dictionaries(
        st.sampled_from(["and", "or", "xone"]),
        st.lists(operands, min_size=1, max_size=3),
        min_size=1,
        max_size=1,
    )


def constraints() -> st.SearchStrategy[Document]:
    """Trees of at most three operators inside one another."""
    tree = leaves()
    for _ in range(3):
        tree = st.one_of(leaves(), _under_logic(tree))
    return tree


def rules(*, counted: bool) -> st.SearchStrategy[Document]:
    counts = st.builds(
        constraint, st.just("count"), st.sampled_from(["lt", "lteq"]), st.integers(0, 4).map(str)
    )
    listed = st.lists(constraints(), max_size=3)
    if counted:
        listed = st.builds(lambda some, count: some + count, listed, st.lists(counts, max_size=2))
    return st.fixed_dictionaries(
        {"action": st.sampled_from(ACTIONS)},
        optional={
            "constraint": listed,
            "assignee": st.sampled_from(PARTIES),
            "target": st.sampled_from([ENERGY, "urn:bylag:dataset:weather"]),
        },
    )


def documents() -> st.SearchStrategy[Document]:
    """ODRL Sets with permissions and prohibitions, all of whose terms are enforced."""
    return st.fixed_dictionaries(
        {
            "@type": st.sampled_from(["Set", "Offer", "odrl:Set"]),
            "permission": st.lists(rules(counted=True), min_size=1, max_size=3),
        },
        optional={
            "prohibition": st.lists(rules(counted=False), max_size=2),
            "conflict": st.sampled_from(["perm", "prohibit", "invalid"]),
            "assigner": st.just(CITY),
            "@id": st.just("urn:uuid:2828282a-3dd1-4d2d-869e-d634839483aa"),
        },
    )


def cases() -> st.SearchStrategy[list[DecisionInput]]:
    """A policy, and several questions under it: policies cost most to draw."""
    policies = st.builds(normalise, documents())
    return policies.flatmap(lambda policy: st.lists(questions(policy), min_size=5, max_size=5))


@st.composite
def questions(draw: st.DrawFn, policy: NormalPolicy) -> DecisionInput:
    """Somebody who asks under a policy."""
    counters = {name: draw(st.integers(0, 5)) for name in counters_of(policy)}
    changes: dict[str, Any] = {
        "action": draw(st.sampled_from(["read", "use", "distribute", "extract", "sell"])),
        "purpose": draw(st.one_of(purposes(), st.none())),
        "recipient": Recipient(
            ParticipantId(draw(st.sampled_from([COMPANY, OTHER]))),
            draw(st.sampled_from([None, UnitId("lab"), UnitId("sales")])),
            {"kind": "company"},
        ),
        "dataset": DatasetId(draw(st.sampled_from([ENERGY, "urn:bylag:dataset:weather"]))),
        "agreement": AgreementFacts(AgreementId("a" * 32), "d" * 64, draw(st.one_of(st.none(), purposes()))),
    }
    now = Milliseconds(draw(st.sampled_from(MOMENTS)))
    return standing(policy, **changes).at(Moving(now, counters, "n"))
