"""``bylag init``, ``join``, ``admitted`` and ``details``: becoming a participant, by files.

Rules that hold here: nothing is sent anywhere. A request goes to the registrar (a guest's: to the
controller) as a file, the answer comes back as one, and the key's thumbprint is compared by
telephone or in person.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from connector.cli import show
from connector.cli.files import read_file, require_free, write_file
from connector.cli.options import PATH, absolute, on_home
from connector.cli.session import Session, new_passphrase
from connector.control.joining import (
    Newcomer,
    change_details,
    described,
    make_home,
    request_to_join,
    take_answer,
)
from connector.identity import syntax
from connector.identity.organisation import Kind
from connector.identity.peer import GuestKind
from connector.store.config import GUEST, ORGANISATION, Config, UnitEntry, read_config
from ledger.canonical import JSONObject

_KINDS = [kind.value for kind in (*Kind, *GuestKind)]


class UnitOption(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.5
    """A unit as ``id=Name``; without a name, the id stands for it."""

    name = "id=name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> UnitEntry:
        """The unit."""
        number, equals, name = str(value).partition("=")
        for complaint in (syntax.unit_complaint(number), syntax.name_complaint(name or number)):
            if complaint is not None or (equals and not name):
                self.fail(complaint or "a unit's name is missing", param, ctx)
        return UnitEntry(number, name or number)


@click.command()
@click.argument("did", required=False)
@click.option("--space", required=True, help="The data space's name.")
@click.option("--name", help="The name that people read; default: the did's domain.")
@click.option("--kind", type=click.Choice(_KINDS), help="Default: other; with --guest: citizen.")
@click.option(
    "--unit", "units", type=UnitOption(), multiple=True, help="A committee or division; repeatable."
)
@click.option("--listen", default="", help="host:port to listen on; without it, no inbound port.")
@click.option("--endpoint", default="", help="host:port where peers reach you; default: what --listen says.")
@click.option("--guest", is_flag=True, help="A citizen or sole trader, for whom a controller vouches.")
@click.option("--controller", default="", metavar="DID", help="The member who vouches for a guest.")
@click.option("--ask-passphrase", is_flag=True, help="Ask for a passphrase to seal the keys with.")
@on_home
def init(
    session: Session,
    did: str | None,
    space: str,
    name: str | None,
    kind: str | None,
    units: tuple[UnitEntry, ...],
    listen: str,
    endpoint: str,
    guest: bool,
    controller: str,
    ask_passphrase: bool,
) -> None:
    """Make a participant in a home folder: its keys, its settings, its database.

    DID is the participant's name, such as did:web:aarhus.example. A guest has none: the controller
    gives a handle. Keys are sealed where a passphrase is given (BYLAG_PASSPHRASE,
    --passphrase-file or --ask-passphrase).

    \b
    Examples:
      bylag init did:web:aarhus.example --space energy.example --name "Aarhus" \\
          --kind municipality --unit energy="Energy committee" --listen 0.0.0.0:8443 \\
          --endpoint data.aarhus.example:8443
      bylag init --guest --controller did:web:aarhus.example --space energy.example
    """
    if guest:
        config = _guest_config(did, space, name, kind or GuestKind.CITIZEN.value, controller)
    else:
        config = _member_config(
            did, space, name, kind or Kind.OTHER.value, units, listen, endpoint, controller
        )
    home = make_home(session.home.folder, config, new_passphrase(session.passphrase_file, ask=ask_passphrase))
    result: JSONObject = {
        "home": str(home.folder),
        "participant": config.participant or None,
        "space": config.space,
        "form": config.form,
        "kind": config.kind,
    }
    session.print(result, lambda _: _say_made(config, home.folder))


@click.command()
@click.option("--out", type=PATH, help="The file to write; default: request.json in this folder.")
@on_home
def join(session: Session, out: Path | None) -> None:
    """Write the request to join, for the registrar; a guest's goes to the controller.

    It shows possession of your keys and holds nothing secret. Tell the registrar the key's
    thumbprint that is printed, by telephone or in person.

    \b
    Example:
      bylag join --out alfa-request.json
    """
    path = out or absolute("request.json")
    session.home.require()
    require_free(path)
    newcomer: Newcomer = session.unlocked(lambda passphrase: Newcomer.open(session.home, passphrase))
    result = {**described(newcomer), "request": _put(path, request_to_join(newcomer))}
    session.print(result, _say_request)


@click.command()
@click.argument("answer", type=PATH)
@click.option("--fingerprint", help="The registrar's, as you learnt it elsewhere: another is refused.")
@on_home
def admitted(session: Session, answer: Path, fingerprint: str | None) -> None:
    """Take the answer to your request to join: the membership list, which then names you.

    Without --fingerprint the registrar's is printed: compare it by telephone or on paper.

    \b
    Examples:
      bylag admitted answer.json
      bylag admitted answer.json --fingerprint 5d92b0a6…
    """
    session.home.require()
    data = read_file(answer)

    def take(node: Any) -> JSONObject:
        trust = take_answer(node, data, fingerprint.lower() if fingerprint else None)
        return {
            "participant": node.me,
            "space": trust.first.space,
            "number": trust.number,
            "expires": trust.current.expires,
            "fingerprint": trust.first.fingerprint,
            "compared": fingerprint is not None,
        }

    session.print(session.on_node(take), _say_admitted)


@click.command()
@click.option("--name", help="The new name.")
@click.option("--unit", "units", type=UnitOption(), multiple=True, help="All units from now on; repeatable.")
@click.option("--endpoint", help="The new host:port where peers reach you; '' for none.")
@click.option("--listen", help="The new host:port to listen on; '' for none.")
@click.option("--out", type=PATH, help="The file to write; default: details.json in this folder.")
@on_home
def details(
    session: Session,
    name: str | None,
    units: tuple[UnitEntry, ...],
    endpoint: str | None,
    listen: str | None,
    out: Path | None,
) -> None:
    """Change your name, units, endpoint or port.

    It changes connector.toml, and writes the request that the registrar grants with `bylag registrar
    admit`; the connector must not be running. Peers see the change when they take the next list.

    \b
    Examples:
      bylag details --endpoint new.alfa.example:8443 --listen 0.0.0.0:8443
      bylag details --unit energy="Energy committee" --unit schools="School board"
    """
    path = out or absolute("details.json")
    session.home.require()
    require_free(path)
    config = read_config(session.home.config)
    changed = replace(
        config,
        name=_checked_name(name) if name is not None else config.name,
        listen=_checked_address("listen", listen) if listen is not None else config.listen,
        endpoint=_checked_endpoint(endpoint) if endpoint is not None else config.endpoint,
        units=units or config.units,
    )
    result = session.on_node(
        lambda node: {
            "participant": changed.participant,
            "name": changed.name,
            "units": [unit.id for unit in changed.units],
            "listen": changed.listen,
            "endpoint": changed.endpoint,
            "request": _put(path, change_details(node, changed)),
        }
    )
    session.print(result, _say_details)


def _member_config(
    did: str | None,
    space: str,
    name: str | None,
    kind: str,
    units: tuple[UnitEntry, ...],
    listen: str,
    endpoint: str,
    controller: str,
) -> Config:
    if did is None:
        raise click.UsageError("DID is missing, such as did:web:aarhus.example (or use --guest)")
    if controller:
        raise click.UsageError("--controller is for guests")
    if kind not in [each.value for each in Kind]:
        raise click.UsageError(f"--kind {kind} is for guests")
    participant = syntax.participant_id(did)
    if len({unit.id for unit in units}) < len(units):
        raise click.UsageError("two units have one id")
    return Config(
        space=syntax.data_space_id(space),
        form=ORGANISATION,
        participant=participant,
        name=_checked_name(name if name is not None else did.removeprefix("did:web:")),
        kind=kind,
        listen=_checked_address("listen", listen),
        endpoint=_checked_endpoint(endpoint or _reachable(listen)),
        controller="",
        units=units or (UnitEntry("main", "Main"),),
    )


def _guest_config(did: str | None, space: str, name: str | None, kind: str, controller: str) -> Config:
    if did is not None:
        raise click.UsageError("a guest has no did: the controller gives a handle")
    if not controller:
        raise click.UsageError("--controller is missing: the member who vouches for the guest")
    if kind not in [each.value for each in GuestKind]:
        raise click.UsageError(f"--kind {kind} is for organisations")
    return Config(
        space=syntax.data_space_id(space),
        form=GUEST,
        participant="",
        name=_checked_name(name or "me"),
        kind=kind,
        listen="",
        endpoint="",
        controller=syntax.participant_id(controller),
    )


def _checked_name(name: str) -> str:
    complaint = syntax.name_complaint(name)
    if complaint is not None:
        raise syntax.MalformedName(complaint, field="name")
    return name


def _checked_endpoint(endpoint: str) -> str:
    return _checked_address("endpoint", endpoint)


def _checked_address(field: str, address: str) -> str:
    complaint = syntax.endpoint_complaint(address) if address else None
    if complaint is not None:
        raise syntax.MalformedName(complaint, field=field)
    return address


def _reachable(listen: str) -> str:
    """What a port to listen on says of where peers reach it: nothing, for a wildcard address."""
    return "" if listen.startswith(("0.0.0.0:", "[::]:")) else listen  # compared, not bound


def _put(path: Path, data: bytes) -> str:
    write_file(path, data)
    return str(path)


def _say_made(config: Config, folder: Path) -> None:
    who = "A guest" if config.is_guest else config.participant
    show.write(f"{who} lives in {show.clean(folder)}.")
    whom = "your controller" if config.is_guest else "the registrar"
    show.note(f"Next: `bylag join` writes the request for {whom}.")


def _say_request(result: JSONObject) -> None:
    show.write(f"Request: {result['request']}")
    show.write(f"Key:     {result['key']}")
    show.note("Send the file, and tell the key by telephone or in person. Then: `bylag admitted ANSWER`.")


def _say_admitted(result: JSONObject) -> None:
    show.write(
        f"{result['participant']} belongs to {result['space']}: list {result['number']}, "
        f"good until {show.time(result['expires'])}."
    )
    if not result["compared"]:
        show.write(f"Registrar's fingerprint, to compare: {result['fingerprint']}")
    show.note("Next: `bylag serve`, or look around with `bylag members list`.")


def _say_details(result: JSONObject) -> None:
    show.write(f"Request: {result['request']}")
    show.note("Send it to the registrar, who grants it with `bylag registrar admit`.")
