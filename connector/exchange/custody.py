"""What the consumer's signatures change at the provider: the Accept, each Ack, and a Reject.

Rules that hold here:

* Custody passes with a signature that names a digest this side computed itself: an Ack is compared
  with the frames that were committed to, never believed.
* An Ack reaches a frame of one window; everything before it is acknowledged with it, once: it goes on
  from the last one, and never back.
* What each window costs is written by SQL, not through a session: signing for one costs a few
  statements, and a session's bookkeeping several times as much.
* A signature that comes late (with a Resume, or through the outbox) counts like one in time; one
  that came before changes nothing. A later attempt began with a Resume, by which the consumer
  declared whatever it had not acknowledged discarded: an Ack of it would contradict that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

from connector.exchange import budget, labels, metered
from connector.exchange.conversation import Conversation
from connector.exchange.messages import Accept, Ack, Cut, Envelope, Reject
from connector.exchange.windows import Window
from connector.store.tables import ExchangeRow, WindowRow
from connector.store.writer import Transaction
from ledger.canonical import JSON, decode, encode
from ledger.document import SignedDocument
from ledger.errors import BylagError, ErrorKind
from ledger.names import AgreementId, ExchangeId, Milliseconds


class WrongAck(BylagError):
    """An Ack names a frame or digest that this side never committed to."""

    code = "WRONG_ACK"
    kind = ErrorKind.CONFLICT
    default_next_step = (
        "Both sides keep their records; compare the two logs from the last Ack that both hold."
    )


@dataclass(frozen=True, slots=True)
class FramePlace:
    """One frame of a committed window."""

    digest: str
    rows: int
    size: int
    position: int


@dataclass(frozen=True, slots=True)
class Reached:
    """How far the consumer's signatures reach in an exchange; the columns of its row."""

    attempt: int
    agreement: AgreementId
    window: int
    position: int
    frames: int
    rows: int
    size: int
    digest: str

    @classmethod
    def of(cls, row: ExchangeRow) -> Reached:
        """As a row says it."""
        return cls(**{name: getattr(row, name) for name in _REACHED})

    def past(self, ack: Ack, passed: Sequence[FramePlace]) -> Reached:
        """As it stands when ``ack`` has added the frames ``passed``."""
        return replace(
            self,
            window=ack.window,
            position=passed[-1].position if passed else self.position,
            frames=self.frames + len(passed),
            rows=self.rows + sum(frame.rows for frame in passed),
            size=self.size + sum(frame.size for frame in passed),
            digest=ack.digest,
        )


_REACHED: Final = tuple(each.name for each in fields(Reached))


def reached(transaction: Transaction, exchange: ExchangeId) -> Reached:
    """As the transaction sees it."""
    query = f"SELECT {', '.join(_REACHED)} FROM exchange WHERE id = ?"  # noqa: S608 - names of columns
    return Reached(*transaction.sqlite.execute(query, (exchange,)).fetchone())


def open_window(
    transaction: Transaction,
    place: tuple[str, int, int],
    agreement: AgreementId,
    *,
    message: str,
    position: int,
    layout: bytes,
    now: Milliseconds,
) -> None:
    """A window at ``place`` (exchange, attempt, number) counts in the budget from here on."""
    transaction.sqlite.execute(
        "INSERT INTO exchange_window"
        " (exchange, attempt, number, agreement, state, message, position, layout, committed)"
        " VALUES (?, ?, ?, ?, 'open', ?, ?, ?, ?)",
        (*place, agreement, message, position, layout, now),
    )


def remember_said(transaction: Transaction, conversation: Conversation) -> None:
    """Keep what a resume continues from: this side's last message, and the last one it has."""
    transaction.sqlite.execute(
        "UPDATE exchange SET sent = ?, seen = ? WHERE id = ?",
        (conversation.sent, conversation.seen, conversation.exchange),
    )


def layout_of(window: Window) -> bytes:
    """How a window's frames are stored with it."""
    frames: list[JSON] = [
        [digest.hex(), rows, len(data), position]
        for digest, rows, data, position in zip(
            window.digests, window.frame_rows, window.frames, window.frame_positions, strict=True
        )
    ]
    return encode(frames)


def frames_of(layout: bytes) -> list[FramePlace]:
    """A stored window's frames, in order."""
    frames = decode(layout)
    if not isinstance(frames, list):
        raise WrongAck("the stored window is damaged")
    return [FramePlace(*frame) for frame in frames]  # type: ignore[misc]  # written by layout_of


def take_accept(
    transaction: Transaction, conversation: Conversation, row: ExchangeRow, document: SignedDocument
) -> None:
    """Record an Accept. In attempt 1 its hash is D_0, and what each exchange brings is owed from then on."""
    conversation.record_heard(transaction, "accept", document)
    if not row.accept:
        conversation.ground.duties.begun(
            transaction, AgreementId(row.agreement), ExchangeId(row.id), row.purpose, _time_of(document)
        )
        row.accept = encode(document.to_json())
        row.digest = document.digest
    row.seen = document.digest


def _time_of(document: SignedDocument) -> Milliseconds:
    """When a message that was verified was signed."""
    return Milliseconds(int(str(document.content()["time"])))


