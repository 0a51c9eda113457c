"""A store, a log, a recorder and a notary, on a folder that outlives them."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connector.audit.notary import Notary
from connector.audit.recorder import Recorder
from connector.audit.scope import Scope
from connector.store.database import Database
from connector.store.migrate import migrate
from connector.store.writer import Transaction, Writer
from ledger import log, side
from ledger.ambient import HeldAmbient
from ledger.cosignature import Cosigner
from ledger.names import DataSpaceId, Origin, ParticipantId
from ledger.note import Signer
from ledger.side import SHARED, KeyChest

SPACE = DataSpaceId("audit.test")
CITY = ParticipantId("did:web:city.example")
COMPANY = ParticipantId("did:web:company.example")
PERSON = ParticipantId("guest:" + "5a" * 16)


@functools.cache
def _empty_store() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bylag.db"
        database = Database(path)
        migrate(database)
        database.close()
        return path.read_bytes()


class House:
    """One participant's records."""

    def __init__(
        self, folder: Path, me: ParticipantId = CITY, *, is_person: bool = False, begun: bool = True
    ) -> None:
        self.folder, self.me, self.is_person = folder, me, is_person
        self.ambient = HeldAmbient()
        self.key = Ed25519PrivateKey.generate()
        folder.mkdir(exist_ok=True)
        (folder / "bylag.db").write_bytes(_empty_store())
        self.origin = Origin("guest/0f1e2d/log" if is_person else f"{me[8:]}/log")
        self.start()
        if begun:
            self.do(lambda tx: self.recorder.begin(tx, self.origin, str(self.signer.key)))

    def start(self) -> None:
        """As at the start of a process, on whatever lies in the folder."""
        self.database = Database(self.folder / "bylag.db")
        self.chest = KeyChest(self.folder / "side-keys.db", [b"w" * 32], self.ambient)
        self.writer = Writer(self.database)
        self.recorder = Recorder(
            space=SPACE, me=self.me, chest=self.chest, ambient=self.ambient, is_person=self.is_person
        )
        self.signer = Signer(self.origin, self.key)
        self._notary: Notary | None = None

    @property
    def notary(self) -> Notary:
        if self._notary is None:
            self._notary = Notary(
                self.folder / "bylag.db",
                self.folder / "log",
                self.signer,
                lambda: Cosigner(f"{self.origin}/witness", self.key),
                self.writer,
                self.ambient,
            )
        return self._notary

    def stop(self) -> None:
        if self._notary is not None:
            self._notary.close()
        self.writer.close()
        self.chest.close()
        self.database.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def do(self, job: Any) -> Any:
        return self.writer.submit(job).result()

    def note(self, number: int = 1) -> None:
        """Some records about nothing in particular."""

        def record(transaction: Transaction) -> None:
            for _ in range(number):
                self.recorder.record(transaction, "access", Scope(), members={"code": "EXPORT"})

        self.do(record)

    def leaves(self) -> list[dict[str, Any]]:
        with self.database.read_sqlite() as connection:
            return [json.loads(entry.bytes) for entry in log.entries(connection)]

    def entries(self) -> list[log.Entry]:
        with self.database.read_sqlite() as connection:
            return list(log.entries(connection))

    def rows(self, holder: str = SHARED) -> dict[int, Any]:
        with self.database.read_sqlite() as connection:
            return dict(side.rows_of(connection, self.chest, holder))
