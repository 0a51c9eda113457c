"""The root of the command: what every command shares, and the groups below it."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from connector import __version__
from connector.control.perform import run_loop
from connector.store.home import Home


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bylag")
def bylag() -> None:
    """Share data between cities, companies and citizens, under policies that both sides sign."""


@bylag.command()
@click.option("--home", type=click.Path(path_type=Path), envvar="BYLAG_HOME", required=True)
@click.option("--listen", help="host:port to listen on; default: what connector.toml says.")
@click.option("--verbose", is_flag=True, help="Log more.")
def serve(home: Path, listen: str | None, verbose: bool) -> None:
    """Run the connector until it is told to stop."""
    from connector.cli import serving  # noqa: PLC0415  # loads grpc

    serving.log_to_standard_error(logging.DEBUG if verbose else logging.INFO)
    run_loop(serving.serve(Home(home), listen, None))
