"""What a cell's text means: how a column's type is found, and how its values compare.

Rules that hold here:

* A type is found from *every* value of a column, never from a sample; a single value that does not
  fit makes the column a string. Nothing is guessed from a column's name.
* Digits with a leading zero or a plus sign are text (postal codes, telephone numbers), and so are
  integers of more than 18 digits: none would come back as it was written.
* The comparable form of a date is its ordinal day, of an instant its microseconds since 1970 UTC,
  of a boolean 0 or 1. It serves comparison only; what is released is the cell's own text.
* An empty cell of a CSV file is "no value", in every column.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, TypeAlias

from connector.source.errors import BadSelection
from connector.source.schema import ColumnType

Stored: TypeAlias = int | float | str | None
"""What an index holds for a cell."""
Wanted: TypeAlias = str | int | bool
"""A value in a condition: signed documents have no fractions, so a fraction is written as a string."""

LARGEST_STORED: Final = 2**63 - 1

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_FRACTION = re.compile(
    r"-?(?:(?:0|[1-9][0-9]{0,30})?\.[0-9]{1,40}(?:[eE][+-]?[0-9]{1,3})?|(?:0|[1-9][0-9]{0,30})[eE][+-]?[0-9]{1,3})"
)
_BOOLEANS: Final = {"true": 1, "True": 1, "TRUE": 1, "false": 0, "False": 0, "FALSE": 0}
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})|([0-9]{2})\.([0-9]{2})\.([0-9]{4})")
_INSTANT = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}(?=T)|[0-9]{2}\.[0-9]{2}\.[0-9]{4})"
    r"(?:[Tt]| )"
    r"(?P<time>[0-9]{2}:?[0-9]{2}(?::?[0-9]{2}(?:[.,][0-9]{1,9})?)?)"
    r" ?(?P<zone>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def integer(text: str) -> int | None:
    """The integer that ``text`` spells in its one usual way, or None."""
    return int(text) if _INTEGER.fullmatch(text) else None


def number(text: str) -> float | int | None:
    """The finite number that ``text`` spells with a decimal point or exponent, or as an integer."""
    if _FRACTION.fullmatch(text):
        value = float(text)
        return value if math.isfinite(value) else None
    return integer(text)


def boolean(text: str) -> int | None:
    """1 or 0 for true or false in lower, upper or title case."""
    return _BOOLEANS.get(text)


@lru_cache(maxsize=4096)
def day(text: str) -> int | None:
    """The ordinal of ``YYYY-MM-DD`` or ``DD.MM.YYYY``; None for anything else."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day_, day_first, month_second, year_last = found.groups()
    try:
        return date(int(year or year_last), int(month or month_second), int(day_ or day_first)).toordinal()
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def instant(text: str) -> int | None:
    """Microseconds since 1970 UTC of a date and time, or None.

    Forms (ISO 8601, RFC 3339, and what databases print): date as for :func:`day` or ``YYYYMMDD``;
    ``T`` or a space; hours and minutes, seconds and a fraction if given; ``Z`` or an offset if
    given. Without an offset it is read as UTC.
    """
    found = _INSTANT.fullmatch(text)
    if found is None:
        return None
    day_part = "".join(reversed(found["date"].split("."))).replace("-", "")
    time_part = found["time"].replace(",", ".").replace(":", "")
    zone = (found["zone"] or "Z").upper().replace(":", "")
    try:
        moment = datetime.fromisoformat(f"{day_part}T{time_part}{zone}")
    except ValueError:
        return None
    return (moment - _EPOCH) // _MICROSECOND


def itself(text: str) -> str:
    """Text compares as it stands."""
    return text


READERS: Final[dict[ColumnType, Callable[[str], Stored]]] = {
    ColumnType.INTEGER: integer,
    ColumnType.NUMBER: number,
    ColumnType.BOOLEAN: boolean,
    ColumnType.DATE: day,
    ColumnType.DATE_TIME: instant,
    ColumnType.STRING: itself,
}
"""How a cell's text becomes comparable, by type; None says that it does not fit."""


