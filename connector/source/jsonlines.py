"""JSON Lines: one object a line, each as RFC 8259 reads it and a little stricter.

Rules that hold here:

* Every line is an object; its members are the columns, in the order of first appearance; a member
  that a line leaves out has no value there. Blank lines are no rows.
* Refused: a member twice in one object, nesting deeper than :data:`MAX_DEPTH`, an integer beyond 64
  bits, a number beyond double precision's range, NaN and infinities, a lone surrogate.
* A part that is rewritten keeps each line's order of members and its values. A number may come out
  in another spelling (``1.50`` as ``1.5``), never as another double-precision value.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from connector.source.errors import BadHeader, BadRow, SourceEmpty
from connector.source.lines import Lines
from connector.source.rows import (
    BATCH_BYTES,
    BATCH_ROWS,
    MAY_GROW_BYTES,
    Entry,
    Record,
    Scan,
    add_to_sample,
    bad_cell,
    check_growth,
    checked,
)
from connector.source.schema import LABEL_COLUMN, MAX_COLUMNS, Schema, check_names
from connector.source.values import LARGEST_STORED, Guess, Stored, stored_value

MAX_DEPTH: Final = 16
MEDIA_TYPE: Final = "application/x-ndjson"

Members: TypeAlias = dict[str, Any]

_WHITE_SPACE: Final = " \t\r\n"
"""What JSON means by it (RFC 8259 section 2)."""

_STRUCTURE = re.compile(r'"(?:[^"\\]+|\\.)*+"?|[\[\]{}]', re.DOTALL)
"""Strings, so that brackets inside them do not count; a string that never ends matches too, once."""
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class JsonLines:
    """A row format: an object a line."""

    @property
    def media_type(self) -> str:
        return MEDIA_TYPE

    def scan(self, lines: Lines) -> Scan:
        """Read everything once. Raises a :class:`~connector.source.errors.SourceError`."""
        scan = Scan()
        guesses: dict[str, Guess] = {}
        present: dict[str, int] = {}
        for batch in self._batches(lines):
            if not scan.rows:
                scan.prefix = batch[0][0]
            scan.rows += len(batch)
            samples: dict[str, list[str]] = {}
            for _, _, members in batch:
                for name, value in members.items():
                    if name not in guesses:
                        _new_column(guesses, name)
                    guesses[name].see_value(value)
                    present[name] = present.get(name, 0) + 1
                    samples.setdefault(name, []).append(as_text(value))
            for name, values in samples.items():
                add_to_sample(scan.sample.setdefault(name, []), dict.fromkeys(values))
        if not scan.rows:
            raise SourceEmpty("there is no row")
        check_names(guesses)
        scan.columns = [
            (name, guess.value_type, guess.nullable or present[name] < scan.rows)
            for name, guess in guesses.items()
        ]
        scan.longest = [guess.longest for guess in guesses.values()]
        return scan

    def entries(self, lines: Lines, schema: Schema) -> Iterator[list[Entry]]:
        """Every row as the index stores it."""
        number = 0
        known = set(schema.names)
        for batch in self._batches(lines):
            stored: list[Entry] = []
            for record in batch:
                number += 1
                start, stop, members = record
                if stop - start >= MAY_GROW_BYTES:
                    check_growth(self, record, schema, number)
                if not members.keys() <= known:
                    raise BadRow(f"row {number} has a member that is no column", field=f"rows[{number}]")
                stored.append((start, stop, _stored(members, schema, number)))
            yield stored

    def parse(self, data: bytes) -> list[Members]:
        lines = (line.strip(b" \t\r\n") for line in data.splitlines())
        return [json.loads(line.decode()) for line in lines if line]

    def value(self, row: Members, schema: Schema, place: int) -> str:
        return as_text(row.get(schema.columns[place].name))

    def head(self, names: Sequence[str]) -> bytes:  # noqa: ARG002 - the format's interface
        return b""

    def write(
        self, rows: list[Members], schema: Schema, places: Sequence[int], labels: Sequence[str]
    ) -> bytes:
        if len(places) < len(schema.columns):
            chosen = {schema.columns[place].name for place in places}
            rows = [{name: value for name, value in row.items() if name in chosen} for row in rows]
        if labels:
            rows = [{**row, LABEL_COLUMN: label} for row, label in zip(rows, labels, strict=True)]
        written = [_ENCODER.encode(row) for row in rows]
        return "".join([f"{line}\n" for line in written]).encode()

    def _batches(self, lines: Lines) -> Iterator[list[Record[Members]]]:
        """Records with their bytes' place; a record's bytes reach up to where the next one starts."""
        batch: list[Record[Members]] = []
        held: Members | None = None
        begin = start = lines.row_start = lines.offset
        lines.row = 1
        for line in lines:
            if line.strip(_WHITE_SPACE):
                members = read_object(line, lines.row, lines.place())
                if held is not None:
                    batch.append((start, begin, held))
                    if len(batch) == BATCH_ROWS or begin - batch[0][0] >= BATCH_BYTES:
                        yield checked(batch, lines)
                        batch = []
                start, held = begin, members
                lines.row += 1
            begin = lines.row_start = lines.offset
        if held is not None:
            batch.append((start, begin, held))
            yield checked(batch, lines)


def read_object(line: str, row: int, place: str) -> Members:
    """One line, read strictly. Raises :class:`~connector.source.errors.BadRow` naming the row."""
    if line.count("[") + line.count("{") > MAX_DEPTH:
        _check_depth(line, row, place)
    try:
        value = _DECODER.decode(line)
    except json.JSONDecodeError as error:
        raise BadRow(f"{place} is not JSON: {error.msg}", field=f"rows[{row}]") from error
    except _Refused as error:
        raise BadRow(f"{place} {error}", field=f"rows[{row}]") from error
    if not isinstance(value, dict):
        raise BadRow(f"{place} is not an object", field=f"rows[{row}]")
    # Only an escape can bring in a lone surrogate: the line itself is UTF-8.
    if ("\\ud" in line or "\\uD" in line) and _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise BadRow(f"{place} holds half a surrogate pair", field=f"rows[{row}]")
    return value


def as_text(value: object) -> str:
    """A member's value as text: strings as they are, nothing for null, other values as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else _ENCODER.encode(value)


