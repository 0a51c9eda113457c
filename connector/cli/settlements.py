"""``bylag settle``: what was delivered in a period, what it costs, and both signatures over it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from connector.cli import show
from connector.cli.files import read_file
from connector.cli.options import MOMENT, PATH, by_hand, on_home, without_none
from connector.cli.prices import money, price_in_words
from connector.cli.session import Session
from ledger.canonical import decode_object

MAX_STATEMENT = 16 << 20


@click.group()
def settle() -> None:
    """Settle what was delivered under an agreement, and what it costs.

    Both sides compute the statement of a period from what they hold, and sign the same bytes. Only
    signatures are sent. What was not acknowledged stands on no statement: see `settle open`.
    """


def period(command: Any) -> Any:
    """Give a command the options that name a period."""
    until = click.option("--until", type=MOMENT, required=True, help="The period's end, not included.")
    since = click.option("--from", "begin", type=MOMENT, help="Its beginning; default: where the last ended.")
    return since(until(command))


@settle.command("list")
@on_home
def list_(session: Session) -> None:
    """List all statements that either side signed, the newest change first."""
    session.print(session.ask("settlements"), _say_list)


@settle.command("show")
@click.argument("agreement")
@period
@click.option("--lines", is_flag=True, help="With every line, to compare it with the other side's.")
@on_home
def show_(session: Session, agreement: str, begin: int | None, until: int, lines: bool) -> None:
    """Show the statement of a period, as it was signed or as you would sign it now.

    \b
    Examples:
      bylag settle show 9c41… --until 2026-08-01
      bylag settle show 9c41… --from 2026-07-01 --until 2026-08-01 --lines --json > ours.json
    """
    said = without_none(**{"from": begin}, until=until)
    result = session.ask("settlement", agreement=agreement, lines=lines, **said)
    session.print(result, _say_one)


@settle.command()
@click.argument("agreement")
@period
@by_hand
@on_home
def sign(session: Session, agreement: str, begin: int | None, until: int, **said: Any) -> None:
    """Sign the statement of a period; the other side computes its own, and countersigns an equal one.

    The period must have been over for ten minutes. Periods of an agreement do not overlap.

    \b
    Example:
      bylag settle sign 9c41… --from 2026-07-01 --until 2026-08-01
    """
    arguments = without_none(**{"from": begin}, until=until, **said)
    session.print(session.ask("sign-settlement", agreement=agreement, **arguments), _say_outcome)


@settle.command()
@click.argument("agreement")
@click.option("--until", type=MOMENT, help="Which, where several statements wait.")
@by_hand
@on_home
def approve(session: Session, agreement: str, **said: Any) -> None:
    """Countersign the statement that the other side signed and that equals yours.

    \b
    Example:
      bylag settle approve 9c41… --actor "A. Clerk" --mandate "delegation 12 §3"
    """
    result = session.ask("sign-settlement", agreement=agreement, answer=True, **without_none(**said))
    session.print(result, _say_outcome)


@settle.command()
@click.argument("agreement")
@click.option("--until", type=MOMENT, help="Which, where several statements wait.")
@by_hand
@on_home
def refuse(session: Session, agreement: str, **said: Any) -> None:
    """Say no to the statement that the other side signed; it is told which one you have.

    \b
    Example:
      bylag settle refuse 9c41… --words "We dispute the transfer of 3 July."
    """
    result = session.ask("refuse-settlement", agreement=agreement, **without_none(**said))
    session.print(result, _say_outcome)


@settle.command("open")
@click.argument("agreement")
@click.option("--until", type=MOMENT, help="Only what was sent before; default: until now.")
@on_home
def open_(session: Session, agreement: str, until: int | None) -> None:
    """List what was sent under an agreement and stands on no statement, with the reason.

    It is your own sheet: nobody signs it, and nothing on it is charged.
    """
    session.print(session.ask("open-items", agreement=agreement, **without_none(until=until)), _say_open)


@settle.command()
@click.argument("file", type=PATH)
@on_home
def compare(session: Session, file: Path) -> None:
    """Compare FILE, the other side's `settle show --lines --json`, with your own statement.

    \b
    Example:
      bylag settle compare theirs.json
    """
    theirs = decode_object(read_file(file, limit=MAX_STATEMENT), max_bytes=MAX_STATEMENT)
    given = {"statement": theirs.get("statement")}
    session.print(session.ask("compare-settlement", theirs=given), _say_differences)


def _say_list(settlements: Any) -> None:
    show.table(
        ("agreement", "from", "until", "state", "peer", "lines", "amount", "because"),
        [
            (
                each["agreement"],
                show.time(each["from"]),
                show.time(each["until"]),
                each["state"],
                each["peer"],
                each["lines"],
                money(each["amount"], each["currency"]),
                each["code"],
            )
            for each in settlements
        ],
        empty="Nothing was settled yet. See what is due: `bylag settle show AGREEMENT --until DATE`.",
    )


def _say_one(result: Any) -> None:
    statement = result["statement"]
    totals = statement["totals"]
    show.pairs(
        [
            ("agreement", result["agreement"]),
            ("peer", result["peer"]),
            ("period", f"{show.time(statement['from'])} to {show.time(statement['until'])}"),
            ("state", result["state"]),
            ("price", price_in_words(statement["price"])),
            ("windows", totals["lines"]),
            ("records", totals["records"]),
            ("size", show.size(totals["bytes"])),
            ("requests", totals["requests"]),
            ("amount", money(totals["amount"], totals["currency"])),
            ("digest", result["digest"]),
        ]
    )
    if "lines" not in statement:
        return
    show.write()
    show.table(
        ("committed", "exchange", "attempt", "window", "records", "bytes", "requests", "late"),
        [
            (
                show.time(line["time"]),
                line["exchange"],
                line["attempt"],
                line["window"],
                line["rows"],
                line["bytes"],
                line["requests"],
                line["late"],
            )
            for line in statement["lines"]
        ],
        empty="Nothing was delivered and acknowledged in this period.",
    )


def _say_outcome(result: Any) -> None:
    _say_list([{**result, "peer": None}])
    state = result["state"]
    if state == "settled":
        show.note("Both have signed the same bytes.")
    elif state == "signed":
        show.note("You have signed; the other side has not answered yet. Look again: `bylag settle list`.")
    elif result["theirs"]["digest"] is not None:
        show.note(f"The other side's statement is {result['theirs']['digest']}: see `bylag settle compare`.")


def _say_open(items: Any) -> None:
    show.table(
        ("committed", "exchange", "attempt", "window", "records", "bytes", "requests", "because"),
        [
            (
                show.time(each["time"]),
                each["exchange"],
                each["attempt"],
                each["window"],
                each["rows"],
                each["bytes"],
                each["requests"],
                each["reason"],
            )
            for each in items
        ],
        empty="Nothing stands open: all that was sent was acknowledged.",
    )


def _say_differences(result: Any) -> None:
    if result["equal"]:
        show.write("The statements are equal to the byte.")
        return
    show.table(
        ("exchange", "attempt", "window", "only", "differs"),
        [
            (each["exchange"], each["attempt"], each["window"], each["only"], ", ".join(each["differs"]))
            for each in result["differences"]
        ],
        empty="The lines are equal; price, period or agreement are not.",
    )
