"""Guests of a participant: vouched for once, and cut off at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.control.joining import make_home, request_to_join
from connector.control.operations.guests import VouchedFor
from connector.control.running import Running
from connector.identity.peer import Limit
from connector.node import Node
from connector.store.config import Config
from ledger.document import to_base64url
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


async def test_ending_a_guest_is_told_to_whoever_keeps_calls_open(city: Running, tmp_path: Path) -> None:
    told: list[Any] = []
    city.node.on_list(lambda *what: told.append(what))
    guest = await ask(city, "vouch", request=await a_request(tmp_path), assurance="low")
    assert told == []
    await ask(city, "end-guest", handle=guest["handle"])
    assert told == [(frozenset({guest["handle"]}), frozenset())]
    limit = city.node.directory.limit(guest["handle"], city.node.ambient.now())
    assert limit is Limit.VOUCHING_ENDED
