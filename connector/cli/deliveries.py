"""``bylag fetch``, ``subscribe``, ``deliveries`` and ``use``: into the inbox, and out of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from connector.cli import show
from connector.cli.declaring import declaration, declare
from connector.cli.options import PATH, by_hand, on_home, without_none
from connector.cli.selecting import CONDITION, ORDER, names
from connector.cli.session import Session
from ledger.canonical import JSONObject


@click.command()
@click.argument("agreement", required=False)
@click.option("--resume", metavar="EXCHANGE", help="Go on with an exchange that broke, where it stands.")
@click.option("--purpose", help="The agreement's purpose or a narrower one; default: the agreement's.")
@click.option("--version", metavar="NAME", help="This version of the dataset; default: the newest.")
@click.option("--columns", help="Only these columns, separated by commas.")
@click.option("--where", type=CONDITION, multiple=True, help="Only rows like 'column op value'; repeatable.")
@click.option(
    "--order", type=ORDER, multiple=True, help="Sort by a column, or -column downwards; repeatable."
)
@click.option("--limit", type=click.IntRange(0), help="At most so many rows.")
@declare
@on_home
def fetch(
    session: Session,
    agreement: str | None,
    resume: str | None,
    columns: str | None,
    where: tuple[JSONObject, ...],
    order: tuple[JSONObject, ...],
    limit: int | None,
    declared: tuple[tuple[str, str | int], ...],
    **said: Any,
) -> None:
    """Fetch the dataset of AGREEMENT into the inbox, whole or in part.

    What arrives is stored, synced and signed for, window by window. A fetch that breaks can be gone
    on with: the exchange's id is in `bylag deliveries`.

    In --where, op is one of = != < <= > >= prefix in between null; values of `in` and `between`
    stand between commas, and a value with spaces needs no quotes of its own.

    \b
    Examples:
      bylag fetch 9c41…
      bylag fetch 9c41… --columns garage,vehicles --where 'vehicles > 100' --order -vehicles --limit 10
      bylag fetch --resume 51d0…
    """
    if (agreement is None) == (resume is None):
        raise click.UsageError("name an AGREEMENT to fetch under, or an exchange to --resume")
    selection = without_none(
        columns=names(columns), where=list(where) or None, order=list(order) or None, limit=limit
    )
    said["declared"] = declaration(declared)
    if resume is not None:
        if selection or any(value is not None for value in said.values()):
            raise click.UsageError("--resume goes on with what was asked for; it takes no other choice")
        result = session.ask("resume", exchange=resume)
    else:
        arguments = without_none(agreement=agreement, **said)
        if selection:
            arguments["selection"] = selection
        result = session.ask("fetch", **arguments)
    session.print(result, _say_fetched)


@click.command()
@click.argument("agreement", required=False)
@click.option("--resume", metavar="EXCHANGE", help="Go on with a subscription that broke.")
@click.option("--rows", type=click.IntRange(1), help="End after so many rows.")
@click.option("--seconds", type=click.IntRange(1), help="End after so long; without --rows default 60.")
@click.option(
    "--from", "cursor", type=click.IntRange(0), help="The position to begin at; default: where you were."
)
@click.option("--purpose", help="The agreement's purpose or a narrower one; default: the agreement's.")
@click.option("--version", metavar="NAME", help="This version of the dataset; default: the newest.")
@click.option("--columns", help="Only these columns, separated by commas.")
@click.option("--where", type=CONDITION, multiple=True, help="Only rows like 'column op value'; repeatable.")
@declare
@on_home
def subscribe(
    session: Session,
    agreement: str | None,
    resume: str | None,
    rows: int | None,
    seconds: int | None,
    columns: str | None,
    where: tuple[JSONObject, ...],
    declared: tuple[tuple[str, str | int], ...],
    **said: Any,
) -> None:
    """Follow the append-only table of AGREEMENT: its rows come into the inbox as they are added.

    It ends after --rows or --seconds; the next time it goes on where it was. What came is a
    delivery like any other.

    \b
    Examples:
      bylag subscribe 9c41… --seconds 3600
      bylag subscribe 9c41… --rows 100 --from 0
    """
    if (agreement is None) == (resume is None):
        raise click.UsageError("name an AGREEMENT to subscribe under, or an exchange to --resume")
    bounds = without_none(rows=rows, seconds=60 if rows is None and seconds is None else seconds)
    selection = without_none(columns=names(columns), where=list(where) or None)
    said["declared"] = declaration(declared)
    if resume is not None:
        if selection or any(value is not None for value in said.values()):
            raise click.UsageError("--resume goes on with what was asked for; it takes no other choice")
        result = session.ask("subscribe", exchange=resume, **bounds)
    else:
        arguments = without_none(agreement=agreement, **said, selection=selection or None)
        result = session.ask("subscribe", **arguments, **bounds)
    session.print(result, _say_followed)


@click.command()
@click.argument("exchange")
@on_home
def unsubscribe(session: Session, exchange: str) -> None:
    """End a subscription that is open, at either side; EXCHANGE is in `bylag deliveries`."""
    result = session.ask("unsubscribe", exchange=exchange)
    session.print(result, lambda _: show.write(f"{show.clean(exchange)} is ending."))


@click.command()
@on_home
def deliveries(session: Session) -> None:
    """List what was received, or is being received, the newest first."""
    session.print(session.ask("deliveries"), _say_deliveries)


@click.command()
@click.argument("delivery")
@click.option("--purpose", required=True, help="What for: the agreement's purpose or a narrower one.")
@click.option("--out", type=PATH, help="Write it here: recorded as beyond the connector's control.")
@on_home
def use(session: Session, delivery: str, purpose: str, out: Path | None) -> None:
    """Use a delivery for a purpose: the policy decides, the ledger records, then it is handed out.

    A small one is printed, a larger one needs --out. The file is yours alone (mode 0600), and one that is
    there is not overwritten. Of a fetch that broke, what has come so far is handed out, and that is said.

    \b
    Examples:
      bylag use 51d0… --purpose PublicBenefit
      bylag use 51d0… --purpose PublicBenefit --out parking.csv
    """
    arguments = without_none(delivery=delivery, purpose=purpose, out=str(out) if out else None)
    session.print(session.ask("use", **arguments), _say_used)


@click.command()
@click.argument("delivery")
@by_hand
@on_home
def discard(session: Session, delivery: str, **said: Any) -> None:
    """Discard a delivery: its key is destroyed, its files are removed, and nothing opens it again.

    A duty to delete it is reported to the provider with it. That is your attestation: what was taken
    out with `use --out` is yours to delete.

    \b
    Example:
      bylag discard 51d0…
    """
    session.print(session.ask("discard", delivery=delivery, **without_none(**said)), _say_discarded)


def _say_discarded(result: Any) -> None:
    show.write(f"{show.clean(result['delivery'])} is discarded, here and for good.")
    if result["reported"]:
        show.note(f"{len(result['reported'])} duty to delete it is attested to the provider.")


def _say_fetched(result: Any) -> None:
    _say_exchange(result)
    show.note(f"Next: `bylag use {result['exchange']} --purpose {show.short(result['purpose'])} --out FILE`.")


def _say_followed(result: Any) -> None:
    _say_exchange(result)
    for gap in result["gaps"]:
        show.write(show.warn(show.clean(f"gap: {gap}")))
    show.note(f"Go on from {result['position']}: `bylag subscribe {result['agreement']}`.")


def _say_exchange(result: Any) -> None:
    show.pairs(
        [
            ("delivery", result["exchange"]),
            ("state", result["state"]),
            ("from", result["peer"]),
            ("dataset", result["dataset"]),
            *_declared(result["declared"]),
            ("rows", result["rows"]),
            ("size", show.size(result["bytes"])),
            ("windows", result["windows"]),
            ("digest", result["digest"]),
        ]
    )


def _declared(said: Any) -> list[tuple[str, str]]:
    """What was declared with it: each a line, as it binds every use."""
    if said is None:
        return []
    onward = said["onward"]
    keeps = said["retention_ms"]
    lines = {
        "device": said["device"],
        "location": said["location"],
        "kept for": None if keeps is None else f"{keeps / 86_400_000:g} days",
        "handed on to": None if onward is None else ", ".join(onward) or "nobody",
    }
    return [(f"declared: {name}", value) for name, value in lines.items() if value is not None]


def _say_deliveries(deliveries: Any) -> None:
    show.table(
        ("delivery", "state", "from", "dataset", "purpose", "rows", "size", "windows"),
        [
            (
                each["exchange"],
                "discarded" if each["discarded"] is not None else each["state"],
                each["peer"],
                each["dataset"],
                show.short(each["purpose"]),
                each["rows"],
                show.size(each["bytes"]),
                each["windows"],
            )
            for each in deliveries
        ],
        empty="Nothing was received yet. Fetch something: `bylag fetch AGREEMENT`.",
    )


def _say_used(result: Any) -> None:
    _say_used_data(result)
    if not result["complete"] and result["mode"] == "transfer":
        go_on = f"Go on with it: `bylag fetch --resume {result['delivery']}`."
        if result["state"] == "TERMINATED":
            go_on = "It was ended before its end."
        show.note(show.warn(f"This is not all of it, only what has come so far. {go_on}"))


def _say_used_data(result: Any) -> None:
    if "out" in result:
        show.write(
            f"{result['rows']} rows, {show.size(result['bytes'])}, written to {show.clean(result['out'])}."
        )
        show.note("Recorded as taken out: what happens to the file is beyond the connector's control.")
        return
    text = result["text"]
    if sys.stdout.isatty():  # data must not drive a terminal; through a pipe it goes as it is
        text = show.clean(text, lines=True)
        text = text if text.endswith("\n") else f"{text}\n"
    sys.stdout.write(text)
