"""The erasable side table: what opens a leaf, sealed under the key of whoever it is about.

Rules that hold here (LEDGER.md section 2):

* A leaf has at most one *shared* row, which holds nothing from which a person can be found, and one
  row for each person it is about. A row's *holder* is ``"shared"`` or a person's random handle.
* A row is JSON sealed with ChaCha20-Poly1305 under the holder's random key; the associated data
  binds the leaf's index and the holder, so a row moved elsewhere does not open.
* The keys lie in the :class:`KeyChest`, a file of its own, wrapped under the node's wrapping key. A
  key is durable there before the first row that uses it is written.
* Destroying the key is what erases: copies of the rows (a backup, a WAL) stay shut. Copies of the
  chest stay shut when the wrapping key is replaced too (:meth:`KeyChest.rewrap`).
"""

from __future__ import annotations

import sqlite3
import struct
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from ledger.ambient import Ambient
from ledger.canonical import JSON, JSONObject, decode_object, encode_leaf
from ledger.document import SignedDocument
from ledger.errors import BylagError, ErrorKind
from ledger.log import insert_rows
from ledger.names import LeafIndex

SHARED: Final = "shared"
"""The holder of rows from which no person can be found."""

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
MAX_ROW_BYTES: Final = 4 << 20
_CACHE: Final = 4096
_ROW: Final = b"bylag/side/v1"
_KEY: Final = b"bylag/chest/v1"
_CHECK: Final = b"bylag/chest/check/v1"

# A person's rows are few, and the literal lets SQLite use their index; shared rows go by leaf.
_SHARED_ROWS: Final = (
    "SELECT idx, nonce, box FROM side_row WHERE holder = ? AND idx >= ? AND idx < ? ORDER BY idx"
)
_PERSONS_ROWS: Final = (
    "SELECT idx, nonce, box FROM side_row"
    " WHERE holder = ? AND holder <> 'shared' AND idx >= ? AND idx < ? ORDER BY idx"
)


class NoSuchRow(BylagError):
    """The leaf has no side row for this holder."""

    code = "NO_SUCH_SIDE_ROW"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "Look whether an erasure is recorded: the leaf and its proof stand without the row."


class KeyErased(BylagError):
    """The holder's key is gone: their rows cannot be opened, now or ever."""

    code = "KEY_ERASED"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "Show the erasure leaf: details lawfully erased, proof intact."


class DamagedRow(BylagError):
    """A side row or a wrapped key does not open under the key that it should."""

    code = "DAMAGED_SIDE_ROW"
    kind = ErrorKind.DAMAGED
    default_next_step = "Restore the database and the key chest from the same backup."


class WrongWrappingKey(BylagError):
    """None of the node's wrapping keys opens the key chest."""

    code = "WRONG_WRAPPING_KEY"
    kind = ErrorKind.DAMAGED
    default_next_step = "Put back the wrapping key that belongs to this key chest."


class SideRow(NamedTuple):
    """A sealed row as the table holds it."""

    idx: LeafIndex
    holder: str
    nonce: bytes
    box: bytes


