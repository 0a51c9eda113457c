"""From committed leaves to a checkpoint that somebody may see.

Rules that hold here (LEDGER.md section 4), in this order, so that a crash between any two steps
loses nothing and shows nothing too early:

1. Leaves are committed: the publisher reads with a connection of its own and sees nothing else.
2. The tiles and bundles of the new size are written and synced, files and names.
3. Only then is a checkpoint of that size signed.
4. The signed note is stored, durably, through the caller's ``save``; before that nobody sees it.
5. Only then is it shown (:meth:`Publisher.show`), at a time that the caller chooses.

Step 2 is idempotent: after a crash it is simply done again. A crash after 3 and before 4 forgets a
signature that nobody saw. A checkpoint is signed at most once a second, or at a Seal.

At the start the right-edge tiles must fold into the root of the last stored note, and the database
must still hold the leaves that it covers; else nothing is published (:class:`LogMismatch`).
The full recomputation is ``ledger.fsck``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from ledger import log
from ledger.ambient import Ambient
from ledger.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint, sign_checkpoint
from ledger.errors import BylagError, ErrorKind
from ledger.names import Milliseconds, Origin
from ledger.note import Note, Signature, Signer, VerifierKey, parse
from ledger.side import SHARED
from ledger.tiles import WIDTH, ForgedTile, MalformedTile, NoSuchTile, TileReader
from ledger.tilestore import DiskStore, TileBuilder
from ledger.tree import Node, leaf_hash

SHORTEST_INTERVAL: Final = 1.0
"""Seconds, by the monotonic clock, between two checkpoints that no Seal asks for."""


class LogMismatch(BylagError):
    """Database, tiles and the last signed checkpoint do not belong together."""

    code = "LOG_MISMATCH"
    kind = ErrorKind.DAMAGED
    default_next_step = "Do not run. Restore database and tiles from one backup, then run the full check."


Save = Callable[[SignedCheckpoint], None]
"""Stores a signed checkpoint; when it returns, the note is durable."""


class Publisher:
    """Publishes one log. To be used from one thread at a time."""

    def __init__(
        self, connection: sqlite3.Connection, store: DiskStore, signer: Signer, save: Save, ambient: Ambient
    ) -> None:
        """Check the stored state, and go on from the last stored note.

        ``connection`` reads committed leaves only. Raises :class:`LogMismatch`.
        """
        self._connection = connection
        self._store = store
        self._signer = signer
        self._save = save
        self._ambient = ambient
        self._signed_at: float | None = None
        self._last = last_checkpoint(connection, signer.key)
        self._builder = _resume(connection, store, self._last)

    @property
    def last(self) -> SignedCheckpoint | None:
        """The newest stored checkpoint, with the log's own signature."""
        return self._last

    def publish(self, *, seal: bool = False) -> SignedCheckpoint | None:
        """Sign a checkpoint over every leaf committed so far: steps 2 to 4.

        None when there is no new leaf, or the last checkpoint is younger than a second and no Seal
        asks for one. Raises :class:`LogMismatch`, ``StorageFailed``, or what ``save`` raises; nothing
        was shown then, and the next call does it all again.
        """
        size = log.size(self._connection)
        if size == self._builder.size or (self._too_early() and not seal):
            return None
        grown = self._grow(size)
        for tile, data in grown.partials():
            self._store.write(tile, data)
        self._store.sync()  # LEDGER.md section 4 (3): durable before the signature
        checkpoint = Checkpoint(Origin(self._signer.key.name), size, grown.root())
        signed = sign_checkpoint(checkpoint, self._signer)
        self._save(signed)  # (4): durable before anybody sees it
        self._store.tidy(self._builder.size, size)
        self._builder, self._last, self._signed_at = grown, signed, self._ambient.monotonic()
        return signed

    def show(self, note: Note) -> None:
        """Put a stored note, with the cosignatures it has by now, where readers look."""
        self._store.show(bytes(note))

    def reader(self) -> TileReader:
        """A reader of the tree under the newest checkpoint, for proofs. Raises :class:`LogMismatch`."""
        if self._last is None:
            raise LogMismatch("the log has no checkpoint yet", next_step="Publish first.")
        checkpoint = self._last.checkpoint
        return TileReader(self._store.read, checkpoint.size, checkpoint.root)

    def _too_early(self) -> bool:
        return self._signed_at is not None and self._ambient.monotonic() - self._signed_at < SHORTEST_INTERVAL

    def _grow(self, size: int) -> TileBuilder:
        old = self._builder
        grown = TileBuilder(old.edge(), old.size, old.bundle())
        for entry in log.entries(self._connection, old.size, size):
            for tile, data in grown.add(entry.bytes):
                self._store.write(tile, data)
        if grown.size != size:
            raise LogMismatch(f"the database gave {grown.size} leaves of {size}")
        return grown


