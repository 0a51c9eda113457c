"""Two parties in one process: real stores, real ledgers, real signatures, a channel of two queues."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import SQLModel

from connector.audit.notary import Notary
from connector.audit.people import People
from connector.audit.recorder import Recorder
from connector.exchange.channel import Message, Signed
from connector.exchange.ground import Ground, Ruling, Terms
from connector.exchange.version_facts import VersionFacts
from connector.policy.decision import CounterGuard
from connector.store.database import Database
from connector.store.tables import AgreementRow
from connector.store.writer import Writer
from ledger import log, schema
from ledger.ambient import SystemAmbient
from ledger.cosignature import Cosigner
from ledger.document import thumbprint
from ledger.errors import BylagError, ErrorKind
from ledger.names import AgreementId, DatasetId, DataSpaceId, Milliseconds, Origin, ParticipantId
from ledger.note import Signer
from ledger.side import KeyChest

SPACE = DataSpaceId("space.example")
PROVIDER = ParticipantId("did:web:provider.example")
CONSUMER = ParticipantId("did:web:consumer.example")
AGREEMENT = AgreementId("agreement-1")
DATASET = DatasetId("numbers")
LIST = (1, "ab" * 32)


class Clock(SystemAmbient):
    """The system's clock, which a test may set forward."""

    ahead = 0

    def now(self) -> Milliseconds:
        return Milliseconds(super().now() + self.ahead)

    def step(self, milliseconds: int) -> None:
        self.ahead += milliseconds


class UnknownKey(BylagError):
    code = "UNKNOWN_KEY"
    kind = ErrorKind.UNAUTHENTICATED


@dataclass
class Piece:
    data: bytes
    rows: int
    position: int
    subjects: tuple[str, ...] | None = None


