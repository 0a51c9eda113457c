"""Settling periods of agreements: what is due, and the signatures over it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from sqlmodel import Session, col, select

from connector.contract.agreement import Agreement, decode_agreement
from connector.contract.errors import NoSuchAgreement
from connector.contract.open_items import open_items
from connector.contract.settlement import MAX_BYTES, Span, differences, digest_of, read_lines
from connector.contract.settlements import NothingToAnswer, not_shown
from connector.control.operation import Asked, operation
from connector.exchange import metered
from connector.store.tables import AgreementRow, SettlementRow
from connector.store.writer import Transaction
from ledger.canonical import JSON, JSONObject, decode_object
from ledger.fields import Fields
from ledger.names import AgreementId, Milliseconds, ParticipantId

ANSWER_SECONDS: Final = 5


@operation("settlements")
async def settlements(asked: Asked) -> JSON:
    """Every statement that a side signed or refused, the newest change first."""
    asked.arguments.finish()
    with asked.running.node.database.read() as session:
        rows = session.exec(select(SettlementRow).order_by(col(SettlementRow.changed).desc())).all()
        peers = {row.id: row.peer for row in session.exec(select(AgreementRow))}
    return [{**_described(row), "peer": peers.get(row.agreement)} for row in rows]


@operation("settlement")
async def settlement(asked: Asked) -> JSON:
    """The statement of a period: as it was signed, or as this side would sign it now."""
    fields = asked.arguments
    row, agreement = _agreement(asked, fields)
    with_lines = fields.boolean("lines") if fields.has("lines") else False
    span = _span(asked, fields, agreement)
    fields.finish()
    document, kept = await asyncio.to_thread(_document, asked, agreement, span)
    if not with_lines:
        document = {name: value for name, value in document.items() if name != "lines"}
    return {
        **kept,
        "agreement": agreement.id,
        "role": row.role,
        "peer": row.peer,
        "statement": document,
    }


@operation("sign-settlement")
async def sign_settlement(asked: Asked) -> JSON:
    """Sign a period's statement: first, or in answer to the other side; then wait a moment for theirs.

    With ``answer`` it signs only what the other side has signed already.
    """
    fields = asked.arguments
    row, agreement = _agreement(asked, fields)
    is_answer = fields.boolean("answer") if fields.has("answer") else False
    span = _waiting(asked, fields, agreement) if is_answer else _span(asked, fields, agreement)
    beside = _beside(fields)
    fields.finish()
    running, node = asked.running, asked.running.node
    running.lines.keep(ParticipantId(row.peer))
    await _show_acks(asked, agreement.id, span)

    def sign(transaction: Transaction) -> None:
        node.settlements.sign(transaction, agreement.id, span, beside)

    await node.writer.write(sign)
    await running.until(lambda: _state(asked, agreement.id, span) != "signed", ANSWER_SECONDS)
    return _one(asked, agreement.id, span)


@operation("refuse-settlement")
async def refuse_settlement(asked: Asked) -> JSON:
    """Say no to a statement that the other side signed; it is told which one this side has."""
    fields = asked.arguments
    row, agreement = _agreement(asked, fields)
    span = _waiting(asked, fields, agreement)
    beside = _beside(fields)
    fields.finish()
    node = asked.running.node
    asked.running.lines.keep(ParticipantId(row.peer))

    def refuse(transaction: Transaction) -> None:
        node.settlements.refuse(transaction, agreement.id, span, beside)

    await node.writer.write(refuse)
    return _one(asked, agreement.id, span)


@operation("open-items")
async def open_(asked: Asked) -> JSON:
    """What was committed to under an agreement and stands on no statement, with the reason."""
    fields = asked.arguments
    _, agreement = _agreement(asked, fields)
    until = fields.maybe_integer("until")
    fields.finish()
    node = asked.running.node
    end = Milliseconds(until if until is not None else node.ambient.now())
    with node.database.read_sqlite() as connection:
        return [item.members() for item in open_items(connection, agreement.id, end)]


@operation("compare-settlement")
async def compare_settlement(asked: Asked) -> JSON:
    """The windows in which the other side's statement, as ``settlement`` gave it there, differs."""
    fields = asked.arguments
    given = fields.object("theirs")
    document = given.any("statement")
    fields.finish()
    if not isinstance(document, dict):
        raise given.wrong("statement", "must be an object")
    theirs = Fields(document, "theirs.statement")
    number = AgreementId(theirs.text("agreement"))
    span = Span(Milliseconds(theirs.integer("from")), Milliseconds(theirs.integer("until")))
    if not theirs.has("lines"):
        raise theirs.wrong("lines", "are missing: show the statement with --lines")
    _, agreement = _found(asked, number)
    mine, _ = await asyncio.to_thread(_document, asked, agreement, span)
    found = differences(read_lines(mine), read_lines(document))
    return {
        "agreement": number,
        "from": span.begin,
        "until": span.until,
        "equal": mine == document,
        "here": mine["totals"],
        "there": document.get("totals"),
        "differences": [each.members() for each in found],
    }


