"""Rows: how long a start takes, and what an idle connector weighs with its policy engine loaded.

``bylag serve`` on a home with a published table, beside a bare gRPC server. A start ends when the
process says that it serves. Memory is read after a negotiation and a transfer, so that whatever is
loaded for them is loaded: resident, and the part of it that is this process's own share.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

from tests.benchmarks.measure import Goal, Sample
from tests.benchmarks.parties import Parties
from tests.benchmarks.process import Process
from tests.benchmarks.report import Row
from tests.benchmarks.settings import Settings
from tests.benchmarks.space import TABLE

START_GOAL, MEMORY_GOAL = Goal(1.5, at_most=True), Goal(130.0, at_most=True)
QUIET_SECONDS = 1.0


def measure(settings: Settings, parties: Parties) -> list[Row]:
    """The rows of this part of the table."""
    parties.publish_table(settings.keys)
    parties.rest()
    starts = settings.contest().run(
        "start",
        {
            "ours": lambda: _start(parties.serve),
            "bare": lambda: _start(parties.bare),
            "again": lambda: _start(parties.bare),
        },
    )
    weights = settings.contest().run(
        "memory", {"ours": lambda: _weigh_ours(parties), "bare": lambda: _weigh_bare(parties)}
    )
    rows = [
        Row(
            "serving",
            "start to serving",
            "s",
            starts.spread("ours", "seconds"),
            "bare gRPC server",
            starts.spread("bare", "seconds"),
            starts.ratio("ours", "bare", "seconds"),
            START_GOAL,
            of_figure=True,
        ),
        Row(
            "serving",
            "A/A: start of a bare gRPC server",
            "s",
            starts.spread("again", "seconds"),
            "the same",
            starts.spread("bare", "seconds"),
            starts.ratio("again", "bare", "seconds"),
        ),
    ]
    rows += [
        Row(
            "serving",
            f"idle memory with the engine loaded, {title}",
            "MB",
            weights.spread("ours", figure),
            "bare gRPC server",
            weights.spread("bare", figure),
            weights.ratio("ours", "bare", figure),
            MEMORY_GOAL,
            of_figure=True,
        )
        for figure, title in (("rss", "resident"), ("pss", "own share"))
    ]
    return rows


def _start(begin: Callable[[], Process]) -> Sample:
    begun = time.perf_counter()
    process = begin()
    process.hear()
    seconds = time.perf_counter() - begun
    process.end()
    return {"seconds": seconds}


def _weigh_ours(parties: Parties) -> Sample:
    negotiated = parties.asker.ask("negotiate", dataset=TABLE)
    parties.asker.ask("fetch", agreement=negotiated["agreement"])
    time.sleep(QUIET_SECONDS)
    weight = _weight(parties.provider)
    parties.rest()
    return weight


def _weigh_bare(parties: Parties) -> Sample:
    process = parties.bare()
    process.hear()
    weight = _weight(process)
    process.end()
    return weight


def _weight(process: Process) -> Sample:
    full = psutil.Process(process.pid).memory_full_info()
    return {"rss": full.rss / 1e6, "pss": getattr(full, "pss", full.uss) / 1e6}
