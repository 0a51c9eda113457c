"""``bylag registrar``: found a data space, and say who belongs to it.

Rules that hold here: the registrar only signs files; nothing is sent anywhere. Requests come in as
files, and answers go out as files.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import click

from connector.cli import show
from connector.cli.files import read_file, require_free, write_file
from connector.cli.office import (
    Office,
    changes_list,
    in_office,
    publish,
    published,
    say_keys,
    say_published,
    written,
)
from connector.cli.options import PATH, TakesKeys, absolute, json_option
from connector.cli.registrar_changes import CHANGES
from connector.cli.registrar_keys import KEYS
from connector.cli.requests import granted, inspected, worded
from connector.cli.session import new_passphrase
from connector.cli.wording import say_expiring, say_members
from connector.identity import syntax
from connector.identity.change import Change
from connector.identity.membership import read_list, read_signed_list
from connector.identity.organisation import Attributes
from connector.identity.public import read_ed25519, to_text
from connector.identity.registrar import Registrar
from ledger.ambient import SystemAmbient
from ledger.canonical import JSON, JSONObject


@click.group()
def registrar() -> None:
    """Run a data space: create it, admit and remove members, sign its membership lists.

    The registrar's folder holds keys and lists: --folder, BYLAG_REGISTRAR, or ~/.bylag-registrar.
    Nothing is sent: requests come as files, and answers go out as files.

    \b
    Examples:
      bylag registrar create energy.example
      bylag registrar admit alfa-request.json --answer answer.json
      bylag registrar remove did:web:beta.example
    """


@registrar.command()
@click.argument("space")
@click.option(
    "--keys", type=click.IntRange(1, 15), default=1, show_default=True, help="How many keys to make."
)
@click.option(
    "--threshold",
    type=click.IntRange(1, 15),
    default=1,
    show_default=True,
    help="How many of them must sign.",
)
@click.option("--ask-passphrase", is_flag=True, help="Ask for a passphrase to seal the keys with.")
@in_office
def create(office: Office, space: str, keys: int, threshold: int, ask_passphrase: bool) -> None:
    """Found the data space SPACE: make keys and publish list 1, with nobody on it.

    SPACE is a name such as energy.example. Where several people hold a key each, they use
    `prepare` and `found` instead.

    \b
    Examples:
      bylag registrar create energy.example
      bylag registrar create energy.example --ask-passphrase
    """
    name = syntax.data_space_id(space)
    if threshold > keys:
        raise click.UsageError("--threshold asks for more signatures than there are --keys")
    made = Registrar.create(
        office.folder,
        name,
        SystemAmbient(),
        keys=keys,
        threshold=threshold,
        passphrase=new_passphrase(office.passphrase_file, ask=ask_passphrase),
    )
    office.print(_described(made, office), _say_created)


@registrar.command()
@click.option(
    "--keys", type=click.IntRange(1, 15), default=1, show_default=True, help="How many keys to make."
)
@click.option("--ask-passphrase", is_flag=True, help="Ask for a passphrase to seal the keys with.")
@in_office
def prepare(office: Office, keys: int, ask_passphrase: bool) -> None:
    """Make keys only: for each of several people who will sign together.

    It prints the public keys, to be given to whoever runs `found`.

    \b
    Example:
      bylag registrar prepare --folder ann
    """
    made = Registrar.prepare(
        office.folder,
        SystemAmbient(),
        keys=keys,
        passphrase=new_passphrase(office.passphrase_file, ask=ask_passphrase),
    )
    office.print({"keys": [to_text(key) for key in made.public_keys]}, say_keys)


@registrar.command(cls=TakesKeys)
@click.argument("space")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@click.option("--threshold", type=click.IntRange(1, 15), required=True, help="How many must sign.")
@click.option("--draft", type=PATH, required=True, help="Write list 1 here, for the others to sign.")
@in_office
def found(office: Office, space: str, keys: tuple[str, ...], threshold: int, draft: Path) -> None:
    """Draft list 1 of SPACE for several people's public keys, and sign it with this folder's.

    The others sign the file with `sign`; then each takes it in with `finish`.

    \b
    Example:
      bylag registrar found energy.example yu7WEZyU… ZDoHtcAn… --threshold 2 --draft list-1.json
    """
    require_free(draft)
    made = office.open()
    unsigned = made.found(syntax.data_space_id(space), threshold, [read_ed25519(key) for key in keys])
    office.print(written(made.sign(unsigned), draft), say_published)


@registrar.command()
@click.argument("requests", type=PATH, nargs=-1, required=True, metavar="REQUEST...")
@click.option("--again", is_flag=True, help="Let a listed organisation begin anew with all new keys.")
@click.option("--country", help="Attest this country, ISO 3166-1 alpha-2.")
@click.option("--industry", help="Attest this industry, such as D35.14.")
@click.option("--answer", type=PATH, help="Write the answer for the members here.")
@changes_list
@in_office
def admit(
    office: Office,
    requests: tuple[Path, ...],
    again: bool,
    country: str | None,
    industry: str | None,
    answer: Path | None,
    **signing: Any,
) -> None:
    """Grant what request files ask for: to join, to change a key, to change name or endpoints.

    Make sure first who is asking: compare the key that `bylag join` printed with the one that
    `inspect` shows, by telephone or in person. Nothing else vouches for a newcomer.

    \b
    Examples:
      bylag registrar admit alfa-request.json beta-request.json --answer answer.json
      bylag registrar admit alfa-rotation.json
    """
    attributes = Attributes(country, industry) if country or industry else None
    if answer is not None:
        require_free(answer)
    wanted = [granted(read_file(path), attributes, again) for path in requests]
    result = publish(office, _all(wanted), **signing)
    if answer is not None and result["published"]:
        write_file(answer, office.open().answer.to_bytes())
        result["answer"] = str(answer)
    office.print(result, say_published)


@registrar.command()
@click.argument("request", type=PATH)
@json_option
def inspect(request: Path, as_json: bool) -> None:
    """Show what a request file asks for, and the key to compare, without granting anything."""
    result = inspected(read_file(request))
    if as_json:
        show.write_json(result)
    else:
        show.pairs((name, worded(name, value)) for name, value in result.items())


@registrar.command()
@click.option("--out", type=PATH, help="The file to write; default answer-N.json in this folder.")
@in_office
def answer(office: Office, out: Path | None) -> None:
    """Write the answer: the registrar's first keys and every list, for whoever joins or catches up."""
    opened = office.open()
    given = opened.answer
    path = out or absolute(f"answer-{opened.current.number}.json")
    write_file(path, given.to_bytes())
    result: JSONObject = {
        "answer": str(path),
        "number": opened.current.number,
        "fingerprint": given.first.fingerprint,
    }
    office.print(result, _say_answer)


