"""Membership lists between peers: many of them, large ones, and a peer that never comes to an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.exchange.channel import Frame
from connector.exchange.ground import Denied
from connector.identity import change
from connector.identity.directory import Directory
from connector.identity.membership import MAX_LIST
from connector.identity.peer import NotActive
from connector.identity.signed import MultiSigned
from connector.identity.trust import TrustStore
from connector.peer import client as client_module
from connector.peer import lines as lines_module
from connector.peer import lists as lists_module
from connector.peer import services
from connector.peer.lines import Lines
from connector.peer.lists import HANDED_ON, PeerLists
from connector.peer.server import CALLING, MAX_ANSWER_BYTES, SERVING
from connector.store import outbox
from connector.store.writer import Transaction
from connector.v1 import catalog_pb2, participant_pb2
from ledger.document import header_of
from tests.identity.world import ALVIK, BERGA
from tests.peer.door import Door


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with Door(tmp_path).open() as door:
        yield door


def renew(door: Door, times: int) -> None:
    for _ in range(times):
        door.take(change.renew())


def caught_up(door: Door, trust: TrustStore) -> Lines:
    async def take(signed: MultiSigned) -> None:
        trust.accept(signed)

    return Lines(door.client(), door.post, lambda: trust, take)


async def test_a_chain_longer_than_an_answer_is_caught_up_with(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By number and by size: an answer holds what a message can."""
    renew(door, 12)
    monkeypatch.setattr(services, "LISTS_AT_ONCE", 5)
    await caught_up(door, door.berga.trust).catch_up(ALVIK)
    assert door.berga.trust.digest == door.alvik.trust.digest
    again = TrustStore(door.alvik.trust.first)
    monkeypatch.setattr(services, "LISTS_BYTES", 1)
    await caught_up(door, again).catch_up(ALVIK)
    assert again.digest == door.alvik.trust.digest


def test_the_largest_list_fits_into_an_answer() -> None:
    assert MAX_LIST + (64 << 10) < MAX_ANSWER_BYTES
    assert dict(SERVING)["grpc.max_send_message_length"] == MAX_ANSWER_BYTES
    assert dict(CALLING)["grpc.max_receive_message_length"] == MAX_ANSWER_BYTES


async def test_a_peer_that_hands_the_same_list_out_for_ever_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    door = Door(tmp_path)

    async def endless(_self: Any, _request: Any, _context: Any) -> Any:
        nonlocal asked
        asked += 1
        signed = door.alvik.trust.signed(door.alvik.trust.number)
        item = participant_pb2.MembershipList(payload=signed.payload, signatures=signed.signatures)
        return participant_pb2.GetMembershipListsResponse(lists=[item] * 3, more=True)

    async def far_ahead(_self: Any, _request: Any, _context: Any) -> Any:
        return participant_pb2.DescribeResponse(list_number=2**60)

    monkeypatch.setattr(services.ParticipantServicer, "GetMembershipLists", endless)
    monkeypatch.setattr(services.ParticipantServicer, "Describe", far_ahead)
    renew(door, 1)
    door.space.catch_up(door.berga.trust)
    async with door.open(), asyncio.timeout(5):
        await caught_up(door, door.berga.trust).catch_up(ALVIK)
        assert asked == 1

        def take(_: Transaction, signed: MultiSigned) -> None:
            door.berga.trust.accept(signed)

        lists = PeerLists(
            client=door.client(),
            trust=lambda: door.berga.trust,
            writer=door.writer,
            post=lambda: door.post,
            take=take,
        )
        with pytest.raises(Denied):
            await lists.compare(ALVIK, 2**60, "00" * 32)
    assert asked == 2


async def test_a_catalogue_that_never_ends_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MOST_PAGES", 7)

    async def endless(_self: Any, _request: Any, _context: Any) -> Any:
        return catalog_pb2.GetCatalogResponse(datasets=b"[]", next_page_token="more")

    monkeypatch.setattr(services.CatalogServicer, "GetCatalog", endless)
    async with Door(tmp_path).open() as door:
        assert len([page async for page in door.client().catalog(ALVIK)]) == 7


async def test_lists_handed_on_fit_into_a_notice_and_each_goes_once(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    renew(door, 5)
    door.post._directory = lambda: Directory(door.alvik.trust)
    lists = PeerLists(
        client=door.client(),
        trust=lambda: door.alvik.trust,
        writer=door.writer,
        post=lambda: door.post,
        take=lambda *_: None,
    )

    def handed(number: int) -> list[int]:
        door.writer.submit(lambda tx: lists.hand_on(tx, BERGA, number)).result()
        with door.database.read() as session:
            notices = outbox.waiting(session, BERGA, 0, 100)
        assert {header_of(each.document.jws).kind for each in notices} <= {HANDED_ON}
        handed_on: list[Any] = [each.opening["lists"] for each in notices]
        return [len(lists) for lists in handed_on]

    two = 2 * len(door.alvik.trust.signed(7).to_bytes()) + 100
    monkeypatch.setattr(lists_module, "LISTS_BYTES", two)
    assert handed(2) == [2]
    assert handed(2) == [2]
    assert handed(4) == [2, 2]
    monkeypatch.setattr(lists_module, "LISTS_BYTES", 1)
    assert handed(6) == [2, 2]


async def test_a_line_that_fails_as_nobody_foresaw_is_opened_again(
    door: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lines_module, "FIRST_WAIT", 0.01)
    failures = iter([KeyError("unforeseen"), ExceptionGroup("two", [ValueError("one"), ValueError("two")])])
    lines = caught_up(door, door.berga.trust)
    carried = asyncio.Event()

    async def carry(_peer: Any, _post: Any) -> None:
        failure = next(failures, None)
        if failure is not None:
            raise failure
        carried.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(lines._client, "carry", carry)
    lines.keep(ALVIK)
    async with asyncio.timeout(5):
        await carried.wait()
    await lines.close()
    assert caplog.text.count("nobody foresaw") == 2


async def test_a_new_list_opens_a_new_channel_and_lets_the_old_one_finish(door: Door) -> None:
    client = door.client()
    async with client.exchange(ALVIK) as channel:
        first = client.channel(ALVIK)
        renew(door, 1)
        second = client.channel(ALVIK)
        assert second is not first
        assert client.channel(ALVIK) is second
        await channel.send(Frame(b"still"))
        assert await channel.receive() == Frame(b"still")
    assert len(client._channels) == 1
    await client.close()
    assert not client._retiring


async def test_an_exchange_with_a_peer_that_is_barred_ends_at_this_side_too(door: Door) -> None:
    client = door.client()
    with pytest.raises(NotActive):
        async with client.exchange(ALVIK) as channel:
            await channel.send(Frame(b"one"))
            assert await channel.receive() == Frame(b"one")
            waiting = asyncio.create_task(channel.receive())
            await asyncio.sleep(0)
            client.end_calls(frozenset({ALVIK}), frozenset())
            with pytest.raises(NotActive):
                await waiting
            with pytest.raises(NotActive):
                await channel.send(Frame(b"two"))
            raise NotActive("seen")
    assert not client._open
    await door.until(lambda: door.inside == 0)
    await client.close()


async def test_a_peer_that_never_stops_talking_is_not_waited_for(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "DRAIN_SECONDS", 0.05)
    client = door.client()
    async with asyncio.timeout(5):
        async with client.exchange(ALVIK) as channel:
            channel._read = asyncio.Event().wait
    await client.close()
