"""The normal form: what a policy says, as plain canonical JSON with one spelling.

Rules that hold here:

* It has room for all of ODRL 2.2; which terms may be used says ``connector.policy.coverage``.
* What ODRL calls unordered has one order: rules by kind and id; operands of ``and``, ``or`` and ``xone``,
  duties, and values of set operators by their canonical bytes. ``andSequence`` keeps its order.
* What says nothing is left out: a logical operator with one operand, an ``and`` within an ``and``, an
  ``or`` within an ``or``, the same constraint twice in either. (Twice in ``xone`` means false, and stays.)
* What all rules share stands once, at the policy: assigner, assignee, target. A rule's own value is
  null then. Null at both means anybody, or anything.
* A rule without an id of its own is named by its content.

The digest is SHA-256 of the canonical JSON: the same policy has the same digest, however it was written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, Literal, TypeAlias, Union

from connector.policy.errors import MalformedPolicy
from connector.policy.vocabulary import SET_OPERATORS, UNORDERED_LOGICS
from ledger.canonical import JSON, JSONObject, encode
from ledger.names import DatasetId, Milliseconds, ParticipantId, PolicyDigest

VERSION: Final = 1
MAX_RULES: Final = 256
MAX_CONSTRAINTS: Final = 2000
MAX_LOGIC_DEPTH: Final = 4
"""Logical operators inside one another; the rulebook evaluates no more (policies/constraints.rego)."""
MAX_DUTY_DEPTH: Final = 3
MAX_ENCODED_BYTES: Final = 512 * 1024

RuleKind: TypeAlias = Literal["permission", "prohibition", "obligation", "duty"]
Right: TypeAlias = Union[int, str, tuple[int | str, ...]]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison: ``left operator right``.

    ``datatype`` is a :class:`~connector.policy.vocabulary.Datatype`'s value, or ``reference`` where
    ``right`` is an IRI that would have to be looked up. With a set operator ``right`` is a sorted tuple.
    """

    left: str
    operator: str
    right: Right
    datatype: str
    unit: str | None = None
    id: str | None = None

    def to_json(self) -> JSONObject:
        right: JSON = list(self.right) if isinstance(self.right, tuple) else self.right
        return {
            "id": self.id,
            "left": self.left,
            "operator": self.operator,
            "right": right,
            "datatype": self.datatype,
            "unit": self.unit,
        }


@dataclass(frozen=True, slots=True)
class Logic:
    """Several constraints under ``and``, ``or``, ``xone`` or ``andSequence``."""

    logic: str
    operands: tuple[Constraint, ...]
    id: str | None = None

    def to_json(self) -> JSONObject:
        return {"id": self.id, "logic": self.logic, "operands": [o.to_json() for o in self.operands]}


Constraint: TypeAlias = Union[Leaf, Logic]


@dataclass(frozen=True, slots=True)
class Entity:
    """A party or an asset, or a collection of them; ``source`` is what a refinement refines."""

    id: str | None
    collection: bool = False
    source: str | None = None
    refinement: Constraint | None = None

    def to_json(self) -> JSONObject:
        return {
            "id": self.id,
            "collection": self.collection,
            "source": self.source,
            "refinement": _optional(self.refinement),
        }


@dataclass(frozen=True, slots=True)
class Action:
    """What is done, as a name of ``connector.policy.vocabulary``, perhaps refined."""

    name: str
    refinement: Constraint | None = None

    def to_json(self) -> JSONObject:
        return {"name": self.name, "refinement": _optional(self.refinement)}


NOBODY: Final[Mapping[str, Entity | None]] = {"assigner": None, "assignee": None}


@dataclass(frozen=True, slots=True)
class Rule:
    """A permission, prohibition, obligation, or a duty that belongs to one of them.

    ``parties`` always has ``assigner`` and ``assignee``, and any other party function that is named.
    """

    kind: RuleKind
    action: Action | None
    parties: Mapping[str, Entity | None] = field(default_factory=lambda: dict(NOBODY))
    target: Entity | None = None
    output: Entity | None = None
    constraint: Constraint | None = None
    duties: tuple[Rule, ...] = ()
    consequences: tuple[Rule, ...] = ()
    remedies: tuple[Rule, ...] = ()
    id: str = ""

    def to_json(self) -> JSONObject:
        return {
            "id": self.id,
            "kind": self.kind,
            "action": _optional(self.action),
            "parties": {name: _optional(party) for name, party in self.parties.items()},
            "target": _optional(self.target),
            "output": _optional(self.output),
            "constraint": _optional(self.constraint),
            "duties": [duty.to_json() for duty in self.duties],
            "consequences": [duty.to_json() for duty in self.consequences],
            "remedies": [duty.to_json() for duty in self.remedies],
        }

    @property
    def content_id(self) -> str:
        """The name that follows from the rule's content: its kind and 16 hexadecimal digits."""
        content = {**self.to_json(), "id": ""}
        return f"{self.kind}-{hashlib.sha256(encode(content)).hexdigest()[:16]}"

    def below(self) -> tuple[Rule, ...]:
        """The rules directly inside this one."""
        return self.duties + self.consequences + self.remedies


