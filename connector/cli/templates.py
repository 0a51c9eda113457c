"""``bylag policy templates`` and ``template``: policies for usual cases, to publish with or to edit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from connector.cli import show
from connector.cli.files import require_free, write_file
from connector.cli.options import NAME_AND_VALUE, PATH, json_option
from ledger.ambient import SystemAmbient, fresh_id
from ledger.canonical import JSONObject

Command = TypeVar("Command", bound=Callable[..., Any])


def settings(command: Command) -> Command:
    """Give a command ``--set``, for a template's parameters."""
    return click.option(
        "--set",
        "values",
        type=NAME_AND_VALUE,
        multiple=True,
        metavar="NAME=VALUE",
        help="A parameter of the template; repeatable (see `policy templates`).",
    )(command)


@click.command()
@json_option
def templates(as_json: bool) -> None:
    """List the templates: when to use each, and its parameters with their defaults.

    \b
    Example:
      bylag policy templates
    """
    from connector.policy.templates import TEMPLATES  # noqa: PLC0415  # the policy room takes a moment

    listed = [each.to_json() for each in TEMPLATES.values()]
    if as_json:
        show.write_json(list(listed))
        return
    for each in listed:
        _say(each)
    show.note("Publish with one: bylag publish FILE --template NAME --set NAME=VALUE")


@click.command()
@click.argument("name")
@settings
@click.option("--out", type=PATH, help="A file to write the policy to, to be edited and published.")
@json_option
def template(name: str, values: tuple[tuple[str, str], ...], out: Path | None, as_json: bool) -> None:
    """Print the policy of the template NAME as ODRL in JSON-LD, with the values that are set.

    What is printed can be edited and published with --policy. What goes with a template into the offer
    (purpose, length, price, legal basis) is part of `publish --template` only; --json shows it.

    \b
    Examples:
      bylag policy template aggregated-only --set k=20
      bylag policy template delete-after --set purpose=AcademicResearch --set days=90 --out policy.json
    """
    from connector.policy.templates import template as named  # noqa: PLC0415

    made = named(name).fill(dict(values))
    filled = replace(made, policy={"uid": f"urn:uuid:{fresh_id(SystemAmbient())}", **made.policy})
    if out is not None:
        require_free(out)
        write_file(out, show.json_text(filled.policy).encode() + b"\n")
    if as_json:
        show.write_json(filled.to_json())
    elif out is None:
        show.write_json(filled.policy)
    else:
        show.pairs([("written", str(out))])


def _say(each: Any) -> None:
    show.write(f"{click.style(each['name'], bold=True)}: {each['title']}")
    show.write(click.wrap_text(each["when"], width=96, initial_indent="  ", subsequent_indent="  "))
    for parameter in each["parameters"]:
        show.write(f"    {parameter['name']} ({_kind(parameter)}): {parameter['about']}")
    show.write()


def _kind(parameter: JSONObject) -> str:
    default = parameter["default"]
    if default is None:
        return f"{parameter['type']}, may be left out"
    word = {True: "yes", False: "no"}[default] if isinstance(default, bool) else show.short(default)
    return f"{parameter['type']}, default {word}"
