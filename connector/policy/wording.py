"""Reasons in words. The rulebook gives codes; people read sentences, in their language.

Each code says which parameters it has. A language without a sentence falls back to English; a test holds
every code that the rulebook can give against this table.
"""

from __future__ import annotations

from typing import Final

from connector.policy.decision import Reason
from connector.policy.values import LATEST_MOMENT, written, written_moment
from connector.policy.vocabulary import DPV, Datatype
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
        "OUTSIDE_AREA": "The recipient (country: {country}) or a place of processing lies outside the"
        " configured area, and no transfer ground is named.",
        "PURPOSE_NOT_PERMITTED": "Rule {rule} asks for a purpose that {operator} {named}; asked was {asked}.",
        "OUTSIDE_PERIOD": "Rule {rule} holds only when the time {operator} {bound}.",
        "RECIPIENT_NOT_PERMITTED": "Rule {rule} asks for a recipient that {operator} {named}.",
        "COUNT_USED_UP": "Rule {rule} allows {limit} uses, and they are used up.",
        "RATE_USED_UP": "Rule {rule} allows {limit} uses in each period, and those of this one are used up.",
        "TOO_SOON": "Rule {rule} asks for {duration} between two uses; it is too soon after the last.",
        "METERED_TIME_USED_UP": "Rule {rule} allows {duration} of metered use, and they are used up.",
        "OUTSIDE_ELAPSED_TIME": "Rule {rule} holds only when {operand} {operator} {duration},"
        " counted from the"
        " beginning of the agreement.",
        "CONSTRAINT_NOT_MET": "Rule {rule} asks that {operand} {operator} {named}.",
        "COMBINATION_NOT_MET": "Each condition of rule {rule} holds, but more of them than the rule"
        " allows at once.",
        "FACT_MISSING": "Rule {rule} depends on {operand}, which is not known here.",
        "DUTY_COMES_FIRST": "Rule {rule} asks that duty {duty} ({action}) be fulfilled before.",
        "DUTY_VIOLATED": "Duty {duty} ({action}) of rule {rule} was violated, and nothing has made"
        " good for it.",
        "DUTY_UNKNOWN": "The state of duty {duty} ({action}) of rule {rule} is not known here.",
        "NOT_ENFORCED": "Rule {rule} holds something that is not enforced here.",
        "INPUT_INCOMPLETE": "The question put to the policy engine was incomplete.",
        "ENGINE_ERROR": "The policy engine gave no answer ({error}).",
    },
    "sv": {
        "PERMITTED": "Tillåts av regel {rule}.",
        "PROHIBITED": "Regel {rule} förbjuder '{action}'.",
        "POLICY_VOID": "Villkoren både tillåter och förbjuder detta, och säger att de då inte gäller alls.",
        "NO_PERMISSION": "Villkoren innehåller inget tillstånd.",
        "ACTION_NOT_PERMITTED": "Regel {rule} tillåter inte '{asked}'.",
        "RECIPIENT_NOT_ASSIGNEE": "Regel {rule} ger tillstånd åt någon annan.",
        "OTHER_TARGET": "Regel {rule} handlar inte om '{asked}'.",
        "PURPOSE_BEYOND_AGREEMENT": "Ändamålet {asked} är varken det avtalade ändamålet {agreed} eller"
        " snävare.",
        "OUTSIDE_AREA": "Mottagaren (land: {country}) eller en plats för behandlingen ligger utanför det"
        " inställda området, och ingen grund för överföring är angiven.",
        "PURPOSE_NOT_PERMITTED": "Regel {rule} kräver ett ändamål som {operator} {named}; begärt var"
        " {asked}.",
        "OUTSIDE_PERIOD": "Regel {rule} gäller bara när tidpunkten {operator} {bound}.",
        "RECIPIENT_NOT_PERMITTED": "Regel {rule} kräver en mottagare som {operator} {named}.",
        "COUNT_USED_UP": "Regel {rule} tillåter {limit} användningar, och de är förbrukade.",
        "RATE_USED_UP": "Regel {rule} tillåter {limit} användningar per period, och denna periods är"
        " förbrukade.",
        "TOO_SOON": "Regel {rule} kräver {duration} mellan två användningar; det är för tidigt efter den"
        " senaste.",
        "METERED_TIME_USED_UP": "Regel {rule} tillåter {duration} uppmätt användning, och den tiden är"
        " förbrukad.",
        "OUTSIDE_ELAPSED_TIME": "Regel {rule} gäller bara när {operand} {operator} {duration}, räknat från"
        " avtalets början.",
        "CONSTRAINT_NOT_MET": "Regel {rule} kräver att {operand} {operator} {named}.",
        "COMBINATION_NOT_MET": "Varje villkor i regel {rule} är uppfyllt, men fler än regeln"
        " tillåter samtidigt.",
        "FACT_MISSING": "Regel {rule} beror på {operand}, som inte är känt här.",
        "DUTY_COMES_FIRST": "Regel {rule} kräver att skyldigheten {duty} ({action}) fullgörs dessförinnan.",
        "DUTY_VIOLATED": "Skyldigheten {duty} ({action}) i regel {rule} har brutits, och inget har gottgjort"
        " det.",
        "DUTY_UNKNOWN": "Läget för skyldigheten {duty} ({action}) i regel {rule} är inte känt här.",
        "NOT_ENFORCED": "Regel {rule} innehåller något som inte upprätthålls här.",
        "INPUT_INCOMPLETE": "Frågan till regelmotorn var ofullständig.",
        "ENGINE_ERROR": "Regelmotorn gav inget svar ({error}).",
    },
    "da": {
        "PERMITTED": "Tilladt efter regel {rule}.",
        "PROHIBITED": "Regel {rule} forbyder '{action}'.",
        "POLICY_VOID": "Vilkårene både tillader og forbyder dette, og siger, at de så slet ikke gælder.",
        "NO_PERMISSION": "Vilkårene indeholder ingen tilladelse.",
        "ACTION_NOT_PERMITTED": "Regel {rule} tillader ikke '{asked}'.",
        "RECIPIENT_NOT_ASSIGNEE": "Regel {rule} giver tilladelse til en anden.",
        "OTHER_TARGET": "Regel {rule} handler ikke om '{asked}'.",
        "PURPOSE_BEYOND_AGREEMENT": "Formålet {asked} er hverken det aftalte formål {agreed} eller snævrere.",
        "OUTSIDE_AREA": "Modtageren (land: {country}) eller et sted for behandlingen ligger uden for det"
        " indstillede område, og intet grundlag for overførsel er angivet.",
        "PURPOSE_NOT_PERMITTED": "Regel {rule} kræver et formål, som {operator} {named}; anmodet blev om"
        " {asked}.",
        "OUTSIDE_PERIOD": "Regel {rule} gælder kun, når tidspunktet {operator} {bound}.",
        "RECIPIENT_NOT_PERMITTED": "Regel {rule} kræver en modtager, som {operator} {named}.",
        "COUNT_USED_UP": "Regel {rule} tillader {limit} anvendelser, og de er brugt op.",
        "RATE_USED_UP": "Regel {rule} tillader {limit} anvendelser pr. periode, og denne periodes er brugt"
        " op.",
        "TOO_SOON": "Regel {rule} kræver {duration} mellem to anvendelser; det er for tidligt efter den"
        " seneste.",
        "METERED_TIME_USED_UP": "Regel {rule} tillader {duration} målt anvendelse, og den tid er brugt op.",
        "OUTSIDE_ELAPSED_TIME": "Regel {rule} gælder kun, når {operand} {operator} {duration}, regnet fra"
        " aftalens begyndelse.",
        "CONSTRAINT_NOT_MET": "Regel {rule} kræver, at {operand} {operator} {named}.",
        "COMBINATION_NOT_MET": "Hver betingelse i regel {rule} er opfyldt, men flere end reglen"
        " tillader på én gang.",
        "FACT_MISSING": "Regel {rule} afhænger af {operand}, som ikke er kendt her.",
        "DUTY_COMES_FIRST": "Regel {rule} kræver, at pligten {duty} ({action}) opfyldes forinden.",
        "DUTY_VIOLATED": "Pligten {duty} ({action}) i regel {rule} er misligholdt, og intet har rådet bod på"
        " det.",
        "DUTY_UNKNOWN": "Status for pligten {duty} ({action}) i regel {rule} er ikke kendt her.",
        "NOT_ENFORCED": "Regel {rule} indeholder noget, som ikke håndhæves her.",
        "INPUT_INCOMPLETE": "Spørgsmålet til regelmotoren var ufuldstændigt.",
        "ENGINE_ERROR": "Regelmotoren gav intet svar ({error}).",
    },
}
"""Sentences by language and code."""

