"""The coverage table: every ODRL term and every term of our profile, and what happens to it.

Rules that hold here:

* A term is enforced when a policy is published, when a request is decided, when data is released, or
  afterwards as a tracked duty; or it is refused at publish, by name. No term is ignored.
* An operand says where its fact comes from: *measured* by the provider, *attested* by the membership
  list or a credential, or *declared* in the consumer's signed Request (and then the consumer answers for
  it). An operand without a source is refused.
* ``docs/odrl-coverage.md`` is this table, printed by ``python -m connector.policy.coverage_page``.

:func:`require` is the gate that publishing goes through.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from connector.policy.errors import PolicyRefused
from connector.policy.normal import Constraint, Leaf, NormalPolicy, Rule, leaves, leaves_of
from connector.policy.vocabulary import (
    ABOUT_TERMS,
    ACTION_PARENTS,
    CORE_TERMS,
    LEFT_OPERANDS,
    OTHER_POLICY_CLASSES,
    PARTY_FUNCTIONS,
    REPLACED_ACTIONS,
)


class Where(Enum):
    """Where a term is enforced."""

    PUBLISH = "publish"
    DECISION = "decision"
    RELEASE = "release"
    TRACKED_DUTY = "tracked duty"
    REFUSED = "refused"


class FactFrom(Enum):
    """Who says what the term is compared with."""

    MEASURED = "measured"
    ATTESTED = "attested"
    DECLARED = "declared"


class Row(NamedTuple):
    """One line of the table. ``instead`` is what a refused term's author could write, None otherwise."""

    term: str
    where: Where
    how: str
    fact: FactFrom | None = None
    instead: str | None = None

    @property
    def vocabulary(self) -> str:
        if self.term in CORE_TERMS:
            return "ODRL 2.2 core"
        if self.term.startswith("bylag:"):
            return "bylag profile"
        return "Dublin Core" if self.term.startswith("dct:") else "ODRL 2.2 common"


def _publish(how: str, *terms: str) -> list[Row]:
    return [Row(term, Where.PUBLISH, how) for term in terms]


def _decision(how: str, *terms: str, fact: FactFrom | None = None) -> list[Row]:
    return [Row(term, Where.DECISION, how, fact) for term in terms]


def _refused(how: str, instead: str, *terms: str) -> list[Row]:
    return [Row(term, Where.REFUSED, how, None, instead) for term in terms]


_NOT_YET: Final = "not enforced yet"

_STRUCTURE: Final = [
    *_publish("read as a Set: nobody is granted anything until it is agreed", "Policy", "Set"),
    *_publish("proposes; grants nothing until both sign the agreement made of it", "Offer"),
    *_publish("names assigner, assignee and target, or is malformed", "Agreement"),
    *_publish("names the policy, a rule or a constraint; kept and signed", "uid"),
    *_publish("only profiles known here; any other is refused", "profile"),
    *_publish("checked to be a rule of its kind", "Rule", "Permission", "Prohibition"),
    *_publish("checked to be what stands there", "Asset", "Party", "Action", "Constraint"),
    *_publish("checked to be what stands there", "LogicalConstraint", "Operator", "LeftOperand"),
    *_publish("checked to be what stands there", "RightOperand", "ConflictTerm"),
    *_publish("typed by the left operand: moment, whole number, purpose or identifier", "rightOperand"),
    *_publish("must fit the left operand's type", "dataType"),
    *_publish("must be an operand of this table with a source for its fact", "leftOperand"),
    *_publish("must be one that the left operand is compared with", "operator"),
    *_decision("grants, when everything about it is certain", "permission"),
    *_decision("denies, unless something about it rules it out", "prohibition"),
    *_decision("the rule holds for this asset, or for anything where none is named", "target"),
    *_publish("the party that grants; in an agreement, one of the two signers", "assigner"),
    *_decision(
        "the rule holds for this organisation or unit, or for anybody where none is named",
        "assignee",
        fact=FactFrom.ATTESTED,
    ),
    *_decision("a rule for an action holds for every action included in it", "action", "includedIn"),
    *_decision("all constraints of a rule must hold", "constraint"),
    *_decision("three-valued: what is unknown never lets data out", "and", "or", "xone"),
    *_decision("what happens when a permission and a prohibition both hold; prohibit if unsaid", "conflict"),
    *_decision("the permission wins", "perm"),
    *_decision("the prohibition wins", "prohibit"),
    *_decision("the policy is void for the request, which is denied", "invalid"),
    *_decision("compared as the left operand's type says", "eq", "neq", "lt", "lteq", "gt", "gteq"),
    *_decision("the purpose asked for is the one named, or narrower", "isA"),
    *_decision("at least one of the values named", "isAnyOf"),
    *_decision("none of the values named", "isNoneOf"),
]