class _Refused(ValueError):
    """What the decoder's hooks refuse; becomes a BadRow where the row is known."""


def _members(pairs: list[tuple[str, Any]]) -> Members:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Refused("has a member twice in one object")
    return members


def _integer(digits: str) -> int:
    if len(digits) > 20 or abs(number := int(digits)) > LARGEST_STORED:
        raise _Refused("holds an integer beyond 64 bits; write it as a string")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _Refused("holds a number that is too large; write it as a string")
    return number


def _constant(name: str) -> Any:
    raise _Refused(f"holds {name}, which is not JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


def _check_depth(line: str, row: int, place: str) -> None:
    depth = 0
    for match in _STRUCTURE.finditer(line):
        if match.group() in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise BadRow(f"{place} nests deeper than {MAX_DEPTH} levels", field=f"rows[{row}]")
        elif match.group() in "]}":
            depth -= 1


def _new_column(guesses: dict[str, Guess], name: str) -> None:
    if len(guesses) >= MAX_COLUMNS:
        raise BadHeader(f"there are more than {MAX_COLUMNS} different members", field="columns")
    guesses[name] = Guess()


def _stored(members: Members, schema: Schema, number: int) -> tuple[Stored, ...]:
    stored: list[Stored] = []
    for column in schema.columns:
        value = members.get(column.name)
        if value is None and not column.nullable:
            raise bad_cell(number, column.name, "has no value")
        try:
            stored.append(stored_value(column.type, value))
        except ValueError as error:
            raise bad_cell(number, column.name, f"is not of type {column.type.value}") from error
    return tuple(stored)
