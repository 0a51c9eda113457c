"""How an answer came about, as the rulebook itself tells it: rules, comparisons, and how each came out.

Rules that hold here: nothing is evaluated in Python; every value is one that ``policies/trace.rego`` gave.
``true``, ``false`` and ``unknown`` are the rulebook's three values. What is not of the expected shape is no
account at all, and raises :class:`~connector.policy.errors.EngineUnavailable`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias, Union

from connector.policy.coverage import TABLE, Row
from connector.policy.decision import Decision, decision_from
from connector.policy.engine import Engine, Unanswered
from connector.policy.errors import EngineUnavailable
from connector.policy.normal import MAX_RULES
from ledger.canonical import JSON, JSONObject
from ledger.errors import BylagError
from ledger.fields import Fields
from ledger.names import RulebookDigest

VALUES: Final = ("true", "false", "unknown")
_MANY: Final = 4096


@dataclass(frozen=True, slots=True)
class Compared:
    """One comparison. ``fact`` is what it was made with, None where that is not known."""

    value: str
    left: str | None
    operator: str | None
    right: JSON
    datatype: str | None
    unit: str | None
    fact: JSON
    counter: str | None

    @property
    def row(self) -> Row | None:
        """What the coverage table says of the operand: who says the fact, and how it is known."""
        return TABLE.get(self.left) if self.left is not None else None

    def to_json(self) -> JSONObject:
        row = self.row
        return {
            "value": self.value,
            "left": self.left,
            "operator": self.operator,
            "right": self.right,
            "datatype": self.datatype,
            "unit": self.unit,
            "fact": self.fact,
            "counter": self.counter,
            "from": row.fact.value if row is not None and row.fact is not None else None,
            "how": row.how if row is not None else None,
        }


@dataclass(frozen=True, slots=True)
class Joined:
    """Several under ``and``, ``or``, ``xone`` or ``andSequence``."""

    value: str
    logic: str | None
    operands: tuple[Tree, ...]

    def to_json(self) -> JSONObject:
        return {
            "value": self.value,
            "logic": self.logic,
            "operands": [operand.to_json() for operand in self.operands],
        }


Tree: TypeAlias = Union[Compared, Joined]


@dataclass(frozen=True, slots=True)
class Meant:
    """Whether a rule's action, assignee or target is what was asked for. ``name`` None: any."""

    value: str
    name: str | None
    asked: tuple[str, ...]
    is_collection: bool
    refinement: Tree | None

    def to_json(self) -> JSONObject:
        return {
            "value": self.value,
            "name": self.name,
            "asked": list(self.asked),
            "collection": self.is_collection,
            "refinement": None if self.refinement is None else self.refinement.to_json(),
        }


@dataclass(frozen=True, slots=True)
class TracedDuty:
    """A duty and its state. ``value``: whether it lets its permission be used; None for a consequence."""

    id: str | None
    action: str | None
    state: str | None
    value: str | None
    comes_first: bool
    consequences: tuple[TracedDuty, ...]

    def to_json(self) -> JSONObject:
        return {
            "id": self.id,
            "action": self.action,
            "state": self.state,
            "value": self.value,
            "comes_first": self.comes_first,
            "consequences": [each.to_json() for each in self.consequences],
        }


@dataclass(frozen=True, slots=True)
class TracedRule:
    """One rule: ``active`` when it is in force for the request."""

    id: str
    kind: str
    active: bool
    action: Meant
    assignee: Meant
    target: Meant
    constraint: Tree | None
    duties: tuple[TracedDuty, ...]
    remedies: tuple[TracedDuty, ...]

    @property
    def trees(self) -> tuple[Tree, ...]:
        """Every constraint tree of the rule: its own, and the refinements of its parts."""
        parts = (self.action.refinement, self.assignee.refinement, self.target.refinement, self.constraint)
        return tuple(tree for tree in parts if tree is not None)

    def to_json(self) -> JSONObject:
        return {
            "id": self.id,
            "kind": self.kind,
            "active": self.active,
            "action": self.action.to_json(),
            "assignee": self.assignee.to_json(),
            "target": self.target.to_json(),
            "constraint": None if self.constraint is None else self.constraint.to_json(),
            "duties": [each.to_json() for each in self.duties],
            "remedies": [each.to_json() for each in self.remedies],
        }


