"""Canonical JSON (RFC 8785) out, strict JSON in.

Rules that hold here:

* What is signed or hashed is written by :func:`encode`; leaves, whose schema is narrower, by
  :func:`encode_leaf`, which gives the same bytes for that schema and is some twenty times faster.
* What comes from outside is read by :func:`decode`: UTF-8, no byte-order mark, no duplicate
  member, no fraction or exponent, no integer beyond 2^53 - 1 (RFC 8785 section 3.2.2.3 would
  round it), no lone surrogate, bounded size and depth.
* A signed document is read by :func:`decode_canonical`, which also requires that the bytes are
  the canonical form of what was read: one value, one spelling.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Final, TypeAlias, Union

import rfc8785

from ledger.errors import BylagError

JSON: TypeAlias = Union[bool, int, str, list["JSON"], dict[str, "JSON"], None]
JSONObject: TypeAlias = dict[str, JSON]

LARGEST_INTEGER: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exact (RFC 7493 section 2.2)."""

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 32

_plain_encoder = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False
).encode
# Possessive, so that a string that never ends is read once and not from each of its quotes again.
_STRING = re.compile(rb'"(?:[^"\\]+|\\.)*+"?', re.DOTALL)
_NO_BRACKETS = re.compile(rb"[^\[\]{}]+")
_LONG_NUMBER = re.compile(rb"[0-9]{16}")
_SURROGATE = re.compile("[\ud800-\udfff]")


class MalformedJson(BylagError):
    """The bytes are not JSON as this project accepts it."""

    code = "MALFORMED_JSON"
    default_next_step = "Send UTF-8 JSON without duplicate members, fractions, or integers beyond 2^53 - 1."


def encode(value: JSON) -> bytes:
    """The canonical form of ``value``. Raises :class:`MalformedJson` for what has none."""
    try:
        return _plain_encoder(value).encode() if _is_plain(value) else rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise MalformedJson(f"this value has no canonical form: {error}") from error


def encode_leaf(value: JSONObject) -> bytes:
    """The canonical form of a leaf: ASCII member names, strings, and integers below 2^53 only.

    For that schema the standard library's sorted, compact output is RFC 8785's; a property test
    shows it. The caller has checked the schema (``ledger.leaf``).
    """
    return _plain_encoder(value).encode()


def _is_plain(value: JSON) -> bool:
    """Whether the standard library writes ``value`` as RFC 8785 asks: names in ASCII, no large integer."""
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str) or not name.isascii():
                return False
            if not isinstance(item, str) and not _is_plain(item):
                return False
        return True
    if isinstance(value, int):
        return -LARGEST_INTEGER <= value <= LARGEST_INTEGER
    if value is None or isinstance(value, str):
        return True
    return isinstance(value, list) and all(map(_is_plain, value))


def decode(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> JSON:
    """Read JSON from outside. Raises :class:`MalformedJson` and never anything else."""
    if len(data) > max_bytes:
        raise MalformedJson(f"the document has {len(data)} bytes, the limit is {max_bytes}")
    outside_strings = _STRING.sub(b"", data)
    _check_depth(outside_strings, max_depth)
    read = _read_with_care if _LONG_NUMBER.search(outside_strings) else _read
    try:
        value: JSON = read(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise MalformedJson(f"the document is not UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise MalformedJson(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    if b"\\u" in data:  # a surrogate can stand in UTF-8 as an escape only
        _check_strings(value)
    return value


def decode_object(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> JSONObject:
    """Like :func:`decode`, for a document whose top is an object."""
    value = decode(data, max_bytes=max_bytes, max_depth=max_depth)
    if not isinstance(value, dict):
        raise MalformedJson("the document is not a JSON object")
    return value


def decode_canonical(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> JSONObject:
    """Read a signed document: strict JSON whose bytes are its own canonical form."""
    value = decode_object(data, max_bytes=max_bytes, max_depth=max_depth)
    if encode(value) != data:
        raise MalformedJson("the document is not in canonical form (RFC 8785)")
    return value


def _check_depth(outside_strings: bytes, max_depth: int) -> None:
    depth = 0
    for bracket in _NO_BRACKETS.sub(b"", outside_strings):
        if bracket in b"{[":
            depth += 1
            if depth > max_depth:
                raise MalformedJson(f"the document nests deeper than {max_depth} levels")
        else:
            depth -= 1


def _object_without_duplicates(pairs: list[tuple[str, JSON]]) -> JSONObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise MalformedJson("a member stands twice in one object", field=twice[:100])
    return members


def _bounded_integer(digits: str) -> int:
    number = int(digits) if len(digits) <= 17 else LARGEST_INTEGER + 1
    if abs(number) > LARGEST_INTEGER:
        raise MalformedJson("an integer lies beyond 2^53 - 1")
    return number


def _no_fraction(_: str) -> JSON:
    raise MalformedJson("a number has a fraction or an exponent; write an integer or a string")


def _no_constant(name: str) -> JSON:
    raise MalformedJson(f"{name} is not JSON")


def _reader(parse_int: Callable[[str], int] | None) -> Callable[[str], JSON]:
    return json.JSONDecoder(
        object_pairs_hook=_object_without_duplicates,
        parse_int=parse_int,
        parse_float=_no_fraction,
        parse_constant=_no_constant,
    ).decode


_read = _reader(None)
_read_with_care = _reader(_bounded_integer)
"""For bytes in which an integer might be too large: one of fifteen digits never is."""


def _check_strings(value: JSON) -> None:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            if _SURROGATE.search(item):
                raise MalformedJson("a string holds a lone surrogate")
        elif isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, dict):
            stack.extend(item)
            stack.extend(item.values())