@registrar.command("first-keys")
@click.option("--out", type=PATH, required=True, help="The file to write.")
@in_office
def first_keys(office: Office, out: Path) -> None:
    """Write the registrar's first keys: all that an auditor needs to check lists and members."""
    first = office.open().trust.first
    write_file(out, first.to_bytes())
    result: JSONObject = {"out": str(out), "space": first.space, "fingerprint": first.fingerprint}
    office.print(result, _say_first_keys)


@registrar.command()
@click.argument("draft", type=PATH)
@click.option("--out", type=PATH, required=True, help="Write the draft with your signatures here.")
@click.option("--replaces", metavar="HASH", help="A draft of the same number, destroyed everywhere.")
@in_office
def sign(office: Office, draft: Path, out: Path, replaces: str | None) -> None:
    """Add this folder's signatures to a draft that somebody else made.

    Look first at what it says: `bylag registrar list --draft FILE`.

    \b
    Example:
      bylag registrar sign list-1.json --out list-1-signed.json
    """
    require_free(out)
    opened = office.open()
    signed = opened.sign(read_signed_list(read_file(draft)), instead_of=replaces)
    office.print(written(signed, out), say_published)


@registrar.command()
@click.argument("draft", type=PATH)
@in_office
def finish(office: Office, draft: Path) -> None:
    """Take in a draft that has enough signatures: it is published then."""
    opened = office.open()
    entry = opened.finish(read_signed_list(read_file(draft)))
    office.print(published(entry.number, opened), say_published)


