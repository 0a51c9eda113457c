"""Guests of a participant: vouched for once, and cut off at once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.control.joining import make_home, request_to_join, take_answer
from connector.control.operations.guests import NoSuchGuest
from connector.control.running import Running
from connector.identity import change
from connector.identity.certificate import DAY
from connector.identity.guest import request
from connector.identity.keys import GUEST_JOBS, KeyRing
from connector.identity.peer import GuestKind, Limit
from connector.identity.public import Job
from connector.identity.stored import VouchedFor, credentials
from connector.identity.trust import KeyNotValid
from connector.node import Node
from connector.store.config import Config
from ledger.ambient import HeldAmbient
from ledger.document import from_base64url, to_base64url
from ledger.errors import BylagError
from tests.control.homes import CITY, SPACE, Homes, ask


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[Running]:
    homes = Homes(tmp_path)
    async with homes.running(await homes.join(CITY)) as running:
        yield running


async def a_request(folder: Path) -> str:
    config = Config(SPACE, "guest", "", "Somebody", "citizen", "", "", CITY, ())
    node = Node(make_home(folder / "guest", config, None))
    try:
        return to_base64url(request_to_join(node))
    finally:
        await node.close()


async def test_the_same_keys_are_vouched_for_once_and_the_refusal_names_nobody(
    city: Running, tmp_path: Path
) -> None:
    request = await a_request(tmp_path)
    first = await ask(city, "vouch", request=request, assurance="high")
    with pytest.raises(VouchedFor) as refused:
        await ask(city, "vouch", request=request, assurance="high")
    said = f"{refused.value} {refused.value.next_step} {refused.value.__cause__}"
    assert first["handle"].removeprefix("guest:") not in said
    assert [guest["handle"] for guest in await ask(city, "guests")] == [first["handle"]]


async def test_what_was_signed_under_an_earlier_credential_verifies_after_a_restart(tmp_path: Path) -> None:
    """Keys are changed, then the credential is renewed: each counts for the time it was given for."""
    ambient = HeldAmbient()
    homes = Homes(tmp_path, ambient)
    home = await homes.join(CITY)
    old = KeyRing.create(tmp_path / "old-keys", ambient, jobs=GUEST_JOBS)
    new = KeyRing.create(tmp_path / "new-keys", ambient, jobs=GUEST_JOBS)
    async with homes.running(home) as city:
        first = request(old, SPACE, CITY, GuestKind.CITIZEN, ambient)
        given = await ask(city, "vouch", request=to_base64url(first), assurance="high")
        handle = given["handle"]
        signed = ambient.now()
        ambient.advance(30 * DAY)
        change_it = request(new, SPACE, CITY, GuestKind.CITIZEN, ambient, previous=(handle, old))
        changed = await ask(city, "vouch", request=to_base64url(change_it), assurance="high")
        assert changed["handle"] == handle
        later = ambient.now()
        ambient.advance(DAY)
        with pytest.raises(KeyNotValid):  # the old keys were replaced, whatever their credential says
            city.node.directory.verification_key(handle, old.thumbprint(Job.SIGN), Job.SIGN, ambient.now())
        ambient.advance(299 * DAY)
        await city.node.take_list(homes.publish(change.renew()))
        await ask(city, "renew-guest", handle=handle)
        assert [guest["handle"] for guest in await ask(city, "guests")] == [handle]
    ambient.advance(200 * DAY)
    async with homes.open(home) as node:
        for ring, at in ((old, signed), (new, later), (new, ambient.now())):
            key = node.directory.verification_key(handle, ring.thumbprint(Job.SIGN), Job.SIGN, at)
            assert key == ring.sign.public_key()
        with pytest.raises(KeyNotValid):
            node.directory.verification_key(handle, old.thumbprint(Job.SIGN), Job.SIGN, ambient.now())
        shown = node.guests.identify(new.thumbprint(Job.TLS), ambient.now())
        assert shown is not None
        assert shown[0].id == handle
        assert node.guests.identify(old.thumbprint(Job.TLS), ambient.now()) is None


async def test_keys_are_changed_only_by_whoever_holds_the_old_ones(city: Running, tmp_path: Path) -> None:
    ambient = city.node.ambient
    first = await ask(city, "vouch", request=await a_request(tmp_path), assurance="high")
    thief, fake = (KeyRing.create(tmp_path / each, ambient, jobs=GUEST_JOBS) for each in ("thief", "fake"))
    stolen = request(thief, SPACE, CITY, GuestKind.CITIZEN, ambient, previous=(first["handle"], fake))
    with pytest.raises(BylagError):
        await ask(city, "vouch", request=to_base64url(stolen), assurance="high")
    await ask(city, "end-guest", handle=first["handle"])
    with pytest.raises(NoSuchGuest):
        await ask(city, "vouch", request=to_base64url(stolen), assurance="high")
    with pytest.raises(NoSuchGuest):
        await ask(city, "renew-guest", handle=first["handle"])


async def test_a_guest_keeps_every_credential_they_were_given(tmp_path: Path) -> None:
    ambient = HeldAmbient()
    homes = Homes(tmp_path, ambient)
    async with homes.running(await homes.join(CITY)) as city:
        guest = await homes.guest(city)
        handle = (await ask(city, "guests"))[0]["handle"]
        ambient.advance(DAY)
        renewed = await ask(city, "renew-guest", handle=handle)
    for _ in range(2):  # taking the same answer again changes nothing
        async with homes.open(guest) as node:
            take_answer(node, from_base64url(renewed["answer"]), homes.registrar.trust.first.fingerprint)
    async with homes.open(guest) as node:
        with node.database.read() as session:
            assert len(list(credentials(session, handle))) == 2


async def test_an_export_holds_a_guest_only_when_it_is_made_for_them(city: Running, tmp_path: Path) -> None:
    guest = await ask(city, "vouch", request=await a_request(tmp_path), assurance="low")
    handle = guest["handle"]
    await ask(city, "ledger-export", out=str(tmp_path / "for-anybody"))
    await ask(city, "ledger-export", out=str(tmp_path / "for-them"), guest=handle)

    def named(folder: Path) -> list[str]:
        files = [path for path in folder.rglob("*") if path.is_file()]
        return [path.parts[-2] for path in files if handle.encode() in content(path)]

    assert named(tmp_path / "for-anybody") == []
    assert "guest-credential" in named(tmp_path / "for-them")
    with pytest.raises(NoSuchGuest):
        await ask(city, "ledger-export", out=str(tmp_path / "for-nobody"), guest="guest:" + "0" * 32)


def content(path: Path) -> bytes:
    """What a file says, with the payloads of signed documents in the clear."""
    data = path.read_bytes()
    if path.parts[-3] == "documents":
        data += from_base64url(json.loads(data)["payload"])
    return data


async def test_ending_a_guest_is_told_to_whoever_keeps_calls_open(city: Running, tmp_path: Path) -> None:
    told: list[Any] = []
    city.node.on_list(lambda *what: told.append(what))
    guest = await ask(city, "vouch", request=await a_request(tmp_path), assurance="low")
    assert told == []
    await ask(city, "end-guest", handle=guest["handle"])
    assert told == [(frozenset({guest["handle"]}), frozenset())]
    limit = city.node.directory.limit(guest["handle"], city.node.ambient.now())
    assert limit is Limit.VOUCHING_ENDED
