"""``bylag ledger``: what was recorded, and whether it can be proved.

Rules that hold here: verifying what somebody handed over needs no home, no connector and no network
(``ledger.__main__`` does it); verifying one's own home recomputes everything from its database.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from connector.cli import show
from connector.cli.failing import complain
from connector.cli.options import PATH, json_option, on_home, without_none
from connector.cli.session import Session
from connector.cli.wording import DUTY_RECORDS
from ledger.errors import BylagError

trust_option = click.option(
    "--trust", type=PATH, metavar="POLICY", help="Logs and witnesses you trust (C2SP tlog-policy)."
)


@click.group()
def ledger() -> None:
    """Show, verify and export the ledger."""


@ledger.command("show")
@click.option("--agreement", help="Only the records under this agreement.")
@click.option("--last", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many.")
@on_home
def show_(session: Session, agreement: str | None, last: int) -> None:
    """Show the newest records: what happened, with whom, under which agreement.

    \b
    Examples:
      bylag ledger show --last 20
      bylag ledger show --agreement 9c41… --json
    """
    result = session.ask("ledger-show", last=last, **without_none(agreement=agreement))
    session.print(result, _say_records)


@ledger.command()
@click.argument("folders", type=PATH, nargs=-1, metavar="[FOLDER]...")
@trust_option
@click.option(
    "--registrar", type=PATH, metavar="KEYS", help="The registrar's first keys, from the registrar."
)
@on_home
def verify(session: Session, folders: tuple[Path, ...], trust: Path | None, registrar: Path | None) -> None:
    """Verify export folders, offline, trusting nobody's server; without FOLDER, your own home.

    With two folders or more it also checks what they say about each other: whatever one side
    signed, the other side's log must hold. `python -m ledger verify` does the same without bylag.

    \b
    Examples:
      bylag ledger verify
      bylag ledger verify alfa-export beta-export --registrar first-keys.json
    """
    if not folders:
        if trust is not None or registrar is not None:
            raise click.UsageError("--trust and --registrar go with export folders")
        result = session.ask("ledger-verify")
        session.print(result, _say_verified)
        _end_with(0 if result["verified"] else 1)
    keys = ["--registrar", str(registrar)] if registrar is not None else []
    _offline("verify", session.json, *_trusting(trust), *keys, "--", *map(str, folders))


@ledger.command("list")
@click.argument("folder", type=PATH)
@trust_option
@json_option
def list_(folder: Path, trust: Path | None, as_json: bool) -> None:
    """List the records that FOLDER exports, each checked against its checkpoint.

    \b
    Example:
      bylag ledger list alfa-export
    """
    _offline("show", as_json, *_trusting(trust), "--", str(folder))


@ledger.command()
@click.argument("folder", type=PATH)
@click.argument("index", type=click.IntRange(0))
@trust_option
@json_option
def inclusion(folder: Path, index: int, trust: Path | None, as_json: bool) -> None:
    """Prove that record INDEX stands in the log that FOLDER exports, as a .tlog-proof.

    \b
    Example:
      bylag ledger inclusion alfa-export 17 > 17.tlog-proof
    """
    _offline("inclusion", as_json, *_trusting(trust), "--", str(folder), str(index))


@ledger.command()
@click.argument("old", type=PATH)
@click.argument("new", type=PATH)
@trust_option
@json_option
def consistency(old: Path, new: Path, trust: Path | None, as_json: bool) -> None:
    """Check that the log in NEW begins with the one in OLD, an export or a checkpoint.

    \b
    Example:
      bylag ledger consistency alfa-january alfa-june
    """
    _offline("consistency", as_json, *_trusting(trust), "--", str(old), str(new))


@ledger.command()
@click.argument("folder", type=PATH)
@click.option("--guest", metavar="HANDLE", help="Hand over also what is recorded about this guest.")
@on_home
def export(session: Session, folder: Path, guest: str | None) -> None:
    """Write an export of your log to FOLDER, for somebody who trusts nobody.

    It holds every record, what the parties to agreements signed, the agreements and the membership
    lists, and nothing about a person. It verifies with `bylag ledger verify FOLDER`.

    With --guest it holds that person's own rows, agreements and credentials too: it is for them, or for
    whoever may see what is recorded about them. That it was written is recorded about them as well.

    \b
    Example:
      bylag ledger export ./alfa-export
    """
    session.print(session.ask("ledger-export", out=str(folder), **without_none(guest=guest)), _say_exported)


def _offline(command: str, as_json: bool, *arguments: str) -> None:
    from ledger.__main__ import run, status_of  # noqa: PLC0415  # the other commands do not need it

    try:
        status = run([command, *(["--json"] if as_json else []), *arguments])
    except BylagError as error:
        complain(error)
        status = status_of(error)
    _end_with(status)


def _trusting(policy: Path | None) -> list[str]:
    return ["--trust", str(policy)] if policy is not None else []


def _end_with(status: int) -> None:
    click.get_current_context().exit(status)


def _say_records(records: Any) -> None:
    show.table(
        ("index", "time", "what", "with", "dataset", "purpose", "rows", "code"),
        [
            (
                record["index"],
                show.time(record["leaf"].get("time")),
                record["leaf"]["type"],
                _counterpart(record["leaf"]),
                record["leaf"].get("dataset"),
                show.short(record["leaf"].get("purpose")),
                record["leaf"].get("rows"),
                _because(record["leaf"]),
            )
            for record in records
        ],
        empty="There is no record.",
    )


def _because(leaf: Any) -> str | None:
    """The record's code; of a duty, what it says in words."""
    code: str | None = leaf.get("code")
    return DUTY_RECORDS.get(code or "", code) if leaf["type"] == "duty" else code


def _counterpart(leaf: Any) -> str | None:
    party = leaf.get("with")
    if not isinstance(party, dict):
        return None
    return str(party.get("org") or "a person")


def _say_verified(result: Any) -> None:
    show.write(show.good("verified") if result["verified"] else show.bad("NOT VERIFIED"))
    show.pairs(
        [
            ("log", result["origin"]),
            ("records", result["size"]),
            ("published", result["published"]),
            ("root", result["root"]),
            ("witness", result["witness"]),
        ]
    )
    for each in result["wrong"]:
        show.write(show.bad(show.clean(f"{each['where']}: {each['what']}")))


def _say_exported(result: Any) -> None:
    show.pairs(
        [
            ("folder", result["out"]),
            ("log", result["origin"]),
            ("records", result["size"]),
            ("root", result["root"]),
            ("key", result["key"]),
        ]
    )
    show.note(f"Anybody verifies it with `python -m ledger verify {show.clean(result['out'])}`.")
