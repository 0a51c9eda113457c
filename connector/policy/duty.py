"""Duties as tasks: who owes what, when it arises, and until when.

Rules that hold here:

* A duty is owed by the party that it names for it (its ``assignee``, or the function of who acts, such as
  ``informingParty``); where it names nobody, by the consumer, who uses the data.
* What comes first by its nature is owed once, from the agreement on (policies/duties.rego has the same
  list). Every other duty of a permission arises anew with each exchange that may rest on the permission.
  Obligations, consequences and remedies arise once for what brought them about.
* The constraint of a duty says until when, and nothing else: ``dateTime`` (``lt``, ``lteq``), or
  ``elapsedTime`` or ``delayPeriod`` since it arose. An amount stands in a ``compensate``. What tracking
  cannot honour is refused by name when the policy is read (:func:`check_duty`); nothing is ignored.
* The consumer's and the provider's connector make the same tasks of the same signed policy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from connector.policy.errors import PolicyRefused
from connector.policy.normal import (
    NOBODY,
    Action,
    Constraint,
    Entity,
    Leaf,
    NormalPolicy,
    Rule,
    leaves_of,
    spread_rules,
)
from connector.policy.purposes import is_within, purpose_iri
from connector.policy.values import LATEST_MOMENT
from connector.policy.vocabulary import action_closure
from ledger.names import Milliseconds

DutyKind: TypeAlias = Literal["duty", "obligation", "consequence", "remedy"]
Debtor: TypeAlias = Literal["consumer", "provider"]

OWED_BY: Final = (
    "assignee",
    "attributingParty",
    "compensatingParty",
    "consentedParty",
    "contractedParty",
    "informingParty",
    "trackedParty",
)
"""The party functions of who acts, as the ODRL 2.2 vocabulary describes them."""

ANSWERED: Final = frozenset({"obtainConsent", "compensate"})
"""Actions that count as done only when the other side has accepted the report: nobody pays by saying so."""

RELEASED: Final = frozenset(action_closure()["read"])
"""The actions of permissions that a release can rest on."""

LARGEST_AMOUNT: Final = 10**12
"""In minor units: what a report can say was paid (``connector.contract.forms``)."""

_DUE: Final[Mapping[str, tuple[str, ...]]] = {
    "dateTime": ("lt", "lteq"),
    "elapsedTime": ("eq", "lt", "lteq"),
    "delayPeriod": ("eq",),
}
_CURRENCY: Final = re.compile(r"(?:.*[:/#])?([A-Z]{3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Duty:
    """A duty of a policy, as it is tracked."""

    id: str
    kind: DutyKind
    rule: str
    """The id of the policy's rule that it belongs to; an obligation is its own."""
    action: str
    owed_by: Debtor
    repeated: bool
    """Whether it arises with each exchange."""
    moments: tuple[int, ...] = ()
    """Moments until which it is to be done, in milliseconds."""
    within: tuple[int, ...] = ()
    """Durations from when it arose, in milliseconds."""
    amount: int | None = None
    """What is to be paid at least, in minor units of ``unit``."""
    unit: str | None = None
    consequences: tuple[str, ...] = ()
    """What is owed as well when it was not done in time."""

    def due(self, arisen: Milliseconds) -> Milliseconds | None:
        """Until when it is to be done; None: without a limit."""
        ends = [*self.moments, *(arisen + each for each in self.within)]
        return Milliseconds(min(*ends, LATEST_MOMENT)) if ends else None

    @property
    def answered(self) -> bool:
        """Whether a report counts only once it is accepted."""
        return self.action in ANSWERED

    @property
    def currency(self) -> str | None:
        """The ISO 4217 code that its unit ends with, if it does."""
        found = _CURRENCY.fullmatch(self.unit or "")
        return found.group(1) if found else None


def comes_first(duty: Rule) -> bool:
    """Whether a permission may be used only once this is done (policies/duties.rego)."""
    if duty.action is None:
        return False
    return duty.action.name == "obtainConsent" or (
        duty.action.name == "compensate" and any(leaf.left == "payAmount" for leaf in _own_leaves(duty))
    )


def duties_of(policy: NormalPolicy) -> dict[str, Duty]:
    """Every duty of a policy, by its id.

    Raises :class:`PolicyRefused` for one id that means two things, and for a duty of somebody who is no
    party to the policy.
    """
    found: dict[str, Duty] = {}
    for rule in spread_rules(policy):
        for duty in _in_rule(rule):
            known = found.setdefault(duty.id, duty)
            if replace(duty, rule=known.rule) != known:
                raise PolicyRefused("uid", duty.id, "Give each duty a uid of its own.")
    return found


def arising(policy: NormalPolicy, purpose: str) -> Iterator[str]:
    """The ids of the duties that arise with an exchange for ``purpose``, in the policy's order.

    They are those of each permission that a release for this purpose may rest on: both sides can tell from
    the policy and the signed Request alone.
    """
    for rule in policy.rules:
        if rule.kind == "permission" and _may_bear(rule, purpose):
            yield from (duty.id for duty in rule.duties if not comes_first(duty))


