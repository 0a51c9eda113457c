"""The facts that stand for a session: what a decision compares the policy with, beside clock and counters.

Rules that hold here:

* Every fact is always in the question. What is not known is null, and a rule that needs it is unknown:
  that never lets data out.
* A collection that is attested has all its members listed, so that who is missing is no member. About a
  collection that is not listed nothing is known.
* A named fact is a value with everything wider that it lies in, in the vocabulary it is taken from. So the
  rulebook needs no table of places or legal grounds, and an old question can be decided again.
* Legal basis, secrecy ground and consent are three facts; none stands in for another.

Where each fact comes from, and which have no source in the connector yet, says ``connector.policy.coverage``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias

from connector.policy.normal import NormalPolicy, Rule
from connector.policy.vocabulary import MEASURED_OPERANDS, NAMED_OPERANDS
from ledger.canonical import JSON, JSONObject
from ledger.names import Milliseconds

DutyState: TypeAlias = Literal["unset", "pending", "fulfilled", "violated"]
"""``unset``: not arisen. ``pending``: owed. ``violated``: not done when it was due."""

UNSET: Final[DutyState] = "unset"

Named: TypeAlias = Mapping[str, Sequence[str]]
"""Each value that holds, with everything wider that it lies in."""


class Quantity(NamedTuple):
    """A measured number: money in minor units of the currency ``unit``, bytes, or milliseconds."""

    value: int
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known for a session. The usual one knows nothing beyond the question itself.

    ``began`` is when the agreement began. ``area`` holds the ISO 3166 codes of the countries where data may
    be received and processed without a transfer ground; None sets no bounds. ``transfer`` is the ground, as
    the configuration names it, on which data may leave the area. ``duties`` are states by the duty's id.
    """

    began: Milliseconds | None = None
    area: tuple[str, ...] | None = None
    transfer: str | None = None
    collections: Mapping[str, Sequence[str]] = field(default_factory=dict)
    duties: Mapping[str, DutyState] = field(default_factory=dict)
    named: Mapping[str, Named] = field(default_factory=dict)
    measured: Mapping[str, Quantity] = field(default_factory=dict)


NOTHING_MORE: Final = Facts()


def duty_ids(policy: NormalPolicy) -> tuple[str, ...]:
    """The ids of all duties of a policy: on rules, in answer to a breach, and those that stand alone."""
    found = [rule.id for rule in policy.rules if rule.kind == "obligation"]
    return tuple(sorted({*found, *(duty.id for rule in policy.rules for duty in _inside(rule))}))


def _inside(rule: Rule) -> list[Rule]:
    return [duty for below in rule.below() for duty in (below, *_inside(below))]


def written_facts(facts: Facts, policy: NormalPolicy, known: Mapping[str, Named]) -> JSONObject:
    """All standing facts as they stand in a question. ``known`` follows from the question's other fields."""
    named = {**facts.named, **known}
    values: JSONObject = {name: _named(named.get(name)) for name in NAMED_OPERANDS}
    values |= {name: _quantity(facts.measured.get(name)) for name in MEASURED_OPERANDS}
    return {
        "area": None if facts.area is None else list[JSON](sorted(facts.area)),
        "began": facts.began,
        "collections": {name: list[JSON](sorted(members)) for name, members in facts.collections.items()},
        "duties": {name: facts.duties.get(name, UNSET) for name in duty_ids(policy)},
        "transfer": facts.transfer,
        "values": values,
    }


def _named(fact: Named | None) -> JSONObject | None:
    return None if fact is None else {value: list[JSON](sorted(wider)) for value, wider in fact.items()}


def _quantity(fact: Quantity | None) -> JSONObject | None:
    return None if fact is None else {"value": fact.value, "unit": fact.unit}
