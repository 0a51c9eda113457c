"""Questions that nobody asked: one made from what is supposed of a request and of the world.

Rules that hold here:

* A supposed question is a whole one, as a real one is: what nobody said has a default, or is null.
* A real question (an agreement's, a record's) may be the ground; what is said is put over it.
* What follows from another member follows here too: a recipient's country is also their place.
* What is said is validated like anything from outside, with the field named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from connector.policy.errors import MalformedPolicy
from connector.policy.facts import UNSET, Facts, duty_ids
from connector.policy.input import (
    CONFIGURED_AREA,
    RELEASE_ACTION,
    AgreementFacts,
    CounterName,
    MembershipFacts,
    Moving,
    Recipient,
    Standing,
    counters_of,
)
from connector.policy.normal import Entity, Leaf, NormalPolicy, Rule, leaves_of
from connector.policy.offered import purposes_named
from connector.policy.purposes import purpose_iri
from connector.policy.values import LATEST_MOMENT, duration, moment
from connector.policy.vocabulary import (
    LEFT_OPERANDS,
    MEASURED_OPERANDS,
    NAMED_OPERANDS,
    PROFILE,
    RATE_WINDOWS,
    Datatype,
    action_name,
)
from ledger.canonical import JSON, JSONObject, decode_object
from ledger.fields import Fields
from ledger.names import AgreementId, DatasetId, Milliseconds, ParticipantId, UnitId

Path: TypeAlias = tuple[str, ...]
Edit: TypeAlias = tuple[Path, JSON]

SOME_PROVIDER: Final = ParticipantId("did:web:provider.example")
SOME_RECIPIENT: Final = ParticipantId("did:web:recipient.example")
SOME_DATASET: Final = DatasetId("urn:bylag:dataset:supposed")
_NO_DIGEST: Final = "0" * 64
_MANY: Final = 256
_STATES: Final = ("unset", "pending", "fulfilled", "violated")


def edited(question: JSONObject, edits: Iterable[Edit]) -> JSONObject:
    """The question with some of its members replaced; what lies beside them is shared."""
    for path, value in edits:
        question = _put(question, path, value)
    return question


def at(question: JSONObject, path: Sequence[str]) -> JSON:
    """A member, or None where there is none."""
    here: JSON = question
    for name in path:
        here = here.get(name) if isinstance(here, dict) else None
    return here


def bound(policy: NormalPolicy, provider: str, recipient: str, dataset: str) -> NormalPolicy:
    """The policy as an agreement between these, where it leaves open who and what; else as it is."""
    if policy.kind == "agreement":
        return policy
    try:
        return policy.agreed(
            name="urn:bylag:agreement:supposed",
            assigner=ParticipantId(_id(policy.assigner) or provider),
            assignee=ParticipantId(_id(policy.assignee) or recipient),
            target=DatasetId(_id(policy.target) or dataset),
        )
    except MalformedPolicy:
        return policy  # its rules name several, and say so in the account


def blank(policy: NormalPolicy, now: Milliseconds, said: JSONObject) -> JSONObject:
    """A question under ``policy`` without a home: its own parties, now, nothing used, nothing known.

    An offer is bound to the recipient and the dataset that are ``said``, as an agreement with them would be.
    """
    asked, about = at(said, ("recipient", "did")), said.get("dataset")
    recipient = asked if isinstance(asked, str) else _id(policy.assignee) or SOME_RECIPIENT
    dataset = about if isinstance(about, str) else _id(policy.target) or SOME_DATASET
    did, _, unit = recipient.partition("#")
    agreed = bound(policy, SOME_PROVIDER, did, dataset)
    standing = Standing(
        action=RELEASE_ACTION,
        purpose=first_purpose(policy),
        dataset=DatasetId(dataset),
        recipient=Recipient(ParticipantId(did), UnitId(unit) if unit else None),
        policy=agreed,
        agreement=AgreementFacts(AgreementId("supposed"), _NO_DIGEST, None),
        membership=MembershipFacts(0, _NO_DIGEST),
        facts=Facts(began=now),
    )
    counters: dict[CounterName, int] = dict.fromkeys(counters_of(agreed), 0)
    return decode_object(standing.written(Moving(now, counters)), max_bytes=1 << 22)


def rebound(question: JSONObject, policy: NormalPolicy, counters: Mapping[str, int]) -> JSONObject:
    """The same question under another policy: its own duties, of which none arose before, and counters."""
    known = at(question, ("facts", "duties"))
    states = known if isinstance(known, dict) else {}
    duties: JSONObject = {name: states.get(name, UNSET) for name in duty_ids(policy)}
    return edited(
        question,
        [
            (("policy",), policy.content),
            (("facts", "duties"), duties),
            (("facts", "counters"), {str(name): value for name, value in counters.items()}),
        ],
    )


def first_purpose(policy: NormalPolicy) -> str | None:
    """A purpose that the policy names, to ask with where nobody said one."""
    return next(iter(purposes_named(policy)), None)


def supposing(
    question: JSONObject, policy: NormalPolicy, said: Fields, kinds: Iterable[str] = ()
) -> JSONObject:
    """The question with what is ``said`` of request and world put over it. Raises ``BadField``.

    ``kinds`` are the kinds of organisation that a membership list attests.
    """
    question = edited(question, _request_edits(said))
    if said.has("recipient"):
        question = _recipient(question, said.object("recipient"), tuple(kinds))
    if said.has("agreement"):
        question = edited(question, _agreement_edits(question, said.object("agreement")))
    if said.has("time"):
        question = edited(question, moved(question, _time(said)))
    for name in ("area", "transfer", "collections"):
        if said.has(name):
            question = edited(question, [(("facts", name), _world(said, name))])
    if said.has("counters"):
        question = _counters(question, said.object("counters"))
    if said.has("duties"):
        question = _duties(question, policy, said.object("duties"))
    if said.has("facts"):
        question = _facts(question, policy, said.object("facts"))
    said.finish()
    return question


def moved(question: JSONObject, now: int) -> list[Edit]:
    """Another moment. What was used within a period that has ended by then no longer counts."""
    before, counters = at(question, ("facts", "now")), at(question, ("facts", "counters"))
    edits: list[Edit] = [(("facts", "now"), now)]
    if isinstance(before, int) and isinstance(counters, dict) and now > before:
        edits += [(("facts", "counters", name), 0) for name in counters if _has_ended(name, before, now)]
    return edits


def placed(question: JSONObject, country: str | None) -> list[Edit]:
    """Another country of the recipient's, which is also their place (ODRL ``spatial``)."""
    area = at(question, ("facts", "area"))
    wider: list[JSON] = [CONFIGURED_AREA] if isinstance(area, list) and country in area else []
    return [
        (("request", "recipient", "attributes", "country"), country),
        (("facts", "values", "spatial"), None if country is None else {country: wider}),
    ]


