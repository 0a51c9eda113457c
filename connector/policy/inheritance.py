"""inheritFrom: a policy with the rules of the policies it inherits from (ODRL Information Model 2.5).

Rules that hold here:

* A parent is a policy that is at hand. None is fetched, and one that is not there refuses the child.
* What comes out stands alone: the parents' rules are written into it, and it names no parent any more.
  So the policy that is signed says all it means, whatever becomes of its parents.
* The child's conflict strategy rules. Whatever a parent states for all its rules goes with each of them.
* A rule that child and parent both hold, word for word, stands once; two different rules of one name are
  refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from connector.policy.errors import PolicyRefused
from connector.policy.normal import NormalPolicy, spread_rules


def inherit(
    child: NormalPolicy, named: Sequence[tuple[str, str]], parents: Mapping[str, NormalPolicy]
) -> NormalPolicy:
    """``child`` with the rules of its parents, each ``named`` by its id and the place where that stands.

    Raises :class:`PolicyRefused` for a parent that is not among ``parents``.
    """
    rules = list(spread_rules(child))
    profiles = list(child.profiles)
    for name, path in named:
        parent = parents.get(name)
        if parent is None:
            raise PolicyRefused(
                "inheritFrom", path, "Give the parent policy along with this one; nothing is fetched."
            )
        rules += spread_rules(parent)
        profiles += parent.profiles
    return replace(
        child,
        rules=tuple(rules),
        profiles=tuple(profiles),
        inherits=(),
        assigner=None,
        assignee=None,
        target=None,
    )
