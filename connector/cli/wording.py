"""What several commands word the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connector.cli import show
from ledger.errors import BylagError


def say_members(members: Any) -> None:
    """Organisations in a table."""
    show.table(
        ("did", "name", "kind", "status", "units", "endpoint"),
        [
            (
                each["did"],
                each["name"],
                each["kind"],
                each["status"],
                ", ".join(unit["id"] for unit in each["units"]),
                ", ".join(each["endpoints"]),
            )
            for each in members
        ],
        empty="No organisation is on the list yet.",
    )


def say_expiring(warnings: Any) -> None:
    """What is about to expire, loudest first; nothing where nothing is."""
    for each in sorted(warnings, key=lambda warning: warning["days"]):
        show.write(_expiry(each))


def _expiry(each: Mapping[str, Any]) -> str:
    what = show.clean(f"{each['what']} of {each['whom']}")
    if each["days"] == 0:
        return show.bad(f"expired: {what} ended at {show.time(each['ends'])}")
    days = "a day" if each["days"] == 1 else f"{each['days']} days"
    return show.warn(f"expiring: {what} ends within {days}, at {show.time(each['ends'])}")


def say_policy(content: Any, **agreed: Any) -> None:
    """A policy in its normal form, in plain sentences; ``agreed`` names the parties who signed it.

    A peer's offer may hold what is not enforced here: then that is said.
    """
    from connector.policy.reading import read_policy  # noqa: PLC0415  # the policy room takes a moment
    from connector.policy.sentences import sentences  # noqa: PLC0415

    try:
        policy = read_policy(content)
        said = sentences(policy.agreed(**agreed) if agreed else policy)
    except BylagError as error:
        show.write(show.warn(show.clean(f"The policy is not one that can be signed here: {error.message}.")))
        return
    for sentence in said:
        for depth, text in sentence.lines():
            show.write(f"{'  ' * depth}{show.clean(text)}")


CODES: Final = (
    "TERMS_UNACCEPTABLE",
    "POLICY_NOT_ENFORCED",
    "NOT_APPROVED",
    "NOT_A_MEMBER",
    "OFFER_WITHDRAWN",
    "SIGN_BY_PASSED",
    "SIGNATURE_REFUSED",
    "NO_LONGER_NEEDED",
    "BREACH",
    "LEGAL_OBLIGATION",
    "TECHNICAL_FAILURE",
    "OTHER",
)
"""``connector.contract.messages.TERMINATION_CODES``, without loading it; a test compares them."""

REJECTIONS: Final = ("NOT_DONE", "NOT_ENOUGH", "NO_EVIDENCE", "OTHER")
"""``connector.control.operations.duties.REJECTIONS``, without loading it; a test compares them."""

DUTY_RECORDS: Final[Mapping[str, str]] = {
    "ARISEN": "a duty arose",
    "REPORTED": "a duty was reported as done",
    "ACCEPTED": "a report of a duty was accepted",
    "REJECTED": "a report of a duty was rejected",
    "LATE": "a report of a duty came too late",
    "OVERDUE": "a duty was not done in time",
    "FULFILLED": "a duty was made good for",
    "INFRINGED": "a prohibition was infringed, says the provider",
}
"""What a ``duty`` record says, by its code."""

STATES: Final = ("REQUESTED", "OFFERED", "ACCEPTED", "AGREED", "VERIFIED", "FINALIZED", "TERMINATED")
"""``connector.contract.states.State``, without loading it; a test compares them."""


def versions_in_words(versions: Any) -> str:
    """Which versions of a dataset an agreement is for."""
    if versions["rule"] == "pinned":
        return f"{versions['version']} alone"
    return "the current one" if versions["rule"] == "current" else "any"
