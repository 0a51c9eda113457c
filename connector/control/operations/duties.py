"""Tracked duties: what is owed under agreements, and what the parties say about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlmodel import Session, col, func, select

from connector.contract.duties import MAX_EVIDENCE
from connector.contract.messages import DUTY_CODES
from connector.contract.opening import PLACES
from connector.contract.tasks import GRACE_MS
from connector.control.operation import Asked, operation
from connector.store.tables import AgreementRow, DutyTaskRow
from connector.store.writer import Transaction
from ledger.canonical import JSON, JSONObject
from ledger.fields import Fields
from ledger.names import AgreementId, Milliseconds, ParticipantId

REJECTIONS: Final = tuple(code for code in DUTY_CODES if code not in ("ACCEPTED", "LATE"))
SOON_MS: Final = 7 * 24 * 3_600_000
"""A duty that is due within a week is due soon."""
MOST_LISTED: Final = 1000


@operation("duties")
async def duties(asked: Asked) -> JSON:
    """Duties that arose, what is open and due first at the top; ``only`` those that are open, or overdue.

    At most a thousand: of what is done, the rest is in the ledger.
    """
    fields = asked.arguments
    only = fields.choice("only", ("open", "overdue")) if fields.has("only") else None
    agreement = fields.maybe_text("agreement")
    fields.finish()
    node = asked.running.node
    await node.writer.write(node.duties.tasks.overdue)
    now = node.ambient.now()
    with node.database.read() as session:
        query = select(DutyTaskRow)
        if agreement is not None:
            query = query.where(DutyTaskRow.agreement == agreement)
        if only == "open":
            query = query.where(DutyTaskRow.state != "fulfilled")
        if only == "overdue":
            query = query.where(DutyTaskRow.state == "violated")
        first = (col(DutyTaskRow.state) == "fulfilled", col(DutyTaskRow.due).is_(None), col(DutyTaskRow.due))
        rows = session.exec(query.order_by(*first).limit(MOST_LISTED)).all()
        return [described(session, row, now) for row in rows]


@operation("report-duty")
async def report_duty(asked: Asked) -> JSON:
    """Report that a duty is done; the other side is told."""
    fields = asked.arguments
    task = fields.digest("duty")
    amount = fields.maybe_integer("amount")
    evidence = fields.maybe_text("reference", limit=MAX_EVIDENCE)
    beside = _beside(fields)
    fields.finish()
    node = asked.running.node

    def report(transaction: Transaction) -> str:
        row = node.duties.report(transaction, task, beside, evidence=evidence, amount=amount)
        return row.agreement

    return await _said(asked, task, await node.writer.write(report))


@operation("answer-duty")
async def answer_duty(asked: Asked) -> JSON:
    """Accept or reject the other side's report of a duty."""
    fields = asked.arguments
    task = fields.digest("duty")
    code = fields.choice("code", ("ACCEPTED", *REJECTIONS))
    beside = _beside(fields)
    fields.finish()
    node = asked.running.node

    def answer(transaction: Transaction) -> str:
        return node.duties.answer(transaction, task, code, beside).agreement

    return await _said(asked, task, await node.writer.write(answer))


@operation("infringed")
async def infringed(asked: Asked) -> JSON:
    """The provider says that a prohibition was infringed; what is owed for it."""
    fields = asked.arguments
    agreement, rule = AgreementId(fields.text("agreement")), fields.text("rule", limit=512)
    beside = _beside(fields)
    fields.finish()
    node = asked.running.node

    def say(transaction: Transaction) -> list[str]:
        return [row.id for row in node.duties.infringed(transaction, agreement, rule, beside)]

    tasks = await node.writer.write(say)
    await _reach(asked, agreement)
    with node.database.read() as session:
        rows = [session.get_one(DutyTaskRow, task) for task in tasks]
        return [described(session, row, node.ambient.now()) for row in rows]


def described(session: Session, row: DutyTaskRow, now: Milliseconds) -> JSONObject:
    """A task as a command prints it."""
    agreement = session.get_one(AgreementRow, row.agreement)
    mine = row.owed_by == agreement.role
    return {
        "duty": row.id,
        "uid": row.duty,
        "rule": row.rule,
        "kind": row.kind,
        "action": row.action,
        "agreement": row.agreement,
        "dataset": agreement.dataset,
        "peer": agreement.peer,
        "exchange": row.exchange,
        "owed_by": row.owed_by,
        "mine": mine,
        "arisen": row.arisen,
        "due": row.due,
        "state": row.state,
        "attested": row.action == "delete" and row.report is not None and not mine,
        "late": row.late,
        "due_soon": row.report is None and row.due is not None and row.due <= now + SOON_MS,
        "overdue_from": None if row.due is None else row.due + GRACE_MS,
        "reported": row.reported,
        "accepted": row.accepted,
        "amount": row.amount,
        "code": row.code,
        "consequence_of": row.parent,
    }


def counted(session: Session, now: Milliseconds) -> JSONObject:
    """How many duties are overdue, and how many are due within a week."""
    tasks = select(func.count()).select_from(DutyTaskRow)
    soon = tasks.where(DutyTaskRow.state == "pending", col(DutyTaskRow.due) <= now + SOON_MS)
    return {
        "overdue": session.exec(tasks.where(DutyTaskRow.state == "violated")).one(),
        "soon": session.exec(soon).one(),
    }


async def _said(asked: Asked, task: str, agreement: str) -> JSONObject:
    await _reach(asked, AgreementId(agreement))
    node = asked.running.node
    with node.database.read() as session:
        return described(session, session.get_one(DutyTaskRow, task), node.ambient.now())


async def _reach(asked: Asked, agreement: AgreementId) -> None:
    """Keep a line to the other party, and give it a moment to hear and to answer."""
    running = asked.running
    with running.node.database.read() as session:
        peer = session.get_one(AgreementRow, agreement).peer
    running.lines.keep(ParticipantId(peer))
    await running.settle()


def _beside(fields: Fields) -> Mapping[str, str]:
    """Who acts by hand, under which mandate, and in which words; each may be left out."""
    found = {name: fields.maybe_text(name, limit=limit) for name, limit in PLACES.items()}
    return {name: text for name, text in found.items() if text is not None}
