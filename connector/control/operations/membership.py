"""The membership list: who is on it, and newer ones from a peer or a file."""

from __future__ import annotations

from connector.control.operation import Asked, operation
from connector.identity.enrolment import MAX_ADMISSION, read_admission
from connector.identity.membership import read_signed_list
from ledger.canonical import JSON, decode_object
from ledger.document import from_base64url
from ledger.names import ParticipantId


@operation("members")
async def members(asked: Asked) -> JSON:
    """The members on the list in force."""
    asked.arguments.finish()
    entry = asked.running.node.trust.current
    found: list[JSON] = [
        {
            "did": item.did,
            "name": item.name,
            "kind": item.kind.value,
            "status": item.status.value,
            "units": [unit.content() for unit in item.units],
            "endpoints": list(item.endpoints),
        }
        for item in entry.organisations
    ]
    return {
        "space": entry.space,
        "number": entry.number,
        "hash": asked.running.node.trust.digest,
        "issued": entry.issued,
        "expires": entry.expires,
        "members": found,
    }


@operation("update-list")
async def update_list(asked: Asked) -> JSON:
    """Take newer membership lists: from a peer, or out of a file that the registrar wrote."""
    fields = asked.arguments
    peer, given = fields.maybe_text("peer"), fields.maybe_text("file", limit=2 * MAX_ADMISSION)
    fields.finish()
    node = asked.running.node
    before = node.trust.number
    if peer is not None:
        await asked.running.lines.catch_up(ParticipantId(peer))
    if given is not None:
        data = from_base64url(given)
        if decode_object(data, max_bytes=MAX_ADMISSION).get("type") == "admission":
            chain = read_admission(data).chain[before:]
        else:
            chain = (read_signed_list(data),)
        for signed in chain:
            await node.take_list(signed)
    return {"before": before, "number": node.trust.number, "expires": node.trust.current.expires}
