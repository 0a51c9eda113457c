"""Requests that wait for a provider who must call: one of two participants needs an endpoint, either.

Rules that hold here (LEDGER.md section 3, "Outbox"): the consumer announces through the outbox that
a Request waits; the provider opens a stream and comes for it with a ``Collect``. Who dialled gives
nobody a role: the Request is signed only when the stream is there, and is admitted like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from connector.exchange.attempts import AttemptUnderWay
from connector.exchange.channel import Channel, Collect
from connector.exchange.conversation import OutOfTurn
from connector.exchange.provider import Interrupted
from ledger.names import ExchangeId, ParticipantId

COLLECT_SECONDS: Final = 60.0


_Place = tuple[ParticipantId, ExchangeId]


class WaitingRequests:
    """The consumer's side: exchanges that wait for the provider's stream."""

    def __init__(self) -> None:
        self._waiting: dict[_Place, asyncio.Future[Channel]] = {}
        self._done: dict[_Place, asyncio.Event] = {}

    @asynccontextmanager
    async def channel(
        self, provider: ParticipantId, exchange: ExchangeId, announce: Callable[[], Awaitable[None]]
    ) -> AsyncIterator[Channel]:
        """Announce a Request and wait for the provider to come; its stream stays open inside the block.

        Raises :class:`~connector.exchange.provider.Interrupted` when nobody came, and
        :class:`~connector.exchange.attempts.AttemptUnderWay` when this exchange waits already.
        """
        place = (provider, exchange)
        if place in self._done:
            raise AttemptUnderWay("this exchange waits for its provider", field="exchange")
        arrival: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()
        self._waiting[place], self._done[place] = arrival, asyncio.Event()
        try:
            yield await self._arrived(place, arrival, announce)
        finally:
            self._done.pop(place).set()

    async def _arrived(
        self, place: _Place, arrival: asyncio.Future[Channel], announce: Callable[[], Awaitable[None]]
    ) -> Channel:
        try:
            await announce()
            async with asyncio.timeout(COLLECT_SECONDS):
                return await arrival
        except TimeoutError as error:
            raise Interrupted("the provider did not come for the request") from error
        finally:
            del self._waiting[place]

    async def collected(self, collect: Collect, channel: Channel) -> None:
        """A provider came for a Request: hand its stream over, and return when it is done with."""
        place = (ParticipantId(channel.peer), ExchangeId(collect.exchange))
        arrival = self._waiting.get(place)
        if arrival is None or arrival.done():
            raise OutOfTurn("no request of that exchange waits for this provider", field="exchange")
        arrival.set_result(channel)
        await self._done[place].wait()
