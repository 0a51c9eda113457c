"""Going for Requests that wait at a consumer who cannot, or need not, call this provider.

The announcement is a signed notice in the outbox; taking it starts a stream to the consumer, on
which the consumer's Request is admitted like any other (``connector.exchange.waiting``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from connector.exchange.answer import provide
from connector.exchange.channel import Collect, Signed
from connector.exchange.conversation import OutOfTurn
from connector.exchange.ground import Ground
from connector.exchange.newest import NewestList
from connector.identity.public import Job
from connector.peer.client import Client
from connector.peer.post import Post
from connector.peer.status import reason_of
from connector.store import outbox
from connector.store.writer import Transaction
from ledger.canonical import JSONObject
from ledger.document import SignedDocument, header_of, sign, verify
from ledger.errors import BylagError
from ledger.fields import Fields
from ledger.names import ExchangeId, ParticipantId

logger = logging.getLogger("bylag.collecting")

REQUEST_WAITING: Final = "request-waiting"
COLLECT: Final = "collect"
"""How a commit that took such a notice is marked."""


class Collecting:
    """Announces this side's waiting Requests, and goes for others'."""

    def __init__(self, client: Client, ground: Callable[[], Ground], post: Callable[[], Post]) -> None:
        self._client = client
        self._ground = ground
        self._post = post
        self._pending: list[tuple[ParticipantId, ExchangeId]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def announce(self, transaction: Transaction, provider: ParticipantId, exchange: ExchangeId) -> None:
        """Tell a provider, through the outbox, that a Request waits for it."""
        post = self._post()
        document = sign({**post.members(REQUEST_WAITING, provider), "exchange": exchange}, post.signing_key())
        outbox.put(transaction, provider, document, {}, post.now())

    def take(
        self, transaction: Transaction, peer: ParticipantId, document: SignedDocument, _opening: JSONObject
    ) -> None:
        """Take an announcement; the stream is opened after the commit."""
        post = self._post()
        kid = header_of(document.jws).kid
        key = post.directory().verification_key(peer, kid, Job.SIGN, post.now())
        fields = Fields(verify(document, REQUEST_WAITING, key))
        if fields.text("recipient") != self._ground().me:
            raise OutOfTurn("the announcement is not for this participant", field="recipient")
        self._pending.append((peer, ExchangeId(fields.text("exchange", limit=64))))
        transaction.marks.add(COLLECT)

    def go(self) -> None:
        """Open a stream for each announcement that was taken; on the event loop."""
        pending, self._pending = self._pending, []
        for peer, exchange in pending:
            task = asyncio.create_task(self._collect(peer, exchange))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up every stream that was opened here."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _collect(self, peer: ParticipantId, exchange: ExchangeId) -> None:
        try:
            async with self._client.exchange(peer) as stream:
                channel = NewestList(self._ground(), stream)
                await channel.send(Collect(exchange, 1))
                first = await channel.receive()
                if not isinstance(first, Signed):
                    raise OutOfTurn("the waiting Request did not come", field="body")
                await provide(self._ground(), channel, first)
        except BylagError as error:
            logger.info("a waiting request was not served", extra={"reason": reason_of(error)})