class KeyChest:
    """The file of holders' keys, each wrapped under the node's wrapping key.

    It may be used from several threads: the writer's seals rows while another opens what was received.
    ``wrapping_keys`` are tried in turn: a crash while the wrapping key was being replaced leaves the
    chest under either one.
    """

    def __init__(self, path: Path, wrapping_keys: Iterable[bytes], ambient: Ambient) -> None:
        self._ambient = ambient
        self._cache: dict[str, ChaCha20Poly1305] = {}
        self._guard = threading.RLock()
        path.touch(mode=0o600, exist_ok=True)
        path.chmod(0o600)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode = TRUNCATE", "synchronous = FULL", "secure_delete = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS chest_key (holder TEXT PRIMARY KEY, wrapped BLOB NOT NULL) STRICT"
        )
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS chest_check (id INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT"
        )
        self._wrapping = self._find_wrapping_key(list(wrapping_keys))

    def cipher(self, holder: str) -> ChaCha20Poly1305:
        """The cipher under the holder's key, made and stored durably if it is the holder's first."""
        known = self._cache.get(holder)
        return known if known is not None else self.ciphers([holder])[holder]

    def ciphers(self, holders: Iterable[str]) -> dict[str, ChaCha20Poly1305]:
        """Like :meth:`cipher` for many holders, with at most one sync to disk."""
        found: dict[str, ChaCha20Poly1305] = {}
        fresh: dict[str, bytes] = {}
        with self._guard:
            for holder in holders:
                if holder in found:
                    continue
                known = self._load(holder)
                if known is None:
                    fresh[holder] = self._ambient.random(KEY_BYTES)
                    known = ChaCha20Poly1305(fresh[holder])
                found[holder] = known
            if fresh:
                self._store(fresh)
            for holder, cipher in found.items():
                self._remember(holder, cipher)
        return found

    def existing(self, holder: str) -> ChaCha20Poly1305:
        """The cipher under the holder's key. Raises :class:`KeyErased` when there is none."""
        with self._guard:
            cipher = self._load(holder)
            if cipher is None:
                raise KeyErased("this holder has no key")
            self._remember(holder, cipher)
            return cipher

    def destroy(self, holder: str) -> None:
        """Remove the holder's key, durably and overwritten. Does not touch copies: see :meth:`rewrap`."""
        with self._guard:
            self._cache.pop(holder, None)
            self._connection.execute("DELETE FROM chest_key WHERE holder = ?", (holder,))

    def rewrap(self, wrapping_key: bytes) -> None:
        """Wrap every key under a new wrapping key, in one transaction.

        The caller has stored ``wrapping_key`` durably *beside* the old one before, and destroys the
        old one after: then no copy of this file made earlier can be opened any more.
        """
        wrapping = ChaCha20Poly1305(wrapping_key)
        with self._guard:
            rows = self._connection.execute("SELECT holder, wrapped FROM chest_key").fetchall()
            rewrapped = [
                (_wrap(wrapping, holder, self._unwrap(holder, wrapped), self._ambient), holder)
                for holder, wrapped in rows
            ]
            check = (_seal(wrapping, b"", _CHECK, self._ambient),)
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:
                self._connection.executemany("UPDATE chest_key SET wrapped = ? WHERE holder = ?", rewrapped)
                self._connection.execute("UPDATE chest_check SET wrapped = ?", check)
            self._wrapping = wrapping

    def close(self) -> None:
        """Close the file and forget every key."""
        self._cache.clear()
        self._connection.close()

    def _find_wrapping_key(self, keys: list[bytes]) -> ChaCha20Poly1305:
        row = self._connection.execute("SELECT wrapped FROM chest_check").fetchone()
        if row is None:
            wrapping = ChaCha20Poly1305(keys[0])
            self._connection.execute(
                "INSERT INTO chest_check VALUES (1, ?)", (_seal(wrapping, b"", _CHECK, self._ambient),)
            )
            return wrapping
        for key in keys:
            wrapping = ChaCha20Poly1305(key)
            if _open(wrapping, row[0], _CHECK) is not None:
                return wrapping
        raise WrongWrappingKey("no wrapping key opens the key chest")

    def _load(self, holder: str) -> ChaCha20Poly1305 | None:
        if holder in self._cache:
            return self._cache[holder]
        row = self._connection.execute("SELECT wrapped FROM chest_key WHERE holder = ?", (holder,)).fetchone()
        return None if row is None else ChaCha20Poly1305(self._unwrap(holder, row[0]))

    def _store(self, keys: dict[str, bytes]) -> None:
        rows = [(holder, _wrap(self._wrapping, holder, key, self._ambient)) for holder, key in keys.items()]
        self._connection.execute("BEGIN IMMEDIATE")
        with self._connection:  # commits, and with synchronous = FULL returns when it is on disk
            self._connection.executemany("INSERT INTO chest_key VALUES (?, ?)", rows)

    def _remember(self, holder: str, cipher: ChaCha20Poly1305) -> None:
        if len(self._cache) >= _CACHE:
            self._cache.clear()
        self._cache[holder] = cipher

    def _unwrap(self, holder: str, wrapped: bytes) -> bytes:
        key = _open(self._wrapping, wrapped, _KEY + holder.encode())
        if key is None:
            raise DamagedRow("a wrapped key does not open")
        return key


def seal(chest: KeyChest, index: LeafIndex, holder: str, content: JSONObject, ambient: Ambient) -> SideRow:
    """Seal ``content`` as the holder's row of the leaf at ``index``; :func:`insert` stores it.

    Member names are ASCII. A holder's first row makes their key durable in the chest first; with
    many new holders call :meth:`KeyChest.ciphers` before, which syncs once.
    """
    plain = encode_leaf(content)
    if len(plain) > MAX_ROW_BYTES:
        raise DamagedRow(f"a side row has {len(plain)} bytes, the limit is {MAX_ROW_BYTES}")
    nonce = ambient.random(NONCE_BYTES)
    box = chest.cipher(holder).encrypt(nonce, plain, _bound(index, holder))
    return SideRow(index, holder, nonce, box)


