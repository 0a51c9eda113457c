"""The root of the command: the table of commands, and what a newcomer sees first."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from connector import __version__
from connector.cli.lazy import SETTINGS, Entry, LazyGroup, Section
from connector.cli.options import PATH, home_folder
from connector.store.home import Home


def _entry(name: str, module: str, help_: str, attribute: str | None = None) -> Entry:
    return Entry(name, f"connector.cli.{module}", attribute or name.replace("-", "_"), help_)


SECTIONS: Final = (
    Section(
        "Begin",
        (
            _entry(
                "demo", "demonstration", "Start a small data space on this machine and tell what happens."
            ),
            _entry("init", "enrolment", "Make a participant in a home folder.", "init"),
            _entry("join", "enrolment", "Write the request to join, for the registrar or the controller."),
            _entry("admitted", "enrolment", "Take the answer to the request to join."),
            _entry("serve", "serve", "Run the connector until it is told to stop."),
            _entry("status", "health", "Show who this is, what runs, and what is about to expire."),
            _entry("doctor", "health", "Check clock, disk, port, keys, list and log, and say what to do."),
        ),
    ),
    Section(
        "Share",
        (
            _entry("publish", "datasets", "Publish a file as a dataset, or as a new version of one."),
            _entry("append", "datasets", "Add rows to an append-only table."),
            _entry("retract", "datasets", "Take an offer out of your catalogue."),
            _entry("catalog", "datasets", "List your own datasets, or a peer's."),
            _entry("dataset", "datasets", "Show one dataset: columns, versions, offers."),
            _entry("negotiate", "negotiations", "Ask a provider for an agreement on a dataset."),
            _entry("offer", "negotiations", "Offer a dataset to somebody who did not ask."),
            _entry("negotiation", "negotiations", "List, show, approve, counter and terminate negotiations."),
            _entry("agreement", "agreements", "List, show and terminate agreements."),
            _entry(
                "settle", "settlements", "Settle what was delivered under an agreement, and what it costs."
            ),
            _entry("fetch", "deliveries", "Fetch a dataset under an agreement into the inbox."),
            _entry("query", "questions", "Ask a table a few questions, without fetching it."),
            _entry("subscribe", "deliveries", "Follow a table's new rows into the inbox."),
            _entry("unsubscribe", "deliveries", "End a subscription that is open."),
            _entry("deliveries", "deliveries", "List what was received."),
            _entry("use", "deliveries", "Use what was received, for a purpose."),
            _entry("discard", "deliveries", "Discard what was received, for good."),
            _entry("duties", "duties", "See what is owed under agreements; report and answer it."),
            _entry("events", "events", "Attest that an event has begun or ended, for policies."),
            _entry("policy", "policy", "Say what a policy means and why; templates; the rules that decide."),
            _entry("purposes", "purposes", "List the purposes that a policy or a request can name."),
        ),
    ),
    Section(
        "Prove",
        (
            _entry("ledger", "ledger", "Show, verify and export the ledger."),
            _entry("audit", "audit", "Evaluate recorded decisions again."),
        ),
    ),
    Section(
        "Belong",
        (
            _entry("details", "enrolment", "Change your name, units, endpoint or port."),
            _entry("members", "members", "Show the membership list, and take newer ones."),
            _entry("guest", "guests", "Vouch for citizens and sole traders."),
            _entry("keys", "keys", "List and rotate your keys."),
            _entry("registrar", "registrar", "Run a data space: create it, admit and remove members."),
        ),
    ),
    Section(
        "Shell",
        (_entry("completion", "completion", "Print what makes your shell complete bylag's commands."),),
    ),
)

FIRST_STEPS: Final = """\
No participant lives in {home} yet.

  bylag demo                      see a small data space at work on this machine
  bylag init DID --space SPACE    make a participant of your own
  bylag registrar create SPACE    found a data space
  bylag --help                    all commands
"""


@click.group(cls=LazyGroup, sections=SECTIONS, invoke_without_command=True, context_settings=SETTINGS)
@click.version_option(__version__, prog_name="bylag")
@click.option(
    "--home", type=PATH, envvar="BYLAG_HOME", help="The participant's folder (BYLAG_HOME); default ~/.bylag."
)
@click.option("--passphrase-file", type=PATH, help="A file with the passphrase of the keys.")
@click.pass_context
def bylag(context: click.Context, home: Path | None, passphrase_file: Path | None) -> None:
    """Share data between cities, companies and citizens, under policies that both sides sign.

    A participant lives in a home folder: --home, BYLAG_HOME, or ~/.bylag. Commands work on it
    whether or not its connector runs.
    """
    del home, passphrase_file  # commands read them from the context
    if context.invoked_subcommand is not None:
        return
    folder = home_folder(None)
    if Home(folder).config.is_file():
        click.echo(context.get_help())
    else:
        click.echo(FIRST_STEPS.format(home=folder), nl=False)
