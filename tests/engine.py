"""One embedded engine for all tests that only ask it: each one has a thread that ticks all the while."""

from __future__ import annotations

from functools import cache

from connector.policy.embedded import EmbeddedEngine


@cache
def shared_engine() -> EmbeddedEngine:
    """The engine under the packaged rulebook. Nobody closes it."""
    return EmbeddedEngine()
