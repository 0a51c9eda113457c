"""A network between two real sides that a test holds in its hand: nothing arrives before it says so.

Rules that hold here:

* Each :class:`Line` is one stream. What either side sends lies in flight until it is delivered, and
  meanwhile can be dropped, repeated, put in another place, or changed and signed again.
* What runs on threads runs inline, and :meth:`Network.settle` waits until both sides wait for messages:
  so a step of a test is over when it says so, without a look at the clock.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector.exchange.answer import provide
from connector.exchange.channel import Frame, Message, Signed
from connector.exchange.consumer import ConsumerExchange
from connector.exchange.inbox import Delivery
from connector.exchange.wish import Wish
from connector.store.writer import Writer
from ledger.errors import BylagError
from ledger.names import ExchangeId
from tests.exchange.world import CONSUMER, DATASET, PROVIDER, Party, Rule, World

KEY = AESGCM(b"k" * 32)


class Inline(ThreadPoolExecutor):
    """Runs what it is given at once, on the caller's thread."""

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - handed to whoever asked
            done.set_exception(error)
        return done


class End:
    """One side's end of a line, as its channel."""

    def __init__(self, peer: str, outgoing: list[Message | None], watch: Callable[[Message], None]) -> None:
        self.peer, self.outgoing, self.watch = peer, outgoing, watch
        self.incoming: asyncio.Queue[Message | None] = asyncio.Queue()
        self.takes = asyncio.Event()
        self.takes.set()

    async def send(self, message: Message) -> None:
        if isinstance(message, Frame):
            await self.takes.wait()
        self.watch(message)
        self.outgoing.append(message)

    async def receive(self) -> Message | None:
        return await self.incoming.get()


class Line:
    """One stream between the two sides, with all that was ever said on it."""

    def __init__(self, exchange: ExchangeId, watch: Callable[[Line, str, Message], None]) -> None:
        self.exchange = exchange
        self.flight: dict[str, list[Message | None]] = {PROVIDER: [], CONSUMER: []}
        """What is on its way, by who sent it."""
        self.said: dict[str, list[Signed]] = {PROVIDER: [], CONSUMER: []}
        self.heard: dict[str, list[Signed]] = {PROVIDER: [], CONSUMER: []}
        """What arrived at each side."""
        self.ends = {
            did: End(peer, self.flight[did], functools.partial(watch, self, did))
            for did, peer in ((PROVIDER, CONSUMER), (CONSUMER, PROVIDER))
        }
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def runs(self, did: str) -> bool:
        return did in self.tasks and not self.tasks[did].done()

    def deliver(self, did: str) -> bool:
        """Bring the next message from ``did`` to the other side; False when there is none."""
        if not self.flight[did]:
            return False
        message = self.flight[did].pop(0)
        other = CONSUMER if did == PROVIDER else PROVIDER
        if isinstance(message, Signed):
            self.heard[other].append(message)
        self.ends[other].incoming.put_nowait(message)
        return True


class Network:
    """The lines between the two sides of a world."""

    def __init__(self, world: World, watch: Callable[[Line, str, Message], None]) -> None:
        self.world, self.watch = world, watch
        self.lines: list[Line] = []
        self.unforeseen: list[BaseException] = []
        """What a side raised that is no error of the house: each is a defect."""
        self.jobs = 0
        """How many jobs were handed to the writers."""

    def count_jobs(self, patch: pytest.MonkeyPatch) -> None:
        """Count what the writers are asked for: :meth:`settle` needs to know when that is nothing."""
        put = Writer._put

        def counted(writer: Writer, job: Any, future: Any) -> None:
            self.jobs += 1
            put(writer, job, future)

        patch.setattr(Writer, "_put", counted)

    def dial(self, exchange: ExchangeId) -> Line:
        """Open a line, with the real provider at its end."""
        line = Line(exchange, self.watch)
        self._run(line, PROVIDER, self._provide(line))
        self.lines.append(line)
        return line

    def fetch(self, exchange: ExchangeId, *, resume: bool) -> Line:
        """Open a line with the real consumer at the other end too."""
        line = self.dial(exchange)
        consumer = self.world.consumer
        receiving = ConsumerExchange(
            consumer.ground,
            line.ends[CONSUMER],
            self.world.terms,
            Delivery(consumer.folder / "inbox", exchange, KEY, consumer.ambient),
            exchange=exchange,
        )
        work = receiving.resume() if resume else receiving.fetch(Wish(DATASET, Rule().purpose))
        self._run(line, CONSUMER, work)
        return line

    async def _provide(self, line: Line) -> None:
        first = await line.ends[PROVIDER].receive()
        if isinstance(first, Signed):
            await provide(self.world.provider.ground, line.ends[PROVIDER], first)

    def _run(self, line: Line, did: str, work: Coroutine[Any, Any, Any]) -> None:
        async def until_it_ends() -> None:
            try:
                await work
            except BylagError:
                pass  # told in the records and to the other side
            except Exception as error:  # noqa: BLE001 - the test fails by it
                self.unforeseen.append(error)
            line.flight[did].append(None)

        line.tasks[did] = asyncio.get_running_loop().create_task(until_it_ends())

    async def kill(self, *dids: str) -> None:
        """End whatever runs at these sides, as when their process is killed."""
        tasks = [line.tasks[did] for line in self.lines for did in dids if line.runs(did)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Wait until nobody has anything to do but wait for a message."""
        calm = 0
        while calm < 2:
            before = self.jobs
            for party in self.world.parties.values():
                await _nothing(party)
            await _turns()
            calm = calm + 1 if self.jobs == before + len(self.world.parties) else 0


async def _nothing(party: Party) -> None:
    await party.writer.write(lambda _: None)


async def _turns() -> None:
    """Give everybody a turn until the loop has nothing left to run now."""
    loop: Any = asyncio.get_running_loop()
    while loop._ready:
        await asyncio.sleep(0)
