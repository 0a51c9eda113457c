"""The gate, over real TLS: who may call what, and what happens to calls that are open already."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.identity import change
from connector.identity.peer import Standing
from connector.peer.rules import RULES, Rule
from connector.peer.status import RemoteError
from ledger.errors import BylagError
from ledger.names import AgreementId
from tests.security.space import CITY, COMPANY, RealSpace

CATALOG = "/connector.v1.CatalogService/GetCatalog"


@pytest.fixture
async def space(tmp_path: Path) -> AsyncIterator[RealSpace]:
    space = RealSpace(tmp_path)
    await space.start()
    yield space
    await space.close()


async def pages(space: RealSpace) -> list[bytes]:
    return [page async for page in space.company.node.client.catalog(CITY)]


async def refused(call: Any) -> str:
    with pytest.raises(BylagError) as caught:
        await call
    assert isinstance(caught.value, RemoteError)
    return caught.value.reason


async def test_each_call_is_held_to_the_table_and_to_what_the_list_says_now(
    space: RealSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await pages(space) == [b"[]"]

    # A call that no table of rules knows is refused, whoever calls.
    with monkeypatch.context() as without:
        without.delitem(RULES, CATALOG)
        assert await refused(pages(space)) == "UNLISTED_CALL"

    # An agreement's records are for its parties; for others there is no such agreement.
    agreement = AgreementId(await space.agreement())
    assert await space.company.node.client.head(CITY, agreement)
    assert await refused(space.other.node.client.head(CITY, agreement)) == "NO_SUCH_AGREEMENT"
    unknown = AgreementId("no-such-agreement")
    assert await refused(space.other.node.client.head(CITY, unknown)) == "NO_SUCH_AGREEMENT"

    # A member that is removed in mid-stream is cut off at once, with a status, and served no more.
    async with space.company.node.client.exchange(CITY) as channel:
        await space.publish(change.remove(COMPANY))
        with pytest.raises(RemoteError) as ended:
            await channel.receive()
        assert ended.value.reason == "NOT_ACTIVE"
    assert await refused(pages(space)) == "NOT_ACTIVE"

    # What protects goes on being heard.
    assert (await space.company.node.client.describe(CITY)).participant == CITY
    assert await space.company.node.client.head(CITY, agreement)
    monkeypatch.setitem(RULES, CATALOG, Rule(Standing.PROTECTIVE, 30))
    assert await pages(space) != []
