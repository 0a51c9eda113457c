"""A group of commands that loads a command when it is called, not before.

``bylag --help`` and completion need names and one-line helps only; what the commands import (gRPC,
SQLAlchemy, cryptography) takes a second.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

SETTINGS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: its name, where it is, and the line that ``--help`` shows for it."""

    name: str
    module: str
    attribute: str
    help: str


@dataclass(frozen=True, slots=True)
class Section:
    """Commands that belong together in the help."""

    title: str
    entries: tuple[Entry, ...]


class LazyGroup(click.Group):
    """A group over a table of entries."""

    def __init__(self, *args: Any, sections: Iterable[Section], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = tuple(sections)
        self._entries = {entry.name: entry for section in self.sections for entry in section.entries}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, in the order of the table."""
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load a command."""
        entry = self._entries.get(cmd_name)
        if entry is None:
            return None
        found: click.Command = getattr(importlib.import_module(entry.module), entry.attribute)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The table, section by section."""
        width = max(len(name) for name in self._entries)
        for section in self.sections:
            with formatter.section(section.title):
                formatter.write_dl([(entry.name.ljust(width), entry.help) for entry in section.entries])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names that begin so, without loading what they stand for."""
        names = [
            CompletionItem(entry.name, help=entry.help)
            for entry in self._entries.values()
            if entry.name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]
