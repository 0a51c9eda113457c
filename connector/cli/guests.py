"""``bylag guest``: citizens and sole traders whom this participant vouches for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from connector.cli import show
from connector.cli.files import read_file, require_free, write_file
from connector.cli.options import PATH, absolute, on_home, without_none
from connector.cli.session import Session
from connector.identity.files import PRIVATE
from ledger.document import from_base64url, to_base64url

MAX_REQUEST = 256 << 10


@click.group()
def guest() -> None:
    """Vouch for citizens and sole traders.

    They are on no list and other members cannot tell them: this participant alone knows who they
    are, and its connector alone meets them.
    """


@guest.command()
@click.argument("request", type=PATH)
@click.option(
    "--assurance",
    type=click.Choice(("low", "substantial", "high")),
    required=True,
    help="How surely you know who it is (eIDAS).",
)
@click.option("--unit", help="The unit that vouches.")
@click.option("--out", type=PATH, help="The answer to write; default: guest-answer.json in this folder.")
@on_home
def vouch(session: Session, request: Path, assurance: str, unit: str | None, out: Path | None) -> None:
    """Vouch for whoever wrote REQUEST with `bylag join`, once you made sure who that is.

    The answer is for that person alone, who takes it with `bylag admitted`.

    \b
    Example:
      bylag guest vouch request.json --assurance high --out answer-for-guest.json
    """
    path = out or absolute("guest-answer.json")
    require_free(path)
    data = to_base64url(read_file(request, limit=MAX_REQUEST))
    result = session.ask("vouch", request=data, assurance=assurance, **without_none(unit=unit))
    _print_answer(session, result, path)


@guest.command()
@click.argument("handle")
@click.option("--out", type=PATH, help="The answer to write; default: guest-answer.json in this folder.")
@on_home
def renew(session: Session, handle: str, out: Path | None) -> None:
    """Vouch for a guest for longer, and write them an answer with a new certificate."""
    path = out or absolute("guest-answer.json")
    require_free(path)
    _print_answer(session, session.ask("renew-guest", handle=handle), path)


@guest.command("list")
@on_home
def list_(session: Session) -> None:
    """List everybody this participant vouches for, by handle."""
    session.print(session.ask("guests"), _say_list)


@guest.command()
@click.argument("handle")
@on_home
def end(session: Session, handle: str) -> None:
    """Vouch no longer for a guest; withdrawals and notices still get through."""
    result = session.ask("end-guest", handle=handle)
    session.print(result, lambda _: show.write(f"{show.clean(handle)} is vouched for no longer."))


def _print_answer(session: Session, result: Any, path: Path) -> None:
    write_file(path, from_base64url(result["answer"]), mode=PRIVATE)
    told = {"handle": result["handle"], "expires": result["expires"], "answer": str(path)}
    session.print(told, _say_answer)


def _say_answer(result: Any) -> None:
    show.write(f"{result['handle']}, vouched for until {show.time(result['expires'])}")
    show.write(f"Answer: {show.clean(result['answer'])}")
    show.note("Hand it to that person alone, who takes it with `bylag admitted FILE`.")


def _say_list(guests: Any) -> None:
    show.table(
        ("handle", "status", "expires"),
        [(each["handle"], each["status"], show.time(each["expires"])) for each in guests],
        empty="Nobody is vouched for.",
    )
