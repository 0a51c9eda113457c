"""One participant as it speaks about its agreements: signs what it says, checks what it hears.

Rules that hold here:

* A message about an agreement in force names the agreement's bytes, so it cannot be turned against another.
* It counts from the other party alone, to this participant, in this data space, under a key of the sender's
  that is valid now.
* It opens a conversation of its own: it says what list, log head and record stand behind it, and commits to
  the words beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connector.audit.recorder import Recorder
from connector.audit.scope import Counterpart, Scope
from connector.contract.agreement import Agreement, decode_agreement
from connector.contract.errors import AgreementDiffers, ForgedSender, NoSuchAgreement
from connector.contract.keys import KeyDirectory, verify_by
from connector.contract.liability import Role
from connector.contract.messages import MAX_BYTES, Body, Message, compose
from connector.contract.opening import Commitments, commit_beside
from connector.contract.states import Stamp, first_envelope
from connector.contract.surroundings import Surroundings
from connector.store.tables import AgreementRow
from connector.store.writer import Transaction
from ledger.ambient import Ambient, fresh_id
from ledger.canonical import JSONObject
from ledger.names import AgreementId, DataSpaceId, ExchangeId, NegotiationId, ParticipantId


class Held(Protocol):
    """An agreement as one side holds it."""

    @property
    def agreement(self) -> Agreement: ...

    @property
    def role(self) -> Role:
        """This side's."""

    @property
    def peer(self) -> ParticipantId:
        """The other party."""


@dataclass(frozen=True, slots=True)
class HeldAgreement:
    """An agreement, this side's role in it, and the other party."""

    agreement: Agreement
    role: Role
    peer: ParticipantId


def held_agreement(row: AgreementRow) -> HeldAgreement:
    """What a row of the store holds."""
    return HeldAgreement(decode_agreement(row.payload), Role(row.role), ParticipantId(row.peer))


def agreement_row(transaction: Transaction, agreement: AgreementId) -> AgreementRow:
    """The row of an agreement. Raises :class:`NoSuchAgreement`."""
    row = transaction.session.get(AgreementRow, agreement)
    if row is None:
        raise NoSuchAgreement("no such agreement", field="agreement")
    return row


def scope_of(surroundings: Surroundings, held: Held, exchange: ExchangeId | None = None) -> Scope:
    """What a record about an agreement, or about one exchange under it, concerns."""
    mine, theirs = held.agreement.party(held.role), held.agreement.party(held.role.other)
    return Scope(
        counterpart=Counterpart(held.peer, surroundings.is_person(held.peer), theirs.unit),
        unit=mine.unit,
        agreement=held.agreement.id,
        exchange=exchange,
    )


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks: ``me`` in ``space``, with the ``key`` in use now, and what it needs to know and to record.

    ``keys`` are everybody's, to check what is heard.
    """

    me: ParticipantId
    space: DataSpaceId
    key: Callable[[], Ed25519PrivateKey]
    ambient: Ambient
    recorder: Recorder
    keys: KeyDirectory
    surroundings: Surroundings

    def scope(self, held: Held, exchange: ExchangeId | None = None) -> Scope:
        """What a record about an agreement, or about one exchange under it, concerns."""
        return scope_of(self.surroundings, held, exchange)

    def stamp(self, transaction: Transaction, scope: Scope, commitments: Commitments) -> Stamp:
        """Where this side stands as it speaks, with commitments to the words beside."""
        return Stamp(
            list=self.surroundings.list_reference(),
            aseq=self.recorder.next_record(transaction, scope),
            head=self.surroundings.head(),
            time=self.ambient.now(),
            commitments=commitments,
        )

    def compose(
        self,
        transaction: Transaction,
        held: Held,
        body: Body,
        beside: Mapping[str, str],
        exchange: ExchangeId | None = None,
    ) -> tuple[Message, JSONObject]:
        """Sign ``body`` for the other party; the message, and what opens its commitments to ``beside``.

        The record of it must follow in the same transaction: the message says its number.
        """
        commitments, words = commit_beside(self.ambient, beside)
        envelope = first_envelope(
            held.role,
            NegotiationId(fresh_id(self.ambient)),
            space=self.space,
            sender=self.me,
            recipient=held.peer,
            stamp=self.stamp(transaction, self.scope(held, exchange), commitments),
        )
        return compose(envelope, body, self.key()), words

    def verify(self, held: Held, peer: ParticipantId, message: Message, contract: str) -> None:
        """Check that ``peer`` says this to this participant, about the agreement of digest ``contract``.

        Raises :class:`NoSuchAgreement` to whom it is none of, ``AgreementDiffers``, ``ForgedSender``, or what
        :func:`~connector.contract.keys.verify_by` raises.
        """
        envelope = message.envelope
        if held.peer != peer:
            raise NoSuchAgreement("no such agreement", field="agreement")
        if (contract, envelope.space) != (held.agreement.digest, self.space):
            raise AgreementDiffers("is about another agreement", field="contract")
        if envelope.sender != peer or envelope.recipient != self.me:
            raise ForgedSender("the message is not from the other party to this one", field="sender")
        now = self.ambient.now()
        verify_by(self.keys, peer, message.document, message.body.kind, at=now, max_bytes=MAX_BYTES)
