"""The consumer's opening of an exchange: a Request or a Resume goes out, an Offer or a Denial comes in.

Rules that hold here (LEDGER.md section 3; the numbers are its steps):

* 1. The Request is durable here before it is sent.
* 3. The Offer is compared with the agreement before it is accepted; the Accept is durable before it is sent.
* A Denial is recorded; a Resume begins a new attempt from the last durable Ack, and brings along each Ack
  that the provider may lack.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from connector.contract.liability import Role
from connector.exchange import custody, metered, process
from connector.exchange.channel import Signed
from connector.exchange.conversation import Conversation, OutOfTurn
from connector.exchange.declared import NOTHING
from connector.exchange.digest import RunningDigest
from connector.exchange.ground import Denied, Ground, Terms
from connector.exchange.messages import Accept, Denial, Offer, Request, Resume
from connector.exchange.version_facts import VersionFacts
from connector.exchange.wish import Wish
from connector.store.tables import DeliveryRow, ExchangeRow
from connector.store.writer import Transaction
from ledger.canonical import JSONObject, decode_object, encode
from ledger.commitment import fresh_json
from ledger.document import SignedDocument, from_json
from ledger.names import MessageHash, Milliseconds

DEADLINE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Offered:
    """An Offer that is under the agreement, and what came beside it."""

    offer: Offer
    document: SignedDocument
    schema: JSONObject
    size: int | None
    """How many bytes the provider says will come: for progress, nothing is concluded from it."""


class Application:
    """One attempt's Request or Resume, up to the Accept; the caller sends what it signs."""

    def __init__(self, ground: Ground, terms: Terms, conversation: Conversation) -> None:
        self._ground = ground
        self._terms = terms
        self._conversation = conversation

    async def ask(self, wish: Wish) -> Signed:
        """Step 1: a Request, durable here."""
        return await self._ground.writer.write(lambda transaction: self._request(transaction, wish))

    async def resume(self) -> tuple[Signed, ExchangeRow]:
        """A Resume in the place of a Request, and the exchange as it stands."""
        return await self._ground.writer.write(self._resume)

    def _request(self, transaction: Transaction, wish: Wish) -> Signed:
        ambient = self._ground.ambient
        opening: JSONObject = {}
        declared = None if wish.declared == NOTHING else wish.declared.to_json()
        committed: dict[str, str] = {}
        for name, content in (("selection", wish.selection), ("declared", declared)):
            if content is not None:
                commitment = fresh_json(name, content, ambient)
                opening |= {name: content, f"{name}_opening": commitment.to_json()}
                committed[name] = commitment.commitment
        request = Request(
            mode=wish.mode,
            purpose=wish.purpose,
            dataset=wish.dataset,
            version=wish.version,
            cursor=wish.cursor,
            selection=committed.get("selection"),
            declared=committed.get("declared"),
            nonce=ambient.random(32).hex(),
            deadline=Milliseconds(ambient.now() + DEADLINE_MS),
        )
        signed = self._conversation.say(
            transaction,
            request,
            opening=opening,
            members={"purpose": wish.purpose, "dataset": wish.dataset, "nonce": request.nonce},
        )
        now = ambient.now()
        transaction.session.add(
            ExchangeRow(
                id=self._conversation.exchange,
                agreement=self._terms.agreement,
                peer=self._terms.provider,
                role="consumer",
                mode=wish.mode,
                state=process.REQUESTED,
                dataset=wish.dataset,
                dataset_version=wish.version or "",
                purpose=wish.purpose,
                selection=encode(wish.selection) if wish.selection is not None else b"",
                declared=encode(declared) if declared is not None else b"",
                attempt=1,
                window=0,
                position=wish.cursor,
                frames=0,
                rows=0,
                size=0,
                digest="",
                sent=self._conversation.sent,
                accept=b"",
                last_ack=b"",
                started=now,
                changed=now,
            )
        )
        return signed

    def _resume(self, transaction: Transaction) -> tuple[Signed, ExchangeRow]:
        row = transaction.session.get_one(ExchangeRow, self._conversation.exchange)
        kept = transaction.session.get(DeliveryRow, self._conversation.exchange)
        if kept is not None and kept.discarded is not None:
            raise OutOfTurn("what came of it was discarded: fetch anew", field="exchange")
        if not row.accept or process.is_over(row):
            raise OutOfTurn(
                f"there is nothing to go on with: the exchange is {row.state}",
                field="exchange",
                next_step="Use what came with `bylag use`, or fetch anew.",
            )
        self._conversation.begin_attempt(
            row.attempt + 1,
            MessageHash(row.sent) if row.sent else None,
            MessageHash(row.seen) if row.seen else None,
        )
        ack = from_json(decode_object(row.last_ack)) if row.last_ack else None
        frame = ack.content()["frame"] if ack else 0
        opening: JSONObject = {"accept": decode_object(row.accept)}
        if ack is not None:
            late = metered.not_shown(transaction.sqlite, self._conversation.exchange) or [ack]
            opening["acks"] = [document.to_json() for document in late]
        ambient = self._ground.ambient
        resume = Resume(
            ack=ack.digest if ack else None,
            window=row.window,
            frame=frame if isinstance(frame, int) else 0,
            digest=row.digest,
            nonce=ambient.random(32).hex(),
            deadline=Milliseconds(ambient.now() + DEADLINE_MS),
        )
        signed = self._conversation.say(
            transaction, resume, opening=opening, members={"digest": row.digest, "nonce": resume.nonce}
        )
        row.attempt = self._conversation.attempt
        if process.is_running(row):
            process.suspend(row, Role.CONSUMER)  # until an Offer starts it again
        row.sent = self._conversation.sent
        return signed, custody.detached(transaction, row)

    async def hear(self, answer: Signed, asked: SignedDocument, version: str | None) -> Offered:
        """Step 2: the Offer that answers ``asked``.

        Raises ``Denied`` for a Denial of it, which is recorded, and ``OutOfTurn`` for anything else.
        """
        body = self._conversation.hear(answer)
        await self._ground.lists.compare(self._terms.provider, *self._conversation.their_list)
        if isinstance(body, Denial) and body.request == asked.digest:
            await self._take_denial(answer, body)
        if not isinstance(body, Offer) or body.request != asked.digest:
            raise OutOfTurn("a Request is answered by an Offer or a Denial of it", field="request")
        return self._check_offer(body, answer, version)

    async def accept(self, offered: Offered) -> tuple[Signed, RunningDigest]:
        """Step 3: the Accept, durable here, and the running digest to go on from."""
        offer, schema = offered.offer, offered.schema

        def record(transaction: Transaction) -> tuple[Signed, RunningDigest]:
            row = transaction.session.get_one(ExchangeRow, self._conversation.exchange)
            signed = self._conversation.say(
                transaction,
                Accept(offered.document.digest),
                answering=offered.document,
                members={
                    "purpose": row.purpose,
                    "dataset": row.dataset,
                    "dataset_version": offer.version,
                    "until": offer.expires,
                },
            )
            if not row.accept:
                at = Milliseconds(self._conversation.said_time)
                self._ground.duties.begun(
                    transaction, self._terms.agreement, self._conversation.exchange, row.purpose, at
                )
                row.accept = encode(signed.document.to_json())
                row.digest = signed.document.digest
            if self._conversation.attempt > 1:  # a Resume, and every Ack that was missing stood beside it
                metered.all_held(transaction, self._conversation.exchange)
            row.dataset_version = offer.version
            process.start(row)
            self._conversation.remember(row)
            if transaction.session.get(DeliveryRow, self._conversation.exchange) is None:
                transaction.session.add(
                    DeliveryRow(
                        exchange=self._conversation.exchange,
                        media_type=offer.media_type,
                        table_schema=encode(schema),
                        complete=False,
                        received=self._ground.ambient.now(),
                    )
                )
            return signed, RunningDigest(bytes.fromhex(row.digest))

        return await self._ground.writer.write(record)

    def _check_offer(self, offer: Offer, message: Signed, version: str | None) -> Offered:
        schema = message.opening.get("schema")
        if not isinstance(schema, dict) or hashlib.sha256(encode(schema)).hexdigest() != offer.schema:
            raise OutOfTurn("the schema beside the Offer is not the one it names", field="schema")
        if version and offer.version != version:
            raise OutOfTurn("the Offer is for another version", field="dataset_version")
        if not self._terms.versions.permits(offer.version, newest=offer.version):
            raise OutOfTurn("the Offer is for a version that was not agreed", field="dataset_version")
        VersionFacts.of_schema(schema)  # each later use is decided by it
        size = message.opening.get("size")
        if offer.windows != self._terms.windows:
            raise OutOfTurn("the Offer's W is not the agreement's", field="windows")
        if offer.expires <= self._ground.ambient.now():
            raise OutOfTurn("the Offer has expired", field="expires")
        told = size if type(size) is int and size >= 0 else None
        return Offered(offer, message.document, schema, told)

    async def _take_denial(self, message: Signed, denial: Denial) -> None:
        def record(transaction: Transaction) -> None:
            self._conversation.record_heard(transaction, "denial", message.document, {"code": denial.code})
            row = transaction.session.get_one(ExchangeRow, self._conversation.exchange)
            process.deny(row, denial.code)
            self._conversation.remember(row)

        await self._ground.writer.write(record)
        raise Denied(denial.code, f"the provider denied the request: {denial.code}")