def take_ack(
    transaction: Transaction, conversation: Conversation, document: SignedDocument, ack: Ack
) -> Reached:
    """Record an Ack, move the exchange on, and free its windows; the same one again changes nothing.

    Returns how far the exchange is acknowledged now. Raises :class:`WrongAck`.
    """
    exchange = conversation.exchange
    place = (exchange, conversation.attempt)
    before = reached(transaction, exchange)
    if metered.was_taken(transaction, place, ack, document):
        conversation.seen = document.digest
        return before
    if conversation.attempt != before.attempt:
        raise WrongAck("a later attempt began without these frames", field="attempt")
    passed = _passed(transaction, exchange, before, ack)
    if not passed and ack.window <= before.window:
        raise WrongAck("this was acknowledged before", field="window")
    if (passed[-1].digest if passed else before.digest) != ack.digest:
        raise WrongAck("this frame has another digest", field="digest")
    after = before.past(ack, passed)
    conversation.record_heard(
        transaction,
        "ack",
        document,
        {
            "window": ack.window,
            "frame": ack.frame,
            "digest": ack.digest,
            "rows": after.rows - before.rows,
            "bytes": after.size - before.size,
        },
    )
    labels.acknowledge(transaction, *place, before.window + 1, ack.window)
    now = conversation.ground.ambient.now()
    transaction.sqlite.execute(
        "UPDATE exchange SET window = ?, position = ?, frames = ?, rows = ?, size = ?, digest = ?,"
        " last_ack = ?, seen = ?, changed = ? WHERE id = ?",
        (
            *(after.window, after.position, after.frames, after.rows, after.size, after.digest),
            *(encode(document.to_json()), document.digest, now, exchange),
        ),
    )
    metered.taken(transaction, place, ack, document, now)
    budget.settle(transaction, after.agreement, exchange, after.position)
    return after


def shorten(transaction: Transaction, place: tuple[str, int], cut: Cut) -> None:
    """A Cut ends a window early: no Ack reaches frames that did not leave."""
    window = transaction.session.get_one(WindowRow, (*place, cut.window))
    left: list[JSON] = [
        [frame.digest, frame.rows, frame.size, frame.position]
        for frame in frames_of(window.layout)[: cut.frame]
    ]
    window.layout, window.position = encode(left), cut.position


def take_reject(
    transaction: Transaction,
    conversation: Conversation,
    row: ExchangeRow,
    document: SignedDocument,
    reject: Reject,
    attempt: int,
) -> None:
    """Record a Reject, once: it comes on the stream and by the outbox. The window stays in the budget.

    Raises :class:`WrongAck` for a window that was never committed to.
    """
    window = transaction.session.get(WindowRow, (row.id, attempt, reject.window))
    if window is None:
        raise WrongAck("no such window was committed to", field="window")
    if window.state not in ("open", "disputed"):
        return
    conversation.record_heard(
        transaction,
        "reject",
        document,
        {"window": reject.window, "frame": reject.frame, "code": reject.code},
    )
    window.state = "rejected"


def _passed(transaction: Transaction, exchange: ExchangeId, before: Reached, ack: Ack) -> list[FramePlace]:
    """The frames that an Ack adds: after the last one acknowledged, up to the one it reaches."""
    first = max(before.window, 1)
    found = transaction.sqlite.execute(
        "SELECT number, layout FROM exchange_window"
        " WHERE exchange = ? AND attempt = ? AND number BETWEEN ? AND ? AND message <> ''",
        (exchange, before.attempt, first, ack.window),
    )
    stored: dict[int, bytes] = dict(found.fetchall())
    frames: list[FramePlace] = []
    for number in range(first, ack.window + 1):
        if number == before.window and number not in stored:
            continue  # it was acknowledged in an earlier attempt
        if number not in stored:
            raise WrongAck("no such window was committed to", field="window")
        places = frames_of(stored[number])
        if number == ack.window and ack.frame > len(places):
            raise WrongAck("the window has fewer frames", field="frame")
        frames.extend(places if number < ack.window else places[: ack.frame])
    last = next((place for place, frame in enumerate(frames) if frame.digest == before.digest), -1)
    return frames[last + 1 :]


def take_late(
    transaction: Transaction,
    conversation: Conversation,
    row: ExchangeRow,
    document: SignedDocument,
    envelope: Envelope,
    message: Accept | Ack | Reject,
) -> None:
    """A signature that arrives after its stream is gone: recorded under the attempt that it was made in."""
    conversation = conversation.in_attempt(envelope.attempt)
    if isinstance(message, Reject):
        take_reject(transaction, conversation, row, document, message, envelope.attempt)
        return
    if isinstance(message, Accept):
        if not row.accept and envelope.attempt == 1:
            take_accept(transaction, conversation, row, document)
    elif message.window >= row.window and (message.window, message.digest) != (row.window, row.digest):
        transaction.session.flush()
        take_ack(transaction, conversation, document, message)
        transaction.session.refresh(row)


def detached(transaction: Transaction, row: ExchangeRow) -> ExchangeRow:
    """The row's values as this transaction leaves them, safe to read on another thread."""
    transaction.session.flush()
    return ExchangeRow.model_validate(row.model_dump())
