"""Settling a period: both sides compute its statement from what they hold, and sign the same bytes.

Rules that hold here:

* Only signatures travel. Whoever gets one computes the statement anew and compares: an equal one is
  countersigned (by a rule, or by a person), another is refused with a signed answer that says what
  this side has instead. A statement counts when both signed it.
* A line stands on one statement at most: those that both signed take theirs, and periods that were
  settled never overlap. What both came to hold afterwards is a late line of the next statement.
* A period is over by the provider's clock; :data:`GRACE_MS` later than that it may be signed, so that
  what was on its way has come. A consumer signs nothing while an Ack of the period is not known to
  have arrived: its statement would lack what the provider's may have.
* While a signature of this side waits for an answer, it signs no other statement of the agreement:
  two that overlap could both be countersigned.
* A rule countersigns statements of four weeks and more. Cut into days, the same deliveries would cost
  more: every statement rounds up to whole blocks, and a flat price is due for each.
* Settling is open to ended agreements and to removed members, until all is settled.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Final

from sqlmodel import col, select

from connector.contract.agreement import Agreement
from connector.contract.errors import IllegalMove
from connector.contract.keys import verify_by
from connector.contract.messages import (
    Message,
    SettlementRefused,
    SettlementSigned,
    read_message,
)
from connector.contract.opening import read_beside
from connector.contract.settlement import (
    MAX_BYTES,
    TYPE,
    Line,
    Span,
    Statement,
    digest_of,
    lines_in,
    statement,
)
from connector.contract.speaker import HeldAgreement, Speaker, agreement_row, held_agreement
from connector.store import outbox
from connector.store.tables import SettlementRow
from connector.store.writer import Transaction
from ledger.canonical import JSONObject, encode
from ledger.document import SignedDocument, sign_payload
from ledger.errors import BylagError, ErrorKind
from ledger.names import (
    AgreementId,
    ExchangeId,
    MessageHash,
    Milliseconds,
    ParticipantId,
)

NOT_TAKEN: Final = "NOT_TAKEN"
"""The other side refused the message itself, as malformed or unknown to it; its notice says why."""
GRACE_MS: Final = 10 * 60_000
"""How long after a period's end it may first be signed: twice what two clocks may differ."""

LEAST_BY_RULE_MS: Final = 28 * 24 * 3_600_000
"""The shortest period that a rule countersigns: each statement begins its blocks, or a flat price, anew."""

Resend = Callable[[Transaction, Milliseconds, AgreementId], int]
"""Puts a consumer's Acks under an agreement that nobody has shown to hold into the outbox."""


class CannotSettle(BylagError):
    """A statement cannot be signed now."""

    code = "CANNOT_SETTLE"
    kind = ErrorKind.CONFLICT
    default_next_step = "See what stands in the way: `bylag settle list`."


class PeriodNotOver(CannotSettle):
    """The period has not ended yet, or so recently that something may be on its way."""

    code = "PERIOD_NOT_OVER"
    default_next_step = "Wait until ten minutes after the period's end."


class AlreadySettled(CannotSettle):
    """Both sides have signed a statement for the period, or for a part of it."""

    code = "ALREADY_SETTLED"
    default_next_step = (
        "Begin where the last settled period ended; what came late stands on the next statement by itself."
    )


class OtherIsOpen(CannotSettle):
    """A statement that this side signed waits for the other side's answer."""

    code = "OTHER_IS_OPEN"
    default_next_step = "Wait for the answer, or ask the other side to refuse it."


class AcksUnderWay(CannotSettle):
    """The provider has not shown yet that it holds every Ack of the period."""

    code = "ACKS_UNDER_WAY"
    default_next_step = "They were sent once more; try again when the other side has been reached."


class StatementChanged(CannotSettle):
    """The statement that the other side signed is no longer the one that this side computes."""

    code = "STATEMENT_CHANGED"
    default_next_step = "Refuse it, and let either side sign anew."


class NothingToAnswer(BylagError):
    """No statement of that period waits for this side."""

    code = "NOTHING_TO_ANSWER"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "See what waits: `bylag settle list`."


def unsettled(connection: sqlite3.Connection, agreement: AgreementId, span: Span) -> list[Line]:
    """The windows up to the end of ``span`` whose Ack both hold and that no statement has billed."""
    found = connection.execute(
        "SELECT time, exchange, attempt, number, message, cut, ack, rows, size, requests FROM metered_window"
        " WHERE agreement = ? AND time < ? AND ack IS NOT NULL AND held = 1 AND statement IS NULL",
        (agreement, span.until),
    )
    return [
        Line(
            time=Milliseconds(time),
            exchange=ExchangeId(exchange),
            attempt=attempt,
            window=window,
            commit=MessageHash(commit),
            cut=None if cut is None else MessageHash(cut),
            ack=MessageHash(ack),
            rows=rows,
            bytes=size,
            requests=requests,
        )
        for time, exchange, attempt, window, commit, cut, ack, rows, size, requests in found
    ]


