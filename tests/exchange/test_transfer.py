"""A transfer between two parties, told from the outside: what arrives, and what both logs say."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector.exchange.answer import provide
from connector.exchange.channel import Frame, Signed
from connector.exchange.consumer import ConsumerExchange, WrongBytes
from connector.exchange.disputes import Disputes
from connector.exchange.ground import Denied
from connector.exchange.inbox import Delivery, read_frames
from connector.exchange.late import LateSignatures
from connector.exchange.wish import Wish, new_exchange
from connector.policy.decision import CounterGuard
from connector.policy.input import CounterName
from connector.store.tables import ExchangeRow
from ledger.errors import BylagError
from ledger.names import ExchangeId
from tests.exchange.tables import TableWorld, agreed
from tests.exchange.world import DATASET, Party, Rule, World, pipe
from tests.security.dealing import deal, kind_of

KEY = AESGCM(b"k" * 32)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


class Attempt:
    """One attempt at a transfer, both sides running."""

    def __init__(self, world: World, exchange: ExchangeId | None = None) -> None:
        self.world = world
        self.provider_end, self.consumer_end = pipe()
        self.exchange = exchange or new_exchange(world.consumer.ground)

    async def run(self, *, resume: bool = False, purpose: str = Rule().purpose) -> ExchangeRow:
        consumer = ConsumerExchange(
            self.world.consumer.ground,
            self.consumer_end,
            agreed(self.world),
            Delivery(self.world.consumer.folder / "inbox", self.exchange, KEY, self.world.consumer.ambient),
            exchange=self.exchange,
        )
        provider = asyncio.create_task(self._provide())
        try:
            if resume:
                return await consumer.resume()
            return await consumer.fetch(Wish(DATASET, purpose))
        finally:
            await self.consumer_end.outgoing.put(None)
            self.provider_result = (await asyncio.gather(provider, return_exceptions=True))[0]
            if isinstance(self.provider_result, BaseException) and not isinstance(
                self.provider_result, BylagError
            ):
                raise self.provider_result

    async def _provide(self) -> object:
        first = await self.provider_end.first()
        try:
            return await provide(self.world.provider.ground, self.provider_end, first)
        finally:
            await self.provider_end.outgoing.put(None)

    def received(self, row: ExchangeRow) -> bytes:
        folder = self.world.consumer.folder / "inbox"
        return b"".join(read_frames(folder, self.exchange, KEY, iter(range(1, row.window + 1))))


def types(leaves: list[dict[str, Any]]) -> list[str]:
    return [leaf["type"] for leaf in leaves][2:]


async def test_what_arrives_is_what_was_published_and_both_logs_tell_it(world: World) -> None:
    attempt = Attempt(world)
    row = await attempt.run()
    assert row.state == "COMPLETED"
    assert attempt.received(row) == world.dataset.content()
    windows = row.window
    assert (
        types(world.consumer.leaves()) == ["request", "accept", *["ack"] * windows, "receipt"] + ["seal"] * 2
    )
    provider_types = types(world.provider.leaves())
    assert provider_types[:3] == ["decision", "offer", "accept"]
    assert provider_types[-4:] == ["end", "receipt", "seal", "seal"]
    assert sorted(provider_types[3:-4]) == ["ack"] * windows + ["commit"] * windows


async def test_each_log_names_the_others_signed_messages(world: World) -> None:
    await Attempt(world).run()
    for one, other in ((world.provider, world.consumer), (world.consumer, world.provider)):
        said = {leaf["message"] for leaf in one.leaves() if "message" in leaf}
        heard = {leaf["counterpart"]["message"] for leaf in other.leaves() if "counterpart" in leaf}
        assert said == heard


async def test_another_purpose_is_denied_and_both_record_it(world: World) -> None:
    attempt = Attempt(world)
    with pytest.raises(Denied) as denied:
        await attempt.run(purpose="https://w3id.org/dpv#Marketing")
    assert denied.value.reason == "PURPOSE_NOT_PERMITTED"
    assert types(world.provider.leaves()) == ["denial"]
    assert types(world.consumer.leaves()) == ["request", "denial"]


async def test_other_bytes_than_committed_to_are_rejected_with_a_signature(world: World) -> None:
    attempt = Attempt(world)
    frames = iter(range(1_000))

    def change_the_tenth(message: Any) -> Any:
        if isinstance(message, Frame) and next(frames) == 9:
            return Frame(bytes(message.data[:-1]) + b"X")
        return message

    attempt.provider_end.tamper = change_the_tenth
    with pytest.raises(WrongBytes):
        await attempt.run()
    assert types(world.consumer.leaves())[-1] == "reject"
    assert "reject" in types(world.provider.leaves())


async def broken_off(world: World) -> Attempt:
    """An attempt whose line broke after some frames."""
    attempt = Attempt(world)
    frames = iter(range(1_000))

    def hang_up_at_the_twentieth(message: Any) -> Any:
        if isinstance(message, Frame) and next(frames) == 19:
            attempt.provider_end.hang_up()
        return message

    attempt.provider_end.tamper = hang_up_at_the_twentieth
    with pytest.raises(BylagError):
        await attempt.run()
    return attempt


async def test_an_interrupted_transfer_goes_on_from_the_last_acknowledged_window(world: World) -> None:
    attempt = await broken_off(world)
    row = stored(world.consumer, attempt.exchange)
    assert row.state == "SUSPENDED"
    assert row.window <= 2
    second = Attempt(world, attempt.exchange)
    done = await second.run(resume=True)
    assert done.state == "COMPLETED"
    assert second.received(done) == world.dataset.content()
    assert stored(world.provider, attempt.exchange).digest == done.digest


async def test_a_lost_ack_travels_with_the_resume(world: World) -> None:
    attempt = Attempt(world)

    def lose_acks(message: Any) -> Any:
        if isinstance(message, Signed) and b'"type":"ack"' in message.document.payload:
            attempt.consumer_end.hang_up()
            return None
        return message

    attempt.consumer_end.tamper = lose_acks
    with pytest.raises(BylagError):
        await attempt.run()
    row = stored(world.consumer, attempt.exchange)
    assert row.window >= 1
    assert stored(world.provider, attempt.exchange).window == 0
    second = Attempt(world, attempt.exchange)
    done = await second.run(resume=True)
    assert second.received(done) == world.dataset.content()


async def test_a_withheld_ack_holds_back_more_than_w_windows(world: World) -> None:
    world.dataset.count = 60
    attempt = Attempt(world)
    withheld = asyncio.Event()

    def withhold_acks(message: Any) -> Any:
        if isinstance(message, Signed) and b'"type":"ack"' in message.document.payload:
            withheld.set()
            return None
        return message

    attempt.consumer_end.tamper = withhold_acks
    running = asyncio.create_task(attempt.run())
    while len([kind for kind in types(world.provider.leaves()) if kind == "commit"]) < 4:
        await asyncio.sleep(0.02)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(running), 0.5)
    assert types(world.provider.leaves()).count("commit") == 4
    attempt.consumer_end.hang_up()
    with pytest.raises(BylagError):
        await running


async def test_a_window_that_nobody_signs_for_is_disputed_and_a_late_signature_still_counts(
    world: World,
) -> None:
    world.terms = replace(world.terms, ack_seconds=1)
    attempt = Attempt(world)
    kept: list[Signed] = []

    def withhold_acks(message: Any) -> Any:
        if isinstance(message, Signed) and b'"type":"ack"' in message.document.payload:
            kept.append(message)
            attempt.consumer_end.hang_up()
            return None
        return message

    attempt.consumer_end.tamper = withhold_acks
    with pytest.raises(BylagError):
        await attempt.run()
    disputes = Disputes(world.provider.ground)
    assert await disputes.sweep() == 0
    world.provider.ambient.step(1_000)
    windows = types(world.provider.leaves()).count("commit")
    assert await disputes.sweep() == windows
    assert await disputes.sweep() == 0
    assert types(world.provider.leaves()).count("dispute") == windows
    late = LateSignatures(world.provider.ground)
    await world.provider.writer.write(lambda tx: late.take(tx, world.consumer.did, kept[0].document, {}))
    assert stored(world.provider, attempt.exchange).window == 1
    assert types(world.provider.leaves())[-1] == "ack"


async def test_ending_the_agreement_in_mid_transfer_cuts_it(world: World) -> None:
    attempt = Attempt(world)
    frames = iter(range(1_000))

    def bar_at_the_twelfth(message: Any) -> Any:
        if isinstance(message, Frame) and next(frames) == 11:
            world.provider.ground.bars.bar("agreement-1", "AGREEMENT_TERMINATED")
        return message

    attempt.provider_end.tamper = bar_at_the_twelfth
    with pytest.raises(Denied) as denied:
        await attempt.run()
    assert denied.value.reason == "AGREEMENT_TERMINATED"
    row = stored(world.consumer, attempt.exchange)
    assert row.state == "TERMINATED"
    content = world.dataset.content()
    assert content.startswith(attempt.received(row))
    assert len(attempt.received(row)) == 12 * (900_000 // 9 * 9)
    other = stored(world.provider, attempt.exchange)
    assert (other.state, other.digest, other.size) == ("TERMINATED", row.digest, row.size)


async def test_an_empty_dataset_is_one_signed_window_without_frames(world: World) -> None:
    world.dataset.count = 0
    attempt = Attempt(world)
    row = await attempt.run()
    assert (row.state, row.window, row.rows) == ("COMPLETED", 1, 0)
    assert attempt.received(row) == b""


async def test_the_last_use_of_a_counted_permission_goes_to_one_of_two(world: World) -> None:
    world.rule.counters = (CounterGuard(CounterName("count"), 1),)
    results = await asyncio.gather(Attempt(world).run(), Attempt(world).run(), return_exceptions=True)
    denials = [result for result in results if isinstance(result, Denied)]
    assert [denial.reason for denial in denials] == ["COUNT_EXHAUSTED"]
    assert sum(isinstance(result, ExchangeRow) for result in results) == 1


async def test_a_replayed_request_is_refused(world: World) -> None:
    attempt = Attempt(world)
    sent: list[Signed] = []

    def keep(message: Any) -> Any:
        if isinstance(message, Signed) and not sent:
            sent.append(message)
        return message

    attempt.consumer_end.tamper = keep
    await attempt.run()
    provider_end, _ = pipe()
    with pytest.raises(BylagError) as refused:
        await provide(world.provider.ground, provider_end, sent[0])
    assert refused.value.code == "REPLAYED"


def stored(party: Party, exchange: str) -> ExchangeRow:
    with party.database.read() as session:
        return session.get_one(ExchangeRow, exchange)


async def test_a_log_that_was_rolled_back_stops_when_the_other_side_shows_what_it_signed(
    world: World, tmp_path: Path
) -> None:
    await Attempt(world).run()
    provider = world.provider
    provider.close()
    saved = tmp_path / "saved"
    shutil.copytree(provider.folder, saved)
    provider.open_again()
    await Attempt(world).run()
    provider.close()
    shutil.rmtree(provider.folder)
    shutil.copytree(saved, provider.folder)
    provider.open_again()
    world.dataset.count = 3
    await Attempt(world).run()
    assert provider.ground.bars.code("agreement-1") == "ROLLED_BACK"
    with pytest.raises(Denied) as denied:
        await Attempt(world).run()
    assert denied.value.reason == "ROLLED_BACK"


@pytest.mark.parametrize(
    ("said", "of"), [(None, 30 * 900_000), ({"size": "much"}, None), ({"size": -1}, None), ({}, None)]
)
async def test_whoever_watches_a_fetch_hears_of_how_many_bytes(
    world: World, said: dict[str, Any] | None, of: int | None
) -> None:
    told: list[tuple[int, int, int | None]] = []

    def offer(message: Any) -> Any:
        if said is None or kind_of(message) != "offer":
            return message
        return Signed(message.document, {"schema": message.opening["schema"], **said})

    outcome = await deal(world, provider_says=offer, progress=lambda *step: told.append(step))
    assert outcome.consumer is None
    assert told[-1] == (30 * 100_000, 30 * 900_000, of)


def test_the_size_of_what_leaves_is_known_beforehand_only_when_it_leaves_as_it_is(tmp_path: Path) -> None:
    world = TableWorld(tmp_path)
    content = b"town,houses\nalvik,3\nberga,5\n"
    world.publish(content, append_only=False)
    whole = world.provider.ground.shelf.snapshot(DATASET, None)
    assert whole.size(None, mask=(), row_filter=None) == len(content)
    assert whole.size({"limit": 1}, mask=(), row_filter=None) is None
    assert whole.size(None, mask=("houses",), row_filter=None) is None
    assert whole.size(None, mask=(), row_filter={"where": []}) is None
    world.publish(content, append_only=True)
    assert world.provider.ground.shelf.snapshot(DATASET, None).size(None, mask=(), row_filter=None) is None
    world.close()
