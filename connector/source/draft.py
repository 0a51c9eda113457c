"""A version being built: copied, read through, indexed, and then published or thrown away.

Rules that hold here:

* A draft lies in a folder of its own whose name no reader looks at. Publishing writes the
  description, syncs everything, and renames the folder to the version's digest: one atomic step. A
  crash before it leaves a folder that the next start sweeps away; nothing half-built is ever seen.
* Between building and publishing the owner sees the columns, their types and a sample, and says
  what each column is.
* A draft that is not published, for whatever reason, leaves nothing behind.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from connector.source.delimited import DELIMITERS, Delimited, find_delimiter, first_record, looks_like_data
from connector.source.errors import BadHeader, BadRow, SnapshotNotWritten
from connector.source.index import IndexBuilder, seal_index, smallest_group
from connector.source.jsonlines import MEDIA_TYPE as JSON_LINES
from connector.source.jsonlines import JsonLines
from connector.source.lines import EndlessLine, Lines, Watch, check_beginning
from connector.source.manifest import CSV, PARQUET, TABLE_MEDIA_TYPES, Form, Groups, Manifest
from connector.source.original import Original, open_original, sync_folder, write_all, writing
from connector.source.parquet import MAGIC as PARQUET_MAGIC
from connector.source.parquet import write_lines
from connector.source.rows import RowFormat, Scan
from connector.source.schema import Column, ColumnType, Role, Schema, SchemaReference
from connector.source.snapshot import INDEX_FILE, LINES_FILE, MANIFEST_FILE, ROWS_FILE
from ledger.names import VersionDigest

_SNIFFED_BYTES = 1 << 16
_SUFFIXES = {
    ".csv": CSV,
    ".tsv": CSV,
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
    ".parquet": PARQUET,
}


@dataclass(frozen=True, slots=True)
class TableOptions:
    """What the publisher says of a table; what is not said is found from the file."""

    media_type: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    """Whether the first record of a CSV file names the columns. None: it must, and must look so."""
    append_only: bool = False
    types: Mapping[str, ColumnType] = field(default_factory=dict)
    """Types for columns of a CSV table whose values would fit a narrower one, or are still to come."""


class Draft:
    """A version that is complete but for its publication. Use it as a context manager."""

    def __init__(self, folder: Path, shelf: Path, manifest: Manifest, scan: Scan | None) -> None:
        self._folder = folder
        self._shelf = shelf
        self._manifest = manifest
        self._scan = scan

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()

    @property
    def manifest(self) -> Manifest:
        """The description so far: no column has a role yet."""
        return self._manifest

    @property
    def schema(self) -> Schema | None:
        """The columns as found; None for a plain file."""
        return self._manifest.schema

    @property
    def sample(self) -> Mapping[str, list[str]]:
        """Some different values of each column. Personal data, perhaps: look, and let go."""
        return {} if self._scan is None else self._scan.sample

    def publish(
        self,
        roles: Mapping[str, Role] | None = None,
        reference: SchemaReference | None = None,
        *,
        categories: Mapping[str, str] | None = None,
        grouped_by: Sequence[str] = (),
    ) -> VersionDigest:
        """Make it a version, durably, and return its name.

        ``roles`` says what columns are; at most one is the subject, and then every row has a value
        in it. ``categories`` says which category of data a column holds, by its IRI. How many rows at
        least agree in the columns ``grouped_by`` is counted. A version that is kept already is left as it
        is. Raises :class:`~connector.source.errors.SourceError`.
        """
        manifest = self._with_roles(roles or {}, reference)
        manifest = self._counted(_categorised(manifest, categories or {}), tuple(grouped_by))
        target = self._shelf / manifest.digest
        if not target.exists():
            with writing():
                self._seal(manifest)
                self._show(target)
                sync_folder(self._shelf)
        self.discard()
        return manifest.digest

    def _show(self, target: Path) -> None:
        """The one step that publishes."""
        try:
            self._folder.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            # Somebody else published the very same version in the meantime.

    def discard(self) -> None:
        """Throw it away; nothing happens once it was published."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _with_roles(self, roles: Mapping[str, Role], reference: SchemaReference | None) -> Manifest:
        schema = self._manifest.schema
        if schema is None or self._scan is None:
            if roles or reference is not None:
                raise BadHeader("a plain file has no columns to declare anything of")
            return self._manifest
        for name in roles:
            schema.index(name)
        if sum(role is Role.SUBJECT for role in roles.values()) > 1:
            raise BadHeader("more than one column is declared to be the subject", field="columns")
        columns = tuple(replace(column, role=roles.get(column.name)) for column in schema.columns)
        for place, column in enumerate(columns):
            if column.role is Role.SUBJECT:
                _check_subject(column, missing=self._scan.columns[place][2])
                columns = (*columns[:place], replace(column, nullable=False), *columns[place + 1 :])
        return replace(self._manifest, schema=Schema(columns, reference))

    def _counted(self, manifest: Manifest, columns: tuple[str, ...]) -> Manifest:
        """The description with the smallest group of rows that agree in ``columns``."""
        if not columns:
            return manifest
        if manifest.schema is None or manifest.append_only:
            raise BadHeader("groups are counted in a table that does not grow", field="grouped_by")
        places = [manifest.schema.index(name) for name in columns]
        if any(manifest.schema.columns[place].type is ColumnType.JSON for place in places):
            raise BadHeader("rows are not grouped by a column of mixed values", field="grouped_by")
        with writing():
            smallest = smallest_group(self._folder / INDEX_FILE, places)
        return replace(manifest, groups=Groups(columns, smallest))

    def _seal(self, manifest: Manifest) -> None:
        schema = manifest.schema
        if schema is not None:
            subject = None if schema.subject is None else schema.index(schema.subject.name)
            seal_index(self._folder / INDEX_FILE, subject, growing=manifest.append_only)
        path = self._folder / MANIFEST_FILE
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            write_all(descriptor, manifest.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(self._folder)


def _categorised(manifest: Manifest, categories: Mapping[str, str]) -> Manifest:
    schema = manifest.schema
    if not categories:
        return manifest
    if schema is None:
        raise BadHeader("a plain file has no columns to declare anything of")
    for name in categories:
        schema.index(name)
    columns = tuple(replace(column, category=categories.get(column.name)) for column in schema.columns)
    return replace(manifest, schema=replace(schema, columns=columns))


def draft_file(source: Path, folder: Path, shelf: Path, media_type: str, watch: Watch) -> Draft:
    """Copy a plain file into ``folder``, which must not exist yet."""
    with ExitStack() as undo:
        with open_original(source) as original, writing():
            _make(folder, undo)
            content = original.copy_to(folder / ROWS_FILE, watch)
            manifest = Manifest(Form.FILE, media_type, content, original.size)
        undo.pop_all()
    return Draft(folder, shelf, manifest, None)


def draft_table(source: Path, folder: Path, shelf: Path, options: TableOptions, watch: Watch) -> Draft:
    """Copy a table into ``folder``, which must not exist yet, read it through, and index it."""
    with ExitStack() as undo:
        with open_original(source) as original, writing():
            media_type, rows = _recognise(source, original, options)
            _make(folder, undo)
            inspect = None if media_type == PARQUET else EndlessLine()
            content = original.copy_to(folder / ROWS_FILE, watch, inspect)
            size = original.size
        rows_file = folder / ROWS_FILE
        with writing():
            if media_type == PARQUET:
                rows_file = folder / LINES_FILE
                write_lines(folder / ROWS_FILE, rows_file, watch)
            scan, schema = _index(rows_file, folder / INDEX_FILE, rows, options, watch)
        manifest = Manifest(
            form=Form.TABLE,
            media_type=media_type,
            content=content,
            size=size,
            rows=scan.rows,
            schema=schema,
            delimiter=rows.delimiter if isinstance(rows, Delimited) else None,
            header=isinstance(rows, Delimited) and rows.header,
            append_only=options.append_only,
        )
        undo.pop_all()
    return Draft(folder, shelf, manifest, scan)


def _make(folder: Path, undo: ExitStack) -> None:
    folder.mkdir(mode=0o700)
    undo.callback(shutil.rmtree, folder, ignore_errors=True)


def _recognise(source: Path, original: Original, options: TableOptions) -> tuple[str, RowFormat[Any]]:
    """What sort of table it is: said by the publisher, by the file's name, or by its first bytes."""
    head = original.head()
    media_type = options.media_type or _SUFFIXES.get(source.suffix.lower())
    if head.startswith(PARQUET_MAGIC) or media_type == PARQUET:
        if options.append_only:
            raise SnapshotNotWritten(
                "a Parquet table cannot grow", next_step="Publish it as CSV or JSON Lines to append to it."
            )
        return PARQUET, JsonLines()
    check_beginning(head)
    text = head[:_SNIFFED_BYTES].decode("utf-8", errors="replace").removeprefix("\ufeff")
    if media_type is None:
        media_type = JSON_LINES if text.lstrip().startswith(("{", "[")) else CSV
    if media_type not in TABLE_MEDIA_TYPES:
        raise BadRow(f"a table is one of {', '.join(TABLE_MEDIA_TYPES)}", field="media_type")
    if media_type == JSON_LINES:
        if text.lstrip().startswith("["):
            raise BadRow(
                "the file is one JSON list, not an object a line",
                next_step="Write one object a line: jq -c '.[]' OLD > NEW",
                field="rows[1]",
            )
        return JSON_LINES, JsonLines()
    return CSV, _recognise_csv(text, options)


def _recognise_csv(text: str, options: TableOptions) -> Delimited:
    whole_lines = text[: text.rfind("\n") + 1] or text
    delimiter = options.delimiter or find_delimiter(whole_lines)
    if delimiter not in DELIMITERS:
        raise BadHeader("a delimiter is a comma, semicolon, tab or bar", field="delimiter")
    if options.header is None and looks_like_data(first_record(whole_lines, delimiter)):
        raise BadHeader(
            "the first line looks like a row, not like the columns' names",
            next_step="Put a line with names first, or say that there is none with --no-header.",
            field="rows[0]",
        )
    return Delimited(delimiter, options.header is not False)


def _index(
    rows_file: Path, index: Path, rows: RowFormat[Any], options: TableOptions, watch: Watch
) -> tuple[Scan, Schema]:
    """Read the copy twice: to find the columns, then to index every row."""
    descriptor = os.open(rows_file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        scan = rows.scan(Lines(descriptor, 0, size, watch, "read"))
        schema = _schema(scan, options)
        builder = IndexBuilder(index, len(schema.columns), watch)
        try:
            for entries in rows.entries(Lines(descriptor, scan.prefix, size, watch, "index"), schema):
                builder.add(entries)
            builder.finish(schema, scan.longest, scan.prefix)
        finally:
            builder.close()
    finally:
        os.close(descriptor)
    return scan, schema


def _schema(scan: Scan, options: TableOptions) -> Schema:
    schema = Schema(
        tuple(
            # Of rows still to come nobody knows whether they have a value everywhere.
            Column(name, options.types.get(name, kind), nullable or options.append_only)
            for name, kind, nullable in scan.columns
        )
    )
    for name in options.types:
        schema.index(name)
    return schema


def _check_subject(column: Column, *, missing: bool) -> None:
    if missing:
        raise BadRow(
            "a row has no value in the subject column, so nobody could tell whom it is about",
            field=column.name[:200],
        )
    if column.type not in (ColumnType.STRING, ColumnType.INTEGER):
        raise BadHeader(
            f"a column of type {column.type.value} cannot be the subject; ids are text or integers",
            next_step="Declare the column's type as string, or choose the column that holds the ids.",
            field=column.name[:200],
        )
