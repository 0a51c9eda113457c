"""Real mutual TLS on grpc.aio: who gets through a handshake, and whom the directory then knows.

The clock is the machine's, because TLS goes by it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from connector.identity import change, guest
from connector.identity.certificate import (
    DAY,
    Issuer,
    issue_anchor,
    key_to_pem,
    read_leaf,
    server_name,
    to_pem,
)
from connector.identity.credential import read_credential
from connector.identity.directory import Directory
from connector.identity.guestbook import GuestBook
from connector.identity.keys import GUEST_JOBS, KeyRing
from connector.identity.peer import Assurance, GuestKind, PeerRefused
from connector.identity.public import Job
from ledger.ambient import HeldAmbient, SystemAmbient
from ledger.errors import BylagError
from tests.identity.world import ALVIK, BERGA, CETUS, SPACE, Participant, Space


@dataclass
class Caller:
    key: ec.EllipticCurvePrivateKey
    leaf: bytes


class World:
    """Three members with the machine's clock."""

    def __init__(self, folder: Path) -> None:
        self.ambient = SystemAmbient()
        self.space = Space(folder, self.ambient)
        self.alvik, self.berga, self.cetus = map(self.space.join, (ALVIK, BERGA, CETUS))
        self.everybody = (self.alvik, self.berga, self.cetus)
        for participant in self.everybody:
            self.space.catch_up(participant.trust)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("space"))


@asynccontextmanager
async def serving(member: Participant, guests: GuestBook | None = None) -> AsyncIterator[int]:
    """A server that answers who called, by the directory."""
    directory = Directory(member.trust, guests)

    async def who(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        (pem,) = context.auth_context()["x509_pem_cert"]
        try:
            return directory.identify(read_leaf(pem), member.ambient.now()).id.encode()
        except PeerRefused as error:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, error.code)

    server = grpc.aio.server()
    handler = grpc.method_handlers_generic_handler("test", {"Who": grpc.unary_unary_rpc_method_handler(who)})
    server.add_generic_rpc_handlers((handler,))
    credentials = grpc.ssl_server_credentials(
        [(key_to_pem(member.ring.tls), member.leaf())], member.trust.roots(member.ambient.now()), True
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


async def call(port: int, caller: Caller, roots: bytes, name: str) -> str:
    """What the server says of the caller, or the status's code and details."""
    credentials = grpc.ssl_channel_credentials(roots, key_to_pem(caller.key), caller.leaf)
    options: Sequence[tuple[str, str]] = (("grpc.ssl_target_name_override", name),)
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=options) as channel:
        try:
            ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test/Who")
            return (await ask(b"", timeout=5)).decode()
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                return "no handshake"
            return str(error.details())


async def knock(world: World, caller: Caller, guests: GuestBook | None = None) -> str:
    """The caller calls Alvik, trusting Alvik alone."""
    now = world.ambient.now()
    async with serving(world.alvik, guests) as port:
        return await call(port, caller, world.berga.trust.roots_for(ALVIK, now), server_name(ALVIK))


def as_member(member: Participant) -> Caller:
    return Caller(member.ring.tls, member.leaf())


async def test_a_member_is_let_in_and_known(world: World) -> None:
    assert await knock(world, as_member(world.berga)) == BERGA


async def test_a_renewed_certificate_needs_no_registrar(world: World) -> None:
    number = world.space.registrar.trust.number
    first, second = world.berga.leaf(), world.berga.leaf()
    assert first != second
    for leaf in (first, second):
        assert await knock(world, Caller(world.berga.ring.tls, leaf)) == BERGA
    assert world.space.registrar.trust.number == number


async def test_an_expired_certificate_is_refused(world: World) -> None:
    before = HeldAmbient(world.ambient.now() - 2 * DAY)
    expired = to_pem(world.berga.issuer.leaf(before, DAY))
    assert await knock(world, Caller(world.berga.ring.tls, expired)) == "no handshake"


async def test_another_key_with_the_same_names_is_refused(world: World) -> None:
    thief = ec.generate_private_key(ec.SECP256R1())
    forged = Issuer(BERGA, thief, issue_anchor(thief, BERGA, world.ambient))
    assert await knock(world, Caller(thief, to_pem(forged.leaf(world.ambient)))) == "no handshake"
    # The real anchor's name on it does not help without the real anchor's key.
    posing = Issuer(BERGA, thief, world.berga.issuer.anchor)
    assert await knock(world, Caller(thief, to_pem(posing.leaf(world.ambient)))) == "no handshake"


async def test_a_copied_certificate_is_worth_nothing_without_its_key(world: World) -> None:
    thief = ec.generate_private_key(ec.SECP256R1())
    try:
        answer = await knock(world, Caller(thief, world.berga.leaf()))
    except ValueError:
        return  # this grpc refuses to load the pair at all
    assert answer == "no handshake"


async def test_another_members_name_is_refused_in_the_handshake(world: World) -> None:
    own = world.cetus.issuer
    posing = Issuer(BERGA, own.key, own.anchor)  # Cetus' key and anchor, Berga's name
    assert await knock(world, Caller(own.key, to_pem(posing.leaf(world.ambient)))) == "no handshake"


def test_another_members_name_is_refused_even_where_no_handshake_looked(world: World) -> None:
    own = world.cetus.issuer
    posing = to_pem(Issuer(BERGA, own.key, own.anchor).leaf(world.ambient))
    with pytest.raises(BylagError) as caught:
        world.alvik.meets(posing)
    assert caught.value.code == "WRONG_NAME"


async def test_a_client_reaches_the_member_it_means_and_nobody_else(world: World) -> None:
    now, caller = world.ambient.now(), as_member(world.berga)
    async with serving(world.cetus) as port:
        roots = world.berga.trust.roots_for(ALVIK, now)
        assert await call(port, caller, roots, server_name(ALVIK)) == "no handshake"
        everybody = world.berga.trust.roots(now)
        assert await call(port, caller, everybody, server_name(ALVIK)) == "no handshake"
        assert await call(port, caller, everybody, server_name(CETUS)) == BERGA


async def test_a_guest_is_let_in_by_their_controller_alone(world: World) -> None:
    ring = KeyRing.create(world.space.folder / "guest", world.ambient, jobs=GUEST_JOBS)
    asked = guest.read_guest_request(guest.request(ring, SPACE, ALVIK, GuestKind.CITIZEN, world.ambient))
    signed = guest.vouch(
        asked,
        controller=ALVIK,
        space=SPACE,
        ring=world.alvik.ring,
        assurance=Assurance.SUBSTANTIAL,
        ambient=world.ambient,
    )
    answer = guest.answer(signed, world.alvik.issuer, world.space.registrar.answer, world.ambient)
    credential = read_credential(answer.credential)
    caller = Caller(ring.tls, answer.certificate)
    assert await knock(world, caller, GuestBook(ALVIK, [credential])) == credential.handle
    now = world.ambient.now()
    async with serving(world.berga, GuestBook(BERGA)) as port:
        refused = await call(port, caller, world.alvik.trust.roots_for(BERGA, now), server_name(BERGA))
    assert refused == "UNKNOWN_PEER"


async def test_a_removed_member_still_shakes_hands_and_a_compromised_key_does_not(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.space.publish(change.remove(BERGA), *world.everybody)
    assert await knock(world, as_member(world.berga)) == BERGA
    stolen = world.berga.ring.thumbprint(Job.TLS)
    world.space.publish(change.compromised(BERGA, stolen, world.ambient.now()), *world.everybody)
    assert await knock(world, as_member(world.berga)) == "no handshake"
