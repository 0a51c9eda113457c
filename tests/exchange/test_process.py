"""The state of an exchange: what changes it, in one place, and what does not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.exchange import process
from connector.exchange.ground import Denied
from ledger.names import ExchangeId
from tests.exchange.test_transfer import Attempt, broken_off, stored
from tests.exchange.world import World

ROOM = Path(process.__file__).parent
SIX_MINUTES = 6 * 60_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


async def resumed(world: World, exchange: ExchangeId, code: str) -> None:
    """A Resume that is denied."""
    with pytest.raises(Denied) as denied:
        await Attempt(world, exchange).run(resume=True)
    assert denied.value.reason == code


def states(world: World, exchange: ExchangeId) -> list[tuple[str, str | None]]:
    rows = (stored(party, exchange) for party in (world.provider, world.consumer))
    return [(row.state, row.code) for row in rows]


def test_nothing_else_in_the_room_sets_an_exchanges_state() -> None:
    """Other rows have states, too: those of windows, which are no transfer processes."""
    setting = {
        (path.name, ast.unparse(target.value))
        for path in ROOM.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Assign)
        for each in node.targets
        for target in (each.elts if isinstance(each, ast.Tuple) else [each])
        if isinstance(target, ast.Attribute) and target.attr == "state"
    }
    assert setting == {("process.py", "row"), ("custody.py", "window"), ("disputes.py", "window")}


async def test_a_resume_that_is_denied_for_now_leaves_the_exchange_to_be_resumed_later(world: World) -> None:
    exchange = (await broken_off(world)).exchange
    assert states(world, exchange) == [("SUSPENDED", None), ("SUSPENDED", None)]
    world.provider.ambient.step(SIX_MINUTES)
    await resumed(world, exchange, "CLOCK_SKEW")
    assert states(world, exchange) == [("SUSPENDED", None), ("SUSPENDED", "CLOCK_SKEW")]
    world.consumer.ambient.step(SIX_MINUTES)
    again = Attempt(world, exchange)
    done = await again.run(resume=True)
    assert again.received(done) == world.dataset.content()
    assert states(world, exchange) == [("COMPLETED", None), ("COMPLETED", None)]


async def test_a_resume_after_which_none_can_be_granted_ends_the_exchange(world: World) -> None:
    exchange = (await broken_off(world)).exchange
    world.provider.end_agreement()
    await resumed(world, exchange, "AGREEMENT_ENDED")
    assert states(world, exchange)[1] == ("TERMINATED", "AGREEMENT_ENDED")
    assert process.is_over(stored(world.consumer, exchange))


async def test_a_request_that_is_denied_is_over(world: World) -> None:
    attempt = Attempt(world)
    with pytest.raises(Denied):
        await attempt.run(purpose="https://w3id.org/dpv#Marketing")
    assert stored(world.consumer, attempt.exchange).state == "TERMINATED"
