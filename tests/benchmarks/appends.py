"""Row: durable records with side rows against a plain loop that makes the same.

Both make a ``release`` about an organisation: a canonical leaf in its chain, one commitment, and a
sealed side row that opens it; both store them in the same tables, under the same settings of
SQLite, and commit once a batch. The connector's goes from an event loop through the writer, a job a
record, and waits until all are durable. The plain loop keeps the chain's head in a variable, checks
nothing, and hands the driver a whole batch at once. Beside it stand bare inserts of ready-made bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import os
import sqlite3
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import partial
from pathlib import Path

import uvloop
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from connector.audit.recorder import Recorder
from connector.audit.scope import Counterpart, Scope
from connector.store.database import PRAGMAS, Database
from connector.store.writer import Transaction, Writer
from ledger import schema
from ledger.ambient import SystemAmbient
from ledger.canonical import JSONObject
from ledger.commitment import fresh_json
from ledger.names import AgreementId, DataSpaceId, ExchangeId, Origin, ParticipantId
from ledger.side import KeyChest
from tests.benchmarks.measure import Goal, Sample
from tests.benchmarks.report import Row
from tests.benchmarks.settings import Settings

GOALS = {100: 0.8}
ME, OTHER = ParticipantId("did:web:provider.example"), ParticipantId("did:web:consumer.example")
AGREEMENT, EXCHANGE = AgreementId("4f" * 16), ExchangeId("5e" * 16)
QUESTION: JSONObject = {"where": [{"column": "meter", "op": "eq", "value": 4711}], "limit": 10}
MEMBERS: JSONObject = {"window": 7, "query": 33, "rows": 10, "bytes": 312, "digest": "ab" * 32}
VERIFIER = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
TIMED = 0.4
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False).encode


def measure(settings: Settings) -> list[Row]:
    """Three rows and an A/A row for each batch size."""
    folder = settings.folder / "appends"
    folder.mkdir()
    ours = Connector(folder)
    plain, again, bare = (Loop(folder / f"{name}.db") for name in ("plain", "again", "bare"))
    for contestant in (ours.append, plain.append, again.append, bare.insert):
        _fill(contestant)
    rows: list[Row] = []
    for size in settings.batches:
        found = settings.contest().run(
            f"records, {size} a commit",
            {
                "ours": partial(_timed, ours.append, size, settings),
                "plain": partial(_timed, plain.append, size, settings),
                "again": partial(_timed, again.append, size, settings),
                "bare": partial(_timed, bare.insert, size, settings),
            },
        )
        what = f"durable records, {size} a commit"
        for mine, theirs, against, title in (
            ("ours", "plain", "plain loop", what),
            ("ours", "bare", "bare inserts", what),
            ("again", "plain", "the same", f"A/A: plain loop, {size} a commit"),
        ):
            goal = GOALS.get(size) if theirs == "plain" and mine == "ours" else None
            rows.append(
                Row(
                    "appends",
                    title,
                    "rate",
                    found.spread(mine, "rate"),
                    against,
                    found.spread(theirs, "rate"),
                    found.ratio(mine, theirs, "rate"),
                    Goal(goal) if goal else None,
                )
            )
    ours.close()
    return rows


class Connector:
    """The connector's own way: writer, recorder, key chest."""

    def __init__(self, folder: Path) -> None:
        self._ambient = SystemAmbient()
        self._database = Database(folder / "ours.db")
        self._chest = KeyChest(folder / "ours-keys.db", [b"w" * 32], self._ambient)
        self._writer = Writer(self._database)
        self._loop = uvloop.new_event_loop()
        self._recorder = Recorder(
            space=DataSpaceId("benchmark.space"), me=ME, chest=self._chest, ambient=self._ambient
        )
        self._scope = Scope(counterpart=Counterpart(OTHER), agreement=AGREEMENT).within(EXCHANGE, 1)
        self._writer.submit(self._begin).result()

    def append(self, count: int) -> None:
        """So many records, each a job of its own; returns when all are durable."""
        self._loop.run_until_complete(self._append(count))

    async def _append(self, count: int) -> None:
        await asyncio.gather(*[self._writer.begin(self._record) for _ in range(count)])

    def close(self) -> None:
        """Close the files."""
        self._loop.close()
        self._writer.close()
        self._database.close()
        self._chest.close()

    def _begin(self, transaction: Transaction) -> None:
        schema.create(transaction.sqlite)
        self._recorder.begin(transaction, Origin("provider.example/log/1"), VERIFIER)

    def _record(self, transaction: Transaction) -> None:
        opening = fresh_json("selection", QUESTION, self._ambient)
        self._recorder.record(
            transaction,
            "release",
            self._scope,
            side_row={"question": QUESTION, "openings": {"selection": opening.to_json()}},
            members={**MEMBERS, "commitments": {"selection": opening.commitment}},
        )


