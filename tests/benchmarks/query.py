"""Row: a governed query against the best bare gRPC echo.

What is asked: up to ten rows of a table by an indexed column, over real mutual TLS between two
processes; the decision leased, a record durable on both sides before rows are handed out, windows
signed for. What it stands beside: a unary echo of equal message sizes, once with immediate replies
and once with replies held back as by a group commit; and an echo over one stream. The goals are
against the faster of the two unary ones.
"""

from __future__ import annotations

from functools import partial

from tests.benchmarks.measure import Goal, Rounds, Sample
from tests.benchmarks.parties import Parties
from tests.benchmarks.report import Row
from tests.benchmarks.settings import Settings
from tests.benchmarks.space import TABLE

RATE_GOALS = {1: 0.5, 32: 0.7, 128: 0.7}
P99_GOAL = 2.0


def measure(settings: Settings, parties: Parties) -> list[Row]:
    """The rows of this part of the table."""
    parties.publish_table(settings.keys)
    agreement = parties.asker.ask("negotiate", dataset=TABLE)["agreement"]
    sizes = parties.asker.ask("open_session", agreement=agreement, keys=settings.keys)
    rows: list[Row] = []
    for concurrency in settings.concurrencies:
        rows += _compare(settings, parties, (sizes["question"], sizes["answer"]), concurrency)
    parties.asker.ask("close_session")
    return rows


def _compare(settings: Settings, parties: Parties, sizes: tuple[int, int], concurrency: int) -> list[Row]:
    load = {"concurrency": concurrency, "seconds": settings.seconds}
    question, answer = sizes

    def echo(kind: str) -> Sample:
        # What a commit takes changes with whatever else the disk does: asked for in each round.
        wait = parties.commit_seconds() if kind == "batched" else 0.0
        parties.echo_server.ask("answer_with", size=answer, wait=wait)
        return parties.echo_client.ask("load", kind=kind, size=question, **load)

    found = settings.contest().run(
        f"query, {concurrency} at a time",
        {
            "query": lambda: parties.asker.ask("load", **load),
            "immediate": partial(echo, "unary"),
            "again": partial(echo, "unary"),
            "batched": partial(echo, "batched"),
            "stream": partial(echo, "stream"),
        },
    )
    best = max(("immediate", "batched"), key=lambda name: found.spread(name, "rate").median)
    at = f"{concurrency} at a time"
    rate_goal = RATE_GOALS.get(concurrency, 0.7)
    rows = []
    for name in ("immediate", "batched"):
        goal = Goal(rate_goal) if name == best else None
        rows.append(_row(found, f"query rate, {at}", name, f"unary echo, {name}", goal))
    rows.append(_row(found, f"query rate, {at}", "stream", "stream echo", None))
    rows.append(_row(found, f"query p99, {at}", best, f"unary echo, {best}", Goal(P99_GOAL, at_most=True)))
    rows.append(_noise(found, at))
    return rows


def _row(found: Rounds, what: str, name: str, against: str, goal: Goal | None) -> Row:
    figure, unit = ("p99", "ms") if "p99" in what else ("rate", "rate")
    return Row(
        "query",
        what,
        unit,
        found.spread("query", figure),
        against,
        found.spread(name, figure),
        found.ratio("query", name, figure),
        goal,
    )


def _noise(found: Rounds, at: str) -> Row:
    return Row(
        "query",
        f"A/A: unary echo, {at}",
        "rate",
        found.spread("again", "rate"),
        "the same",
        found.spread("immediate", "rate"),
        found.ratio("again", "immediate", "rate"),
    )
