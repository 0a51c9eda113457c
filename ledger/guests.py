"""Keys of people who stand on no list: read from the credentials that an export hands over.

Rules that hold here (DESIGN.md, "Who is who"):

* A citizen or sole trader is a guest of one controller, whose *credential* names their keys under a
  random handle. It counts when a key of that controller, valid when it was issued, signed it.
* A credential is never replaced by a later one: each answers for the time from its issue to its
  end, so a signature made under an earlier one keeps its worth.
* That such a credential exists says no more than that the controller gave it.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.canonical import JSON, JSONObject, MalformedJson
from ledger.document import BadSignature, SignedDocument, verify
from ledger.errors import BylagError, ErrorKind
from ledger.members import LOG, SIGN, MemberKey, Members, public_key
from ledger.names import Milliseconds

CREDENTIAL_KIND: Final = "guest-credential"
SKEW: Final = 5 * 60 * 1000
"""How far two clocks may differ in the live opening of an exchange, in milliseconds (DESIGN.md, "Clock")."""


class UntrustedCredential(BylagError):
    """A guest's credential is not one that its controller gave."""

    code = "UNTRUSTED_CREDENTIAL"
    kind = ErrorKind.UNAUTHENTICATED
    default_next_step = "Ask the exporter for the credentials as the controller gave them."


def vouched_for(signed: SignedDocument, members: Members) -> list[MemberKey]:
    """The keys that a credential names, with the time for which it names them.

    Raises :class:`UntrustedCredential`.
    """
    content = _content(signed)
    controller, handle = content.get("controller"), content.get("handle")
    issued, expires = _time(content, "issued"), _time(content, "expires")
    if not isinstance(controller, str) or not isinstance(handle, str):
        raise UntrustedCredential("it names no controller or no handle")
    if members.is_listed(handle):
        raise UntrustedCredential("it is for a member, who stands on the list")
    key = members.find(controller, signed.kid, issued)
    if key is None or not members.is_listed(controller):
        raise UntrustedCredential("it is not signed by the controller that it names")
    if (complaint := key.complaint(issued)) is not None:
        raise UntrustedCredential(complaint)
    try:
        verify(signed, CREDENTIAL_KIND, key.public)
    except (BadSignature, MalformedJson) as error:
        raise UntrustedCredential(str(error)) from error
    keys = content.get("keys")
    begin, last = Milliseconds(max(0, issued - SKEW)), Milliseconds(expires - 1)
    return [
        MemberKey(handle, use, _public(keys.get(use) if isinstance(keys, dict) else None), begin, last, None)
        for use in (SIGN, LOG)
    ]


def _content(signed: SignedDocument) -> JSONObject:
    try:
        content = signed.content()
    except MalformedJson as error:
        raise UntrustedCredential(str(error)) from error
    if content.get("type") != CREDENTIAL_KIND or content.get("version") != 1:
        raise UntrustedCredential("it is not a credential of a version known here")
    return content


def _time(content: JSONObject, name: str) -> Milliseconds:
    value = content.get(name)
    if type(value) is not int:
        raise UntrustedCredential(f"{name} is not a time in milliseconds")
    return Milliseconds(value)


def _public(text: JSON) -> Ed25519PublicKey:
    try:
        return public_key(text)
    except (BadSignature, TypeError, ValueError) as error:
        raise UntrustedCredential("a key in it cannot be read") from error
