"""Lines to peers: keeps a stream for the outboxes open to each peer that is worth one.

Rules that hold here: one line a peer; a line that breaks is opened again, later and later, up to a
minute; a peer without an endpoint is left alone, it calls us. The membership list is compared on
each new line, and a newer one is fetched before anything else is said.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from connector.identity.signed import MultiSigned
from connector.identity.trust import Relation, TrustStore
from connector.peer.client import Client
from connector.peer.post import Post
from connector.peer.status import reason_of
from ledger.errors import BylagError
from ledger.names import ParticipantId

logger = logging.getLogger("bylag.lines")

FIRST_WAIT = 0.2
LONGEST_WAIT = 60.0


class Lines:
    """The open lines of one participant."""

    def __init__(
        self,
        client: Client,
        post: Post,
        trust: Callable[[], TrustStore],
        take_list: Callable[[MultiSigned], Awaitable[None]],
    ) -> None:
        self._client = client
        self._post = post
        self._trust = trust
        self._take_list = take_list
        self._open: dict[ParticipantId, asyncio.Task[None]] = {}

    def keep(self, peer: ParticipantId) -> None:
        """Keep a line to ``peer`` from now on, if the list names an endpoint for it."""
        task = self._open.get(peer)
        if (task is None or task.done()) and self._client.endpoints(peer):
            self._open[peer] = asyncio.create_task(self._keep(peer))

    @property
    def kept(self) -> frozenset[ParticipantId]:
        """The peers that a line is kept to."""
        return frozenset(self._open)

    async def catch_up(self, peer: ParticipantId) -> None:
        """Fetch the membership lists that a peer has and this side lacks, or that contradict this side's.

        Raises :class:`~connector.identity.equivocation.Equivocation` for two lists of one number.
        """
        described = await self._client.describe(peer)
        trust = self._trust()
        held = trust.number
        relation = trust.relation(described.list_number, described.list_hash)
        if relation in (Relation.SAME, Relation.OURS_IS_NEWER):
            return
        first = described.list_number if relation is Relation.CONFLICT else held + 1
        async for signed in self._client.lists(peer, first):
            await self._take_list(signed)
            if self._trust().number == held:
                return
            held = self._trust().number

    async def close(self) -> None:
        """Hang up everywhere."""
        for task in self._open.values():
            task.cancel()
        await asyncio.gather(*self._open.values(), return_exceptions=True)
        self._open.clear()

    async def _keep(self, peer: ParticipantId) -> None:
        wait = FIRST_WAIT
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self.catch_up(peer)
                await self._client.carry(peer, self._post)
            except BylagError as error:
                logger.info("a line ended", extra={"reason": reason_of(error)})
            except Exception:
                # Nobody waits for this task: what nobody foresaw must not leave the outbox lying for ever.
                logger.exception("a line ended in a way that nobody foresaw")
            if asyncio.get_running_loop().time() - began > LONGEST_WAIT:
                wait = FIRST_WAIT
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)
