"""A policy in plain sentences: what somebody reads before they publish or sign it.

Rules that hold here:

* Nothing of the policy is left out. A term without words of its own is given by its name.
* Every value is quoted as it was signed; nothing is rounded. Purposes and durations are given in a
  shorter form that means the same.
* A sentence that goes on in others (a rule with conditions, duties, consequences) holds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from connector.policy.normal import Action, Constraint, Entity, Leaf, Logic, NormalPolicy, Rule
from connector.policy.values import written_moment
from connector.policy.vocabulary import DPV, LEFT_OPERANDS, ORDERINGS, PROFILE, Datatype
from ledger.canonical import JSONObject

ACTIONS: Final = {
    "use": "use {it} in any way",
    "transfer": "hand {it} over to others",
    "acceptTracking": "accept being tracked",
    "aggregate": "put {it} together with other data",
    "annotate": "add notes to {it}",
    "anonymize": "make {it} anonymous",
    "archive": "archive {it}",
    "attribute": "name where {it} comes from",
    "compensate": "pay for {it}",
    "concurrentUse": "use {it} several times at once",
    "delete": "delete {it}",
    "derive": "make something new from {it}",
    "digitize": "digitise {it}",
    "display": "display {it}",
    "distribute": "distribute {it}",
    "ensureExclusivity": "make sure that nobody else has {it}",
    "execute": "run {it}",
    "extract": "take parts out of {it}",
    "give": "give {it} away",
    "grantUse": "let others use {it}",
    "include": "include {it} in something else",
    "index": "index {it}",
    "inform": "inform the other side",
    "install": "install {it}",
    "modify": "change {it}",
    "move": "move {it}",
    "nextPolicy": "pass {it} on under the policy that is named",
    "obtainConsent": "obtain consent",
    "play": "play {it}",
    "present": "show {it} in public",
    "print": "print {it}",
    "read": "read {it}",
    "reproduce": "copy {it}",
    "reviewPolicy": "read this policy again",
    "sell": "sell {it}",
    "stream": "stream {it}",
    "synchronize": "use {it} together with other media",
    "textToSpeech": "have {it} read aloud by a machine",
    "transform": "convert {it} to another form",
    "translate": "translate {it}",
    "uninstall": "uninstall {it}",
    "watermark": "watermark {it}",
    "cc:Attribution": "give credit for {it}",
    "cc:CommercialUse": "use {it} commercially",
    "cc:DerivativeWorks": "make works derived from {it}",
    "cc:Distribution": "distribute {it}, or show or perform it in public",
    "cc:Notice": "keep the licence notices of {it}",
    "cc:Reproduction": "make copies of {it}",
    "cc:ShareAlike": "share what is made of {it} under the same terms",
    "cc:Sharing": "share {it}, but not commercially",
    "cc:SourceCode": "hand the source code of {it} on with it",
}
"""What somebody may do, must not do or has to do; ``{it}`` is the data."""

OPERANDS: Final = {
    "absolutePosition": "the position",
    "absoluteSize": "the size in bytes",
    "absoluteSpatialPosition": "the position in space",
    "absoluteTemporalPosition": "the position in time",
    "bylag:aggregationLevel": "the number of persons behind each figure",
    "bylag:assurance": "how strongly consent was given",
    "bylag:consent": "the consent of those whom the data is about",
    "bylag:dataCategory": "the category of the data",
    "bylag:legalBasis": "the legal basis",
    "bylag:onwardTransfer": "the ground for passing it on",
    "bylag:processingPlace": "the place of processing",
    "bylag:rate": "the number of uses in each period",
    "bylag:retentionPeriod": "how long it is kept",
    "bylag:secrecyGround": "the ground for lifting secrecy",
    "count": "the number of uses",
    "dateTime": "the time",
    "delayPeriod": "the time waited before",
    "deliveryChannel": "the channel of delivery",
    "elapsedTime": "the time since the agreement began",
    "event": "what is going on",
    "fileFormat": "the file format",
    "industry": "the recipient's industry",
    "language": "the language",
    "media": "the medium",
    "meteredTime": "the time it was used in all",
    "payAmount": "the amount paid, in minor units",
    "percentage": "the part of the data, in percent",
    "product": "the product it is used in",
    "purpose": "the purpose",
    "recipient": "the recipient",
    "relativePosition": "the relative position",
    "relativeSize": "the relative size",
    "relativeSpatialPosition": "the relative position in space",
    "relativeTemporalPosition": "the relative position in time",
    "resolution": "the resolution",
    "spatial": "the place",
    "spatialCoordinates": "the coordinates",
    "systemDevice": "the device",
    "timeInterval": "the time between two uses",
    "unitOfCount": "what is counted",
    "version": "the version",
    "virtualLocation": "the network location",
}

_MOMENTS: Final = {
    "eq": "is",
    "neq": "is not",
    "lt": "is before",
    "lteq": "is not after",
    "gt": "is after",
    "gteq": "is not before",
}
_AMOUNTS: Final = {
    "eq": "is",
    "neq": "is not",
    "lt": "is less than",
    "lteq": "is at most",
    "gt": "is more than",
    "gteq": "is at least",
}
_NAMES: Final = {
    "eq": "is",
    "neq": "is not",
    "isA": "is, or is a kind of,",
    "hasPart": "contains",
    "isPartOf": "lies in",
    "isAllOf": "is all of",
    "isAnyOf": "is one of",
    "isNoneOf": "is none of",
}
_LOGICS: Final = {
    "and": "all of this holds:",
    "or": "at least one of these holds:",
    "xone": "exactly one of these holds:",
    "andSequence": "all of this holds, in this order:",
}
_CONFLICTS: Final = {
    "prohibit": "Where a permission and a prohibition meet, the prohibition counts.",
    "perm": "Where a permission and a prohibition meet, the permission counts.",
    "invalid": "Where a permission and a prohibition meet, the whole policy is void.",
}
_UNITS: Final = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000))


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, and those that say more about it."""

    text: str
    inside: tuple[Sentence, ...] = ()
    rule: str | None = None
    """The id of the rule that it tells of: decisions name rules by it."""

    def to_json(self) -> JSONObject:
        """``text``, ``rule``, and ``inside``: the same again."""
        return {
            "text": self.text,
            "rule": self.rule,
            "inside": [sentence.to_json() for sentence in self.inside],
        }

    def lines(self, depth: int = 0) -> Iterator[tuple[int, str]]:
        """Depth and text, this sentence first."""
        yield depth, self.text
        for sentence in self.inside:
            yield from sentence.lines(depth + 1)


