"""The log's tables, as SQL that the owner of the database runs once.

Rules that hold here:

* Every statement is idempotent, so a migration and a bare test database can both run them.
* A leaf is never changed or removed: triggers refuse it, whoever holds the connection. Side rows
  are the erasable part and have no such trigger.
* ``leaf.chain`` is a local name for the chain (``ledger.leaf.chain_of``). It holds nothing
  personal: for an agreement with a citizen it is a random handle.
* Tables are STRICT (SQLite 3.37): a text can never take the place of the bytes that were hashed.
* Times are integer milliseconds UTC; hashes are 32 raw bytes.
"""

from __future__ import annotations

import sqlite3
from typing import Final

STATEMENTS: Final[tuple[str, ...]] = (
    # One row a leaf. `entry` is the leaf's canonical JSON, the bytes that are hashed and published.
    # There is no index on `hash`: its random order costs half the rate once the log has grown (5 k/s
    # against 12 k/s in batches of 100 at a million leaves), and a leaf is asked for by its place.
    """
    CREATE TABLE IF NOT EXISTS leaf (
        idx   INTEGER PRIMARY KEY CHECK (idx >= 0),
        hash  BLOB NOT NULL CHECK (length(hash) = 32),
        entry BLOB NOT NULL CHECK (length(entry) BETWEEN 2 AND 2048),
        chain TEXT NOT NULL,
        aseq  INTEGER NOT NULL CHECK (aseq >= 1),
        UNIQUE (chain, aseq)
    ) STRICT
    """,
    """
    CREATE TRIGGER IF NOT EXISTS leaf_is_never_changed BEFORE UPDATE ON leaf
    BEGIN SELECT RAISE(ABORT, 'a leaf is never changed'); END
    """,
    """
    CREATE TRIGGER IF NOT EXISTS leaf_is_never_removed BEFORE DELETE ON leaf
    BEGIN SELECT RAISE(ABORT, 'a leaf is never removed'); END
    """,
    # What opens a leaf's commitments, sealed under the holder's key (ledger.side).
    """
    CREATE TABLE IF NOT EXISTS side_row (
        idx    INTEGER NOT NULL REFERENCES leaf (idx),
        holder TEXT NOT NULL,
        nonce  BLOB NOT NULL CHECK (length(nonce) = 12),
        box    BLOB NOT NULL,
        PRIMARY KEY (idx, holder)
    ) STRICT
    """,
    # Shared rows are found by leaf; only people's rows are asked for by holder.
    "CREATE INDEX IF NOT EXISTS side_row_by_person ON side_row (holder, idx) WHERE holder <> 'shared'",
    # Every checkpoint this log ever signed; stored before anybody sees it.
    """
    CREATE TABLE IF NOT EXISTS checkpoint (
        size INTEGER PRIMARY KEY CHECK (size >= 0),
        root BLOB NOT NULL CHECK (length(root) = 32),
        note BLOB NOT NULL,
        time INTEGER NOT NULL
    ) STRICT
    """,
    # Others' cosignatures on our checkpoints, one signature line each. A person's is shown to them alone,
    # and goes with them: `holder` is whose it is, as in side_row.
    """
    CREATE TABLE IF NOT EXISTS cosignature (
        size   INTEGER NOT NULL REFERENCES checkpoint (size),
        name   TEXT NOT NULL,
        line   BLOB NOT NULL,
        time   INTEGER NOT NULL,
        holder TEXT NOT NULL,
        PRIMARY KEY (size, name)
    ) STRICT
    """,
    # The last checkpoint of each other log that we cosigned; updated before we answer.
    """
    CREATE TABLE IF NOT EXISTS cosigned (
        origin TEXT PRIMARY KEY,
        holder TEXT NOT NULL,
        size   INTEGER NOT NULL CHECK (size >= 0),
        root   BLOB NOT NULL CHECK (length(root) = 32),
        note   BLOB NOT NULL,
        time   INTEGER NOT NULL
    ) STRICT
    """,
)


def create(connection: sqlite3.Connection) -> None:
    """Run :data:`STATEMENTS`. Does not commit."""
    for statement in STATEMENTS:
        connection.execute(statement)