async def _show_acks(asked: Asked, agreement: AgreementId, span: Span) -> None:
    """Send Acks of the period that nobody has shown to hold once more, and wait a moment for the cursor."""
    node = asked.running.node
    await node.writer.write(
        lambda transaction: metered.resend(transaction, node.ambient.now(), agreement=agreement)
    )
    with node.database.read_sqlite() as connection:
        waiting = not_shown(connection, agreement, span)
    if waiting:
        await asked.running.settle()


def _agreement(asked: Asked, fields: Fields) -> tuple[AgreementRow, Agreement]:
    return _found(asked, AgreementId(fields.text("agreement")))


def _found(asked: Asked, number: AgreementId) -> tuple[AgreementRow, Agreement]:
    with asked.running.node.database.read() as session:
        row = session.get(AgreementRow, number)
    if row is None:
        raise NoSuchAgreement("no such agreement", field="agreement")
    return row, decode_agreement(row.payload)


def _span(asked: Asked, fields: Fields, agreement: Agreement) -> Span:
    """The period asked for; without a beginning, from where the last settled one ended."""
    begin, until = fields.maybe_integer("from"), fields.integer("until")
    if begin is None:
        begin = _last_settled(asked, agreement)
    if until <= begin:
        raise fields.wrong("until", "must lie after the beginning")
    return Span(Milliseconds(begin), Milliseconds(until))


def _last_settled(asked: Asked, agreement: Agreement) -> int:
    with asked.running.node.database.read() as session:
        settled = session.exec(
            select(SettlementRow.until)
            .where(SettlementRow.agreement == agreement.id, SettlementRow.state == "settled")
            .order_by(col(SettlementRow.until).desc())
        ).first()
    return settled if settled is not None else agreement.terms.period.begin


def _waiting(asked: Asked, fields: Fields, agreement: Agreement) -> Span:
    """The period of the statement that waits for this side; it must be named where several do."""
    begin, until = fields.maybe_integer("from"), fields.maybe_integer("until")
    with asked.running.node.database.read() as session:
        rows = session.exec(
            select(SettlementRow).where(
                SettlementRow.agreement == agreement.id, SettlementRow.state == "received"
            )
        ).all()
    spans = [
        Span(Milliseconds(row.begin), Milliseconds(row.until))
        for row in rows
        if begin in (None, row.begin) and until in (None, row.until)
    ]
    if not spans:
        raise NothingToAnswer("no statement of the other side waits", field="agreement")
    if len(spans) > 1:
        raise fields.wrong("until", f"is needed: {len(spans)} statements wait")
    return spans[0]


def _document(asked: Asked, agreement: Agreement, span: Span) -> tuple[JSONObject, JSONObject]:
    """The statement as a document, and what is kept of it; as computed now where nothing is."""
    node = asked.running.node
    with node.database.read() as session:
        row = session.get(SettlementRow, (agreement.id, span.begin, span.until))
        if row is not None and row.state != "refused":
            return decode_object(row.statement, max_bytes=MAX_BYTES), _described(row)
    with node.database.read_sqlite() as connection:
        made = node.settlements.compute(connection, agreement, span)
    kept: JSONObject = _described(row) if row is not None else {"state": "computed"}
    return made.content(), {**kept, "digest": digest_of(made.encoded())}


def _state(asked: Asked, agreement: AgreementId, span: Span) -> str:
    with asked.running.node.database.read() as session:
        return _row(session, agreement, span).state


def _one(asked: Asked, agreement: AgreementId, span: Span) -> JSONObject:
    with asked.running.node.database.read() as session:
        return _described(_row(session, agreement, span))


def _row(session: Session, agreement: AgreementId, span: Span) -> SettlementRow:
    return session.get_one(SettlementRow, (agreement, span.begin, span.until))


def _described(row: SettlementRow) -> JSONObject:
    return {
        "agreement": row.agreement,
        "from": row.begin,
        "until": row.until,
        "state": row.state,
        "lines": row.lines,
        "amount": row.amount,
        "currency": row.currency,
        "digest": row.digest,
        "code": row.code,
        "signatures": {"mine": row.mine, "theirs": row.theirs},
        "theirs": {
            "digest": row.their_digest,
            "totals": decode_object(row.their_totals) if row.their_totals else None,
        },
        "changed": row.changed,
    }


def _beside(fields: Fields) -> Mapping[str, str]:
    """Who acts by hand, under which mandate, and in which words; each may be left out."""
    found = {name: fields.maybe_text(name, limit=2000) for name in ("words", "actor", "mandate")}
    return {name: text for name, text in found.items() if text is not None}