def stated(question: JSONObject, operand: str, value: JSON) -> list[Edit]:
    """Another value of an operand's fact, with the members that it follows from."""
    names = list(value) if isinstance(value, dict) and "unit" not in value else []
    if operand == "spatial" and names:
        return placed(question, names[0])
    edits: list[Edit] = [(("facts", "values", operand), value)]
    source = _SOURCES.get(operand)
    if source is not None:
        edits.append((source, names[0] if names else None))
    return edits


_SOURCES: Final[Mapping[str, Path]] = {
    "industry": ("request", "recipient", "attributes", "industry"),
    "version": ("request", "version"),
    "bylag:legalBasis": ("agreement", "legal_basis"),
}


def _put(question: JSONObject, path: Path, value: JSON) -> JSONObject:
    first, rest = path[0], path[1:]
    if not rest:
        return {**question, first: value}
    below = question.get(first)
    return {**question, first: _put(below if isinstance(below, dict) else {}, rest, value)}


def _id(entity: Entity | None) -> str | None:
    return entity.id if entity is not None and not entity.collection else None


def _listed(leaf: Leaf) -> tuple[int | str, ...]:
    return leaf.right if isinstance(leaf.right, tuple) else (leaf.right,)


def _has_ended(counter: str, before: int, now: int) -> bool:
    kind, _, rest = counter.partition(":")
    length = RATE_WINDOWS.get(rest.partition(":")[0]) if kind == "rate" else None
    return length is not None and before // length != now // length


