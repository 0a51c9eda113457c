"""Single changes to a question that could change its answer: what else might have been asked, or been so.

Rules that hold here:

* These are guesses to be asked, nothing more: whether one changes the answer, the engine says
  (``connector.policy.explain``).
* A change is to one fact, with all members of the question that the fact stands in.
* For each comparison of the policy there is a change with which it holds and one with which it does not,
  at the nearest value where there is an order: the moment at which a period begins or ends, the last
  use within a limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from connector.policy.coverage import TABLE, FactFrom
from connector.policy.input import CONFIGURED_AREA, counter_name
from connector.policy.normal import Entity, Leaf, NormalPolicy, leaves_of
from connector.policy.supposed import Edit, all_duties, at, moved, own_leaves, placed, stated
from connector.policy.values import LATEST_MOMENT
from connector.policy.vocabulary import (
    DPV,
    MEASURED_OPERANDS,
    NAMED_OPERANDS,
    RATE_WINDOWS,
    RESERVED_OPERANDS,
    local_name,
)
from ledger.canonical import JSON, JSONObject

MOST: Final = 300
"""Changes to one question; a policy with more to compare is searched no further."""

MOST_MOMENTS: Final = 60
"""The nearest ones: a long list of periods must not keep other changes from being asked about."""

SOMEBODY_ELSE: Final = "did:web:somebody-else.example"
SOMETHING_ELSE: Final = "urn:bylag:profile:1:something-else"
SOME_GROUND: Final = "urn:bylag:profile:1:some-ground"
OTHER_PURPOSES: Final = tuple(DPV + name for name in ("Marketing", "ServiceManagement", "Purpose"))


@dataclass(frozen=True, slots=True)
class Change:
    """One fact with another value. ``about`` says which of several: a counter, duty or collection."""

    fact: str
    was: JSON
    to: JSON
    edits: tuple[Edit, ...]
    about: str | None = None

    @property
    def place(self) -> tuple[str, str | None]:
        """What it changes: of two changes at one place only one can be so."""
        return self.fact, self.about

    @property
    def source(self) -> FactFrom | None:
        """Who says this fact, by the coverage table."""
        row = TABLE.get(_ROWS.get(self.fact, self.fact))
        return row.fact if row is not None else None

    def to_json(self) -> JSONObject:
        return {
            "fact": self.fact,
            "about": self.about,
            "was": self.was,
            "to": self.to,
            "from": self.source.value if self.source is not None else None,
        }


_ROWS: Final = {
    "time": "dateTime",
    "action": "use",
    "recipient": "recipient",
    "collection": "PartyCollection",
    "country": "spatial",
}


def candidates(question: JSONObject, policy: NormalPolicy) -> list[Change]:
    """Changes worth asking about, the likeliest first, none of which leaves the question as it is."""
    leaves = [leaf for rule in policy.rules for leaf in own_leaves(rule)]
    shared = [entity for entity in (policy.assignee, policy.target) if entity is not None]
    leaves += [leaf for entity in shared if entity.refinement for leaf in leaves_of(entity.refinement)]
    found: dict[tuple[tuple[str, str | None], str], Change] = {}
    for make in (
        _purposes(question, leaves),
        _moments(question, leaves),
        _counters(question, policy),
        _duties(question, policy),
        _named(question, leaves),
        _measured(question, leaves),
        _recipients(question, policy, leaves),
        _actions(question, policy),
        _datasets(question, policy),
        _areas(question),
    ):
        for change in make:
            if change.was != change.to:
                found.setdefault((change.place, repr(change.to)), change)
    return list(found.values())[:MOST]


def are_all(found: list[Change]) -> bool:
    """Whether :func:`candidates` gave all that it could have made: no bound cut them short."""
    moments = sum(change.fact == "time" for change in found)
    return len(found) < MOST and moments < MOST_MOMENTS - 1  # the moment that holds is none


def _purposes(question: JSONObject, leaves: list[Leaf]) -> Iterator[Change]:
    was, agreed = at(question, ("request", "purpose")), at(question, ("agreement", "purpose"))
    named = [value for leaf in leaves if leaf.left == "purpose" for value in _values(leaf)]
    for purpose in (*named, agreed, *OTHER_PURPOSES):
        if isinstance(purpose, str):
            yield Change("purpose", was, purpose, ((("request", "purpose"), purpose),))


def _moments(question: JSONObject, leaves: list[Leaf]) -> Iterator[Change]:
    now, began = at(question, ("facts", "now")), at(question, ("facts", "began"))
    if not isinstance(now, int):
        return
    bounds: set[int] = set()
    for leaf in leaves:
        for right in _values(leaf):
            if not isinstance(right, int):
                continue
            if leaf.left == "dateTime":
                bounds.add(right)
            elif leaf.left in ("elapsedTime", "delayPeriod") and isinstance(began, int):
                bounds |= {began, began + right}
            elif leaf.left == "timeInterval":
                bounds |= {last + right for last in _last_uses(question)}
        if leaf.left == "bylag:rate":
            length = RATE_WINDOWS[_window(leaf)]
            bounds.add(now - now % length + length)
    points = {bound + step for bound in bounds for step in (-1, 0, 1)}
    nearest = sorted(points, key=lambda moment: (abs(moment - now), moment))
    for point in nearest[:MOST_MOMENTS]:
        if 0 <= point <= LATEST_MOMENT:
            yield Change("time", now, point, tuple(moved(question, point)))


def _counters(question: JSONObject, policy: NormalPolicy) -> Iterator[Change]:
    known, now = at(question, ("facts", "counters")), at(question, ("facts", "now"))
    counters = known if isinstance(known, dict) else {}
    for rule in policy.rules:
        for leaf in own_leaves(rule):
            if leaf.left not in RESERVED_OPERANDS or not isinstance(leaf.right, int):
                continue
            name = counter_name(leaf.left, leaf.unit, rule.id)
            limit = leaf.right - 1 if leaf.operator == "lt" else leaf.right
            values = (now, 0) if leaf.left == "timeInterval" else (limit - 1, limit)
            for value in values:
                if isinstance(value, int) and value >= 0:
                    edits = ((("facts", "counters", str(name)), value),)
                    yield Change(leaf.left, counters.get(str(name)), value, edits, str(name))


def _duties(question: JSONObject, policy: NormalPolicy) -> Iterator[Change]:
    known = at(question, ("facts", "duties"))
    states = known if isinstance(known, dict) else {}
    for duty in all_duties(policy):
        for state in ("fulfilled", "violated"):
            edits = ((("facts", "duties", duty.id), state),)
            yield Change("duty", states.get(duty.id), state, edits, duty.id)


def _named(question: JSONObject, leaves: list[Leaf]) -> Iterator[Change]:
    for leaf in leaves:
        if leaf.left not in NAMED_OPERANDS or leaf.left == "unitOfCount":
            continue
        was = at(question, ("facts", "values", leaf.left))
        values = [str(value) for value in _values(leaf)]
        each: list[list[str]] = [values] if leaf.operator == "isAllOf" else [[value] for value in values]
        for names in (*each, [SOMETHING_ELSE]):
            if leaf.left == "spatial" and names == [CONFIGURED_AREA]:
                continue  # the area is changed as a whole, see below
            fact: JSON = {name: [] for name in names}
            yield Change(leaf.left, was, fact, tuple(stated(question, leaf.left, fact)))


def _measured(question: JSONObject, leaves: list[Leaf]) -> Iterator[Change]:
    for leaf in leaves:
        if leaf.left not in MEASURED_OPERANDS or not isinstance(leaf.right, int):
            continue
        was = at(question, ("facts", "values", leaf.left))
        for value in (leaf.right, leaf.right - 1, leaf.right + 1):
            if value >= 0:
                fact: JSON = {"value": value, "unit": leaf.unit}
                yield Change(leaf.left, was, fact, tuple(stated(question, leaf.left, fact)))


def _recipients(question: JSONObject, policy: NormalPolicy, leaves: list[Leaf]) -> Iterator[Change]:
    did, unit = at(question, ("request", "recipient", "did")), at(question, ("request", "recipient", "unit"))
    was = f"{did}#{unit}" if unit else did
    parties = [policy.assignee, *(rule.parties.get("assignee") for rule in policy.rules)]
    named = [party.id for party in parties if party is not None and party.id and not party.collection]
    named += [str(value) for leaf in leaves if leaf.left == "recipient" for value in _values(leaf)]
    for name in (*named, SOMEBODY_ELSE):
        if name.startswith("did:"):
            organisation, _, part = name.partition("#")
            edits: tuple[Edit, ...] = (
                (("request", "recipient", "did"), organisation),
                (("request", "recipient", "unit"), part or None),
            )
            yield Change("recipient", was, name, edits)
    for collection in sorted({*_collections(parties), *(name for name in named if "did:" not in name)}):
        yield from _memberships(question, collection, str(did))


def _memberships(question: JSONObject, collection: str, did: str) -> Iterator[Change]:
    known = at(question, ("facts", "collections"))
    collections = known if isinstance(known, dict) else {}
    listed = collections.get(collection)
    members = [str(member) for member in listed] if isinstance(listed, list) else None
    was = None if members is None else did in members
    for is_member in (True, False):
        others = [member for member in members or [] if member != did]
        after = list[JSON](sorted([*others, did] if is_member else others))
        yield Change(
            "collection", was, is_member, ((("facts", "collections", collection), after),), collection
        )


def _actions(question: JSONObject, policy: NormalPolicy) -> Iterator[Change]:
    was = at(question, ("request", "action"))
    for name in sorted({rule.action.name for rule in policy.rules if rule.action is not None} | {"use"}):
        yield Change("action", was, name, ((("request", "action"), name),))


def _datasets(question: JSONObject, policy: NormalPolicy) -> Iterator[Change]:
    was = at(question, ("request", "dataset"))
    targets = [policy.target, *(rule.target for rule in policy.rules)]
    named = [target.id for target in targets if target is not None and target.id and not target.collection]
    for name in (*named, SOMETHING_ELSE):
        yield Change("dataset", was, name, ((("request", "dataset"), name),))


def _areas(question: JSONObject) -> Iterator[Change]:
    area = at(question, ("facts", "area"))
    if not isinstance(area, list):
        return
    was = at(question, ("request", "recipient", "attributes", "country"))
    for country in (*area[:1], "XX"):
        yield Change("country", was, country, tuple(placed(question, str(country))))
    ground = at(question, ("facts", "transfer"))
    for name in (SOME_GROUND, None):
        yield Change("transfer", ground, name, ((("facts", "transfer"), name),))


def _values(leaf: Leaf) -> tuple[int | str, ...]:
    return leaf.right if isinstance(leaf.right, tuple) else (leaf.right,)


def _window(leaf: Leaf) -> str:
    return "day" if leaf.unit is None else local_name(leaf.unit).removeprefix("bylag:")


def _last_uses(question: JSONObject) -> list[int]:
    counters = at(question, ("facts", "counters"))
    if not isinstance(counters, dict):
        return []
    return [last for name, last in counters.items() if name.startswith("last:") and isinstance(last, int)]


def _collections(parties: list[Entity | None]) -> list[str]:
    named = [party for party in parties if party is not None and party.collection]
    return [name for party in named for name in (party.id, party.source) if name is not None]
