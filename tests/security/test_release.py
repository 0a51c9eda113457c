"""Record, then release: where the record cannot be made durable, nothing leaves and nothing is used."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector.exchange.answer import provide
from connector.exchange.channel import Frame, Signed
from connector.exchange.consumer import ConsumerExchange
from connector.exchange.ground import Denied
from connector.exchange.inbox import DamagedDelivery, Delivery, read_frames
from connector.exchange.use import use
from connector.exchange.wish import Wish, new_exchange
from connector.store.database import StoreUnavailable
from ledger.errors import BylagError
from ledger.names import DatasetId, ExchangeId
from tests.exchange.world import CONSUMER, DATASET, Party, Rule, World, pipe

KEY = AESGCM(b"k" * 32)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.dataset.count = 2
    yield world
    world.close()


def lose_the_disk(party: Party) -> None:
    """From now on the party's database takes no write: SQLite says so, as it does of a full disk."""
    party.writer.submit(lambda transaction: transaction.sqlite.execute("PRAGMA query_only = ON")).result()


async def transfer(world: World, sent: list[Any]) -> ExchangeId:
    """Fetch everything; ``sent`` gets whatever the provider handed to the transport."""
    provider_end, consumer_end = pipe()

    def watch(message: Any) -> Any:
        sent.append(message)
        return message

    provider_end.tamper = watch
    exchange = new_exchange(world.consumer.ground)
    delivery = Delivery(world.folder / "inbox", exchange, KEY, world.consumer.ambient)
    consumer = ConsumerExchange(world.consumer.ground, consumer_end, world.terms, delivery, exchange=exchange)

    async def answer() -> None:
        try:
            await provide(world.provider.ground, provider_end, await provider_end.first())
        finally:
            await provider_end.outgoing.put(None)

    answering = asyncio.create_task(answer())
    try:
        await consumer.fetch(Wish(DATASET, Rule().purpose))
    finally:
        await consumer_end.outgoing.put(None)
        await asyncio.gather(answering, return_exceptions=True)
    return exchange


async def test_nothing_is_granted_when_the_grant_cannot_be_recorded(world: World) -> None:
    lose_the_disk(world.provider)
    before, sent = len(world.provider.leaves()), list[Any]()
    with pytest.raises(BylagError):
        await transfer(world, sent)
    assert sent == []
    assert len(world.provider.leaves()) == before


async def test_no_frame_leaves_when_its_commit_cannot_be_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    offered = world.provider.ground.shelf.snapshot

    def lost_after_the_offer(dataset: DatasetId, version: str | None) -> Any:
        snapshot = offered(dataset, version)
        pieces = snapshot.pieces

        def reading(*arguments: Any, **named: Any) -> Any:
            lose_the_disk(world.provider)
            return pieces(*arguments, **named)

        monkeypatch.setattr(snapshot, "pieces", reading)
        return snapshot

    monkeypatch.setattr(world.provider, "snapshot", lost_after_the_offer)
    with pytest.raises(BylagError):
        await transfer(world, sent)
    assert any(isinstance(message, Signed) for message in sent), "the Offer was recorded and sent"
    assert not any(isinstance(message, Frame) for message in sent)
    assert "commit" not in [leaf["type"] for leaf in world.provider.leaves()]


async def test_no_use_is_granted_when_it_cannot_be_recorded(world: World) -> None:
    exchange = await transfer(world, [])
    lose_the_disk(world.consumer)
    with pytest.raises(StoreUnavailable):
        await use(
            world.consumer.ground, world.folder / "inbox", KEY, exchange, Rule().purpose, taken_out=False
        )


async def test_a_use_is_recorded_before_the_first_byte_is_opened(world: World) -> None:
    exchange = await transfer(world, [])
    inbox = world.folder / "inbox"
    granted = await use(world.consumer.ground, inbox, KEY, exchange, Rule().purpose, taken_out=True)
    recorded = world.consumer.leaves()[-1]
    assert (recorded["type"], recorded["code"], recorded["purpose"]) == ("use", "TAKEN_OUT", Rule().purpose)
    assert b"".join(granted.frames) == world.dataset.content()


async def test_a_use_for_another_purpose_is_denied_and_recorded(world: World) -> None:
    exchange = await transfer(world, [])
    other = "https://w3id.org/dpv#Marketing"
    with pytest.raises(Denied) as denied:
        await use(world.consumer.ground, world.folder / "inbox", KEY, exchange, other, taken_out=False)
    assert denied.value.reason == "PURPOSE_NOT_PERMITTED"
    recorded = world.consumer.leaves()[-1]
    assert (recorded["type"], recorded["purpose"]) == ("denial", other)


async def test_what_was_received_is_not_used_after_the_agreement_ended(world: World) -> None:
    exchange = await transfer(world, [])
    world.consumer.end_agreement()
    with pytest.raises(Denied) as denied:
        await use(
            world.consumer.ground, world.folder / "inbox", KEY, exchange, Rule().purpose, taken_out=False
        )
    assert denied.value.reason == "AGREEMENT_ENDED"


async def test_the_inbox_holds_nothing_readable_and_no_part_opens_in_anothers_place(world: World) -> None:
    world.dataset.count = 20
    exchange = await transfer(world, [])
    parts = sorted((world.folder / "inbox" / exchange).glob("*.part"))
    assert len(parts) > 1
    for part in parts:
        assert world.dataset.piece(0)[:64] not in part.read_bytes()
    first, second = parts[0].read_bytes(), parts[1].read_bytes()
    parts[0].write_bytes(second)
    parts[1].write_bytes(first)
    with pytest.raises(DamagedDelivery):
        list(read_frames(world.folder / "inbox", exchange, KEY, iter((1, 2))))


async def test_the_provider_signs_for_the_consumer_it_released_to(world: World) -> None:
    """What a release says of its recipient is the party of the agreement, whoever claims what."""
    await transfer(world, [])
    commits = [leaf for leaf in world.provider.leaves() if leaf["type"] == "commit"]
    assert {leaf["with"]["org"] for leaf in commits} == {CONSUMER}
