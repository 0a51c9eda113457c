"""For each row of the coverage table a question that is permitted because of the term, and one denied.

The facts come from where the row says: *measured* ones from clock, counters and dataset version; *attested*
ones from the list's attributes and collections or from the agreement; *declared* ones from the request. What
an exchange feeds is put into the question by the same value that the exchange uses (``RequestFacts``);
``tests/exchange/test_sources_of_facts.py`` shows each of them in an exchange. Consent has no source yet: it
is put in by hand, and the denial is the question without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from connector.exchange.declared import Declared
from connector.exchange.request_facts import RequestFacts
from connector.exchange.version_facts import VersionFacts
from connector.policy.coverage import TABLE, Where
from connector.policy.facts import Facts, Quantity
from connector.policy.input import COUNTED_UNIT, AgreementFacts, Recipient
from connector.policy.vocabulary import (
    ABOUT_TERMS,
    ACTION_PARENTS,
    DUBLIN_CORE,
    LEFT_OPERANDS,
    MEASURED_OPERANDS,
    PARTY_FUNCTIONS,
    PROFILE,
    Datatype,
)
from ledger.names import AgreementId
from tests.policy.world import (
    CITY,
    COMPANY,
    ENERGY,
    MARKETING,
    NOON,
    OTHER,
    RESEARCH,
    SCIENTIFIC,
    Document,
    constraint,
    offer,
    permission,
    unit,
)


@dataclass(frozen=True)
class Ask:
    """A document and what is asked under it; ``refused`` where it cannot be published at all."""

    document: Document
    changes: dict[str, Any] = field(default_factory=dict)
    refused: bool = False


Pair = tuple[Ask, Ask]


def ask(document: Document, **changes: Any) -> Ask:
    return Ask(document, changes)


def refused(document: Document) -> Ask:
    return Ask(document, {}, refused=True)


def under(*limits: Document, **more: Any) -> Document:
    return offer(permission(*limits, **more))


BEFORE = constraint("dateTime", "lt", "2026-06-01T00:00:00Z")
AFTER = constraint("dateTime", "gt", "2026-06-01T00:00:00Z")
SUMMER = 1_782_820_800_000
FREE = ask(offer(permission()))
NOTHING = ask(offer(permission(action="distribute")))
TELL = {"@id": "urn:x:tell", "action": "inform"}
PAY = {"@id": "urn:x:pay", "action": "compensate"}
SEK = "urn:iso:4217:SEK"
LAW = "https://w3id.org/dpv#LegalObligation"


def of_set(*rules: Document, **more: Any) -> Document:
    return {**offer(*rules, **more), "@type": "Set"}


def duty_case(document: Document, permits: dict[str, Any], denies: dict[str, Any]) -> Pair:
    return ask(document, facts=Facts(duties=permits)), ask(document, facts=Facts(duties=denies))


def classes() -> dict[str, Pair]:
    """Classes of policies, rules and their parts: what is one, and what is not."""
    agreement = {**offer(permission()), "@type": "Agreement", "assigner": CITY, "assignee": COMPANY}
    found: dict[str, Pair] = {
        name: (
            ask({**offer(permission()), "@type": name}),
            refused({**offer(permission()), "@type": "Dataset"}),
        )
        for name in ("Policy", "Set", "Offer")
    }
    found["Agreement"] = (ask({**agreement, "target": ENERGY}), refused(agreement))
    found["Rule"] = (FREE, refused(under(**{"@type": "Rule"})))
    found["Permission"] = (ask(under(**{"@type": "Permission"})), refused(under(**{"@type": "Prohibition"})))
    banned = offer(permission(), prohibition=[{"@type": "Prohibition", "action": "sell"}])
    found["Prohibition"] = (ask(banned), ask(banned, action="sell"))
    found["Asset"] = (
        ask(under(target={"@type": "Asset", "@id": ENERGY})),
        refused(under(target={"@type": "Party", "@id": ENERGY})),
    )
    found["Party"] = (
        ask(under(assignee={"@type": "Party", "@id": COMPANY})),
        refused(under(assignee={"@type": "Asset", "@id": COMPANY})),
    )
    found["Action"] = (
        ask(under(action={"@type": "Action", "rdf:value": {"@id": "use"}})),
        refused(under(action={"@type": "Party", "rdf:value": {"@id": "use"}})),
    )
    found["Constraint"] = (
        ask(under({"@type": "Constraint", **BEFORE})),
        refused(under({"@type": "Duty", **BEFORE})),
    )
    found["LogicalConstraint"] = (
        ask(under({"@type": "LogicalConstraint", "or": [BEFORE, AFTER]})),
        refused(under({"@type": "LogicalConstraint", "or": []})),
    )
    found["Operator"] = (ask(under(BEFORE)), refused(under({**BEFORE, "operator": "before"})))
    found["LeftOperand"] = (ask(under(BEFORE)), refused(under({**BEFORE, "leftOperand": "weather"})))
    found["RightOperand"] = (ask(under(BEFORE)), refused(under({**BEFORE, "rightOperand": {"a": "b"}})))
    found["ConflictTerm"] = (
        ask(offer(permission(), conflict="perm")),
        refused(offer(permission(), conflict="maybe")),
    )
    return found


def structure() -> dict[str, Pair]:
    """Terms that say how a policy is put together."""
    typed = {**BEFORE, "dataType": "xsd:dateTime"}
    contested = offer(permission(), prohibition=[{"action": "read"}])
    both = Facts(collections={"urn:x:some": (COMPANY, ENERGY)})
    return {
        "uid": (
            ask({**offer(permission()), "@id": "urn:x:1"}),
            refused({**offer(permission()), "@id": "a b"}),
        ),
        "profile": (
            ask(offer(permission(), profile=PROFILE)),
            refused(offer(permission(), profile="urn:x:profile")),
        ),
        "rightOperand": (ask(under(BEFORE)), ask(under(BEFORE), now=SUMMER)),
        "dataType": (ask(under(typed)), refused(under({**typed, "dataType": "xsd:integer"}))),
        "leftOperand": (ask(under(BEFORE)), refused(under({**BEFORE, "leftOperand": "resolution"}))),
        "operator": (ask(under(BEFORE)), refused(under({**BEFORE, "operator": "isA"}))),
        "assigner": (ask(under(assigner=CITY)), refused(under(assigner=OTHER))),
        "permission": (FREE, NOTHING),
        "prohibition": (ask(contested | {"conflict": "perm"}), ask(contested)),
        "target": (ask(of_set(permission(target=ENERGY))), ask(of_set(permission(target="urn:x:other")))),
        "assignee": (
            ask(of_set(permission(assignee=COMPANY + "#lab")), recipient=unit("lab")),
            ask(of_set(permission(assignee=COMPANY + "#lab")), recipient=unit("sales")),
        ),
        "action": (ask(under(action="read")), ask(under(action="print"))),
        "includedIn": (ask(under(action="use")), ask(under(action="transfer"))),
        "constraint": (ask(under(BEFORE)), ask(under(BEFORE, AFTER))),
        "refinement": (
            ask(under(action={"rdf:value": {"@id": "use"}, "refinement": BEFORE})),
            ask(under(action={"rdf:value": {"@id": "use"}, "refinement": AFTER})),
        ),
        "PartyCollection": (
            ask(
                of_set(permission(assignee={"@type": "PartyCollection", "@id": "urn:x:some"})),
                facts=both,
            ),
            ask(of_set(permission(assignee={"@type": "PartyCollection", "@id": "urn:x:some"}))),
        ),
        "AssetCollection": (
            ask(
                of_set(permission(target={"@type": "AssetCollection", "@id": "urn:x:some"})),
                facts=both,
            ),
            ask(of_set(permission(target={"@type": "AssetCollection", "@id": "urn:x:some"}))),
        ),
        "source": (
            ask(
                of_set(permission(target={"@type": "AssetCollection", "source": "urn:x:some"})),
                facts=both,
            ),
            ask(
                of_set(permission(target={"@type": "AssetCollection", "source": "urn:x:some"})),
                facts=Facts(collections={"urn:x:some": ()}),
            ),
        ),
        "inheritFrom": (
            ask(offer(permission(action="sell"), inheritFrom="urn:x:free")),
            refused(offer(permission(), inheritFrom="urn:x:unheard")),
        ),
        "unit": (
            ask(under({**constraint("bylag:rate", "lteq", "1"), "unit": "bylag:hour"})),
            refused(under({**constraint("count", "lteq", "1"), "unit": "bylag:hour"})),
        ),
        **{
            f"dct:{name}": (
                ask(offer(permission(), **{DUBLIN_CORE + name: "words"})),
                refused(offer(permission(), **{DUBLIN_CORE + name: "line\nbreak"})),
            )
            for name in ABOUT_TERMS
        },
    }


def logic_and_conflict() -> dict[str, Pair]:
    contested = offer(permission(), prohibition=[{"action": "read"}])
    return {
        "and": (ask(under({"and": [BEFORE, BEFORE]})), ask(under({"and": [BEFORE, AFTER]}))),
        "or": (ask(under({"or": [BEFORE, AFTER]})), ask(under({"or": [AFTER, AFTER]}))),
        "xone": (ask(under({"xone": [BEFORE, AFTER]})), ask(under({"xone": [BEFORE, BEFORE]}))),
        "andSequence": (
            ask(under({"andSequence": {"@list": [BEFORE, BEFORE]}})),
            ask(under({"andSequence": {"@list": [BEFORE, AFTER]}})),
        ),
        "conflict": (ask({**contested, "conflict": "perm"}), ask(contested)),
        "perm": (
            ask({**contested, "conflict": "perm"}),
            ask({**contested, "conflict": "perm"}, action="sell"),
        ),
        "prohibit": (
            ask({**contested, "conflict": "prohibit"}, action="print"),
            ask({**contested, "conflict": "prohibit"}),
        ),
        "invalid": (
            ask({**contested, "conflict": "invalid"}, action="print"),
            ask({**contested, "conflict": "invalid"}),
        ),
    }


def operators() -> dict[str, Pair]:
    noon, later = "2026-01-01T12:00:00Z", "2026-01-01T12:00:01Z"
    measured = {
        "eq": (noon, later),
        "neq": (later, noon),
        "lt": (later, noon),
        "lteq": (noon, "2026-01-01T11:59:59Z"),
        "gt": ("2026-01-01T11:59:59Z", noon),
        "gteq": (noon, later),
    }
    found = {
        name: (ask(under(constraint("dateTime", name, yes))), ask(under(constraint("dateTime", name, no))))
        for name, (yes, no) in measured.items()
    }
    sweden = Recipient(COMPANY, None, {"country": "SE"})
    facts = Facts(
        area=("SE",),
        named={"event": {"urn:x:a": (), "urn:x:b": ()}},
        collections={"urn:x:nordic": ("SE",), "SE": ("SE-AB",)},
    )

    def spatial(operator: str, right: Any) -> Ask:
        return ask(under(constraint("spatial", operator, right)), recipient=sweden, facts=facts)

    def events(*named: str) -> Ask:
        return ask(under(constraint("event", "isAllOf", list(named))), recipient=sweden, facts=facts)

    return {
        **found,
        "isA": (
            ask(under(constraint("purpose", "isA", RESEARCH))),
            ask(under(constraint("purpose", "isA", RESEARCH)), purpose=MARKETING),
        ),
        "isPartOf": (spatial("isPartOf", PROFILE + "area"), spatial("isPartOf", "urn:x:asia")),
        "hasPart": (
            ask(
                under(constraint("event", "hasPart", "urn:x:a")),
                facts=Facts(named={"event": {"urn:x:a": ()}}),
            ),
            ask(
                under(constraint("event", "hasPart", "urn:x:b")),
                facts=Facts(named={"event": {"urn:x:a": ()}}),
            ),
        ),
        "isAllOf": (events("urn:x:b", "urn:x:a"), events("urn:x:a", "urn:x:c")),
        "isAnyOf": (spatial("isAnyOf", ["DK", "SE"]), spatial("isAnyOf", ["DK", "NO"])),
        "isNoneOf": (spatial("isNoneOf", ["DK", "NO"]), spatial("isNoneOf", ["DK", "SE"])),
    }


def duties() -> dict[str, Pair]:
    told = under(duty=[{"@type": "Duty", **TELL}])
    good = under(duty=[{**TELL, "consequence": [PAY]}])
    remedied = offer(permission(action="print"), prohibition=[{"action": "read", "remedy": [PAY]}])
    obliged = offer(permission(action="print"), obligation=[TELL])
    violated = {"urn:x:tell": "violated"}
    return {
        "Duty": duty_case(told, {"urn:x:tell": "pending"}, violated),
        "duty": duty_case(told, {"urn:x:tell": "fulfilled"}, violated),
        "consequence": duty_case(good, {**violated, "urn:x:pay": "fulfilled"}, violated),
        "remedy": (
            ask(remedied, action="print", facts=Facts(duties={"urn:x:pay": "pending"})),
            ask(remedied, facts=Facts(duties={"urn:x:pay": "fulfilled"})),
        ),
        "obligation": (ask(obliged, action="print"), ask(obliged)),
        **{
            name: duty_case(
                {**under(duty=[{**TELL, name: CITY}]), "assigner": CITY}, {"urn:x:tell": "unset"}, violated
            )
            for name in PARTY_FUNCTIONS[2:]
        },
    }


def actions() -> dict[str, Pair]:
    """Each action allows what is included in it, and nothing wider."""
    found: dict[str, Pair] = {}
    for name, parent in ACTION_PARENTS.items():
        document = under(action=name)
        other = parent or ("transfer" if name == "use" else "use")
        found[name] = (ask(document, action=name), ask(document, action=other))
    return found


def operands() -> dict[str, Pair]:
    """Operands whose facts the connector has."""
    lawful = under(constraint("bylag:legalBasis", "eq", LAW))
    agreement = AgreementFacts(AgreementId("a" * 32), "d" * 64, None, LAW)
    began = Facts(began=NOON)
    elapsed, delayed = constraint("elapsedTime", "lteq", "P1D"), constraint("delayPeriod", "gteq", "P1D")
    day = 86_400_000
    secret = Facts(named={"bylag:secrecyGround": {"urn:x:sekretess": ()}})
    places = Facts(named={"bylag:processingPlace": {"SE": ()}})
    swedish = Recipient(COMPANY, None, {"country": "SE", "industry": "D35.14"})

    def uses(left: str, right: str, yes: int, no: int) -> Pair:
        document = under(constraint(left, "lteq" if left != "timeInterval" else "eq", right))
        return ask(document, uses=yes), ask(document, uses=no)

    def told(left: str, right: str, other: str, **changes: Any) -> Pair:
        return (
            ask(under(constraint(left, "eq", right)), **changes),
            ask(under(constraint(left, "eq", other)), **changes),
        )

    return {
        "dateTime": (ask(under(BEFORE)), ask(under(BEFORE), now=SUMMER)),
        "purpose": (
            ask(under(constraint("purpose", "isA", SCIENTIFIC))),
            ask(under(constraint("purpose", "isA", MARKETING))),
        ),
        "recipient": told("recipient", COMPANY, OTHER),
        "elapsedTime": (
            ask(under(elapsed), facts=began, now=NOON + day),
            ask(under(elapsed), facts=began, now=NOON + day + 1),
        ),
        "delayPeriod": (ask(under(delayed), facts=began, now=NOON + day), ask(under(delayed), facts=began)),
        "industry": told("industry", "D35.14", "A01", recipient=swedish),
        "spatial": told("spatial", "SE", "DK", recipient=swedish),
        "version": told("version", "f" * 64, "0" * 64),
        "unitOfCount": told("unitOfCount", COUNTED_UNIT, "urn:x:device"),
        "bylag:legalBasis": (ask(lawful, agreement=agreement), ask(lawful)),
        "bylag:secrecyGround": told("bylag:secrecyGround", "urn:x:sekretess", "urn:x:other", facts=secret),
        "bylag:processingPlace": told("bylag:processingPlace", "SE", "US", facts=places),
        "count": uses("count", "3", 2, 3),
        "bylag:rate": uses("bylag:rate", "3", 2, 3),
        "timeInterval": uses("timeInterval", "PT1H", NOON - 3_600_000, NOON - 3_599_999),
        "meteredTime": uses("meteredTime", "PT1S", 999, 1000),
    }


def of_the_exchange() -> dict[str, Pair]:
    """Operands whose facts an exchange feeds, by what it says of one request."""
    about = VersionFacts(
        product="did:web:city.example/datasets/energy",
        kinds=("urn:x:theme",),
        language="sv",
        media_type="text/csv",
        categories=("https://w3id.org/dpv#NonPersonalData",),
        group=5,
    )
    declared = Declared("urn:x:meter", "urn:x:network", 5, ())
    asking = RequestFacts("transfer", "f" * 64, about, "text/csv", 5, 5, declared)
    facts = Facts(
        named={**asking.named(), "event": {"urn:x:flood": ()}},
        measured={**asking.measured(), "payAmount": Quantity(5, SEK)},
    )
    right = {
        "deliveryChannel": PROFILE + "transfer",
        "fileFormat": "text/csv",
        "media": "https://www.iana.org/assignments/media-types/text",
        "language": "sv",
        "product": "urn:x:theme",
        "event": "urn:x:flood",
        "systemDevice": "urn:x:meter",
        "virtualLocation": "urn:x:network",
        "bylag:dataCategory": "https://w3id.org/dpv#Data",
        "bylag:onwardTransfer": PROFILE + "nobody",
    }
    found = {
        name: (
            ask(under(constraint(name, "isA", value)), facts=facts),
            ask(under(constraint(name, "eq", "urn:x:other")), facts=facts),
        )
        for name, value in right.items()
    }
    for name in MEASURED_OPERANDS:
        period = LEFT_OPERANDS[name].datatype is Datatype.DURATION
        unit_of = {"unit": SEK} if name == "payAmount" else {}
        bounds = ("PT0.005S", "PT0.006S") if period else ("5", "6")
        permit, deny = (constraint(name, "gteq", bound) | unit_of for bound in bounds)
        found[name] = (ask(under(permit), facts=facts), ask(under(deny), facts=facts))
    return found


def pairs() -> dict[str, Pair]:
    """A permit and a deny for each term that is enforced."""
    listed = [
        classes(),
        structure(),
        logic_and_conflict(),
        operators(),
        duties(),
        actions(),
        operands(),
        of_the_exchange(),
    ]
    found = {term: pair for part in listed for term, pair in part.items()}
    assert len(found) == sum(len(part) for part in listed), "a term stands in two parts"
    return found


def refused_terms() -> dict[str, Document]:
    """For each term that is refused, a document that holds it."""
    found: dict[str, Document] = {}
    for term, row in TABLE.items():
        if row.where is not Where.REFUSED:
            continue
        if term in LEFT_OPERANDS:
            found[term] = under(constraint(term, "eq", "1"))
        elif row.how.startswith("deprecated"):
            found[term] = under(action=term)
        elif term[0].isupper():
            found[term] = {**offer(permission()), "@type": term}
        elif term in ("operand", "rightOperandReference", "status"):
            found[term] = under({**BEFORE, term: "urn:x:1"})
        elif term == "policyUsage":
            found[term] = under({**BEFORE, "rightOperand": term})
        elif term in ("hasPolicy", "partOf", "assignerOf", "assigneeOf"):
            found[term] = under(target={"@id": ENERGY, term: "urn:x:1"})
        else:
            found[term] = under(**{term: "urn:x:1"})
    found["rightOperandReference"] = under(
        {"leftOperand": "recipient", "operator": "eq", "rightOperandReference": {"@id": "urn:x:1"}}
    )
    return found
