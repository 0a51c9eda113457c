"""``bylag members``: the membership list as this participant holds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from connector.cli import show
from connector.cli.files import read_file
from connector.cli.options import PATH, member, on_home
from connector.cli.session import Session
from connector.cli.wording import say_members
from ledger.document import to_base64url


@click.group()
def members() -> None:
    """Show the membership list, and take newer ones."""


@members.command("list")
@on_home
def list_(session: Session) -> None:
    """List the members of the data space, by the list in force."""
    session.print(session.ask("members"), _say_list)


@members.command()
@click.option("--peer", metavar="DID", callback=member, help="Fetch newer lists from this member.")
@click.option("--file", type=PATH, help="Take them from the registrar's answer, or from one list's file.")
@on_home
def update(session: Session, peer: str | None, file: Path | None) -> None:
    """Take newer membership lists, from a peer or from a file.

    A running connector does this by itself when a peer names a newer list.

    \b
    Examples:
      bylag members update --peer did:web:alfa.example
      bylag members update --file answer-4.json
    """
    if (peer is None) == (file is None):
        raise click.UsageError("say where from: --peer DID or --file FILE")
    if peer is not None:
        result = session.ask("update-list", peer=peer)
    else:
        assert file is not None  # noqa: S101  # one of the two is given
        result = session.ask("update-list", file=to_base64url(read_file(file)))
    session.print(result, _say_update)


def _say_list(result: Any) -> None:
    show.write(
        f"{result['space']}, list {result['number']} of {show.time(result['issued'])}, "
        f"good until {show.time(result['expires'])}"
    )
    say_members(result["members"])


def _say_update(result: Any) -> None:
    if result["before"] == result["number"]:
        show.write(f"List {result['number']} was held already; good until {show.time(result['expires'])}.")
    else:
        show.write(
            f"List {result['number']} is in force now, in place of {result['before']}; "
            f"good until {show.time(result['expires'])}."
        )