OPERATORS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "eq": "is",
        "neq": "is not",
        "isA": "is, or is narrower than,",
        "isPartOf": "is part of",
        "hasPart": "has as a part",
        "isAllOf": "is all of",
        "isAnyOf": "is one of",
        "isNoneOf": "is none of",
        "lt": "is before",
        "lteq": "is not after",
        "gt": "is after",
        "gteq": "is not before",
    },
    "sv": {
        "eq": "är",
        "neq": "inte är",
        "isA": "är, eller är snävare än,",
        "isPartOf": "är en del av",
        "hasPart": "som del har",
        "isAllOf": "är samtliga av",
        "isAnyOf": "är något av",
        "isNoneOf": "inte är något av",
        "lt": "är före",
        "lteq": "inte är efter",
        "gt": "är efter",
        "gteq": "inte är före",
    },
    "da": {
        "eq": "er",
        "neq": "ikke er",
        "isA": "er, eller er snævrere end,",
        "isPartOf": "er en del af",
        "hasPart": "som del har",
        "isAllOf": "er samtlige af",
        "isAnyOf": "er en af",
        "isNoneOf": "ikke er nogen af",
        "lt": "er før",
        "lteq": "ikke er efter",
        "gt": "er efter",
        "gteq": "ikke er før",
    },
}
"""The operators of names and times, by language."""

