"""The consumer's connector in a process of its own: ``python -m tests.benchmarks.asker HOME``.

It negotiates, asks and fetches through the same rooms as the command does, and measures what its
caller waits for.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import connector.control.operations  # noqa: F401  # enters the operations into their table
from connector.control.operation import run
from connector.control.running import Running
from connector.exchange.asking import AskingSession
from connector.exchange.channel import Answer, Channel, Frame, Message, Question
from connector.exchange.consumer import ConsumerExchange
from connector.exchange.inbox import Delivery
from connector.exchange.wish import Wish, new_exchange
from connector.node import Node
from connector.peer.convert import encode_message
from connector.store.home import Home
from ledger import log
from ledger.canonical import JSONObject, encode
from ledger.names import AgreementId, DatasetId
from tests.benchmarks.load import closed_loop
from tests.benchmarks.process import Command, obey
from tests.benchmarks.space import PROVIDER, ROWS_A_KEY


class FirstByte:
    """A channel that notes when the first frame came."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.seen: float | None = None

    @property
    def peer(self) -> str:
        return self._channel.peer

    async def send(self, message: Message) -> None:
        await self._channel.send(message)

    async def receive(self) -> Message | None:
        message = await self._channel.receive()
        if self.seen is None and isinstance(message, Frame):
            self.seen = time.perf_counter()
        return message


class Asker:
    """The consumer, and what it is told to do."""

    def __init__(self, home: Path) -> None:
        self.running = Running(Node(Home(home)))
        self.node = self.running.node
        self.session: AskingSession | None = None
        self._open = AsyncExitStack()

    async def negotiate(self, dataset: str) -> Command:
        """An agreement on a dataset, by the provider's rule; how long it took."""
        begun = time.perf_counter()
        arguments: JSONObject = {"provider": PROVIDER, "dataset": dataset}
        found: Any = await run(self.running, "negotiate", arguments, _ignore)
        return {"agreement": found["agreement"], "seconds": time.perf_counter() - begun}

    async def open_session(self, agreement: str, keys: int) -> Command:
        """Open a query session; the sizes of a question and its answer on the wire."""
        channel = await self._open.enter_async_context(self.node.client.exchange(PROVIDER))
        exchange, consumer = self._exchange(agreement, channel)
        terms = self.node.agreements.terms(AgreementId(agreement))
        if terms is None:
            raise ValueError("no such agreement")
        wish = Wish(DatasetId(terms.dataset), terms.purpose, mode="query")
        conversation, digest = await consumer.open_session(wish)
        self.session = AskingSession(self.node.ground, channel, conversation, digest, 0)
        self._keys = itertools.cycle(range(keys))
        selection = _selection(keys // 2)
        rows = await self.session.ask(selection)
        if rows.count(b"\n") != ROWS_A_KEY + 1:
            raise ValueError("the answer has other rows than were asked for")
        return {
            "exchange": exchange,
            "question": len(encode_message(Question(1 << 13, encode(selection)))),
            "answer": len(encode_message(Answer(1 << 13, 1 << 7, 1 << 5, bytes(32), rows))),
        }

    async def load(self, concurrency: int, seconds: float) -> Command:
        """Ask in the open session, ``concurrency`` at a time."""
        session, keys = self.session, self._keys
        if session is None:
            raise ValueError("open a session first")
        return await closed_loop(lambda: session.ask(_selection(next(keys))), concurrency, seconds)

    async def close_session(self) -> Command:
        """Finish the session."""
        if self.session is not None:
            await self.session.finish()
        await self._open.aclose()
        return {}

    async def fetch(self, agreement: str) -> Command:
        """Receive a dataset whole, synced and signed for, then throw it away."""
        begun = time.perf_counter()
        async with self.node.client.exchange(PROVIDER) as channel:
            first = FirstByte(channel)
            exchange, consumer = self._exchange(agreement, first)
            terms = self.node.agreements.terms(AgreementId(agreement))
            if terms is None:
                raise ValueError("no such agreement")
            row = await consumer.fetch(Wish(DatasetId(terms.dataset), terms.purpose))
            seconds = time.perf_counter() - begun
        await asyncio.to_thread(shutil.rmtree, self.node.home.inbox / exchange)
        return {"seconds": seconds, "bytes": row.size, "first_byte": (first.seen or begun) - begun}

    async def leaves(self) -> Command:
        """How many records there are."""
        with self.node.database.read_sqlite() as connection:
            return {"leaves": log.size(connection)}

    def _exchange(self, agreement: str, channel: Channel) -> tuple[str, ConsumerExchange]:
        node = self.node
        exchange = new_exchange(node.ground)
        terms = node.agreements.terms(AgreementId(agreement))
        if terms is None:
            raise ValueError("no such agreement")
        delivery = Delivery(node.home.inbox, exchange, node.delivery_cipher(exchange), node.ambient)
        return exchange, ConsumerExchange(node.ground, channel, terms, delivery, exchange=exchange)


def _selection(key: int) -> JSONObject:
    return {"where": [{"column": "meter", "op": "eq", "value": key}], "limit": ROWS_A_KEY}


def _ignore(doing: str, done: int, total: int | None) -> None:
    """Progress is not what is measured."""


async def begin() -> dict[str, Callable[..., Awaitable[Command]]]:
    """Open the home; what the parent may ask for."""
    asker = Asker(Path(sys.argv[1]))
    asker.running.work()
    return {
        "negotiate": asker.negotiate,
        "open_session": asker.open_session,
        "load": asker.load,
        "close_session": asker.close_session,
        "fetch": asker.fetch,
        "leaves": asker.leaves,
    }


if __name__ == "__main__":
    obey(begin)
