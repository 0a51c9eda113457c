"""Who may call, by real handshakes: members by their own pinned keys, now, and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from connector.exchange.channel import Message, Signed
from connector.identity import change
from connector.identity.certificate import DAY, Issuer, issue_anchor, key_to_pem, to_pem
from connector.node import Node
from connector.peer.client import Client, Identity, RemoteError
from ledger.ambient import SystemAmbient
from ledger.names import ParticipantId
from tests.e2e.space import Space, reason, until
from tests.e2e.town import WINDOW, Town, write_varied
from tests.e2e.wire import Clock, Member, is_a, member

AMBIENT = SystemAmbient()


def stranger(_node: Node, called: str) -> Identity:
    """Own key, own anchor: on no list."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = Issuer(ParticipantId(called), key, issue_anchor(key, ParticipantId(called), AMBIENT))
    return Identity(key_to_pem(key), to_pem(issuer.leaf(AMBIENT)))


def expired(node: Node, _called: str) -> Identity:
    """The member's own key and anchor, and a certificate whose time was over yesterday."""
    return Identity(node.identity().key, to_pem(node.issuer.leaf(Clock(-2 * DAY), lifetime=DAY)))


def misnamed(node: Node, called: str) -> Identity:
    """A member's own key, and a certificate under its own anchor that names another member."""
    issuer = Issuer(ParticipantId(called), node.ring.tls, node.issuer.anchor)
    return Identity(node.identity().key, to_pem(issuer.leaf(AMBIENT)))


@pytest.mark.parametrize(
    ("shown", "called"),
    [
        (stranger, "did:web:stranger.example"),
        (stranger, "did:web:voltlinje.example"),
        (expired, "did:web:tester.example"),
        (misnamed, "did:web:voltlinje.example"),
    ],
    ids=["a stranger", "a stranger with a member's name", "an expired certificate", "another member's name"],
)
async def test_a_handshake_fails_for(town: Town, shown: Callable[[Node, str], Identity], called: str) -> None:
    async with member(town.tester) as tester:
        described = await tester.node.client.describe(ParticipantId(town.strandby.did))
        assert described.participant == town.strandby.did
        caller = _calling(tester, shown(tester.node, called))
        try:
            with pytest.raises(RemoteError) as refused:
                await caller.describe(ParticipantId(town.strandby.did))
        finally:
            await caller.close()
    assert reason(refused.value) == "UNAVAILABLE"


async def test_a_member_who_answers_at_anothers_address_is_not_taken_for_it(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with member(town.tester) as tester:
        client = tester.node.client
        (address,) = client.endpoints(ParticipantId(town.voltlinje.did))
        strandby = ParticipantId(town.strandby.did)
        monkeypatch.setattr(client, "endpoints", lambda _peer: (address,))
        with pytest.raises(RemoteError) as refused:
            await client.describe(strandby)
    assert reason(refused.value) == "UNAVAILABLE"


async def test_a_certificate_that_expires_on_an_open_connection_is_refused_from_then_on(town: Town) -> None:
    strandby = ParticipantId(town.strandby.did)
    async with member(town.tester) as tester:
        soon = to_pem(tester.node.issuer.leaf(AMBIENT, lifetime=2_000))
        caller = _calling(tester, Identity(tester.node.identity().key, soon))
        try:
            assert (await caller.describe(strandby)).participant == strandby
            reasons = {""}
            async with asyncio.timeout(10):
                while reasons == {""}:
                    try:
                        await caller.describe(strandby)
                    except RemoteError as error:
                        reasons.add(reason(error))
                    await asyncio.sleep(0.1)  # calls are counted, and too many are refused for that
            assert reasons == {"", "CERTIFICATE_EXPIRED"}
        finally:
            await caller.close()


async def test_a_request_in_another_members_name_is_refused_and_leaves_no_record(town: Town) -> None:
    async with member(town.tester) as tester:
        agreement = await tester.agree(town.strandby, "squares")
        before = len(town.strandby.leaves())

        def in_anothers_name(message: Message) -> Message:
            if isinstance(message, Signed) and is_a("request", message):
                return tester.signed_anew(message, sender=town.voltlinje.did)
            return message

        with pytest.raises(RemoteError) as refused:
            await tester.fetch(agreement, sending=in_anothers_name)
    assert reason(refused.value) == "OUT_OF_TURN"
    assert len(town.strandby.leaves()) == before


@pytest.fixture
def village(make_space: Callable[[], Space]) -> Space:
    """A municipality that runs and has published a film, and a company."""
    space = make_space()
    provider = space.add("Holmby", "municipality")
    space.add("Leaver", inbound=False)
    space.hand_out()
    space.start(provider)
    film = space.folder / "film.bin"
    write_varied(film, 6 * WINDOW)
    provider.publish("film", film, raw=True)
    return space


async def test_a_member_removed_in_mid_stream_is_cut_off_at_once_and_its_late_ack_still_counts(
    village: Space,
) -> None:
    provider, leaver = village.participants
    async with member(leaver) as removed:
        agreement = await removed.agree(provider, "film")
        commits = asyncio.Semaphore(0)

        def count_commits(message: Message) -> Message:
            if is_a("commit", message):
                commits.release()
            return message

        def withhold_acks(message: Message) -> Message | None:
            return None if is_a("ack", message) else message

        fetching = asyncio.create_task(
            removed.fetch(agreement, sending=withhold_acks, receiving=count_commits)
        )
        async with asyncio.timeout(20):
            for _ in range(4):  # W: the stream now waits for a signature
                await commits.acquire()
        row = _only_exchange(removed)
        await asyncio.to_thread(until, lambda: leaver.types(row), lambda types: types.count("ack") == 4)
        assert "ack" not in provider.types(row)

        await asyncio.to_thread(village.publish_list, change.remove(ParticipantId(leaver.did)), provider)
        with pytest.raises(RemoteError) as cut_off:
            await asyncio.wait_for(fetching, 2)
        assert reason(cut_off.value) == "NOT_ACTIVE"

        late = await asyncio.to_thread(
            until,
            lambda: [leaf for leaf in provider.leaves() if leaf["type"] == "ack"],
            lambda found: len(found) == 4,
        )
        assert {leaf["exchange"] for leaf in late} == {row}
        assert [(leaf["window"], leaf["bytes"]) for leaf in late] == [(at, WINDOW) for at in (1, 2, 3, 4)]

        for call in (
            removed.fetch(agreement),
            removed.ask("catalog", peer=provider.did, dcat=False),
        ):
            with pytest.raises(RemoteError) as denied:
                await call
            assert reason(denied.value) == "NOT_ACTIVE"


def _calling(tester: Member, identity: Identity) -> Client:
    return Client(identity=lambda: identity, trust=lambda: tester.node.trust, ambient=AMBIENT)


def _only_exchange(of: Member) -> str:
    with of.node.database.read_sqlite() as connection:
        ((exchange,),) = connection.execute("SELECT id FROM exchange").fetchall()
    return str(exchange)
