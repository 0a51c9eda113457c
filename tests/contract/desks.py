"""Two desks with real stores, logs and outboxes, and a post that a test carries by hand."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlmodel import select

from connector.audit.recorder import Recorder
from connector.contract.agreement import ListReference
from connector.contract.desk import Desk, Standing
from connector.contract.liability import Role
from connector.contract.messages import LogHead
from connector.contract.offer import BY_HAND, Applicant, Approval, Offer
from connector.contract.party import Party
from connector.contract.speaker import Speaker
from connector.contract.terms import Proposal
from connector.store import outbox
from connector.store.database import Database
from connector.store.migrate import migrate
from connector.store.tables import AgreementRow
from connector.store.writer import Transaction, Writer
from ledger import log, side
from ledger.ambient import HeldAmbient
from ledger.document import SignedDocument
from ledger.errors import BylagError
from ledger.names import NegotiationId, Origin, ParticipantId, RulebookDigest, UnitId
from ledger.side import SHARED, KeyChest
from tests.contract.world import (
    CONSUMER,
    KEYS,
    LIST,
    NOW,
    PARTIES,
    PROVIDER,
    SPACE,
    Directory,
    directory,
    offer,
)


@functools.cache
def _empty_store() -> bytes:
    """A migrated database, made once: the migrations take most of the time that a test has."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bylag.db"
        database = Database(path)
        migrate(database)
        database.close()
        return path.read_bytes()


ROLE_OF = {PROVIDER: Role.PROVIDER, CONSUMER: Role.CONSUMER}


@dataclass
class Refusal:
    """A notice that was refused, and why."""

    document: SignedDocument
    error: BylagError


@dataclass
class Side:
    """One participant's desk, on a folder that outlives it."""

    folder: Path
    me: ParticipantId
    ambient: HeldAmbient
    keys: Directory
    published: Offer
    inactive: set[ParticipantId] = field(default_factory=set)
    persons: set[ParticipantId] = field(default_factory=set)
    barred: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.signing = KEYS[ROLE_OF[self.me]]
        self.start()
        self.writer.submit(self._begin).result()

    def start(self) -> None:
        """As at the start of a process, on whatever lies in the folder."""
        self.folder.mkdir(exist_ok=True)
        path = self.folder / "bylag.db"
        if not path.exists():
            path.write_bytes(_empty_store())
        self.database = Database(path)
        self.chest = KeyChest(self.folder / "side-keys.db", [b"w" * 32], self.ambient)
        self.writer = Writer(self.database)
        self.recorder = Recorder(space=SPACE, me=self.me, chest=self.chest, ambient=self.ambient)
        speaker = Speaker(
            me=self.me,
            space=SPACE,
            key=lambda: self.signing,
            ambient=self.ambient,
            recorder=self.recorder,
            keys=self.keys,
            surroundings=self,
        )
        self.desk = Desk(speaker, writer=self.writer, database=self.database)

    def stop(self) -> None:
        self.writer.close()
        self.chest.close()
        self.database.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def _begin(self, transaction: Transaction) -> None:
        origin = Origin(f"{self.me[8:]}/log")
        key = PARTIES[ROLE_OF[self.me]].log
        assert key is not None
        self.recorder.begin(transaction, origin, key.key)

    # What a desk asks of its surroundings
    def list_reference(self) -> ListReference:
        return LIST

    def head(self) -> LogHead | None:
        return None

    def own_party(self, unit: UnitId | None) -> Party:
        return replace(PARTIES[ROLE_OF[self.me]], unit=unit)

    def applicant(self, participant: ParticipantId) -> Applicant:
        return Applicant(participant, "company", participant not in self.inactive)

    def offer(self, proposal: Proposal) -> Offer | None:
        return self.published if proposal.offer == self.published.id else None

    def is_person(self, participant: ParticipantId) -> bool:
        return participant in self.persons

    def rulebook(self) -> RulebookDigest:
        return RulebookDigest("cd" * 32)

    def bar(self, agreement: str, code: str) -> None:
        self.barred.append((agreement, code))

    # What a test asks of a side
    def takes(self, peer: ParticipantId, document: SignedDocument, opening: Any) -> None:
        """Take a message past the outbox's numbers. Raises what refuses it."""
        self.writer.submit(lambda tx: self.desk.take(tx, peer, document, opening)).result()

    def waiting(self, peer: ParticipantId) -> list[outbox.Notice]:
        with self.database.read() as session:
            return outbox.waiting(session, peer, outbox.positions(session, peer)[1], 100)

    def agreements(self) -> list[AgreementRow]:
        with self.database.read() as session:
            return list(session.exec(select(AgreementRow)))

    def leaves(self) -> list[dict[str, Any]]:
        with self.database.read_sqlite() as connection:
            return [json.loads(entry.bytes) for entry in log.entries(connection)]

    def side_rows(self, holder: str = SHARED) -> list[Any]:
        with self.database.read_sqlite() as connection:
            return [row for _, row in side.rows_of(connection, self.chest, holder)]

    @property
    def only(self) -> Standing:
        (standing,) = self.desk.all()
        return standing


class Desks:
    """A provider and a consumer, and the post between them."""

    def __init__(self, folder: Path, approval: Approval = BY_HAND) -> None:
        self.ambient, self.keys = HeldAmbient(now=NOW), directory()
        self.published = offer(approval)
        self.provider = Side(folder / "provider", PROVIDER, self.ambient, self.keys, self.published)
        self.consumer = Side(folder / "consumer", CONSUMER, self.ambient, self.keys, self.published)
        self.refused: list[Refusal] = []

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.provider, self.consumer

    def carry(self, *, between: Callable[[], None] = lambda: None, steps: int = 100) -> int:
        """Carry what waits, one notice at a time and in order, until nothing does; how many there were."""
        for step in range(steps):
            found = next(
                (
                    (giver, taker, notice)
                    for giver, taker in (self.sides, self.sides[::-1])
                    for notice in giver.waiting(taker.me)[:1]
                ),
                None,
            )
            if found is None:
                return step
            self._hand_over(*found)
            self.ambient.advance(1000)
            between()
        return steps

    def _hand_over(self, giver: Side, taker: Side, notice: outbox.Notice) -> None:
        def take(transaction: Transaction) -> None:
            if outbox.take(transaction, giver.me, notice.number):
                taker.desk.take(transaction, giver.me, notice.document, notice.opening)

        try:
            taker.writer.submit(take).result()
        except BylagError as error:
            self.refused.append(Refusal(notice.document, error))
            taker.writer.submit(lambda tx: outbox.take(tx, giver.me, notice.number)).result()
        giver.writer.submit(lambda tx: outbox.delivered(tx, taker.me, notice.number)).result()

    async def ask(self, **beside: str) -> Standing:
        return await self.consumer.desk.ask(PROVIDER, self.published.proposal, beside=beside)

    @property
    def at_provider(self) -> NegotiationId:
        return self.provider.only.id

    def states(self) -> tuple[str, str]:
        provider, consumer = (each.only.negotiation.state.value for each in self.sides)
        return provider, consumer

    def close(self) -> None:
        for each in self.sides:
            each.stop()
