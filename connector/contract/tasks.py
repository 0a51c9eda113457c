"""Duties of agreements as tracked tasks: how they arise, become overdue, and are settled.

Rules that hold here:

* A task arises in the transaction that makes it so, once, with a ``duty`` leaf: what is owed once with the
  agreement, what each exchange brings with the signed Accept of its first attempt, a consequence when its
  duty was not done in time, a remedy when its prohibition was infringed. Both sides reckon from times that
  stand in messages which both hold, so both have the same tasks with the same due times.
* A task without a report :data:`GRACE_MS` after its due time is overdue at either side: twice what two clocks
  may differ. That is recorded and stays so; a clock that is set back un-does nothing.
* What was not done in time is violated until it is done, and each of its consequences with it (ODRL
  Information Model 2.2, 2.6.3). Without a consequence, doing it late is enough.
* Everything stands in the store: a restart changes nothing, and what became due meanwhile is found then.
* A leaf names a duty by its content, or by the hash of an id that somebody wrote.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from sqlmodel import col, select

from connector.audit.scope import Scope
from connector.contract.agreement import Agreement, decode_agreement
from connector.contract.duty_states import CHANGED
from connector.contract.liability import Role
from connector.contract.speaker import Speaker, agreement_row
from connector.policy.duty import Duty, arising, duties_of
from connector.policy.normal import NormalPolicy
from connector.policy.reading import read_policy
from connector.store.tables import AgreementRow, DutyTaskRow
from connector.store.writer import Transaction
from ledger.canonical import JSONObject, encode
from ledger.document import SignedDocument
from ledger.names import AgreementId, ExchangeId, Milliseconds, ParticipantId

GRACE_MS: Final = 10 * 60_000
"""How long after its due time a task without a report is overdue."""
TASK: Final = "duty-task"
"""The kind of document that a leaf calls a task."""


@dataclass(frozen=True, slots=True)
class Matter:
    """An agreement with its duties, this side's role in it, and the other party."""

    agreement: Agreement
    policy: NormalPolicy
    duties: dict[str, Duty]
    role: Role
    peer: ParticipantId


def task_id(agreement: AgreementId, duty: str, occasion: str) -> str:
    """The name of a task: the same at both sides. Hexadecimal SHA-256."""
    return hashlib.sha256(encode([agreement, duty, occasion])).hexdigest()


def leaf_name(duty: str) -> str:
    """What a leaf calls a duty: an id made of its content as it is, any other by its hash."""
    return duty if ":" not in duty else f"duty-{hashlib.sha256(duty.encode()).hexdigest()[:32]}"


