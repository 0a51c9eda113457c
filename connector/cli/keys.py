"""``bylag keys``: this participant's own keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from connector.cli import show
from connector.cli.files import require_free, write_file
from connector.cli.options import PATH, absolute, on_home
from connector.cli.session import Session
from ledger.document import from_base64url


@click.group()
def keys() -> None:
    """List and rotate your keys.

    Certificates need no command: the connector makes a new one from the pinned key before the old
    one expires.
    """


@keys.command("list")
@on_home
def list_(session: Session) -> None:
    """List your keys: what each is for, its thumbprint, and its time by the membership list."""
    session.print(session.ask("keys"), _say_list)


@keys.command()
@click.argument("use", type=click.Choice(("sign", "tls", "witness", "bundle")))
@click.option("--out", type=PATH, help="The file to write; default: rotation-USE.json in this folder.")
@on_home
def rotate(session: Session, use: str, out: Path | None) -> None:
    """Make the next key for USE, and the request that the registrar lists it.

    The old key vouches for the new one. The new one counts when a list contains it: the registrar
    grants the request with `bylag registrar admit`, and you take the list with `bylag members
    update`. Both are good for a week then.

    \b
    Example:
      bylag keys rotate sign --out rotation.json
    """
    path = out or absolute(f"rotation-{use}.json")
    require_free(path)
    result = session.ask("rotate-key", use=use)
    write_file(path, from_base64url(result["request"]))
    told = {"use": use, "key": result["key"], "replaces": result["replaces"], "request": str(path)}
    session.print(told, _say_rotation)


def _say_list(keys: Any) -> None:
    show.table(
        ("use", "thumbprint", "which", "from", "until", "by the list"),
        [
            (
                each["use"],
                each["thumbprint"],
                each["which"],
                show.time(each["not_before"]),
                show.time(each["not_after"]),
                each["state"],
            )
            for each in keys
        ],
        empty="There is no key.",
    )


def _say_rotation(result: Any) -> None:
    show.pairs([("use", result["use"]), ("next key", result["key"]), ("request", result["request"])])
    show.note("Send it to the registrar; the old key stays in use until a list names the new one.")
