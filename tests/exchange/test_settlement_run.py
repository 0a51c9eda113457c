"""Point by point what a month holds: thousands of accesses with all that goes wrong, settled to the byte.

Real stores, logs and signatures on both sides; denials, resumes, a cut stream, an Ack that is withheld for
good, a process on each side that ends without a word. The large run prints how long it took.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector.contract.open_items import open_items
from connector.contract.settlement import Line, Span, lines_in
from connector.exchange.answer import provide
from connector.exchange.answering import QUESTIONS_A_WINDOW
from connector.exchange.asking import AskingSession
from connector.exchange.channel import Signed
from connector.exchange.consumer import ConsumerExchange
from connector.exchange.ground import Denied
from connector.exchange.inbox import Delivery
from connector.exchange.wish import Wish, new_exchange
from ledger.errors import BylagError
from ledger.names import Milliseconds
from tests.exchange.settling import SettlingWorld, small_windows
from tests.exchange.test_metered import Attempt, play
from tests.exchange.test_query import session
from tests.exchange.test_settlement import sign, states
from tests.exchange.test_transfer import Attempt as Transfer
from tests.exchange.world import AGREEMENT, CONSUMER, DATASET, PROVIDER, Rule, pipe

AT_ONCE = 200


async def ask(world: SettlingWorld, questions: int) -> None:
    """One query session."""
    async with session(world) as asking:
        await _in_turns(asking, questions)


async def _in_turns(asking: AskingSession, questions: int) -> None:
    for first in range(0, questions, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, questions))
        await asyncio.gather(*(asking.ask({"number": number}) for number in numbers))


async def ask_and_be_denied(world: SettlingWorld, answered: int, denied: int) -> None:
    """A session in which the policy says no halfway."""
    async with session(world) as asking:
        await _in_turns(asking, answered)
        world.rule.purpose, before = "https://w3id.org/dpv#Marketing", world.rule.purpose
        world.rule.rulings.clear()
        outcomes = await asyncio.gather(
            *(asking.ask({"number": number}) for number in range(denied)), return_exceptions=True
        )
        world.rule.purpose = before
        world.rule.rulings.clear()
    assert all(isinstance(outcome, Denied) for outcome in outcomes)


class Withholding(AskingSession):
    """A consumer that uses the answers and signs for nothing."""

    async def _take_commit(self, message: Signed) -> None:
        self._conversation.hear(message)


async def ask_and_withhold(world: SettlingWorld, questions: int) -> None:
    """The consumer takes its answers and never signs for them: one window is committed to, one is not."""
    provider_end, consumer_end = pipe()
    exchange = new_exchange(world.consumer.ground)

    async def answer() -> None:
        try:
            await provide(world.provider.ground, provider_end, await provider_end.first())
        except BylagError:
            return

    answering = asyncio.create_task(answer())
    delivery = Delivery(world.folder / "inbox", exchange, AESGCM(b"k" * 32), world.consumer.ambient)
    consumer = ConsumerExchange(world.consumer.ground, consumer_end, world.terms, delivery, exchange=exchange)
    conversation, digest = await consumer.open_session(Wish(DATASET, Rule().purpose, mode="query"))
    asking = Withholding(world.consumer.ground, consumer_end, conversation, digest, 0)
    await asyncio.gather(*(asking.ask({"number": number}) for number in range(questions)))
    await asking.close()
    await consumer_end.outgoing.put(None)
    await answering


async def deny_requests(world: SettlingWorld, count: int) -> None:
    """Requests for a purpose that the policy does not permit."""
    for _ in range(count):
        with pytest.raises(Denied):
            await Transfer(world).run(purpose="https://w3id.org/dpv#Marketing")


async def a_month(world: SettlingWorld, accesses: int) -> None:
    """Something of everything, ``accesses`` in all or a few more."""
    part = accesses // 5
    await ask(world, part)
    await deny_requests(world, 5)
    exchange = await play(world, Attempt(acks=2), None)
    world.restart(PROVIDER)
    exchange = await play(world, Attempt(frames=4), exchange)
    await play(world, Attempt(), exchange)
    await ask_and_be_denied(world, part, 60)
    exchange = await play(world, Attempt(crash=3), None)
    world.restart(CONSUMER)
    await ask(world, part)
    await play(world, Attempt(), exchange)
    await ask_and_withhold(world, QUESTIONS_A_WINDOW + 6)
    await ask(world, accesses - 3 * part)


def accesses(world: SettlingWorld) -> Counter[str]:
    """What the provider recorded of asking and answering."""
    counted = Counter[str](leaf["type"] for leaf in world.provider.leaves())
    return Counter({kind: counted[kind] for kind in ("release", "commit", "denial", "resume", "ack", "cut")})


async def settle_a_month(world: SettlingWorld, count: int) -> dict[str, Any]:
    """Live through a month, settle it, and say what it held."""
    started = time.monotonic()
    await a_month(world, count)
    lived = time.monotonic()
    world.resend()
    world.carry()
    span: Span = world.until_now()
    here, there = (side.statement(world.agreement, span) for side in (world.seller, world.buyer))
    assert here.encoded() == there.encoded()
    world.buyer.settlements.by_rule = True
    sign(world.seller, span)
    world.carry()
    assert states(world) == [["settled"], ["settled"]]
    first, second = world.seller.rows()[0], world.buyer.rows()[0]
    assert first.statement == second.statement == here.encoded()
    assert (first.mine, first.theirs) == (second.theirs, second.mine)
    settled = time.monotonic()
    return {
        "seen": accesses(world),
        "totals": here.totals(),
        "bytes": len(first.statement),
        "lived": lived - started,
        "settled": settled - lived,
    }


def check(world: SettlingWorld, found: dict[str, Any], count: int) -> None:
    seen, totals = found["seen"], found["totals"]
    assert seen["release"] >= count
    assert seen["denial"] > 10
    assert seen["resume"] >= 2
    assert world.refused == []
    acknowledged = [leaf for leaf in world.provider.leaves() if leaf["type"] == "ack"]
    assert totals["records"] == sum(leaf["rows"] for leaf in acknowledged)
    assert totals["amount"] == -(-totals["records"] // 1000) * 25
    with world.provider.database.read_sqlite() as connection:
        items = open_items(connection, world.agreement.id, Milliseconds(2**52))
    withheld = {item.reason: item for item in items}
    assert withheld["NOT_ACKNOWLEDGED"].requests == QUESTIONS_A_WINDOW
    assert "NOT_COMMITTED" in withheld
    billed = {line.place for line in lines_in(world.seller.rows()[0].statement)}
    assert billed.isdisjoint({(item.exchange, item.attempt, item.window) for item in items})
    assert len(billed) == totals["lines"]


async def test_a_small_month_settles_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 1000
    monkeypatch.setattr("connector.exchange.provider.WindowMaker", small_windows)
    world = SettlingWorld(tmp_path, windows=8)
    check(world, await settle_a_month(world, count), count)
    world.close()


@pytest.mark.torture
async def test_a_month_of_ten_thousand_accesses_settles_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("connector.exchange.provider.WindowMaker", small_windows)
    world = SettlingWorld(tmp_path, windows=8)
    found = await settle_a_month(world, 10_000)
    check(world, found, 10_000)
    with capsys.disabled():
        print(f"\n{found}")
    world.close()


def _is_refused(world: SettlingWorld) -> bool:
    return world.seller.rows()[-1].state == "refused"


async def test_a_month_is_settled_in_parts_without_losing_or_doubling_a_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.exchange.provider.WindowMaker", small_windows)
    monkeypatch.setattr("connector.contract.settlements.LEAST_BY_RULE_MS", 0)
    world = SettlingWorld(tmp_path)
    world.buyer.settlements.by_rule = True
    begin = 0
    signed: list[Line] = []
    for attempt in (Attempt(), Attempt(acks=3), Attempt(crash=2)):
        await play(world, attempt, None)
        span = world.until_now(begin)
        begin = span.until
        while not world.seller.rows() or world.seller.rows()[-1].until != begin or _is_refused(world):
            sign(world.seller, span)  # also while Acks are on their way: then it is refused, once
            world.carry()
        signed += lines_in(world.seller.rows()[-1].statement)
    world.resend()
    world.carry()
    span = world.until_now(begin)
    sign(world.seller, span)
    world.carry()
    signed += lines_in(world.seller.rows()[-1].statement)
    assert states(world) == [["settled"] * 4, ["settled"] * 4]
    assert len({line.place for line in signed}) == len(signed)
    with world.consumer.database.read_sqlite() as connection:
        acknowledged = connection.execute(
            "SELECT count(*) FROM metered_window WHERE agreement = ?", (AGREEMENT,)
        ).fetchone()[0]
    assert len(signed) == acknowledged