def last_checkpoint(connection: sqlite3.Connection, key: VerifierKey) -> SignedCheckpoint | None:
    """The newest stored checkpoint, its own signature verified. Raises :class:`LogMismatch`."""
    row = connection.execute("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1").fetchone()
    if row is None:
        return None
    try:
        return open_checkpoint(row[0], key)
    except BylagError as error:
        raise LogMismatch(f"the last stored checkpoint is not this log's: {error}") from error


def remember(connection: sqlite3.Connection, signed: SignedCheckpoint, time: Milliseconds) -> None:
    """Store a signed checkpoint: what ``save`` does on the writer's transaction. Does not commit.

    Storing the newest one again changes nothing. Raises :class:`LogMismatch` for a checkpoint that
    is not larger than every one before.
    """
    checkpoint = signed.checkpoint
    newest = connection.execute("SELECT size, root FROM checkpoint ORDER BY size DESC LIMIT 1").fetchone()
    if newest == (checkpoint.size, checkpoint.root):
        return
    if newest is not None and newest[0] >= checkpoint.size:
        raise LogMismatch(f"a checkpoint of size {newest[0]} was signed already")
    connection.execute(
        "INSERT INTO checkpoint (size, root, note, time) VALUES (?, ?, ?, ?)",
        (checkpoint.size, checkpoint.root, bytes(signed.note), time),
    )


def remember_cosignature(
    connection: sqlite3.Connection,
    size: int,
    signature: Signature,
    time: Milliseconds,
    holder: str = SHARED,
) -> None:
    """Store somebody's verified cosignature on our checkpoint of ``size``. Does not commit.

    ``holder`` is the person whose cosignature it is, if it is one's.
    """
    connection.execute(
        "INSERT OR REPLACE INTO cosignature (size, name, line, time, holder) VALUES (?, ?, ?, ?, ?)",
        (size, signature.name, signature.line.encode(), time, holder),
    )


def cosigned_note(connection: sqlite3.Connection, size: int, holders: Sequence[str] = (SHARED,)) -> Note:
    """The stored note of ``size`` with every cosignature it has by now, of organisations unless
    ``holders`` names people too: a cosignature leads to who made it. Raises ``NoSuchLeaf``."""
    row = connection.execute("SELECT note FROM checkpoint WHERE size = ?", (size,)).fetchone()
    if row is None:
        raise log.NoSuchLeaf(f"no checkpoint of size {size} was signed")
    lines = connection.execute("SELECT line, holder FROM cosignature WHERE size = ? ORDER BY name", (size,))
    return parse(row[0] + b"".join(line for line, holder in lines if holder in holders))


def _resume(connection: sqlite3.Connection, store: DiskStore, last: SignedCheckpoint | None) -> TileBuilder:
    """The start check: tiles and database must be those of the last note."""
    if last is None:
        return TileBuilder({}, 0, [])
    checkpoint = last.checkpoint
    if log.size(connection) < checkpoint.size:
        raise LogMismatch(
            f"a checkpoint of {checkpoint.size} leaves was signed, the database has {log.size(connection)}"
        )
    try:
        reader = TileReader(store.read, checkpoint.size, checkpoint.root)
        newest = reader.hashes([Node(0, checkpoint.size - 1)])[0]
    except (NoSuchTile, MalformedTile, ForgedTile) as error:
        raise LogMismatch(f"the tiles do not fold into the last checkpoint: {error}") from error
    start = checkpoint.size - checkpoint.size % WIDTH
    bundle = [entry.bytes for entry in log.entries(connection, start, checkpoint.size)]
    edge = reader.edge()
    if [leaf_hash(entry) for entry in bundle] != edge.get(0, []):
        raise LogMismatch("the database's last leaves are not those of the last checkpoint")
    if leaf_hash(log.entry(connection, checkpoint.size - 1).bytes) != newest:
        raise LogMismatch("the database's last leaf is not that of the last checkpoint")
    return TileBuilder(edge, checkpoint.size, bundle)