@registrar.command("list")
@click.option("--draft", type=PATH, help="Show what this draft says instead of the list in force.")
@in_office
def list_(office: Office, draft: Path | None) -> None:
    """List the organisations on the membership list, or on a draft of the next one."""
    if draft is not None:
        entry = read_list(read_signed_list(read_file(draft)).payload)
    else:
        entry = office.open().current
    content = entry.content()
    office.print(
        {
            "space": entry.space,
            "number": entry.number,
            "expires": entry.expires,
            "members": content["organisations"],
        },
        _say_list,
    )


@registrar.command("show")
@in_office
def show_(office: Office) -> None:
    """Show the data space, the registrar's keys and fingerprint, and what is about to expire."""
    office.print(_described(office.open(), office), _say_registrar)


for each in (*CHANGES, *KEYS):
    registrar.add_command(each)


def _all(wanted: list[Change]) -> Change:
    return functools.reduce(lambda first, then: lambda base, now: then(first(base, now), now), wanted)


def _described(opened: Registrar, office: Office) -> JSONObject:
    entry, first = opened.current, opened.trust.first
    pending = opened.pending
    expiring = opened.trust.expiring(SystemAmbient().now())
    return {
        "folder": str(office.folder),
        "space": entry.space,
        "number": entry.number,
        "hash": opened.trust.digest,
        "issued": entry.issued,
        "expires": entry.expires,
        "members": len(entry.organisations),
        "threshold": entry.registrar.threshold,
        "keys": [to_text(key) for key in entry.registrar.keys],
        "own_keys": [to_text(key) for key in opened.public_keys],
        "fingerprint": first.fingerprint,
        "pending": pending.digest if pending is not None else None,
        "expiring": [
            {"what": each.what, "whom": each.whom, "ends": each.ends, "days": each.days} for each in expiring
        ],
    }


def _say_created(result: JSONObject) -> None:
    show.write(f"{result['space']} is founded. Its registrar's fingerprint, to be compared by all who join:")
    show.write(f"  {result['fingerprint']}")
    show.note("Next: `bylag registrar admit REQUEST --answer FILE` for each who asks to join.")


def _say_registrar(result: JSONObject) -> None:
    show.pairs(
        [
            ("data space", result["space"]),
            ("list", f"number {result['number']}, {result['members']} organisations"),
            ("issued", show.time(result["issued"])),
            ("expires", show.time(result["expires"])),
            ("hash", result["hash"]),
            ("fingerprint", result["fingerprint"]),
            ("signatures", f"{result['threshold']} of {_count(result['keys'])} keys must sign"),
            ("keys here", _count(result["own_keys"])),
            ("draft signed", result["pending"]),
        ]
    )
    say_expiring(result["expiring"])


def _say_list(result: JSONObject) -> None:
    show.write(f"{result['space']}, list {result['number']}, good until {show.time(result['expires'])}")
    say_members(result["members"])


def _say_answer(result: JSONObject) -> None:
    show.write(f"Answer with lists 1 to {result['number']}: {result['answer']}")
    show.note(f"Fingerprint to compare: {result['fingerprint']}")


def _say_first_keys(result: JSONObject) -> None:
    show.write(f"First keys of {result['space']}: {result['out']}")
    show.note(f"Fingerprint to compare: {result['fingerprint']}")


def _count(value: JSON) -> int:
    return len(value) if isinstance(value, list) else 0
