"""``bylag query``: a few rows of a table, without fetching it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from connector.cli import show
from connector.cli.declaring import declaration, declare
from connector.cli.files import read_file
from connector.cli.options import PATH, on_home, without_none
from connector.cli.selecting import CONDITION, ORDER, names
from connector.cli.session import Session
from ledger.canonical import JSON, JSONObject, decode_object

MOST_QUESTION_BYTES = 16 << 10


@click.command()
@click.argument("agreement")
@click.option("--purpose", help="The agreement's purpose or a narrower one; default: the agreement's.")
@click.option("--version", metavar="NAME", help="This version of the dataset; default: the newest.")
@click.option("--columns", help="Only these columns, separated by commas.")
@click.option("--where", type=CONDITION, multiple=True, help="Only rows like 'column op value'; repeatable.")
@click.option(
    "--order", type=ORDER, multiple=True, help="Sort by a column, or -column downwards; repeatable."
)
@click.option("--limit", type=click.IntRange(0), help="At most so many rows.")
@declare
@click.option("--questions", type=PATH, help="Many at once: a file with a selection in JSON on each line.")
@on_home
def query(
    session: Session,
    agreement: str,
    columns: str | None,
    where: tuple[JSONObject, ...],
    order: tuple[JSONObject, ...],
    limit: int | None,
    questions: Path | None,
    declared: tuple[tuple[str, str | int], ...],
    **said: Any,
) -> None:
    """Ask the table of AGREEMENT for a few rows, and print them.

    Each question counts as a use of its own, is recorded at both sides before its rows are handed out,
    and its answer is signed for like a delivery. Nothing is kept: what you need again, `fetch`.

    \b
    Examples:
      bylag query 9c41… --where 'garage = NORREPORT' --columns date,vehicles --limit 10
      bylag query 9c41… --questions questions.jsonl --json
    """
    selection = without_none(
        columns=names(columns), where=list(where) or None, order=list(order) or None, limit=limit
    )
    if questions is not None and selection:
        raise click.UsageError("--questions names the selections; it takes no other choice")
    selections: list[JSON] = list(_read(questions)) if questions is not None else [selection]
    said["declared"] = declaration(declared)
    result = session.ask("query", **without_none(agreement=agreement, selections=selections, **said))
    session.print(result, _say_answers)


def _read(questions: Path) -> list[JSONObject]:
    lines = read_file(questions).splitlines()
    return [decode_object(line, max_bytes=MOST_QUESTION_BYTES) for line in lines if line.strip()]


def _say_answers(result: Any) -> None:
    for answer in result["answers"]:
        # data must not drive a terminal; through a pipe it goes as it is
        text = show.clean(answer, lines=True) if sys.stdout.isatty() else answer
        sys.stdout.write(text if text.endswith("\n") or not text else f"{text}\n")
