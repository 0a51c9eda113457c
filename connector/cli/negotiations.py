"""``bylag negotiate`` and ``bylag negotiation``: how an agreement comes about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from connector.cli import show
from connector.cli.contract_terms import contract_in_words, contract_terms_option, read_contract_terms
from connector.cli.options import PATH, by_hand, member, on_home, without_none
from connector.cli.policy_files import parents_option, read_policy_file
from connector.cli.prices import price_in_words, priced, take_price
from connector.cli.session import Session
from connector.cli.wording import CODES, STATES, say_policy, versions_in_words


@click.command()
@click.argument("peer", callback=member)
@click.argument("dataset")
@click.option("--offer", metavar="ID", help="Which of its offers; default: the first.")
@click.option("--unit", help="The unit that you ask for; default: the whole participant.")
@click.option("--wait", type=click.IntRange(0, 3600), help="Seconds to wait for the outcome; default 20.")
@by_hand
@on_home
def negotiate(session: Session, peer: str, dataset: str, **said: Any) -> None:
    """Ask PEER for an agreement on DATASET, on an offer as it is published.

    Where a rule of the provider's approves it, both have signed within seconds, and the agreement's
    id is printed. Otherwise it waits for a person there: `bylag negotiation wait`.

    \b
    Example:
      bylag negotiate did:web:alfa.example parking
    """
    result = session.ask("negotiate", provider=peer, dataset=dataset, **without_none(**said))
    session.print(result, _say_outcome)


@click.command()
@click.argument("peer")
@click.argument("dataset")
@click.option("--offer", metavar="ID", help="Which of your offers for it; default: the first.")
@by_hand
@on_home
def offer(session: Session, peer: str, dataset: str, **said: Any) -> None:
    """Offer your DATASET to PEER, who did not ask; a person there decides.

    \b
    Example:
      bylag offer did:web:beta.example parking --words "This may help your study."
    """
    result = session.ask("offer-to", consumer=peer, dataset=dataset, **without_none(**said))
    session.print(result, _say_outcome)


@click.group()
def negotiation() -> None:
    """List, show, approve, counter and terminate negotiations."""


@negotiation.command("list")
@on_home
def list_(session: Session) -> None:
    """List all negotiations, the newest change first."""
    session.print(session.ask("negotiations"), _say_list)


@negotiation.command("show")
@click.argument("negotiation")
@on_home
def show_(session: Session, negotiation: str) -> None:
    """Show one negotiation: the terms and the policy on the table, and what was said."""
    session.print(session.ask("negotiation", negotiation=negotiation), _say_one)


@negotiation.command()
@click.argument("negotiation", required=False)
@click.option("--state", type=click.Choice(STATES), help="Which; default: any that ends it or waits for you.")
@click.option("--seconds", type=click.IntRange(0, 3600), default=60, show_default=True, help="How long.")
@on_home
def wait(session: Session, negotiation: str | None, state: str | None, seconds: int) -> None:
    """Wait until NEGOTIATION, or any, is over or waits for you, or is in a state; peers are called."""
    arguments = without_none(negotiation=negotiation, state=state)
    session.print(session.ask("await-negotiation", wait=seconds, **arguments), _say_outcome)


@negotiation.command()
@click.argument("negotiation")
@click.option("--unit", help="The unit that signs; default: the offer's, or the one that asked.")
@by_hand
@on_home
def approve(session: Session, negotiation: str, **said: Any) -> None:
    """Say yes to what lies on the table: it is signed, and the other side told.

    \b
    Example:
      bylag negotiation approve 7f3a… --actor "A. Clerk" --mandate "delegation 12 §3"
    """
    result = session.ask("approve", negotiation=negotiation, **without_none(**said))
    session.print(result, _say_outcome)


@negotiation.command()
@click.argument("negotiation")
@click.option("--purpose", help="Another purpose, a DPV term; in the policy, too.")
@click.option("--days", type=click.IntRange(1, 36_500), help="Another period, from now on.")
@click.option("--policy", type=PATH, help="Another ODRL policy, a file in JSON-LD, or in Turtle (.ttl).")
@parents_option
@contract_terms_option
@priced
@click.option("--unit", help="The unit that you act for.")
@by_hand
@on_home
def counter(
    session: Session,
    negotiation: str,
    policy: Path | None,
    parents: tuple[Path, ...],
    contract_terms: Path | None,
    **said: Any,
) -> None:
    """Put other terms on the table; a person at the other side decides on them.

    \b
    Example:
      bylag negotiation counter 7f3a… --days 30 --words "A month is enough for us."
    """
    arguments = without_none(**take_price(said))
    if policy is not None:
        arguments["policy"] = read_policy_file(policy, parents)
    elif parents:
        raise click.UsageError("--parent goes with --policy")
    if contract_terms is not None:
        arguments["contract_terms"] = read_contract_terms(contract_terms)
    session.print(session.ask("counter", negotiation=negotiation, **arguments), _say_outcome)


@negotiation.command()
@click.argument("negotiation")
@click.option("--code", type=click.Choice(CODES), default="NO_LONGER_NEEDED", show_default=True, help="Why.")
@by_hand
@on_home
def terminate(session: Session, negotiation: str, code: str, **said: Any) -> None:
    """End a negotiation, with a reason that both sides see.

    \b
    Example:
      bylag negotiation terminate 7f3a… --code TERMS_UNACCEPTABLE --words "The period is too short."
    """
    result = session.ask("terminate-negotiation", negotiation=negotiation, code=code, **without_none(**said))
    session.print(result, _say_outcome)


def _say_outcome(result: Any) -> None:
    _say_state(result)
    _say_next(result)


def _say_state(result: Any) -> None:
    show.pairs(
        [
            ("negotiation", result["negotiation"]),
            ("state", result["state"]),
            ("peer", result["peer"]),
            ("dataset", result["dataset"]),
            ("purpose", show.short(result["purpose"])),
            ("agreement", result["agreement"]),
            ("ended because", result["termination"]),
        ]
    )


def _say_next(result: Any) -> None:
    name, whom = result["negotiation"], result["waits_for"]
    if result["state"] == "FINALIZED" and result["role"] == "consumer":
        show.note(f"Both have signed. Next: `bylag fetch {result['agreement']}`.")
    elif whom == result["peer"]:
        show.note(f"It waits for {show.clean(whom)}. Next: `bylag negotiation wait {name}`.")
    elif whom is not None:
        show.note(
            f"It waits for you. Next: `bylag negotiation approve {name}`, or `counter`, or `terminate`."
        )


def _say_list(negotiations: Any) -> None:
    show.table(
        ("negotiation", "state", "role", "peer", "dataset", "purpose", "agreement"),
        [
            (
                each["negotiation"],
                each["state"],
                each["role"],
                each["peer"],
                each["dataset"],
                show.short(each["purpose"]),
                each["agreement"],
            )
            for each in negotiations
        ],
        empty="There is no negotiation. Begin one: `bylag negotiate PEER DATASET`.",
    )


def _say_one(result: Any) -> None:
    _say_state(result)
    terms = result["terms"]["terms"]
    period = terms["period"]
    show.pairs(
        [
            ("period", f"{show.time(period['begin'])} to {show.time(period['end'])}"),
            ("price", price_in_words(terms["price"])),
            ("versions", versions_in_words(result["terms"]["versions"])),
            ("places", ", ".join(terms["places"])),
            ("W, T", f"{terms['windows']} windows, {terms['acknowledge_seconds']} s"),
            *contract_in_words(terms),
            ("policy", terms["policy_digest"]),
        ]
    )
    show.write()
    say_policy(terms["policy"])
    show.write()
    for message in result["messages"]:
        words = f": {message['words']}" if message.get("words") else ""
        show.write(show.clean(f"{show.time(message['time'])}  {message['by']}  {message['message']}{words}"))
    _say_next(result)
