"""Guests: citizens and sole traders whom this participant vouches for."""

from __future__ import annotations

from sqlmodel import col, select

from connector.control.operation import Asked, operation
from connector.identity.certificate import read_leaf
from connector.identity.credential import read_credential
from connector.identity.enrolment import Admission
from connector.identity.guest import GuestAnswer, answer, read_guest_request, renew, vouch
from connector.identity.peer import Assurance, Limit
from connector.identity.public import thumbprint
from connector.node import Node
from connector.store.tables import GuestRow
from connector.store.writer import Transaction
from ledger.canonical import JSON, encode
from ledger.document import SignedDocument, from_base64url, to_base64url
from ledger.errors import BylagError, ErrorKind
from ledger.names import ParticipantId, UnitId


class NoSuchGuest(BylagError):
    """This participant vouches for nobody of that handle."""

    code = "NO_SUCH_GUEST"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "List them with `bylag guest list`."


class VouchedFor(BylagError):
    """A request with keys of a guest whom this participant vouches for, or did."""

    code = "VOUCHED_FOR"
    kind = ErrorKind.CONFLICT
    default_next_step = "Renew the guest's credential, or ask them for a request with fresh keys."


@operation("vouch")
async def vouch_for(asked: Asked) -> JSON:
    """Vouch for whoever holds the keys of a request, having made sure who that is; gives the answer."""
    fields = asked.arguments
    data = from_base64url(fields.text("request", limit=1 << 20))
    assurance = Assurance(fields.choice("assurance", [level.value for level in Assurance]))
    unit = fields.maybe_text("unit")
    fields.finish()
    node = asked.running.node
    signed = vouch(
        read_guest_request(data),
        controller=node.me,
        space=node.space,
        ring=node.ring,
        assurance=assurance,
        ambient=node.ambient,
        unit=UnitId(unit) if unit else None,
    )
    credential = read_credential(signed)
    given = _answer(node, signed)

    def store(transaction: Transaction) -> None:
        tls, sign = thumbprint(credential.keys.tls), thumbprint(credential.keys.sign)
        same = (col(GuestRow.tls_thumbprint) == tls) | (col(GuestRow.sign_thumbprint) == sign)
        if transaction.session.exec(select(GuestRow).where(same)).first() is not None:
            raise VouchedFor("somebody with these keys is vouched for already", field="request")
        transaction.session.add(
            GuestRow(
                handle=credential.handle,
                tls_thumbprint=tls,
                sign_thumbprint=sign,
                credential=encode(signed.to_json()),
                not_after=credential.expires,
                status="active",
            )
        )

    await node.writer.write(store)
    node.guests.add(credential)
    return {
        "handle": credential.handle,
        "expires": credential.expires,
        "answer": to_base64url(given.to_bytes()),
    }


@operation("renew-guest")
async def renew_guest(asked: Asked) -> JSON:
    """Vouch for the same keys for longer; gives the answer, with a fresh certificate."""
    handle = ParticipantId(asked.arguments.text("handle"))
    asked.arguments.finish()
    node = asked.running.node
    held = node.guests.find(handle)
    if held is None or node.guests.limit(handle, node.ambient.now()) is Limit.VOUCHING_ENDED:
        raise NoSuchGuest("no such guest", field="handle")
    signed = renew(held, node.ring, node.ambient)
    credential = read_credential(signed)
    given = _answer(node, signed)

    def store(transaction: Transaction) -> None:
        row = transaction.session.get_one(GuestRow, handle)
        row.credential, row.not_after = encode(signed.to_json()), credential.expires

    await node.writer.write(store)
    node.guests.add(credential)
    return {
        "handle": credential.handle,
        "expires": credential.expires,
        "answer": to_base64url(given.to_bytes()),
    }


@operation("guests")
async def guests(asked: Asked) -> JSON:
    """Everybody this participant vouches for, by handle."""
    asked.arguments.finish()
    with asked.running.node.database.read() as session:
        rows = session.exec(select(GuestRow)).all()
    return [{"handle": row.handle, "status": row.status, "expires": row.not_after} for row in rows]


@operation("end-guest")
async def end_guest(asked: Asked) -> JSON:
    """Vouch no longer for a guest; protective messages still get through."""
    handle = ParticipantId(asked.arguments.text("handle"))
    asked.arguments.finish()

    def end(transaction: Transaction) -> None:
        row = transaction.session.get(GuestRow, handle)
        if row is None:
            raise NoSuchGuest("no such guest", field="handle")
        row.status = "ended"

    await asked.running.node.writer.write(end)
    asked.running.node.end_guest(handle)
    return {"handle": handle, "status": "ended"}


def _answer(node: Node, signed: SignedDocument) -> GuestAnswer:
    """The credential with a certificate and the membership chain, as the guest takes it."""
    chain = tuple(node.trust.signed(number) for number in range(1, node.trust.number + 1))
    given = answer(signed, node.issuer, Admission(node.trust.first, chain), node.ambient)
    read_leaf(given.certificate)
    return given
