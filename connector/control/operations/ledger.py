"""The ledger: what it says, whether it verifies, and an export for somebody who trusts nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from sqlmodel import Session, select

from connector.audit.scope import Counterpart, Scope
from connector.control.operation import Asked, operation
from connector.control.operations.guests import NoSuchGuest
from connector.identity.stored import credentials
from connector.node import Node
from connector.store.tables import AgreementRow, SettlementRow
from ledger import log
from ledger.canonical import JSON
from ledger.document import sign
from ledger.export import Export, write
from ledger.folder import LIST_KIND, Document
from ledger.fsck import check_all
from ledger.guests import CREDENTIAL_KIND
from ledger.leaf import agreement_chain, read
from ledger.names import ParticipantId
from ledger.side import SHARED
from ledger.signers import AGREEMENT_KIND, STATEMENT_KIND

SHOWN = 50


@operation("ledger-show")
async def show(asked: Asked) -> JSON:
    """Records: the newest, or those under one agreement."""
    fields = asked.arguments
    agreement = fields.maybe_text("agreement")
    number = fields.maybe_integer("last", least=1, most=10_000) or SHOWN
    fields.finish()
    with asked.running.node.database.read_sqlite() as connection:
        if agreement is not None:
            entries = list(log.by_chain(connection, agreement_chain(agreement)))[-number:]
        else:
            size = log.size(connection)
            entries = list(log.entries(connection, max(0, size - number), size))
    return [{"index": entry.index, "leaf": read(entry.bytes).members} for entry in entries]


@operation("ledger-verify")
async def verify(asked: Asked) -> JSON:
    """Recompute the whole log from its records and compare it with what was signed."""
    asked.arguments.finish()
    node = asked.running.node
    await asyncio.to_thread(node.notary.publish, seal=True)
    with node.database.read_sqlite() as connection:
        findings = await asyncio.to_thread(
            lambda: list(check_all(connection, node.notary.store, node.notary.key))
        )
        size = log.size(connection)
    wrong: list[JSON] = [{"where": finding.where, "what": finding.what} for finding in findings]
    last = node.notary.last
    return {
        "origin": node.origin,
        "size": size,
        "published": last.checkpoint.size if last else 0,
        "root": last.checkpoint.root.hex() if last else None,
        "verified": not wrong,
        "wrong": wrong,
        "witness": "no independent witness yet",
    }


@operation("ledger-export")
async def export(asked: Asked) -> JSON:
    """Write an export folder that verifies offline: the log, the shared side rows, lists, agreements.

    With ``guest``, a handle, also that person's own rows, credentials and agreements: for them, or for
    somebody who may see what is recorded about them.
    """
    fields = asked.arguments
    out, named = Path(fields.text("out", limit=4096)), fields.maybe_text("guest")
    fields.finish()
    node = asked.running.node
    guest = _known(node, named) if named is not None else None
    scope = Scope(Counterpart(guest, is_person=True)) if guest is not None else Scope()
    await node.writer.write(
        lambda transaction: node.recorder.record(transaction, "access", scope, members={"code": "EXPORT"})
    )
    await asyncio.to_thread(node.notary.publish, seal=True)
    last = node.notary.last
    if last is None:
        raise log.NoSuchLeaf("the log has no checkpoint yet")
    holders = (SHARED,) if guest is None else (SHARED, guest)
    with node.database.read_sqlite() as connection:
        written = Export(
            connection=connection,
            tiles=node.notary.store.read,
            note=node.notary.note(last.checkpoint.size, holders),
            key=node.notary.key,
            sign_head=lambda content: sign(content, node.ring.sign),
            chest=node.chest,
            holders=holders,
            documents=list(_documents(node, guest)),
            agreements={} if guest is None else node.recorder.agreements_of(connection, guest),
        )
        checkpoint = await asyncio.to_thread(write, written, out, node.ambient.now())
    return {
        "out": str(out),
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "key": str(node.notary.key),
    }


def _known(node: Node, handle: str) -> ParticipantId:
    """A guest of this participant, vouched for or not any more. Raises :class:`NoSuchGuest`."""
    if node.config.is_guest or node.guests.find(ParticipantId(handle)) is None:
        raise NoSuchGuest("no such guest", field="guest")
    return ParticipantId(handle)


def _statements(session: Session, agreement: str) -> Iterator[tuple[str, Document]]:
    settled = select(SettlementRow).where(
        SettlementRow.agreement == agreement, SettlementRow.state == "settled"
    )
    for row in session.exec(settled):
        yield STATEMENT_KIND, Document(row.statement, tuple(jws for jws in (row.mine, row.theirs) if jws))


def _documents(node: Node, guest: ParticipantId | None) -> Iterator[tuple[str, Document]]:
    for number in range(1, node.trust.number + 1):
        signed = node.trust.signed(number)
        yield LIST_KIND, Document(signed.payload, tuple(signed.signatures))
    person = node.me if node.config.is_guest else guest
    with node.database.read() as session:
        for row in session.exec(select(AgreementRow)):
            if row.peer == guest or not node.is_person(ParticipantId(row.peer)):
                yield AGREEMENT_KIND, Document(row.payload, (row.provider_jws, row.consumer_jws))
                yield from _statements(session, row.id)
        for credential in credentials(session, person) if person is not None else ():
            yield CREDENTIAL_KIND, Document(credential.payload, (credential.jws,))
