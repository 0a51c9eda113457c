"""What each window counts for, kept beside the records from which it follows.

Rules that hold here:

* A window counts what its Commit says, or, where a Cut ended it early, what the Cut says: both are
  signed, so both sides count the same. It counts once an Ack reaches its last frame; an Ack inside
  a window that no Cut ended says too little to count by.
* A query session's window counts a request for each question that it answers; in a transfer or a
  subscription the exchange's first window counts one.
* The first Ack that reaches a window's end is the one it stands on. The provider takes a consumer's
  Acks in the order they were signed, so both sides mean the same one.
* The consumer counts an Ack as held by both when the provider has shown that it is durable there: by
  ``seen`` in a later message, by the Offer that answers a Resume, by End, Receipt, or its outbox's
  cursor. Until then the Ack is kept, and goes once more: beside a Resume, and through the outbox.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from typing import Final

from connector.exchange.messages import Ack, Commit, Cut
from connector.store import outbox
from connector.store.writer import Transaction
from ledger.canonical import decode_object, encode
from ledger.document import SignedDocument, from_json
from ledger.names import AgreementId, ExchangeId, MessageHash, Milliseconds, ParticipantId

PATIENCE_MS: Final = 30_000
"""How long an Ack may go without being shown to be held before it goes through the outbox."""
MOST_RESENT: Final = 500
"""Acks that one sweep puts into outboxes."""


class Shown:
    """How far the provider has shown that it holds the Acks of one attempt."""

    def __init__(self) -> None:
        self._signed: deque[tuple[MessageHash, int]] = deque()
        self._shown = 0
        self._stored = 0

    def signed(self, ack: MessageHash, window: int) -> None:
        """An Ack of ``window`` was signed."""
        self._signed.append((ack, window))

    def seen(self, message: MessageHash | None) -> None:
        """The provider says that ``message`` is the last one that it has; messages come in order."""
        reached = next((window for ack, window in list(self._signed) if ack == message), 0)
        while self._signed and self._signed[0][1] <= reached:
            self._shown = self._signed.popleft()[1]

    def store(self, transaction: Transaction, exchange: ExchangeId, attempt: int) -> None:
        """Keep what was shown."""
        shown = self._shown
        if shown > self._stored:
            transaction.sqlite.execute(
                "UPDATE metered_window SET held = 1, document = x'' WHERE exchange = ? AND attempt = ?"
                " AND number > ? AND number <= ? AND ack IS NOT NULL",
                (exchange, attempt, self._stored, shown),
            )
            self._stored = shown


def requests_of(commit: Commit, mode: str) -> int:
    """How many requests a window answers."""
    return len(commit.digests) if mode == "query" else int(commit.window == 1)


def committed(
    transaction: Transaction,
    *,
    place: tuple[ExchangeId, int],
    agreement: AgreementId,
    peer: ParticipantId,
    commit: Commit,
    message: MessageHash,
    time: Milliseconds,
    mode: str,
) -> None:
    """Provider: a window was committed to; ``place`` is exchange and attempt."""
    transaction.sqlite.execute(
        "INSERT INTO metered_window (exchange, attempt, number, agreement, peer, time, message, frames, rows,"
        " size, requests, reached, signed, held, refused, document)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, x'')",
        (
            *(*place, commit.window, agreement, peer, time, message),
            *(len(commit.digests), commit.rows, commit.bytes, requests_of(commit, mode)),
        ),
    )


def cut_short(
    transaction: Transaction, place: tuple[ExchangeId, int], cut: Cut, message: MessageHash
) -> None:
    """Provider: a window ended at an earlier frame. One of which nothing left counts for nothing."""
    where = (*place, cut.window)
    if cut.frame == 0:
        transaction.sqlite.execute(
            "DELETE FROM metered_window WHERE exchange = ? AND attempt = ? AND number = ?", where
        )
        return
    transaction.sqlite.execute(
        "UPDATE metered_window SET cut = ?, frames = ?, rows = ?, size = ?"
        " WHERE exchange = ? AND attempt = ? AND number = ?",
        (message, cut.frame, cut.rows, cut.bytes, *where),
    )


def taken(
    transaction: Transaction,
    place: tuple[str, int],
    ack: Ack,
    document: SignedDocument,
    now: Milliseconds,
) -> None:
    """Provider: an Ack reached its frame, and the end of every window of the attempt before it."""
    execute = transaction.sqlite.execute
    execute(
        "UPDATE metered_window SET reached = frames, ack = ?, signed = ?, held = 1"
        " WHERE exchange = ? AND attempt = ? AND number < ? AND ack IS NULL",
        (document.digest, now, *place, ack.window),
    )
    execute(
        "UPDATE metered_window SET reached = ?"
        " WHERE exchange = ? AND attempt = ? AND number = ? AND ack IS NULL",
        (ack.frame, *place, ack.window),
    )
    execute(
        "UPDATE metered_window SET ack = ?, signed = ?, held = 1"
        " WHERE exchange = ? AND attempt = ? AND number = ? AND ack IS NULL AND reached >= frames",
        (document.digest, now, *place, ack.window),
    )


def was_taken(transaction: Transaction, place: tuple[str, int], ack: Ack, document: SignedDocument) -> bool:
    """Provider: whether this very Ack came before, by another way."""
    row = transaction.sqlite.execute(
        "SELECT ack FROM metered_window WHERE exchange = ? AND attempt = ? AND number = ?",
        (*place, ack.window),
    ).fetchone()
    return row is not None and row[0] == document.digest


def signed(
    transaction: Transaction,
    *,
    place: tuple[ExchangeId, int],
    agreement: AgreementId,
    peer: ParticipantId,
    commit: Commit,
    message: MessageHash,
    time: Milliseconds,
    mode: str,
    ack: SignedDocument,
    now: Milliseconds,
    cut: tuple[Cut, MessageHash] | None = None,
) -> None:
    """Consumer: a window was acknowledged, whole or up to where ``cut`` ended it."""
    frames, rows, size = len(commit.digests), commit.rows, commit.bytes
    if cut is not None:
        frames, rows, size = cut[0].frame, cut[0].rows, cut[0].bytes
    transaction.sqlite.execute(
        "INSERT INTO metered_window (exchange, attempt, number, agreement, peer, time, message, cut, frames,"
        " rows, size, requests, reached, ack, signed, held, refused, document)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?)",
        (
            *(*place, commit.window, agreement, peer, time, message, cut[1] if cut else None, frames),
            *(rows, size, requests_of(commit, mode), frames, ack.digest, now, encode(ack.to_json())),
        ),
    )


def all_held(transaction: Transaction, exchange: ExchangeId) -> None:
    """Consumer: the provider has shown that it holds every Ack of the exchange so far."""
    transaction.sqlite.execute(
        "UPDATE metered_window SET held = 1, document = x''"
        " WHERE exchange = ? AND ack IS NOT NULL AND held = 0 AND refused = 0",
        (exchange,),
    )


def not_shown(connection: sqlite3.Connection, exchange: ExchangeId) -> list[SignedDocument]:
    """Consumer: the Acks of an exchange that the provider may lack, in the order they were signed."""
    found = connection.execute(
        "SELECT document FROM metered_window"
        " WHERE exchange = ? AND ack IS NOT NULL AND held = 0 AND refused = 0 ORDER BY attempt, number",
        (exchange,),
    )
    return [from_json(decode_object(document)) for (document,) in found]


def resend(
    transaction: Transaction,
    now: Milliseconds,
    *,
    exchange: ExchangeId | None = None,
    agreement: AgreementId | None = None,
    patience: int = 0,
) -> int:
    """Consumer: put Acks that nobody has shown to hold into the outbox, each once; how many there were."""
    known = "SELECT exchange, attempt, number, peer, document FROM metered_window WHERE held = 0"
    found = transaction.sqlite.execute(
        known + " AND ack IS NOT NULL AND notice IS NULL AND signed <= ?"
        " AND (? IS NULL OR exchange = ?) AND (? IS NULL OR agreement = ?)"
        " ORDER BY exchange, attempt, number LIMIT ?",
        (now - patience, exchange, exchange, agreement, agreement, MOST_RESENT),
    ).fetchall()
    for *place, peer, document in found:
        number = outbox.put(transaction, ParticipantId(peer), from_json(decode_object(document)), {}, now)
        transaction.sqlite.execute(
            "UPDATE metered_window SET notice = ? WHERE exchange = ? AND attempt = ? AND number = ?",
            (number, *place),
        )
    return len(found)


def delivered(transaction: Transaction, peer: ParticipantId, number: int) -> None:
    """Consumer: the provider's signed cursor says that it has every notice up to ``number``."""
    transaction.sqlite.execute(
        "UPDATE metered_window SET held = 1, document = x''"
        " WHERE held = 0 AND refused = 0 AND ack IS NOT NULL AND peer = ? AND notice <= ?",
        (peer, number),
    )


def refused(transaction: Transaction, peer: ParticipantId, message: str) -> None:
    """Consumer: the provider refused a notice; if that was an Ack, it does not hold it."""
    transaction.sqlite.execute(
        "UPDATE metered_window SET refused = 1, held = 0 WHERE peer = ? AND ack = ? AND notice IS NOT NULL",
        (peer, message),
    )
