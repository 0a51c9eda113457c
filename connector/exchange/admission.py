"""The provider's first two steps: a Request or Resume comes in, an Offer or a Denial goes out.

The order of the checks is fixed, cheap ones first; each names the code that a failure is recorded
under (invariant 2: deny unless shown otherwise):

1. The message is the caller's own, signed by a key that counts now.
2. Its time is within five minutes of ours (``CLOCK_SKEW``), its deadline ahead and at most ten
   minutes (``DEADLINE``), its list known here, a newer one fetched first (``LIST_MISMATCH``), the
   caller in good standing under it.
3. The agreement is in force and the caller is its consumer (``NO_AGREEMENT``, ``AGREEMENT_ENDED``;
   another's agreement and none look the same).
4. Dataset, version and selection are under it (``OTHER_DATASET``, ``NO_SUCH_VERSION``, ``OTHER_VERSION``,
   ``BAD_SELECTION``), and what is declared opens what was signed (``BAD_DECLARATION``).
5. The policy's decision is exactly ``allow: true`` (the decision's own code otherwise), and what is
   asked for can be released so (``BAD_SELECTION``, ``BAD_POSITION``, ``NOT_RELEASABLE``; for a
   subscription ``VERSION_NOT_NAMED`` and ``NOT_APPEND_ONLY``, for a query ``QUERY_ABOUT_PEOPLE``).
6. In the transaction that records it: the nonce is new, the agreement is still active, nothing is
   barred, counters have room.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from connector.audit.scope import Counterpart, Scope
from connector.exchange import counters, custody, nonces, process
from connector.exchange.channel import Signed
from connector.exchange.conversation import Conversation, OutOfTurn, read_first
from connector.exchange.deciding import DeniedByPolicy, decide, declared_in, record_decision, request_facts
from connector.exchange.declared import NOTHING, Declared
from connector.exchange.floods import TooManyDenials
from connector.exchange.ground import Asked, Denied, Ground, Ruling, Snapshot, Terms
from connector.exchange.guards import require_current, require_grantable
from connector.exchange.messages import (
    MAX_WINDOW_BYTES,
    Accept,
    Ack,
    Denial,
    Envelope,
    Offer,
    Request,
    Resume,
)
from connector.exchange.nonces import Replayed
from connector.store.tables import ExchangeRow
from connector.store.writer import Transaction
from ledger.canonical import JSON, JSONObject, decode_object, encode
from ledger.commitment import BadOpening, fresh_json, opens, read_opening
from ledger.document import SignedDocument, from_json
from ledger.errors import BylagError
from ledger.fields import BadField
from ledger.names import DatasetId, LeafHash, MessageHash, Milliseconds, ParticipantId

LARGEST_SKEW_MS: Final = 5 * 60 * 1000
LONGEST_DEADLINE_MS: Final = 10 * 60 * 1000
OFFER_LASTS_MS: Final = 60 * 1000
MAX_OPENING_BYTES: Final = 256 << 10
MOST_LATE_ACKS: Final = 128
"""Twice as many as may be on their way (W is at most 64)."""


@dataclass(frozen=True, slots=True)
class _Considered:
    """A request that may be granted, and the Offer that would do it; nothing is written yet."""

    conversation: Conversation
    terms: Terms
    request: Request
    selection: JSONObject | None
    snapshot: Snapshot
    asked: Asked
    counts: Mapping[str, int]
    """Counter values at the decision: this exchange's own use is not among them."""
    ruling: Ruling
    proposed: Offer

    def say(
        self,
        transaction: Transaction,
        decision: LeafHash,
        *,
        answering: SignedDocument | None = None,
        side: JSONObject | None = None,
    ) -> Signed:
        """Sign and record the Offer."""
        return self.conversation.say(
            transaction,
            self.proposed,
            answering=answering,
            opening=_beside_offer(self.snapshot, self.selection, self.ruling),
            side=side,
            members={
                "decision": decision.hex(),
                "purpose": self.request.purpose,
                "dataset": self.terms.dataset,
                "dataset_version": self.snapshot.digest,
                "until": self.proposed.expires,
            },
        )

    def admitted(self, signed: Signed, decision: LeafHash, row: ExchangeRow) -> Admitted:
        """What was recorded: the exchange goes on from here."""
        return Admitted(
            self.conversation, self.terms, self.request, self.selection, self.snapshot, self.asked,
            self.counts, self.ruling, self.proposed, decision, row, signed,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Admitted(_Considered):
    """A request that was decided, recorded and offered."""

    decision: LeafHash
    row: ExchangeRow
    offer: Signed

    @property
    def expires(self) -> Milliseconds:
        """When the Offer ends."""
        return self.proposed.expires


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that was denied, recorded, and answered with a signed Denial."""

    denial: Signed
    code: str


async def admit(ground: Ground, peer: ParticipantId, first: Signed) -> Admitted | Refused:
    """Decide on the first message of a consumer's stream.

    Raises a :class:`~ledger.errors.BylagError` for what is not worth a record: a message that is not
    the caller's, malformed, or a replay; and for a denial that is one of too many.
    """
    envelope, body = read_first(ground, peer, first.document)
    if not isinstance(body, Request | Resume):
        raise OutOfTurn("an exchange begins with a Request or a Resume", field="type")
    known = ground.agreements.terms(envelope.agreement)
    terms = known if known is not None and known.consumer == peer and known.provider == ground.me else None
    conversation = _conversation(ground, peer, envelope, terms)
    try:
        _check_opening(first)
        _check_time(ground, envelope, body.deadline)
        await ground.lists.compare(peer, envelope.list_number, envelope.list_hash)
        ground.standing.require_active(peer)
        terms = _require_known(terms)
        if isinstance(body, Request):
            return await _admit_request(ground, conversation, terms, body, first)
        return await _admit_resume(ground, conversation, terms, body, first)
    except Denied as refusal:
        denied = refusal
        conversation.opened_by(first.document)
        denial = await ground.writer.write(
            lambda transaction: _record_denial(
                transaction, conversation, body.nonce, body.deadline, first, denied
            )
        )
        if denial is None:
            raise TooManyDenials(f"denied: {denied.reason}") from denied
        return Refused(denial, denied.reason)


def _check_opening(first: Signed) -> None:
    if len(encode(first.opening)) > MAX_OPENING_BYTES:
        raise Denied("BAD_SELECTION", f"what opens a request has at most {MAX_OPENING_BYTES} bytes")


def _conversation(
    ground: Ground, peer: ParticipantId, envelope: Envelope, terms: Terms | None
) -> Conversation:
    if terms is None:
        unknown = _scope_without_agreement(ground, peer)
        scope = unknown
    else:
        scope = Scope(
            counterpart=ground.counterpart(terms, peer), unit=terms.provider_unit, agreement=terms.agreement
        )
    return Conversation(
        ground,
        peer=peer,
        scope=scope,
        exchange=envelope.exchange,
        agreement=envelope.agreement,
        attempt=envelope.attempt,
    )


def _scope_without_agreement(ground: Ground, peer: ParticipantId) -> Scope:
    return Scope(counterpart=Counterpart(peer, is_person=ground.standing.is_person(peer)))


def _require_known(terms: Terms | None) -> Terms:
    if terms is None:
        raise Denied("NO_AGREEMENT")
    return terms


def _check_time(ground: Ground, envelope: Envelope, deadline: Milliseconds) -> None:
    now = ground.ambient.now()
    if abs(now - envelope.time) > LARGEST_SKEW_MS:
        raise Denied("CLOCK_SKEW", f"signed at {envelope.time}, received at {now}")
    if not now < deadline <= now + LONGEST_DEADLINE_MS:
        raise Denied("DEADLINE", "a deadline lies ahead, at most ten minutes")


async def _admit_request(
    ground: Ground, conversation: Conversation, terms: Terms, request: Request, first: Signed
) -> Admitted:
    if conversation.attempt != 1:
        raise OutOfTurn("the first attempt has the number 1", field="attempt")
    _require_in_force(ground, terms)
    snapshot = _find(ground, terms, request.dataset, request.version or terms.versions.version)
    _require_agreed_version(ground, terms, snapshot)
    selection = _opened("selection", request.selection, first.opening, "BAD_SELECTION")
    declared = _opened("declared", request.declared, first.opening, "BAD_DECLARATION")
    asking = await request_facts(terms, snapshot, request, selection, _declared(declared))
    asked, counts, ruling = await decide(ground, terms, request.purpose, asking)
    if request.mode == "subscribe" and request.version is None:
        raise Denied("VERSION_NOT_NAMED", "a subscription's cursor is a place in one version")
    snapshot.check(request.mode, selection, request.cursor, mask=ruling.mask, row_filter=ruling.row_filter)
    conversation.opened_by(first.document)
    offer = _offer(ground, terms, snapshot, selection, ruling, first.document)
    considered = _Considered(conversation, terms, request, selection, snapshot, asked, counts, ruling, offer)

    def record(transaction: Transaction) -> Admitted:
        _guard(transaction, ground, terms, conversation.peer, request.nonce, request.deadline)
        require_current(transaction, ground, ruling)
        if transaction.session.get(ExchangeRow, conversation.exchange) is not None:
            raise Replayed("this exchange was begun before", field="exchange")
        if request.mode != "query":  # there each question is a use of its own
            counters.reserve_use(
                transaction, ground, (terms.agreement, conversation.exchange), ruling.counters
            )
        decision = record_decision(transaction, ground, conversation.scope, terms, ruling)
        row = _new_row(conversation, terms, request, selection, snapshot)
        row.declared = encode(declared) if declared is not None else b""
        signed = considered.say(transaction, decision, answering=first.document, side=_request_opening(first))
        conversation.remember(row)
        transaction.session.add(row)
        return considered.admitted(signed, decision, custody.detached(transaction, row))

    return await ground.writer.write(record)


async def _admit_resume(
    ground: Ground, conversation: Conversation, terms: Terms, resume: Resume, first: Signed
) -> Admitted:
    with ground.database.read() as session:
        row = session.get(ExchangeRow, conversation.exchange)
    if row is None or row.peer != conversation.peer or row.role != "provider":
        raise Denied("NO_SUCH_EXCHANGE")
    if process.is_over(row):
        raise Denied("EXCHANGE_ENDED")
    if row.mode == "query":
        # What is sent again counts once in the budget. Other questions would be other data.
        raise Denied("NOT_RESUMABLE", "a query session is opened anew")
    if conversation.attempt <= row.attempt:
        raise OutOfTurn("each attempt has a higher number than the one before", field="attempt")
    _require_in_force(ground, terms)
    late = _late_signatures(ground, row, first)
    selection = _stored_selection(row)
    snapshot = _find(ground, terms, row.dataset, row.dataset_version)
    request = Request(
        row.mode, row.purpose, row.dataset, row.dataset_version, 0, None, resume.nonce, resume.deadline
    )
    asking = await request_facts(terms, snapshot, request, selection, declared_in(row))
    asked, counts, ruling = await decide(ground, terms, row.purpose, asking)
    conversation.sent = MessageHash(row.sent) if row.sent is not None else None
    conversation.opened_by(first.document)
    offer = _offer(ground, terms, snapshot, selection, ruling, first.document)
    considered = _Considered(conversation, terms, request, selection, snapshot, asked, counts, ruling, offer)

    def record(transaction: Transaction) -> Admitted:
        _guard(transaction, ground, terms, conversation.peer, resume.nonce, resume.deadline)
        require_current(transaction, ground, ruling)
        stored = transaction.session.get_one(ExchangeRow, conversation.exchange)
        if conversation.attempt <= stored.attempt:
            raise OutOfTurn("another attempt has begun", field="attempt")
        decision = record_decision(transaction, ground, conversation.scope, terms, ruling)
        for document, envelope, message in late:
            custody.take_late(transaction, conversation, stored, document, envelope, message)
        _require_same_place(stored, resume)
        conversation.record_heard(transaction, "resume", first.document, {"digest": stored.digest})
        signed = considered.say(transaction, decision)
        stored.attempt = conversation.attempt
        process.start(stored)
        conversation.remember(stored)
        return considered.admitted(signed, decision, custody.detached(transaction, stored))

    return await ground.writer.write(record)


def _late_signatures(
    ground: Ground, row: ExchangeRow, first: Signed
) -> list[tuple[SignedDocument, Envelope, Accept | Ack]]:
    """The consumer's Accept and its last Acks, where they were signed and may never have arrived.

    They travel in the Resume's opening, in the order they were signed. Custody follows what the
    consumer signed, whenever it comes.
    """
    late: list[tuple[SignedDocument, Envelope, Accept | Ack]] = []
    for name, given in _beside_resume(first.opening):
        document = from_json(given)
        envelope, body = read_first(ground, ParticipantId(row.peer), document)
        if not isinstance(body, Accept if name == "accept" else Ack) or envelope.exchange != row.id:
            raise OutOfTurn("this is not a signature in this exchange", field=name)
        if isinstance(body, Accept) and not row.accept and body.offer != row.sent:
            raise OutOfTurn("this is no Accept of the Offer", field=name)
        late.append((document, envelope, body))
    return late


def _beside_resume(opening: JSONObject) -> Iterator[tuple[str, JSON]]:
    if "accept" in opening:
        yield "accept", opening["accept"]
    acks = opening.get("acks", [])
    if not isinstance(acks, list) or len(acks) > MOST_LATE_ACKS:
        raise OutOfTurn(f"beside a Resume stand at most {MOST_LATE_ACKS} Acks", field="acks")
    for ack in acks:
        yield "acks", ack


def _require_same_place(row: ExchangeRow, resume: Resume) -> None:
    """Both sides must mean the same place in the same bytes, or there is nothing to go on from."""
    if (row.digest, row.window) != (resume.digest, resume.window):
        raise Denied("RESUME_ELSEWHERE", "the last Ack named is not the last one here")


def _require_in_force(ground: Ground, terms: Terms) -> None:
    if not terms.active:
        raise Denied("AGREEMENT_ENDED")
    if (code := ground.bars.code(terms.agreement)) is not None:
        raise Denied(code)


def _find(ground: Ground, terms: Terms, dataset: str, version: str | None) -> Snapshot:
    if dataset != terms.dataset:
        raise Denied("OTHER_DATASET")
    try:
        return ground.shelf.snapshot(DatasetId(dataset), version)
    except BylagError as error:
        raise Denied("NO_SUCH_VERSION") from error


def _require_agreed_version(ground: Ground, terms: Terms, snapshot: Snapshot) -> None:
    """A Resume is not asked again: what it goes on with was permitted when it began."""
    rule = terms.versions
    newest = _find(ground, terms, terms.dataset, None) if rule.rule == "current" else snapshot
    if not rule.permits(snapshot.digest, newest.digest):
        raise Denied("OTHER_VERSION", "the agreement is for other versions of the dataset")


def _beside_offer(snapshot: Snapshot, selection: JSONObject | None, ruling: Ruling) -> JSONObject:
    """The schema that the Offer names, and, for whoever watches a fetch, how many bytes will come."""
    size = snapshot.size(selection, mask=ruling.mask, row_filter=ruling.row_filter)
    return {"schema": snapshot.schema(ruling.mask), **({} if size is None else {"size": size})}


def _opened(name: str, commitment: str | None, opening: JSONObject, code: str) -> JSONObject | None:
    """What the Request commits to as ``name``; what it does not commit to counts for nothing."""
    if commitment is None:
        return None
    content = opening.get(name)
    try:
        opened = read_opening(name, opening.get(f"{name}_opening"))
    except BadOpening as error:
        raise Denied(code) from error
    if not isinstance(content, dict) or opened.value != encode(content) or not opens(opened, commitment):
        raise Denied(code)
    return content


def _declared(content: JSONObject | None) -> Declared:
    try:
        return NOTHING if content is None else Declared.read(content)
    except BadField as error:
        raise Denied("BAD_DECLARATION", str(error)) from error


def _offer(
    ground: Ground,
    terms: Terms,
    snapshot: Snapshot,
    selection: JSONObject | None,
    ruling: Ruling,
    asked: SignedDocument,
) -> Offer:
    return Offer(
        request=asked.digest,
        version=snapshot.digest,
        schema=hashlib.sha256(encode(snapshot.schema(ruling.mask))).hexdigest(),
        media_type=snapshot.media_type(selection, ruling.mask),
        windows=terms.windows,
        window_bytes=MAX_WINDOW_BYTES,
        expires=Milliseconds(ground.ambient.now() + OFFER_LASTS_MS),
    )


def _guard(
    transaction: Transaction, ground: Ground, terms: Terms, peer: str, nonce: str, deadline: Milliseconds
) -> None:
    """Step 6: what must still be so in the transaction that records the grant."""
    nonces.spend(transaction, peer, nonce, deadline, ground.ambient.now())
    require_grantable(transaction, ground, terms)


def _record_denial(
    transaction: Transaction,
    conversation: Conversation,
    nonce: str,
    deadline: Milliseconds,
    first: Signed,
    denied: Denied,
) -> Signed | None:
    """The signed Denial, recorded; None when it was one of too many, and was only counted."""
    ground = conversation.ground
    if not ground.floods.lists(_counterpart(conversation), ground.ambient):
        return None
    nonces.spend(transaction, conversation.peer, nonce, deadline, ground.ambient.now())
    members: JSONObject = {"code": denied.reason}
    side: JSONObject = dict(_request_opening(first))
    if isinstance(denied, DeniedByPolicy):
        members |= denied.ruling.rules
        question, result = denied.ruling.recorded()
        opening = fresh_json("input", question, ground.ambient)
        members["input"] = {"commitment": opening.commitment}
        side |= {"input": question, "result": result, "openings": {"input": opening.to_json()}}
    return conversation.say(
        transaction,
        Denial(first.document.digest, denied.reason),
        answering=first.document,
        side=side,
        members=members,
    )


def _counterpart(conversation: Conversation) -> Counterpart:
    return Counterpart(conversation.peer, conversation.ground.standing.is_person(conversation.peer))


def _request_opening(first: Signed) -> JSONObject:
    """What opens the request, as far as it is worth keeping."""
    if not first.opening or len(encode(first.opening)) > MAX_OPENING_BYTES:
        return {}
    return {"request_opening": first.opening}


def _new_row(
    conversation: Conversation,
    terms: Terms,
    request: Request,
    selection: JSONObject | None,
    snapshot: Snapshot,
) -> ExchangeRow:
    now = conversation.ground.ambient.now()
    return ExchangeRow(
        id=conversation.exchange,
        agreement=terms.agreement,
        peer=conversation.peer,
        role="provider",
        mode=request.mode,
        state=process.OFFERED,
        dataset=terms.dataset,
        dataset_version=snapshot.digest,
        purpose=request.purpose,
        selection=encode(selection) if selection is not None else b"",
        attempt=1,
        window=0,
        position=request.cursor,
        frames=0,
        rows=0,
        size=0,
        digest="",
        accept=b"",
        last_ack=b"",
        started=now,
        changed=now,
    )


def _stored_selection(row: ExchangeRow) -> JSONObject | None:
    return decode_object(row.selection) if row.selection else None