class Tasks:
    """The tasks of one participant's agreements."""

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self._read: dict[bytes, Matter] = {}
        """Readings, by the signed bytes: these do not change."""

    def matter(self, transaction: Transaction, agreement: AgreementId) -> Matter:
        """An agreement's duties. Raises ``NoSuchAgreement``."""
        row = agreement_row(transaction, agreement)
        if (known := self._read.get(row.payload)) is not None:
            return known
        document = decode_agreement(row.payload)
        policy = read_policy(document.terms.policy).agreed(
            name=f"urn:bylag:agreement:{document.id}",
            assigner=document.provider.id,
            assignee=document.consumer.id,
            target=document.dataset,
        )
        matter = Matter(document, policy, duties_of(policy), Role(row.role), ParticipantId(row.peer))
        return self._read.setdefault(row.payload, matter)

    # --- how a task arises --------------------------------------------------------------------------

    def agreed(self, transaction: Transaction, agreement: AgreementId, at: Milliseconds) -> None:
        """The agreement is in force since ``at``: what is owed once for it is owed from now on."""
        matter = self.matter(transaction, agreement)
        for duty in matter.duties.values():
            if duty.kind == "obligation" or (duty.kind == "duty" and not duty.repeated):
                self.arise(transaction, matter, duty, "", at)

    def begun(
        self,
        transaction: Transaction,
        agreement: AgreementId,
        exchange: ExchangeId,
        purpose: str,
        at: Milliseconds,
    ) -> None:
        """An exchange was accepted, by a message signed at ``at``: what each exchange brings is owed."""
        matter = self.matter(transaction, agreement)
        for duty in arising(matter.policy, purpose):
            self.arise(transaction, matter, matter.duties[duty], exchange, at, exchange=exchange)

    def arise(
        self,
        transaction: Transaction,
        matter: Matter,
        duty: Duty,
        occasion: str,
        at: Milliseconds,
        *,
        exchange: str | None = None,
        parent: str | None = None,
    ) -> None:
        """A task for ``duty``, unless there is one for this occasion."""
        agreement = matter.agreement.id
        name = task_id(agreement, duty.id, occasion)
        if transaction.session.get(DutyTaskRow, name) is not None:
            return
        row = DutyTaskRow(
            id=name,
            agreement=agreement,
            duty=duty.id,
            rule=duty.rule,
            kind=duty.kind,
            action=duty.action,
            owed_by=duty.owed_by,
            occasion=occasion,
            exchange=exchange,
            parent=parent,
            arisen=at,
            due=duty.due(at),
            state="pending",
            changed=self._speaker.ambient.now(),
        )
        transaction.session.add(row)
        transaction.session.flush()
        self.changed(transaction, row)
        self.record(transaction, matter, row, "ARISEN")

    # --- how it goes on -----------------------------------------------------------------------------

    def overdue(self, transaction: Transaction) -> int:
        """Record what was not done in time, and raise what follows from it; how many tasks there were."""
        now = self._speaker.ambient.now()
        query = (
            select(DutyTaskRow)
            .where(
                col(DutyTaskRow.late).is_(False),
                col(DutyTaskRow.report).is_(None),
                col(DutyTaskRow.due) <= now - GRACE_MS,
            )
            .order_by(col(DutyTaskRow.due), col(DutyTaskRow.id))
        )
        rows = transaction.session.exec(query).all()
        for row in rows:
            self.miss(transaction, self.matter(transaction, AgreementId(row.agreement)), row)
        return len(rows)

    def miss(
        self, transaction: Transaction, matter: Matter, row: DutyTaskRow, at: Milliseconds | None = None
    ) -> None:
        """``row`` was not done in time, as is certain since ``at``: its consequences are owed from then on.

        By itself that is when the grace after its due time was over, by whichever clock.
        """
        if row.late:
            return
        row.late = True
        since = at if at is not None else Milliseconds((row.due or row.arisen) + GRACE_MS)
        self.record(transaction, matter, row, "OVERDUE")
        for consequence in matter.duties[row.duty].consequences:
            duty = matter.duties[consequence]
            self.arise(transaction, matter, duty, row.id, since, exchange=row.exchange, parent=row.id)
        self.refresh(transaction, matter, row)

    def refresh(self, transaction: Transaction, matter: Matter, row: DutyTaskRow) -> None:
        """Bring a task's state up to what is known of it, and that of the task it is a consequence of."""
        done = row.report is not None and (row.accepted or not matter.duties[row.duty].answered)
        if row.late and not (done and self._made_good(transaction, row)):
            row.state = "violated"
        elif done:
            row.state = "fulfilled"
        else:
            row.state = "pending" if row.report is None else "reported"
        self.changed(transaction, row)
        if row.parent is None:
            return
        parent = transaction.session.get_one(DutyTaskRow, row.parent)
        before = parent.state
        self.refresh(transaction, matter, parent)
        if parent.state != before and parent.state == "fulfilled":
            self.record(transaction, matter, parent, "FULFILLED")

    def _made_good(self, transaction: Transaction, row: DutyTaskRow) -> bool:
        transaction.session.flush()
        query = select(DutyTaskRow.id).where(DutyTaskRow.parent == row.id, DutyTaskRow.state != "fulfilled")
        return transaction.session.exec(query).first() is None

    def changed(self, transaction: Transaction, row: DutyTaskRow) -> None:
        """Note that an agreement's duties are others now: what was decided on them is decided anew."""
        row.changed = self._speaker.ambient.now()
        agreement = transaction.session.get_one(AgreementRow, row.agreement)
        agreement.duty_changes += 1
        transaction.session.flush()  # whoever decides in this transaction sees it
        transaction.marks.add(f"{CHANGED}{row.agreement} {agreement.duty_changes}")

    # --- how it is recorded -------------------------------------------------------------------------

    def record(
        self,
        transaction: Transaction,
        matter: Matter,
        row: DutyTaskRow,
        code: str,
        *,
        said: SignedDocument | None = None,
        heard: SignedDocument | None = None,
        opening: JSONObject | None = None,
        signed: Milliseconds | None = None,
    ) -> None:
        """A ``duty`` leaf; words stand in its side row. ``signed``: the time that a message heard claims."""
        scope = self.scope(matter, row.exchange)
        duty = matter.duties[row.duty]
        members: JSONObject = {
            "code": code,
            "contract": matter.agreement.digest,
            "duty": leaf_name(row.duty),
            "until": row.due,
            "signed_time": signed,
            "amount": row.amount if code == "REPORTED" else None,
        }
        if code == "REPORTED" and row.amount is not None and duty.currency is not None:
            members["currency"] = duty.currency
        if scope.person is None:  # whoever is shown the agreement could follow it to them
            members["document"] = {"kind": TASK, "digest": row.id}
        self._speaker.recorder.record(
            transaction,
            "duty",
            scope,
            said=said,
            heard=heard,
            side_row={"beside": opening} if opening else {},
            members=members,
        )

    def record_infringement(
        self,
        transaction: Transaction,
        matter: Matter,
        rule: str,
        *,
        said: SignedDocument | None,
        heard: SignedDocument | None,
        opening: JSONObject,
        signed: Milliseconds | None,
    ) -> None:
        """A ``duty`` leaf that says which prohibition was infringed, by the provider's word."""
        self._speaker.recorder.record(
            transaction,
            "duty",
            self.scope(matter),
            said=said,
            heard=heard,
            side_row={"beside": opening} if opening else {},
            members={
                "code": "INFRINGED",
                "contract": matter.agreement.digest,
                "duty": leaf_name(rule),
                "signed_time": signed,
            },
        )

    def scope(self, matter: Matter, exchange: str | None = None) -> Scope:
        """What a record about a duty concerns."""
        return self._speaker.scope(matter, None if exchange is None else ExchangeId(exchange))
