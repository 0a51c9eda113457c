"""``bylag serve``."""

from __future__ import annotations

import logging

import click

from connector.cli.options import on_home
from connector.cli.session import Session, quiet_libraries
from connector.store.home import HomeInUse, is_in_use


@click.command()
@click.option("--listen", metavar="HOST:PORT", help="Where to listen; default: what connector.toml says.")
@click.option("--verbose", is_flag=True, help="Log more.")
@on_home
def serve(session: Session, listen: str | None, verbose: bool) -> None:
    """Run the connector until it is told to stop (SIGTERM, or Ctrl-C).

    It prints one line of JSON when it is ready, with the port it listens on, and logs lines of JSON
    to standard error. Without an address to listen on it keeps lines to peers open: what they send
    comes back on those. Port 0 takes any free port.

    \b
    Examples:
      bylag serve --home alfa
      bylag serve --listen 0.0.0.0:8443 2> alfa.log
    """
    session.home.require()
    if is_in_use(session.home):
        raise HomeInUse("another process works on this home")
    quiet_libraries()
    from connector.cli import serving  # noqa: PLC0415  # loads grpc
    from connector.control.perform import run_loop  # noqa: PLC0415

    serving.log_to_standard_error(logging.DEBUG if verbose else logging.INFO)
    session.unlocked(lambda passphrase: run_loop(serving.serve(session.home, listen, passphrase)))
