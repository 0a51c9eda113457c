"""A node at work: its lines to peers, its server if it has one, its publisher.

``Running`` is what operations work on. A command that runs in process makes one without a server,
does its one thing and closes it; ``bylag serve`` makes one with a server and keeps it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from sqlmodel import select

from connector import __version__
from connector.exchange.disputes import Disputes
from connector.node import Node
from connector.peer.gate import Gate
from connector.peer.lines import Lines
from connector.peer.server import Server
from connector.peer.services import (
    CatalogServicer,
    CatalogView,
    LedgerServicer,
    LogView,
    ParticipantServicer,
    exchange_handler,
)
from connector.store import outbox
from connector.store.config_engine import SERVER
from connector.store.tables import PeerRow
from connector.web.bundles import BundleServer
from ledger.errors import BylagError
from ledger.names import ParticipantId

logger = logging.getLogger("bylag.running")
PUBLISH_SECONDS: Final = 10.0
GUEST_PUBLISH_SECONDS: Final = 3600.0
"""A citizen's log is published hourly, or for a Seal (LEDGER.md section 4)."""
SETTLE_SECONDS: Final = 5.0
TIDY_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 2.0
"""How often an engine elsewhere is looked at: so long may health not know that it is gone."""
ROOTS_KEPT_MS: Final = 10_000


class Running:
    """One participant's connector at work."""

    def __init__(self, node: Node) -> None:
        node.adopt_keys()
        self.node = node
        self.lines = Lines(node.client, node.post, lambda: node.trust, node.take_list)
        self.server: Server | None = None
        self.port: int | None = None
        self.bundles: BundleServer | None = None
        self.bundle_port: int | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._broken: set[str] = set()
        """What does not work, and makes health say so."""
        self._shown: tuple[object, tuple[bytes, bytes, bytes]] | None = None
        self._moved = asyncio.Event()
        node.post.on_taken(lambda _peer: self._moved.set())
        node.listen_to_commits(asyncio.get_running_loop())

    async def serve(self, address: str, catalog: CatalogView, log_view: LogView) -> int:
        """Listen on ``address`` and return the port; keep lines to everybody there is business with."""
        node = self.node
        gate = Gate(lambda: node.directory, node.ambient)
        node.on_list(gate.end_calls)
        self.server = Server(
            gate,
            ParticipantServicer(
                me=node.me,
                space=node.space,
                software=__version__,
                now=node.ambient.now,
                trust=node.trust,
                post=node.post,
            ),
            CatalogServicer(catalog),
            LedgerServicer(log_view),
            exchange_handler(node.ground, node.waiting),
        )
        self.port = await self.server.start(address, self._certificates)
        return self.port

    async def serve_bundles(self) -> None:
        """Serve the rules to OPA, where the settings say so."""
        settings = self.node.config.bundle
        if settings is not None:
            self.bundles = BundleServer(lambda: self.node.bundles)
            self.bundle_port = await self.bundles.start(
                settings.listen, settings.files(self.node.home.folder)
            )

    def work(self) -> None:
        """Keep lines to peers there is business with, publish the log at fixed times, load the engine."""
        node = self.node
        self.call_peers()
        self._tasks.append(asyncio.create_task(self._publish()))
        self._tasks.append(asyncio.create_task(Disputes(node.ground).run()))
        self._tasks.append(asyncio.create_task(self._tidy()))
        self._tasks.append(asyncio.create_task(self._warm()))
        if node.config.engine.kind == SERVER:
            self._tasks.append(asyncio.create_task(self._watch_engine()))

    def call_peers(self) -> None:
        """Keep a line to every peer there is business with: what they have to say comes on it."""
        with self.node.database.read() as session:
            known = [ParticipantId(row.id) for row in session.exec(select(PeerRow))]
        for peer in known:
            if self.node.trust.find(peer) is not None:
                self.lines.keep(peer)

    async def settle(self) -> None:
        """Give peers that a line is kept to a few seconds to take what lies in the outbox for them.

        A command that runs by itself does this before it ends; what is not taken then waits for the
        next line.
        """
        await self.until(lambda: not self._is_owed(), SETTLE_SECONDS)

    def _is_owed(self) -> bool:
        with self.node.database.read() as session:
            return not self.lines.kept.isdisjoint(outbox.peers_waiting(session))

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds, looking again whenever a peer's notice or cursor was taken."""
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    self._moved.clear()
                    if holds():
                        return True
                    await self._moved.wait()
        except TimeoutError:
            return holds()
        return True

    async def close(self) -> None:
        """Hang up, stop listening, close the node."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.node.post.hang_up()
        if self.server is not None:
            await self.server.stop()
        if self.bundles is not None:
            await self.bundles.stop()
        await self.lines.close()
        await self.node.collecting.close()
        await self.node.close()

    def _certificates(self) -> tuple[bytes, bytes, bytes]:
        """What a handshake needs. Whoever can connect makes it be asked for, so it is kept for a moment.

        A key that ends within that moment still shakes hands; the gate asks the list at every call.
        """
        identity, now = self.node.identity(), self.node.ambient.now()
        place = (identity, self.node.trust.digest, now // ROOTS_KEPT_MS)
        if self._shown is None or self._shown[0] != place:
            self._shown = (place, (identity.key, identity.chain, self.node.roots(now)))
        return self._shown[1]

    async def _publish(self) -> None:
        pause = GUEST_PUBLISH_SECONDS if self.node.config.is_guest else PUBLISH_SECONDS
        while True:
            try:
                await asyncio.to_thread(self.node.notary.publish)
            except BylagError as error:
                logger.exception("the log cannot be published", extra={"reason": error.code})
                self._broken.add("log")
                await self._tell_health()
                return
            await asyncio.sleep(pause)

    async def _tidy(self) -> None:
        while True:
            try:
                await self.node.tidy()
            except BylagError as error:
                logger.warning("nothing could be tidied", extra={"reason": error.code})
            await asyncio.sleep(TIDY_SECONDS)

    async def _watch_engine(self) -> None:
        """Let health say when the engine is gone, and when it is back, whether anybody asks it or not."""
        while True:
            condition = await self.node.engine_condition()
            if condition.decides != ("engine" not in self._broken):
                self._broken.symmetric_difference_update({"engine"})
                await self._tell_health()
                told = logger.info if condition.decides else logger.error
                told("policy engine: %s", condition.found)
            await asyncio.sleep(LOOK_SECONDS)

    async def _tell_health(self) -> None:
        if self.server is not None:
            await (self.server.failing() if self._broken else self.server.serving())

    async def _warm(self) -> None:
        await asyncio.to_thread(lambda: self.node.engine)