def insert(connection: sqlite3.Connection, rows: Sequence[SideRow]) -> None:
    """Store sealed rows; their leaves stand in the log. Does not commit."""
    insert_rows(connection, "INSERT INTO side_row (idx, holder, nonce, box)", rows)


def put(
    connection: sqlite3.Connection,
    chest: KeyChest,
    index: LeafIndex,
    holder: str,
    content: JSONObject,
    ambient: Ambient,
) -> None:
    """Seal ``content`` and store it at once. Does not commit."""
    insert(connection, [seal(chest, index, holder, content, ambient)])


def get(connection: sqlite3.Connection, chest: KeyChest, index: LeafIndex, holder: str) -> JSONObject:
    """Open the holder's row of the leaf at ``index``.

    Raises :class:`NoSuchRow`, :class:`KeyErased` or :class:`DamagedRow`.
    """
    row = connection.execute(
        "SELECT nonce, box FROM side_row WHERE idx = ? AND holder = ?", (index, holder)
    ).fetchone()
    if row is None:
        raise NoSuchRow(f"leaf {index} has no such side row")
    return _open_row(chest, index, holder, row[0], row[1])


def rows_of(
    connection: sqlite3.Connection, chest: KeyChest, holder: str, start: int = 0, stop: int | None = None
) -> Iterator[tuple[LeafIndex, JSONObject]]:
    """The holder's rows for leaves ``start`` up to ``stop``, opened, in log order."""
    cursor = connection.execute(
        _SHARED_ROWS if holder == SHARED else _PERSONS_ROWS,
        (holder, start, stop if stop is not None else 1 << 62),
    )
    for index, nonce, box in cursor:
        yield LeafIndex(index), _open_row(chest, LeafIndex(index), holder, nonce, box)


def erase(connection: sqlite3.Connection, holder: str) -> int:
    """Delete every row of the holder and return how many side rows there were. Does not commit.

    With them go what the holder cosigned of this log, and what this log's owner cosigned of theirs.

    The caller appends the ``erasure`` leaf in the same transaction, and after it calls
    :meth:`KeyChest.destroy` and :meth:`KeyChest.rewrap`. The database must run with
    ``PRAGMA secure_delete``.
    """
    connection.execute("DELETE FROM cosignature WHERE holder = ?", (holder,))
    connection.execute("DELETE FROM cosigned WHERE holder = ?", (holder,))
    return connection.execute("DELETE FROM side_row WHERE holder = ?", (holder,)).rowcount


def signed_to_json(document: SignedDocument) -> JSONObject:
    """A signed message as it stands whole in a side row: ``{"payload": text, "jws": …}``."""
    return {"payload": document.payload.decode(), "jws": document.jws}


def signed_from_json(content: JSON) -> SignedDocument:
    """Read what :func:`signed_to_json` wrote; the signature is not verified here."""
    if not isinstance(content, dict) or set(content) != {"payload", "jws"}:
        raise DamagedRow("a signed message in a side row is exactly {payload, jws}")
    payload, jws = content["payload"], content["jws"]
    if not isinstance(payload, str) or not isinstance(jws, str):
        raise DamagedRow("payload and jws are strings")
    return SignedDocument(payload.encode(), jws)


def _open_row(chest: KeyChest, index: LeafIndex, holder: str, nonce: bytes, box: bytes) -> JSONObject:
    try:
        plain = chest.existing(holder).decrypt(nonce, box, _bound(index, holder))
    except InvalidTag as error:
        raise DamagedRow(f"the side row of leaf {index} does not open") from error
    return decode_object(plain, max_bytes=MAX_ROW_BYTES)


def _bound(index: int, holder: str) -> bytes:
    return _ROW + struct.pack(">Q", index) + holder.encode()


def _wrap(wrapping: ChaCha20Poly1305, holder: str, key: bytes, ambient: Ambient) -> bytes:
    return _seal(wrapping, key, _KEY + holder.encode(), ambient)


def _seal(cipher: ChaCha20Poly1305, plain: bytes, bound: bytes, ambient: Ambient) -> bytes:
    nonce = ambient.random(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, bound)


def _open(cipher: ChaCha20Poly1305, sealed: bytes, bound: bytes) -> bytes | None:
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)
    except InvalidTag:
        return None