def not_shown(connection: sqlite3.Connection, agreement: AgreementId, span: Span) -> int:
    """How many Acks up to the end of ``span`` this side signed and does not know to have arrived."""
    found = connection.execute(
        "SELECT count(*) FROM metered_window WHERE agreement = ? AND time < ? AND ack IS NOT NULL"
        " AND held = 0 AND refused = 0",
        (agreement, span.until),
    ).fetchone()
    return int(found[0])


def _settled_over(transaction: Transaction, agreement: AgreementId, span: Span) -> bool:
    """Whether a statement that both signed covers part of ``span``, or what comes after it.

    A later one took the lines of this period with it, as late ones.
    """
    query = select(SettlementRow.until).where(
        SettlementRow.agreement == agreement,
        SettlementRow.state == "settled",
        col(SettlementRow.until) > span.begin,
    )
    return transaction.session.exec(query).first() is not None


def _open(transaction: Transaction, agreement: AgreementId) -> Span | None:
    """The period of the statement that this side signed and that has no answer yet."""
    query = select(SettlementRow).where(SettlementRow.agreement == agreement, SettlementRow.state == "signed")
    row = transaction.session.exec(query).first()
    return None if row is None else Span(Milliseconds(row.begin), Milliseconds(row.until))


class Settlements:
    """The settlement statements of one participant."""

    kinds: Final = frozenset({SettlementSigned.kind, SettlementRefused.kind})

    def __init__(self, speaker: Speaker, *, resend: Resend, by_rule: bool = False) -> None:
        """``by_rule``: an equal statement is countersigned without a person."""
        self._speaker = speaker
        self._resend = resend
        self.by_rule = by_rule

    # --- what this side says ------------------------------------------------------------------------

    def sign(
        self, transaction: Transaction, agreement: AgreementId, span: Span, beside: Mapping[str, str]
    ) -> SettlementRow:
        """Sign the statement of a period: the first signature, or the second if the other side has signed.

        Raises a :class:`CannotSettle`, or :class:`~connector.contract.settlement.TooMuchToSettle`.
        """
        held = held_agreement(agreement_row(transaction, agreement))
        if span.until + GRACE_MS > self._speaker.ambient.now():
            raise PeriodNotOver("the period is not over, or was over only just now", field="until")
        if _settled_over(transaction, agreement, span):
            raise AlreadySettled("both have signed a statement that covers part of the period", field="from")
        if _open(transaction, agreement) is not None:
            raise OtherIsOpen("a statement that this side signed has no answer yet", field="agreement")
        if waiting := not_shown(transaction.sqlite, agreement, span):
            raise AcksUnderWay(f"{waiting} Acks of the period are not shown to have arrived", field="until")
        made, payload = self._compute(transaction, held, span)
        row = transaction.session.get(SettlementRow, (agreement, span.begin, span.until))
        if row is not None and row.state == "received" and row.digest != digest_of(payload):
            raise StatementChanged("what was signed is no longer what this side computes", field="statement")
        both = row is not None and row.state == "received"
        return self._say_signed(transaction, held, made, payload, beside=beside, settled=both)

    def refuse(
        self, transaction: Transaction, agreement: AgreementId, span: Span, beside: Mapping[str, str]
    ) -> SettlementRow:
        """A person says no to a statement that waits. Raises :class:`NothingToAnswer`."""
        held = held_agreement(agreement_row(transaction, agreement))
        row = transaction.session.get(SettlementRow, (agreement, span.begin, span.until))
        if row is None or row.state != "received":
            raise NothingToAnswer("no statement of that period waits for this side", field="from")
        made, payload = self._compute(transaction, held, span)
        return self._say_refused(
            transaction, held, made, payload, row.digest, "REFUSED_BY_HAND", beside=beside
        )

    def compute(self, connection: sqlite3.Connection, agreement: Agreement, span: Span) -> Statement:
        """The statement as this side would sign it now."""
        return statement(agreement, span, unsettled(connection, agreement.id, span))

    # --- what this side hears -----------------------------------------------------------------------

    def take(
        self, transaction: Transaction, peer: ParticipantId, document: SignedDocument, opening: JSONObject
    ) -> None:
        """Take a signature or a refusal of a peer, in the transaction that acknowledges it.

        Raises a :class:`~ledger.errors.BylagError` for a message that is refused; then nothing changed.
        """
        message = read_message(document)
        read_beside(message.envelope.commitments, opening)
        body = message.body
        if not isinstance(body, SettlementSigned | SettlementRefused):
            raise IllegalMove("this message settles nothing", field="type")
        held = held_agreement(agreement_row(transaction, body.agreement))
        self._speaker.verify(held, peer, message, body.contract)
        if isinstance(body, SettlementRefused):
            self._take_refusal(transaction, held, message, body, opening)
        else:
            self._take_signature(transaction, held, message, body, opening)

    def _take_signature(
        self,
        transaction: Transaction,
        held: HeldAgreement,
        message: Message,
        body: SettlementSigned,
        opening: JSONObject,
    ) -> None:
        span = Span(body.begin, body.until)
        row = transaction.session.get(SettlementRow, (held.agreement.id, span.begin, span.until))
        if row is not None and row.state == "settled" and row.digest == body.statement:
            return
        if row is not None and row.state == "received" and row.digest == body.statement:
            return
        is_answer = row is not None and row.state == "signed" and row.digest == body.statement
        if row is not None and is_answer:
            self._verify_statement(held, row.statement, body)
            row.theirs = body.signature
            self._record(transaction, held, span, row, "SETTLED", heard=message.document, opening=opening)
            self._settle(transaction, row)
            return
        made, payload = self._compute(transaction, held, span)
        code = self._objection(transaction, held, span, body, digest_of(payload))
        if code is not None:
            self._resend(transaction, self._speaker.ambient.now(), held.agreement.id)
            self._say_refused(
                transaction, held, made, payload, body.statement, code, heard=message, opening=opening
            )
            return
        self._verify_statement(held, payload, body)
        row = self._keep(transaction, held, made, payload, "received")
        row.theirs = body.signature
        by_rule = (
            self.by_rule
            and span.until - span.begin >= LEAST_BY_RULE_MS
            and not not_shown(transaction.sqlite, held.agreement.id, span)
        )
        self._record(
            transaction, held, span, row, "RECEIVED", heard=message.document, opening=opening, whole=True
        )
        if by_rule:
            self._say_signed(transaction, held, made, payload, beside={}, settled=True)

    def _objection(
        self, transaction: Transaction, held: HeldAgreement, span: Span, body: SettlementSigned, own: str
    ) -> str | None:
        """Why the other side's statement is not even kept; None where it equals this side's."""
        if _settled_over(transaction, held.agreement.id, span):
            return "ALREADY_SETTLED"
        waiting = _open(transaction, held.agreement.id)
        if waiting is not None:  # also where its signature would fit by now: this side has signed another
            return "DIFFERS" if waiting == span else "OTHER_IS_OPEN"
        if span.until > self._speaker.ambient.now():
            return "PERIOD_NOT_OVER"
        return "DIFFERS" if body.statement != own else None

    def _verify_statement(self, held: HeldAgreement, payload: bytes, body: SettlementSigned) -> None:
        """The signature is over the bytes that this side computed, not over any that were sent."""
        document = SignedDocument(payload, body.signature)
        now = self._speaker.ambient.now()
        verify_by(self._speaker.keys, held.peer, document, TYPE, at=now, max_bytes=MAX_BYTES)

    def _take_refusal(
        self,
        transaction: Transaction,
        held: HeldAgreement,
        message: Message,
        body: SettlementRefused,
        opening: JSONObject,
    ) -> None:
        span = Span(body.begin, body.until)
        row = transaction.session.get(SettlementRow, (held.agreement.id, span.begin, span.until))
        if row is None or row.state != "signed" or row.digest != body.statement:
            return
        row.state, row.code, row.their_digest = "refused", body.code, body.own
        row.their_totals = encode(
            {
                "lines": body.lines,
                "records": body.records,
                "bytes": body.bytes,
                "requests": body.requests,
                "amount": body.amount,
            }
        )
        row.changed = self._speaker.ambient.now()
        self._record(transaction, held, span, row, body.code, heard=message.document, opening=opening)

    def not_taken(self, transaction: Transaction, peer: ParticipantId, message: str) -> None:
        """The other side could not take what this side said: a signature waits for nothing then."""
        row = transaction.session.exec(select(SettlementRow).where(SettlementRow.said == message)).first()
        if row is None or row.state != "signed":
            return
        if agreement_row(transaction, AgreementId(row.agreement)).peer == peer:
            row.state, row.code, row.changed = "refused", NOT_TAKEN, self._speaker.ambient.now()

    # --- how it is kept -----------------------------------------------------------------------------

    def _compute(self, transaction: Transaction, held: HeldAgreement, span: Span) -> tuple[Statement, bytes]:
        transaction.session.flush()
        made = self.compute(transaction.sqlite, held.agreement, span)
        return made, made.encoded()

    def _keep(
        self, transaction: Transaction, held: HeldAgreement, made: Statement, payload: bytes, state: str
    ) -> SettlementRow:
        place = (held.agreement.id, made.span.begin, made.span.until)
        row = transaction.session.get(SettlementRow, place)
        if row is None:
            row = SettlementRow(
                agreement=place[0], begin=place[1], until=place[2], state=state, digest="", statement=b"",
                lines=0, amount=0, changed=0,
            )  # fmt: skip
            transaction.session.add(row)
        elif row.digest != digest_of(payload):
            row.mine = row.theirs = None
        row.state, row.digest, row.statement = state, digest_of(payload), payload
        row.lines, row.amount, row.currency = len(made.lines), made.amount, made.price.currency
        row.code, row.their_digest, row.their_totals = None, None, b""
        row.changed = self._speaker.ambient.now()
        return row

    def _settle(self, transaction: Transaction, row: SettlementRow) -> None:
        """Both have signed: the statement's lines are its own from now on."""
        row.state, row.changed = "settled", self._speaker.ambient.now()
        transaction.session.flush()
        transaction.sqlite.executemany(
            "UPDATE metered_window SET statement = ? WHERE exchange = ? AND attempt = ? AND number = ?",
            [(row.digest, *line.place) for line in lines_in(row.statement)],
        )

    def _say_signed(
        self,
        transaction: Transaction,
        held: HeldAgreement,
        made: Statement,
        payload: bytes,
        *,
        beside: Mapping[str, str],
        settled: bool,
    ) -> SettlementRow:
        key, digest = self._speaker.key(), digest_of(payload)
        signature = sign_payload(payload, TYPE, key)
        agreement, span = held.agreement, made.span
        body = SettlementSigned(agreement.id, agreement.digest, span.begin, span.until, digest, signature)
        row = self._keep(transaction, held, made, payload, "signed")
        row.mine = signature
        self._say(transaction, held, row, body, "SETTLED" if settled else "SIGNED", beside, whole=not settled)
        if settled:
            self._settle(transaction, row)
        return row

    def _say_refused(
        self,
        transaction: Transaction,
        held: HeldAgreement,
        made: Statement,
        payload: bytes,
        refused: str,
        code: str,
        *,
        beside: Mapping[str, str] | None = None,
        heard: Message | None = None,
        opening: JSONObject | None = None,
    ) -> SettlementRow:
        usage, agreement, span = made.usage, held.agreement, made.span
        body = SettlementRefused(
            agreement.id,
            agreement.digest,
            span.begin,
            span.until,
            refused,
            code,
            digest_of(payload),
            lines=len(made.lines),
            records=usage.records,
            bytes=usage.bytes,
            requests=usage.requests,
            amount=made.amount,
        )
        known = transaction.session.get(SettlementRow, (agreement.id, span.begin, span.until))
        if known is not None and known.state in ("signed", "settled"):
            row = known  # what stands is not touched by what is refused beside it
        else:
            row = self._keep(transaction, held, made, payload, "refused")
            row.code, row.their_digest = code, refused
        self._say(transaction, held, row, body, code, beside or {}, heard=heard, opening=opening)
        return row

    def _say(
        self,
        transaction: Transaction,
        held: HeldAgreement,
        row: SettlementRow,
        body: SettlementSigned | SettlementRefused,
        code: str,
        beside: Mapping[str, str],
        *,
        heard: Message | None = None,
        opening: JSONObject | None = None,
        whole: bool = False,
    ) -> None:
        message, words = self._speaker.compose(transaction, held, body, beside)
        self._record(
            transaction,
            held,
            Span(body.begin, body.until),
            row,
            code,
            said=message.document,
            heard=heard.document if heard is not None else None,
            opening={**(opening or {}), **words},
            whole=whole,
        )
        row.said = message.document.digest
        outbox.put(transaction, held.peer, message.document, words, self._speaker.ambient.now())

    def _record(
        self,
        transaction: Transaction,
        held: HeldAgreement,
        span: Span,
        row: SettlementRow,
        code: str,
        *,
        said: SignedDocument | None = None,
        heard: SignedDocument | None = None,
        opening: JSONObject,
        whole: bool = False,
    ) -> None:
        """The record of a signature or refusal; ``whole`` puts the statement into its side row."""
        made = lines_in(row.statement)
        members: JSONObject = {
            "code": code,
            "contract": held.agreement.digest,
            "since": span.begin,
            "until": span.until,
            "windows": row.lines,
            "rows": sum(line.rows for line in made),
            "bytes": sum(line.bytes for line in made),
            "amount": row.amount,
        }
        if row.currency is not None:
            members["currency"] = row.currency
        scope = self._speaker.scope(held)
        if scope.person is None:  # a digest that someone who is shown the statement could follow to them
            members["document"] = {"kind": TYPE, "digest": row.digest}
        side_row: JSONObject = {"beside": opening} if opening else {}
        if whole:
            side_row["statement"] = row.statement.decode()
        self._speaker.recorder.record(
            transaction, "settlement", scope, said=said, heard=heard, side_row=side_row, members=members
        )
