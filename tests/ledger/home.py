"""One log with all its parts on disk, as a participant has it: for tests that publish, crash and export."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger import log, publish, schema, side
from ledger.ambient import Ambient, HeldAmbient
from ledger.canonical import JSON, JSONObject
from ledger.checkpoint import SignedCheckpoint
from ledger.document import SignedDocument, sign
from ledger.leaf import agreement_chain, build, chain_of
from ledger.log import Appended
from ledger.names import Origin
from ledger.note import Signer
from ledger.publish import Publisher
from ledger.side import SHARED, KeyChest
from ledger.tilestore import DiskStore

SPACE = "greenway"
WRAPPING = b"w" * 32


class Home:
    """A participant's ledger in a folder. Opening it again goes on where it stopped."""

    publisher_class: type[Publisher] = Publisher
    store_class: type[DiskStore] = DiskStore

    def __init__(self, folder: Path, name: str = "vaxby", ambient: Ambient | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.name = name
        self.did = f"did:web:{name}.example"
        self.by: JSON = {"org": self.did}
        self.ambient = ambient or HeldAmbient(seed=sum(name.encode()))
        seed = name.encode().ljust(31, b"-")
        self.sign_key = Ed25519PrivateKey.from_private_bytes(b"s" + seed)
        self.log_key = Ed25519PrivateKey.from_private_bytes(b"l" + seed)
        self.signer = Signer(f"{name}.example/log", self.log_key)
        self.connection = sqlite3.connect(folder / "home.db", isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            self.connection.execute(f"PRAGMA {pragma}")
        schema.create(self.connection)
        self.chest = KeyChest(folder / "chest.db", [WRAPPING], self.ambient)
        if log.size(self.connection) == 0:
            self._start()
        self.store = self.store_class(folder / "log")
        self.publisher = self.publisher_class(
            self.connection, self.store, self.signer, self.save, self.ambient
        )

    def _start(self) -> None:
        self.connection.execute("BEGIN")
        log.start(
            self.connection,
            space=SPACE,
            by=self.by,
            origin=Origin(self.signer.key.name),
            verifier_key=str(self.signer.key),
            ambient=self.ambient,
        )
        self.connection.execute("COMMIT")

    def save(self, signed: SignedCheckpoint) -> None:
        self.connection.execute("BEGIN")
        publish.remember(self.connection, signed, self.ambient.now())
        self.connection.execute("COMMIT")

    def append(self, count: int = 1, agreement: str | None = None) -> list[Appended]:
        """Some leaves in one transaction."""
        self.connection.execute("BEGIN")
        appended = [self.record("access", agreement=agreement) for _ in range(count)]
        self.connection.execute("COMMIT")
        return appended

    def next_aseq(self, agreement: str | None = None) -> int:
        chain = agreement_chain(agreement) if agreement is not None else "node"
        return log.chain_head(self.connection, chain).aseq + 1

    def record(
        self,
        kind: str,
        *,
        said: SignedDocument | None = None,
        heard: SignedDocument | None = None,
        side_row: JSONObject | None = None,
        holder: str = SHARED,
        chain: str | None = None,
        members: JSONObject | None = None,
        **named: JSON,
    ) -> Appended:
        """One leaf with its side row, as the recorder of a connector writes it.

        ``named`` are further members: ``with_=`` stands for ``with``, a word that Python keeps.
        """
        members = {**(members or {}), **{name.rstrip("_"): value for name, value in named.items()}}
        if said is not None:
            members.setdefault("message", said.digest)
        if heard is not None:
            signature = heard.jws.rpartition(".")[2]
            members.setdefault("counterpart", {"message": heard.digest, "signature": signature})
        own = chain_of({name: value for name, value in members.items() if value is not None})
        chain = chain or own
        assert chain is not None
        head = log.chain_head(self.connection, chain)
        closed = members.pop("aprev", None)
        assert closed is None or isinstance(closed, dict)
        leaf = build(
            kind,
            space=SPACE,
            by=self.by,
            aseq=head.aseq + 1,
            aprev=closed if closed is not None else head.hash,
            ambient=self.ambient,
            time=None,
            **members,
        )
        appended = log.append(self.connection, leaf, chain)
        row: JSONObject = dict(side_row or {})
        if said is not None:
            row["said"] = side.signed_to_json(said)
        if heard is not None:
            row["heard"] = side.signed_to_json(heard)
        if row:
            side.put(self.connection, self.chest, appended.index, holder, row, self.ambient)
        return appended

    def sign_document(self, content: JSONObject) -> SignedDocument:
        return sign(content, self.sign_key)

    def close(self) -> None:
        self.chest.close()
        self.connection.close()


__all__ = ["SPACE", "WRAPPING", "Home"]
