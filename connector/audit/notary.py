"""This participant's log as others see it: checkpoints, proofs, cosignatures.

Rules that hold here (LEDGER.md section 4): a checkpoint is signed for a size whose tiles are durable
and stored before anybody sees it; at most once a second, or at a Seal. A counterpart's checkpoint is
cosigned only when it extends the last one that was cosigned, and that is stored before the answer.
A person's cosignature, and what was cosigned of their log, lead to them: neither is shown to others.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from connector.store.writer import Transaction, Writer
from ledger import log, proof
from ledger.ambient import Ambient
from ledger.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint
from ledger.cosignature import Cosigner, verifier_for
from ledger.errors import BylagError, ErrorKind
from ledger.names import LeafIndex, RootHash, TreeSize
from ledger.note import Note, Signer, VerifierKey, verify
from ledger.publish import Publisher, cosigned_note, remember, remember_cosignature
from ledger.side import SHARED
from ledger.tilestore import DiskStore
from ledger.tree import BadProof, check_consistency, consistency_proof, inclusion_proof


class NotConsistent(BylagError):
    """A counterpart's checkpoint does not extend the one that was cosigned before."""

    code = "NOT_CONSISTENT"
    kind = ErrorKind.CONFLICT
    default_next_step = "Keep both notes: together they show that the log was rewritten. Stop the exchange."


class Notary:
    """Publishes this participant's log and cosigns its counterparts'."""

    def __init__(
        self,
        database: Path,
        folder: Path,
        signer: Signer,
        cosigner: Callable[[], Cosigner],
        writer: Writer,
        ambient: Ambient,
    ) -> None:
        """Check what is stored and go on from the last note. Raises ``LogMismatch``.

        ``cosigner`` gives the key that cosigns now.
        """
        self.key = signer.key
        self._signer = signer
        self._cosigner = cosigner
        self._writer = writer
        self._ambient = ambient
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(database, check_same_thread=False)
        self._store = DiskStore(folder)
        self._publisher = Publisher(self._connection, self._store, signer, self._save, ambient)

    @property
    def store(self) -> DiskStore:
        """Where the tiles lie."""
        return self._store

    @property
    def last(self) -> SignedCheckpoint | None:
        """The newest stored checkpoint."""
        return self._publisher.last

    def head(self) -> tuple[str, int, str] | None:
        """Origin, size and root (hexadecimal) of the newest stored checkpoint."""
        last = self.last
        if last is None:
            return None
        return last.checkpoint.origin, last.checkpoint.size, last.checkpoint.root.hex()

    def publish(self, *, seal: bool = False) -> SignedCheckpoint | None:
        """Sign and show a checkpoint over what is committed; None when there is nothing new. Blocks."""
        with self._lock:
            signed = self._publisher.publish(seal=seal)
            if signed is not None:
                self._publisher.show(signed.note)
            return signed

    def inclusion(self, index: LeafIndex, size: TreeSize) -> list[bytes]:
        """The proof that leaf ``index`` lies under the newest checkpoint of ``size`` leaves."""
        with self._lock:
            return inclusion_proof(index, size, self._publisher.reader().hashes)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the newest checkpoint extends an earlier one."""
        with self._lock:
            return consistency_proof(old, new, self._publisher.reader().hashes) if old else []

    def tlog_proof(self, index: LeafIndex) -> str:
        """A ``c2sp.org/tlog-proof@v1`` of one leaf under the newest checkpoint."""
        last = self.last
        if last is None or index >= last.checkpoint.size:
            self.publish(seal=True)
            last = self.last
        if last is None:
            raise log.NoSuchLeaf("the log has no checkpoint yet")
        hashes = self.inclusion(index, last.checkpoint.size)
        note = cosigned_note(self._connection, last.checkpoint.size)
        return bytes(proof.make(index, hashes, note)).decode()

    def note(self, size: int, holders: Sequence[str] = (SHARED,)) -> Note:
        """The stored note of ``size`` with every cosignature it has, people's only where they are named."""
        return cosigned_note(self._connection, size, holders)

    def take_cosignature(
        self, transaction: Transaction, note: Note, theirs: VerifierKey, holder: str = SHARED
    ) -> None:
        """Keep a counterpart's cosignature on our checkpoint, verified; ``holder`` if it is a person."""
        checkpoint = open_checkpoint(bytes(note), self.key).checkpoint
        for signature in verify(note, [verifier_for(theirs)]):
            if signature.name == theirs.name:
                now = self._ambient.now()
                remember_cosignature(transaction.sqlite, checkpoint.size, signature, now, holder)

    def cosigned_size(self, connection: sqlite3.Connection, origin: str) -> int:
        """The size of a counterpart's log that this participant cosigned last, 0 if never."""
        row = connection.execute("SELECT size FROM cosigned WHERE origin = ?", (origin,)).fetchone()
        return int(row[0]) if row else 0

    def cosigned_note(self, connection: sqlite3.Connection, origin: str) -> bytes:
        """A counterpart's note that this participant cosigned last, with its own signature."""
        row = connection.execute("SELECT note FROM cosigned WHERE origin = ?", (origin,)).fetchone()
        return bytes(row[0]) if row else b""

    def signed_beyond(self, note: bytes) -> bool:
        """Whether ``note`` is a checkpoint that this log signed for more leaves than it has.

        Then the log was rolled back (LEDGER.md section 2): a claim without this log's own signature
        shows nothing.
        """
        try:
            size = open_checkpoint(note, self.key).checkpoint.size
        except BylagError:
            return False
        return size > log.size(self._connection)

    def cosign(
        self,
        transaction: Transaction,
        theirs: VerifierKey,
        note: bytes,
        consistency: list[bytes],
        holder: str = SHARED,
    ) -> Note:
        """Cosign a counterpart's checkpoint, in the transaction that remembers it.

        ``holder`` is the person whose log it is, if it is one's.

        Raises :class:`NotConsistent`, or what reading the note raises.
        """
        signed = open_checkpoint(note, theirs)
        checkpoint = signed.checkpoint
        self._check_extends(transaction.sqlite, checkpoint, consistency)
        signature = self._cosigner().sign(checkpoint.text, self._ambient.now())
        cosigned = signed.note.with_signature(signature)
        transaction.sqlite.execute(
            "INSERT INTO cosigned (origin, holder, size, root, note, time) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root,"
            " note = excluded.note, time = excluded.time",
            (
                checkpoint.origin,
                holder,
                checkpoint.size,
                checkpoint.root,
                bytes(cosigned),
                self._ambient.now(),
            ),
        )
        return cosigned

    def close(self) -> None:
        """Let go of the log's files."""
        self._connection.close()

    def _check_extends(
        self, connection: sqlite3.Connection, checkpoint: Checkpoint, consistency: list[bytes]
    ) -> None:
        row = connection.execute(
            "SELECT size, root FROM cosigned WHERE origin = ?", (checkpoint.origin,)
        ).fetchone()
        if row is None:
            return
        size, root = TreeSize(row[0]), RootHash(row[1])
        if checkpoint.size < size or (checkpoint.size == size and checkpoint.root != root):
            raise NotConsistent(f"a checkpoint of size {size} was cosigned before")
        if checkpoint.size == size:
            return
        try:
            check_consistency(size, checkpoint.size, consistency, root, checkpoint.root)
        except BadProof as error:
            raise NotConsistent("the consistency proof does not hold") from error

    def _save(self, signed: SignedCheckpoint) -> None:
        self._writer.submit(
            lambda transaction: remember(transaction.sqlite, signed, self._ambient.now())
        ).result()
