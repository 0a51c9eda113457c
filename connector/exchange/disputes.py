"""Windows that nobody signed for in time: disputed, whoever still runs.

Rules that hold here (LEDGER.md section 3): silence never proves delivery. A window without Ack or
Reject for T is disputed, with a record; it goes on waiting, goes on counting in the budget, and a
signature that comes later still counts. The sweep reads the store, so a window that was sent before
a restart is disputed after it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from sqlmodel import select

from connector.audit.scope import Scope
from connector.exchange.ground import Ground
from connector.store.tables import ExchangeRow, WindowRow
from connector.store.writer import Transaction
from ledger.errors import BylagError
from ledger.names import AgreementId, ExchangeId, ParticipantId

logger = logging.getLogger("bylag.disputes")

SWEEP_SECONDS: Final = 1.0


class Disputes:
    """Looks for windows that wait too long."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def run(self) -> None:
        """Sweep until cancelled; what cannot be written now is swept later."""
        while True:
            try:
                await self.sweep()
            except BylagError as error:
                logger.warning("no dispute could be recorded", extra={"reason": error.code})
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self) -> int:
        """Dispute every window that has waited for T; how many there were."""
        overdue = await asyncio.to_thread(self._overdue)
        for window in overdue:
            await self._ground.writer.write(lambda transaction, each=window: self._dispute(transaction, each))  # type: ignore[misc]
        return len(overdue)

    def _overdue(self) -> list[tuple[str, int, int]]:
        """Open windows by exchange, attempt and number whose time is over."""
        now = self._ground.ambient.now()
        found = []
        with self._ground.database.read() as session:
            for row in session.exec(select(WindowRow).where(WindowRow.state == "open")):
                terms = self._ground.agreements.terms(AgreementId(row.agreement))
                if terms is not None and now - row.committed >= terms.ack_seconds * 1000:
                    found.append((row.exchange, row.attempt, row.number))
        return found

    def _dispute(self, transaction: Transaction, place: tuple[str, int, int]) -> None:
        window = transaction.session.get(WindowRow, place)
        exchange = transaction.session.get(ExchangeRow, place[0])
        if window is None or exchange is None or window.state != "open" or exchange.role != "provider":
            return
        terms = self._ground.agreements.terms(AgreementId(exchange.agreement))
        if terms is None:
            return
        window.state = "disputed"
        scope = Scope(
            counterpart=self._ground.counterpart(terms, ParticipantId(exchange.peer)),
            unit=terms.provider_unit,
            agreement=terms.agreement,
        ).within(ExchangeId(exchange.id), window.attempt)
        self._ground.recorder.record(
            transaction, "dispute", scope, members={"window": window.number, "code": "NO_ACK"}
        )
