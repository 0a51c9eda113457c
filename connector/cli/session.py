"""One command at work on one home: asks for the operation, prints what came of it.

Rules that hold here:

* A command runs the same whether the home's connector runs or not (``connector.control.perform``).
* The passphrase comes from ``--passphrase-file``, ``BYLAG_PASSPHRASE`` or, on a terminal, a prompt;
  it is asked for only when the keys turn out to be sealed.
* Nothing heavier than the command line itself is loaded before an operation is asked for.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from connector.cli import show
from connector.cli.progress import Progress
from connector.store.home import Home
from ledger.canonical import JSON
from ledger.errors import BylagError, ErrorKind

MAX_PASSPHRASE: Final = 4096


class NoPassphrase(BylagError):
    """A passphrase was wanted that cannot be read."""

    code = "NO_PASSPHRASE"
    default_next_step = "Put the passphrase into one line of a file that only you can read."


class PassphraseExposed(BylagError):
    """Others can read the file with the passphrase."""

    code = "PASSPHRASE_EXPOSED"
    kind = ErrorKind.DENIED
    default_next_step = "Run chmod 600 on it, and consider another passphrase."


@dataclass(frozen=True, slots=True)
class Session:
    """A home, how to print, and where the passphrase is."""

    home: Home
    json: bool
    passphrase_file: Path | None = None

    def ask(self, operation: str, /, **arguments: Any) -> Any:
        """Run an operation, by the connector that runs on the home or here, and return its result.

        Raises :class:`~ledger.errors.BylagError`.
        """
        from connector.control.perform import perform  # noqa: PLC0415  # loads asyncio

        quiet_libraries()
        return self.unlocked(lambda passphrase: self._ask(perform, operation, arguments, passphrase))

    def _ask(
        self, perform: Callable[..., JSON], operation: str, arguments: dict[str, Any], passphrase: str | None
    ) -> JSON:
        with Progress() as progress:
            return perform(self.home, operation, arguments, progress, passphrase=passphrase)

    def on_node(self, work: Callable[[Any], Any]) -> Any:
        """Do ``work`` with the home's node, which must not be running, and close it again."""
        from connector.control.perform import run_loop  # noqa: PLC0415  # loads asyncio
        from connector.node import Node  # noqa: PLC0415  # loads grpc

        quiet_libraries()

        async def here(passphrase: str | None) -> Any:
            node = Node(self.home, passphrase=passphrase)
            try:
                return work(node)
            finally:
                await node.close()

        return self.unlocked(lambda passphrase: run_loop(here(passphrase)))

    def unlocked(self, work: Callable[[str | None], Any]) -> Any:
        """Do ``work`` with the passphrase, asking for one if it turns out to be needed."""
        return unlocked(work, self.passphrase_file)

    def print(self, result: JSON, plain: Callable[[Any], None]) -> None:
        """Print a result: as JSON, or as ``plain`` words it."""
        if self.json:
            show.write_json(result)
        else:
            plain(result)


def unlocked(work: Callable[[str | None], Any], passphrase_file: Path | None) -> Any:
    """Do ``work`` with the passphrase; a sealed key without one is asked for on a terminal."""
    given = passphrase(passphrase_file)
    try:
        return work(given)
    except BylagError as error:
        if error.code != "WRONG_PASSPHRASE" or given is not None or not sys.stdin.isatty():
            raise
    return work(click.prompt("Passphrase", hide_input=True, err=True))


def passphrase(path: Path | None) -> str | None:
    """The passphrase that is at hand, without asking. Raises :class:`NoPassphrase`."""
    if path is None:
        return os.environ.get("BYLAG_PASSPHRASE") or None
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise PassphraseExposed("others can read the passphrase file", field="passphrase_file")
            text = file.read(MAX_PASSPHRASE + 1).decode().rstrip("\r\n")
    except OSError as error:
        raise NoPassphrase(f"the file cannot be read: {error.strerror}", field="passphrase_file") from error
    except UnicodeDecodeError as error:
        raise NoPassphrase("the file is not UTF-8", field="passphrase_file") from error
    if not text or len(text) > MAX_PASSPHRASE or "\n" in text:
        raise NoPassphrase("the file does not hold one line", field="passphrase_file")
    return text


def new_passphrase(path: Path | None, *, ask: bool) -> str | None:
    """The passphrase for keys that are being made: at hand, asked for twice, or none."""
    given = passphrase(path)
    if given is None and ask:
        asked = click.prompt("New passphrase", hide_input=True, confirmation_prompt=True, err=True)
        return str(asked)
    return given


def quiet_libraries() -> None:
    """Keep libraries' own words off the terminal: what matters comes back as an error."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    logging.getLogger().addHandler(logging.NullHandler())
