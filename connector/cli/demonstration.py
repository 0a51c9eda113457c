"""``bylag demo``."""

from __future__ import annotations

from pathlib import Path

import click

from connector.cli.options import PATH


@click.command()
@click.option("--once", is_flag=True, help="Run it through and end; without it the data space stays up.")
@click.option("--data", type=PATH, metavar="FILE", help="A table to publish in place of the demo's own.")
@click.option("--folder", type=PATH, help="Where to put the homes; default: a temporary folder.")
def demo(once: bool, data: Path | None, folder: Path | None) -> None:
    """Start a small data space on this machine and tell what happens.

    Two municipalities, a company and a citizen, each a process of its own over mutual TLS, publish,
    find, sign, transfer and are denied; then an auditor verifies their ledgers.

    \b
    Examples:
      bylag demo
      bylag demo --once --data parking.csv
    """
    from connector.demo.main import main  # noqa: PLC0415  # loads rich and the whole connector

    click.get_current_context().exit(main(once=once, data=data, folder=folder))
