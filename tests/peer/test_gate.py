"""The gate, over real TLS with real certificates: who gets in, what they hear, and how calls end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import pytest
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc

from connector.exchange.channel import Frame
from connector.identity import change
from connector.identity.certificate import to_pem
from connector.identity.equivocation import EquivocationProof
from connector.identity.peer import Standing
from connector.identity.public import Job
from connector.peer import allowance, gate
from connector.peer.client import Identity
from connector.peer.convert import MAX_MESSAGE_BYTES
from connector.peer.rules import RULES
from connector.peer.status import RemoteError
from connector.v1 import catalog_pb2, exchange_pb2, ledger_pb2, participant_pb2
from ledger.errors import BylagError, ErrorKind
from tests.identity.world import ALVIK, BERGA
from tests.peer.door import Door

Streams: TypeAlias = "grpc.aio.StreamStreamMultiCallable[bytes, bytes]"
CATALOG = "/connector.v1.CatalogService/GetCatalog"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with Door(tmp_path).open() as door:
        yield door


async def pages(client: Any) -> list[bytes]:
    return [page async for page in client.catalog(ALVIK)]


async def refusal(call: Any) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        await call
    return caught.value


def services() -> list[ServiceDescriptor]:
    found = []
    for module in (catalog_pb2, exchange_pb2, ledger_pb2, participant_pb2, health_pb2):
        found.extend(module.DESCRIPTOR.services_by_name.values())
    return found


def test_every_call_of_the_protos_has_a_rule() -> None:
    """Of ours each, of health what is served here (it has no list of all services)."""
    calls = {f"/{service.full_name}/{method.name}" for service in services() for method in service.methods}
    ours = {name for name in RULES if not name.startswith("/grpc.reflection.")}
    assert calls - ours == {"/grpc.health.v1.Health/List"}
    assert ours <= calls


def test_a_stream_has_no_time_limit_and_every_other_call_has_one() -> None:
    streams = {
        f"/{service.full_name}/{method.name}"
        for service in services()
        for method in service.methods
        if method.client_streaming or method.server_streaming
    }
    for name, rule in RULES.items():
        if not name.startswith("/grpc.reflection."):
            assert (rule.seconds is None) == (name in streams), name


async def test_a_member_and_a_guest_are_served(door: Door) -> None:
    assert await pages(door.client()) == [b"[]"]
    assert await pages(door.client(door.vouch().identity)) == [b"[]"]
    assert (await door.client().describe(ALVIK)).participant == ALVIK


async def test_a_call_that_no_table_knows_is_refused(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "RULES", {name: rule for name, rule in RULES.items() if name != CATALOG})
    told = await refusal(pages(door.client()))
    assert (told.reason, told.remote_kind) == ("UNLISTED_CALL", ErrorKind.DENIED)


async def test_a_certificate_in_anothers_name_is_refused(door: Door) -> None:
    """Berga's anchor signs a certificate for a guest of Alvik's: a handshake, and no more."""
    person = door.vouch()
    leaf = door.berga.issuer.guest_leaf(person.ring.tls.public_key(), person.handle, door.ambient)
    told = await refusal(pages(door.client(Identity(person.identity.key, to_pem(leaf)))))
    assert told.reason == "WRONG_NAME"


async def test_whoever_is_limited_is_heard_on_what_protects_and_on_nothing_else(door: Door) -> None:
    client, person = door.client(), door.vouch()
    guest = door.client(person.identity)
    door.take(change.suspend(BERGA))
    door.guests.end(person.handle)
    for limited in (client, guest):
        told = await refusal(pages(limited))
        assert (told.reason, told.remote_kind) == ("NOT_ACTIVE", ErrorKind.DENIED)
        assert (await limited.describe(ALVIK)).list_number == door.alvik.trust.number


async def test_a_refusal_names_the_reason_the_field_and_the_next_step(door: Door) -> None:
    told = await refusal(door.client().dataset(ALVIK, "nothing"))
    assert (told.reason, told.remote_kind, told.field) == ("NOT_FOUND", ErrorKind.NOT_FOUND, "dataset")
    assert told.next_step


async def test_what_nobody_foresaw_is_logged_here_and_says_nothing_there(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise KeyError("the secret of the house")

    door.catalog.act = fail
    told = await refusal(pages(door.client()))
    assert (told.reason, told.remote_kind) == ("INTERNAL", ErrorKind.DAMAGED)
    assert "secret" not in f"{told} {told.next_step}"
    assert "nobody foresaw" in caplog.text


async def ended(door: Door, client: Any, what: Any) -> BylagError:
    """Open a stream, let ``what`` happen, and say how the stream ended; its handler must end too."""
    async with client.exchange(ALVIK) as channel:
        await channel.send(Frame(b"hello"))
        assert await channel.receive() == Frame(b"hello")
        what()
        async with asyncio.timeout(2):
            with pytest.raises(BylagError) as caught:
                await channel.receive()
    await door.until(lambda: door.inside == 0)
    assert door.gate._open == {}
    return caught.value


async def test_removal_ends_open_calls_with_a_status_and_lets_go_of_them(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    error = await ended(door, door.client(), lambda: door.take(change.remove(BERGA)))
    assert isinstance(error, RemoteError)
    assert (error.reason, error.remote_kind) == ("NOT_ACTIVE", ErrorKind.DENIED)
    assert "foresaw" not in caplog.text
    assert "Unexpected" not in caplog.text  # grpc's word for what a handler should not have raised


async def test_a_contested_list_ends_the_open_calls_of_all(door: Door) -> None:
    def contest() -> None:
        signed = door.alvik.trust.signed(1)
        door.alvik.trust.proof = EquivocationProof(1, signed, signed)
        door.gate.end_calls(frozenset(), frozenset())

    error = await ended(door, door.client(), contest)
    assert isinstance(error, RemoteError)
    assert error.reason == "NOT_ACTIVE"


async def test_a_guest_who_is_no_longer_vouched_for_is_cut_off_without_a_name(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    person = door.vouch()

    def end() -> None:
        door.guests.end(person.handle)
        door.gate.end_calls(frozenset({person.handle}), frozenset())

    error = await ended(door, door.client(person.identity), end)
    digits = person.handle.removeprefix("guest:")
    assert digits not in f"{caplog.text} {error} {error.next_step} {error.field}"
    assert all(digits not in str(vars(record)) for record in caplog.records)


async def test_a_key_that_ended_takes_its_protective_calls_with_it(door: Door) -> None:
    """A compromised key opens nothing (``identity.peer``): not even the outbox."""
    key = door.berga.ring.thumbprint(Job.TLS)
    post = door._post(door.berga)
    carrying = asyncio.create_task(door.client().carry(ALVIK, post))
    await door.until(lambda: len(door.gate._open) == 1)
    door.take(change.compromised(BERGA, key, door.ambient.now()))
    async with asyncio.timeout(2):
        with pytest.raises(RemoteError) as caught:
            await carrying
    assert caught.value.reason == "KEY_REFUSED"
    await door.until(lambda: door.gate._open == {})


async def test_one_peer_opens_so_many_calls_and_what_protects_still_gets_through(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowance, "OPEN_CALLS", 3)
    client, guest = door.client(), door.client(door.vouch().identity)
    stub: Streams = client.channel(ALVIK).stream_stream("/connector.v1.ExchangeService/Exchange")
    calls = [stub() for _ in range(3)]
    for call in calls:
        await call.write(b"\x0a\x01x")
        assert await call.read() == b"\x0a\x01x"
    told = await refusal(pages(client))
    assert (told.reason, told.remote_kind) == ("ALLOWANCE_USED", ErrorKind.EXHAUSTED)
    assert await pages(guest) == [b"[]"]
    assert (await client.describe(ALVIK)).participant == ALVIK
    for call in calls:
        call.cancel()
    await door.until(lambda: door.inside == 0)
    assert await pages(client) == [b"[]"]


async def test_a_message_or_metadata_beyond_the_limit_is_refused(door: Door) -> None:
    large = (("grpc.max_send_message_length", -1), ("grpc.max_metadata_size", 1 << 20))
    async with door.channel(large) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(CATALOG)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(bytes(MAX_MESSAGE_BYTES + 1), timeout=5)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"", timeout=5, metadata=(("x-much", "x" * (64 << 10)),))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await call(b"", timeout=5)


async def test_bytes_that_are_no_message_end_the_call_by_name(door: Door) -> None:
    async with door.channel() as channel:
        stub: Streams = channel.stream_stream("/connector.v1.ExchangeService/Exchange")
        call = stub()
        await call.write(b"\xff\xff\xff")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    await door.until(lambda: door.inside == 0)


async def test_health_is_told_to_members_and_changes_when_the_store_is_gone(door: Door) -> None:
    async with door.channel() as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        assert (await stub.Check(health_pb2.HealthCheckRequest())).status == 1
        await door.server.failing()
        assert (await stub.Check(health_pb2.HealthCheckRequest())).status == 2


def test_the_protective_lane_is_what_protects() -> None:
    """What data goes out by, and what is offered, needs full standing."""
    full = {name for name, rule in RULES.items() if rule.standing is Standing.FULL}
    assert {"/connector.v1.ExchangeService/Exchange", CATALOG} <= full
    assert "/connector.v1.ParticipantService/Carry" not in full
