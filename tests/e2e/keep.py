"""What all logs of all end-to-end runs hold, and what of a citizen must not stand in them.

Kept when a data space ends, because its folder goes away then; the last test of the run looks at it.
"""

from __future__ import annotations

import asyncio
import base64
import re
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connector.identity.public import PublicKey, thumbprint
from connector.node import Node
from connector.store.home import Home
from ledger.document import header_of

_JWS = re.compile(rb"[A-Za-z0-9_-]{20,400}\.\.[A-Za-z0-9_-]{86}")


@dataclass
class Kept:
    """What is known of all runs so far."""

    entries: list[tuple[str, bytes]] = field(default_factory=list)
    """Whose log, and the leaf's bytes."""
    citizens: dict[str, set[str]] = field(default_factory=dict)
    """What leads to a citizen by whatever log: handle, keys, signatures, name; by handle."""
    theirs: dict[str, set[str]] = field(default_factory=dict)
    """What leads to a citizen only in others' logs: ids of what they agreed and exchanged, by handle."""
    words: set[str] = field(default_factory=set)
    """What people said when they acted by hand."""


KEPT = Kept()


def entries(home: Home) -> list[bytes]:
    """Every leaf of a home's log, as committed now, whether or not a process runs on it."""
    connection = sqlite3.connect(f"file:{home.database}?mode=ro", uri=True, timeout=5)
    try:
        return [row[0] for row in connection.execute("SELECT entry FROM leaf ORDER BY idx")]
    finally:
        connection.close()


def keep(home: Home, name: str, did: str, words: set[str]) -> None:
    """Keep what a home's log holds; of a citizen's home also what must not be found."""
    KEPT.entries += [(did, entry) for entry in entries(home)]
    KEPT.words |= words
    if not did.startswith("guest:"):
        return
    node = Node(home)
    try:
        keys = [node.ring.key(job).public_key() for job in node.ring.jobs]
        mine: set[str] = {thumbprint(key) for key in keys}
        KEPT.citizens[did] = {
            did,
            did.removeprefix("guest:"),
            name,
            *mine,
            *(text for key in keys for text in _spellings(raw(key))),
            *_signatures(home.database, mine),
        }
        KEPT.theirs[did] = {str(node.origin), *_ids(home.database)}
    finally:
        asyncio.run(node.close())


def _ids(database: Path) -> set[str]:
    """Agreements, exchanges and negotiations, and the hashes of what was signed in them."""
    queries = (
        "SELECT id FROM agreement",
        "SELECT id FROM exchange",
        "SELECT id FROM negotiation UNION SELECT peer_id FROM negotiation",
        "SELECT json_extract(entry, '$.message') FROM leaf",
        "SELECT json_extract(entry, '$.counterpart.message') FROM leaf",
        "SELECT lower(hex(hash)) FROM leaf",
    )
    connection = sqlite3.connect(database)
    try:
        return {row[0] for query in queries for row in connection.execute(query) if row[0]}
    finally:
        connection.close()


def _signatures(database: Path, thumbprints: set[str]) -> set[str]:
    """Every signature of the citizen's in any table, found by what a compact JWS looks like."""
    found = set()
    connection = sqlite3.connect(database)
    try:
        for table in ("agreement", "negotiation", "exchange", "outbox_notice"):
            for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608  # named right here
                for value in row:
                    data = value.encode() if isinstance(value, str) else value
                    for match in _JWS.finditer(data) if isinstance(data, bytes) else ():
                        jws = match.group().decode()
                        if header_of(jws).kid in thumbprints:
                            found.add(jws.rpartition(".")[2])
    finally:
        connection.close()
    return found


def raw(key: PublicKey) -> bytes:
    """A key's own bytes; of a P-256 key its point, compressed."""
    if isinstance(key, Ed25519PublicKey):
        return key.public_bytes_raw()
    return key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def _spellings(data: bytes) -> tuple[str, ...]:
    standard = base64.b64encode(data).decode()
    return data.hex(), standard.rstrip("="), base64.urlsafe_b64encode(data).decode().rstrip("=")