class Numbers:
    """A dataset of equal pieces, each filled with its own number."""

    digest = "cd" * 32
    labelled = False
    about = VersionFacts()

    def share(self, selection: Any) -> int | None:
        return 100 if selection is None else None

    def media_type(self, selection: Any, mask: Any) -> str:
        return "text/csv"

    def schema(self, mask: Any) -> Any:
        return {"columns": ["number"]}

    def __init__(self, count: int, size: int) -> None:
        self.count, self.piece_size = count, size

    def content(self) -> bytes:
        return b"".join(self.piece(number) for number in range(self.count))

    def piece(self, number: int) -> bytes:
        return (b"%08d\n" % number) * (self.piece_size // 9)

    def size(self, selection: Any, **_: Any) -> int | None:
        return self.count * len(self.piece(0)) if selection is None else None

    def end(self) -> int:
        return self.count

    def check(self, mode: Any, selection: Any, position: int, **_: Any) -> None: ...

    def pieces(self, selection: Any, position: int, **_: Any) -> Iterator[Piece]:
        for number in range(position, self.count):
            yield Piece(self.piece(number), self.piece_size // 9, number + 1)

    def lookup(self, selection: Any, **_: Any) -> tuple[bytes, int]:
        number = selection["number"]
        return b"%08d\n" % number, 1


class Rule:
    """A policy that permits one purpose."""

    def __init__(self, purpose: str = "https://w3id.org/dpv#ServiceProvision") -> None:
        self.purpose = purpose
        self.counters: tuple[CounterGuard, ...] = ()
        self.rulings: dict[str, Ruling] = {}

    def ask(self, terms: Terms, purpose: str, asking: Any = None) -> Any:
        return Asked(purpose, tuple(guard.name for guard in self.counters))

    async def rule(self, asked: Any, counts: Any) -> Ruling:
        return self.decide(asked, counts)

    def is_current(self, ruling: Any, transaction: Any) -> bool:
        return True

    def decide(self, asked: Any, counts: Any, transaction: Any = None) -> Ruling:
        return self.rulings.setdefault(asked.purpose, self._decide(asked))

    def _decide(self, asked: Any) -> Ruling:
        allow = asked.purpose == self.purpose
        return Ruling(
            allow=allow,
            code="PERMITTED" if allow else "PURPOSE_NOT_PERMITTED",
            rulebook="ef" * 32,
            mask=(),
            row_filter=None,
            counters=self.counters,
            valid_until=None,
            recorded=lambda: ({"purpose": asked.purpose}, {"allow": allow}),
        )


@dataclass(frozen=True)
class Asked:
    purpose: str
    counters: tuple[str, ...]


class World:
    """What both parties share: the list and the agreement."""

    def __init__(self, folder: Path, *, windows: int = 4, ack_seconds: int = 60) -> None:
        self.folder = folder
        self.keys = {PROVIDER: Ed25519PrivateKey.generate(), CONSUMER: Ed25519PrivateKey.generate()}
        self.terms = Terms(
            agreement=AGREEMENT,
            provider=PROVIDER,
            consumer=CONSUMER,
            provider_unit=None,
            consumer_unit=None,
            dataset=DATASET,
            purpose=Rule().purpose,
            policy={},
            policy_digest="aa" * 32,
            contract="bb" * 32,
            windows=windows,
            ack_seconds=ack_seconds,
            active=True,
            state="active",
            provider_log=self._log_key(PROVIDER),
            consumer_log=self._log_key(CONSUMER),
        )
        self.dataset = Numbers(count=30, size=900_000)
        self.rule = Rule()
        self.parties = {did: Party(self, did) for did in self.keys}

    def _log_key(self, did: ParticipantId) -> str:
        return str(Signer(f"{did.rpartition(':')[2]}/log", self.keys[did]).key)

    @property
    def provider(self) -> Party:
        return self.parties[PROVIDER]

    @property
    def consumer(self) -> Party:
        return self.parties[CONSUMER]

    def close(self) -> None:
        for party in self.parties.values():
            party.close()


class Party:
    """One side, and everything it stands on."""

    list_number, list_hash = LIST

    def __init__(self, world: World, did: ParticipantId) -> None:
        self.world, self.did = world, did
        self.folder = world.folder / did.rpartition(":")[2]
        self.folder.mkdir()
        self.database = Database(self.folder / "bylag.db")
        SQLModel.metadata.create_all(self.database.engine)
        with self.database.engine.connect() as connection:
            for statement in schema.STATEMENTS:
                connection.exec_driver_sql(statement)
        self.open()
        self.writer.submit(self._begin).result()

    @property
    def name(self) -> Origin:
        return Origin(f"{self.did.rpartition(':')[2]}/log")

    def open(self) -> None:
        self.ambient = Clock()
        self.chest = KeyChest(self.folder / "side-keys.db", [b"w" * 32], self.ambient)
        self.writer = Writer(self.database)
        key = self.world.keys[self.did]
        self.notary = Notary(
            self.folder / "bylag.db",
            self.folder / "log",
            Signer(self.name, key),
            lambda: Cosigner(f"{self.name}/witness", key),
            self.writer,
            self.ambient,
        )
        self.ground = Ground(
            me=self.did,
            space=SPACE,
            signing_key=lambda: self.world.keys[self.did],
            ambient=self.ambient,
            writer=self.writer,
            database=self.database,
            recorder=Recorder(space=SPACE, me=self.did, chest=self.chest, ambient=self.ambient),
            standing=self,
            agreements=self,
            policy=self.world.rule,
            shelf=self,
            notary=self.notary,
            lists=self,
            people=People(self.writer, self.chest, self.ambient),
        )

    def open_again(self) -> None:
        """As after a restart, on whatever lies in the folder."""
        self.database = Database(self.folder / "bylag.db")
        self.open()

    def _begin(self, transaction: Any) -> None:
        log.start(
            transaction.sqlite,
            space=SPACE,
            by={"org": self.did},
            origin=self.name,
            verifier_key=str(self.notary.key),
            ambient=self.ambient,
        )
        transaction.session.add(
            AgreementRow(
                id=AGREEMENT,
                peer=PROVIDER if self.did == CONSUMER else CONSUMER,
                role="provider" if self.did == PROVIDER else "consumer",
                unit="",
                peer_unit="",
                dataset=DATASET,
                payload=b"",
                provider_jws="",
                consumer_jws="",
                acknowledgement=b"",
                state="active",
                windows=self.world.terms.windows,
                policy_digest="aa" * 32,
                list_number=1,
                begun=self.ambient.now(),
            )
        )

    def end_agreement(self) -> None:
        def end(transaction: Any) -> None:
            transaction.session.get_one(AgreementRow, AGREEMENT).state = "terminated"

        self.writer.submit(end).result()

    # Standing
    def key(self, participant: ParticipantId, kid: str) -> Any:
        key = self.world.keys[participant].public_key()
        if thumbprint(key) != kid:
            raise UnknownKey("no such key")
        return key

    def require_active(self, participant: str) -> None: ...

    def is_person(self, participant: str) -> bool:
        return False

    # Agreements
    def terms(self, agreement: str) -> Terms | None:
        if agreement != AGREEMENT:
            return None
        with self.database.read() as session:
            row = session.get_one(AgreementRow, AGREEMENT)
        return replace(self.world.terms, active=row.state == "active", state=row.state)

    # Shelf
    def snapshot(self, dataset: str, version: str | None) -> Numbers:
        return self.world.dataset

    # Lists
    async def compare(self, peer: str, number: int, digest: str) -> None: ...

    def require_log_key(self, participant: ParticipantId, key: Any) -> None:
        if str(key) != self.world._log_key(participant):
            raise UnknownKey("no such log key")

    def witness_key(self, participant: ParticipantId, log_name: str) -> Any:
        return Cosigner(f"{log_name}/witness", self.world.keys[participant]).key

    def leaves(self) -> list[dict[str, Any]]:
        with self.database.read_sqlite() as connection:
            return [json.loads(entry.bytes) for entry in log.entries(connection)]

    def close(self) -> None:
        self.notary.close()
        self.writer.close()
        self.database.close()
        self.chest.close()


Messages = asyncio.Queue[Message | None]


class Pipe:
    """One end of a channel made of two queues; ``tamper`` may change or swallow what is sent."""

    def __init__(self, peer: str, incoming: Messages, outgoing: Messages) -> None:
        self.peer, self.incoming, self.outgoing = peer, incoming, outgoing
        self.tamper: Callable[[Any], Any] = lambda message: message

    async def send(self, message: Message) -> None:
        tampered = self.tamper(message)
        if tampered is not None:
            await self.outgoing.put(tampered)

    async def receive(self) -> Message | None:
        return await self.incoming.get()

    async def first(self) -> Signed:
        """The signed message that the other side begins with."""
        message = await self.receive()
        assert isinstance(message, Signed)
        return message

    def hang_up(self) -> None:
        self.outgoing.put_nowait(None)
        self.incoming.put_nowait(None)


def pipe() -> tuple[Pipe, Pipe]:
    """The provider's end and the consumer's end."""
    up: Messages = asyncio.Queue()
    down: Messages = asyncio.Queue()
    return Pipe(CONSUMER, up, down), Pipe(PROVIDER, down, up)
