"""A running connector uses a next key once a list names it, and a TLS key once peers can know it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connector.control.running import Running
from connector.identity import change
from connector.identity.certificate import DAY, read_leaf
from connector.identity.enrolment import read_rotation
from connector.identity.files import CannotWrite
from connector.identity.public import Job
from ledger.ambient import HeldAmbient
from ledger.document import from_base64url
from ledger.names import Thumbprint
from tests.control.homes import CITY, Homes, ask


async def rotated(homes: Homes, city: Running, use: str) -> Thumbprint:
    """The next key for a use, on a list that this connector took in."""
    asked = await ask(city, "rotate-key", use=use)
    told = asyncio.Event()
    city.node.on_list(lambda *_: told.set())
    rotation = change.rotate(read_rotation(from_base64url(asked["request"])))
    await city.node.take_list(homes.publish(rotation))
    await asyncio.wait_for(told.wait(), 10)
    return Thumbprint(asked["key"])


async def test_what_is_signed_next_is_signed_with_the_key_that_the_list_names(tmp_path: Path) -> None:
    homes = Homes(tmp_path)
    async with homes.running(await homes.join(CITY)) as city:
        before = city.node.ring.sign
        assert city.node.ground.signing_key() is before
        await ask(city, "rotate-key", use="sign")
        assert city.node.ground.signing_key() is before, "no list names the next one yet"
        key = await rotated(homes, city, "sign")
        assert city.node.ring.thumbprint(Job.SIGN) == key
        assert city.node.ground.signing_key() is city.node.ring.sign is not before
        assert city.node.own_party(None).key == key


async def test_a_witness_key_cosigns_from_the_list_on(tmp_path: Path) -> None:
    homes = Homes(tmp_path)
    async with homes.running(await homes.join(CITY)) as city:
        before = city.node.notary._cosigner().key
        await rotated(homes, city, "witness")
        after = city.node.notary._cosigner().key
        assert after.public == city.node.ring.witness.public_key().public_bytes_raw() != before.public


async def test_a_tls_key_is_shown_half_way_through_the_overlap(tmp_path: Path) -> None:
    """Until then peers with an older list could not tell whose it is."""
    ambient = HeldAmbient()
    homes = Homes(tmp_path, ambient)
    async with homes.running(await homes.join(CITY)) as city:
        before = city._certificates()
        key = await rotated(homes, city, "tls")
        await city.node.tidy()
        assert city._certificates()[:2] == before[:2]
        ambient.advance(4 * DAY)
        await city.node.tidy()
        assert city.node.ring.thumbprint(Job.TLS) == key
        shown = city._certificates()
        assert read_leaf(shown[1]).thumbprint == key
        assert city.node.identity().chain == shown[1]
        assert city.node.issuer.anchor.public_key() == city.node.ring.tls.public_key()


async def test_a_disk_that_is_full_leaves_the_key_in_use_and_it_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes = Homes(tmp_path)
    async with homes.running(await homes.join(CITY)) as city:
        before = city.node.ring.sign

        def full(*_: Any) -> Any:
            raise CannotWrite("sign.key cannot be written: No space left on device")

        with monkeypatch.context() as held:
            held.setattr("connector.identity.keyfolder.KeyFolder.replace", full)
            key = await rotated(homes, city, "sign")
            assert city.node.ring.sign is before
        await city.node.tidy()
        assert city.node.ring.thumbprint(Job.SIGN) == key