def sentences(policy: NormalPolicy) -> tuple[Sentence, ...]:
    """What ``policy`` says, the most important first."""
    return (
        *(Sentence(f"{name.capitalize()}: {words}") for name, words in policy.about),
        Sentence(_opening(policy)),
        *(_rule(rule, policy) for kind in _ORDER for rule in policy.rules if rule.kind == kind),
        *_conflict(policy),
        *(Sentence(f"It goes on with the rules of {parent}.") for parent in policy.inherits),
        *(Sentence(f"It is written in the terms of {profile}.") for profile in policy.profiles),
        Sentence("What is not permitted here is denied."),
    )


_ORDER: Final = ("permission", "prohibition", "obligation")


def _opening(policy: NormalPolicy) -> str:
    kind = {"offer": "This is an offer", "agreement": "This is an agreement"}.get(
        policy.kind, "These are terms that nobody has been offered yet"
    )
    giving = f" by {_entity(policy.assigner)}" if policy.assigner else ""
    about = f" about {_entity(policy.target)}" if policy.target else ""
    since = f" of {written_moment(policy.timestamp)}" if policy.timestamp is not None else ""
    return f"{kind}{giving}{about}{since}."


def _conflict(policy: NormalPolicy) -> Iterator[Sentence]:
    kinds = {rule.kind for rule in policy.rules}
    if {"permission", "prohibition"} <= kinds or policy.conflict != "prohibit":
        yield Sentence(_CONFLICTS[policy.conflict])


def _rule(rule: Rule, policy: NormalPolicy) -> Sentence:
    verb = {"permission": "may", "prohibition": "must not", "obligation": "must", "duty": "must"}[rule.kind]
    who = _who(rule, policy)
    text = f"{who} {verb} {_action(rule.action, _it(rule))}"
    inside = [*_others(rule)]
    if rule.action is not None and rule.action.refinement is not None:
        inside.append(_condition("That means only where", rule.action.refinement))
    for part, of in ((rule.target, "The data"), (rule.output, "What comes of it")):
        if part is not None and part.refinement is not None:
            inside.append(_condition(f"{of} is only that of which", part.refinement))
    if rule.output is not None and rule.output.id is not None:
        inside.append(Sentence(f"What comes of it is {_entity(rule.output)}."))
    for title, rules in (
        ("For that:", rule.duties),
        ("If that is not done:", rule.consequences),
        ("If it is done all the same:", rule.remedies),
    ):
        if rules:
            inside.append(Sentence(title, tuple(_rule(duty, policy) for duty in rules)))
    if rule.constraint is None:
        return Sentence(f"{text}.", tuple(inside), rule.id)
    condition = _condition(f"{text}, if", rule.constraint)
    return Sentence(condition.text, (*condition.inside, *inside), rule.id)


