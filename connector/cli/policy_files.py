"""Policies in files, as options and arguments take them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click

from connector.cli.files import read_file
from connector.cli.options import PATH
from ledger.canonical import JSONObject, decode_object

MAX_POLICY: Final = 256 << 10

parents_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--parent",
    "parents",
    type=PATH,
    multiple=True,
    help="A policy that the one in FILE inherits from (inheritFrom); repeatable.",
)


def read_policy_file(file: Path, parents: Sequence[Path] = ()) -> JSONObject:
    """The ODRL policy in a file, in JSON-LD or (``.ttl``) in Turtle, with its parents written into it."""
    content = read_file(file, limit=MAX_POLICY)
    if not parents and file.suffix.lower() != ".ttl":
        return decode_object(content, max_bytes=MAX_POLICY)
    from connector.policy.given import File, with_parents  # noqa: PLC0415  # the policy room takes a moment

    beside = [File(parent.name, read_file(parent, limit=MAX_POLICY)) for parent in parents]
    return with_parents(File(file.name, content), beside)