@dataclass(frozen=True, slots=True)
class Trace:
    """The whole account. ``decision`` is the core's; a participant's own rules have no part in it."""

    decision: Decision
    is_complete: bool
    is_within_agreement: bool
    asked_purpose: JSON
    agreed_purpose: JSON
    is_within_area: bool
    area: JSON
    country: JSON
    transfer: JSON
    conflict: JSON
    rules: tuple[TracedRule, ...]

    def to_json(self) -> JSONObject:
        return {
            "complete": self.is_complete,
            "purpose": {
                "within": self.is_within_agreement,
                "asked": self.asked_purpose,
                "agreed": self.agreed_purpose,
            },
            "area": {
                "within": self.is_within_area,
                "area": self.area,
                "country": self.country,
                "transfer": self.transfer,
            },
            "conflict": self.conflict,
            "rules": [rule.to_json() for rule in self.rules],
        }


def leaves_of(tree: Tree) -> tuple[Compared, ...]:
    """Every comparison of a tree."""
    if isinstance(tree, Compared):
        return (tree,)
    return tuple(leaf for operand in tree.operands for leaf in leaves_of(operand))


def traced(engine: Engine, question: bytes) -> Trace:
    """Ask for the account of a question. Raises :class:`EngineUnavailable`."""
    try:
        return trace_from(engine.trace(question), engine.revision)
    except Unanswered as error:
        raise EngineUnavailable(
            f"the engine gave no account of its answer ({error.code})",
            next_step="A smaller policy or request may help; a rulebook of an older release gives none.",
        ) from error


def trace_from(answer: JSON, revision: RulebookDigest) -> Trace:
    """Read an account. Raises :class:`EngineUnavailable` for what is none."""
    try:
        return _read(Fields({"trace": answer}).object("trace"), revision)
    except BylagError as error:
        raise EngineUnavailable(f"the engine's account has another shape ({error.field})") from error


def _read(fields: Fields, revision: RulebookDigest) -> Trace:
    purpose, area, conflict = (fields.object(name) for name in ("purpose", "area", "conflict"))
    return Trace(
        decision=decision_from(fields.any("decision"), revision),
        is_complete=fields.boolean("complete"),
        is_within_agreement=purpose.boolean("within"),
        asked_purpose=purpose.any("asked"),
        agreed_purpose=purpose.any("agreed"),
        is_within_area=area.boolean("within"),
        area=area.any("area"),
        country=area.any("country"),
        transfer=area.any("transfer"),
        conflict=conflict.any("name"),
        rules=tuple(_rule(rule) for rule in fields.objects("rules", limit=MAX_RULES)),
    )


def _rule(fields: Fields) -> TracedRule:
    return TracedRule(
        id=_string(fields, "id"),
        kind=_string(fields, "kind"),
        active=fields.boolean("active"),
        action=_action(fields.object("action")),
        assignee=_entity(fields.object("assignee")),
        target=_entity(fields.object("target")),
        constraint=_tree(fields, "constraint"),
        duties=tuple(_duty(each) for each in fields.objects("duties", limit=_MANY)),
        remedies=tuple(_duty(each) for each in fields.objects("remedies", limit=_MANY)),
    )


def _action(fields: Fields) -> Meant:
    asked = _string(fields, "asked")
    return Meant(
        fields.choice("value", VALUES), _name(fields, "name"), (asked,), False, _tree(fields, "refinement")
    )


def _entity(fields: Fields) -> Meant:
    named = _name(fields, "name") or _name(fields, "source")
    asked = tuple(str(each) for each in fields.items("asked", limit=_MANY))
    return Meant(
        fields.choice("value", VALUES),
        named,
        asked,
        fields.any("collection") is True,
        _tree(fields, "refinement"),
    )


def _duty(fields: Fields) -> TracedDuty:
    below = fields.objects("consequences", limit=_MANY) if fields.has("consequences") else []
    return TracedDuty(
        id=_name(fields, "id"),
        action=_name(fields, "action"),
        state=_name(fields, "state"),
        value=_name(fields, "value") if fields.has("value") else None,
        comes_first=fields.boolean("first") if fields.has("first") else False,
        consequences=tuple(_duty(each) for each in below),
    )


def _tree(fields: Fields, name: str) -> Tree | None:
    return _node(fields.object(name)) if fields.has(name) else None


def _node(fields: Fields) -> Tree:
    value = fields.choice("value", VALUES)
    if fields.has("operands"):
        operands = tuple(_node(each) for each in fields.objects("operands", limit=_MANY))
        return Joined(value, _name(fields, "logic"), operands)
    return Compared(
        value=value,
        left=_name(fields, "left"),
        operator=_name(fields, "operator"),
        right=fields.any("right"),
        datatype=_name(fields, "datatype"),
        unit=_name(fields, "unit"),
        fact=fields.any("fact"),
        counter=_name(fields, "counter"),
    )


def _string(fields: Fields, name: str) -> str:
    value = fields.any(name)
    if not isinstance(value, str):
        raise fields.wrong(name, "must be a string")
    return value


def _name(fields: Fields, name: str) -> str | None:
    value = fields.any(name)
    return value if isinstance(value, str) else None
