"""What a record says of a person: nothing; and what a counterpart's rewritten log gets: no cosignature."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import SQLModel

from connector.audit.notary import Notary, NotConsistent
from connector.audit.recorder import Recorder
from connector.audit.scope import Counterpart, Scope
from connector.store.database import Database
from connector.store.writer import Writer
from ledger import log, schema, side
from ledger.ambient import SystemAmbient
from ledger.canonical import JSONObject
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.cosignature import Cosigner
from ledger.document import SignedDocument, sign
from ledger.names import (
    AgreementId,
    DataSpaceId,
    ExchangeId,
    LeafIndex,
    Origin,
    ParticipantId,
    RootHash,
    TreeSize,
)
from ledger.note import Signer
from ledger.side import KeyChest
from ledger.tree import complete_root, leaf_hash

SPACE = DataSpaceId("security.test")
ME = ParticipantId("did:web:city.example")
PERSON = ParticipantId("guest:0123456789abcdef0123456789abcdef")
AGREEMENT = AgreementId("agreement-of-a-person")
EXCHANGE = ExchangeId("exchange-of-a-person")


class Party:
    """A store with a log in it."""

    def __init__(self, folder: Path) -> None:
        self.ambient = SystemAmbient()
        self.path = folder / "bylag.db"
        self.database = Database(self.path)
        SQLModel.metadata.create_all(self.database.engine)
        with self.database.engine.connect() as connection:
            for statement in schema.STATEMENTS:
                connection.exec_driver_sql(statement)
        self.chest = KeyChest(folder / "side-keys.db", [b"w" * 32], self.ambient)
        self.writer = Writer(self.database)
        self.recorder = Recorder(space=SPACE, me=ME, chest=self.chest, ambient=self.ambient)
        signer = Signer(Origin("city.example/log/1"), Ed25519PrivateKey.generate())
        self.writer.submit(
            lambda transaction: self.recorder.begin(transaction, Origin(signer.key.name), str(signer.key))
        ).result()
        witness = Cosigner("city.example/log/1/witness", Ed25519PrivateKey.generate())
        self.notary = Notary(self.path, folder / "log", signer, lambda: witness, self.writer, self.ambient)

    def close(self) -> None:
        self.notary.close()
        self.writer.close()
        self.chest.close()
        self.database.close()


@pytest.fixture
def party(tmp_path: Path) -> Iterator[Party]:
    party = Party(tmp_path)
    yield party
    party.close()


def said(sender: str, key: Ed25519PrivateKey) -> SignedDocument:
    return sign({"type": "request", "version": 1, "sender": sender, "exchange": EXCHANGE}, key)


def test_no_leaf_about_a_person_holds_anything_that_leads_to_them(party: Party) -> None:
    mine, theirs = said(ME, Ed25519PrivateKey.generate()), said(PERSON, Ed25519PrivateKey.generate())
    scope = Scope(Counterpart(PERSON, is_person=True), agreement=AGREEMENT).within(EXCHANGE, 1)
    for kind in ("request", "offer", "denial"):
        members: JSONObject = {"code": "PURPOSE_NOT_PERMITTED", "contract": "ab" * 32, "refers": "cd" * 32}
        record = partial(party.recorder.record, kind=kind, scope=scope, said=mine, heard=theirs)
        party.writer.submit(partial(record, members=members)).result()
    with party.database.read_sqlite() as connection:
        entries = [entry.bytes for entry in log.entries(connection, 2)]
        rows = [side.get(connection, party.chest, LeafIndex(index), PERSON) for index in (2, 3, 4)]
    assert len(entries) == 3
    secrets = [PERSON, AGREEMENT, EXCHANGE, mine.digest, theirs.digest, theirs.jws.rpartition(".")[2]]
    secrets += [mine.kid, theirs.kid, "ab" * 32, "cd" * 32, leaf_hash(entries[0]).hex()]
    for secret in secrets:
        assert not any(secret.encode() in entry for entry in entries), secret
    # The same things are there for whoever holds the person's key.
    assert all(set(json.loads(entry)["agreement"]) == {"commitment"} for entry in entries)
    assert all({"said", "heard", "openings"} <= set(row) for row in rows)


def test_a_counterparts_log_is_cosigned_only_when_it_grows_out_of_what_was_cosigned(party: Party) -> None:
    theirs = Signer(Origin("company.example/log/1"), Ed25519PrivateKey.generate())
    honest: list[bytes] = [leaf_hash(b"%d" % number) for number in range(4)]
    rewritten = [leaf_hash(b"other"), *honest[1:]]

    def cosign(leaves: list[bytes], proof: list[bytes]) -> None:
        checkpoint = Checkpoint(
            Origin(theirs.key.name), TreeSize(len(leaves)), RootHash(complete_root(leaves))
        )
        note = bytes(sign_checkpoint(checkpoint, theirs).note)
        party.writer.submit(
            lambda transaction: party.notary.cosign(transaction, theirs.key, note, proof)
        ).result()

    cosign(honest[:2], [])
    for leaves, proof in ((rewritten, []), (rewritten[:2], []), (honest[:1], []), (honest, [honest[0]])):
        with pytest.raises(NotConsistent):
            cosign(leaves, proof)
    with sqlite3.connect(party.path) as connection:
        assert connection.execute("SELECT size FROM cosigned").fetchall() == [(2,)]
    cosign(honest, [complete_root(honest[2:])])
    with sqlite3.connect(party.path) as connection:
        assert connection.execute("SELECT size FROM cosigned").fetchall() == [(4,)]
