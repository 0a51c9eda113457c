"""The membership chain as it is stored: a row for each list, and two contradicting ones as proof.

Rules that hold here: each list was verified when it was stored, and is not verified anew at each start;
a row that is not what it was is refused.
"""

from __future__ import annotations

from sqlmodel import Session, col, select

from connector.identity.equivocation import EquivocationProof
from connector.identity.membership import Link, MalformedList, read_signed_list, stored_link
from connector.identity.signed import MultiSigned
from connector.identity.trust import NoList
from connector.store.tables import ListConflictRow, ListRow
from ledger.canonical import encode
from ledger.names import Milliseconds


def chain(session: Session) -> list[Link]:
    """What is kept of every list, the first first. Raises ``MalformedList`` for a damaged one."""
    return [_link(row) for row in session.exec(select(ListRow).order_by(col(ListRow.number)))]


def one(session: Session, number: int) -> MultiSigned:
    """A stored list. Raises ``NoList``."""
    row = session.get(ListRow, number)
    if row is None:
        raise NoList(f"list {number} is not held")
    return read_signed_list(row.document)


def proof(session: Session) -> EquivocationProof | None:
    """Two lists of one number, if there ever were."""
    row = session.exec(select(ListConflictRow)).first()
    if row is None:
        return None
    return EquivocationProof(row.number, read_signed_list(row.first), read_signed_list(row.second))


def row_of(signed: MultiSigned, link: Link, now: Milliseconds) -> ListRow:
    """A list as it is stored."""
    return ListRow(number=link.number, digest=link.digest, document=encode(signed.content()), accepted=now)


def row_of_proof(found: EquivocationProof, now: Milliseconds) -> ListConflictRow:
    """Two lists of one number as they are stored."""
    return ListConflictRow(
        number=found.number,
        first=encode(found.held.content()),
        second=encode(found.offered.content()),
        noticed=now,
    )


def _link(row: ListRow) -> Link:
    link = stored_link(read_signed_list(row.document))
    if (link.number, link.digest) != (row.number, row.digest):
        raise MalformedList("a stored list is damaged")
    return link
