"""The words of ODRL 2.2 as facts in our own form, and those of our profile.

Source: the ODRL 2.2 core profile (https://www.w3.org/ns/odrl/2/core) and the Vocabulary & Expression
2.2 recommendation (https://www.w3.org/TR/odrl-vocab/), whose ``includedIn`` gives the parent of each
action. Inside bylag an ODRL term is its local name (``read``), a Creative Commons action ``cc:Name``
and a term of our profile ``bylag:name``. Which of them are enforced, and where, says
``connector.policy.coverage``.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

ODRL: Final = "http://www.w3.org/ns/odrl/2/"
CREATIVE_COMMONS: Final = "http://creativecommons.org/ns#"
DPV: Final = "https://w3id.org/dpv#"
XSD: Final = "http://www.w3.org/2001/XMLSchema#"
RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DUBLIN_CORE: Final = "http://purl.org/dc/terms/"
PROFILE: Final = "urn:bylag:profile:1:"

PREFIXES: Final = {
    "odrl": ODRL,
    "cc": CREATIVE_COMMONS,
    "dpv": DPV,
    "xsd": XSD,
    "rdf": RDF,
    "dct": DUBLIN_CORE,
    "dcterms": DUBLIN_CORE,
    "bylag": PROFILE,
}
"""The prefixes a policy may use. A context may repeat them and must not redefine them."""

CONTEXTS: Final = frozenset(
    {
        "http://www.w3.org/ns/odrl.jsonld",
        "https://www.w3.org/ns/odrl.jsonld",
        "https://w3id.org/dspace/2025/1/context.jsonld",
        "https://w3id.org/dspace/2025/1/odrl-profile.jsonld",
        PROFILE + "context",
    }
)
"""The contexts a policy may name. They are known here and never fetched."""

KNOWN_PROFILES: Final = frozenset({PROFILE, ODRL + "core"})

CORE_TERMS: Final = frozenset(
    """
    Policy uid profile inheritFrom Agreement Offer Set
    Rule relation function failure
    Asset AssetCollection target hasPolicy
    Party PartyCollection assignee assigner assigneeOf assignerOf partOf source
    Permission permission Prohibition prohibition
    Action action includedIn implies use transfer
    Duty obligation duty consequence remedy
    Constraint constraint refinement Operator operator RightOperand rightOperand rightOperandReference
    LeftOperand leftOperand unit dataType status
    LogicalConstraint operand or xone and andSequence
    eq gt gteq lt lteq neq isA hasPart isPartOf isAllOf isAnyOf isNoneOf
    ConflictTerm conflict perm prohibit invalid
    """.split()
)
"""Every term of the ODRL 2.2 core profile."""

ACTION_PARENTS: Final[dict[str, str | None]] = {
    "use": None,
    "transfer": None,
    **dict.fromkeys(
        """
        acceptTracking aggregate annotate anonymize archive attribute compensate concurrentUse delete
        derive digitize distribute ensureExclusivity execute grantUse include index inform install modify
        move nextPolicy obtainConsent play present print read reproduce reviewPolicy stream synchronize
        textToSpeech transform translate uninstall watermark
        cc:Attribution cc:CommercialUse cc:DerivativeWorks cc:Distribution cc:Notice cc:Reproduction
        cc:ShareAlike cc:Sharing cc:SourceCode
        """.split(),
        "use",
    ),
    "display": "play",
    "extract": "reproduce",
    "give": "transfer",
    "sell": "transfer",
}
"""Each action and the action it is included in (ODRL 2.2, ``includedIn``)."""

REPLACED_ACTIONS: Final = {
    "append": "modify",
    "appendTo": "modify",
    "attachPolicy": "cc:Notice",
    "attachSource": "cc:SourceCode",
    "commercialize": "cc:CommercialUse",
    "copy": "reproduce",
    "export": "transform",
    "license": "grantUse",
    "pay": "compensate",
    "share": "cc:Sharing",
    "shareAlike": "cc:ShareAlike",
    "write": "modify",
    "writeTo": "modify",
}
"""Deprecated actions and the action that ODRL 2.2 calls an exact match."""

LOGICS: Final = ("and", "or", "xone", "andSequence")
UNORDERED_LOGICS: Final = frozenset({"and", "or", "xone"})
ORDERINGS: Final = ("eq", "neq", "lt", "lteq", "gt", "gteq")
SET_OPERATORS: Final = frozenset({"isAllOf", "isAnyOf", "isNoneOf"})
"""Operators whose right operand is a list."""
OPERATORS: Final = (*ORDERINGS, "isA", "hasPart", "isPartOf", "isAllOf", "isAnyOf", "isNoneOf")

PARTY_FUNCTIONS: Final = (
    "assigner",
    "assignee",
    *"""
    attributedParty attributingParty compensatedParty compensatingParty consentedParty consentingParty
    contractedParty contractingParty informedParty informingParty trackedParty trackingParty
    """.split(),
)

POLICY_KINDS: Final = {"Set": "set", "Policy": "set", "Offer": "offer", "Agreement": "agreement"}
"""Policy classes and the normal form's kind; a bare Policy is a Set (ODRL Information Model 2.1)."""
OTHER_POLICY_CLASSES: Final = ("Assertion", "Privacy", "Request", "Ticket")

CONFLICT_STRATEGIES: Final = ("perm", "prohibit", "invalid")


