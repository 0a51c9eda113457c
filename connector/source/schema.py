"""A table's columns: their names, types, and what the owner declared them to be.

Rules that hold here:

* Names come from a file or a peer, so they are outside input: no control, invisible or
  direction-changing character, no surrounding white space, 200 characters at most, and no two that
  look alike after Unicode's compatibility normalisation (NFKC).
* At most one column is the *subject*: its values say whom a row is about.
* The JSON form is closed and holds strings and booleans only, so it can be hashed and signed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from connector.source.errors import BadHeader, UnknownColumn
from ledger.canonical import JSONObject
from ledger.fields import Fields

MAX_COLUMNS: Final = 500
MAX_NAME_CHARACTERS: Final = 200
LABEL_COLUMN: Final = "bylag_label"
"""The transport column that holds a row's label in rows about people; reserved."""

_FORBIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_IRI = re.compile(r"(?:https?|urn):[!-~]{1,500}")


class ColumnType(StrEnum):
    """What a column's values are, and so how they compare."""

    INTEGER = "integer"
    """64-bit integers."""
    NUMBER = "number"
    """Double-precision numbers."""
    BOOLEAN = "boolean"
    DATE = "date"
    DATE_TIME = "dateTime"
    """Instants; one without a zone compares as if it were UTC."""
    STRING = "string"
    """Text, compared by code point."""
    JSON = "json"
    """Lists, objects, or a mixture of types (JSON Lines only): released, never compared."""


class Role(StrEnum):
    """What the owner says a column is."""

    SUBJECT = "subject"
    """Says whom the row is about."""
    PERSONAL = "personal"
    """Tells something of a person."""
    NOT_PERSONAL = "not-personal"
    """Looked personal, and is not."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``nullable``: some row has no value in it (in CSV, an empty cell)."""

    name: str
    type: ColumnType
    nullable: bool
    role: Role | None = None
    category: str | None = None
    """What category of data it holds, an IRI, where the owner says so."""

    def to_json(self) -> JSONObject:
        content: JSONObject = {"name": self.name, "type": self.type.value, "nullable": self.nullable}
        if self.role is not None:
            content["role"] = self.role.value
        if self.category is not None:
            content["category"] = self.category
        return content


@dataclass(frozen=True, slots=True)
class SchemaReference:
    """A JSON Schema or Smart Data Model that the publisher names; rows are not checked against it."""

    id: str
    """Its URL or URN."""
    digest: str | None = None
    """Hexadecimal SHA-256 of the document meant, where the publisher has it."""

    def to_json(self) -> JSONObject:
        return {"id": self.id} if self.digest is None else {"id": self.id, "digest": self.digest}

    @classmethod
    def from_fields(cls, fields: Fields) -> SchemaReference:
        """Read one from a peer or the command line. Raises :class:`~ledger.fields.BadField`."""
        reference = cls(fields.text("id", limit=500, pattern=_IRI), fields.maybe_digest("digest"))
        fields.finish()
        return reference


@dataclass(frozen=True, slots=True)
class Schema:
    """A table's columns in their order in the file."""

    columns: tuple[Column, ...]
    reference: SchemaReference | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def subject(self) -> Column | None:
        """The column that says whom a row is about, if any is declared."""
        return next((column for column in self.columns if column.role is Role.SUBJECT), None)

    def index(self, name: str) -> int:
        """The column's place, from 0. Raises :class:`~connector.source.errors.UnknownColumn`."""
        for place, column in enumerate(self.columns):
            if column.name == name:
                return place
        raise UnknownColumn("there is no such column to ask for", field=name[:MAX_NAME_CHARACTERS])

    def without(self, hidden: Collection[str]) -> Schema:
        """The schema with some columns taken out."""
        return replace(self, columns=tuple(column for column in self.columns if column.name not in hidden))

    def to_json(self) -> JSONObject:
        content: JSONObject = {"columns": [column.to_json() for column in self.columns]}
        if self.reference is not None:
            content["reference"] = self.reference.to_json()
        return content

    @classmethod
    def from_fields(cls, fields: Fields) -> Schema:
        """Read a schema from outside. Raises :class:`~ledger.fields.BadField` or :class:`BadHeader`."""
        columns = tuple(_column(each) for each in fields.objects("columns", limit=MAX_COLUMNS))
        check_names([column.name for column in columns])
        if sum(column.role is Role.SUBJECT for column in columns) > 1:
            raise fields.wrong("columns", "names more than one subject column")
        reference = fields.maybe_object("reference")
        fields.finish()
        return cls(columns, None if reference is None else SchemaReference.from_fields(reference))


def check_names(names: Iterable[str]) -> None:
    """Raise :class:`~connector.source.errors.BadHeader` for names that are unfit or look alike."""
    seen: set[str] = set()
    count = 0
    for count, name in enumerate(names, start=1):
        where = f"columns[{count}]"
        if count > MAX_COLUMNS:
            raise BadHeader(f"there are more than {MAX_COLUMNS} columns", field="columns")
        if not name or name != name.strip():
            raise BadHeader("a column's name is empty or stands between spaces", field=where)
        if len(name) > MAX_NAME_CHARACTERS:
            raise BadHeader(f"a column's name is longer than {MAX_NAME_CHARACTERS} characters", field=where)
        if any(unicodedata.category(character) in _FORBIDDEN_CATEGORIES for character in name):
            raise BadHeader("a column's name holds a control or invisible character", field=where)
        if name == LABEL_COLUMN:
            raise BadHeader(f"the name {LABEL_COLUMN} is reserved", field=where)
        alike = unicodedata.normalize("NFKC", name)
        if alike in seen:
            raise BadHeader("two columns have the same name", field=where)
        seen.add(alike)
    if not count:
        raise BadHeader("there is no column", field="columns")


def _column(fields: Fields) -> Column:
    role = fields.choice("role", [role.value for role in Role]) if fields.has("role") else None
    column = Column(
        name=fields.text("name", limit=MAX_NAME_CHARACTERS),
        type=ColumnType(fields.choice("type", [kind.value for kind in ColumnType])),
        nullable=fields.boolean("nullable"),
        role=None if role is None else Role(role),
        category=fields.text("category", limit=500, pattern=_IRI) if fields.has("category") else None,
    )
    fields.finish()
    return column
