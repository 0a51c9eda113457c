"""The negotiation desk: keeps negotiations and agreements, signs what this side says, takes what it hears.

Rules that hold here:

* A message changes the stored state, gets its record and puts its answer into the outbox in one
  transaction; only then is it acknowledged. A refused message changes nothing.
* What a rule may answer, the desk answers at once: a provider's rule approves the offer as
  published; a consumer signs the agreement that it asked for; a provider acknowledges a second
  signature that came in time. Everything else waits for a person; so does all of this while the other
  side is in no good standing. The lane that brings messages stays open to whoever was removed.
* A party signs the agreement with the key that it named. Where that was replaced meanwhile, a rule
  ends the negotiation, and a person is told to.
* A message counts from the peer who delivered it, to this participant, in this data space.
* Who acted by hand, and under which mandate, stands beside the signed message, committed to inside.
* At FINALIZED an agreement begins to exist (:mod:`connector.contract.agreements`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlmodel import col, func, select

from connector.audit.scope import Counterpart, Scope
from connector.contract import stored
from connector.contract.agreement import Agreement, sign_agreement
from connector.contract.agreements import Agreements, OnForce, require_free
from connector.contract.errors import IllegalMove, NotThisNegotiation
from connector.contract.liability import Role
from connector.contract.messages import (
    Accepted,
    AgreementTermination,
    Body,
    ContractAgreement,
    ContractOffer,
    ContractRequest,
    ContractTermination,
    ContractVerification,
    Finalized,
    Message,
    Step,
    compose,
    read_message,
)
from connector.contract.negotiation import advance, assign_pid
from connector.contract.offer import Applicant
from connector.contract.opening import commit_beside, read_beside
from connector.contract.speaker import Speaker
from connector.contract.states import Negotiation, State, first_envelope, next_envelope
from connector.contract.terms import Proposal
from connector.store import outbox
from connector.store.database import Database
from connector.store.tables import NegotiationRow
from connector.store.writer import Transaction, Writer
from ledger.ambient import fresh_id
from ledger.canonical import JSON, JSONObject, decode_object, encode
from ledger.document import SignedDocument, thumbprint
from ledger.errors import BylagError, ErrorKind
from ledger.fields import BadField
from ledger.names import (
    AgreementId,
    Milliseconds,
    NegotiationId,
    ParticipantId,
    UnitId,
)

SIGN_WITHIN_MS: Final = 7 * 24 * 3600 * 1000
"""How long the second signature may take."""
MAX_STORED_BYTES: Final = 32 << 20
MOST_OPEN: Final = 200
"""Negotiations that one peer may have begun here and not ended."""


class NoSuchNegotiation(BylagError):
    """This participant has no negotiation of that id."""

    code = "NO_SUCH_NEGOTIATION"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "List them with `bylag negotiation list`."


class TooManyOpen(BylagError):
    """A peer has begun more negotiations than one peer may have open."""

    code = "TOO_MANY_OPEN"
    kind = ErrorKind.EXHAUSTED
    default_next_step = "End some of the negotiations that are open before beginning another."


class KeyReplaced(BylagError):
    """This side named a key in a negotiation that it does not sign with any more."""

    code = "KEY_REPLACED"
    kind = ErrorKind.CONFLICT
    default_next_step = "Terminate this negotiation and begin another, which will name the new key."


@dataclass(frozen=True, slots=True)
class Standing:
    """A negotiation as this side keeps it, with the words that were said beside its messages."""

    id: NegotiationId
    role: Role
    peer: ParticipantId
    negotiation: Negotiation
    words: tuple[Mapping[str, str], ...]


class Desk:
    """Negotiates for one participant."""

    def __init__(
        self, speaker: Speaker, *, writer: Writer, database: Database, on_force: OnForce | None = None
    ) -> None:
        self._speaker = speaker
        self._writer = writer
        self._database = database
        self.agreements = Agreements(speaker, on_force=on_force)
        """What comes of negotiations, and how it ends."""

    async def ask(
        self,
        provider: ParticipantId,
        proposal: Proposal,
        *,
        unit: UnitId | None = None,
        beside: Mapping[str, str] | None = None,
    ) -> Standing:
        """Consumer: begin a negotiation with a ContractRequestMessage."""
        body = ContractRequest(proposal, self._speaker.surroundings.own_party(unit))
        return await self._writer.write(
            lambda transaction: self._begin(transaction, Role.CONSUMER, provider, body, beside or {})
        )

    async def offer(
        self,
        consumer: ParticipantId,
        proposal: Proposal,
        *,
        unit: UnitId | None = None,
        beside: Mapping[str, str] | None = None,
    ) -> Standing:
        """Provider: begin a negotiation with a ContractOfferMessage to somebody who did not ask."""
        body = ContractOffer(proposal, self._speaker.surroundings.own_party(unit))
        return await self._writer.write(
            lambda transaction: self._begin(transaction, Role.PROVIDER, consumer, body, beside or {})
        )

    async def counter(
        self,
        negotiation: NegotiationId,
        proposal: Proposal,
        *,
        unit: UnitId | None,
        beside: Mapping[str, str],
    ) -> Standing:
        """Either side: put other terms on the table."""
        party = self._speaker.surroundings.own_party(unit)

        def body(standing: Standing) -> Body:
            if standing.role is Role.PROVIDER:
                return ContractOffer(proposal, party)
            return ContractRequest(proposal, party)

        return await self._continue(negotiation, body, beside)

    async def approve(
        self, negotiation: NegotiationId, *, unit: UnitId | None, beside: Mapping[str, str]
    ) -> Standing:
        """A person says yes to what lies on the table: the provider agrees, the consumer accepts.

        Or says what a rule would have said, had the other side been in good standing then.
        """

        def body(standing: Standing) -> Body:
            negotiation = standing.negotiation
            if standing.role is Role.CONSUMER:
                if negotiation.state is State.AGREED:
                    return self._verification(negotiation)
                return Accepted(negotiation.proposal.digest, self._speaker.surroundings.own_party(unit))
            if negotiation.state is State.VERIFIED:
                return self._finalization(negotiation)
            return self._agreement(standing, unit)

        return await self._continue(negotiation, body, beside)

    async def terminate(
        self, negotiation: NegotiationId, code: str, *, beside: Mapping[str, str]
    ) -> Standing:
        """Either side: end a negotiation with a reason code, and words that both see."""
        return await self._continue(negotiation, lambda _: ContractTermination(code), beside)

    async def end_agreement(self, agreement: AgreementId, code: str, *, beside: Mapping[str, str]) -> None:
        """Either side: end an agreement in force. Bars releases before the record is durable."""
        self._speaker.surroundings.bar(agreement, "AGREEMENT_TERMINATED")
        await self._writer.write(
            lambda transaction: self.agreements.end(transaction, agreement, code, beside)
        )

    def take(
        self, transaction: Transaction, peer: ParticipantId, document: SignedDocument, opening: JSONObject
    ) -> None:
        """Take a message of a peer, in the transaction that acknowledges it.

        Raises a :class:`~ledger.errors.BylagError` for a message that is refused; then nothing changed.
        """
        message = read_message(document)
        read_beside(message.envelope.commitments, opening)
        if message.envelope.sender != peer:
            raise NotThisNegotiation("the sender is not the peer who delivered this", field="sender")
        if message.envelope.recipient != self._speaker.me:
            raise NotThisNegotiation("this is for another participant", field="recipient")
        if message.envelope.space != self._speaker.space:
            raise NotThisNegotiation("this is of another data space", field="space")
        if isinstance(message.body, AgreementTermination):
            self.agreements.take_end(transaction, peer, message, message.body, opening)
            return
        standing = self._find(transaction, peer, message)
        if standing is None:
            _require_few(transaction, peer)
        role = standing.role.other if standing else _role_of_first(message)
        moved = advance(
            standing.negotiation if standing else None,
            role,
            message,
            keys=self._speaker.keys,
            at=self._speaker.ambient.now(),
        )
        if standing is not None and moved is standing.negotiation:
            return
        if isinstance(message.body, ContractAgreement):
            require_free(transaction, message.body.agreement.id)
        if standing is None:
            moved = assign_pid(moved, role.other, NegotiationId(fresh_id(self._speaker.ambient)))
        mine = moved.pid(role.other)
        if mine is None:
            raise NotThisNegotiation("the message names no negotiation of this side")
        kept = Standing(mine, role.other, peer, moved, (*(standing.words if standing else ()), {}))
        self._record(transaction, kept, heard=message, opening=opening)
        self._save(transaction, kept, opening)
        self._answer(transaction, kept)

    def all(self) -> list[Standing]:
        """All negotiations, the newest change first."""
        with self._database.read() as session:
            rows = session.exec(select(NegotiationRow).order_by(col(NegotiationRow.changed).desc()))
            return [_read_row(row) for row in rows]

    def get(self, negotiation: NegotiationId) -> Standing:
        """One negotiation. Raises :class:`NoSuchNegotiation`."""
        with self._database.read() as session:
            row = session.get(NegotiationRow, negotiation)
        if row is None:
            raise NoSuchNegotiation("no such negotiation", field="negotiation")
        return _read_row(row)

    def _begin(
        self,
        transaction: Transaction,
        role: Role,
        peer: ParticipantId,
        body: Body,
        beside: Mapping[str, str],
    ) -> Standing:
        pid = NegotiationId(fresh_id(self._speaker.ambient))
        commitments, opening = commit_beside(self._speaker.ambient, beside)
        envelope = first_envelope(
            role,
            pid,
            space=self._speaker.space,
            sender=self._speaker.me,
            recipient=peer,
            stamp=self._speaker.stamp(transaction, self._scope(peer), commitments),
        )
        message = compose(envelope, body, self._speaker.key())
        negotiation = advance(None, role, message, keys=self._speaker.keys, at=self._speaker.ambient.now())
        standing = Standing(pid, role, peer, negotiation, ())
        self._say(transaction, standing, message, opening)
        return standing

    async def _continue(
        self,
        negotiation: NegotiationId,
        body: Callable[[Standing], Body],
        beside: Mapping[str, str],
    ) -> Standing:
        def job(transaction: Transaction) -> Standing:
            row = transaction.session.get(NegotiationRow, negotiation)
            if row is None:
                raise NoSuchNegotiation("no such negotiation", field="negotiation")
            standing = _read_row(row)
            return self._move(transaction, standing, body(standing), beside)

        return await self._writer.write(job)

    def _move(
        self, transaction: Transaction, standing: Standing, body: Body, beside: Mapping[str, str]
    ) -> Standing:
        """Say ``body`` next: sign, advance, record, store and put into the outbox."""
        commitments, opening = commit_beside(self._speaker.ambient, beside)
        stamp = self._speaker.stamp(transaction, self._scope(standing.peer), commitments)
        envelope = next_envelope(standing.negotiation, standing.role, stamp)
        message = compose(envelope, body, self._speaker.key())
        moved = advance(
            standing.negotiation,
            standing.role,
            message,
            keys=self._speaker.keys,
            at=self._speaker.ambient.now(),
        )
        said = Standing(standing.id, standing.role, standing.peer, moved, standing.words)
        self._say(transaction, said, message, opening)
        return said

    def _say(
        self, transaction: Transaction, standing: Standing, message: Message, opening: JSONObject
    ) -> None:
        self._record(transaction, standing, said=message, opening=opening)
        self._save(transaction, standing, opening)
        outbox.put(transaction, standing.peer, message.document, opening, self._speaker.ambient.now())

    def _answer(self, transaction: Transaction, standing: Standing) -> None:
        """What a rule may answer without a person."""
        applicant = self._speaker.surroundings.applicant(standing.peer)
        if not applicant.active:
            return
        try:
            body = self._rules_answer(standing, applicant)
        except KeyReplaced:
            said = {"words": "A key that was named here has been replaced. Ask again."}
            self._move(transaction, standing, ContractTermination("TECHNICAL_FAILURE"), said)
            return
        if body is not None:
            self._move(transaction, standing, body, {})

    def _rules_answer(self, standing: Standing, applicant: Applicant) -> Body | None:
        """The answer that takes no person; None where it takes one. Raises :class:`KeyReplaced`."""
        negotiation = standing.negotiation
        if standing.role is Role.PROVIDER and negotiation.state is State.REQUESTED:
            offer = self._speaker.surroundings.offer(negotiation.proposal)
            if offer and offer.approves(applicant, negotiation.proposal, self._speaker.ambient.now()):
                return self._agreement(standing, offer.unit)
        elif standing.role is Role.PROVIDER and negotiation.state is State.ACCEPTED:
            # The consumer accepted the terms that this side put on the table itself.
            unit = negotiation.provider_party.unit if negotiation.provider_party else None
            return self._agreement(standing, unit)
        elif standing.role is Role.CONSUMER and negotiation.state is State.AGREED:
            return self._verification(negotiation)
        elif standing.role is Role.PROVIDER and negotiation.state is State.VERIFIED:
            return self._finalization(negotiation)
        return None

    def _agreement(self, standing: Standing, unit: UnitId | None) -> ContractAgreement:
        negotiation = standing.negotiation
        consumer = negotiation.consumer_party
        if consumer is None or negotiation.consumer_pid is None or negotiation.provider_pid is None:
            raise IllegalMove("nobody has asked for an agreement yet", field="type")
        now = self._speaker.ambient.now()
        agreement = Agreement(
            space=self._speaker.space,
            id=AgreementId(fresh_id(self._speaker.ambient)),
            consumer_pid=negotiation.consumer_pid,
            provider_pid=negotiation.provider_pid,
            list=self._speaker.surroundings.list_reference(),
            provider=negotiation.provider_party or self._speaker.surroundings.own_party(unit),
            consumer=consumer,
            offer=negotiation.proposal.offer,
            dataset=negotiation.proposal.dataset,
            versions=negotiation.proposal.versions,
            terms=negotiation.proposal.terms,
            rulebook=self._speaker.surroundings.rulebook(),
            witness_policy="quorum none\n",
            nonce=self._speaker.ambient.random(32).hex(),
            made=now,
            sign_by=Milliseconds(now + SIGN_WITHIN_MS),
        )
        return ContractAgreement(agreement, self._sign(agreement, Role.PROVIDER))

    def _verification(self, negotiation: Negotiation) -> ContractVerification:
        agreement = negotiation.agreement
        if agreement is None:
            raise IllegalMove("there is no agreement to sign", field="type")
        return ContractVerification(agreement.digest, self._sign(agreement, Role.CONSUMER))

    def _sign(self, agreement: Agreement, role: Role) -> str:
        """This side's signature, by the key that the agreement names for it. Raises :class:`KeyReplaced`."""
        key = self._speaker.key()
        if thumbprint(key.public_key()) != agreement.party(role).key:
            raise KeyReplaced("the key that was named in this negotiation has been replaced", field="key")
        return sign_agreement(agreement, key)

    def _finalization(self, negotiation: Negotiation) -> Finalized:
        agreement, verification = negotiation.agreement, negotiation.message(Step.VERIFY)
        if agreement is None or verification is None:
            raise IllegalMove("there is no second signature to acknowledge", field="type")
        return Finalized(agreement.digest, verification.digest, self._speaker.ambient.now())

    def _scope(self, peer: ParticipantId) -> Scope:
        return Scope(counterpart=Counterpart(peer, is_person=self._speaker.surroundings.is_person(peer)))

    def _record(
        self,
        transaction: Transaction,
        standing: Standing,
        *,
        said: Message | None = None,
        heard: Message | None = None,
        opening: JSONObject,
    ) -> None:
        message = said or heard
        scope = self._scope(standing.peer)
        scope = Scope(scope.counterpart, negotiation=standing.id)
        members: JSONObject = {
            "code": standing.negotiation.state.value,
            "dataset": standing.negotiation.proposal.dataset,
            "signed_time": message.envelope.time if message else None,
        }
        self._speaker.recorder.record(
            transaction,
            "negotiation",
            scope,
            said=said.document if said else None,
            heard=heard.document if heard else None,
            side_row={"beside": opening} if opening else {},
            members=members,
        )

    def _save(self, transaction: Transaction, standing: Standing, opening: JSONObject) -> None:
        negotiation = standing.negotiation
        row = transaction.session.get(NegotiationRow, standing.id)
        document = encode({"negotiation": stored.dump(negotiation), "openings": self._openings(row, opening)})
        if row is None:
            row = NegotiationRow(
                id=standing.id,
                peer=standing.peer,
                peer_id=negotiation.pid(standing.role.other) or "",
                role=standing.role.value,
                state=negotiation.state.value,
                dataset=negotiation.proposal.dataset,
                document=document,
                changed=self._speaker.ambient.now(),
            )
        row.peer_id = negotiation.pid(standing.role.other) or ""
        row.state = negotiation.state.value
        row.document = document
        row.changed = self._speaker.ambient.now()
        transaction.session.add(row)
        transaction.session.flush()
        if negotiation.state is State.FINALIZED:
            self.agreements.put_in_force(transaction, standing.negotiation, standing.role, standing.peer)

    def _openings(self, row: NegotiationRow | None, opening: JSONObject) -> list[JSON]:
        before = decode_object(row.document, max_bytes=MAX_STORED_BYTES)["openings"] if row else []
        kept = before if isinstance(before, list) else []
        return [*kept, opening]

    def _find(self, transaction: Transaction, peer: ParticipantId, message: Message) -> Standing | None:
        envelope = message.envelope
        query = select(NegotiationRow).where(NegotiationRow.peer == peer)
        named = [pid for pid in (envelope.consumer_pid, envelope.provider_pid) if pid is not None]
        if not named:
            raise NotThisNegotiation("the message names no negotiation", field="consumer_pid")
        rows = transaction.session.exec(
            query.where(col(NegotiationRow.id).in_(named) | col(NegotiationRow.peer_id).in_(named))
        ).all()
        if len(rows) > 1:
            raise NotThisNegotiation("the message names two negotiations", field="consumer_pid")
        return _read_row(rows[0]) if rows else None


