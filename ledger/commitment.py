"""Commitments: a leaf says that a value exists without saying which.

Rules that hold here (LEDGER.md section 2):

* A commitment is HMAC-SHA256(r, "ledger/v1/" ‖ field ‖ 0x00 ‖ value) with 32 fresh random bytes r
  for each field of each record. It is never a deterministic pseudonym: national ids number about
  10^8, and whoever can compute the commitment can try them all.
* The opening is r and the value. It lies in a side row; once that is erased, nothing in the leaf
  says more than 32 random bytes would.
* ``field`` is part of what is hashed, so an opening for one field never opens another.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from ledger.ambient import Ambient
from ledger.canonical import JSON, JSONObject, encode
from ledger.document import BadSignature, from_base64url, to_base64url
from ledger.errors import BylagError, ErrorKind

OPENING_BYTES: Final = 32
_PREFIX: Final = b"ledger/v1/"


class BadOpening(BylagError):
    """An opening is malformed, or does not open the commitment."""

    code = "BAD_OPENING"
    kind = ErrorKind.INVALID
    default_next_step = "Ask the party that made the record for the opening that its side row holds."


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens one commitment: 32 random bytes and the value committed to."""

    field: str
    r: bytes
    value: bytes

    @property
    def commitment(self) -> str:
        """The commitment, in lower-case hexadecimal."""
        return commit(self.field, self.value, self.r)

    def to_json(self) -> JSONObject:
        """As it stands in a side row: ``{"r": base64url, "value": base64url}``."""
        return {"r": to_base64url(self.r), "value": to_base64url(self.value)}


def commit(field: str, value: bytes, r: bytes) -> str:
    """The commitment to ``value`` as ``field`` under ``r``, in lower-case hexadecimal."""
    return hmac.digest(r, _PREFIX + field.encode() + b"\x00" + value, hashlib.sha256).hex()


def fresh(field: str, value: bytes, ambient: Ambient) -> Opening:
    """An opening of ``value`` under fresh randomness; ``.commitment`` goes into the leaf."""
    if "\x00" in field:
        raise BadOpening("a field's name holds no zero byte", field="field")
    return Opening(field, ambient.random(OPENING_BYTES), value)


def fresh_json(field: str, value: JSON, ambient: Ambient) -> Opening:
    """Like :func:`fresh`, for a JSON value: its canonical form is committed to.

    For a leaf's members that may be ``{"commitment": hex}`` (party, agreement, aprev, message, …)
    the value is what the member would have been, and ``field`` is the member's name.
    """
    return fresh(field, encode(value), ambient)


def opens(opening: Opening, commitment: str) -> bool:
    """Whether ``opening`` opens ``commitment`` (hexadecimal)."""
    return len(opening.r) == OPENING_BYTES and hmac.compare_digest(opening.commitment, commitment)


def read_opening(field: str, content: JSON) -> Opening:
    """Read what :meth:`Opening.to_json` wrote. Raises :class:`BadOpening`."""
    if not isinstance(content, dict) or set(content) != {"r", "value"}:
        raise BadOpening("an opening is exactly {r, value}", field=field)
    r, value = content["r"], content["value"]
    if not isinstance(r, str) or not isinstance(value, str):
        raise BadOpening("r and value are base64url", field=field)
    try:
        opening = Opening(field, from_base64url(r), from_base64url(value))
    except BadSignature as error:
        raise BadOpening("r and value are base64url", field=field) from error
    if len(opening.r) != OPENING_BYTES:
        raise BadOpening(f"r has {len(opening.r)} bytes, not {OPENING_BYTES}", field=field)
    return opening