@dataclass(frozen=True)
class NormalPolicy:
    """A policy in normal form. Build one with ``normalise`` or ``read_policy``, not by hand."""

    kind: str
    rules: tuple[Rule, ...]
    conflict: str = "prohibit"
    id: str | None = None
    assigner: Entity | None = None
    assignee: Entity | None = None
    target: Entity | None = None
    profiles: tuple[str, ...] = ()
    inherits: tuple[str, ...] = ()
    timestamp: int | None = None
    about: tuple[tuple[str, str], ...] = ()

    @cached_property
    def content(self) -> JSONObject:
        """The policy as plain JSON: what is signed, recorded and handed to the rulebook."""
        return {
            "type": "policy",
            "version": VERSION,
            "kind": self.kind,
            "id": self.id,
            "assigner": _optional(self.assigner),
            "assignee": _optional(self.assignee),
            "target": _optional(self.target),
            "conflict": self.conflict,
            "profiles": list(self.profiles),
            "inherits": list(self.inherits),
            "timestamp": self.timestamp,
            "about": dict(self.about),
            "rules": [rule.to_json() for rule in self.rules],
        }

    @cached_property
    def encoded(self) -> bytes:
        """The canonical JSON (RFC 8785) of :attr:`content`."""
        return encode(self.content)

    @cached_property
    def digest(self) -> PolicyDigest:
        """Hexadecimal SHA-256 of :attr:`encoded`."""
        return PolicyDigest(hashlib.sha256(self.encoded).hexdigest())

    def agreed(
        self,
        *,
        name: str,
        assigner: ParticipantId,
        assignee: ParticipantId,
        target: DatasetId,
        at: Milliseconds | None = None,
    ) -> NormalPolicy:
        """This offer as the agreement between two named parties about one dataset, under its own ``name``.

        Parties are ``did``, or ``did#unit`` for one unit alone. Raises :class:`MalformedPolicy` when the
        offer already names somebody or something else.
        """
        bound = {"assigner": assigner, "assignee": assignee, "target": target}
        for role, value in bound.items():
            if {_shared(self, rule, role) for rule in self.rules} - {None, Entity(value)}:
                raise MalformedPolicy(f"the offer names another {role} than the agreement", field=role)
        return assemble(
            replace(
                self,
                kind="agreement",
                id=name,
                assigner=Entity(assigner),
                assignee=Entity(assignee),
                target=Entity(target),
                timestamp=at,
            )
        )


def assemble(policy: NormalPolicy) -> NormalPolicy:
    """Bring a policy's parts into their one order and place, and name its rules.

    Raises :class:`MalformedPolicy` for a policy without permission or prohibition, with two rules of one
    name, with too many rules or constraints, or that states a party or target at two places.
    """
    spread = spread_rules(policy)
    shared = {name: _common(name, spread) for name in ("assigner", "assignee", "target")}
    rules = _named_in_order(_without(rule, shared) for rule in spread)
    if not any(rule.kind in ("permission", "prohibition") for rule in rules):
        raise MalformedPolicy("a policy needs at least one permission or prohibition", field="permission")
    if len(rules) > MAX_RULES:
        raise MalformedPolicy(f"more than {MAX_RULES} rules", field="permission")
    result = replace(
        policy,
        rules=rules,
        assigner=shared["assigner"],
        assignee=shared["assignee"],
        target=shared["target"],
        profiles=tuple(sorted(set(policy.profiles))),
        inherits=tuple(sorted(set(policy.inherits))),
        about=tuple(sorted(policy.about)),
    )
    _check_agreement(result)
    if sum(1 for rule in rules for _ in leaves(rule)) > MAX_CONSTRAINTS:
        raise MalformedPolicy(f"more than {MAX_CONSTRAINTS} constraints", field="constraint")
    if len(result.encoded) > MAX_ENCODED_BYTES:
        raise MalformedPolicy(f"the policy has more than {MAX_ENCODED_BYTES} bytes")
    return result