class Loop:
    """The plain loop, and bare inserts, each into a database of its own."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in PRAGMAS:
            self._connection.execute(pragma)
        schema.create(self._connection)
        self._cipher = ChaCha20Poly1305(os.urandom(32))
        self._last = bytes(32)
        self._numbers = itertools.count()

    def append(self, count: int) -> None:
        """So many records in one transaction."""
        self._insert([self._record() for _ in range(count)])

    def insert(self, count: int) -> None:
        """So many ready-made rows in one transaction."""
        ready = (os.urandom(32), bytes(640), bytes(12), bytes(330))
        self._insert([(next(self._numbers), *ready) for _ in range(count)])

    def _record(self) -> tuple[int, bytes, bytes, bytes, bytes]:
        number = next(self._numbers)
        question = _canonical(QUESTION).encode()
        r = os.urandom(32)
        commitment = hmac.digest(r, b"ledger/v1/selection\x00" + question, "sha256").hex()
        leaf = {
            **MEMBERS,
            "agreement": AGREEMENT,
            "aprev": self._last.hex(),
            "aseq": number + 1,
            "attempt": 1,
            "by": {"org": ME},
            "commitments": {"selection": commitment},
            "exchange": EXCHANGE,
            "salt": _base64(os.urandom(16)),
            "space": "benchmark.space",
            "time": time.time_ns() // 1_000_000,
            "type": "release",
            "version": 1,
            "with": {"org": OTHER},
        }
        entry = _canonical(leaf).encode()
        self._last = hashlib.sha256(b"\x00" + entry).digest()
        opening = {"r": _base64(r), "value": _base64(question)}
        row = {"question": QUESTION, "openings": {"selection": opening}}
        nonce = os.urandom(12)
        bound = b"bylag/side/v1" + number.to_bytes(8, "big") + b"shared"
        plain = _canonical(row).encode()
        return number, self._last, entry, nonce, self._cipher.encrypt(nonce, plain, bound)

    def _insert(self, records: list[tuple[int, bytes, bytes, bytes, bytes]]) -> None:
        chain = f"agreement {AGREEMENT}"
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            "INSERT INTO leaf (idx, hash, entry, chain, aseq) VALUES (?, ?, ?, ?, ?)",
            ((number, leaf_hash, entry, chain, number + 1) for number, leaf_hash, entry, _, _ in records),
        )
        self._connection.executemany(
            "INSERT INTO side_row (idx, holder, nonce, box) VALUES (?, ?, ?, ?)",
            ((number, "shared", nonce, box) for number, _, _, nonce, box in records),
        )
        self._connection.execute("COMMIT")


def _fill(append: Callable[[int], None]) -> None:
    """Enough for the write-ahead log to have come round: from then on it is written over, not grown."""
    for _ in range(40):
        append(100)


def _timed(append: Callable[[int], None], size: int, settings: Settings) -> Sample:
    count, begun, limit = 0, time.perf_counter(), TIMED * settings.seconds
    while (took := time.perf_counter() - begun) < limit:
        append(size)
        count += size
    return {"rate": count / took}


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
