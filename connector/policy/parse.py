"""ODRL 2.2 in JSON-LD to the normal form.

Rules that hold here:

* All of ODRL is read; the *gate* is asked about every term where it stands and refuses what is not
  enforced. So what is enforced one day needs no other reader.
* Compact policies are spread out (ODRL Information Model 2.7.1): what the policy states for all rules
  goes to each rule. A rule with several actions, targets or parties is several rules (section 2.7).
* Values are typed by their left operand, never guessed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from connector.policy.constraints import read_constraints
from connector.policy.coverage import check_rule, require
from connector.policy.duty import check_duty, duties_of
from connector.policy.errors import MalformedPolicy, PolicyRefused
from connector.policy.inheritance import inherit
from connector.policy.jsonld import Gate, Node, check_context, iri, term, typed
from connector.policy.normal import (
    MAX_DUTY_DEPTH,
    MAX_RULES,
    Action,
    Entity,
    NormalPolicy,
    Rule,
    RuleKind,
    assemble,
    ordered,
)
from connector.policy.values import moment, text
from connector.policy.vocabulary import (
    ABOUT_TERMS,
    ACTION_PARENTS,
    CONFLICT_STRATEGIES,
    DUBLIN_CORE,
    KNOWN_PROFILES,
    OTHER_POLICY_CLASSES,
    PARTY_FUNCTIONS,
    POLICY_KINDS,
    PROFILE,
    RDF,
    REPLACED_ACTIONS,
)
from ledger.canonical import JSON, JSONObject, decode_object

MAX_DOCUMENT_BYTES: Final = 512 * 1024
MAX_DOCUMENT_DEPTH: Final = 28

_RULE_TERMS: Final[dict[str, RuleKind]] = {
    "permission": "permission",
    "prohibition": "prohibition",
    "obligation": "obligation",
}
_RULE_CLASSES: Final = {
    "permission": "Permission",
    "prohibition": "Prohibition",
    "obligation": "Duty",
    "duty": "Duty",
}
_INNER_TERMS: Final = {
    "permission": "duty",
    "prohibition": "remedy",
    "obligation": "consequence",
    "duty": "consequence",
}
"""The duties that a rule may hold, and under which term (ODRL Information Model 2.6)."""


_NO_PARENTS: Final[Mapping[str, NormalPolicy]] = MappingProxyType({})


def normalise(
    document: JSONObject, gate: Gate = require, parents: Mapping[str, NormalPolicy] = _NO_PARENTS
) -> NormalPolicy:
    """The normal form of an ODRL policy in JSON-LD: a Set, an Offer or an Agreement.

    ``parents`` are the policies at hand that it may inherit from, by their ids.

    Raises :class:`MalformedPolicy` for what is not such a policy, :class:`PolicyRefused` for a term that
    is not enforced; both name the place in ``document``.
    """
    node = Node(document, "", gate)
    for context, path in node.all("@context"):
        check_context(context, path)
    kind = _policy_kind(node)
    shared = _Shared.read(node)
    inherited = list(_inherited(node))
    policy = NormalPolicy(
        kind=kind,
        id=node.name("uid"),
        profiles=tuple(_profile(value, path) for value, path in node.all("profile")),
        conflict=_conflict(node),
        timestamp=_timestamp(node, kind),
        about=tuple(_about(node)),
        rules=_rules(node, shared),
    )
    node.finish()
    result = assemble(inherit(policy, inherited, parents) if inherited else policy)
    duties_of(result)
    return result


def inherits_from(document: JSONObject) -> tuple[str, ...]:
    """The ids of the policies that a document names as its parents. Raises what :func:`normalise` raises."""
    return tuple(name for name, _ in _inherited(Node(document, "", require)))


def normalise_bytes(
    data: bytes, gate: Gate = require, parents: Mapping[str, NormalPolicy] = _NO_PARENTS
) -> NormalPolicy:
    """:func:`normalise` for a document as it came: strict JSON of bounded size and depth."""
    document = decode_object(data, max_bytes=MAX_DOCUMENT_BYTES, max_depth=MAX_DOCUMENT_DEPTH)
    return normalise(document, gate, parents)


@dataclass(frozen=True)
class _Shared:
    """What a compact policy states once for all its rules."""

    actions: Sequence[Action]
    assigner: Sequence[Entity]
    assignee: Sequence[Entity]
    target: Sequence[Entity]

    @classmethod
    def read(cls, node: Node) -> _Shared:
        return cls(
            actions=[_action(value, path, node.gate) for value, path in node.all("action")],
            assigner=_entities(node, "assigner", "Party"),
            assignee=_entities(node, "assignee", "Party"),
            target=_entities(node, "target", "Asset"),
        )


_NOT_NAMED: Final[Sequence[Entity | None]] = (None,)
_NOTHING_SHARED: Final = _Shared((), (), (), ())


def _policy_kind(node: Node) -> str:
    found = node.one("@type")
    if found is None:
        raise MalformedPolicy("the policy's @type is missing", field="@type")
    name = term(*found)
    if name in POLICY_KINDS or name in OTHER_POLICY_CLASSES:
        node.gate(name, found[1])
    if name not in POLICY_KINDS:
        raise MalformedPolicy(f"not a policy: {name}", field=found[1])
    return POLICY_KINDS[name]


def _profile(value: JSON, path: str) -> str:
    profile = iri(value, path)
    if profile not in KNOWN_PROFILES:
        raise PolicyRefused("profile", path, f"Only {PROFILE} is known here.")
    return profile


def _inherited(node: Node) -> Iterable[tuple[str, str]]:
    for value, path in node.all("inheritFrom"):
        node.gate("inheritFrom", path)
        yield iri(value, path), path


def _conflict(node: Node) -> str:
    found = node.one("conflict")
    if found is None:
        return "prohibit"
    strategy = term(*found)
    if strategy not in CONFLICT_STRATEGIES:
        raise MalformedPolicy("not one of perm, prohibit, invalid", field=found[1])
    node.gate(strategy, found[1])
    return strategy


def _timestamp(node: Node, kind: str) -> int | None:
    if kind != "agreement":
        return None
    found = node.one("timestamp")
    if found is None:
        return None
    value, _ = typed(*found)
    if not isinstance(value, str):
        raise MalformedPolicy("not a date and time", field=found[1])
    return moment(value, found[1])


def _about(node: Node) -> Iterable[tuple[str, str]]:
    for name in ABOUT_TERMS:
        found = node.one(DUBLIN_CORE + name)
        if found is not None:
            value, _ = typed(*found)
            yield name, text(value, found[1])


def _rules(node: Node, shared: _Shared) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for name in _RULE_TERMS:
        for value, path in node.all(name):
            node.gate(name, path)
            rules += _rule(Node(value, path, node.gate), _RULE_TERMS[name], shared, 0)
            if len(rules) > MAX_RULES:
                raise MalformedPolicy(f"more than {MAX_RULES} rules", field=path)
            check_rule(rules[-1], path)
    return tuple(rules)


def _rule(node: Node, kind: RuleKind, shared: _Shared, depth: int) -> list[Rule]:
    if depth > MAX_DUTY_DEPTH:
        raise MalformedPolicy(f"duties nest deeper than {MAX_DUTY_DEPTH}", field=node.path)
    node.check_class((_RULE_CLASSES[kind],))
    name = _rule_id(node)
    path = node.path_of("action")
    actions = [_action(value, at, node.gate) for value, at in node.all("action")] or shared.actions
    if not actions:
        raise MalformedPolicy("the rule names no action", field=path, next_step="`use` covers every use.")
    assigners = _own_or_shared(node, "assigner", "Party", shared.assigner)
    assignees = _own_or_shared(node, "assignee", "Party", shared.assignee)
    targets = _own_or_shared(node, "target", "Asset", shared.target)
    others = {name: party for name in PARTY_FUNCTIONS[2:] if (party := _entity_at(node, name, "Party"))}
    output = _entity_at(node, "output", "Asset")
    constraint = read_constraints(node, "constraint")
    inner = _inner(node, kind, depth)
    node.finish()
    combinations = itertools.product(
        actions, assigners or _NOT_NAMED, assignees or _NOT_NAMED, targets or _NOT_NAMED
    )
    rules = [
        Rule(
            kind=kind,
            action=action,
            parties={"assigner": assigner, "assignee": assignee, **others},
            target=target,
            output=output,
            constraint=constraint,
            duties=inner if kind == "permission" else (),
            consequences=inner if kind in ("obligation", "duty") else (),
            remedies=inner if kind == "prohibition" else (),
            id=name,
        )
        for action, assigner, assignee, target in itertools.islice(combinations, MAX_RULES + 1)
    ]
    if name and len(rules) > 1:
        raise MalformedPolicy(
            "one id for several rules",
            field=node.path,
            next_step="A rule with several actions, targets or parties is several rules: leave its uid out.",
        )
    return rules


def _inner(node: Node, kind: RuleKind, depth: int) -> tuple[Rule, ...]:
    name = _INNER_TERMS[kind]
    duties: list[Rule] = []
    for value, path in node.all(name):
        node.gate(name, path)
        found = _rule(Node(value, path, node.gate), "duty", _NOTHING_SHARED, depth + 1)
        for duty in found:
            check_duty(duty, path)
        duties += found
    return ordered(duties)


def _rule_id(node: Node) -> str:
    path = node.path_of("uid")
    name = node.name("uid") or ""
    if name and ":" not in name:
        raise MalformedPolicy("a rule's uid is an IRI", field=path)
    return name


def _own_or_shared(node: Node, name: str, kind: str, shared: Sequence[Entity]) -> Sequence[Entity]:
    path = node.path_of(name)
    own = _entities(node, name, kind)
    if own and shared and set(own) != set(shared):
        raise MalformedPolicy(
            f"the policy and this rule name different {name}s",
            field=path,
            next_step="State it at the policy or at each rule, not at both.",
        )
    return own or shared


def _action(value: JSON, path: str, gate: Gate) -> Action:
    if not isinstance(value, dict) or set(value) in ({"@id"}, {"uid"}):
        return Action(_action_name(value, path, gate))
    node = Node(value, path, gate)
    node.check_class(("Action",))
    found = node.one(RDF + "value") or node.one("uid")
    if found is None:
        raise MalformedPolicy("the action is not named", field=path)
    name = _action_name(*found, gate)
    refinement = read_constraints(node, "refinement")
    node.finish()
    return Action(name, refinement)


def _action_name(value: JSON, path: str, gate: Gate) -> str:
    name = term(value, path)
    if name in REPLACED_ACTIONS:
        raise PolicyRefused(name, path, f"ODRL 2.2 has replaced it: write `{REPLACED_ACTIONS[name]}`.")
    if name not in ACTION_PARENTS:
        raise PolicyRefused(name, path, "Use an action of the ODRL 2.2 vocabulary, such as `use` or `read`.")
    gate(name, path)
    return name


def _entity_at(node: Node, name: str, kind: str) -> Entity | None:
    found = node.one(name)
    if found is None:
        return None
    node.gate(name, found[1])
    return _entity(*found, kind, node.gate)


def _entities(node: Node, name: str, kind: str) -> list[Entity]:
    entities = []
    for value, path in node.all(name):
        node.gate(name, path)
        entities.append(_entity(value, path, kind, node.gate))
    return entities


def _entity(value: JSON, path: str, kind: str, gate: Gate) -> Entity:
    if not isinstance(value, dict) or set(value) in ({"@id"}, {"uid"}):
        return Entity(iri(value, path))
    node = Node(value, path, gate)
    collection = node.check_class((kind, kind + "Collection")) == kind + "Collection"
    name = node.name("uid")
    if node.has("source"):
        gate("source", node.path_of("source"))
    source = node.name("source")
    refinement = read_constraints(node, "refinement")
    node.finish()
    if name is None and source is None:
        raise MalformedPolicy("neither an id nor a source", field=path)
    if not collection and (source is not None or refinement is not None):
        raise MalformedPolicy(f"only a {kind}Collection has a source or a refinement", field=path)
    return Entity(name, collection, source, refinement)
