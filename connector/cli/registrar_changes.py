"""``bylag registrar``: changes of the membership list that need no request file."""

from __future__ import annotations

from typing import Any, Final

import click

from connector.cli.office import Office, changes_list, in_office, publish, say_published
from connector.cli.options import MOMENT, TakesKeys
from connector.identity import change, syntax
from connector.identity.organisation import Attributes, Kind
from ledger.names import Milliseconds, Thumbprint


@click.command()
@changes_list
@in_office
def renew(office: Office, **signing: Any) -> None:
    """Publish the same list again, for another thirty days.

    \b
    Examples:
      bylag registrar renew
      bylag registrar renew --days 90
    """
    office.print(publish(office, change.renew(), **signing), say_published)


@click.command()
@click.argument("did")
@changes_list
@in_office
def remove(office: Office, did: str, **signing: Any) -> None:
    """Bar an organisation for good. Its entry stays, so that its past signatures can be read."""
    office.print(publish(office, change.remove(syntax.participant_id(did)), **signing), say_published)


@click.command()
@click.argument("did")
@changes_list
@in_office
def suspend(office: Office, did: str, **signing: Any) -> None:
    """Bar an organisation for a time; withdrawals, notices and confirmations still get through."""
    office.print(publish(office, change.suspend(syntax.participant_id(did)), **signing), say_published)


@click.command()
@click.argument("did")
@changes_list
@in_office
def reinstate(office: Office, did: str, **signing: Any) -> None:
    """Let a suspended organisation back in."""
    office.print(publish(office, change.reinstate(syntax.participant_id(did)), **signing), say_published)


@click.command()
@click.argument("did")
@click.argument("successor", required=False)
@changes_list
@in_office
def successor(office: Office, did: str, successor: str | None, **signing: Any) -> None:
    """Name who has taken over an organisation's duties; without SUCCESSOR, nobody any more."""
    heir = syntax.participant_id(successor) if successor is not None else None
    wanted = change.succeeded_by(syntax.participant_id(did), heir)
    office.print(publish(office, wanted, **signing), say_published)


@click.command()
@click.argument("did")
@click.option(
    "--kind", type=click.Choice([kind.value for kind in Kind]), required=True, help="What sort it is."
)
@click.option("--country", help="ISO 3166-1 alpha-2.")
@click.option("--industry", help="Such as D35.14.")
@changes_list
@in_office
def attest(
    office: Office, did: str, kind: str, country: str | None, industry: str | None, **signing: Any
) -> None:
    """Change what the registrar attests of an organisation."""
    wanted = change.attest(
        syntax.participant_id(did), kind=Kind(kind), attributes=Attributes(country, industry)
    )
    office.print(publish(office, wanted, **signing), say_published)


@click.command(cls=TakesKeys)
@click.argument("did")
@click.argument("key", metavar="THUMBPRINT")
@click.option("--since", type=MOMENT, required=True, help="When it came into other hands.")
@changes_list
@in_office
def compromised(office: Office, did: str, key: str, since: Milliseconds, **signing: Any) -> None:
    """Mark a member's key as in other hands since a time; that is never taken back.

    \b
    Example:
      bylag registrar compromised did:web:beta.example TPgdoUjX… --since 2026-01-31T12:00:00Z
    """
    wanted = change.compromised(syntax.participant_id(did), Thumbprint(key), since)
    office.print(publish(office, wanted, **signing), say_published)


@click.command(cls=TakesKeys)
@click.argument("did")
@click.argument("key", metavar="THUMBPRINT")
@click.option("--until", type=MOMENT, required=True, help="The key's new end.")
@changes_list
@in_office
def extend(office: Office, did: str, key: str, until: Milliseconds, **signing: Any) -> None:
    """Move the end of a member's key, before it has come."""
    wanted = change.extend(syntax.participant_id(did), Thumbprint(key), until)
    office.print(publish(office, wanted, **signing), say_published)


CHANGES: Final = (renew, remove, suspend, reinstate, successor, attest, compromised, extend)
"""The commands, for the group."""
