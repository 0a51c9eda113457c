"""Calibration: what this machine does, so that a ratio elsewhere can be understood."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.benchmarks.measure import Spread, tell
from tests.benchmarks.report import Row
from tests.benchmarks.settings import Settings

_SLICE = 0.1


def measure(settings: Settings) -> list[Row]:
    """One row a primitive."""
    key = Ed25519PrivateKey.generate()
    public, message = key.public_key(), os.urandom(600)
    signature, block = key.sign(message), os.urandom(1 << 20)
    figures: dict[str, tuple[str, Callable[[], float]]] = {
        "SHA-256, blocks of 1 MiB": ("MB/s", lambda: _a_second(lambda: hashlib.sha256(block)) * 1.048576),
        "Ed25519 sign": ("rate", lambda: _a_second(lambda: key.sign(message))),
        "Ed25519 verify": ("rate", lambda: _a_second(lambda: public.verify(signature, message))),
        "fdatasync after 8 KiB": ("rate", lambda: syncs_a_second(settings.folder)),
        "sqlite commit of one row": ("rate", lambda: commits_a_second(settings.folder)),
    }
    tell("machine")
    return [
        Row("machine", what, unit, Spread.of([figure() for _ in range(settings.rounds)]))
        for what, (unit, figure) in figures.items()
    ]


def syncs_a_second(folder: Path) -> float:
    """Appends of 8 KiB, each synced."""
    path, block = folder / "calibration", bytes(8192)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def once() -> None:
        os.write(descriptor, block)
        os.fdatasync(descriptor)

    try:
        return _a_second(once)
    finally:
        os.close(descriptor)
        path.unlink()


def commits_a_second(folder: Path) -> float:
    """One-row transactions, write-ahead log and full sync, as the store has them."""
    path = folder / "calibration.db"
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "CREATE TABLE IF NOT EXISTS said (message BLOB)",
    ):
        connection.execute(statement)
    try:
        return _a_second(lambda: connection.execute("INSERT INTO said VALUES (?)", (bytes(600),)))
    finally:
        connection.close()
        path.unlink()


def _a_second(once: Callable[[], object]) -> float:
    count, begun = 0, time.perf_counter()
    while (took := time.perf_counter() - begun) < _SLICE:
        once()
        count += 1
    return count / took
