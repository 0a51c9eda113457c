"""Agreements in force: how they begin, and how each side, or time, ends them.

Rules that hold here:

* An agreement exists from FINALIZED on, with both signatures and the acknowledgement, under an id that
  no other has: verified as an auditor would, from the three messages alone.
* Whoever ends it bars its releases in memory before the record is durable.
* When its period is over it turns to ``expired``, with a record of that. What ended stays ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sqlmodel import select

from connector.contract.ending import ending_of
from connector.contract.errors import AgreementDiffers, IllegalMove, NoSuchAgreement
from connector.contract.force import evidence_of, in_force
from connector.contract.liability import Role
from connector.contract.messages import AgreementTermination, Message, Step
from connector.contract.speaker import HeldAgreement, Speaker, agreement_row, held_agreement
from connector.contract.states import Negotiation
from connector.store import outbox
from connector.store.tables import AgreementRow
from connector.store.writer import Transaction
from ledger.canonical import JSONObject, encode
from ledger.names import AgreementId, Milliseconds, ParticipantId

OnForce = Callable[[Transaction, AgreementId, Milliseconds], None]
"""Told of an agreement that is in force, and since when by the message that both hold."""
PERIOD_ENDED: Final = "PERIOD_ENDED"


class Agreements:
    """The agreements of one participant."""

    def __init__(self, speaker: Speaker, *, on_force: OnForce | None = None) -> None:
        """``on_force``: what begins with an agreement, in the transaction that puts it in force."""
        self._speaker = speaker
        self._on_force = on_force
        self._ends: dict[AgreementId, Milliseconds | None] = {}
        """When each agreement's period ends: what was signed does not change."""

    def put_in_force(
        self, transaction: Transaction, negotiation: Negotiation, role: Role, peer: ParticipantId
    ) -> None:
        """Both signed, and the first signer acknowledged the second: the agreement counts."""
        agreement = negotiation.agreement
        if (
            agreement is None
            or negotiation.provider_signature is None
            or negotiation.consumer_signature is None
        ):
            raise IllegalMove("an agreement has two signatures", field="agreement")
        require_free(transaction, agreement.id)
        evidence = evidence_of(negotiation)
        in_force(evidence, self._speaker.keys)  # what could not be shown to an auditor does not begin
        mine, theirs = agreement.party(role), agreement.party(role.other)
        transaction.session.add(
            AgreementRow(
                id=agreement.id,
                peer=peer,
                role=role.value,
                unit=mine.unit or "",
                peer_unit=theirs.unit or "",
                dataset=agreement.dataset,
                payload=agreement.payload,
                provider_jws=negotiation.provider_signature,
                consumer_jws=negotiation.consumer_signature,
                acknowledgement=encode(evidence.finalization.to_json()),
                state="active",
                windows=agreement.terms.windows,
                policy_digest=agreement.terms.policy_digest,
                list_number=agreement.list.number,
                begun=self._speaker.ambient.now(),
            )
        )
        held = HeldAgreement(agreement, role, peer)
        self._speaker.recorder.record(
            transaction,
            "agreement",
            self._speaker.scope(held),
            side_row={
                "agreement": agreement.content(),
                "signatures": [negotiation.provider_signature, negotiation.consumer_signature],
                "evidence": [
                    evidence.agreement.to_json(),
                    evidence.verification.to_json(),
                    evidence.finalization.to_json(),
                ],
            },
            members={
                "contract": agreement.digest,
                "policy": agreement.terms.policy_digest,
                "rulebook": agreement.rulebook,
                "dataset": agreement.dataset,
                "purpose": agreement.terms.purpose,
                "legal_basis": agreement.terms.legal_basis,
                "list": agreement.list.members(),
                "until": agreement.terms.period.end,
            },
        )
        finalized = negotiation.message(Step.FINALIZE)
        if self._on_force is not None and finalized is not None:
            transaction.session.flush()
            self._on_force(transaction, agreement.id, finalized.envelope.time)

    def end(
        self,
        transaction: Transaction,
        agreement_id: AgreementId,
        code: str,
        beside: Mapping[str, str],
    ) -> None:
        """This side ends an agreement in force, and tells the other. Raises ``IllegalMove``."""
        row = agreement_row(transaction, agreement_id)
        if row.state != "active":
            raise IllegalMove(f"the agreement is {row.state}", field="agreement")
        held, now = held_agreement(row), self._speaker.ambient.now()
        body = AgreementTermination(agreement_id, held.agreement.digest, code, now)
        message, opening = self._speaker.compose(transaction, held, body, beside)
        self._speaker.recorder.record(
            transaction,
            "termination",
            self._speaker.scope(held),
            said=message.document,
            side_row={"beside": opening} if opening else {},
            members={"code": code, "contract": body.contract},
        )
        row.state, row.ended, row.end_code = "terminated", now, code
        outbox.put(transaction, held.peer, message.document, opening, now)

    def take_end(
        self,
        transaction: Transaction,
        peer: ParticipantId,
        message: Message,
        body: AgreementTermination,
        opening: JSONObject,
    ) -> None:
        """The other side ended an agreement."""
        row = agreement_row(transaction, body.agreement)
        if row.peer != peer:
            raise NoSuchAgreement("no such agreement", field="agreement")
        held, now = held_agreement(row), self._speaker.ambient.now()
        agreement = held.agreement
        ending = ending_of(agreement, held.role.other, message, keys=self._speaker.keys, at=now)
        self._speaker.surroundings.bar(agreement.id, "AGREEMENT_TERMINATED")
        self._speaker.recorder.record(
            transaction,
            "termination",
            self._speaker.scope(held),
            heard=message.document,
            side_row={"beside": opening} if opening else {},
            members={
                "code": ending.code,
                "contract": agreement.digest,
                "signed_time": message.envelope.time,
            },
        )
        if row.state == "active":
            row.state, row.ended, row.end_code = "terminated", now, ending.code

    def expire(self, transaction: Transaction) -> int:
        """Turn agreements whose period is over to ``expired``; how many there were."""
        now = self._speaker.ambient.now()
        active = transaction.session.exec(select(AgreementRow.id).where(AgreementRow.state == "active")).all()
        due = [each for each in active if self._is_over(transaction, AgreementId(each), now)]
        for each in due:
            self._expire(transaction, AgreementId(each), now)
        return len(due)

    def _is_over(self, transaction: Transaction, agreement: AgreementId, now: Milliseconds) -> bool:
        if agreement not in self._ends:
            self._ends[agreement] = held_agreement(
                agreement_row(transaction, agreement)
            ).agreement.terms.period.end
        end = self._ends[agreement]
        return end is not None and now >= end

    def _expire(self, transaction: Transaction, agreement_id: AgreementId, now: Milliseconds) -> None:
        row = agreement_row(transaction, agreement_id)
        held = held_agreement(row)
        self._speaker.surroundings.bar(agreement_id, "AGREEMENT_ENDED")
        self._speaker.recorder.record(
            transaction,
            "expiry",
            self._speaker.scope(held),
            members={
                "code": PERIOD_ENDED,
                "contract": held.agreement.digest,
                "until": held.agreement.terms.period.end,
            },
        )
        row.state, row.ended, row.end_code = "expired", now, PERIOD_ENDED


def require_free(transaction: Transaction, agreement: AgreementId) -> None:
    """Raise ``AgreementDiffers`` for an id that an agreement has: a provider must give a fresh one."""
    if transaction.session.get(AgreementRow, agreement) is not None:
        raise AgreementDiffers("another agreement has this id", field="agreement.id")
