"""The command: ``python -m tests.benchmarks [--quick] [--only PART] [--rounds N] [--json]``."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.benchmarks import appends, bulk, decisions, machine, opening, query, serving
from tests.benchmarks.parties import Parties
from tests.benchmarks.report import Row, about_the_machine, as_json, print_table
from tests.benchmarks.settings import Settings

Part = Callable[[Settings, Parties], list[Row]]
PARTS: dict[str, Part] = {
    "machine": lambda settings, _parties: machine.measure(settings),
    "decisions": decisions.measure,
    "query": query.measure,
    "bulk": bulk.measure,
    "appends": lambda settings, _parties: appends.measure(settings),
    "opening": opening.measure,
    "serving": serving.measure,
}


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for and print the table. Returns the exit status."""
    asked = _read(arguments)
    about = about_the_machine()
    with tempfile.TemporaryDirectory(prefix="bylag-bench-", dir=asked.folder) as folder:
        settings = Settings.quick(Path(folder)) if asked.quick else Settings(Path(folder))
        settings = replace(settings, dice=random.Random(asked.seed))  # noqa: S311 - an order, no secret
        if asked.rounds:
            settings = replace(settings, rounds=asked.rounds)
        rows = _measure(settings, asked.only or list(PARTS))
    if asked.json:
        print(as_json(rows, about, settings.rounds))
    else:
        print_table(rows, about, _note(settings, asked.quick, asked.seed))
    return 0


def _measure(settings: Settings, parts: list[str]) -> list[Row]:
    parties = Parties(settings.folder, settings.dice)
    try:
        return [row for part in parts for row in PARTS[part](settings, parties)]
    finally:
        parties.rest()


def _note(settings: Settings, quick: bool, seed: int) -> str:
    note = (
        f"median of {settings.rounds} rounds in random order (seed {seed}); spread: the middle half of them;"
        " a ratio is ours to the baseline's, taken within a round"
    )
    return f"A QUICK RUN: these figures mean nothing. {note}" if quick else note


def _read(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="show that everything works; measure nothing")
    parser.add_argument("--only", action="append", choices=list(PARTS), help="this part alone; repeatable")
    parser.add_argument("--rounds", type=int, help="rounds for each comparison, 11 if not given")
    parser.add_argument("--seed", type=int, default=1, help="of the dice that order the rounds")
    parser.add_argument("--json", action="store_true", help="print JSON, not a table")
    parser.add_argument("--folder", type=Path, help="where to work; on the disk that is to be measured")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
