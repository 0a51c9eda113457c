"""The registrar's folder at work: what every command of ``bylag registrar`` shares.

Rules that hold here: a command that changes the list signs and publishes it where this folder's keys
are enough; where others must sign too, it writes a draft for them, and signs nothing without a place
for that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from connector.cli import show
from connector.cli.files import require_free, write_file
from connector.cli.options import DEFAULT_REGISTRAR, PATH, Command, absolute, json_option
from connector.cli.session import unlocked
from connector.identity.change import Change
from connector.identity.membership import LIST_LIFETIME, read_list
from connector.identity.registrar import Registrar
from connector.identity.signed import MultiSigned
from ledger.ambient import SystemAmbient
from ledger.canonical import JSON, JSONObject
from ledger.document import thumbprint
from ledger.errors import BylagError, ErrorKind

DAY: Final = 24 * 3600 * 1000


class NoRegistrar(BylagError):
    """There is no registrar in this folder."""

    code = "NO_REGISTRAR"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "Run `bylag registrar create SPACE`, or name the right folder with --folder."


class OthersMustSign(BylagError):
    """One folder's keys are not enough for a list."""

    code = "OTHERS_MUST_SIGN"
    kind = ErrorKind.CONFLICT
    default_next_step = (
        "Name a file for the draft with --draft; the others sign it with `bylag registrar sign`."
    )


class Office:
    """A registrar's folder, and how to print."""

    def __init__(self, folder: Path, as_json: bool, passphrase_file: Path | None) -> None:
        self.folder = folder
        self.json = as_json
        self.passphrase_file = passphrase_file

    def open(self) -> Registrar:
        """The registrar that works in the folder. Raises :class:`NoRegistrar`."""
        if not (self.folder / "keys").is_dir():
            raise NoRegistrar(f"there is no registrar in {self.folder.name}")
        registrar: Registrar = unlocked(
            lambda passphrase: Registrar.open(self.folder, SystemAmbient(), passphrase), self.passphrase_file
        )
        return registrar

    def print(self, result: JSON, plain: Callable[[Any], None]) -> None:
        """Print a result: as JSON, or as ``plain`` words it."""
        if self.json:
            show.write_json(result)
        else:
            plain(result)


def in_office(command: Command) -> Command:
    """Give a command ``--folder``, ``--passphrase-file`` and ``--json``, and an :class:`Office`."""

    @click.option(
        "--folder",
        type=PATH,
        envvar="BYLAG_REGISTRAR",
        help=f"The registrar's folder (BYLAG_REGISTRAR); default {DEFAULT_REGISTRAR}.",
    )
    @click.option("--passphrase-file", type=PATH, help="A file with the passphrase of the keys.")
    @json_option
    @functools.wraps(command)
    def with_office(
        *args: Any, folder: Path | None, passphrase_file: Path | None, as_json: bool, **kwargs: Any
    ) -> Any:
        outer = click.get_current_context().find_root().params.get("passphrase_file")
        office = Office(folder or absolute(DEFAULT_REGISTRAR), as_json, passphrase_file or outer)
        return command(office, *args, **kwargs)

    return with_office  # type: ignore[return-value]


def changes_list(command: Command) -> Command:
    """Give a command what every change of the list can be told."""
    for option in (
        click.option(
            "--replaces",
            metavar="HASH",
            help="A draft of the same number that was signed here and is destroyed everywhere.",
        ),
        click.option("--draft", type=PATH, help="Where others must sign too: write the draft here."),
        click.option(
            "--days",
            type=click.IntRange(1, 400),
            default=LIST_LIFETIME // DAY,
            show_default=True,
            help="How long the new list is good.",
        ),
    ):
        command = option(command)
    return command


def publish(
    office: Office, wanted: Change, *, days: int, draft: Path | None, replaces: str | None
) -> JSONObject:
    """Sign the next list, and publish it or write it as a draft for others; what came of it."""
    registrar = office.open()
    unsigned = registrar.draft(wanted, lifetime=days * DAY)
    enough = _is_enough(registrar, unsigned)
    if not enough:
        if draft is None:
            raise OthersMustSign("this folder's keys are not enough for the list")
        require_free(draft)
    signed = registrar.sign(unsigned, instead_of=replaces)
    if enough:
        return published(registrar.finish(signed).number, registrar)
    return written(signed, draft)


def published(number: int, registrar: Registrar) -> JSONObject:
    """A list that was published, as a command prints it."""
    return {
        "published": True,
        "space": registrar.current.space,
        "number": number,
        "hash": registrar.trust.digest,
        "expires": registrar.current.expires,
    }


def say_published(result: JSONObject) -> None:
    """Tell what became of a list."""
    if result["published"]:
        until = show.time(result["expires"])
        show.write(f"List {result['number']} of {result['space']} is published, good until {until}.")
        show.note(
            "Hand it on: `bylag registrar answer --out FILE`; members take it with `bylag members update`."
        )
        return
    signatures = "a signature" if result["signatures"] == 1 else f"{result['signatures']} signatures"
    show.write(f"Draft of list {result['number']} with {signatures}: {result['draft']}")
    show.write(f"hash {result['hash']}")
    show.note("Others sign it with `bylag registrar sign FILE`; then anybody: `bylag registrar finish FILE`.")


def _is_enough(registrar: Registrar, draft: MultiSigned) -> bool:
    mine = {thumbprint(key) for key in registrar.public_keys}
    asked = [read_list(draft.payload).registrar]
    if draft_number(draft) > 1:
        asked.append(registrar.current.registrar)
    return all(len(mine & keys.by_thumbprint.keys()) >= keys.threshold for keys in asked)


def draft_number(draft: MultiSigned) -> int:
    """The number of the list that a draft is of."""
    return read_list(draft.payload).number


def written(signed: MultiSigned, path: Path | None) -> JSONObject:
    """A draft that was written for others, as a command prints it."""
    if path is not None:
        write_file(path, signed.to_bytes())
    return {
        "published": False,
        "number": draft_number(signed),
        "hash": signed.digest,
        "signatures": len(signed.signatures),
        "draft": str(path) if path else None,
    }


def say_keys(result: JSONObject) -> None:
    """Print public keys, a line each, to be copied."""
    keys = result["keys"]
    for key in keys if isinstance(keys, list) else []:
        show.write(str(key))
