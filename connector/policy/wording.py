"""Reasons in words. The rulebook gives codes; people read sentences, in their language.

Each code says which parameters it has. A language without a sentence falls back to English; a test holds
every code that the rulebook can give against this table.
"""

from __future__ import annotations

from typing import Final

from connector.policy.decision import Reason
from connector.policy.values import LATEST_MOMENT, written_moment
from connector.policy.vocabulary import DPV
from ledger.canonical import JSON

DEFAULT_LANGUAGE: Final = "en"

SENTENCES: Final[dict[str, dict[str, str]]] = {
    "en": {
        "PERMITTED": "Permitted by rule {rule}.",
        "PROHIBITED": "Rule {rule} prohibits '{action}'.",
        "POLICY_VOID": "The policy both permits and prohibits this, and says that it is void then.",
        "NO_PERMISSION": "The policy holds no permission.",
        "ACTION_NOT_PERMITTED": "Rule {rule} does not permit '{asked}'.",
        "RECIPIENT_NOT_ASSIGNEE": "Rule {rule} permits it to somebody else.",
        "OTHER_TARGET": "Rule {rule} is not about '{asked}'.",
        "PURPOSE_BEYOND_AGREEMENT": "The purpose {asked} is not the agreed purpose {agreed}, nor narrower.",
        "PURPOSE_NOT_PERMITTED": "Rule {rule} asks for a purpose that {operator} {named}; asked was {asked}.",
        "OUTSIDE_PERIOD": "Rule {rule} holds only when the time {operator} {bound}.",
        "RECIPIENT_NOT_PERMITTED": "Rule {rule} asks for a recipient that {operator} {named}.",
        "COUNT_USED_UP": "Rule {rule} allows {limit} uses, and they are used up.",
        "FACT_MISSING": "Rule {rule} depends on the {operand}, which is not known here.",
        "NOT_ENFORCED": "Rule {rule} holds something that is not enforced here.",
        "INPUT_INCOMPLETE": "The question put to the policy engine was incomplete.",
        "ENGINE_ERROR": "The policy engine gave no answer ({error}).",
    },
}
"""Sentences by language and code."""

OPERATORS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "eq": "is",
        "neq": "is not",
        "isA": "is, or is narrower than,",
        "isAnyOf": "is one of",
        "isNoneOf": "is none of",
        "lt": "is before",
        "lteq": "is not after",
        "gt": "is after",
        "gteq": "is not before",
    },
}
"""The operators of purposes, recipients and times, by language."""


def in_words(reason: Reason, language: str = DEFAULT_LANGUAGE) -> str:
    """One sentence for a person. An unknown code is given as it is: a newer rulebook may have new ones."""
    sentence = _in(SENTENCES, language).get(reason.code)
    if sentence is None:
        return f"{reason.code}."
    words = {name: _words(name, value, language) for name, value in reason.parameters.items()}
    try:
        return sentence.format_map({"rule": reason.rule or "", **words})
    except KeyError:
        return f"{reason.code}."


def _in(table: dict[str, dict[str, str]], language: str) -> dict[str, str]:
    return {**table[DEFAULT_LANGUAGE], **table.get(language, {})}


def _words(name: str, value: JSON, language: str) -> str:
    if isinstance(value, list):
        return ", ".join(_words(name, item, language) for item in value)
    if name == "operator":
        return _in(OPERATORS, language).get(str(value), str(value))
    if name == "bound" and isinstance(value, int) and 0 <= value <= LATEST_MOMENT:
        return written_moment(value)
    return "none" if value is None else str(value).removeprefix(DPV)
