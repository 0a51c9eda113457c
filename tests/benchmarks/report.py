"""What a run found: rows with goal, ratio, spread, and whether the goal was met."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import grpc
from rich.console import Console, JustifyMethod
from rich.table import Table

from tests.benchmarks.measure import Goal, Spread

FORMATS: dict[str, Callable[[float], str]] = {
    "rate": lambda value: f"{value:,.0f}/s",
    "MB/s": lambda value: f"{value:,.0f} MB/s",
    "ms": lambda value: f"{value * 1000:,.2f} ms",
    "µs": lambda value: f"{value * 1e6:,.1f} µs",
    "s": lambda value: f"{value:.2f} s",
    "MB": lambda value: f"{value:.0f} MB",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``ours`` is the connector's own figure, ``theirs`` the baseline's."""

    group: str
    what: str
    unit: str
    ours: Spread
    against: str = ""
    theirs: Spread | None = None
    ratio: Spread | None = None
    goal: Goal | None = None
    """For the ratio where there is one; for the figure itself where ``of_figure`` is set."""
    of_figure: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the goal was met by the median; None where there is no goal."""
        if self.goal is None:
            return None
        judged = self.ours if self.of_figure or self.ratio is None else self.ratio
        return self.goal.met(judged.median)


def about_the_machine() -> dict[str, str]:
    """What the figures were measured on."""
    return {
        "processor": f"{os.cpu_count()} × {_processor()}",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "grpc": grpc.__version__,
        "sqlite": sqlite3.sqlite_version,
        "load": f"{os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else "not known",
    }


def print_table(rows: Sequence[Row], about: dict[str, str], note: str) -> None:
    """The table for people."""
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(", ".join(f"{name}: {value}" for name, value in about.items()))
    console.print(note)
    table = Table(expand=False)
    columns: dict[str, JustifyMethod] = {
        "what": "left", "measured": "right", "against": "left", "baseline": "right",
        "ratio": "right", "spread": "right", "goal": "right", "met": "left",
    }  # fmt: skip
    for title, justify in columns.items():
        table.add_column(title, justify=justify)
    group = ""
    for row in rows:
        if group and row.group != group:
            table.add_section()
        group = row.group
        table.add_row(*_cells(row))
    console.print(table)


def as_json(rows: Sequence[Row], about: dict[str, str], rounds: int) -> str:
    """The same for programs."""
    lines = [{**asdict(row), "met": row.met} for row in rows]
    return json.dumps({"machine": about, "rounds": rounds, "rows": lines}, indent=2)


def _cells(row: Row) -> list[str]:
    show = FORMATS[row.unit]
    spread = row.ratio or row.ours
    shown = _ratio if row.ratio else show
    return [
        row.what,
        show(row.ours.median),
        row.against,
        show(row.theirs.median) if row.theirs else "",
        _ratio(row.ratio.median) if row.ratio else "",
        f"{shown(spread.low)} – {shown(spread.high)}",
        _goal(row),
        {None: "", True: "yes", False: "NO"}[row.met],
    ]


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def _goal(row: Row) -> str:
    if row.goal is None:
        return ""
    bound = FORMATS[row.unit](row.goal.bound) if row.of_figure or row.ratio is None else f"{row.goal.bound:g}"
    return f"{'≤' if row.goal.at_most else '≥'} {bound}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()
