"""The generated parts of ``docs/cli.md``: ``python -m connector.cli.page docs/cli.md`` writes them anew.

They come from the commands themselves, and a test compares the two: the page cannot say what is no
longer so. What stands around them is written by hand.
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import click

from connector.cli.failing import MEANINGS
from connector.cli.root import SECTIONS, bylag

_WIDTH: Final = 110
_SHARED: Final = ("home", "passphrase_file", "as_json")
"""Described once, at the top of the page."""


def written(page: str) -> str:
    """``page`` with every generated part as the commands have it now."""
    for name, content in (("commands", commands()), ("statuses", statuses())):
        pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        if len(pattern.findall(page)) != 1:
            raise ValueError(f"the page does not have the part {name} once")
        page = pattern.sub(partial(_between, content), page)
    return page


def _between(content: str, found: re.Match[str]) -> str:
    return f"{found[1]}\n{content}\n{found[2]}"


def statuses() -> str:
    """The exit statuses as a table."""
    lines = [f"| {status} | {meaning} |" for status, meaning in MEANINGS.items()]
    return "\n".join(["| status | meaning |", "|---|---|", *lines, ""])


def commands() -> str:
    """Every command, section by section."""
    lines: list[str] = []
    context = click.Context(bylag, info_name="bylag")
    for section in SECTIONS:
        lines += [f"## {section.title}", ""]
        for entry in section.entries:
            command = bylag.get_command(context, entry.name)
            if command is not None:
                lines += _command(command, click.Context(command, info_name=entry.name, parent=context), 3)
    return "\n".join(lines)


def walk(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """A command and every command below it."""
    yield command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from walk(below, click.Context(below, info_name=name, parent=context))


def _command(command: click.Command, context: click.Context, level: int) -> list[str]:
    lines = [f"{'#' * level} `{context.command_path}`", ""]
    if not isinstance(command, click.Group):
        lines += ["```", _usage(command, context), "```", ""]
    lines += [*_prose(command.help or ""), ""]
    rows = [row for each in command.params if (row := _row(each)) is not None]
    if rows:
        lines += ["| option | what it says |", "|---|---|", *rows, ""]
    shared = [_name(each) for each in command.params if each.name in _SHARED]
    if shared:
        lines += [f"Also {', '.join(f'`{name}`' for name in shared)}.", ""]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                below_context = click.Context(below, info_name=name, parent=context)
                lines += _command(below, below_context, level + 1)
    return lines


def _usage(command: click.Command, context: click.Context) -> str:
    return " ".join([context.command_path, *command.collect_usage_pieces(context)])


def _prose(text: str) -> list[str]:
    """The help as Markdown: paragraphs flow, examples are code."""
    lines: list[str] = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if not paragraph.startswith("\b"):
            lines += [*textwrap.wrap(" ".join(paragraph.split()), _WIDTH, break_on_hyphens=False), ""]
            continue
        title, *examples = paragraph.split("\n")[1:]
        lines += [title, "", "```console", *(line.removeprefix("  ") for line in examples), "```", ""]
    return lines[:-1]


def _row(parameter: click.Parameter) -> str | None:
    if not isinstance(parameter, click.Option) or parameter.name in _SHARED or parameter.hidden:
        return None
    words = parameter.help or ""
    if parameter.show_default and parameter.default is not None:
        words = f"{words.rstrip('.')}; default {parameter.default}."
    if parameter.required:
        words = f"{words.rstrip('.')}; required."
    return f"| `{_name(parameter)}` | {words} |"


def _name(parameter: click.Parameter) -> str:
    names = ", ".join(parameter.opts)
    if not isinstance(parameter, click.Option) or parameter.is_flag:
        return names
    return f"{names} {_value(parameter)}".replace("|", "\\|")


def _value(option: click.Option) -> str:
    if isinstance(option.type, click.IntRange):
        return "NUMBER"
    return option.make_metavar(click.Context(bylag, info_name="bylag"))


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(written(path.read_text()))