def _require_few(transaction: Transaction, peer: ParticipantId) -> None:
    """Raise :class:`TooManyOpen` unless the peer may begin another negotiation."""
    count = select(func.count()).select_from(NegotiationRow).where(NegotiationRow.peer == peer)
    finals = [state.value for state in State if state.is_final]
    if transaction.session.exec(count.where(col(NegotiationRow.state).not_in(finals))).one() >= MOST_OPEN:
        raise TooManyOpen(f"{MOST_OPEN} negotiations with this peer are open")


def _role_of_first(message: Message) -> Role:
    return Role.PROVIDER if isinstance(message.body, ContractOffer) else Role.CONSUMER


def _read_row(row: NegotiationRow) -> Standing:
    document = decode_object(row.document, max_bytes=MAX_STORED_BYTES)
    kept, openings = document["negotiation"], document["openings"]
    if not isinstance(kept, dict) or not isinstance(openings, list):
        raise BadField("the stored negotiation is damaged", field=row.id)
    negotiation = stored.load(kept)
    words = tuple(
        read_beside(entry.message.envelope.commitments, opening)
        for entry, opening in zip(negotiation.history, openings, strict=True)
        if isinstance(opening, dict)
    )
    return Standing(NegotiationId(row.id), Role(row.role), ParticipantId(row.peer), negotiation, words)
