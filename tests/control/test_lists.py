"""What a node keeps of membership lists: every link, whatever was undone, and a proof for ever."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from connector.control.running import Running
from connector.identity import change
from connector.identity.equivocation import Equivocation
from connector.identity.membership import MalformedList
from connector.identity.peer import Limit
from connector.identity.trust import TrustStore
from connector.node import Node
from connector.store.database import StoreUnavailable
from connector.store.home import Home, HomeLock
from connector.store.tables import ListRow
from ledger.errors import BylagError
from tests.control.homes import CITY, COMPANY, Homes, ask


@pytest.fixture
def homes(tmp_path: Path) -> Homes:
    return Homes(tmp_path)


@pytest.fixture
async def city(homes: Homes) -> Home:
    await homes.join(COMPANY)
    return await homes.join(CITY)


def stored(node: Node) -> list[int]:
    with node.database.read() as session:
        return [row.number for row in session.exec(select(ListRow).order_by(col(ListRow.number)))]


async def test_a_list_whose_transaction_was_undone_is_stored_with_the_next_one(
    homes: Homes, city: Home
) -> None:
    """A notice may bring a good list and then nonsense: the chain in the store must not have a gap."""
    async with homes.open(city) as node:
        held = node.trust.number

        def good_then_nonsense(transaction: Any) -> None:
            node.take_list_in(transaction, homes.publish(change.renew()))
            raise BylagError("nonsense after it")

        with pytest.raises(BylagError, match="nonsense"):
            await node.writer.write(good_then_nonsense)
        assert stored(node)[-1] == held
        await node.take_list(homes.publish(change.renew()))
        assert stored(node) == list(range(1, held + 3))
    async with homes.open(city) as node:
        assert node.trust.links == homes.registrar.trust.links


async def test_a_start_goes_on_from_what_was_verified_before(
    homes: Homes, city: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with homes.open(city) as node:
        await node.take_list(homes.publish(change.renew()))

    def again(*_: Any) -> Any:
        raise AssertionError("nothing is verified a second time")

    async with homes.open(city) as node:
        with monkeypatch.context() as watched:
            watched.setattr(TrustStore, "accept", again)
            assert node.trust.links == homes.registrar.trust.links
        assert node.trust.signed(1) == homes.registrar.trust.signed(1)
        signed = homes.publish(change.renew())
        await node.take_list(signed)
        assert node.trust.signed(node.trust.number) == signed


async def test_a_stored_list_that_was_changed_is_noticed_at_the_start(homes: Homes, city: Home) -> None:
    async with homes.open(city) as node:

        def change_it(transaction: Any) -> None:
            transaction.session.get_one(ListRow, 1).digest = "0" * 64

        node.writer.submit(change_it).result()
        with pytest.raises(MalformedList, match="damaged"):
            _ = node.trust


async def test_two_lists_of_one_number_stop_everything_also_after_a_restart(homes: Homes, city: Home) -> None:
    one, other = homes.publish_twice(change.renew(), change.suspend(COMPANY))
    told: list[Any] = []
    async with homes.running(city) as running:
        node = running.node
        heard = asyncio.Event()
        node.on_list(lambda *_: heard.set())
        await node.take_list(one)
        async with asyncio.timeout(30):
            await heard.wait()
        assert node.directory.limit(COMPANY, node.ambient.now()) is None
        heard.clear()
        node.on_list(lambda *what: told.append(what))
        with pytest.raises(Equivocation):
            await node.take_list(other)
        async with asyncio.timeout(30):
            await heard.wait()
        assert told == [(frozenset(), frozenset())], "whoever keeps calls open looks at each of them again"
        assert node.directory.limit(COMPANY, node.ambient.now()) is Limit.LIST_CONTESTED
        proof = node.trust.proof

    async with homes.open(city) as node:
        assert node.trust.proof == proof
        assert node.directory.limit(COMPANY, node.ambient.now()) is Limit.LIST_CONTESTED
        for usable in (lambda: node.trust.require_valid(node.ambient.now()), lambda: node.trust.accept(one)):
            with pytest.raises(Equivocation):
                usable()
        assert node.trust.find(COMPANY) is not None, "who somebody is can still be looked up"


async def test_the_home_is_given_back_also_when_the_last_checkpoint_cannot_be_signed(
    homes: Homes, city: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: Any) -> Any:
        raise StoreUnavailable("the disk is full")

    with pytest.raises(StoreUnavailable):
        async with homes.open(city) as node:
            monkeypatch.setattr(node.notary, "publish", full)
    HomeLock(city).release()


async def test_who_is_suspended_or_removed_is_told_by_status_and_doctor(homes: Homes, city: Home) -> None:
    async def said(running: Running) -> tuple[str, bool]:
        checks = (await ask(running, "doctor"))["checks"]
        standing = next(each["ok"] for each in checks if each["check"] == "standing")
        return (await ask(running, "status"))["standing"], standing

    async with homes.running(city) as running:
        assert await said(running) == ("active", True)
        await running.node.take_list(homes.publish(change.suspend(CITY)))
        assert await said(running) == ("suspended", False)
        await running.node.take_list(homes.publish(change.remove(CITY)))
        assert await said(running) == ("removed", False)