_STRUCTURE_REFUSED: Final = [
    *_refused(_NOT_YET, "Copy the parent's rules into this policy.", "inheritFrom"),
    *_refused(_NOT_YET, "Put the duty into the contract's prose.", "Duty", "duty", "obligation"),
    *_refused(_NOT_YET, "Put what follows from a breach into the contract's prose.", "consequence", "remedy"),
    *_refused(_NOT_YET, "State it as a constraint of the rule.", "refinement"),
    *_refused(
        _NOT_YET, "Give each member a rule of its own.", "AssetCollection", "PartyCollection", "source"
    ),
    *_refused(_NOT_YET, "Use `and`, where no order is needed.", "andSequence"),
    *_refused(_NOT_YET, "Use `isAnyOf`.", "hasPart", "isPartOf", "isAllOf"),
    *_refused(_NOT_YET, "State the limit in the unit it is counted in.", "unit"),
    *_refused("nothing is fetched to decide", "Write the value as `rightOperand`.", "rightOperandReference"),
    *_refused(
        "a policy does not state what is to be measured", "Leave it out; the fact is measured.", "status"
    ),
    *_refused("abstract: has no meaning of its own", "Use `target`.", "relation"),
    *_refused("abstract: has no meaning of its own", "Use `assigner` or `assignee`.", "function"),
    *_refused("abstract: has no meaning of its own", "Use the term that says which failure.", "failure"),
    *_refused("abstract: has no meaning of its own", "Use `and`, `or` or `xone`.", "operand"),
    *_refused("the action hierarchy is fixed", "Use an action of the vocabulary.", "implies"),
    *_refused(
        "an offer stands at its dataset in the catalogue",
        "Publish the policy with the dataset.",
        "hasPolicy",
        "assignerOf",
        "assigneeOf",
    ),
    *_refused("who belongs where is attested, not stated in a policy", "Name the members.", "partOf"),
]

_OPERANDS: Final = [
    *_decision("the provider's clock when the release is decided", "dateTime", fact=FactFrom.MEASURED),
    *_decision(
        "one DPV purpose, stated in the signed Request, never wider than the agreement's",
        "purpose",
        fact=FactFrom.DECLARED,
    ),
    *_decision("the organisation that asks, or its unit", "recipient", fact=FactFrom.ATTESTED),
    Row(
        "count",
        Where.RELEASE,
        "uses of the permission, from the ledger; reserved in the transaction that records the release",
        FactFrom.MEASURED,
    ),
]

_ENFORCED_OPERANDS: Final = frozenset(row.term for row in _OPERANDS)

_COMMON_REFUSED: Final = [
    *_refused("no right of this kind is granted here", "Use Offer.", *OTHER_POLICY_CLASSES),
    *_refused(_NOT_YET, "Name the party in the contract's prose.", *PARTY_FUNCTIONS[2:]),
    *_refused(_NOT_YET, "Put it into the contract's prose.", "output"),
    *_refused(_NOT_YET, "State the moment itself.", "policyUsage"),
    *_refused(
        _NOT_YET,
        "Use `purpose`, `dateTime`, `recipient` or `count`, or put it into the contract's prose.",
        *sorted(LEFT_OPERANDS.keys() - _ENFORCED_OPERANDS),
    ),
]

ROWS: Final[tuple[Row, ...]] = (
    *_STRUCTURE,
    *_decision(
        "asked for, or included in what is asked for; a release is `read`, a use says what it is",
        *sorted(ACTION_PARENTS),
        fact=FactFrom.DECLARED,
    ),
    *_OPERANDS,
    *_publish("words for people: kept and signed, and decide nothing", *("dct:" + t for t in ABOUT_TERMS)),
    *_STRUCTURE_REFUSED,
    *_COMMON_REFUSED,
    *(
        Row(old, Where.REFUSED, "deprecated in ODRL 2.2", None, f"Write `{new}`.")
        for old, new in sorted(REPLACED_ACTIONS.items())
    ),
)

TABLE: Final[dict[str, Row]] = {row.term: row for row in ROWS}


def require(term: str, path: str) -> None:
    """Let an enforced term pass. Raises :class:`PolicyRefused` for any other."""
    row = TABLE.get(term)
    if row is None:
        raise PolicyRefused(term, path, "Use a term of the coverage table (docs/odrl-coverage.md).")
    if row.where is Where.REFUSED:
        raise PolicyRefused(term, path, row.instead or "")


def facts_of(policy: NormalPolicy) -> tuple[Row, ...]:
    """The rows of everything that a policy compares: what each fact is, and who says so."""
    named = {leaf.left for rule in policy.rules for leaf in leaves(rule)}
    return tuple(TABLE[term] for term in sorted(named) if term in TABLE)


def check_rule(rule: Rule, path: str) -> None:
    """Refuse what only the rule as a whole shows: where ``count`` stands.

    A counter is reserved for each use of a permission. Under ``or`` or ``xone`` it would be open whether
    this use is counted, and a prohibition has no uses to count.
    """
    if rule.constraint is None:
        return
    if rule.kind != "permission" and any(leaf.left == "count" for leaf in leaves_of(rule.constraint)):
        raise PolicyRefused("count", path, "Limit the count of a permission.")
    if _counts_under_choice(rule.constraint):
        raise PolicyRefused("count", path, "Give the counted case a permission of its own.")


def _counts_under_choice(constraint: Constraint, inside: bool = False) -> bool:
    if isinstance(constraint, Leaf):
        return inside and constraint.left == "count"
    inside = inside or constraint.logic != "and"
    return any(_counts_under_choice(operand, inside) for operand in constraint.operands)
