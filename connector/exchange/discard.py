"""Giving up what was received: a delivery is discarded, with a record, and cannot be used again.

Rules that hold here:

* That it is discarded is durable before anything is destroyed: the key goes then, and after it the files.
  What a crash left behind goes at the next start (:func:`finish`). Nothing opens it until then: ``use``
  asks the store.
* What was taken out of the inbox before is beyond the connector's control, here as everywhere.
* Nobody can see from outside that data is gone: to the provider this is the consumer's attestation.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlmodel import col, select

from connector.audit.scope import Scope
from connector.exchange.ground import Ground
from connector.exchange.use import Discarded, NoSuchDelivery
from connector.store.database import Database
from connector.store.tables import DeliveryRow, DutyTaskRow, ExchangeRow
from connector.store.writer import Transaction
from ledger.names import AgreementId, ExchangeId
from ledger.side import KeyChest

DISCARDED: Final = "DISCARDED"
Report = Callable[[Transaction, str], None]
"""Reports a duty's task as done."""


async def discard(
    ground: Ground, inbox: Path, chest: KeyChest, exchange: ExchangeId, report: Report
) -> list[str]:
    """Discard a delivery, and report the duties to delete it as done; the tasks that were reported.

    Raises :class:`~connector.exchange.use.NoSuchDelivery`, or
    :class:`~connector.exchange.use.Discarded` for one that is gone already.
    """
    with ground.attempts.alone(exchange):
        reported = await ground.writer.write(
            lambda transaction: _record(transaction, ground, exchange, report)
        )
        await asyncio.to_thread(_destroy, inbox, chest, exchange)
    return reported


def finish(database: Database, inbox: Path, chest: KeyChest) -> None:
    """Destroy what a crash left of deliveries that are discarded; at a start."""
    with database.read() as session:
        gone = select(DeliveryRow.exchange).where(col(DeliveryRow.discarded).is_not(None))
        found = session.exec(gone).all()
    for exchange in found:
        if (inbox / exchange).exists():  # the files go last
            _destroy(inbox, chest, ExchangeId(exchange))


def _record(transaction: Transaction, ground: Ground, exchange: ExchangeId, report: Report) -> list[str]:
    row = transaction.session.get(ExchangeRow, exchange)
    delivery = transaction.session.get(DeliveryRow, exchange)
    terms = ground.agreements.terms(AgreementId(row.agreement)) if row is not None else None
    if row is None or delivery is None or terms is None or row.role != "consumer":
        raise NoSuchDelivery("no such delivery", field="delivery")
    if delivery.discarded is not None:
        raise Discarded("the delivery was discarded already", field="delivery")
    delivery.discarded = ground.ambient.now()
    scope = Scope(
        counterpart=ground.counterpart(terms, terms.provider),
        unit=terms.consumer_unit,
        agreement=terms.agreement,
        exchange=exchange,
    )
    ground.recorder.record(
        transaction,
        "attestation",
        scope,
        members={
            "code": DISCARDED,
            "dataset": row.dataset,
            "dataset_version": row.dataset_version or None,
            "rows": row.rows,
            "bytes": row.size,
            "digest": row.digest or None,
        },
    )
    owed = transaction.session.exec(
        select(DutyTaskRow.id).where(
            DutyTaskRow.exchange == exchange,
            DutyTaskRow.action == "delete",
            DutyTaskRow.owed_by == "consumer",
            col(DutyTaskRow.report).is_(None),
        )
    ).all()
    for task in owed:
        report(transaction, task)
    return list(owed)


def _destroy(inbox: Path, chest: KeyChest, exchange: ExchangeId) -> None:
    chest.destroy(f"delivery/{exchange}")
    shutil.rmtree(inbox / exchange, ignore_errors=True)
