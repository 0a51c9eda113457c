"""A version's description, and its name: the digest of that description.

Rules that hold here:

* The digest is SHA-256 over the canonical JSON of the description, which holds the SHA-256 of the
  content, so the name covers content, form, media type and schema. Whoever received the whole
  content and the description recomputes both.
* The description never changes. An append-only version keeps the description, and so the name, of
  its beginning; what is appended lies at numbered positions after it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from connector.source.delimited import DELIMITERS
from connector.source.jsonlines import MEDIA_TYPE as JSON_LINES
from connector.source.schema import MAX_COLUMNS, MAX_NAME_CHARACTERS, Schema
from ledger.canonical import JSON, JSONObject, encode
from ledger.fields import Fields
from ledger.names import VersionDigest

CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
MEDIA_TYPE_PATTERN = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
"""RFC 6838 section 4.2, in lower case."""
TABLE_MEDIA_TYPES = (CSV, JSON_LINES, PARQUET)


@dataclass(frozen=True, slots=True)
class Groups:
    """How many rows at least have the same values in some columns: counted when the version was made."""

    columns: tuple[str, ...]
    """The columns by which rows are told apart, as the owner names them."""
    smallest: int
    """Rows of the smallest group (k); 0 for a table without rows."""

    def to_json(self) -> JSONObject:
        return {"columns": list[JSON](self.columns), "smallest": self.smallest}

    @classmethod
    def from_fields(cls, fields: Fields) -> Groups:
        """Read one from disk or from a peer. Raises :class:`~ledger.fields.BadField`."""
        groups = cls(
            fields.texts("columns", limit=MAX_COLUMNS, text_limit=MAX_NAME_CHARACTERS),
            fields.integer("smallest"),
        )
        fields.finish()
        return groups


class Form(StrEnum):
    """How a version can be released."""

    FILE = "file"
    """As it is, or not at all."""
    TABLE = "table"
    """As it is, or in part, row by row."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The description that a version is named by. The last six members are for tables."""

    form: Form
    media_type: str
    content: str
    """Hexadecimal SHA-256 of the bytes as given."""
    size: int
    """Bytes, without what was appended."""
    rows: int | None = None
    """Rows, without what was appended."""
    schema: Schema | None = None
    delimiter: str | None = None
    """For CSV."""
    header: bool = False
    """Whether the first record of a CSV file names the columns."""
    append_only: bool = False
    groups: Groups | None = None
    """The smallest group of rows, where it was counted; never of a table that grows."""

    @property
    def digest(self) -> VersionDigest:
        """The version's name."""
        return VersionDigest(hashlib.sha256(self.encode()).hexdigest())

    def encode(self) -> bytes:
        """Canonical JSON."""
        return encode(self.to_json())

    def to_json(self) -> JSONObject:
        content: JSONObject = {
            "type": "dataset-version",
            "version": 1,
            "form": self.form.value,
            "media_type": self.media_type,
            "content": self.content,
            "size": self.size,
        }
        if self.form is Form.TABLE and self.schema is not None:
            content |= {"rows": self.rows, "schema": self.schema.to_json(), "append_only": self.append_only}
            if self.groups is not None:
                content["groups"] = self.groups.to_json()
            if self.delimiter is not None:
                content |= {"delimiter": self.delimiter, "header": self.header}
        return content

    @classmethod
    def from_fields(cls, fields: Fields) -> Manifest:
        """Read a description, from disk or from a peer.

        Raises :class:`~ledger.fields.BadField` or :class:`~connector.source.errors.BadHeader`.
        """
        fields.constant("type", "dataset-version")
        fields.constant("version", 1)
        form = Form(fields.choice("form", [form.value for form in Form]))
        media_type = fields.text("media_type", limit=130, pattern=MEDIA_TYPE_PATTERN)
        content, size = fields.digest("content"), fields.integer("size")
        manifest = cls(form, media_type, content, size)
        if form is Form.TABLE:
            manifest = _table(fields, manifest)
        fields.finish()
        return manifest


def _table(fields: Fields, plain: Manifest) -> Manifest:
    if plain.media_type not in TABLE_MEDIA_TYPES:
        raise fields.wrong("media_type", f"a table is one of {', '.join(TABLE_MEDIA_TYPES)}")
    delimiter: str | None = None
    header = False
    if plain.media_type == CSV:
        header, given = fields.boolean("header"), fields.any("delimiter")
        if not isinstance(given, str) or given not in DELIMITERS:
            raise fields.wrong("delimiter", "must be a comma, semicolon, tab or bar")
        delimiter = given
    schema = Schema.from_fields(fields.object("schema"))
    append_only, groups = fields.boolean("append_only"), fields.maybe_object("groups")
    counted = None if groups is None else Groups.from_fields(groups)
    if counted is not None and (append_only or not set(counted.columns) <= set(schema.names)):
        raise fields.wrong("groups", "are of columns of a table that does not grow")
    return Manifest(
        form=plain.form,
        media_type=plain.media_type,
        content=plain.content,
        size=plain.size,
        rows=fields.integer("rows"),
        schema=schema,
        delimiter=delimiter,
        header=header,
        append_only=append_only,
        groups=counted,
    )
