"""A stock OPA server gives the embedded engine's whole decision, on golden and on generated questions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings

from connector.policy.embedded import EmbeddedEngine
from connector.policy.input import DecisionInput
from connector.policy.server import ServerAddress, ServerEngine
from ledger.ambient import SystemAmbient
from ledger.canonical import encode
from tests.engine import shared_engine
from tests.opa import PACKAGED, running
from tests.policy.strategies import cases
from tests.policy.test_golden import DECISIONS

POLICIES = 50
"""Each is asked five questions."""
AT_ONCE = 16


@pytest.fixture(scope="module")
def remote(opa: Path) -> Iterator[ServerEngine]:
    with running(opa, "--bundle", PACKAGED) as started:
        address = ServerAddress("127.0.0.1", started.port)
        made = ServerEngine(address, shared_engine().revision, SystemAmbient(), time_limit=10.0)
        yield made
        made.close()


def test_on_golden_questions(engine: EmbeddedEngine, remote: ServerEngine) -> None:
    for golden in DECISIONS:
        asked = encode(golden["question"])
        assert remote.replay(asked) == engine.replay(asked), golden["name"]


async def test_on_generated_policies_and_requests(engine: EmbeddedEngine, remote: ServerEngine) -> None:
    batch: list[DecisionInput] = []

    @given(cases())
    @settings(max_examples=POLICIES, database=None, phases=[Phase.generate])
    def collect(asked: list[DecisionInput]) -> None:
        batch.extend(asked)

    collect()
    room, allowed = asyncio.Semaphore(AT_ONCE), 0

    async def compare(asked: DecisionInput) -> bool:
        async with room:
            decision = await remote.ask(asked)
        assert decision == engine.decide(asked), asked.encoded.decode()
        assert not decision.failed
        return decision.allow

    allowed = sum(await asyncio.gather(*map(compare, batch)))
    assert len(batch) == POLICIES * 5
    assert 0 < allowed < len(batch)