COMPARISONS: Final[dict[str, dict[str, str]]] = {
    "en": {"lt": "is less than", "lteq": "is at most", "gt": "is more than", "gteq": "is at least"},
    "sv": {"lt": "är mindre än", "lteq": "är högst", "gt": "är mer än", "gteq": "är minst"},
    "da": {"lt": "er mindre end", "lteq": "er højst", "gt": "er mere end", "gteq": "er mindst"},
}
"""The operators of durations and numbers, where those of times read wrong."""

_COMPARING: Final = frozenset({"CONSTRAINT_NOT_MET", "OUTSIDE_ELAPSED_TIME"})
_NONE: Final = {"en": "none", "sv": "inget", "da": "intet"}


def in_words(reason: Reason, language: str = DEFAULT_LANGUAGE) -> str:
    """One sentence for a person. An unknown code is given as it is: a newer rulebook may have new ones."""
    sentence = _in(SENTENCES, language).get(reason.code)
    if sentence is None:
        return f"{reason.code}."
    words = {
        name: _words(name, value, language, reason.code in _COMPARING)
        for name, value in reason.parameters.items()
    }
    try:
        return sentence.format_map({"rule": reason.rule or "", **words})
    except KeyError:
        return f"{reason.code}."


def _in(table: dict[str, dict[str, str]], language: str) -> dict[str, str]:
    return {**table[DEFAULT_LANGUAGE], **table.get(language, {})}


def _words(name: str, value: JSON, language: str, comparing: bool) -> str:
    if isinstance(value, list):
        return ", ".join(_words(name, item, language, comparing) for item in value)
    if name == "operator":
        words = _in(OPERATORS, language) | (_in(COMPARISONS, language) if comparing else {})
        return words.get(str(value), str(value))
    if name == "bound" and isinstance(value, int) and 0 <= value <= LATEST_MOMENT:
        return written_moment(value)
    if name == "duration" and isinstance(value, int) and value >= 0:
        return written(value, Datatype.DURATION)
    return _NONE.get(language, "none") if value is None else str(value).removeprefix(DPV)
