"""Policies and requests as hypothesis draws them: ODRL documents of all that is enforced."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from hypothesis import strategies as st

from connector.policy.facts import DutyState, Facts, Quantity, duty_ids
from connector.policy.input import (
    AgreementFacts,
    CounterName,
    DecisionInput,
    Moving,
    Recipient,
    counters_of,
)
from connector.policy.normal import NormalPolicy
from connector.policy.normal import leaves as leaves_in
from connector.policy.parse import normalise
from connector.policy.values import written_moment
from connector.policy.vocabulary import (
    LEFT_OPERANDS,
    MEASURED_OPERANDS,
    NAMED_OPERANDS,
    PLACES,
    PROFILE,
    RATE_WINDOWS,
    SET_OPERATORS,
)
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


NAMED: dict[str, list[str]] = {
    name: ["SE", "DK", "US"]
    if name in PLACES
    else [f"urn:x:{name.removeprefix('bylag:')}:{n}" for n in "abc"]
    for name in NAMED_OPERANDS
}
"""A few values of each operand that is compared by name."""
COLLECTIONS = ["urn:x:members", "urn:x:meters", "urn:x:area", "urn:x:unheard"]
STATES: list[DutyState] = ["unset", "pending", "fulfilled", "violated"]
WINDOWS = [PROFILE + name for name in RATE_WINDOWS]


@st.composite
def _named_leaves(draw: st.DrawFn) -> Document:
    left = draw(st.sampled_from(NAMED_OPERANDS))
    operator = draw(st.sampled_from(LEFT_OPERANDS[left].operators))
    values = st.sampled_from(NAMED[left])
    if operator in SET_OPERATORS:
        return constraint(left, operator, draw(st.lists(values, min_size=1, max_size=3)))
    if operator == "isPartOf":
        values = st.one_of(values, st.sampled_from(COLLECTIONS))
    return constraint(left, operator, draw(values))


def _measured_leaves() -> st.SearchStrategy[Document]:
    operators = st.sampled_from(["eq", "neq", "lt", "lteq", "gt", "gteq"])
    numbers = st.integers(0, 4).map(str)
    sizes = st.sampled_from(["absoluteSize", "percentage", "bylag:aggregationLevel"])
    money = st.builds(
        lambda leaf, unit: {**leaf, "unit": unit},
        st.builds(constraint, st.just("payAmount"), operators, numbers),
        st.sampled_from(["urn:x:SEK", "urn:x:EUR"]),
    )
    kept = st.builds(
        constraint, st.just("bylag:retentionPeriod"), operators, st.sampled_from(["PT0.002S", "P30D"])
    )
    return st.one_of(st.builds(constraint, sizes, operators, numbers), money, kept)


def _elapsed_leaves() -> st.SearchStrategy[Document]:
    durations = st.sampled_from(["PT0.001S", "PT1S", "P1D", "P99999999D"])
    return st.one_of(
        st.builds(constraint, st.just("elapsedTime"), st.sampled_from(["eq", "lt", "lteq"]), durations),
        st.builds(constraint, st.just("delayPeriod"), st.sampled_from(["eq", "gt", "gteq"]), durations),
    )


def leaves() -> st.SearchStrategy[Document]:
    """Comparisons of every operand that is enforced, but for those that count uses."""
    return st.one_of(
        _moment_leaves(),
        _naming_leaves("purpose", ["eq", "neq", "isA"], purposes()),
        _naming_leaves("recipient", ["eq", "neq", "isPartOf"], st.sampled_from([*PARTIES, *COLLECTIONS[:1]])),
        _named_leaves(),
        _measured_leaves(),
        _elapsed_leaves(),
    )


def counts() -> st.SearchStrategy[Document]:
    """Comparisons that count uses: for a permission alone."""
    limits = st.integers(0, 4).map(str)
    rates = st.builds(
        lambda leaf, unit: {**leaf, **unit},
        st.builds(constraint, st.just("bylag:rate"), st.sampled_from(["eq", "lt", "lteq"]), limits),
        st.one_of(st.just({}), st.sampled_from(WINDOWS).map(lambda unit: {"unit": unit})),
    )
    times = st.sampled_from(["PT0.003S", "PT1S", "P1D"])
    return st.one_of(
        st.builds(constraint, st.just("count"), st.sampled_from(["lt", "lteq"]), limits),
        rates,
        st.builds(constraint, st.just("timeInterval"), st.sampled_from(["eq", "gt", "gteq"]), times),
        st.builds(constraint, st.just("meteredTime"), st.sampled_from(["eq", "lt", "lteq"]), times),
    )


def _under_logic(operands: st.SearchStrategy[Document]) -> st.SearchStrategy[Document]:
    return st.dictionaries(
        st.sampled_from(["and", "or", "xone", "andSequence"]),
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


def refined(named: st.SearchStrategy[Any], wrap: Any) -> st.SearchStrategy[Any]:
    """Something as it is, or refined."""
    return st.one_of(named, st.builds(wrap, named, st.lists(constraints(), min_size=1, max_size=2)))


def actions() -> st.SearchStrategy[Any]:
    return refined(
        st.sampled_from(ACTIONS), lambda name, found: {"rdf:value": {"@id": name}, "refinement": found}
    )


def entities(kind: str, names: list[str]) -> st.SearchStrategy[Any]:
    """A party or an asset, or a collection of them, perhaps refined."""
    collections = st.fixed_dictionaries(
        {"@type": st.just(kind + "Collection"), "source": st.sampled_from(COLLECTIONS)},
        optional={
            "@id": st.sampled_from(COLLECTIONS),
            "refinement": st.lists(constraints(), min_size=1, max_size=1),
        },
    )
    return st.one_of(st.sampled_from(names), collections)


def due_times() -> st.SearchStrategy[Document]:
    """Until when a duty is to be done."""
    durations = st.sampled_from(["PT0.001S", "P1D", "P99999999D"])
    moments = st.sampled_from([written_moment(moment) for moment in MOMENTS])
    return st.one_of(
        st.builds(constraint, st.just("elapsedTime"), st.sampled_from(["eq", "lt", "lteq"]), durations),
        st.builds(constraint, st.just("delayPeriod"), st.just("eq"), durations),
        st.builds(constraint, st.just("dateTime"), st.sampled_from(["lt", "lteq"]), moments),
    )


BILL = {
    "rdf:value": {"@id": "compensate"},
    "refinement": [constraint("payAmount", "eq", "5") | {"unit": "urn:x:SEK"}],
}
DUTIES: dict[str, list[Any]] = {
    "duty": ["inform", "attribute", "delete", "obtainConsent", BILL],
    "consequence": ["compensate", "archive", "uninstall"],
    "last": ["watermark", "move"],
    "remedy": ["anonymize", "reviewPolicy"],
    "obligation": ["annotate", "translate"],
}
"""What may be owed where: a duty that is named by its content stands at one place in a policy."""


def duties(place: str) -> st.SearchStrategy[Document]:
    """Duties with consequences and due times; their actions include those that come first."""
    optional: dict[str, st.SearchStrategy[Any]] = {"constraint": st.lists(due_times(), max_size=2)}
    if place in ("duty", "consequence"):
        optional["consequence"] = st.lists(duties("consequence" if place == "duty" else "last"), max_size=2)
    return st.fixed_dictionaries({"action": st.sampled_from(DUTIES[place])}, optional=optional)


def rules(*, counted: bool, inner: str | None = None) -> st.SearchStrategy[Document]:
    listed = st.lists(constraints(), max_size=3)
    if counted:
        listed = st.builds(lambda some, count: some + count, listed, st.lists(counts(), max_size=2))
    optional: dict[str, st.SearchStrategy[Any]] = {
        "constraint": listed,
        "assignee": entities("Party", PARTIES),
        "target": entities("Asset", [ENERGY, "urn:bylag:dataset:weather"]),
    }
    if inner is not None:
        optional[inner] = st.lists(duties(inner), max_size=2)
    return st.fixed_dictionaries({"action": actions()}, optional=optional)


def documents() -> st.SearchStrategy[Document]:
    """ODRL Sets with permissions and prohibitions, all of whose terms are enforced."""
    return st.fixed_dictionaries(
        {
            "@type": st.sampled_from(["Set", "Offer", "odrl:Set"]),
            "permission": st.lists(rules(counted=True, inner="duty"), min_size=1, max_size=3),
        },
        optional={
            "prohibition": st.lists(rules(counted=False, inner="remedy"), max_size=2),
            "obligation": st.lists(duties("obligation"), max_size=2),
            "conflict": st.sampled_from(["perm", "prohibit", "invalid"]),
            "assigner": st.just(CITY),
            "@id": st.just("urn:uuid:2828282a-3dd1-4d2d-869e-d634839483aa"),
        },
    )


def cases() -> st.SearchStrategy[list[DecisionInput]]:
    """A policy, and several questions under it: policies cost most to draw."""
    policies = st.builds(normalise, documents())
    return policies.flatmap(
        lambda policy: st.lists(
            questions(policy), min_size=5, max_size=5, unique_by=lambda question: question.digest
        )
    )


def _values(named: Collection[str]) -> st.SearchStrategy[dict[str, Any]]:
    """What holds, of the operands that a policy names: others cost time and change nothing."""
    return st.fixed_dictionaries(
        {},
        optional={
            name: st.dictionaries(
                st.sampled_from(values),
                st.lists(st.sampled_from([*values, *COLLECTIONS]), max_size=2),
                max_size=2,
            )
            for name, values in NAMED.items()
            if name in named
        },
    )


def _collections() -> st.SearchStrategy[dict[str, list[str]]]:
    members = [*PARTIES, ENERGY, "SE", "DK", *NAMED["event"]]
    return st.dictionaries(
        st.sampled_from([*COLLECTIONS[:3], "SE", NAMED["event"][0]]),
        st.lists(st.sampled_from(members), max_size=3),
    )


def _quantities() -> st.SearchStrategy[dict[str, Quantity]]:
    units = st.sampled_from([None, "urn:x:SEK", "urn:x:EUR"])
    return st.dictionaries(
        st.sampled_from(MEASURED_OPERANDS), st.builds(Quantity, st.integers(0, 4), units), max_size=3
    )


BEGINNINGS = [None, *(Milliseconds(NOON + off) for off in (0, -1000, -86_400_000, 1000))]


@st.composite
def facts(draw: st.DrawFn, policy: NormalPolicy) -> Facts:
    """What may be known of a request under a policy, or not."""
    named = {leaf.left for rule in policy.rules for leaf in leaves_in(rule)}
    return Facts(
        began=draw(st.sampled_from(BEGINNINGS)),
        area=draw(st.sampled_from([None, None, None, (), ("SE",), ("DK", "SE")])),
        transfer=draw(st.sampled_from([None, None, "urn:x:adequacy"])),
        collections=draw(_collections()),
        duties={name: draw(st.sampled_from(STATES)) for name in duty_ids(policy) if draw(st.booleans())},
        named=draw(_values({*named, draw(st.sampled_from(NAMED_OPERANDS))})),
        measured=draw(_quantities()),
    )


def _counter(name: CounterName) -> st.SearchStrategy[int]:
    if name.startswith("last:"):
        return st.sampled_from([0, NOON - 86_400_000, NOON - 1000, NOON - 3, NOON])
    return st.integers(0, 5)


@st.composite
def questions(draw: st.DrawFn, policy: NormalPolicy) -> DecisionInput:
    """Somebody who asks under a policy."""
    counters = {name: draw(_counter(name)) for name in counters_of(policy) if draw(st.integers(0, 9))}
    attributes: dict[str, Any] = {
        "kind": "company",
        "country": draw(st.sampled_from([None, "SE", "US"])),
        "industry": draw(st.sampled_from([None, *NAMED["industry"]])),
    }
    changes: dict[str, Any] = {
        "action": draw(st.sampled_from(["read", "use", "distribute", "extract", "sell"])),
        "purpose": draw(st.one_of(purposes(), st.none())),
        "recipient": Recipient(
            ParticipantId(draw(st.sampled_from([COMPANY, OTHER]))),
            draw(st.sampled_from([None, UnitId("lab"), UnitId("sales")])),
            attributes,
        ),
        "dataset": DatasetId(draw(st.sampled_from([ENERGY, "urn:bylag:dataset:weather"]))),
        "agreement": AgreementFacts(AgreementId("a" * 32), "d" * 64, draw(st.one_of(st.none(), purposes()))),
        "facts": draw(facts(policy)),
    }
    now = Milliseconds(draw(st.sampled_from(MOMENTS)))
    return standing(policy, **changes).at(Moving(now, counters, "n"))
