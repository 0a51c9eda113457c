"""Two parties who exchange and then settle: an agreement with a price, and a post carried by hand."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from sqlmodel import col, select

from connector.contract.agreement import Agreement, ListReference
from connector.contract.liability import Role
from connector.contract.settlement import Line, Span, Statement
from connector.contract.settlements import GRACE_MS, Settlements, unsettled
from connector.contract.speaker import Speaker
from connector.contract.surroundings import Surroundings
from connector.contract.terms import Price
from connector.exchange import metered
from connector.exchange.late import LateSignatures
from connector.exchange.windows import WindowMaker
from connector.store import outbox
from connector.store.tables import AgreementRow, SettlementRow
from connector.store.writer import Transaction
from ledger.document import SignedDocument, header_of, thumbprint
from ledger.errors import BylagError
from ledger.names import Milliseconds, ParticipantId
from tests.contract import world as contracts
from tests.exchange.world import AGREEMENT, CONSUMER, DATASET, LIST, PROVIDER, SPACE, Numbers, Party, World

PER_RECORD = Price("record", 25, "SEK", 1000)
PIECE = 9_000
"""Bytes of a frame; three of them make a window."""
small_windows = functools.partial(WindowMaker, window_bytes=3 * PIECE)


@dataclass
class Side:
    """What one party settles with."""

    party: Party
    settlements: Settlements
    late: LateSignatures

    @property
    def did(self) -> ParticipantId:
        return self.party.did

    def take(self, transaction: Transaction, peer: ParticipantId, notice: outbox.Notice) -> None:
        if not outbox.take(transaction, peer, notice.number):
            return
        kind = header_of(notice.document.jws).kind
        taker = self.settlements if kind in self.settlements.kinds else self.late
        taker.take(transaction, peer, notice.document, notice.opening)

    def do(self, job: Any) -> Any:
        """Run a job of a transaction, and wait for it."""
        return self.party.writer.submit(job).result()

    def lines(self, span: Span) -> list[Line]:
        """What this side would bill."""
        with self.party.database.read_sqlite() as connection:
            found = unsettled(connection, AGREEMENT, span)
        return sorted(found, key=lambda line: (line.time, *line.place))

    def statement(self, agreement: Agreement, span: Span) -> Statement:
        with self.party.database.read_sqlite() as connection:
            return self.settlements.compute(connection, agreement, span)

    def rows(self) -> list[SettlementRow]:
        with self.party.database.read() as session:
            return list(session.exec(select(SettlementRow).order_by(col(SettlementRow.begin))))


class SettlingWorld(World):
    """A world whose agreement is a real document, and whose frames and windows are small."""

    def __init__(
        self, folder: Path, *, price: Price = PER_RECORD, frames: int = 12, windows: int = 4
    ) -> None:
        super().__init__(folder, windows=windows)
        self.dataset = Numbers(count=frames, size=PIECE)
        self.agreement = self._agreement(price)
        self.keys_held = contracts.Directory()
        for did, key in self.keys.items():
            self.keys_held.hold(did, key, until=2**52)
        for party in self.parties.values():
            party.writer.submit(self._put_agreement).result()
        self.sides = {did: self._side(party) for did, party in self.parties.items()}
        self.refused: list[BylagError] = []

    def _agreement(self, price: Price) -> Agreement:
        made = contracts.World().agreement(space=SPACE, id=AGREEMENT, dataset=DATASET)
        provider, consumer = (
            replace(
                made.party(role),
                id=did,
                unit=None,
                key=thumbprint(self.keys[did].public_key()),
                log=contracts.log(f"{did.rpartition(':')[2]}/log"),
            )
            for role, did in ((Role.PROVIDER, PROVIDER), (Role.CONSUMER, CONSUMER))
        )
        terms = replace(made.terms, price=price)
        return replace(made, provider=provider, consumer=consumer, terms=terms)

    def _put_agreement(self, transaction: Transaction) -> None:
        row = transaction.session.get_one(AgreementRow, AGREEMENT)
        row.payload = self.agreement.payload

    def _speaker(self, party: Party) -> Speaker:
        return Speaker(
            me=party.did,
            space=SPACE,
            key=lambda: self.keys[party.did],
            ambient=party.ambient,
            recorder=party.ground.recorder,
            keys=self.keys_held,
            surroundings=cast("Surroundings", _Surroundings()),  # what a settlement asks
        )

    def _side(self, party: Party) -> Side:
        settlements = Settlements(
            self._speaker(party),
            resend=lambda transaction, now, agreement: metered.resend(transaction, now, agreement=agreement),
        )
        return Side(party, settlements, LateSignatures(party.ground))

    @property
    def seller(self) -> Side:
        return self.sides[PROVIDER]

    @property
    def buyer(self) -> Side:
        return self.sides[CONSUMER]

    def restart(self, did: ParticipantId) -> None:
        """End a party without a word, and start it again on what lies in its folder."""
        party = self.parties[did]
        party.close()
        ahead = party.ambient.ahead
        party.open_again()
        party.ambient.step(ahead)
        self.sides[did] = self._side(party)

    def resend(self) -> int:
        """What time brings about at the consumer."""
        buyer = self.buyer
        return int(buyer.do(lambda tx: metered.resend(tx, buyer.party.ambient.now())))

    def carry(self, steps: int = 1000) -> None:
        """Carry both outboxes, one notice at a time and in order, until they are empty."""
        for _ in range(steps):
            if not any(
                self._hand_over(*pair) for pair in ((self.seller, self.buyer), (self.buyer, self.seller))
            ):
                return
        raise AssertionError("the outboxes never empty")

    def _hand_over(self, giver: Side, taker: Side) -> bool:
        with giver.party.database.read() as session:
            waiting = outbox.waiting(session, taker.did, outbox.positions(session, taker.did)[1], 1)
        if not waiting:
            return False
        (notice,) = waiting
        try:
            taker.do(lambda tx: taker.take(tx, giver.did, notice))
        except BylagError as error:
            self.refused.append(error)
            taker.do(lambda tx: outbox.take(tx, giver.did, notice.number))
            giver.do(lambda tx: metered.refused(tx, taker.did, notice.document.digest))
            giver.do(lambda tx: giver.settlements.not_taken(tx, taker.did, notice.document.digest))
            self.refused_notice(giver, taker, notice.document)

        def delivered(transaction: Transaction) -> None:
            outbox.delivered(transaction, taker.did, notice.number)
            metered.delivered(transaction, taker.did, notice.number)

        giver.do(delivered)
        return True

    def refused_notice(self, giver: Side, taker: Side, document: SignedDocument) -> None:
        """What else a giver does about a notice that was refused."""

    def later(self, milliseconds: int = GRACE_MS + 60_000) -> None:
        """Both clocks go on."""
        for party in self.parties.values():
            party.ambient.step(milliseconds)

    def until_now(self, begin: int = 0) -> Span:
        """A period up to this moment, which is over and past its grace afterwards."""
        span = Span(Milliseconds(begin), Milliseconds(self.provider.ambient.now() + 1000))
        self.later()
        return span


class _Surroundings:
    def list_reference(self) -> ListReference:
        return ListReference(*LIST)

    def head(self) -> None:
        return None

    def is_person(self, _participant: ParticipantId) -> bool:
        return False
