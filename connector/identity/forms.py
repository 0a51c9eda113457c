"""The shapes of single values in this room's documents, on top of ``ledger.fields``.

Rules that hold here: a member that does not apply is null, never absent, so that one thing is said in
one way; what is wrong is raised as the document's own error, with the member's path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final, TypeVar

from ledger.canonical import MalformedJson, decode_object
from ledger.document import BadSignature, from_base64url
from ledger.errors import BylagError
from ledger.fields import BadField, Fields
from ledger.names import Milliseconds, Thumbprint

Choice = TypeVar("Choice", bound=StrEnum)
Complaint = Callable[[str], str | None]
"""Says what is wrong with a text, or None."""

LATEST: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, beyond which RFC 3339 cannot write a time."""
MAX_SHORT_TEXT: Final = 1024
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


@contextmanager
def reading(error: type[BylagError]) -> Iterator[None]:
    """Raise whatever is wrong with the document being read as ``error``, naming the member."""
    try:
        yield
    except (BadField, MalformedJson) as wrong:
        raise error(wrong.message, field=wrong.field) from wrong


def file_object(data: bytes, *, max_bytes: int) -> Fields:
    """The one object in a file whose base64 carries at most ``max_bytes``."""
    return Fields(decode_object(data, max_bytes=2 * max_bytes + 65_536))


def text(fields: Fields, name: str, complaint: Complaint) -> str:
    """A short text with which ``complaint`` finds nothing wrong."""
    value = fields.text(name, limit=MAX_SHORT_TEXT)
    if (wrong := complaint(value)) is not None:
        raise fields.wrong(name, wrong)
    return value


def maybe_text(fields: Fields, name: str, complaint: Complaint) -> str | None:
    """The same, or null."""
    return None if fields.any(name) is None else text(fields, name, complaint)


def texts(fields: Fields, name: str, complaint: Complaint, *, limit: int) -> tuple[str, ...]:
    """A list of texts, none twice."""
    values = fields.texts(name, limit=limit)
    for index, value in enumerate(values):
        wrong = "stands twice" if value in values[:index] else complaint(value)
        if wrong is not None:
            raise fields.wrong(f"{name}[{index}]", wrong)
    return values


def choice(fields: Fields, name: str, kind: type[Choice]) -> Choice:
    """A member of an enumeration."""
    return kind(fields.choice(name, [item.value for item in kind]))


def time(fields: Fields, name: str) -> Milliseconds:
    """Milliseconds since the epoch, up to the year 9999."""
    return Milliseconds(fields.integer(name, most=LATEST))


def maybe_time(fields: Fields, name: str) -> Milliseconds | None:
    """The same, or null."""
    return None if fields.any(name) is None else time(fields, name)


def thumbprint(fields: Fields, name: str) -> Thumbprint:
    """A key's RFC 7638 thumbprint."""
    return Thumbprint(fields.text(name, limit=43, pattern=_THUMBPRINT))


def base64url(fields: Fields, name: str, *, limit: int) -> bytes:
    """Bytes in base64url without padding, at most ``limit`` of them."""
    value = fields.any(name)
    if not isinstance(value, str) or len(value) > 2 * limit:
        raise fields.wrong(name, f"must be base64url of at most {limit} bytes")
    try:
        data = from_base64url(value)
    except BadSignature as error:
        raise fields.wrong(name, error.message) from error
    if len(data) > limit:
        raise fields.wrong(name, f"has {len(data)} bytes, the limit is {limit}")
    return data
