"""The coverage table: every ODRL term and every term of our profile, and what happens to it.

Rules that hold here:

* A term is enforced when a policy is published, when a request is decided, when data is released, or
  afterwards as a tracked duty; or it is refused at publish, by name. No term is ignored.
* An operand says where its fact comes from: *measured* by the provider, *attested* by the membership
  list, a credential or the agreement that both signed, or *declared* in the consumer's signed Request (and
  then the consumer answers for it). An operand without a source is refused.
* What nobody measured, attested or declared of one request is null in its question: a permission that needs
  it is denied, a prohibition that rests on it binds.
* Nobody records the consent of each person in this version: its two operands have no source and are
  refused.
* ``docs/odrl-coverage.md`` is this table, written by ``make docs``.

:func:`require` is the gate that publishing goes through.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from connector.policy.duty import check_duty
from connector.policy.errors import PolicyRefused
from connector.policy.normal import NOBODY, Constraint, Leaf, NormalPolicy, Rule, leaves, leaves_of
from connector.policy.vocabulary import (
    ABOUT_TERMS,
    ACTION_PARENTS,
    CORE_TERMS,
    LEFT_OPERANDS,
    OTHER_POLICY_CLASSES,
    PARTY_FUNCTIONS,
    REPLACED_ACTIONS,
    RESERVED_OPERANDS,
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


def _tracked(how: str, *terms: str) -> list[Row]:
    return [Row(term, Where.TRACKED_DUTY, how) for term in terms]


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
    *_decision(
        "one after the other: what follows the first that does not hold is not looked at", "andSequence"
    ),
    *_decision(
        "narrows an action, a party collection or an asset collection: where it does not hold, the rule is"
        " about something else",
        "refinement",
    ),
    *_decision(
        "means its members, as attested (`bylag:municipality` and the other kinds of the membership list);"
        " about a collection that nobody attests nothing is known",
        "PartyCollection",
        "AssetCollection",
        "source",
        fact=FactFrom.ATTESTED,
    ),
    *_publish(
        "the parents' rules are written into the policy; the child's conflict strategy rules; a parent that"
        " is not at hand refuses the child",
        "inheritFrom",
    ),
    *_publish("the window of a `rate`, the currency of a `payAmount`; refused elsewhere", "unit"),
    *_tracked(
        "what a permission asks in return, or what the policy obliges to by itself; its constraint says until"
        " when (`dateTime`, `elapsedTime`, `delayPeriod`), and nothing else is taken there",
        "Duty",
    ),
    *_tracked(
        "a tracked task of each exchange that may rest on the permission; while it is violated, and not made"
        " good, the permission is not active; what comes first by its nature must be fulfilled before",
        "duty",
    ),
    *_tracked("a tracked task, owed from the agreement on, whatever is asked", "obligation"),
    *_tracked("owed when its duty was violated; makes good for it", "consequence"),
    *_tracked(
        "owed when its prohibition was infringed; it makes good for that and permits nothing", "remedy"
    ),
    *_decision("what happens when a permission and a prohibition both hold; prohibit if unsaid", "conflict"),
    *_decision("the permission wins", "perm"),
    *_decision("the prohibition wins", "prohibit"),
    *_decision("the policy is void for the request, which is denied", "invalid"),
    *_decision("compared as the left operand's type says", "eq", "neq", "lt", "lteq", "gt", "gteq"),
    *_decision("the value is the one named, or narrower in the vocabulary it is taken from", "isA"),
    *_decision("the value lies in the one named, by its vocabulary or as an attested member", "isPartOf"),
    *_decision("the value named is an attested member of what holds", "hasPart"),
    *_decision("every value named is among those that hold, in whatever order", "isAllOf"),
    *_decision("what holds is among the values named", "isAnyOf"),
    *_decision("what holds is none of the values named", "isNoneOf"),
]

_STRUCTURE_REFUSED: Final = [
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

_RESERVED: Final = "from the ledger; reserved in the transaction that records the use"


def _reserved(how: str, term: str) -> Row:
    return Row(term, Where.RELEASE, how, FactFrom.MEASURED)


def _operand(fact: FactFrom, how: str, *terms: str) -> list[Row]:
    return _decision(how, *terms, fact=fact)


_OPERANDS: Final = [
    *_operand(FactFrom.MEASURED, "the provider's clock when the release is decided", "dateTime"),
    *_operand(
        FactFrom.DECLARED,
        "one DPV purpose, stated in the signed Request, never wider than the agreement's",
        "purpose",
    ),
    *_operand(
        FactFrom.ATTESTED, "the organisation that asks, its unit, or a collection it belongs to", "recipient"
    ),
    *_operand(
        FactFrom.MEASURED, "the time since the agreement's period began; `eq` is at most that", "elapsedTime"
    ),
    *_operand(
        FactFrom.MEASURED, "the time since the agreement's period began; `eq` is at least that", "delayPeriod"
    ),
    *_operand(
        FactFrom.ATTESTED, "the recipient's industry, as the membership list spells its code", "industry"
    ),
    *_operand(
        FactFrom.ATTESTED,
        "the recipient's country by its ISO 3166 code; it is part of `EU` and `EEA` where it is a member, and"
        " of `bylag:area` when the configuration says so",
        "spatial",
    ),
    *_operand(FactFrom.MEASURED, "the digest of the dataset version that is released", "version"),
    *_operand(FactFrom.MEASURED, "what is counted here is `bylag:use`: a use that is granted", "unitOfCount"),
    *_operand(
        FactFrom.ATTESTED,
        "the legal basis that the agreement names, with the wider ones of DPV; says nothing of consent",
        "bylag:legalBasis",
    ),
    *_operand(
        FactFrom.ATTESTED,
        "what lifts official secrecy, as the agreement names it; apart from legal basis and consent",
        "bylag:secrecyGround",
    ),
    *_operand(
        FactFrom.ATTESTED,
        "the countries of processing that the agreement names, by their ISO 3166 codes; outside the"
        " configured area a transfer ground is needed",
        "bylag:processingPlace",
    ),
    _reserved(f"uses of the permission, {_RESERVED}", "count"),
    _reserved(f"uses within a minute, hour, day (where no unit is named) or week, {_RESERVED}", "bylag:rate"),
    _reserved(f"the time since the last use, {_RESERVED}; `eq` is at least that", "timeInterval"),
    _reserved(
        "how long exchanges under the permission were open, from the Accept on, by the provider's monotonic"
        " clock; there must be room. After the hand-over nobody meters: there it is unknown",
        "meteredTime",
    ),
    *_operand(
        FactFrom.MEASURED,
        "how the data is delivered: `bylag:transfer`, `bylag:query` or `bylag:subscription`, by the mode of"
        " the exchange",
        "deliveryChannel",
    ),
    *_operand(
        FactFrom.ATTESTED,
        "an event that whoever decides has recorded as under way (`bylag events begin`); none is never shown",
        "event",
    ),
    *_operand(FactFrom.MEASURED, "the media type of what would leave, such as `text/csv`", "fileFormat"),
    *_operand(
        FactFrom.MEASURED,
        "the media type of the published version, by its IRI at IANA; it is a kind of its top-level type",
        "media",
    ),
    *_operand(FactFrom.MEASURED, "the dataset's language as published, ISO 639, such as `sv`", "language"),
    *_operand(
        FactFrom.MEASURED,
        "the dataset's IRI in the catalogue; it is a kind of each EU data theme that it is published under",
        "product",
    ),
    *_operand(FactFrom.DECLARED, "the device that the data is for, an IRI", "systemDevice"),
    *_operand(FactFrom.DECLARED, "the place on a network that the data is for, an IRI", "virtualLocation"),
    *_operand(
        FactFrom.MEASURED,
        "the sum of the settlement statements that both signed, in minor units of the currency of the"
        " agreement's price (`urn:iso:4217:SEK`); without a price unknown",
        "payAmount",
    ),
    *_operand(
        FactFrom.MEASURED,
        "bytes that would leave; of a table in part, a session or a subscription not known beforehand",
        "absoluteSize",
    ),
    *_operand(
        FactFrom.MEASURED,
        "how much of the version's rows this transfer would give, in whole per cent, rounded up; of a session"
        " or a subscription not known beforehand",
        "percentage",
    ),
    *_operand(
        FactFrom.MEASURED,
        "the categories of data that the columns were declared to hold at publish, with the wider ones of"
        " DPV; a dataset about nobody is `dpv:NonPersonalData` unless its columns say more",
        "bylag:dataCategory",
    ),
    *_operand(FactFrom.DECLARED, "how long the consumer keeps the data", "bylag:retentionPeriod"),
    *_operand(
        FactFrom.DECLARED,
        "whom the consumer hands the data on to; `bylag:nobody` where it says so",
        "bylag:onwardTransfer",
    ),
    *_operand(
        FactFrom.MEASURED,
        "how many rows at least agree in the columns named at publish (k), counted when the version was made",
        "bylag:aggregationLevel",
    ),
]

_OF_CONSENT: Final = ("bylag:consent", "bylag:assurance")
_ENFORCED_OPERANDS: Final = frozenset(row.term for row in _OPERANDS)

COMES_FIRST: Final = {
    "obtainConsent": "as a duty it comes first: nothing is released before it is fulfilled",
    "compensate": "as a duty with a `payAmount` it comes first; without one it is owed afterwards",
}
"""Duties that come first by their nature (policies/duties.rego); every other is owed afterwards."""

_ASKED_FOR: Final = "asked for, or included in what is asked for; a release is `read`, a use says what it is"
_AFTERWARDS: Final = "as a duty it is owed afterwards"

_ACTIONS: Final = [
    Row(name, Where.DECISION, f"{_ASKED_FOR}; {COMES_FIRST.get(name, _AFTERWARDS)}", FactFrom.DECLARED)
    for name in sorted(ACTION_PARENTS)
]

_COMMON_REFUSED: Final = [
    *_refused("no right of this kind is granted here", "Use Offer.", *OTHER_POLICY_CLASSES),
    *_refused(_NOT_YET, "Put it into the contract's prose.", "output"),
    *_refused(_NOT_YET, "State the moment itself.", "policyUsage"),
    *_refused(
        f"{_NOT_YET}: nobody records the consent of each person",
        "Ask for it as a duty, `obtainConsent`: nothing leaves before you accepted that it was obtained.",
        *_OF_CONSENT,
    ),
    *_refused(
        "nothing measures, attests or declares it",
        "Use an operand of this table that has a source for its fact, or put it into the contract's prose.",
        *sorted(LEFT_OPERANDS.keys() - _ENFORCED_OPERANDS - set(_OF_CONSENT)),
    ),
]

ROWS: Final[tuple[Row, ...]] = (
    *_STRUCTURE,
    *_ACTIONS,
    *_OPERANDS,
    *_tracked(
        "who owes the duty, or to whom: whoever owes it is one of the two who sign", *PARTY_FUNCTIONS[2:]
    ),
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
    """Refuse what only the rule as a whole shows: where counted operands and other parties stand.

    A counter is reserved for each use of a permission. Under ``or`` or ``xone`` it would be open whether
    this use is counted, and nothing but a permission has uses to count. Whom a duty informs or pays, only
    a duty can say. A duty says no more than tracking can honour (``connector.policy.duty``).
    """
    own = [] if rule.constraint is None else list(leaves_of(rule.constraint))
    counted = [leaf.left for leaf in leaves(rule) if leaf.left in RESERVED_OPERANDS]
    counted_here = [leaf.left for leaf in own if leaf.left in RESERVED_OPERANDS]
    if counted and (rule.kind != "permission" or len(counted) > len(counted_here)):
        raise PolicyRefused(counted[0], path, "Limit it in a constraint of a permission.")
    if rule.constraint is not None and (chosen := _counted_under_choice(rule.constraint)) is not None:
        raise PolicyRefused(chosen, path, "Give the counted case a permission of its own.")
    others = sorted(rule.parties.keys() - NOBODY.keys())
    if others and rule.kind in ("permission", "prohibition"):
        raise PolicyRefused(others[0], path, "Name the party in a duty.")
    if rule.kind in ("obligation", "duty"):
        check_duty(rule, path)


def _counted_under_choice(constraint: Constraint, inside: bool = False) -> str | None:
    if isinstance(constraint, Leaf):
        return constraint.left if inside and constraint.left in RESERVED_OPERANDS else None
    inside = inside or constraint.logic in ("or", "xone")
    found = (_counted_under_choice(operand, inside) for operand in constraint.operands)
    return next((left for left in found if left is not None), None)
