"""What a provider remembers of those who ask: each denial, each nonce, and no more than it can bear."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from connector.audit.scope import Counterpart
from connector.exchange import floods, nonces
from connector.exchange.admission import (
    LARGEST_SKEW_MS,
    LONGEST_DEADLINE_MS,
    MAX_OPENING_BYTES,
    Refused,
    admit,
)
from connector.exchange.channel import Signed
from connector.exchange.floods import Floods, TooManyDenials
from connector.exchange.nonces import Replayed
from connector.store.tables import NonceRow
from ledger import side
from ledger.ambient import HeldAmbient
from ledger.document import sign
from ledger.names import Milliseconds, ParticipantId
from ledger.side import SHARED
from tests.exchange.world import CONSUMER, World
from tests.security.dealing import deal, kind_of

MINUTE = 60_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.dataset.count = 1
    yield world
    world.close()


async def a_request(world: World) -> Signed:
    kept: list[Signed] = []

    def keep(message: Any) -> Any:
        if kind_of(message) == "request":
            kept.append(message)
        return message

    await deal(world, consumer_says=keep)
    return kept[0]


def another(world: World, request: Signed, number: int, **other: Any) -> Signed:
    """The same request once more, with an exchange and a nonce of its own."""
    changed = {"exchange": f"another-{number}", "nonce": f"{number:064x}", **other}
    return Signed(sign({**request.document.content(), **changed}, world.keys[CONSUMER]), request.opening)


def denials(world: World) -> list[dict[str, Any]]:
    return [leaf for leaf in world.provider.leaves() if leaf["type"] == "denial"]


def kept_nonces(world: World) -> list[NonceRow]:
    with world.provider.database.read() as session:
        return list(session.exec(select(NonceRow)))


async def test_a_flood_of_denials_is_counted_and_not_listed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(floods, "LISTED", 3)
    request, ground = await a_request(world), world.provider.ground
    told = 0
    for number in range(10):
        asked = another(world, request, number, dataset="not-this-one")
        try:
            refused = await admit(ground, CONSUMER, asked)
        except TooManyDenials as error:
            assert "OTHER_DATASET" in str(error)
        else:
            assert isinstance(refused, Refused)
            told += 1
    assert told == len(denials(world)) == 3

    def over(transaction: Any) -> None:
        ground.floods.record(transaction, ground.recorder, ground.ambient)

    world.provider.writer.submit(over).result()
    assert len(denials(world)) == 3, "the minute is not over"
    monkeypatch.setattr(floods, "SECONDS", 0.0)
    for _ in range(2):
        world.provider.writer.submit(over).result()
    counted = denials(world)[3:]
    assert [(leaf["code"], leaf["counters"], leaf["with"]) for leaf in counted] == [
        ("FLOOD", {"not_listed": 7}, {"org": CONSUMER})
    ]


def test_each_peer_has_a_minute_of_its_own() -> None:
    ambient, counted = HeldAmbient(), Floods()
    one, other = (Counterpart(ParticipantId(f"did:web:{name}.example")) for name in ("one", "other"))
    assert [counted.lists(one, ambient) for _ in range(floods.LISTED + 1)][-1] is False
    assert counted.lists(other, ambient)


async def test_a_nonce_counts_once_whatever_else_the_request_says(world: World) -> None:
    request = await a_request(world)
    again = another(world, request, 1, nonce=request.document.content()["nonce"])
    before = len(world.provider.leaves())
    with pytest.raises(Replayed):
        await admit(world.provider.ground, CONSUMER, again)
    assert len(world.provider.leaves()) == before


async def test_a_nonce_is_kept_as_long_as_its_request_could_be_granted_and_no_longer(world: World) -> None:
    request = await a_request(world)
    ground, now = world.provider.ground, world.provider.ambient.now
    with pytest.raises(Replayed):
        await admit(ground, CONSUMER, request)
    forget = lambda tx: nonces.forget(tx, now())  # noqa: E731
    world.provider.writer.submit(forget).result()
    with pytest.raises(Replayed):
        await admit(ground, CONSUMER, request)
    world.provider.ambient.step(11 * MINUTE)
    assert world.provider.writer.submit(forget).result() == 1
    assert kept_nonces(world) == []
    refused = await admit(ground, CONSUMER, request)
    assert isinstance(refused, Refused)
    assert refused.code in {"CLOCK_SKEW", "DEADLINE"}


async def test_nobody_makes_a_nonce_be_kept_for_ever(world: World) -> None:
    request, now = await a_request(world), world.provider.ambient.now()
    for number, deadline in enumerate((2**53 - 1, 0, now + 60 * MINUTE)):
        refused = await admit(
            world.provider.ground, CONSUMER, another(world, request, number, deadline=deadline)
        )
        assert isinstance(refused, Refused)
        assert refused.code == "DEADLINE"
    assert max(row.deadline for row in kept_nonces(world)) <= now + 21 * MINUTE


async def test_what_opens_a_request_is_small_or_the_request_is_denied(world: World) -> None:
    """It lies in a side row for as long as the log: a mebibyte with every denial would fill the disk."""
    request = await a_request(world)
    large = Signed(another(world, request, 1).document, {"selection": {"x": "y" * MAX_OPENING_BYTES}})
    refused = await admit(world.provider.ground, CONSUMER, large)
    assert isinstance(refused, Refused)
    assert refused.code == "BAD_SELECTION"
    with world.provider.database.read_sqlite() as connection:
        rows = dict(side.rows_of(connection, world.provider.chest, SHARED))
    assert "request_opening" not in rows[max(rows)]


def test_the_deadline_bound_is_the_one_that_admission_grants() -> None:
    assert Milliseconds(LONGEST_DEADLINE_MS + 2 * LARGEST_SKEW_MS) <= nonces.LONGEST_KEPT_MS
