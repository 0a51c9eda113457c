"""What the parties of an agreement say to each other about its duties, and what that changes.

Rules that hold here:

* Whoever owes a duty reports by a signed message that it is done. Where the action is to pay or to obtain
  consent, that counts once the other side has accepted it: nobody pays by saying so. Any other report counts
  until it is rejected.
* A report of a deletion is an attestation: nobody can see that data is gone.
* Only whoever owes a duty reports it, and only the other party answers; each report is answered as the one
  it is. The provider, who set the policy, says which prohibition was infringed.
* A report that comes when the task is overdue here already is told so by a rule (``LATE``): then both sides
  raise the same consequences.
* Evidence is committed to; words lie in the side row. None of it stands in signed bytes or in a leaf.
* All of this is open to ended agreements and to removed members, until nothing is owed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlmodel import select

from connector.contract.errors import IllegalMove
from connector.contract.liability import Role
from connector.contract.messages import (
    DutyAnswered,
    DutyReported,
    Infringed,
    Message,
    read_message,
)
from connector.contract.opening import BadWords, read_beside, words_of
from connector.contract.speaker import Speaker
from connector.contract.tasks import GRACE_MS, Matter, Tasks, task_id
from connector.store import outbox
from connector.store.tables import DutyTaskRow, ExchangeRow
from connector.store.writer import Transaction
from ledger.canonical import JSON, JSONObject
from ledger.commitment import BadOpening, fresh, opens, read_opening
from ledger.document import SignedDocument
from ledger.errors import BylagError, ErrorKind
from ledger.names import AgreementId, ExchangeId, MessageHash, ParticipantId

NOT_TAKEN: Final = "NOT_TAKEN"
"""The other side refused a report as malformed, or of a task that it does not know."""
EVIDENCE: Final = "evidence"
MAX_EVIDENCE: Final = 500
"""Characters of a reference to evidence."""


class NoSuchDuty(BylagError):
    """No duty under that id has arisen here."""

    code = "NO_SUCH_DUTY"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "List what is owed: `bylag duties list`."


class CannotReport(BylagError):
    """A report or an answer does not fit the state of the duty."""

    code = "CANNOT_REPORT"
    kind = ErrorKind.CONFLICT
    default_next_step = "Look at the duty's state: `bylag duties list`."


class NotEnough(CannotReport):
    """Less was paid than the policy asks for, or no amount was named."""

    code = "NOT_ENOUGH"
    default_next_step = "Report the amount that was paid, in minor units, once all of it is."


class Duties:
    """The tracked duties of one participant's agreements, and the messages about them."""

    kinds: Final = frozenset({DutyReported.kind, DutyAnswered.kind, Infringed.kind})

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self.tasks = Tasks(speaker)

    # --- what this side says ------------------------------------------------------------------------

    def report(
        self,
        transaction: Transaction,
        task: str,
        beside: Mapping[str, str],
        *,
        evidence: str | None = None,
        amount: int | None = None,
    ) -> DutyTaskRow:
        """This side has done what it owes. Raises :class:`NoSuchDuty` or :class:`CannotReport`."""
        row, matter = self._find(transaction, task)
        if row.owed_by != matter.role.value:
            raise CannotReport("the other party owes this duty", field="duty")
        if row.report is not None:
            raise CannotReport("it was reported already, and nobody has rejected that", field="duty")
        self._require_amount(matter, row, amount)
        self._miss_if_due(transaction, matter, row)
        committed = None
        if evidence is not None:
            words_of(evidence, EVIDENCE, MAX_EVIDENCE)
            committed = fresh(EVIDENCE, evidence.encode(), self._speaker.ambient)
        body = DutyReported(
            matter.agreement.id,
            matter.agreement.digest,
            row.duty,
            row.id,
            number=row.reports + 1,
            late=row.late,
            amount=amount,
            evidence=None if committed is None else committed.commitment,
        )
        extra: JSONObject = {} if committed is None else {EVIDENCE: committed.to_json()}
        message, opening = self._compose(transaction, matter, body, beside, extra, row.exchange)
        self._reported(transaction, matter, row, message, body, opening, said=True)
        outbox.put(transaction, matter.peer, message.document, opening, self._speaker.ambient.now())
        return row

    def answer(
        self, transaction: Transaction, task: str, code: str, beside: Mapping[str, str]
    ) -> DutyTaskRow:
        """Accept (``ACCEPTED``) or reject what the other side reported.

        Raises :class:`NoSuchDuty` or :class:`CannotReport`.
        """
        row, matter = self._find(transaction, task)
        if row.owed_by == matter.role.value:
            raise CannotReport("this side owes this duty: the other party answers", field="duty")
        if row.report is None:
            raise CannotReport("no report of it waits for an answer", field="duty")
        if row.accepted:
            raise CannotReport("its report was accepted already", field="duty")
        self._say_answer(transaction, matter, row, code, beside)
        return row

    def infringed(
        self, transaction: Transaction, agreement: AgreementId, rule: str, beside: Mapping[str, str]
    ) -> list[DutyTaskRow]:
        """The provider says that a prohibition was infringed; what is owed for it. Raises ``IllegalMove``."""
        matter = self.tasks.matter(transaction, agreement)
        if matter.role is not Role.PROVIDER:
            raise IllegalMove("the provider set the prohibition, and says so", field="agreement")
        self._remedies(matter, rule)
        body = Infringed(agreement, matter.agreement.digest, rule)
        message, opening = self._compose(transaction, matter, body, beside, {}, None)
        rows = self._infringed(transaction, matter, message, body, opening, said=True)
        outbox.put(transaction, matter.peer, message.document, opening, self._speaker.ambient.now())
        return rows

    # --- what this side hears -----------------------------------------------------------------------

    def take(
        self, transaction: Transaction, peer: ParticipantId, document: SignedDocument, opening: JSONObject
    ) -> None:
        """Take what a peer says about a duty, in the transaction that acknowledges it.

        Raises a :class:`~ledger.errors.BylagError` for a message that is refused; then nothing changed.
        """
        message = read_message(document)
        body = message.body
        if not isinstance(body, DutyReported | DutyAnswered | Infringed):
            raise IllegalMove("this message is about no duty", field="type")
        _read_opening(message, body, opening)
        matter = self.tasks.matter(transaction, body.agreement)
        self._speaker.verify(matter, peer, message, body.contract)
        if isinstance(body, Infringed):
            if matter.role is Role.PROVIDER:
                raise IllegalMove("only the provider says what was infringed", field="sender")
            self._remedies(matter, body.rule)
            self._infringed(transaction, matter, message, body, opening, said=False)
            return
        row = transaction.session.get(DutyTaskRow, body.task)
        if row is None or (row.agreement, row.duty) != (body.agreement, body.duty):
            raise NoSuchDuty("no such duty has arisen here", field="task")
        if isinstance(body, DutyReported):
            self._take_report(transaction, matter, row, message, body, opening)
        else:
            self._take_answer(transaction, matter, row, message, body, opening)

    def not_taken(self, transaction: Transaction, peer: ParticipantId, message: str) -> None:
        """The other side could not take a report of this side: it does not stand then."""
        row = transaction.session.exec(select(DutyTaskRow).where(DutyTaskRow.report == message)).first()
        if row is None or row.accepted:
            return
        matter = self.tasks.matter(transaction, AgreementId(row.agreement))
        if matter.peer != peer or row.owed_by != matter.role.value:
            return
        row.code = NOT_TAKEN
        if not self._brought_nothing(transaction, row):
            row.report, row.reported, row.amount = None, None, None
        self.tasks.refresh(transaction, matter, row)

    def _brought_nothing(self, transaction: Transaction, row: DutyTaskRow) -> bool:
        """Whether a task's exchange brought nothing: its Accept may never have reached the other side.

        Then nothing is owed for it there, and what was said of it here may stand.
        """
        exchange = None if row.exchange is None else transaction.session.get(ExchangeRow, row.exchange)
        return exchange is not None and exchange.role == "consumer" and exchange.window == 0

    def _take_report(
        self,
        transaction: Transaction,
        matter: Matter,
        row: DutyTaskRow,
        message: Message,
        body: DutyReported,
        opening: JSONObject,
    ) -> None:
        if row.report == message.digest:
            return
        if row.owed_by == matter.role.value:
            raise IllegalMove("the sender does not owe this duty", field="sender")
        if row.report is not None or body.number != row.reports + 1:
            raise IllegalMove("this is not the report that comes next", field="number")
        self._require_amount(matter, row, body.amount)
        self._miss_if_due(transaction, matter, row)
        self._reported(transaction, matter, row, message, body, opening, said=False)
        if body.late:
            self.tasks.miss(transaction, matter, row)
        elif row.late:
            self._say_answer(transaction, matter, row, "LATE", {})

    def _take_answer(
        self,
        transaction: Transaction,
        matter: Matter,
        row: DutyTaskRow,
        message: Message,
        body: DutyAnswered,
        opening: JSONObject,
    ) -> None:
        if row.owed_by != matter.role.value:
            raise IllegalMove("whoever owes a duty does not answer for it", field="sender")
        if row.report != body.report:
            raise IllegalMove("this is no answer to the report that stands", field="report")
        if row.accepted:
            raise IllegalMove("the report was accepted already", field="code")
        self._answered(transaction, matter, row, message, body, opening, said=False)

    # --- what it changes, alike at both sides -------------------------------------------------------

    def _reported(
        self,
        transaction: Transaction,
        matter: Matter,
        row: DutyTaskRow,
        message: Message,
        body: DutyReported,
        opening: JSONObject,
        *,
        said: bool,
    ) -> None:
        row.report, row.reported, row.reports = message.digest, message.envelope.time, body.number
        row.amount, row.code = body.amount, None
        self._record(transaction, matter, row, "REPORTED", message, opening, said=said)
        self.tasks.refresh(transaction, matter, row)

    def _answered(
        self,
        transaction: Transaction,
        matter: Matter,
        row: DutyTaskRow,
        message: Message,
        body: DutyAnswered,
        opening: JSONObject,
        *,
        said: bool,
    ) -> None:
        row.code = body.code
        rejected = body.code not in ("ACCEPTED", "LATE")
        self._record(
            transaction, matter, row, "REJECTED" if rejected else body.code, message, opening, said=said
        )
        row.accepted = body.code == "ACCEPTED"
        if rejected:
            row.report, row.reported, row.amount = None, None, None
        at = message.envelope.time
        if body.code == "LATE":
            self.tasks.miss(transaction, matter, row)
        elif rejected and row.due is not None and row.due + GRACE_MS <= at:
            # Only now is it certain at both sides that it was not done in time.
            self.tasks.miss(transaction, matter, row, at)
        self.tasks.refresh(transaction, matter, row)

    def _infringed(
        self,
        transaction: Transaction,
        matter: Matter,
        message: Message,
        body: Infringed,
        opening: JSONObject,
        *,
        said: bool,
    ) -> list[DutyTaskRow]:
        remedies = self._remedies(matter, body.rule)
        names = [task_id(matter.agreement.id, remedy, message.digest) for remedy in remedies]
        if transaction.session.get(DutyTaskRow, names[0]) is not None:
            return []
        self.tasks.record_infringement(
            transaction,
            matter,
            body.rule,
            said=message.document if said else None,
            heard=None if said else message.document,
            opening=opening,
            signed=None if said else message.envelope.time,
        )
        for remedy in remedies:
            duty = matter.duties[remedy]
            self.tasks.arise(transaction, matter, duty, message.digest, message.envelope.time)
        return [transaction.session.get_one(DutyTaskRow, name) for name in names]

    # --- how it is said -----------------------------------------------------------------------------

    def _say_answer(
        self, transaction: Transaction, matter: Matter, row: DutyTaskRow, code: str, beside: Mapping[str, str]
    ) -> None:
        report = MessageHash(str(row.report))
        body = DutyAnswered(matter.agreement.id, matter.agreement.digest, row.duty, row.id, report, code)
        message, opening = self._compose(transaction, matter, body, beside, {}, row.exchange)
        self._answered(transaction, matter, row, message, body, opening, said=True)
        outbox.put(transaction, matter.peer, message.document, opening, self._speaker.ambient.now())

    def _compose(
        self,
        transaction: Transaction,
        matter: Matter,
        body: DutyReported | DutyAnswered | Infringed,
        beside: Mapping[str, str],
        extra: JSONObject,
        exchange: str | None,
    ) -> tuple[Message, JSONObject]:
        about = None if exchange is None else ExchangeId(exchange)
        message, words = self._speaker.compose(transaction, matter, body, beside, about)
        return message, {**words, **extra}

    def _record(
        self,
        transaction: Transaction,
        matter: Matter,
        row: DutyTaskRow,
        code: str,
        message: Message,
        opening: JSONObject,
        *,
        said: bool,
    ) -> None:
        self.tasks.record(
            transaction,
            matter,
            row,
            code,
            said=message.document if said else None,
            heard=None if said else message.document,
            opening=opening,
            signed=None if said else message.envelope.time,
        )

    # --- what is looked up --------------------------------------------------------------------------

    def _find(self, transaction: Transaction, task: str) -> tuple[DutyTaskRow, Matter]:
        row = transaction.session.get(DutyTaskRow, task)
        if row is None:
            raise NoSuchDuty("no such duty has arisen here", field="duty")
        return row, self.tasks.matter(transaction, AgreementId(row.agreement))

    def _remedies(self, matter: Matter, rule: str) -> list[str]:
        found = next((each for each in matter.policy.rules if each.id == rule), None)
        if found is None or found.kind != "prohibition" or not found.remedies:
            raise IllegalMove("the policy has no prohibition of that id with a remedy", field="rule")
        return [remedy.id for remedy in found.remedies]

    def _require_amount(self, matter: Matter, row: DutyTaskRow, amount: int | None) -> None:
        duty = matter.duties[row.duty]
        if duty.action != "compensate" and amount is not None:
            raise CannotReport("nothing is to be paid for this duty", field="amount")
        if duty.amount is not None and (amount is None or amount < duty.amount):
            raise NotEnough(f"the policy asks for {duty.amount} {duty.unit or ''}".rstrip(), field="amount")

    def _miss_if_due(self, transaction: Transaction, matter: Matter, row: DutyTaskRow) -> None:
        """What is overdue by now is, whether or not a sweep has seen it yet."""
        if row.due is not None and row.due + GRACE_MS <= self._speaker.ambient.now():
            self.tasks.miss(transaction, matter, row)


def _read_opening(
    message: Message, body: DutyReported | DutyAnswered | Infringed, opening: JSONObject
) -> None:
    """Check what was said beside a message against its commitments. Raises ``BadOpening`` or ``BadWords``."""
    beside: dict[str, JSON] = dict(opening)
    evidence = beside.pop(EVIDENCE, None)
    read_beside(message.envelope.commitments, beside)
    if evidence is None:
        return
    committed = body.evidence if isinstance(body, DutyReported) else None
    found = read_opening(EVIDENCE, evidence)
    if committed is None or not opens(found, committed):
        raise BadOpening("does not open the commitment in the signed message", field=EVIDENCE)
    try:
        text = found.value.decode()
    except UnicodeDecodeError as error:
        raise BadWords("is not UTF-8", field=EVIDENCE) from error
    words_of(text, EVIDENCE, MAX_EVIDENCE)
