"""What a connector at work does by itself: tidies, and keeps what a handshake needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.control import running as running_module
from connector.control.running import Running
from connector.identity import change
from connector.identity.trust import TrustStore
from connector.store.tables import AgreementRow, NonceRow
from tests.control.homes import CITY, COMPANY, Homes, ask


@pytest.fixture
def homes(tmp_path: Path) -> Homes:
    return Homes(tmp_path)


@pytest.fixture
async def city(homes: Homes) -> AsyncIterator[Running]:
    async with homes.running(await homes.join(CITY)) as running:
        yield running


async def test_what_a_handshake_needs_is_made_once_for_many_and_anew_for_a_new_list(
    homes: Homes, city: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = 0
    roots = TrustStore.roots

    def counted(*arguments: Any) -> bytes:
        nonlocal made
        made += 1
        return roots(*arguments)

    monkeypatch.setattr(TrustStore, "roots", counted)
    monkeypatch.setattr(running_module, "ROOTS_KEPT_MS", 10**12)
    first = [city._certificates() for _ in range(100)]
    assert made == 1
    assert len(set(first)) == 1
    await homes.join(COMPANY)
    for number in range(city.node.trust.number + 1, homes.registrar.trust.number + 1):
        await city.node.take_list(homes.registrar.trust.signed(number))
    assert city._certificates()[2] != first[0][2]
    await city.node.take_list(homes.publish(change.renew()))
    city._certificates()
    assert made == 3


async def test_tidying_forgets_nonces_and_does_nothing_where_there_is_nothing(city: Running) -> None:
    node = city.node

    def put(transaction: Any) -> None:
        for number, deadline in enumerate((1, node.ambient.now() + 60_000)):
            transaction.session.add(NonceRow(peer=COMPANY, nonce=f"{number:064x}", deadline=deadline))

    await node.writer.write(put)
    before = await ask(city, "status")
    for _ in range(2):
        await node.tidy()
    with node.database.read() as session:
        kept = session.get(NonceRow, (COMPANY, f"{0:064x}")), session.get(NonceRow, (COMPANY, f"{1:064x}"))
    assert kept[0] is None
    assert kept[1] is not None
    assert (await ask(city, "status"))["log"]["size"] == before["log"]["size"]
    with node.database.read() as session:
        assert session.get(AgreementRow, "none") is None
