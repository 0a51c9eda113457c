"""``bylag agreement``: what both signed, and its end."""

from __future__ import annotations

from typing import Any

import click

from connector.cli import show
from connector.cli.contract_terms import contract_in_words
from connector.cli.options import by_hand, on_home, without_none
from connector.cli.prices import price_in_words
from connector.cli.session import Session
from connector.cli.wording import CODES, say_policy, versions_in_words


@click.group()
def agreement() -> None:
    """List, show and terminate agreements."""


@agreement.command("list")
@on_home
def list_(session: Session) -> None:
    """List all agreements, the newest first."""
    session.print(session.ask("agreements"), _say_list)


@agreement.command("show")
@click.argument("agreement")
@on_home
def show_(session: Session, agreement: str) -> None:
    """Show one agreement: its terms, its policy in plain sentences, and who signed the same bytes."""
    session.print(session.ask("agreement", agreement=agreement), _say_one)


@agreement.command()
@click.argument("agreement")
@click.option("--code", type=click.Choice(CODES), default="NO_LONGER_NEEDED", show_default=True, help="Why.")
@by_hand
@on_home
def terminate(session: Session, agreement: str, code: str, **said: Any) -> None:
    """End an agreement in force, with a reason that both sides see.

    New releases stop at once, running transfers are cut; what was received remains under its terms.

    \b
    Example:
      bylag agreement terminate 9c41… --code NO_LONGER_NEEDED --words "The study is done."
    """
    result = session.ask("terminate-agreement", agreement=agreement, code=code, **without_none(**said))
    session.print(result, lambda _: _say_list([result]))


def _say_list(agreements: Any) -> None:
    show.table(
        ("agreement", "state", "role", "peer", "dataset", "since", "ended", "because"),
        [
            (
                each["agreement"],
                each["state"],
                each["role"],
                each["peer"],
                each["dataset"],
                show.time(each["begun"]),
                show.time(each["ended"]),
                each["code"],
            )
            for each in agreements
        ],
        empty="There is no agreement. Ask for one: `bylag negotiate PEER DATASET`.",
    )


def _say_one(result: Any) -> None:
    document = result["document"]
    terms = document["terms"]
    show.pairs(
        [
            ("agreement", result["agreement"]),
            ("state", result["state"]),
            ("provider", _party(document["provider"])),
            ("consumer", _party(document["consumer"])),
            ("dataset", result["dataset"]),
            ("purpose", show.short(terms["purpose"])),
            ("period", f"{show.time(terms['period']['begin'])} to {show.time(terms['period']['end'])}"),
            ("price", price_in_words(terms["price"])),
            ("versions", versions_in_words(document["versions"])),
            ("places", ", ".join(terms["places"])),
            ("W, T", f"{terms['windows']} windows, {terms['acknowledge_seconds']} s"),
            *contract_in_words(terms),
            ("since", show.time(result["begun"])),
            ("ended", show.time(result["ended"])),
            ("because", result["code"]),
            ("digest", result["digest"]),
            ("signed by", "provider and consumer" if all(result["signatures"].values()) else None),
        ]
    )
    show.write()
    say_policy(
        terms["policy"],
        name=f"urn:bylag:agreement:{result['agreement']}",
        assigner=document["provider"]["id"],
        assignee=document["consumer"]["id"],
        target=result["dataset"],
    )


def _party(party: Any) -> str:
    unit = f", unit {party['unit']}" if party.get("unit") else ""
    return f"{party['id']}{unit}"
