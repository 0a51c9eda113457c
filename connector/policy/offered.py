"""A policy before it is offered: one that nobody could sign, or use anything under, is refused.

Rules that hold here:

* It leaves assigner and target open, or names the provider and the dataset; it names one assignee at most.
* At least one permission can hold for the purpose of the offer, or for a narrower one: what is asked for
  has to be within both (``PURPOSE_BEYOND_AGREEMENT``, ``PURPOSE_NOT_PERMITTED``).
* A condition on anything else than a purpose is taken as one that may hold.
"""

from __future__ import annotations

from dataclasses import replace

from connector.policy.errors import MalformedPolicy
from connector.policy.normal import Constraint, Leaf, NormalPolicy, assemble, leaves_of
from connector.policy.purposes import closure, is_within
from connector.policy.vocabulary import DPV
from ledger.names import DatasetId, ParticipantId

_NAMING = ("eq", "isA", "isAnyOf")


def purposes_named(policy: NormalPolicy) -> tuple[str, ...]:
    """The purposes that the policy's permissions name, each once, in the policy's order."""
    found: dict[str, None] = {}
    for rule in policy.rules:
        if rule.kind == "permission" and rule.constraint is not None:
            for leaf in leaves_of(rule.constraint):
                if leaf.left == "purpose" and leaf.operator in _NAMING:
                    found |= dict.fromkeys(_rights(leaf))
    return tuple(found)


def check_offered(policy: NormalPolicy, provider: ParticipantId, dataset: DatasetId, purpose: str) -> None:
    """Raise :class:`MalformedPolicy` for a policy that cannot be agreed on, or that permits nothing."""
    assignees = [rule.parties.get("assignee") or policy.assignee for rule in policy.rules]
    named = next((each.id for each in assignees if each is not None and each.id is not None), provider)
    policy.agreed(name="urn:bylag:offer", assigner=provider, assignee=ParticipantId(named), target=dataset)
    check_purpose(policy, purpose)


def check_purpose(policy: NormalPolicy, purpose: str) -> None:
    """Raise :class:`MalformedPolicy` if no permission can hold for ``purpose`` or a narrower one."""
    narrower = [each for each in closure() if is_within(each, purpose)]
    permissions = [rule for rule in policy.rules if rule.kind == "permission"]
    if permissions and not any(
        rule.constraint is None or _may_hold(rule.constraint, asked)
        for rule in permissions
        for asked in narrower
    ):
        named = ", ".join(each.removeprefix(DPV) for each in purposes_named(policy))
        raise MalformedPolicy(
            f"the policy permits nothing for the purpose {purpose.removeprefix(DPV)}; it names {named}",
            field="purpose",
            next_step="Name the purpose that the policy names, or another policy with it.",
        )


def for_purpose(policy: NormalPolicy, before: str, after: str) -> NormalPolicy:
    """The policy with another purpose in the place of one, wherever a permission asks for that one."""
    rules = tuple(
        replace(rule, constraint=_instead(rule.constraint, before, after))
        if rule.kind == "permission" and rule.constraint is not None
        else rule
        for rule in policy.rules
    )
    return assemble(replace(policy, rules=rules))


def _instead(constraint: Constraint, before: str, after: str) -> Constraint:
    if not isinstance(constraint, Leaf):
        operands = tuple(_instead(operand, before, after) for operand in constraint.operands)
        return replace(constraint, operands=operands)
    if constraint.left == "purpose" and constraint.operator in ("eq", "isA") and constraint.right == before:
        return replace(constraint, right=after)
    return constraint


def _may_hold(constraint: Constraint, asked: str) -> bool:
    if isinstance(constraint, Leaf):
        if constraint.left != "purpose" or constraint.operator not in _NAMING:
            return True
        return any(is_within(asked, right) for right in _rights(constraint))
    together = all if constraint.logic in ("and", "andSequence") else any
    return together(_may_hold(operand, asked) for operand in constraint.operands)


def _rights(leaf: Leaf) -> tuple[str, ...]:
    return tuple(map(str, leaf.right)) if isinstance(leaf.right, tuple) else (str(leaf.right),)
