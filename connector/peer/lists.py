"""Membership lists from peers: fetched when somebody names a newer one, handed on to who lacks one.

Rules that hold here (DESIGN.md, "Who is who"): every Request and Offer names list number and hash;
the higher valid one is fetched before deciding. Whoever holds a list can hand it on, because it is
the registrar's signatures that count. Two lists of one number stop everything, and are kept as proof.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from connector.exchange.ground import Denied
from connector.identity.membership import MAX_LIST, read_list
from connector.identity.public import Job
from connector.identity.signed import MultiSigned, multi_signed
from connector.identity.trust import KeyNotValid, Relation, TrustStore
from connector.peer.client import Client, NoEndpoint
from connector.peer.post import Post
from connector.store import outbox
from connector.store.writer import Transaction, Writer
from ledger.canonical import JSON, JSONObject, encode
from ledger.document import SignedDocument, header_of, sign, verify
from ledger.errors import BylagError
from ledger.fields import Fields
from ledger.names import ParticipantId

HANDED_ON: Final = "lists-handed-on"
LISTS_IN_A_NOTICE: Final = 8
LISTS_BYTES: Final = 1 << 20
WAIT_SECONDS: Final = 5.0

TakeList = Callable[[Transaction, MultiSigned], None]


class PeerLists:
    """Keeps this side's list as new as its peers', and theirs as new as this side's."""

    def __init__(
        self,
        *,
        client: Client,
        trust: Callable[[], TrustStore],
        writer: Writer,
        post: Callable[[], Post],
        take: TakeList,
    ) -> None:
        self._client = client
        self._trust = trust
        self._writer = writer
        self._post = post
        self._take = take
        self._handed: dict[ParticipantId, int] = {}
        self._grown = asyncio.Event()

    async def compare(self, peer: ParticipantId, number: int, digest: str) -> None:
        """Hold the newer of two lists, fetching the peer's if need be. Raises ``Denied``."""
        relation = self._trust().relation(number, digest)
        if relation in (Relation.SAME, Relation.OURS_IS_NEWER):
            return
        first = number if relation is Relation.CONFLICT else self._trust().number + 1
        try:
            await self._fetch(peer, first)
        except NoEndpoint:
            await self._wait_for(number)
        except BylagError as error:
            raise Denied("LIST_MISMATCH", f"their list {number} cannot be taken: {error}") from error
        relation = self._trust().relation(number, digest)
        if relation not in (Relation.SAME, Relation.OURS_IS_NEWER):
            raise Denied("LIST_MISMATCH", f"list {number} is not the one held here")

    async def _fetch(self, peer: ParticipantId, first: int) -> None:
        held = self._trust().number
        async for signed in self._client.lists(peer, first):
            await self._writer.write(lambda transaction, each=signed: self._take(transaction, each))  # type: ignore[misc]
            if self._trust().number == held:
                return
            held = self._trust().number

    async def _wait_for(self, number: int) -> None:
        """A peer that we cannot call hands its list on over the line that it opened."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while self._trust().number < number:
                    self._grown.clear()
                    await self._grown.wait()
        except TimeoutError as error:
            raise Denied("LIST_MISMATCH", f"list {number} did not come") from error

    def grown(self) -> None:
        """A newer list was taken."""
        self._grown.set()

    def hand_on(self, transaction: Transaction, peer: ParticipantId, number: int) -> None:
        """A peer's cursor names an older list: put the ones it lacks into its outbox, once."""
        trust, post = self._trust(), self._post()
        if number >= trust.number or self._handed.get(peer, 0) > number:
            return
        lists: list[JSON] = []
        size = 0
        for each in range(number + 1, min(trust.number, number + LISTS_IN_A_NOTICE) + 1):
            signed = trust.signed(each).content()
            size += len(encode(signed))
            if size > LISTS_BYTES:
                break  # what is too large for a notice, the peer fetches
            lists.append(signed)
        if not lists:
            return
        last = self._handed[peer] = number + len(lists)
        document = sign(
            {**post.members(HANDED_ON, peer), "first": number + 1, "last": last}, post.signing_key()
        )
        outbox.put(transaction, peer, document, {"lists": lists}, post.now())

    def take_handed_on(
        self, transaction: Transaction, peer: ParticipantId, document: SignedDocument, opening: JSONObject
    ) -> None:
        """Take lists that a peer handed on; the registrar's signatures decide whether they count.

        The peer's own signature is verified first, or, where only these lists name its key, after.
        """
        if self._is_known(peer, document):
            self._verify(peer, document)
        for fields in Fields(opening).objects("lists", limit=LISTS_IN_A_NOTICE):
            signed = multi_signed(fields, max_bytes=MAX_LIST)
            if self._trust().number < read_list(signed.payload).number:
                self._take(transaction, signed)
        self._verify(peer, document)

    def _is_known(self, peer: ParticipantId, document: SignedDocument) -> bool:
        post = self._post()
        try:
            post.directory().verification_key(peer, header_of(document.jws).kid, Job.SIGN, post.now())
        except KeyNotValid:
            return False
        return True

    def _verify(self, peer: ParticipantId, document: SignedDocument) -> None:
        post = self._post()
        key = post.directory().verification_key(peer, header_of(document.jws).kid, Job.SIGN, post.now())
        verify(document, HANDED_ON, key)
