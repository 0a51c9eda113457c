"""The templates: nine usual cases, each a policy that is enforced as its words say.

Nobody records yet what each person agreed or objected to. The two templates for that go by what the parties
say under their signatures: a duty that was reported and accepted, and an attestation.
"""

from __future__ import annotations

from typing import Final

from connector.policy.input import NO_OBJECTION
from connector.policy.template import Filled, NoSuchTemplate, Parameter, Template, Type, Values
from connector.policy.vocabulary import DPV, PROFILE
from ledger.canonical import JSON, JSONObject

_CONTEXT: Final[JSON] = ["http://www.w3.org/ns/odrl.jsonld", PROFILE + "context"]
_ANY_PURPOSE: Final = DPV + "Purpose"
_DEFAULT_PURPOSE: Final = DPV + "PublicBenefit"
_PUBLIC_INTEREST: Final = DPV + "PublicInterest"
_NOBODY: Final = PROFILE + "nobody"
_ONWARD: Final = ("cc:Distribution", "cc:Sharing", "distribute", "grantUse", "transfer")
"""Actions that hand data on. ``transfer`` includes ``give`` and ``sell``."""

_PURPOSE: Final = Parameter(
    "purpose", Type.PURPOSE, _DEFAULT_PURPOSE, "What it may be used for, and anything narrower."
)


def template(name: str) -> Template:
    """A template by its name. Raises :class:`NoSuchTemplate`."""
    found = TEMPLATES.get(name)
    if found is None:
        raise NoSuchTemplate("there is no template of that name", field="template")
    return found


def _open_data(values: Values) -> Filled:
    duty: JSONObject = {"action": "attribute"}
    if values["credit"] is not None:
        duty["attributedParty"] = values["credit"]
    return _filled("open-data", {}, purpose=_ANY_PURPOSE, duty=[duty])


def _purpose_bound(values: Values) -> Filled:
    return _filled("purpose-bound", values)


def _time_limited(values: Values) -> Filled:
    days = _number(values, "days")
    until = _constraint("elapsedTime", "lteq", f"P{days}D")
    return _filled("time-limited", values, until, days=days)


def _consent_bound(values: Values) -> Filled:
    return _filled("consent-bound", values, duty=[{"action": "obtainConsent"}])


def _public_task(values: Values) -> Filled:
    basis = str(values["basis"])
    return _filled(
        "public-task",
        values,
        _constraint("bylag:legalBasis", "isA", basis),
        _constraint("event", "isAllOf", [values["attested"]]),
        legal_basis=basis,
    )


def _aggregated_only(values: Values) -> Filled:
    groups = _constraint("bylag:aggregationLevel", "gteq", _number(values, "k"))
    return _filled("aggregated-only", values, groups)


def _paid_per_record(values: Values) -> Filled:
    price: JSONObject = {
        "basis": "record",
        "amount": values["price"],
        "currency": values["currency"],
        "per": values["per"],
        "legal_ground": values["ground"],
    }
    return _filled("paid-per-record", values, duty=[{"action": "compensate"}], price=price)


def _no_onward_sharing(values: Values) -> Filled:
    declared = [_constraint("bylag:onwardTransfer", "eq", _NOBODY)] if values["declared"] else []
    forbidden: list[JSON] = [{"action": action} for action in _ONWARD]
    return _filled("no-onward-sharing", values, *declared, prohibition=forbidden)


def _delete_after(values: Values) -> Filled:
    until = _constraint("elapsedTime", "lteq", f"P{_number(values, 'days')}D")
    return _filled("delete-after", values, duty=[{"action": "delete", "constraint": [until]}])


def _filled(
    name: str,
    values: Values,
    *constraints: JSON,
    duty: list[JSON] | None = None,
    prohibition: list[JSON] | None = None,
    purpose: str | None = None,
    days: int | None = None,
    price: JSONObject | None = None,
    legal_basis: str | None = None,
) -> Filled:
    """One permission to use, for the purpose, under the constraints; the template's words as description."""
    about = TEMPLATES[name]
    asked = purpose or str(values["purpose"])
    bound: list[JSON] = [] if purpose is not None else [_constraint("purpose", "isA", asked)]
    permission: JSONObject = {"action": "use"}
    if all_of := [*bound, *constraints]:
        permission["constraint"] = all_of
    if duty is not None:
        permission["duty"] = duty
    policy: JSONObject = {
        "@context": _CONTEXT,
        "@type": "Offer",
        "profile": PROFILE,
        "dct:title": about.title,
        "permission": [permission],
    }
    if prohibition is not None:
        policy["prohibition"] = prohibition
    return Filled(policy, asked, days, price, legal_basis)


