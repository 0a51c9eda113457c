"""Reading a closed JSON object, member by member, at an edge.

Rules that hold here: every member is asked for by name and type, with a limit; a member nobody
asked for is refused; the error names the member's path. Nothing is defaulted silently: what may be
absent is asked for with ``maybe_…``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ledger.canonical import JSON, LARGEST_INTEGER, JSONObject
from ledger.errors import BylagError

_HEX = re.compile(r"[0-9a-f]*")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
TEXT_LIMIT: Final = 1024


class BadField(BylagError):
    """A member is missing, of the wrong type, out of range, or unknown."""

    code = "BAD_FIELD"
    default_next_step = "Correct the member that the message names and send it again."


class Fields:
    """One JSON object being read. Call :meth:`finish` when all members were asked for."""

    def __init__(self, content: JSONObject, path: str = "") -> None:
        self._content = content
        self._path = path
        self._read: set[str] = set()

    def path(self, name: str) -> str:
        """The member's full path, for an error."""
        return f"{self._path}.{name}" if self._path else name

    def wrong(self, name: str, what: str) -> BadField:
        """The error that says what is wrong with a member."""
        return BadField(what, field=self.path(name))

    def has(self, name: str) -> bool:
        """Whether the member is there and not null."""
        self._read.add(name)
        return self._content.get(name) is not None

    def names(self) -> tuple[str, ...]:
        """The members that are there: for an object whose members are not known beforehand."""
        return tuple(sorted(self._content))

    def any(self, name: str) -> JSON:
        """The member as it is; it must be there, null counts as a value."""
        self._read.add(name)
        if name not in self._content:
            raise self.wrong(name, "is missing")
        return self._content[name]

    def text(self, name: str, *, limit: int = TEXT_LIMIT, pattern: re.Pattern[str] | None = None) -> str:
        """A non-empty string without control or direction-changing characters."""
        value = self.any(name)
        if not isinstance(value, str) or not value:
            raise self.wrong(name, "must be a non-empty string")
        if len(value) > limit:
            raise self.wrong(name, f"has {len(value)} characters, the limit is {limit}")
        if _CONTROL.search(value):
            raise self.wrong(name, "holds a control or invisible character")
        if pattern is not None and not pattern.fullmatch(value):
            raise self.wrong(name, f"must match {pattern.pattern}")
        return value

    def maybe_text(self, name: str, *, limit: int = TEXT_LIMIT) -> str | None:
        """A string, or None where the member is null or absent."""
        return self.text(name, limit=limit) if self.has(name) else None

    def choice(self, name: str, choices: Iterable[str]) -> str:
        """One of a closed set of strings."""
        value = self.text(name)
        allowed = tuple(choices)
        if value not in allowed:
            raise self.wrong(name, f"must be one of {', '.join(allowed)}")
        return value

    def integer(self, name: str, *, least: int = 0, most: int = LARGEST_INTEGER) -> int:
        """An integer within bounds, both included."""
        value = self.any(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(name, "must be an integer")
        if not least <= value <= most:
            raise self.wrong(name, f"must lie between {least} and {most}")
        return value

    def maybe_integer(self, name: str, *, least: int = 0, most: int = LARGEST_INTEGER) -> int | None:
        """An integer within bounds, or None where the member is null or absent."""
        return self.integer(name, least=least, most=most) if self.has(name) else None

    def boolean(self, name: str) -> bool:
        """``true`` or ``false``, nothing that merely looks like it."""
        value = self.any(name)
        if not isinstance(value, bool):
            raise self.wrong(name, "must be true or false")
        return value

    def digest(self, name: str, *, octets: int = 32) -> str:
        """Lower-case hexadecimal of exactly ``octets`` bytes."""
        value = self.any(name)
        if not isinstance(value, str) or len(value) != 2 * octets or not _HEX.fullmatch(value):
            raise self.wrong(name, f"must be {octets} bytes in lower-case hexadecimal")
        return value

    def maybe_digest(self, name: str, *, octets: int = 32) -> str | None:
        """A digest, or None where the member is null or absent."""
        return self.digest(name, octets=octets) if self.has(name) else None

    def digests(self, name: str, *, limit: int) -> tuple[str, ...]:
        """A list of 32-byte digests."""
        values = self.items(name, limit=limit)
        return tuple(Fields({name: value}, self._path).digest(name) for value in values)

    def object(self, name: str) -> Fields:
        """A nested object, to be read and finished in turn."""
        value = self.any(name)
        if not isinstance(value, dict):
            raise self.wrong(name, "must be an object")
        return Fields(value, self.path(name))

    def maybe_object(self, name: str) -> Fields | None:
        """A nested object, or None where the member is null or absent."""
        return self.object(name) if self.has(name) else None

    def items(self, name: str, *, limit: int) -> list[JSON]:
        """A list of at most ``limit`` values."""
        value = self.any(name)
        if not isinstance(value, list):
            raise self.wrong(name, "must be a list")
        if len(value) > limit:
            raise self.wrong(name, f"has {len(value)} entries, the limit is {limit}")
        return value

    def objects(self, name: str, *, limit: int) -> list[Fields]:
        """A list of nested objects."""
        found = []
        for number, value in enumerate(self.items(name, limit=limit)):
            if not isinstance(value, dict):
                raise self.wrong(f"{name}[{number}]", "must be an object")
            found.append(Fields(value, self.path(f"{name}[{number}]")))
        return found

    def texts(self, name: str, *, limit: int, text_limit: int = TEXT_LIMIT) -> tuple[str, ...]:
        """A list of non-empty strings."""
        values = self.items(name, limit=limit)
        return tuple(Fields({name: value}, self._path).text(name, limit=text_limit) for value in values)

    def constant(self, name: str, expected: JSON) -> None:
        """A member that has one value only, such as ``version``."""
        value = self.any(name)
        if value != expected or type(value) is not type(expected):
            raise self.wrong(name, f"must be {expected!r}")

    def finish(self) -> None:
        """Refuse members that nobody asked for."""
        unknown = sorted(set(self._content) - self._read)
        if unknown:
            raise self.wrong(unknown[0][:100], "is not a member of this document")
