"""Guests' credentials in the store: every one that was ever given, oldest first.

Rules that hold here:

* A credential is added, never replaced. One whose time is over still answers for what was signed
  under it, after a restart and in an export (LEDGER.md section 2, "Keys in time").
* A TLS or signing key is one guest's alone, for as long as anything of that guest is kept.
* At a guest's own home the same rows hold what their controller gave them.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlmodel import Session, col, func, or_, select

from connector.identity.credential import GuestCredential, read_credential
from connector.identity.guestbook import GuestBook
from connector.identity.public import thumbprint
from connector.store.tables import GuestCredentialRow, GuestRow
from connector.store.writer import Transaction
from ledger.canonical import decode, encode
from ledger.document import SignedDocument, from_json
from ledger.errors import BylagError, ErrorKind
from ledger.names import ParticipantId

ACTIVE = "active"
ENDED = "ended"


class VouchedFor(BylagError):
    """A request with keys of a guest whom this participant vouches for, or did."""

    code = "VOUCHED_FOR"
    kind = ErrorKind.CONFLICT
    default_next_step = "Renew the guest's credential, or ask them for a request with fresh keys."


def keep(transaction: Transaction, signed: SignedDocument) -> GuestCredential:
    """Add a credential as its guest's newest; one that is held already changes nothing.

    Raises :class:`VouchedFor` when one of its keys is another guest's.
    """
    session, credential = transaction.session, read_credential(signed)
    document = encode(signed.to_json())
    tls, sign = thumbprint(credential.keys.tls), thumbprint(credential.keys.sign)
    theirs = or_(
        col(GuestCredentialRow.tls_thumbprint) == tls, col(GuestCredentialRow.sign_thumbprint) == sign
    )
    others = select(GuestCredentialRow).where(theirs, GuestCredentialRow.handle != credential.handle)
    if session.exec(others).first() is not None:
        raise VouchedFor("somebody with these keys is vouched for already", field="request")
    if session.get(GuestRow, credential.handle) is None:
        session.add(GuestRow(handle=credential.handle, status=ACTIVE))
        session.flush()
    held = session.exec(
        select(GuestCredentialRow)
        .where(GuestCredentialRow.handle == credential.handle)
        .order_by(col(GuestCredentialRow.number))
    ).all()
    if any(row.document == document for row in held):
        return credential
    session.add(
        GuestCredentialRow(
            handle=credential.handle,
            number=len(held) + 1,
            tls_thumbprint=tls,
            sign_thumbprint=sign,
            document=document,
            not_after=credential.expires,
        )
    )
    return credential


def credentials(session: Session, handle: ParticipantId | None = None) -> Iterator[SignedDocument]:
    """Every credential that was given, of one guest or of all, each guest's oldest first."""
    found = select(GuestCredentialRow).order_by(
        col(GuestCredentialRow.handle), col(GuestCredentialRow.number)
    )
    if handle is not None:
        found = found.where(GuestCredentialRow.handle == handle)
    for row in session.exec(found):
        yield from_json(decode(row.document))


def end(transaction: Transaction, handle: ParticipantId) -> bool:
    """Note that a guest is vouched for no longer; False if there is no such guest."""
    row = transaction.session.get(GuestRow, handle)
    if row is None:
        return False
    row.status = ENDED
    return True


def book(session: Session, controller: ParticipantId) -> GuestBook:
    """The guest book as it is stored."""
    found = GuestBook(controller, (read_credential(signed) for signed in credentials(session)))
    for row in session.exec(select(GuestRow).where(GuestRow.status == ENDED)):
        found.end(ParticipantId(row.handle))
    return found


def listed(session: Session) -> list[tuple[ParticipantId, str, int]]:
    """Every guest: handle, status, and when their newest credential expires."""
    newest = func.max(GuestCredentialRow.not_after)
    rows = session.exec(
        select(GuestRow.handle, GuestRow.status, newest)
        .join(GuestCredentialRow, col(GuestCredentialRow.handle) == col(GuestRow.handle))
        .group_by(col(GuestRow.handle))
        .order_by(col(GuestRow.handle))
    )
    return [(ParticipantId(handle), status, expires) for handle, status, expires in rows]