def _constraint(left: str, operator: str, right: JSON) -> JSON:
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


def _number(values: Values, name: str) -> int:
    value = values[name]
    return value if isinstance(value, int) else 0


_ALL: Final = (
    Template(
        "open-data",
        "Open data with attribution",
        "Data that anybody in the data space may use for anything. Whoever uses it says where it comes from.",
        (Parameter("credit", Type.IRI, None, "Who is to be named; left out: the publisher."),),
        _open_data,
    ),
    Template(
        "purpose-bound",
        "For one purpose",
        "Data that may be used for one purpose and any narrower one, and for nothing else.",
        (_PURPOSE,),
        _purpose_bound,
    ),
    Template(
        "time-limited",
        "For a limited time",
        "Data that may be used for a number of days from the beginning of the agreement, and not afterwards.",
        (
            _PURPOSE,
            Parameter("days", Type.WHOLE, 30, "How many days it may be used; the agreement holds as long."),
        ),
        _time_limited,
    ),
    Template(
        "consent-bound",
        "With the consent of those whom it is about",
        "Data about people that may be used once the recipient has obtained their consent, has said so and by"
        " what it is shown (bylag duties done), and you have accepted that (bylag duties accept). Nothing"
        " leaves before. Where consent is withdrawn, end the agreement. For a public authority that acts on"
        " law or a public task, public-task is the better choice.",
        (_PURPOSE,),
        _consent_bound,
    ),
    Template(
        "public-task",
        "For a public task, with the right to object",
        "Data about people that a public body may use on the ground of law or a public task. They cannot"
        " withdraw, but object: you attest that no objection stands (bylag events begin), and nothing leaves"
        " before. Once somebody objects, end that (bylag events end), and nothing more leaves until it is"
        " decided. The recipient attests the same before each later use.",
        (
            _PURPOSE,
            Parameter("basis", Type.IRI, _PUBLIC_INTEREST, "The legal basis; the agreement names it."),
            Parameter(
                "attested",
                Type.IRI,
                NO_OBJECTION,
                "The name under which it is attested that no objection stands.",
            ),
        ),
        _public_task,
    ),
    Template(
        "aggregated-only",
        "Only in groups",
        "Figures that may leave only where each row stands for a group of at least k. Smaller groups are"
        " denied, and so is data whose groups nobody measured.",
        (_PURPOSE, Parameter("k", Type.WHOLE, 10, "The smallest group that a row stands for.", least=2)),
        _aggregated_only,
    ),
    Template(
        "paid-per-record",
        "Paid per record",
        "Data that is paid for by the record. Using it comes first and is metered; what is owed is settled"
        " afterwards (bylag settle).",
        (
            _PURPOSE,
            Parameter("price", Type.WHOLE, 100, "For each started `per` records, in minor units."),
            Parameter("currency", Type.CURRENCY, "SEK", "ISO 4217."),
            Parameter("per", Type.WHOLE, 1, "How many records the price is for."),
            Parameter("ground", Type.IRI, None, "The provision that allows the price, where one must."),
        ),
        _paid_per_record,
    ),
    Template(
        "no-onward-sharing",
        "Not to be handed on",
        "Data that may be used, but not distributed, given away, sold, or let to others. With declared=yes"
        " each request must also declare that it is handed on to nobody.",
        (
            _PURPOSE,
            Parameter("declared", Type.YES_OR_NO, False, "Whether each request must declare it (yes or no)."),
        ),
        _no_onward_sharing,
    ),
    Template(
        "delete-after",
        "To be deleted after some days",
        "Data that may be used, and must be deleted within a number of days of its delivery. Where that was"
        " not done in time, no more of it may be used.",
        (_PURPOSE, Parameter("days", Type.WHOLE, 30, "Within how many days it is to be deleted.")),
        _delete_after,
    ),
)

TEMPLATES: Final[dict[str, Template]] = {each.name: each for each in _ALL}
"""Every template by its name."""
