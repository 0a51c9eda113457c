"""The durable outbox: numbered notices for each peer, kept until the peer's signed cursor passed them.

Rules that hold here (LEDGER.md section 3, "Outbox"): a notice is put in the transaction that makes
it true; numbers have no gaps; a notice is never dropped while unacknowledged; what a peer sent is
taken once, in order, and the number taken is stored with what it changed. One that no message on the
wire could hold is never put: it would hold up whatever came after it, for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlmodel import Session, col, select

from connector.store.tables import NoticeRow, PeerRow
from connector.store.writer import Transaction
from ledger.canonical import MAX_DEPTH, JSONObject, decode_object, encode
from ledger.document import SignedDocument, from_json
from ledger.errors import BylagError, ErrorKind
from ledger.names import Milliseconds, ParticipantId

MAX_NOTICE_BYTES: Final = 3 << 19
"""Of a notice as it is stored; a message on the wire may have 2 MiB."""
OUTBOX: Final = "outbox"
"""How a commit that put a notice is marked (``connector.store.writer``)."""


class NoticeGap(BylagError):
    """A peer's notice does not follow the last one that was taken."""

    code = "NOTICE_GAP"
    kind = ErrorKind.CONFLICT
    default_next_step = "Send again from the number after the cursor."


class NoticeTooLarge(BylagError):
    """A notice that could not be sent in one message."""

    code = "NOTICE_TOO_LARGE"
    kind = ErrorKind.EXHAUSTED
    default_next_step = "Say it in fewer words, or give what is large another way."


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice on its way."""

    number: int
    document: SignedDocument
    opening: JSONObject


def put(
    transaction: Transaction,
    peer: ParticipantId,
    document: SignedDocument,
    opening: JSONObject,
    now: Milliseconds,
) -> int:
    """Put a notice for ``peer`` and return its number. Raises :class:`NoticeTooLarge`."""
    stored = encode({"document": document.to_json(), "opening": opening})
    if len(stored) > MAX_NOTICE_BYTES:
        raise NoticeTooLarge(f"the notice has {len(stored)} bytes, the limit is {MAX_NOTICE_BYTES}")
    row = known_peer(transaction, peer)
    row.numbered += 1
    transaction.session.add(NoticeRow(peer=peer, number=row.numbered, document=stored, made=now))
    transaction.session.flush()
    transaction.marks.add(OUTBOX)
    return row.numbered


def waiting(session: Session, peer: ParticipantId, after: int, limit: int) -> list[Notice]:
    """Notices for ``peer`` beyond ``after``, in order."""
    rows = session.exec(
        select(NoticeRow)
        .where(NoticeRow.peer == peer, col(NoticeRow.number) > after)
        .order_by(col(NoticeRow.number))
        .limit(limit)
    )
    return [_read(row) for row in rows]


def peers_waiting(session: Session) -> list[ParticipantId]:
    """Peers for whom a notice waits."""
    return [ParticipantId(peer) for peer in session.exec(select(NoticeRow.peer).distinct())]


def delivered(transaction: Transaction, peer: ParticipantId, number: int) -> None:
    """The peer's cursor stands at ``number``: forget what it has. A number never made is refused."""
    row = known_peer(transaction, peer)
    if number > row.numbered:
        raise NoticeGap("the cursor names a notice that was never made", field="number")
    if number <= row.delivered:
        return
    row.delivered = number
    for notice in transaction.session.exec(
        select(NoticeRow).where(NoticeRow.peer == peer, col(NoticeRow.number) <= number)
    ):
        transaction.session.delete(notice)


def take(transaction: Transaction, peer: ParticipantId, number: int) -> bool:
    """Note that a peer's notice is taken. False for one that was taken before; raises for a gap."""
    row = known_peer(transaction, peer)
    if number <= row.received:
        return False
    if number != row.received + 1:
        raise NoticeGap(f"notice {row.received + 1} is next", field="number")
    row.received = number
    return True


def positions(session: Session, peer: ParticipantId) -> tuple[int, int]:
    """How far this side has the peer's notices, and the peer this side's."""
    row = session.get(PeerRow, peer)
    return (row.received, row.delivered) if row is not None else (0, 0)


def backlog(transaction: Transaction, peer: ParticipantId) -> int:
    """How many notices the peer has not acknowledged."""
    row = known_peer(transaction, peer)
    return row.numbered - row.delivered


def known_peer(transaction: Transaction, peer: ParticipantId) -> PeerRow:
    """What is known of a peer, begun when it is first met."""
    row = transaction.session.get(PeerRow, peer)
    if row is None:
        row = PeerRow(id=peer)
        transaction.session.add(row)
    return row


def _read(row: NoticeRow) -> Notice:
    stored = decode_object(row.document, max_bytes=MAX_NOTICE_BYTES, max_depth=2 * MAX_DEPTH)
    opening = stored["opening"]
    return Notice(row.number, from_json(stored["document"]), opening if isinstance(opening, dict) else {})