def spread_rules(policy: NormalPolicy) -> tuple[Rule, ...]:
    """A policy's rules with what it states for all of them written into each."""
    return tuple(_spread(policy, rule) for rule in policy.rules)


def joined(logic: str, operands: Iterable[Constraint], name: str | None = None) -> Constraint | None:
    """Constraints under a logical operator, in normal form; None for no constraint at all."""
    flat = tuple(_flattened(logic, operands) if logic in ("and", "or") else operands)
    if logic in UNORDERED_LOGICS:
        flat = tuple(sorted(flat, key=_sort_key))
    if logic in ("and", "or"):
        flat = tuple(dict.fromkeys(flat))
    if len(flat) <= 1 and name is None:
        return flat[0] if flat else None
    return Logic(logic, flat, name)


def compared(values: Sequence[int | str], operator: str, path: str) -> Right:
    """A right operand in normal form: one value, or with a set operator a sorted tuple without repeats."""
    if not values:
        raise MalformedPolicy("the right operand is missing", field=path)
    if operator in SET_OPERATORS:
        return tuple(sorted(set(values), key=lambda value: (isinstance(value, str), value)))
    if len(values) > 1:
        raise MalformedPolicy(
            f"`{operator}` compares with one value", field=path, next_step="Use isAnyOf for several."
        )
    return values[0]


def logic_depth(constraint: Constraint) -> int:
    """How many logical operators lie inside one another."""
    if isinstance(constraint, Leaf):
        return 0
    return 1 + max(logic_depth(operand) for operand in constraint.operands)


def leaves(rule: Rule) -> Iterator[Leaf]:
    """Every comparison in a rule: its constraint, refinements, and what lies in its duties."""
    entities = [*rule.parties.values(), rule.target, rule.output, rule.action]
    for constraint in (rule.constraint, *(entity.refinement for entity in entities if entity)):
        if constraint is not None:
            yield from leaves_of(constraint)
    for inner in rule.below():
        yield from leaves(inner)


def leaves_of(constraint: Constraint) -> Iterator[Leaf]:
    """Every comparison in a constraint tree."""
    if isinstance(constraint, Leaf):
        yield constraint
    else:
        for operand in constraint.operands:
            yield from leaves_of(operand)


def ordered(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Duties, consequences or remedies, each named, in their one order, none twice."""
    return _named_in_order(rules)


def _optional(part: Constraint | Entity | Action | None) -> JSON:
    return None if part is None else part.to_json()


def _sort_key(constraint: Constraint) -> bytes:
    return encode(constraint.to_json())


def _flattened(logic: str, operands: Iterable[Constraint]) -> Iterator[Constraint]:
    for operand in operands:
        if isinstance(operand, Logic) and operand.logic == logic and operand.id is None:
            yield from operand.operands
        else:
            yield operand


def _shared(policy: NormalPolicy, rule: Rule, name: str) -> Entity | None:
    own = rule.target if name == "target" else rule.parties.get(name)
    common: Entity | None = getattr(policy, name)
    if own is not None and common is not None and own != common:
        raise MalformedPolicy(
            f"the policy and one of its rules name different {name}s",
            field=name,
            next_step="State it at the policy or at each rule, not at both.",
        )
    return own or common


def _spread(policy: NormalPolicy, rule: Rule) -> Rule:
    parties = {name: _shared(policy, rule, name) for name in ("assigner", "assignee")}
    return replace(rule, parties={**rule.parties, **parties}, target=_shared(policy, rule, "target"))


def _common(name: str, rules: tuple[Rule, ...]) -> Entity | None:
    values = [rule.target if name == "target" else rule.parties[name] for rule in rules]
    return values[0] if values and all(value == values[0] for value in values) else None


def _without(rule: Rule, shared: Mapping[str, Entity | None]) -> Rule:
    parties = {
        name: None if name in shared and shared[name] is not None else party
        for name, party in rule.parties.items()
    }
    return replace(rule, parties=parties, target=None if shared["target"] is not None else rule.target)


def _named_in_order(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    named = [rule if ":" in rule.id else replace(rule, id=rule.content_id) for rule in rules]
    unique = {rule.id: rule for rule in named}
    for rule in named:
        if unique[rule.id] != rule:
            raise MalformedPolicy("two different rules have one id", field=rule.id)
    return tuple(sorted(unique.values(), key=lambda rule: (rule.kind, rule.id)))


def _check_agreement(policy: NormalPolicy) -> None:
    if policy.kind != "agreement":
        return
    for name in ("assigner", "assignee", "target"):
        if any(_shared(policy, rule, name) is None for rule in policy.rules):
            raise MalformedPolicy(f"an agreement names its {name}", field=name)
