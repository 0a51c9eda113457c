"""Row: what a decision costs beside a bare gRPC call.

The question is a usual one: a permission with purpose, period and a count, a prohibition beside it. It is
decided under a lease, by the embedded engine with nothing leased, and by an OPA server on this machine
(with provenance, as the connector asks it). Each stands beside the bare unary call over mutual TLS, and
the ratio is of the time that one takes, one after another. Without `opa` its row is left out, and said so.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack

from connector.policy.build import find_opa
from connector.policy.embedded import EmbeddedEngine
from connector.policy.errors import RulebookNotBuilt
from connector.policy.input import DecisionInput, Moving, Standing, counters_of
from connector.policy.lease import LeasedEngine
from connector.policy.rulebook import Rulebook
from connector.policy.server import ServerAddress, ServerEngine
from ledger.ambient import SystemAmbient
from tests.benchmarks.measure import Goal, Rounds, Sample, tell
from tests.benchmarks.parties import Parties
from tests.benchmarks.report import Row
from tests.benchmarks.settings import Settings
from tests.opa import PACKAGED, running
from tests.policy.world import SCIENTIFIC, agreed, constraint, offer, permission, standing

MESSAGE_BYTES = 500
LEASED_GOAL = Goal(0.02, at_most=True)
EMBEDDED_GOAL = Goal(2.0, at_most=True)

POLICY = agreed(
    offer(
        permission(
            constraint("purpose", "isA", SCIENTIFIC),
            constraint("dateTime", "lt", "2100-01-01T00:00:00Z"),
            constraint("count", "lteq", "1000000"),
        ),
        prohibition=[{"action": "distribute"}],
    )
)


def measure(settings: Settings, parties: Parties) -> list[Row]:
    """The rows of this part of the table."""
    with ExitStack() as stack:
        embedded = EmbeddedEngine()
        stack.callback(embedded.close)
        asked = standing(POLICY)
        leases = LeasedEngine(embedded, SystemAmbient())
        session, counts = leases.open(asked), dict.fromkeys(counters_of(POLICY), 0)
        contestants: dict[str, Callable[[], Sample]] = {
            "leased": lambda: _repeat(lambda: leases.decide(session, counts), settings.seconds),
            "embedded": lambda: _repeat(lambda: embedded.decide(_question(asked)), settings.seconds),
            "bare": lambda: _bare(settings, parties),
            "again": lambda: _bare(settings, parties),
        }
        if (server := _opa_server(stack)) is not None:
            contestants["server"] = lambda: _repeat(lambda: server.decide(_question(asked)), settings.seconds)
        found = settings.contest().run("decisions", contestants)
    return _rows(found, with_server="server" in contestants)


def _rows(found: Rounds, *, with_server: bool) -> list[Row]:
    rows = [
        *_both(found, "leased", "decision under a lease", LEASED_GOAL),
        *_both(found, "embedded", "decision, embedded, no lease", EMBEDDED_GOAL),
    ]
    if with_server:
        rows += _both(found, "server", "decision, OPA server, no lease", None)
    return [*rows, _row(found, "again", "A/A: unary call", "seconds", None, "the same")]


def _both(found: Rounds, name: str, what: str, goal: Goal | None) -> list[Row]:
    """Decisions a second, whose ratio is of rates; then the time of one, by which the goal goes; then p99."""
    rate = Row(
        "decisions",
        f"{what}: rate",
        "rate",
        found.spread(name, "rate"),
        "bare unary call",
        found.spread("bare", "rate"),
        found.ratio(name, "bare", "rate"),
    )
    return [
        rate,
        _row(found, name, f"{what}: time", "seconds", goal),
        _row(found, name, f"{what}: p99", "p99", None),
    ]


def _row(
    found: Rounds, name: str, what: str, figure: str, goal: Goal | None, against: str = "bare unary call"
) -> Row:
    ours, theirs = found.spread(name, figure), found.spread("bare", figure)
    return Row("decisions", what, "µs", ours, against, theirs, found.ratio(name, "bare", figure), goal)


def _opa_server(stack: ExitStack) -> ServerEngine | None:
    try:
        opa = find_opa()
    except RulebookNotBuilt as error:
        tell(f"left out, the OPA server: {error}. {error.next_step}")
        return None
    started = stack.enter_context(running(opa, "--bundle", PACKAGED))
    address = ServerAddress("127.0.0.1", started.port)
    engine = ServerEngine(address, Rulebook.packaged().revision, SystemAmbient(), time_limit=5.0)
    stack.callback(engine.close)
    return engine


def _question(asked: Standing) -> DecisionInput:
    now = SystemAmbient().now()
    return asked.at(Moving(now, dict.fromkeys(counters_of(POLICY), 0), "nonce"))


def _bare(settings: Settings, parties: Parties) -> Sample:
    parties.echo_server.ask("answer_with", size=MESSAGE_BYTES, wait=0.0)
    found = parties.echo_client.ask(
        "load", kind="unary", size=MESSAGE_BYTES, concurrency=1, seconds=settings.seconds
    )
    return {**found, "seconds": 1 / found["rate"]}


def _repeat(once: Callable[[], object], seconds: float) -> Sample:
    """One after another for so long; the first is not counted."""
    once()
    took: list[float] = []
    begun = last = time.perf_counter()
    while last - begun < seconds:
        once()
        now = time.perf_counter()
        took.append(now - last)
        last = now
    hundredths = statistics.quantiles(took, n=100, method="inclusive")
    return {"rate": len(took) / (last - begun), "seconds": statistics.mean(took), "p99": hundredths[98]}