class Guess:
    """The narrowest type that fits every value of one column seen so far."""

    def __init__(self) -> None:
        self.nullable = False
        self.longest = 0
        self._fitting = [kind for kind in READERS if kind is not ColumnType.STRING]
        self._seen = False
        self._kinds: set[type] = set()

    def see_cells(self, cells: Collection[str]) -> None:
        """Take CSV cells into account; order and repetition do not matter."""
        values = [cell for cell in cells if cell]
        self.nullable = self.nullable or len(values) < len(cells)
        self._see_texts(values)

    def see_value(self, value: object) -> None:
        """Take one JSON value into account."""
        if value is None:
            self.nullable = True
            return
        self._kinds.add(type(value))
        if isinstance(value, str):
            self._see_texts([value])

    def _see_texts(self, values: list[str]) -> None:
        if not values:
            return
        self._seen = True
        self.longest = max(self.longest, *map(len, values))
        self._fitting = [kind for kind in self._fitting if None not in map(READERS[kind], values)]

    @property
    def cell_type(self) -> ColumnType:
        """The type of a CSV column; a column without any value is a string."""
        return self._fitting[0] if self._fitting and self._seen else ColumnType.STRING

    @property
    def value_type(self) -> ColumnType:
        """The type of a JSON member: JSON says itself what is a number and what is not."""
        if self._kinds <= {str}:
            dates = [kind for kind in self._fitting if kind in (ColumnType.DATE, ColumnType.DATE_TIME)]
            return dates[0] if dates and self._seen else ColumnType.STRING
        if self._kinds == {bool}:
            return ColumnType.BOOLEAN
        if self._kinds == {int}:
            return ColumnType.INTEGER
        return ColumnType.NUMBER if self._kinds <= {int, float} else ColumnType.JSON


def stored_cell(kind: ColumnType) -> Callable[[str], Stored]:
    """How a CSV cell of a column of this type is stored; empty is None."""
    if kind is ColumnType.STRING:
        return lambda cell: cell or None
    return READERS[kind]  # an empty cell fits no type but a string


def stored_value(kind: ColumnType, value: object) -> Stored:
    """How a JSON value is stored in a column of this type; raises ValueError if it does not fit."""
    if value is None:
        return None
    if kind is ColumnType.JSON:
        return 1  # only whether there is a value can be asked
    if isinstance(value, bool):
        if kind is ColumnType.BOOLEAN:
            return int(value)
    elif isinstance(value, int | float):
        if kind is ColumnType.NUMBER or (kind is ColumnType.INTEGER and isinstance(value, int)):
            return value
    elif isinstance(value, str) and kind in (ColumnType.STRING, ColumnType.DATE, ColumnType.DATE_TIME):
        found = READERS[kind](value)
        if found is not None:
            return found
    raise ValueError(f"not a {kind.value}")


def comparable(kind: ColumnType, value: Wanted, *, field: str) -> int | float | str:
    """A condition's value in a column's comparable form.

    A value may be written as a string, as it would stand in a cell; integers and booleans may be
    written as such. An instant may be given as a date, meaning its first moment. Raises
    :class:`~connector.source.errors.BadSelection`.
    """
    found: Stored
    if kind is ColumnType.JSON:
        raise BadSelection("a column of lists and objects cannot be compared", field=field)
    if isinstance(value, bool):
        found = int(value) if kind is ColumnType.BOOLEAN else None
    elif isinstance(value, int):
        fits = kind in (ColumnType.INTEGER, ColumnType.NUMBER) and abs(value) <= LARGEST_STORED
        found = value if fits else None
    elif kind is ColumnType.INTEGER:
        found = number(value)
    elif kind is ColumnType.DATE_TIME:
        found = instant(value)
        if found is None and (ordinal := day(value)) is not None:
            found = (ordinal - _EPOCH.toordinal()) * 86_400_000_000
    else:
        found = READERS[kind](value)
    if found is None:
        raise BadSelection(f"the value does not fit a column of type {kind.value}", field=field)
    return found
