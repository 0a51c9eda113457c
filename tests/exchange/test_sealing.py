"""The Seal: proofs swapped under cosigned checkpoints, and what a side that lies there gets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connector.audit.scope import Scope
from connector.exchange.channel import CheckpointCosigned, CheckpointShown
from connector.exchange.sealing import _Sealing
from connector.identity.trust import KeyNotValid
from connector.store.tables import ExchangeRow
from ledger.note import Signer
from tests.exchange.world import Party, World
from tests.security.dealing import deal


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.dataset.count = 2
    yield world
    world.close()


def kinds(party: Party) -> list[str]:
    return [leaf["type"] for leaf in party.leaves()]


def state(party: Party, exchange: str) -> str:
    with party.database.read() as session:
        return session.get_one(ExchangeRow, exchange).state


async def test_a_checkpoint_published_meanwhile_does_not_hold_up_the_seal(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The publisher waits for the writer; so nothing that the writer runs may wait for the publisher."""
    provider = world.provider
    holding, asked = threading.Event(), threading.Event()
    prove, save = provider.notary.inclusion, provider.notary._publisher._save

    def proving(*place: Any) -> Any:
        asked.set()
        return prove(*place)

    def saving(signed: Any) -> None:
        holding.set()
        asked.wait(5)
        save(signed)

    def publish_beside(message: Any) -> Any:
        if isinstance(message, CheckpointCosigned):
            record = provider.ground.recorder.record
            provider.writer.submit(
                lambda tx: record(tx, "access", Scope(), members={"code": "EXPORT"})
            ).result()
            provider.notary._publisher._save = saving
            threading.Thread(target=provider.notary.publish, kwargs={"seal": True}, daemon=True).start()
            holding.wait(5)
        return message

    monkeypatch.setattr(provider.notary, "inclusion", proving)
    await asyncio.wait_for(deal(world, consumer_says=publish_beside), 8)
    assert kinds(provider).count("seal") == 2


async def test_a_checkpoint_that_was_not_cosigned_carries_no_seal(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer whose log does not grow from what was cosigned goes on to its Seal all the same."""
    await deal(world)
    before = kinds(world.provider).count("seal")

    async def lie(ground: Any, channel: Any, conversation: Any, theirs: Any) -> bool:
        sealing = _Sealing(ground, channel, conversation, theirs)
        last = await sealing._publish()
        await channel.send(CheckpointShown(bytes(last.note).decode(), last.checkpoint.size + 1, ()))
        own = sealing._place(last)
        await channel.send(await ground.writer.write(lambda tx: sealing._say(tx, last, own)))
        return False

    monkeypatch.setattr("connector.exchange.consumer.seal", lie)
    outcome = await deal(world)
    assert state(world.provider, outcome.exchange) == "COMPLETED"
    assert kinds(world.provider).count("seal") == before


async def test_a_log_key_that_is_nobodys_gets_no_seal(world: World) -> None:
    """The agreement names a key; that it is the party's own, the list says."""
    stranger = Signer("consumer.example/log", Ed25519PrivateKey.generate())
    world.terms = replace(world.terms, consumer_log=str(stranger.key))
    outcome = await deal(world)
    assert state(world.consumer, outcome.exchange) == state(world.provider, outcome.exchange) == "COMPLETED"
    assert "seal" not in kinds(world.provider)


async def test_a_peer_without_a_witness_key_leaves_the_exchange_complete(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_key(*_: Any) -> Any:
        raise KeyNotValid("the list names no witness key that counts now")

    for party in (world.provider, world.consumer):
        monkeypatch.setattr(party, "witness_key", no_key)
    outcome = await deal(world)
    assert (outcome.consumer, outcome.provider) == (None, None)
    assert state(world.consumer, outcome.exchange) == state(world.provider, outcome.exchange) == "COMPLETED"
