"""The options that many commands share, and arguments that are read the same way everywhere.

Rules that hold here:

* ``--home`` and ``--passphrase-file`` stand behind the command or in front of it (``bylag --home X
  status``); ``BYLAG_HOME`` and ``BYLAG_PASSPHRASE`` stand in for both.
* ``--json`` stands behind every command that prints a result.
* A path is made absolute before it is handed on: the connector that runs has another folder.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from connector.cli.session import Session
from connector.store.home import Home
from ledger.names import Milliseconds

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_HOME: Final = "~/.bylag"
DEFAULT_REGISTRAR: Final = "~/.bylag-registrar"


class AbsolutePath(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.5
    """A file or folder, made absolute; whether it exists is for whoever opens it."""

    name = "path"

    def convert(self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None) -> Path:
        """The path, ``~`` expanded."""
        return absolute(value)

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """Files, by the shell."""
        return [click.shell_completion.CompletionItem(incomplete, type="file")]


class Moment(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.5
    """A time: RFC 3339, a date (its beginning, UTC), or milliseconds since 1970."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Milliseconds:
        """Milliseconds since 1970 UTC."""
        text = str(value)
        if re.fullmatch(r"[0-9]{10,15}", text, re.ASCII):
            return Milliseconds(int(text))
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail("not a time such as 2026-01-31T12:00:00Z, nor a date", param, ctx)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return Milliseconds(int(moment.timestamp() * 1000))


class NameAndValue(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.5
    """``NAME=VALUE``; the first equals sign divides them."""

    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Name and value."""
        name, equals, said = str(value).partition("=")
        if not equals or not name or not said:
            self.fail("say NAME=VALUE", param, ctx)
        return name, said


def member(_context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A member's did, as an argument's or option's callback.

    Raises :class:`~connector.identity.syntax.MalformedName`.
    """
    from connector.identity import syntax  # noqa: PLC0415  # its tables of characters take a moment

    complaint = syntax.did_complaint(value) if value is not None else None
    if complaint is not None:
        raise syntax.MalformedName(complaint, field=parameter.name)
    return value


class TakesKeys(click.Command):
    """A command with public keys or thumbprints as arguments: one in 64 of them begins with a dash."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the keys that look like options last, behind ``--``."""
        dashed = [given for given in args if _DASHED_KEY.fullmatch(given)]
        if dashed and "--" not in args:
            args = [*(given for given in args if given not in dashed), "--", *dashed]
        return super().parse_args(ctx, args)


_DASHED_KEY: Final = re.compile(r"-[A-Za-z0-9_-]{42}", re.ASCII)
"""32 bytes in base64url (RFC 7515, section 2) that begin with a dash."""

PATH: Final = AbsolutePath()
MOMENT: Final = Moment()
NAME_AND_VALUE: Final = NameAndValue()


def absolute(value: str | Path) -> Path:
    """A path as it stands from the root, without following links."""
    return Path(value).expanduser().absolute()


def home_folder(given: Path | None) -> Path:
    """The home folder: given here, given in front of the command, or the default."""
    context = click.get_current_context(silent=True)
    outer = context.find_root().params.get("home") if context is not None else None
    return given or outer or absolute(DEFAULT_HOME)


def on_home(command: Command) -> Command:
    """Give a command ``--home``, ``--passphrase-file`` and ``--json``, and a :class:`Session`."""

    @click.option("--home", type=PATH, help=f"The participant's folder (BYLAG_HOME); default {DEFAULT_HOME}.")
    @click.option("--passphrase-file", type=PATH, help="A file with the passphrase of the keys.")
    @json_option
    @functools.wraps(command)
    def with_session(
        *args: Any, home: Path | None, passphrase_file: Path | None, as_json: bool, **kwargs: Any
    ) -> Any:
        context = click.get_current_context()
        outer = context.find_root().params.get("passphrase_file")
        session = Session(Home(home_folder(home)), as_json, passphrase_file or outer)
        return command(session, *args, **kwargs)

    return with_session  # type: ignore[return-value]


def json_option(command: Command) -> Command:
    """Give a command ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def by_hand(command: Command) -> Command:
    """Give a command the options that say who acts, under which mandate, and in which words."""
    for option in (
        click.option("--mandate", help="The mandate under which they act, such as a delegation's number."),
        click.option("--actor", help="Who acts; stands in the erasable side table only."),
        click.option("--words", help="A sentence that both sides see."),
    ):
        command = option(command)
    return command


def without_none(**arguments: Any) -> dict[str, Any]:
    """The arguments that were given."""
    return {name: value for name, value in arguments.items() if value is not None}
