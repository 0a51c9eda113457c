"""What the consumer's signatures change at the provider: the Accept, each Ack, and a Reject.

Rules that hold here:

* Custody passes with a signature that names a digest this side computed itself: an Ack is compared
  with the frames that were committed to, never believed.
* An Ack reaches a frame of one window; everything before it is acknowledged with it, once: it goes on
  from the last one, and never back.
* A signature that comes late (with a Resume, or through the outbox) counts like one in time; one
  that came before changes nothing. A later attempt began with a Resume, by which the consumer
  declared whatever it had not acknowledged discarded: an Ack of it would contradict that.
"""

from __future__ import annotations

from dataclasses import dataclass

from connector.exchange import budget, labels, metered
from connector.exchange.conversation import Conversation
from connector.exchange.messages import Accept, Ack, Cut, Envelope, Reject
from connector.exchange.windows import Window
from connector.store.tables import ExchangeRow, WindowRow
from connector.store.writer import Transaction
from ledger.canonical import JSON, decode, encode
from ledger.document import SignedDocument
from ledger.errors import BylagError, ErrorKind
from ledger.names import AgreementId, ExchangeId


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
    """Record an Accept. In attempt 1 its hash is D_0."""
    conversation.record_heard(transaction, "accept", document)
    if not row.accept:
        row.accept = encode(document.to_json())
        row.digest = document.digest
    row.seen = document.digest


def take_ack(
    transaction: Transaction,
    conversation: Conversation,
    row: ExchangeRow,
    document: SignedDocument,
    ack: Ack,
    attempt: int,
) -> None:
    """Record an Ack, move the exchange on, and free its windows; the same one again changes nothing.

    Raises :class:`WrongAck`.
    """
    place = (row.id, attempt)
    if metered.was_taken(transaction, place, ack, document):
        conversation.seen = document.digest
        return
    if attempt != row.attempt:
        raise WrongAck("a later attempt began without these frames", field="attempt")
    passed = _passed(transaction, row, ack)
    if not passed and ack.window <= row.window:
        raise WrongAck("this was acknowledged before", field="window")
    reached = passed[-1] if passed else FramePlace(row.digest, 0, 0, row.position)
    if reached.digest != ack.digest:
        raise WrongAck("this frame has another digest", field="digest")
    conversation.record_heard(
        transaction,
        "ack",
        document,
        {
            "window": ack.window,
            "frame": ack.frame,
            "digest": ack.digest,
            "rows": sum(frame.rows for frame in passed),
            "bytes": sum(frame.size for frame in passed),
        },
    )
    labels.acknowledge(transaction, row.id, attempt, row.window + 1, ack.window)
    row.window = ack.window
    row.position = reached.position
    row.digest = ack.digest
    row.frames += len(passed)
    row.rows += sum(frame.rows for frame in passed)
    row.size += sum(frame.size for frame in passed)
    row.last_ack = encode(document.to_json())
    row.seen = document.digest
    row.changed = conversation.ground.ambient.now()
    metered.taken(transaction, place, ack, document, conversation.ground.ambient.now())
    transaction.session.flush()
    budget.settle(transaction, AgreementId(row.agreement), ExchangeId(row.id), row.position)


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


def _passed(transaction: Transaction, row: ExchangeRow, ack: Ack) -> list[FramePlace]:
    """The frames that an Ack adds: after the last one acknowledged, up to the one it reaches."""
    first = max(row.window, 1)
    found = transaction.sqlite.execute(
        "SELECT number, layout FROM exchange_window"
        " WHERE exchange = ? AND attempt = ? AND number BETWEEN ? AND ? AND message <> ''",
        (row.id, row.attempt, first, ack.window),
    )
    stored: dict[int, bytes] = dict(found.fetchall())
    frames: list[FramePlace] = []
    for number in range(first, ack.window + 1):
        if number == row.window and number not in stored:
            continue  # it was acknowledged in an earlier attempt
        if number not in stored:
            raise WrongAck("no such window was committed to", field="window")
        places = frames_of(stored[number])
        if number == ack.window and ack.frame > len(places):
            raise WrongAck("the window has fewer frames", field="frame")
        frames.extend(places if number < ack.window else places[: ack.frame])
    last = next((place for place, frame in enumerate(frames) if frame.digest == row.digest), -1)
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
        take_ack(transaction, conversation, row, document, message, envelope.attempt)


def detached(transaction: Transaction, row: ExchangeRow) -> ExchangeRow:
    """The row's values as this transaction leaves them, safe to read on another thread."""
    transaction.session.flush()
    return ExchangeRow.model_validate(row.model_dump())