class Datatype(Enum):
    """How a right operand is written in the normal form."""

    DATE_TIME = "dateTime"
    """xsd:dateTime with an offset; integer milliseconds since 1970-01-01T00:00:00Z."""
    DURATION = "duration"
    """xsd:duration of days, hours, minutes, seconds; integer milliseconds."""
    INTEGER = "integer"
    """A whole number from 0 to 2^53 - 1; money and sizes in minor units."""
    IRI = "iri"
    TEXT = "string"


class LeftOperand(NamedTuple):
    """A left operand's right-hand side: its datatype, and the operators that make sense with it."""

    datatype: Datatype
    operators: tuple[str, ...]


_NAMING: Final = ("eq", "neq", "isA", "isPartOf", "hasPart", "isAllOf", "isAnyOf", "isNoneOf")
_MEASURING: Final = ORDERINGS


def _operands(datatype: Datatype, operators: tuple[str, ...], names: str) -> dict[str, LeftOperand]:
    return dict.fromkeys(names.split(), LeftOperand(datatype, operators))


NAMED_OPERANDS: Final = (
    *"""
    deliveryChannel event fileFormat industry language media product spatial systemDevice unitOfCount
    version virtualLocation
    bylag:dataCategory bylag:legalBasis bylag:onwardTransfer bylag:processingPlace bylag:secrecyGround
    """.split(),
)
"""Left operands that are compared with names: a value, and what it lies in."""

MEASURED_OPERANDS: Final = (
    "absoluteSize",
    "payAmount",
    "percentage",
    "bylag:aggregationLevel",
    "bylag:retentionPeriod",
)
"""Left operands that are compared with one number."""

RESERVED_OPERANDS: Final = ("count", "meteredTime", "timeInterval", "bylag:rate")
"""Left operands whose fact each use changes: the writer reserves them with the release."""

PLACES: Final = frozenset({"spatial", "bylag:processingPlace"})
"""Left operands that name a country by its ISO 3166 code, or an area."""

RATE_WINDOWS: Final = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000, "week": 604_800_000}
"""Units of a rate (``bylag:day``), in milliseconds. A week begins on a Thursday, as 1970 did."""

_UPWARDS: Final = ("eq", "gt", "gteq")
_DOWNWARDS: Final = ("eq", "lt", "lteq")

LEFT_OPERANDS: Final[dict[str, LeftOperand]] = {
    **_operands(Datatype.DATE_TIME, _MEASURING, "dateTime"),
    **_operands(Datatype.IRI, ("eq", "neq", "isA", "isAnyOf", "isNoneOf"), "purpose"),
    **_operands(Datatype.IRI, ("eq", "neq", "isPartOf", "isAnyOf", "isNoneOf"), "recipient"),
    **_operands(Datatype.INTEGER, ("lt", "lteq"), "count"),
    # Operators as the common vocabulary's notes on each term have them.
    **_operands(Datatype.DURATION, _DOWNWARDS, "elapsedTime meteredTime"),
    **_operands(Datatype.DURATION, _UPWARDS, "delayPeriod timeInterval"),
    **_operands(Datatype.INTEGER, _DOWNWARDS, "bylag:rate"),
    **_operands(
        Datatype.INTEGER,
        _MEASURING,
        "absoluteSize payAmount percentage relativeSize resolution bylag:aggregationLevel",
    ),
    **_operands(Datatype.DURATION, _MEASURING, "bylag:retentionPeriod"),
    **_operands(
        Datatype.IRI,
        _NAMING,
        """
        event industry product spatial systemDevice deliveryChannel virtualLocation media unitOfCount
        bylag:consent bylag:legalBasis bylag:secrecyGround bylag:dataCategory bylag:onwardTransfer
        bylag:processingPlace bylag:assurance
        """,
    ),
    **_operands(
        Datatype.TEXT,
        _NAMING,
        """
        fileFormat language version absolutePosition absoluteSpatialPosition absoluteTemporalPosition
        relativePosition relativeSpatialPosition relativeTemporalPosition spatialCoordinates
        """,
    ),
}
"""Every left operand of ODRL 2.2's common vocabulary, and those of our profile."""

ABOUT_TERMS: Final = ("title", "description", "creator", "publisher", "issued", "modified", "source")
"""Dublin Core words about a policy: signed with it, for people to read; they decide nothing."""


def action_closure() -> dict[str, tuple[str, ...]]:
    """Each action with itself and every action it is included in, nearest first."""
    return {name: tuple(_upwards(name)) for name in ACTION_PARENTS}


def action_name(term: str) -> str | None:
    """The action a *request* means by ``term`` (a local name, prefixed name or IRI), or None.

    A deprecated action is read as its replacement. Policies must write the replacement themselves.
    """
    name = local_name(term)
    name = REPLACED_ACTIONS.get(name, name)
    return name if name in ACTION_PARENTS else None


def local_name(term: str) -> str:
    """A term in the form used inside bylag; an IRI of no vocabulary known here stays as it is."""
    iri = expand(term)
    if iri.startswith(ODRL):
        return iri[len(ODRL) :]
    for prefix, namespace in (("cc", CREATIVE_COMMONS), ("bylag", PROFILE)):
        if iri.startswith(namespace):
            return f"{prefix}:{iri[len(namespace) :]}"
    return iri


def expand(term: str) -> str:
    """A prefixed name as a full IRI; anything else unchanged."""
    prefix, colon, rest = term.partition(":")
    return PREFIXES[prefix] + rest if colon and prefix in PREFIXES and not rest.startswith("//") else term


def _upwards(name: str) -> list[str]:
    chain = [name]
    while (parent := ACTION_PARENTS[chain[-1]]) is not None:
        chain.append(parent)
    return chain
