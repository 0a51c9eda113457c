"""A member whose home the test opens itself: real TLS, real messages, and the freedom to misbehave."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import connector.control.operations  # noqa: F401  # fills the table of operations
from connector.catalog.stored import StoredCatalog
from connector.control.operation import run
from connector.control.running import Running
from connector.control.views import NodeLog
from connector.exchange.channel import Channel, Message, Signed
from connector.exchange.consumer import ConsumerExchange
from connector.exchange.inbox import Delivery
from connector.exchange.wish import Wish, new_exchange
from connector.node import Node
from connector.store.tables import ExchangeRow
from ledger.ambient import Ambient, SystemAmbient
from ledger.canonical import JSON, decode_object
from ledger.document import header_of, sign
from ledger.names import AgreementId, DatasetId, ExchangeId, Milliseconds
from tests.e2e.space import Participant

Change = Callable[[Message], Message | None]
"""What becomes of a message on its way; None: it gets lost."""


class Altered:
    """A channel on which messages are changed, lost, or seen."""

    def __init__(self, channel: Channel, sending: Change, receiving: Change) -> None:
        self._channel = channel
        self._sending, self._receiving = sending, receiving

    @property
    def peer(self) -> str:
        return self._channel.peer

    async def send(self, message: Message) -> None:
        changed = self._sending(message)
        if changed is not None:
            await self._channel.send(changed)

    async def receive(self) -> Message | None:
        while (message := await self._channel.receive()) is not None:
            changed = self._receiving(message)
            if changed is not None:
                return changed
        return None


class Clock(SystemAmbient):
    """The machine's clock, some milliseconds off."""

    def __init__(self, off: int) -> None:
        self._off = off

    def now(self) -> Milliseconds:
        return Milliseconds(super().now() + self._off)


class Member:
    """One member, as the test drives it."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.node = running.node

    async def serve(self) -> None:
        """Take calls at the address that the list names."""
        catalog = StoredCatalog(self.node.database, self.node.snapshots)
        await self.running.serve(self.node.config.listen, catalog, NodeLog(self.node))

    async def ask(self, operation: str, **arguments: JSON) -> JSON:
        return await run(self.running, operation, arguments, lambda *_: None)

    async def agree(self, provider: Participant, dataset: str) -> AgreementId:
        done = await self.ask("negotiate", provider=provider.did, dataset=dataset)
        assert isinstance(done, dict)
        assert done["state"] == "FINALIZED", done
        return AgreementId(str(done["agreement"]))

    async def fetch(
        self,
        agreement: AgreementId,
        *,
        exchange: ExchangeId | None = None,
        resume: bool = False,
        purpose: str | None = None,
        sending: Change = lambda message: message,
        receiving: Change = lambda message: message,
    ) -> ExchangeRow:
        """Fetch as the operation does, over a channel that the test holds."""
        terms = self.node.agreements.terms(agreement)
        assert terms is not None
        exchange = exchange or new_exchange(self.node.ground)
        delivery = Delivery(
            self.node.home.inbox, exchange, self.node.delivery_cipher(exchange), self.node.ambient
        )
        async with self.node.client.exchange(terms.provider) as channel:
            altered = Altered(channel, sending, receiving)
            consumer = ConsumerExchange(self.node.ground, altered, terms, delivery, exchange=exchange)
            if resume:
                return await consumer.resume()
            return await consumer.fetch(Wish(DatasetId(terms.dataset), purpose or terms.purpose))

    def signed_anew(self, message: Signed, **changed: JSON) -> Signed:
        """The message with other members, under this member's own good signature."""
        content = {**decode_object(message.document.payload), **changed}
        return Signed(sign(content, self.node.ring.sign), message.opening)


def is_a(kind: str, message: Message | None) -> bool:
    """Whether a message is a signed one of a kind."""
    return isinstance(message, Signed) and header_of(message.document.jws).kind == kind


@asynccontextmanager
async def member(participant: Participant, ambient: Ambient | None = None) -> AsyncIterator[Member]:
    """Open a member's home in this process."""
    running = Running(Node(participant.home, ambient=ambient))
    try:
        yield Member(running)
    finally:
        await running.close()