def _request_edits(said: Fields) -> list[Edit]:
    edits: list[Edit] = []
    if said.has("action"):
        asked = said.text("action")
        name = action_name(asked)
        if name is None:
            raise said.wrong("action", "is no action of ODRL 2.2")
        edits.append((("request", "action"), name))
    if said.has("purpose"):
        edits.append((("request", "purpose"), _purpose(said)))
    if said.has("dataset"):
        edits.append((("request", "dataset"), said.text("dataset")))
    return edits


def _purpose(said: Fields) -> str:
    given = said.text("purpose")
    found = purpose_iri(given) or purpose_iri("dpv:" + given)
    if found is None:
        raise said.wrong("purpose", "is no purpose of the DPV; `bylag purposes` lists them")
    return found


def _recipient(question: JSONObject, said: Fields, kinds: tuple[str, ...]) -> JSONObject:
    edits: list[Edit] = []
    if said.has("did"):
        did, _, unit = said.text("did").partition("#")
        if did != at(question, ("request", "recipient", "did")):
            question = edited(question, _NOTHING_ATTESTED)
        edits += [(("request", "recipient", "did"), did), (("request", "recipient", "unit"), unit or None)]
    if said.has("unit"):
        edits.append((("request", "recipient", "unit"), said.text("unit")))
    question = edited(question, edits)
    if said.has("attributes"):
        attributes = said.object("attributes")
        for name in ("kind", "country", "industry"):
            if attributes.has(name):
                question = edited(question, _attested(question, name, attributes.text(name), kinds))
        attributes.finish()
    said.finish()
    return question


_NOTHING_ATTESTED: Final[tuple[Edit, ...]] = (
    (("request", "recipient", "attributes"), {}),
    (("facts", "values", "spatial"), None),
    (("facts", "values", "industry"), None),
    (("facts", "collections"), {}),
)
"""Of somebody else nothing is known until it is said."""


def _attested(question: JSONObject, name: str, value: str, kinds: tuple[str, ...]) -> list[Edit]:
    if name == "country":
        return placed(question, value)
    if name == "industry":
        return stated(question, "industry", {value: []})
    did = at(question, ("request", "recipient", "did"))
    listed: JSONObject = {PROFILE + kind: [did] if kind == value else [] for kind in {*kinds, value}}
    known = at(question, ("facts", "collections"))
    collections = {**(known if isinstance(known, dict) else {}), **listed}
    return [(("request", "recipient", "attributes", "kind"), value), (("facts", "collections"), collections)]


def _agreement_edits(question: JSONObject, said: Fields) -> list[Edit]:
    edits: list[Edit] = []
    if said.has("purpose"):
        edits.append((("agreement", "purpose"), _purpose(said)))
    if said.has("legal_basis"):
        edits += stated(question, "bylag:legalBasis", {said.text("legal_basis"): []})
    if said.has("began"):
        edits.append((("facts", "began"), _moment(said, "began")))
    said.finish()
    return edits


def _time(said: Fields) -> int:
    return _moment(said, "time")


def _moment(said: Fields, name: str) -> int:
    """RFC 3339, or integer milliseconds since 1970."""
    if isinstance(said.any(name), int):
        return said.integer(name, most=LATEST_MOMENT)
    try:
        return moment(said.text(name), said.path(name))
    except MalformedPolicy as error:
        raise said.wrong(name, error.message) from error


