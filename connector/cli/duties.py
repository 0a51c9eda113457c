"""``bylag duties``: what is owed under agreements, by whom and until when; reporting and answering it."""

from __future__ import annotations

from typing import Any, Final

import click

from connector.cli import show
from connector.cli.options import by_hand, on_home, without_none
from connector.cli.session import Session
from connector.cli.wording import REJECTIONS

STATES: Final = {
    "pending": "open",
    "reported": "reported, waits to be accepted",
    "fulfilled": "done",
    "violated": "OVERDUE",
}
"""A task's state in words."""


@click.group()
def duties() -> None:
    """See what is owed under agreements, and say when it is done.

    A policy's duties become tasks at both sides: with the agreement, with each exchange, or when
    something was not done. What is overdue bars releases until it is made good.
    """


@duties.command("list")
@click.option("--open", "only", flag_value="open", help="Only what is not done.")
@click.option("--overdue", "only", flag_value="overdue", help="Only what is overdue.")
@click.option("--agreement", help="Only under this agreement.")
@on_home
def list_(session: Session, only: str | None, agreement: str | None) -> None:
    """List what is owed, by you and to you; what is due first stands at the top.

    \b
    Example:
      bylag duties list --open
    """
    result = session.ask("duties", **without_none(only=only, agreement=agreement))
    session.print(result, _say_list)


@duties.command()
@click.argument("duty")
@click.option("--amount", type=click.IntRange(0), help="What was paid, in minor units, such as cents.")
@click.option("--reference", help="Where the evidence is: a payment's number, a register's entry.")
@by_hand
@on_home
def done(session: Session, duty: str, **said: Any) -> None:
    """Report DUTY, as the list names it, as done; the other side is told.

    A payment, or consent that was obtained, counts once the other side has accepted it. Anything
    else counts until it is rejected.

    \b
    Examples:
      bylag duties done 3f0c…
      bylag duties done 3f0c… --amount 50000 --reference "bank transfer 4711"
    """
    session.print(session.ask("report-duty", duty=duty, **without_none(**said)), _say_one)


@duties.command()
@click.argument("duty")
@by_hand
@on_home
def accept(session: Session, duty: str, **said: Any) -> None:
    """Accept the other side's report of DUTY.

    \b
    Example:
      bylag duties accept 3f0c…
    """
    result = session.ask("answer-duty", duty=duty, code="ACCEPTED", **without_none(**said))
    session.print(result, _say_one)


@duties.command()
@click.argument("duty")
@click.option("--code", type=click.Choice(REJECTIONS), default="NOT_DONE", show_default=True, help="Why.")
@by_hand
@on_home
def reject(session: Session, duty: str, code: str, **said: Any) -> None:
    """Reject the other side's report of DUTY: it is open again.

    \b
    Example:
      bylag duties reject 3f0c… --code NO_EVIDENCE --words "Which transfer?"
    """
    result = session.ask("answer-duty", duty=duty, code=code, **without_none(**said))
    session.print(result, _say_one)


@duties.command()
@click.argument("agreement")
@click.argument("rule")
@by_hand
@on_home
def infringed(session: Session, agreement: str, rule: str, **said: Any) -> None:
    """Say, as the provider, that prohibition RULE of AGREEMENT was infringed: its remedies are owed.

    \b
    Example:
      bylag duties infringed 9c41… urn:x:no-selling --words "Seen at example.com on 3 July."
    """
    arguments = {"agreement": agreement, "rule": rule, **without_none(**said)}
    session.print(session.ask("infringed", **arguments), _say_list)


def _say_list(found: Any) -> None:
    show.table(
        ("duty", "what", "owed by", "to", "due", "state", "agreement", "exchange"),
        [
            (
                each["duty"],
                each["action"],
                "you" if each["mine"] else each["peer"],
                each["peer"] if each["mine"] else "you",
                show.time(each["due"]) if each["due"] is not None else "no limit",
                _state(each),
                each["agreement"],
                each["exchange"],
            )
            for each in found
        ],
        empty="Nothing is owed.",
    )


def _state(each: Any) -> str:
    if each["state"] == "fulfilled" and each["attested"]:
        return "attested by the other side"
    words = STATES[each["state"]]
    if each["state"] == "violated" and each["reported"] is not None:
        return f"{words}: done late, a consequence is open"
    if each["state"] == "fulfilled" and each["late"]:
        return f"{words}, late"
    return f"{words}, due soon" if each["state"] == "pending" and each["due_soon"] else words


def _say_one(each: Any) -> None:
    show.pairs(
        [
            ("duty", each["duty"]),
            ("what", each["action"]),
            ("owed by", "you" if each["mine"] else each["peer"]),
            ("due", show.time(each["due"]) if each["due"] is not None else "no limit"),
            ("state", _state(each)),
            ("answer", each["code"]),
        ]
    )
