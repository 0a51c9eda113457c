"""``bylag registrar``: the registrar's own keys."""

from __future__ import annotations

from typing import Any, Final

import click

from connector.cli import show
from connector.cli.office import (
    Office,
    OthersMustSign,
    changes_list,
    in_office,
    publish,
    published,
    say_keys,
    say_published,
)
from connector.cli.options import TakesKeys
from connector.identity import change
from connector.identity.public import read_ed25519, to_text
from ledger.document import thumbprint


@click.command("rotate-keys")
@in_office
def rotate_keys(office: Office) -> None:
    """Change this folder's keys for fresh ones, in one list, and destroy the old.

    Where others must sign too, use `new-key` and `set-keys`, and then `retire-keys`.

    \b
    Example:
      bylag registrar rotate-keys
    """
    opened = office.open()
    mine = {thumbprint(key) for key in opened.public_keys}
    keys = opened.current.registrar
    if len(mine & keys.by_thumbprint.keys()) < keys.threshold:
        raise OthersMustSign(
            "this folder's keys are not enough for the list",
            next_step="Make a key with `new-key`, and put it in the list with `set-keys --draft FILE`.",
        )
    entry = opened.rotate_keys()
    office.print(published(entry.number, opened), say_published)


@click.command("new-key")
@in_office
def new_key(office: Office) -> None:
    """Make another key in this folder; it counts when a list names it (`set-keys`)."""
    office.print({"keys": [to_text(office.open().new_key())]}, say_keys)


@click.command("set-keys", cls=TakesKeys)
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@click.option(
    "--threshold", type=click.IntRange(1, 15), required=True, help="How many must sign from now on."
)
@changes_list
@in_office
def set_keys(office: Office, keys: tuple[str, ...], threshold: int, **signing: Any) -> None:
    """Make KEY... the registrar's keys; enough of the old and of the new must sign the list."""
    wanted = change.registrar_keys(threshold, [read_ed25519(key) for key in keys])
    office.print(publish(office, wanted, **signing), say_published)


@click.command("retire-keys")
@in_office
def retire_keys(office: Office) -> None:
    """Destroy this folder's keys that the list in force does not name any more."""
    destroyed = office.open().retire_keys()
    office.print({"destroyed": destroyed}, lambda _: show.write(f"{destroyed} keys destroyed."))


KEYS: Final = (rotate_keys, new_key, set_keys, retire_keys)
"""The commands, for the group."""