def _world(said: Fields, name: str) -> JSON:
    if name == "transfer":
        return said.text(name)
    if name == "area":
        return list[JSON](sorted(said.texts(name, limit=_MANY)))
    collections = said.object(name)
    return {each: list[JSON](sorted(collections.texts(each, limit=_MANY))) for each in collections.names()}


def _counters(question: JSONObject, said: Fields) -> JSONObject:
    """By their whole names, or ``count`` for every counter of that sort."""
    known = at(question, ("facts", "counters"))
    values = dict(known) if isinstance(known, dict) else {}
    for name in said.names():
        meant = [counter for counter in values if counter == name or counter.split(":", 1)[0] == name]
        if not meant:
            raise said.wrong(name, "is no counter of this policy")
        values |= dict.fromkeys(meant, said.integer(name))
    return edited(question, [(("facts", "counters"), values)])


def _duties(question: JSONObject, policy: NormalPolicy, said: Fields) -> JSONObject:
    """By the duty's id, or by its action for every duty with that action."""
    known = at(question, ("facts", "duties"))
    states = dict(known) if isinstance(known, dict) else {}
    actions = {duty.id: duty.action.name for duty in all_duties(policy) if duty.action is not None}
    for name in said.names():
        meant = [duty for duty in states if name in (duty, actions.get(duty))]
        if not meant:
            raise said.wrong(name, "is no duty of this policy, nor the action of one")
        states |= dict.fromkeys(meant, said.choice(name, _STATES))
    return edited(question, [(("facts", "duties"), states)])


def all_duties(policy: NormalPolicy) -> list[Rule]:
    """Every duty of a policy: on rules, in answer to a breach, and those that stand alone."""
    found = [rule for rule in policy.rules if rule.kind == "obligation"]
    inside = list(policy.rules)
    while inside:
        below = [duty for rule in inside for duty in rule.below()]
        found += below
        inside = below
    return found


def _facts(question: JSONObject, policy: NormalPolicy, said: Fields) -> JSONObject:
    for operand in said.names():
        if operand in MEASURED_OPERANDS:
            value = _quantity(policy, operand, said)
        elif operand in NAMED_OPERANDS:
            value = _named(operand, said)
        else:
            raise said.wrong(operand, "is no fact of its own; say it as part of the request")
        question = edited(question, stated(question, operand, value))
    return question


def _quantity(policy: NormalPolicy, operand: str, said: Fields) -> JSON:
    """A number in the unit that the policy names, or an object with ``value`` and ``unit``."""
    given = said.any(operand)
    if isinstance(given, dict):
        quantity = said.object(operand)
        value: JSON = {"value": quantity.integer("value"), "unit": quantity.maybe_text("unit")}
        quantity.finish()
        return value
    units = {leaf.unit for rule in policy.rules for leaf in own_leaves(rule) if leaf.left == operand}
    unit = next(iter(units)) if len(units) == 1 else None
    if isinstance(given, str) and LEFT_OPERANDS[operand].datatype is Datatype.DURATION:
        return {"value": duration(given, said.path(operand)), "unit": unit}
    if isinstance(given, str) and given.isascii() and given.isdecimal():
        return {"value": Fields({operand: int(given[:17])}).integer(operand), "unit": unit}
    return {"value": said.integer(operand), "unit": unit}


def _named(operand: str, said: Fields) -> JSON:
    """One value, a list of values, or an object: each value with all that it lies in."""
    given = said.any(operand)
    if isinstance(given, list):
        return {name: [] for name in said.texts(operand, limit=_MANY)}
    if isinstance(given, dict):
        wider = said.object(operand)
        return {name: list[JSON](wider.texts(name, limit=_MANY)) for name in given}
    return {said.text(operand): []}


def own_leaves(rule: Rule) -> list[Leaf]:
    """The comparisons that a rule's answer may rest on: its constraint, and its parts' refinements."""
    parts = (rule.action, rule.parties.get("assignee"), rule.target)
    trees = [rule.constraint, *(part.refinement for part in parts if part is not None)]
    return [leaf for tree in trees if tree is not None for leaf in leaves_of(tree)]
