"""The normal form back from JSON: what an agreement carries and the other party wrote.

Rules that hold here:

* The schema is closed: an unknown or missing member is refused, so is another version.
* The same gate is asked as for ODRL: a peer cannot slip a term past it by writing normal form.
* What was read must be its own normal form: one policy, one digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from connector.policy.coverage import check_rule, require
from connector.policy.duty import duties_of
from connector.policy.errors import MalformedPolicy, PolicyRefused, shown
from connector.policy.jsonld import Gate
from connector.policy.normal import (
    MAX_DUTY_DEPTH,
    MAX_LOGIC_DEPTH,
    VERSION,
    Action,
    Constraint,
    Entity,
    Leaf,
    NormalPolicy,
    Right,
    Rule,
    RuleKind,
    assemble,
    compared,
    joined,
    ordered,
)
from connector.policy.values import check_unit, identifier, operand_value, text, whole, written
from connector.policy.vocabulary import (
    ABOUT_TERMS,
    ACTION_PARENTS,
    CONFLICT_STRATEGIES,
    KNOWN_PROFILES,
    LEFT_OPERANDS,
    LOGICS,
    PARTY_FUNCTIONS,
    POLICY_KINDS,
    SET_OPERATORS,
    Datatype,
)
from ledger.canonical import JSON, JSONObject

_POLICY = {
    "type", "version", "kind", "id", "assigner", "assignee", "target", "conflict", "profiles", "inherits",
    "timestamp", "about", "rules",
}  # fmt: skip
_RULE = {
    "id", "kind", "action", "parties", "target", "output", "constraint", "duties", "consequences", "remedies",
}  # fmt: skip
_ENTITY = {"id", "collection", "source", "refinement"}
_LEAF = {"id", "left", "operator", "right", "datatype", "unit"}
_LOGIC = {"id", "logic", "operands"}
_KIND_TERMS: Mapping[str, str] = {
    "permission": "permission",
    "prohibition": "prohibition",
    "obligation": "obligation",
    "duty": "Duty",
}
_CLASS_OF = {"set": "Set", "offer": "Offer", "agreement": "Agreement"}

T = TypeVar("T")


def read_policy(content: JSON, gate: Gate = require) -> NormalPolicy:
    """A normal form from its JSON.

    Raises :class:`MalformedPolicy` for what is not one, or not in its one spelling;
    :class:`PolicyRefused` for a term that is not enforced.
    """
    members = _members(content, _POLICY, "policy")
    if members["type"] != "policy" or members["version"] != VERSION:
        raise MalformedPolicy(f"not a policy of version {VERSION}", field="version")
    kind = _one_of(members["kind"], sorted(set(POLICY_KINDS.values())), "kind")
    gate(_CLASS_OF[kind], "kind")
    conflict = _one_of(members["conflict"], CONFLICT_STRATEGIES, "conflict")
    gate(conflict, "conflict")
    if members["inherits"] != []:
        gate("inheritFrom", "inherits")
        raise MalformedPolicy("the policy's parents were not read into it", field="inherits")
    policy = NormalPolicy(
        kind=kind,
        id=_nullable(members["id"], "id", identifier),
        assigner=_entity(members["assigner"], "assigner", gate),
        assignee=_entity(members["assignee"], "assignee", gate),
        target=_entity(members["target"], "target", gate),
        conflict=conflict,
        profiles=tuple(_profile(value, path) for value, path in _items(members["profiles"], "profiles")),
        timestamp=_nullable(members["timestamp"], "timestamp", whole),
        about=tuple(_about(members["about"])),
        rules=tuple(_rule(value, path, gate, 0) for value, path in _items(members["rules"], "rules")),
    )
    result = assemble(policy)
    duties_of(result)
    if result.content != content:
        raise MalformedPolicy(
            "not in normal form", field="policy", next_step="Send the policy as `normalise` gives it."
        )
    return result


def _rule(value: JSON, path: str, gate: Gate, depth: int) -> Rule:
    if depth > MAX_DUTY_DEPTH:
        raise MalformedPolicy(f"duties nest deeper than {MAX_DUTY_DEPTH}", field=path)
    members = _members(value, _RULE, path)
    kind = _kind(members["kind"], f"{path}.kind", depth)
    gate(_KIND_TERMS[kind], path)
    rule = Rule(
        kind=kind,
        action=_action(members["action"], f"{path}.action", gate),
        parties=_parties(members["parties"], f"{path}.parties", gate),
        target=_entity(members["target"], f"{path}.target", gate),
        output=_entity(members["output"], f"{path}.output", gate, "output"),
        constraint=_optional_constraint(members["constraint"], f"{path}.constraint", gate),
        duties=_duties(members, "duties", "duty", path, gate, depth),
        consequences=_duties(members, "consequences", "consequence", path, gate, depth),
        remedies=_duties(members, "remedies", "remedy", path, gate, depth),
        id=identifier(members["id"], f"{path}.id"),
    )
    check_rule(rule, path)
    return rule


def _kind(value: JSON, path: str, depth: int) -> RuleKind:
    if depth > 0 and value == "duty":
        return "duty"
    if depth == 0 and value == "permission":
        return "permission"
    if depth == 0 and value == "prohibition":
        return "prohibition"
    if depth == 0 and value == "obligation":
        return "obligation"
    raise MalformedPolicy("not the kind of rule that stands here", field=path)


def _duties(
    members: Mapping[str, JSON], name: str, term: str, path: str, gate: Gate, depth: int
) -> tuple[Rule, ...]:
    found = []
    for value, at in _items(members[name], f"{path}.{name}"):
        gate(term, at)
        found.append(_rule(value, at, gate, depth + 1))
    return ordered(found)


def _action(value: JSON, path: str, gate: Gate) -> Action:
    members = _members(value, {"name", "refinement"}, path)
    name = _one_of(members["name"], ACTION_PARENTS, f"{path}.name")
    gate(name, f"{path}.name")
    return Action(name, _refinement(members["refinement"], f"{path}.refinement", gate))


def _parties(value: JSON, path: str, gate: Gate) -> dict[str, Entity | None]:
    if not isinstance(value, dict) or not {"assigner", "assignee"} <= set(value):
        raise MalformedPolicy("not an object with assigner and assignee", field=path)
    parties = {}
    for name, party in value.items():
        function = _one_of(name, PARTY_FUNCTIONS, path)
        parties[function] = _entity(party, f"{path}.{function}", gate, function)
    return parties


def _entity(value: JSON, path: str, gate: Gate, term: str | None = None) -> Entity | None:
    if value is None:
        return None
    if term is not None:
        gate(term, path)
    members = _members(value, _ENTITY, path)
    collection = members["collection"]
    if not isinstance(collection, bool):
        raise MalformedPolicy("neither true nor false", field=f"{path}.collection")
    if collection:
        gate("AssetCollection" if path.endswith(("target", "output")) else "PartyCollection", path)
    if members["source"] is not None:
        gate("source", path)
    source = _nullable(members["source"], f"{path}.source", identifier)
    refinement = _refinement(members["refinement"], f"{path}.refinement", gate)
    name = _nullable(members["id"], f"{path}.id", identifier)
    if (name is None and source is None) or (not collection and (source or refinement)):
        raise MalformedPolicy("not a party or an asset", field=path)
    return Entity(name, collection, source, refinement)


def _refinement(value: JSON, path: str, gate: Gate) -> Constraint | None:
    if value is not None:
        gate("refinement", path)
    return _optional_constraint(value, path, gate)


def _optional_constraint(value: JSON, path: str, gate: Gate) -> Constraint | None:
    return None if value is None else _constraint(value, path, gate, 0)


def _constraint(value: JSON, path: str, gate: Gate, depth: int) -> Constraint:
    if not isinstance(value, dict) or "logic" not in value:
        return _leaf(value, path, gate)
    if depth == MAX_LOGIC_DEPTH:
        raise MalformedPolicy(f"logical constraints nest deeper than {MAX_LOGIC_DEPTH}", field=path)
    members = _members(value, _LOGIC, path)
    logic = _one_of(members["logic"], LOGICS, f"{path}.logic")
    gate(logic, f"{path}.logic")
    operands = tuple(
        _constraint(operand, at, gate, depth + 1)
        for operand, at in _items(members["operands"], f"{path}.operands")
    )
    name = _nullable(members["id"], f"{path}.id", identifier)
    tree = joined(logic, operands, name)
    if tree is None or not operands:
        raise MalformedPolicy("a logical constraint without operands", field=path)
    return tree


def _leaf(value: JSON, path: str, gate: Gate) -> Leaf:
    members = _members(value, _LEAF, path)
    left = _one_of(members["left"], LEFT_OPERANDS, f"{path}.left")
    gate(left, f"{path}.left")
    operand = LEFT_OPERANDS[left]
    operator = _one_of(members["operator"], operand.operators, f"{path}.operator")
    gate(operator, f"{path}.operator")
    if members["datatype"] == "reference":
        gate("rightOperandReference", f"{path}.right")
        datatype, kind = "reference", Datatype.IRI
    else:
        datatype, kind = operand.datatype.value, operand.datatype
    if members["unit"] is not None:
        gate("unit", f"{path}.unit")
    unit = _nullable(members["unit"], f"{path}.unit", identifier)
    check_unit(left, unit, f"{path}.unit")
    return Leaf(
        left=left,
        operator=operator,
        right=_right(
            members["right"], "" if datatype == "reference" else left, operator, kind, f"{path}.right"
        ),
        datatype=datatype,
        unit=unit,
        id=_nullable(members["id"], f"{path}.id", identifier),
    )


def _right(value: JSON, left: str, operator: str, datatype: Datatype, path: str) -> Right:
    items = _items(value, path) if operator in SET_OPERATORS else [(value, path)]
    return compared([_scalar(item, left, operator, datatype, at) for item, at in items], operator, path)


def _scalar(value: JSON, left: str, operator: str, datatype: Datatype, path: str) -> int | str:
    if datatype in (Datatype.DATE_TIME, Datatype.DURATION):
        # One writer for both ways: what cannot be written as ODRL is no moment and no duration.
        value = written(whole(value, path), datatype)
    return operand_value(value, left, operator, datatype, path)


def _about(value: JSON) -> Iterable[tuple[str, str]]:
    if not isinstance(value, dict):
        raise MalformedPolicy("not an object", field="about")
    for name, words in value.items():
        yield _one_of(name, ABOUT_TERMS, "about"), text(words, f"about.{name}")


def _profile(value: JSON, path: str) -> str:
    profile = identifier(value, path)
    if profile not in KNOWN_PROFILES:
        raise PolicyRefused("profile", path, "Express the policy without it.")
    return profile


def _members(value: JSON, names: set[str], path: str) -> JSONObject:
    if not isinstance(value, dict):
        raise MalformedPolicy("not an object", field=path)
    if set(value) != names:
        wrong = shown(min(set(value) ^ names))
        raise MalformedPolicy("a member is missing or has no place here", field=f"{path}.{wrong}")
    return value


def _items(value: JSON, path: str) -> list[tuple[JSON, str]]:
    if not isinstance(value, list):
        raise MalformedPolicy("not a list", field=path)
    return [(item, f"{path}[{index}]") for index, item in enumerate(value)]


def _one_of(value: JSON, allowed: Iterable[str], path: str) -> str:
    if not isinstance(value, str) or value not in set(allowed):
        raise MalformedPolicy("not one of the words allowed here", field=path)
    return value


def _nullable(value: JSON, path: str, read: Callable[[JSON, str], T]) -> T | None:
    return None if value is None else read(value, path)
