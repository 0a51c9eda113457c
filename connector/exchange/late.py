"""Signatures that come after their stream is gone: through the outbox.

Rules that hold here: an Ack or Reject of a window that was sent counts whenever it comes, from whoever signed
it while they could, also after they were removed (LEDGER.md section 3, "Protective messages"). Both
times stand in the record: the one it claims, and the one at which it came.
"""

from __future__ import annotations

from connector.audit.scope import Counterpart, Scope
from connector.exchange import custody
from connector.exchange.conversation import Conversation, OutOfTurn, read_first
from connector.exchange.ground import Ground
from connector.exchange.messages import Ack, Reject
from connector.store.tables import ExchangeRow
from connector.store.writer import Transaction
from ledger.canonical import JSONObject
from ledger.document import SignedDocument
from ledger.names import AgreementId, ExchangeId, ParticipantId


class LateSignatures:
    """Takes a consumer's Acks and Rejects from the outbox."""

    kinds = frozenset({Ack.kind, Reject.kind})

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def take(
        self, transaction: Transaction, peer: ParticipantId, document: SignedDocument, _opening: JSONObject
    ) -> None:
        """Record what came late. What came before changes nothing."""
        envelope, body = read_first(self._ground, peer, document)
        if not isinstance(body, Ack | Reject):
            raise OutOfTurn("only an Ack or a Reject is taken late", field="type")
        row = transaction.session.get(ExchangeRow, envelope.exchange)
        if row is None or row.peer != peer or row.role != "provider":
            raise OutOfTurn("there is no such exchange with this peer", field="exchange")
        counterpart = Counterpart(peer, is_person=self._ground.standing.is_person(peer))
        conversation = Conversation(
            self._ground,
            peer=peer,
            scope=Scope(counterpart=counterpart, agreement=AgreementId(row.agreement)),
            exchange=ExchangeId(row.id),
            agreement=AgreementId(row.agreement),
            attempt=envelope.attempt,
        )
        custody.take_late(transaction, conversation, row, document, envelope, body)
