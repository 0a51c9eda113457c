"""Every decision of an end-to-end run is replayed, by the embedded engine and by a stock OPA server.

Runs after all others; what decided while they ran is the engine that ``BYLAG_E2E_ENGINE`` names.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.audit.replay import FactsErased, NotADecision, Recorded, recorded, replay
from connector.node import Node
from connector.policy.embedded import EmbeddedEngine
from connector.policy.rulebook import Rulebook
from connector.policy.server import ServerAddress, ServerEngine
from ledger import side
from ledger.ambient import SystemAmbient
from tests.e2e.keep import entries
from tests.e2e.space import Participant
from tests.e2e.town import Town
from tests.opa import PACKAGED, running

UNDER = ("decision", "denial", "release", "commit", "use")


class Kept(EmbeddedEngine):
    """An engine for many replays."""

    def close(self) -> None:
        """A replay closes its engine; this one goes on."""


class KeptServer(ServerEngine):
    """The same, of a stock OPA."""

    def close(self) -> None:
        """A replay closes its engine; this one goes on."""


@pytest.fixture(scope="module")
def ended(town: Town) -> Town:
    """The shared data space, at its end."""
    if not any(participant.words for participant in town.space.participants):
        pytest.skip("nobody did anything: run it with the other end-to-end tests")
    town.space.end()
    return town


@pytest.fixture(scope="module")
def decisions(ended: Town) -> list[Recorded]:
    """What was decided in every log, and what was released under it."""
    return [found for participant in ended.space.participants for found in of_one(participant)]


def of_one(participant: Participant) -> list[Recorded]:
    """Every record of a decision by the policy, and of what was done under one; none may be left out."""
    node = Node(participant.home)
    found = []
    try:
        with node.database.read_sqlite() as connection:
            for index, entry in enumerate(entries(participant.home)):
                leaf = json.loads(entry)
                if leaf["type"] in UNDER and ("rulebook" in leaf or "decision" in leaf):
                    found.append(recorded(connection, node.chest, index))
    finally:
        asyncio.run(node.close())
    return found


def test_the_engine_that_was_asked_for_decided(ended: Town, decisions: list[Recorded]) -> None:
    opa = ended.space.opa
    assert (opa is not None) is (os.environ.get("BYLAG_E2E_ENGINE") == "server")
    if opa is not None:
        asked = [line for line in opa.said if "/v1/data/bylag/decision/answer" in line]
        assert len(asked) >= len({found.decision for found in decisions})


def test_every_decision_has_the_same_answer_in_the_embedded_engine(decisions: list[Recorded]) -> None:
    engine = Kept()
    assert len(decisions) > 20
    assert {found.result["allow"] for found in decisions} == {True, False}
    assert any(found.index != found.decision for found in decisions), "a release under a lease"
    for found in decisions:
        done = replay(found, lambda *_: engine)
        assert done.same, (found.index, done.answer, found.result)


@pytest.fixture(scope="module")
def stock(opa: Path) -> Iterator[KeptServer]:
    with running(opa, "--bundle", PACKAGED) as started:
        address = ServerAddress("127.0.0.1", started.port)
        made = KeptServer(address, Rulebook.packaged().revision, SystemAmbient(), time_limit=30.0)
        yield made
        ServerEngine.close(made)


def test_and_in_a_stock_opa(decisions: list[Recorded], stock: KeptServer) -> None:
    for found in decisions:
        assert replay(found, lambda *_: stock).same, found.index


def test_after_an_erasure_there_is_no_answer(ended: Town) -> None:
    """A citizen's decisions in their municipality's log; the log itself stands."""
    node = Node(ended.strandby.home)
    try:
        with node.database.read_sqlite() as connection:
            rows = connection.execute("SELECT DISTINCT idx, holder FROM side_row WHERE holder <> 'shared'")
            theirs: dict[int, str] = {int(index): str(holder) for index, holder in rows}
            replayable = [index for index in theirs if is_decision(node, index)]
            assert replayable
        for holder in set(theirs.values()):
            _erase(node, holder)
            node.chest.destroy(holder)
        with node.database.read_sqlite() as connection:
            for index in replayable:
                with pytest.raises(FactsErased, match="not replayable: facts erased"):
                    recorded(connection, node.chest, index)
    finally:
        asyncio.run(node.close())


def _erase(node: Node, holder: str) -> None:
    node.writer.submit(lambda transaction: side.erase(transaction.sqlite, holder)).result()


def is_decision(node: Node, index: int) -> bool:
    with node.database.read_sqlite() as connection:
        try:
            recorded(connection, node.chest, index)
        except NotADecision:
            return False
    return True
