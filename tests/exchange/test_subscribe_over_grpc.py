"""The operations behind `subscribe` and `append`, between two connectors over mutual TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from connector.control.operation import run
from connector.peer import stream
from ledger.errors import BylagError
from ledger.fields import BadField
from tests.security.space import CITY, RealSpace

TABLE = b"hour,value\n1,10\n2,20\n"


@pytest_asyncio.fixture
async def space(tmp_path: Path) -> AsyncIterator[RealSpace]:
    space = RealSpace(tmp_path)
    await space.start()
    yield space
    await space.close()


async def agreement(space: RealSpace) -> str:
    table = space.folder / "hours.csv"
    table.write_bytes(TABLE)
    await space.ask(space.city, "publish", file=str(table), dataset="hours", append_only=True, columns={})
    made = await space.ask(space.company, "negotiate", provider=CITY, dataset="hours")
    return str(made["agreement"])


def follow(space: RealSpace, expected: int, **arguments: Any) -> tuple[asyncio.Task[Any], asyncio.Event]:
    """The company's subscription as a task, and an event: so many rows are acknowledged."""
    arrived = asyncio.Event()

    def report(doing: str, done: int, total: int | None) -> None:
        if done >= expected:
            arrived.set()

    return asyncio.create_task(run(space.company, "subscribe", arguments, report)), arrived


async def append(space: RealSpace, *rows: str) -> Any:
    more = space.folder / "more.csv"
    more.write_text("".join(f"{row}\n" for row in ("hour,value", *rows)))
    return await space.ask(space.city, "append", dataset="hours", file=str(more))


async def test_what_is_appended_reaches_the_inbox_of_whoever_subscribed(space: RealSpace) -> None:
    agreed = await agreement(space)
    following, arrived = follow(space, 2, agreement=agreed, rows=4)
    async with asyncio.timeout(20):
        await arrived.wait()
        assert (await append(space, "3,30", "4,40"))["position"] == 3
        done: Any = await following
    assert (done["state"], done["rows"], done["position"], done["gaps"]) == ("COMPLETED", 4, 5, [])
    used = await space.ask(space.company, "use", delivery=done["exchange"], purpose="PublicBenefit")
    assert used["text"] == "hour,value\n1,10\n2,20\n3,30\n4,40\n"

    await append(space, "5,50")
    again = await space.ask(space.company, "subscribe", agreement=agreed, rows=1)
    used = await space.ask(space.company, "use", delivery=again["exchange"], purpose="PublicBenefit")
    assert used["text"] == "5,50\n"
    for running in (space.city, space.company):
        verified = await space.ask(running, "ledger-verify")
        assert verified["verified"], verified["wrong"]


async def test_heartbeats_keep_a_quiet_subscription_open(
    space: RealSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreed = await agreement(space)
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(stream, "IDLE_SECONDS", 5.0)
    following, arrived = follow(space, 2, agreement=agreed, rows=3)
    async with asyncio.timeout(40):
        await arrived.wait()
        await asyncio.wait({following}, timeout=6.0)
        assert not following.done()
        await append(space, "3,30")
        assert (await following)["rows"] == 3


async def test_a_subscription_without_a_bound_is_refused_and_one_can_be_ended_early(space: RealSpace) -> None:
    agreed = await agreement(space)
    with pytest.raises(BadField):
        await space.ask(space.company, "subscribe", agreement=agreed)
    following, arrived = follow(space, 2, agreement=agreed, seconds=60)
    async with asyncio.timeout(20):
        await arrived.wait()
        exchange = (await space.ask(space.company, "deliveries"))[0]["exchange"]
        with pytest.raises(BylagError) as other:
            await space.ask(space.company, "resume", exchange=exchange)
        assert other.value.code == "OTHER_MODE"
        assert (await space.ask(space.company, "unsubscribe", exchange=exchange))["ending"] is True
        assert (await following)["state"] == "COMPLETED"
    with pytest.raises(BylagError) as closed:
        await space.ask(space.company, "unsubscribe", exchange=exchange)
    assert closed.value.code == "NOT_OPEN"
