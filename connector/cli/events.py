"""``bylag events``: what is under way, as you attest it, for policies that depend on it."""

from __future__ import annotations

from typing import Any

import click

from connector.cli import show
from connector.cli.options import on_home
from connector.cli.session import Session


@click.group()
def events() -> None:
    """Attest that an event has begun or ended.

    A policy may hold during an event only, such as a flood. It is under way from the moment that you
    record its beginning until you record its end; you answer for both.
    """


@events.command("list")
@on_home
def list_(session: Session) -> None:
    """List the events that are under way."""
    session.print(session.ask("events"), _say)


@events.command()
@click.argument("event")
@on_home
def begin(session: Session, event: str) -> None:
    """Record that EVENT, an IRI, has begun.

    \b
    Example:
      bylag events begin https://city.example/events/flood
    """
    session.print(session.ask("event-begin", event=event), _say)


@events.command()
@click.argument("event")
@on_home
def end(session: Session, event: str) -> None:
    """Record that EVENT has ended.

    \b
    Example:
      bylag events end https://city.example/events/flood
    """
    session.print(session.ask("event-end", event=event), _say)


def _say(result: Any) -> None:
    show.table(
        ("event", "since"),
        [(each["event"], show.time(each["began"])) for each in result],
        empty="No event is under way.",
    )
