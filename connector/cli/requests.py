"""What a request file asks a registrar for: to join, to change a key, to change name or endpoints."""

from __future__ import annotations

from connector.cli import show
from connector.identity import change
from connector.identity.change import Change
from connector.identity.enrolment import JOIN, ROTATION, UPDATE, read_join, read_rotation, read_update
from connector.identity.guest import REQUEST as GUEST
from connector.identity.organisation import Attributes
from connector.identity.public import Job
from connector.identity.request import MAX_REQUEST
from ledger.canonical import JSON, JSONObject, decode_object
from ledger.document import from_base64url
from ledger.errors import BylagError


class UnknownRequest(BylagError):
    """A file holds no request that a registrar could grant."""

    code = "UNKNOWN_REQUEST"
    default_next_step = "Ask for the file that `bylag join`, `bylag keys rotate` or `bylag details` wrote."


def granted(data: bytes, attributes: Attributes | None, again: bool) -> Change:
    """The change of the list that grants a request; ``again`` lets a listed organisation begin anew.

    Raises :class:`UnknownRequest`, :class:`~connector.identity.request.MalformedRequest`.
    """
    kind = _kind(data)
    if kind == ROTATION:
        return change.rotate(read_rotation(data))
    if kind == UPDATE:
        return change.update(read_update(data))
    request = read_join(data)
    return change.readmit(request) if again else change.admit(request, attributes=attributes)


def _kind(data: bytes) -> str:
    """What a request file asks for; whether it is sound is for whoever reads it."""
    try:
        payload = decode_object(data, max_bytes=MAX_REQUEST).get("payload")
        kind = decode_object(from_base64url(str(payload)), max_bytes=MAX_REQUEST).get("type")
    except BylagError as error:
        raise UnknownRequest(f"this is no request file: {error}") from error
    if kind == GUEST:
        raise UnknownRequest(
            "a guest asks their controller, not the registrar",
            field="type",
            next_step="The controller takes it: `bylag guest vouch REQUEST --assurance LEVEL`.",
        )
    if kind not in (JOIN, ROTATION, UPDATE):
        raise UnknownRequest("the file asks for nothing that a registrar grants", field="type")
    return str(kind)


def inspected(data: bytes) -> JSONObject:
    """What a request asks for, and the key to compare; verifies that the keys are shown, grants nothing.

    Raises :class:`UnknownRequest`, :class:`~connector.identity.request.MalformedRequest`.
    """
    kind = _kind(data)
    if kind == ROTATION:
        asked = read_rotation(data)
        return {
            "asks": kind,
            "space": asked.request.space,
            "did": asked.did,
            "use": asked.key.job.value,
            "key": asked.key.thumbprint,
            "replaces": asked.replaces,
            "created": asked.request.created,
        }
    if kind == UPDATE:
        update = read_update(data)
        return {
            "asks": kind,
            "space": update.request.space,
            "did": update.did,
            "name": update.name,
            "units": [f"{unit.id} ({unit.name})" for unit in update.units],
            "endpoints": list(update.endpoints),
            "created": update.request.created,
        }
    join = read_join(data)
    organisation = join.organisation
    return {
        "asks": kind,
        "space": join.request.space,
        "did": organisation.did,
        "name": organisation.name,
        "kind": organisation.kind.value,
        "units": [f"{unit.id} ({unit.name})" for unit in organisation.units],
        "endpoints": list(organisation.endpoints),
        "key": next(key.thumbprint for key in organisation.keys_for(Job.SIGN)),
        "created": join.request.created,
    }


def worded(name: str, value: JSON) -> object:
    """One member of what was inspected, for people."""
    if name == "created":
        return show.time(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else value