def _who(rule: Rule, policy: NormalPolicy) -> str:
    party = rule.parties.get("assignee") or policy.assignee
    if party is not None:
        named = _entity(party)
        return named if ":" in named.partition(" ")[0] else f"{named[0].upper()}{named[1:]}"
    return "Whoever signs it" if policy.kind != "agreement" else "Anybody"


def _others(rule: Rule) -> Iterator[Sentence]:
    for function, party in rule.parties.items():
        if party is None:
            continue
        if function not in ("assigner", "assignee"):
            yield Sentence(f"The {_split(function)} is {_entity(party)}.")
        if party.refinement is not None:
            yield _condition(f"The {_split(function)} is only whom this is true of:", party.refinement)


def _action(action: Action | None, it: str) -> str:
    if action is None:
        return "do what is named here"
    return ACTIONS.get(action.name, f"do what '{action.name}' says with {{it}}").format(it=it)


def _it(rule: Rule) -> str:
    return _entity(rule.target) if rule.target is not None else "the data"


def _condition(text: str, constraint: Constraint) -> Sentence:
    """``text`` goes on with the constraint: in one line where it is one comparison."""
    if isinstance(constraint, Leaf):
        return Sentence(f"{text} {comparison(constraint)}.")
    return Sentence(f"{text} {_LOGICS[constraint.logic]}", tuple(map(_operand, constraint.operands)))


def _operand(constraint: Constraint) -> Sentence:
    if isinstance(constraint, Logic):
        text = _LOGICS[constraint.logic]
        return Sentence(text[0].upper() + text[1:], tuple(map(_operand, constraint.operands)))
    text = comparison(constraint)
    return Sentence(f"{text[0].upper()}{text[1:]}.")


def comparison(leaf: Leaf) -> str:
    """One comparison as part of a sentence, such as ``the number of uses is at most 5``."""
    name = OPERANDS.get(leaf.left, f"'{leaf.left}'")
    unit = f" ({short(leaf.unit)})" if leaf.unit is not None else ""
    values = leaf.right if isinstance(leaf.right, tuple) else (leaf.right,)
    return f"{name} {_operator(leaf)} {_listed([_value(each, leaf) for each in values])}{unit}"


def _operator(leaf: Leaf) -> str:
    if leaf.left == "purpose" and leaf.operator in ("eq", "isA"):
        return "is, or is a narrower one than,"
    if leaf.datatype == Datatype.DATE_TIME.value:
        return _MOMENTS[leaf.operator]
    operand = LEFT_OPERANDS.get(leaf.left)
    measured = operand is not None and set(operand.operators) <= set(ORDERINGS)
    return (_AMOUNTS if measured else _NAMES).get(leaf.operator, f"'{leaf.operator}'")


def _value(value: int | str, leaf: Leaf) -> str:
    if leaf.datatype == Datatype.DATE_TIME.value and isinstance(value, int):
        return written_moment(value)
    if leaf.datatype == Datatype.DURATION.value and isinstance(value, int):
        return duration_in_words(value)
    return short(str(value))


def duration_in_words(milliseconds: int) -> str:
    """A duration as days, hours, minutes, seconds and milliseconds, exactly."""
    parts: list[str] = []
    for unit, length in _UNITS:
        number, milliseconds = divmod(milliseconds, length)
        if number:
            parts.append(f"{number} {unit}{'' if number == 1 else 's'}")
    if milliseconds or not parts:
        parts.append(f"{milliseconds} milliseconds")
    return " ".join(parts)


def _entity(entity: Entity | None) -> str:
    if entity is None:
        return "somebody"
    if entity.collection:
        return f"any member of {entity.source or entity.id or 'a collection'}"
    return entity.source or entity.id or "somebody of whom more is said below"


def _listed(words: list[str]) -> str:
    return ", ".join(words)


def short(iri: str) -> str:
    """A name of DPV or of our profile without its vocabulary; any other as it is."""
    return iri.removeprefix(DPV).removeprefix(PROFILE)


def _split(function: str) -> str:
    """``compensatedParty`` as "compensated party"."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in function)
