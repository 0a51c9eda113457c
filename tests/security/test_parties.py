"""What belongs to an agreement or a negotiation is between its own parties, over real TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.contract.errors import NotThisNegotiation
from connector.peer.status import RemoteError
from ledger.names import AgreementId
from tests.security.space import CITY, COMPANY, OTHER, RealSpace


@pytest.fixture
async def space(tmp_path: Path) -> AsyncIterator[RealSpace]:
    space = RealSpace(tmp_path)
    await space.start()
    yield space
    await space.close()


async def refused(call: Any) -> str:
    with pytest.raises(RemoteError) as caught:
        await call
    return caught.value.reason


async def test_others_learn_nothing_of_an_agreement_and_cannot_speak_in_its_negotiation(
    space: RealSpace,
) -> None:
    agreement = AgreementId(await space.agreement())
    assert await space.company.node.client.head(CITY, agreement)
    stranger = space.other.node.client
    assert await refused(stranger.head(CITY, agreement)) == "NO_SUCH_AGREEMENT"
    assert await refused(stranger.head(CITY, AgreementId("no-such-agreement"))) == "NO_SUCH_AGREEMENT"

    asked = space.company.node.desk.all()[0].negotiation.history[0].message.document
    desk, writer = space.city.node.desk, space.city.node.writer
    with pytest.raises(NotThisNegotiation):
        await writer.write(lambda transaction: desk.take(transaction, OTHER, asked, {}))
    await writer.write(lambda transaction: desk.take(transaction, COMPANY, asked, {}))
