"""An explanation in plain sentences: the verdict, each comparison with its fact, and what would change it.

Rules that hold here: nothing of the account is left out; a fact is quoted as the question holds it, with
who says so; reasons are worded in the languages that ``connector.policy.wording`` has, the rest in English.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connector.policy.changes import SOME_GROUND, SOMEBODY_ELSE, SOMETHING_ELSE, Change
from connector.policy.coverage import FactFrom
from connector.policy.decision import Reason
from connector.policy.explain import Explanation, Otherwise
from connector.policy.local import LOCAL_RULE
from connector.policy.normal import Leaf
from connector.policy.sentences import OPERANDS, Sentence, comparison, duration_in_words, short
from connector.policy.supposed import at
from connector.policy.trace import Compared, Meant, TracedDuty, TracedRule, Tree
from connector.policy.values import LATEST_MOMENT, written_moment
from connector.policy.vocabulary import MEASURED_OPERANDS
from connector.policy.wording import DEFAULT_LANGUAGE, in_words
from ledger.canonical import JSON, JSONObject

MARKS: Final = {"true": "yes", "false": "no", "unknown": "not known"}
SAID_BY: Final = {
    FactFrom.MEASURED: "measured by the provider",
    FactFrom.ATTESTED: "attested",
    FactFrom.DECLARED: "declared by the recipient",
}
_LOGICS: Final = {
    "and": "all of this",
    "or": "at least one of these",
    "xone": "exactly one of these",
    "andSequence": "all of this, one after the other",
}
_ELSE: Final = {
    SOMEBODY_ELSE: "somebody else",
    SOMETHING_ELSE: "something else",
    SOME_GROUND: "one that the agreement names",
}
_SPANS: Final = frozenset(
    {"elapsedTime", "delayPeriod", "timeInterval", "meteredTime", "bylag:retentionPeriod"}
)


def explained(found: Explanation, language: str = DEFAULT_LANGUAGE) -> list[Sentence]:
    """The whole explanation."""
    return [
        _verdict(found, language),
        Sentence("Asked was:", tuple(_request(found))),
        *_overall(found),
        *(_rule(rule) for rule in found.trace.rules),
        *_holds(found),
        _otherwise(found),
    ]


def explained_json(found: Explanation, language: str = DEFAULT_LANGUAGE) -> JSONObject:
    """An explanation for a program, with its sentences."""
    said = [sentence.to_json() for sentence in explained(found, language)]
    return {**found.to_json(), "sentences": list[JSON](said)}


def _verdict(found: Explanation, language: str) -> Sentence:
    reasons = tuple(Sentence(_reason(reason, language)) for reason in found.decision.reasons)
    return Sentence("Allowed." if found.decision.allow else "Denied.", reasons)


def _reason(reason: Reason, language: str) -> str:
    if reason.code == LOCAL_RULE:
        return f"The participant's own rules deny it: {reason.parameters['code']}."
    return in_words(reason, language)


def _request(found: Explanation) -> Iterator[Sentence]:
    asked = at(found.question, ("request",))
    recipient = at(asked if isinstance(asked, dict) else {}, ("recipient",))
    named = recipient if isinstance(recipient, dict) else {}
    unit = f", unit {named.get('unit')}" if named.get("unit") else ""
    request = asked if isinstance(asked, dict) else {}
    yield Sentence(f"Action: {request.get('action')}.")
    yield Sentence(f"Purpose: {_plain(request.get('purpose'))}.")
    yield Sentence(f"Dataset: {request.get('dataset')}.")
    yield Sentence(f"Recipient: {named.get('did')}{unit}.")
    yield Sentence(f"Time: {_moment(at(found.question, ('facts', 'now')))}.")


def _overall(found: Explanation) -> Iterator[Sentence]:
    trace = found.trace
    if not trace.is_complete:
        yield Sentence("The question was incomplete, so nothing was compared.")
    if trace.agreed_purpose is not None:
        mark = "yes" if trace.is_within_agreement else "no"
        yield Sentence(
            f"[{mark}] The purpose is the agreed one ({_plain(trace.agreed_purpose)}), or narrower."
        )
    if trace.area is not None:
        mark = "yes" if trace.is_within_area else "no"
        within = _plain(trace.area)
        yield Sentence(
            f"[{mark}] Recipient ({_plain(trace.country)}) and processing lie within the configured area"
            f" ({within}), or a transfer ground is named ({_plain(trace.transfer)})."
        )


def _rule(rule: TracedRule) -> Sentence:
    if rule.kind == "obligation":
        return Sentence(f"Obligation {rule.id}:", tuple(_duty(duty) for duty in rule.duties))
    force = "is in force for this request" if rule.active else "is not in force for this request"
    inside = [
        _meant(rule.action, f"The rule is about '{rule.action.name}'; asked was {_asked(rule.action)}."),
        _meant(rule.assignee, f"The rule is for {_whom(rule.assignee)}; asked has {_asked(rule.assignee)}."),
        _meant(rule.target, f"The rule is about {_what(rule.target)}; asked was {_asked(rule.target)}."),
    ]
    if rule.constraint is not None:
        inside.append(_tree(rule.constraint))
    inside += [_duty(duty) for duty in (*rule.duties, *rule.remedies)]
    return Sentence(f"{rule.kind.capitalize()} {rule.id} {force}:", tuple(inside))


def _meant(meant: Meant, text: str) -> Sentence:
    below = () if meant.refinement is None else (_tree(meant.refinement),)
    return Sentence(f"[{MARKS[meant.value]}] {text}", below)


def _whom(meant: Meant) -> str:
    name = meant.name or "anybody"
    return f"members of {short(name)}" if meant.is_collection else name


def _what(meant: Meant) -> str:
    name = meant.name or "any dataset"
    return f"what belongs to {name}" if meant.is_collection else name


def _asked(meant: Meant) -> str:
    return ", ".join(f"'{each}'" if ":" not in each else each for each in meant.asked)


def _tree(tree: Tree) -> Sentence:
    if isinstance(tree, Compared):
        return Sentence(f"[{MARKS[tree.value]}] {_compared(tree)}")
    logic = _LOGICS.get(tree.logic or "", f"'{tree.logic}' of these")
    return Sentence(f"[{MARKS[tree.value]}] {logic}:", tuple(_tree(each) for each in tree.operands))


def _compared(leaf: Compared) -> str:
    row = leaf.row
    source = SAID_BY.get(row.fact) if row is not None and row.fact is not None else None
    if leaf.fact is None:
        return f"{_capital(_asks(leaf))}. Not known here{f': it is {source}' if source is not None else ''}."
    by = f" ({source})" if source is not None else ""
    return f"{_capital(_asks(leaf))}. It is {_fact(leaf.left, leaf.fact)}{by}."


def _asks(leaf: Compared) -> str:
    right: JSON = leaf.right
    if leaf.left is None or leaf.operator is None or leaf.datatype is None:
        return "something that is not enforced here"
    values = tuple(v for v in (right if isinstance(right, list) else [right]) if isinstance(v, int | str))
    if not values:
        return f"'{leaf.left}' is compared with nothing"
    given = values if isinstance(right, list) else values[0]
    return comparison(Leaf(leaf.left, leaf.operator, given, leaf.datatype, leaf.unit))


def _fact(operand: str | None, fact: JSON) -> str:
    if operand == "dateTime":
        return _moment(fact)
    if isinstance(fact, dict) and operand in MEASURED_OPERANDS:
        unit = fact.get("unit")
        return f"{_amount(operand, fact.get('value'))}{f' ({short(str(unit))})' if unit else ''}"
    if isinstance(fact, dict):
        return ", ".join(_ELSE.get(name, short(name)) for name in fact) or "none"
    if operand == "timeInterval" and isinstance(fact, int):
        return "the first use" if fact == 0 else f"last used at {_moment(fact)}"
    return _amount(operand, fact)


def _amount(operand: str | None, value: JSON) -> str:
    is_span = operand in _SPANS and isinstance(value, int) and value >= 0
    return duration_in_words(value) if is_span and isinstance(value, int) else _plain(value)


def _duty(duty: TracedDuty) -> Sentence:
    mark = f"[{MARKS[duty.value]}] " if duty.value is not None else ""
    first = ", which comes first" if duty.comes_first else ""
    text = f"{mark}Duty {duty.id} ('{duty.action}'){first}: {duty.state or 'its state is not known'}."
    if not duty.consequences:
        return Sentence(text)
    answers = Sentence("What makes good for a breach:", tuple(_duty(each) for each in duty.consequences))
    return Sentence(text, (answers,))


def _holds(found: Explanation) -> Iterator[Sentence]:
    until = found.decision.valid_until
    if until is not None:
        yield Sentence(f"Time alone changes nothing about this before {_moment(until)}.")
    for counter in found.counters:
        if counter.below is not None and not counter.name.startswith("last:"):
            yield Sentence(
                f"The answer stays as it is while counter {counter.name} is below"
                f" {_counted(counter.name, counter.below)}; it is {_counted(counter.name, counter.value)}."
            )


def _counted(counter: str, value: int | None) -> str:
    if counter.startswith("last:"):
        return "not used yet" if not value else _moment(value)
    return duration_in_words(value) if counter.startswith("metered:") and value is not None else str(value)


def _otherwise(found: Explanation) -> Sentence:
    other = "denied" if found.decision.allow else "allowed"
    inside = [Sentence(_one(each, other)) for each in found.otherwise]
    if not found.is_complete:
        inside.append(Sentence("The search ended at its bound: there may be more."))
    if not found.otherwise:
        return Sentence(f"No change was found with which it would be {other}.", tuple(inside))
    return Sentence("What would change it:", tuple(inside))


def _one(each: Otherwise, other: str) -> str:
    said = [in_a_clause(change) for change in each.changes]
    together = ", and ".join(said)
    end = f", and until {_moment(each.until)}" if each.until is not None else ""
    return f"It would be {other} if {together}{end}."


def in_a_clause(change: Change) -> str:
    """One change as it stands behind "if"."""
    to, source = change.to, SAID_BY.get(change.source) if change.source is not None else None
    by = f" ({source})" if source is not None else ""
    match change.fact:
        case "time":
            return f"it were asked at {_moment(to)}{by}"
        case "purpose" | "action" | "recipient" | "dataset":
            return f"the {change.fact} were {_named(to)}{by}"
        case "collection":
            return f"the recipient were {'' if to else 'not '}a member of {short(change.about or '')}{by}"
        case "country":
            return f"the recipient's country were {'another' if to == 'XX' else to}{by}"
        case "transfer":
            return "the transfer ground were " + ("none" if to is None else _named(to))
        case "duty":
            return f"duty {change.about} were {to}"
        case "count" | "bylag:rate" | "meteredTime" | "timeInterval":
            was = _counted(change.about or "", to if isinstance(to, int) else None)
            return f"counter {change.about} stood at {was}{by}"
        case operand:
            return f"{OPERANDS.get(operand, operand)} were {_fact(operand, to)}{by}"


def _named(value: JSON) -> str:
    text = str(value)
    return _ELSE.get(text, short(text))


def _plain(value: JSON) -> str:
    if isinstance(value, list):
        return ", ".join(_plain(each) for each in value) or "none"
    return "none" if value is None else short(str(value))


def _moment(value: JSON) -> str:
    if isinstance(value, int) and 0 <= value <= LATEST_MOMENT:
        return written_moment(value)
    return "no moment"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