def check_duty(duty: Rule, path: str) -> None:
    """Refuse what tracking could not honour, naming it. Raises :class:`PolicyRefused`."""
    action = duty.action or Action("use")
    for function, entity in duty.parties.items():
        of_policy = duty.kind == "obligation" and function in NOBODY
        if entity is not None and entity.refinement is not None and not of_policy:
            raise PolicyRefused("refinement", f"{path}.{function}", "Name the party that is meant by its id.")
    for leaf in _conjuncts(duty.constraint, path):
        if leaf.left == "payAmount":
            continue
        if leaf.left not in _DUE:
            raise PolicyRefused(
                leaf.left,
                path,
                "A duty says until when: use `dateTime` or `elapsedTime`; put the rest into the permission.",
            )
        if leaf.operator not in _DUE[leaf.left]:
            allowed = ", ".join(f"`{operator}`" for operator in _DUE[leaf.left])
            raise PolicyRefused(
                leaf.operator,
                path,
                f"With `{leaf.left}` a duty says until when: {allowed}; or use `elapsedTime`.",
            )
    amounts = []
    for leaf in _own_leaves(duty):
        if leaf.left == "payAmount":
            amounts.append(leaf)
        elif duty.constraint is None or leaf not in list(leaves_of(duty.constraint)):
            raise PolicyRefused(
                "refinement", f"{path}.action", "Say until when in a `constraint` of the duty."
            )
    if amounts and action.name != "compensate":
        raise PolicyRefused("payAmount", path, "Name an amount in a `compensate`.")
    if len(amounts) > 1 or any(leaf.operator not in ("eq", "gteq") for leaf in amounts):
        raise PolicyRefused("payAmount", path, "Name one amount, with `eq` or `gteq`.")
    if any(int(str(leaf.right)) > LARGEST_AMOUNT for leaf in amounts):
        raise PolicyRefused("payAmount", path, f"Name an amount of at most {LARGEST_AMOUNT} minor units.")


def _own_leaves(duty: Rule) -> list[Leaf]:
    """The comparisons of a duty's constraint and of its action's refinement."""
    roots = (duty.constraint, duty.action.refinement if duty.action else None)
    return [leaf for root in roots if root is not None for leaf in leaves_of(root)]


def _conjuncts(constraint: Constraint | None, path: str) -> Iterator[Leaf]:
    """The comparisons that all must hold. Raises :class:`PolicyRefused` for a choice between them."""
    if constraint is None:
        return
    if isinstance(constraint, Leaf):
        yield constraint
        return
    if constraint.logic != "and":
        raise PolicyRefused(constraint.logic, path, "A duty is due at one time: write each limit by itself.")
    for operand in constraint.operands:
        yield from _conjuncts(operand, path)


def _in_rule(rule: Rule) -> Iterator[Duty]:
    if rule.kind == "obligation":
        yield from _tracked(rule, rule, "obligation")
    for duty in rule.duties:
        yield from _tracked(duty, rule, "duty")
    for remedy in rule.remedies:
        yield from _tracked(remedy, rule, "remedy")


def _tracked(duty: Rule, rule: Rule, kind: DutyKind) -> Iterator[Duty]:
    own = _own_leaves(duty)
    amount = next((leaf for leaf in own if leaf.left == "payAmount"), None)
    yield Duty(
        id=duty.id,
        kind=kind,
        rule=rule.id,
        action=duty.action.name if duty.action else "use",
        owed_by=_owed_by(duty, rule),
        repeated=kind == "duty" and not comes_first(duty),
        moments=_numbers(own, ("dateTime",)),
        within=_numbers(own, ("elapsedTime", "delayPeriod")),
        amount=int(str(amount.right)) if amount is not None else None,
        unit=amount.unit if amount is not None else None,
        consequences=tuple(consequence.id for consequence in duty.consequences),
    )
    for consequence in duty.consequences:
        yield from _tracked(consequence, rule, "consequence")


def _numbers(leaves: Iterable[Leaf], lefts: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(int(str(leaf.right)) for leaf in leaves if leaf.left in lefts)


def _owed_by(duty: Rule, rule: Rule) -> Debtor:
    # An obligation's assignee is the policy's: whoever takes the offer.
    own = [name for name in OWED_BY if duty.kind != "obligation" or name != "assignee"]
    named = {party.id for name in own if (party := duty.parties.get(name)) is not None}
    assigner, assignee = (_id(rule.parties.get(name)) for name in ("assigner", "assignee"))
    if not named or (named == {assignee} and assignee is not None):
        return "consumer"
    if named == {assigner} and assigner is not None:
        return "provider"
    raise PolicyRefused(
        next(name for name in own if duty.parties.get(name) is not None),
        duty.id,
        "Name the policy's assigner or assignee, who sign it; or nobody, and the consumer owes the duty.",
    )


def _id(party: Entity | None) -> str | None:
    return None if party is None or party.collection else party.id


def _may_bear(permission: Rule, purpose: str) -> bool:
    if permission.action is None or permission.action.name not in RELEASED:
        return False
    asked = purpose_iri(purpose) or purpose
    return all(_admits(leaf, asked) for leaf in _certain(permission.constraint) if leaf.left == "purpose")


def _certain(constraint: Constraint | None) -> Iterator[Leaf]:
    """The comparisons without which a constraint cannot hold."""
    if isinstance(constraint, Leaf):
        yield constraint
    elif constraint is not None and constraint.logic in ("and", "andSequence"):
        for operand in constraint.operands:
            yield from _certain(operand)


def _admits(leaf: Leaf, asked: str) -> bool:
    values = [str(each) for each in (leaf.right if isinstance(leaf.right, tuple) else (leaf.right,))]
    within = any(is_within(asked, value) for value in values)
    match leaf.operator:
        case "eq" | "isA" | "isAnyOf":
            return within
        case _:
            return not within
