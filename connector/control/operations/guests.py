"""Guests: citizens and sole traders whom this participant vouches for."""

from __future__ import annotations

from connector.control.operation import Asked, operation
from connector.identity import stored
from connector.identity.certificate import read_leaf
from connector.identity.credential import GuestCredential
from connector.identity.enrolment import Admission
from connector.identity.guest import GuestAnswer, answer, read_guest_request, renew, vouch
from connector.identity.peer import Assurance, Limit
from connector.node import Node
from connector.store.writer import Transaction
from ledger.canonical import JSON
from ledger.document import SignedDocument, from_base64url, to_base64url
from ledger.errors import BylagError, ErrorKind
from ledger.names import ParticipantId, UnitId


class NoSuchGuest(BylagError):
    """This participant vouches for nobody of that handle."""

    code = "NO_SUCH_GUEST"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "List them with `bylag guest list`."


@operation("vouch")
async def vouch_for(asked: Asked) -> JSON:
    """Vouch for whoever holds the keys of a request, having made sure who that is; gives the answer.

    A request that keeps a handle changes that guest's keys: the old signing key must vouch for it.
    """
    fields = asked.arguments
    data = from_base64url(fields.text("request", limit=1 << 20))
    assurance = Assurance(fields.choice("assurance", [level.value for level in Assurance]))
    unit = fields.maybe_text("unit")
    fields.finish()
    node = asked.running.node
    request = read_guest_request(data)
    signed = vouch(
        request,
        controller=node.me,
        space=node.space,
        ring=node.ring,
        assurance=assurance,
        ambient=node.ambient,
        unit=UnitId(unit) if unit else None,
        previous=_held(node, request.previous) if request.previous is not None else None,
    )
    return await _give(node, signed)


@operation("renew-guest")
async def renew_guest(asked: Asked) -> JSON:
    """Vouch for the same keys for longer; gives the answer, with a fresh certificate."""
    handle = ParticipantId(asked.arguments.text("handle"))
    asked.arguments.finish()
    node = asked.running.node
    return await _give(node, renew(_held(node, handle), node.ring, node.ambient))


@operation("guests")
async def guests(asked: Asked) -> JSON:
    """Everybody this participant vouches for, by handle."""
    asked.arguments.finish()
    with asked.running.node.database.read() as session:
        found = stored.listed(session)
    return [{"handle": handle, "status": status, "expires": expires} for handle, status, expires in found]


@operation("end-guest")
async def end_guest(asked: Asked) -> JSON:
    """Vouch no longer for a guest; protective messages still get through."""
    handle = ParticipantId(asked.arguments.text("handle"))
    asked.arguments.finish()

    def end(transaction: Transaction) -> None:
        if not stored.end(transaction, handle):
            raise NoSuchGuest("no such guest", field="handle")

    await asked.running.node.writer.write(end)
    asked.running.node.end_guest(handle)
    return {"handle": handle, "status": "ended"}


def _held(node: Node, handle: ParticipantId) -> GuestCredential:
    """The newest credential of a guest who is vouched for. Raises :class:`NoSuchGuest`."""
    held = node.guests.find(handle)
    if held is None or node.guests.limit(handle, node.ambient.now()) is Limit.VOUCHING_ENDED:
        raise NoSuchGuest("no such guest", field="handle")
    return held


async def _give(node: Node, signed: SignedDocument) -> JSON:
    """Keep a credential beside the guest's earlier ones, and give the answer with it."""
    given = _answer(node, signed)
    credential = await node.writer.write(lambda transaction: stored.keep(transaction, signed))
    node.guests.add(credential)
    return {
        "handle": credential.handle,
        "expires": credential.expires,
        "answer": to_base64url(given.to_bytes()),
    }


def _answer(node: Node, signed: SignedDocument) -> GuestAnswer:
    """The credential with a certificate and the membership chain, as the guest takes it."""
    chain = tuple(node.trust.signed(number) for number in range(1, node.trust.number + 1))
    given = answer(signed, node.issuer, Admission(node.trust.first, chain), node.ambient)
    read_leaf(given.certificate)
    return given
