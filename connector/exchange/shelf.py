"""The shelf: dataset versions as an exchange reads them, from the catalogue's rows and the source room.

Rules that hold here:

* A mask or row filter of the decision is applied by the source before the asker's own selection.
* Rows about people leave with a label each, in a transfer or a subscription. Not as a file and not
  verbatim (the source refuses both), and not in a query session: there each answer leaves by itself,
  and the labels of a window are known only when it closes.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from typing import Final

from sqlmodel import col, select

from connector.catalog.dataset import Dataset
from connector.exchange.ground import Denied
from connector.exchange.version_facts import MEMBER, VersionFacts
from connector.source.errors import BadPosition, NotReleasable, SnapshotUnknown, SourceError
from connector.source.folder import SnapshotFolder
from connector.source.schema import LABEL_COLUMN
from connector.source.selection import WHOLE, Condition, Selection
from connector.source.snapshot import Piece, Snapshot
from connector.source.table import TableSnapshot
from connector.source.view import Labels, View
from connector.store.database import Database
from connector.store.tables import DatasetRow, VersionRow
from ledger.canonical import JSONObject, decode_object
from ledger.errors import BylagError
from ledger.fields import Fields
from ledger.names import DatasetId, VersionDigest

LOOKUP_ROWS: Final = 1000
KEPT_OPEN: Final = 32


class OnShelf:
    """One version, opened."""

    def __init__(self, snapshot: Snapshot, *, about_people: bool, description: bytes) -> None:
        """``description``: of the dataset, as the catalogue stores it."""
        self._snapshot = snapshot
        self._about_people = about_people
        self.description = description
        self.about = VersionFacts.of(Dataset.from_json(decode_object(description)), snapshot.manifest)
        """What a policy may be compared with."""

    @property
    def digest(self) -> str:
        """The version's name."""
        return self._snapshot.digest

    @property
    def labelled(self) -> bool:
        """Whether its rows are about people, and leave with a label each."""
        schema = self._snapshot.manifest.schema
        return schema is not None and schema.subject is not None

    def end(self) -> int:
        """The position after everything that is there now."""
        return self._snapshot.end()

    def check(
        self,
        mode: str,
        selection: JSONObject | None,
        position: int,
        *,
        mask: tuple[str, ...],
        row_filter: JSONObject | None,
    ) -> None:
        """Raise ``Denied`` for what cannot be released so: in this mode, from there, of these rows."""
        if mode == "query":
            self._require_table()
            if self.labelled or self._about_people:
                raise Denied("QUERY_ABOUT_PEOPLE", "rows about people leave in a transfer or a subscription")
            return
        if mode == "subscribe":
            self._require_growing(_selection(selection))
        # Refuses at once and reads nothing: no label is asked for before the first row.
        self.pieces(selection, position, mask=mask, row_filter=row_filter, labels=list)

    def _require_table(self) -> TableSnapshot:
        if not isinstance(self._snapshot, TableSnapshot):
            raise Denied("NOT_A_TABLE", "questions are asked of tables")
        return self._snapshot

    def _require_growing(self, wanted: Selection) -> None:
        if not self._snapshot.manifest.append_only:
            raise Denied("NOT_APPEND_ONLY", "only an append-only table can be subscribed to")
        if wanted.order or wanted.limit is not None:
            raise Denied("BAD_SELECTION", "rows that are still to come have no order and no limit")

    def schema(self, mask: tuple[str, ...]) -> JSONObject:
        """The columns that may be seen, which one holds the labels, and what is said of the version."""
        said: JSONObject = {MEMBER: self.about.to_json()}
        schema = self._snapshot.manifest.schema
        if schema is None:
            return said
        said |= self._view(mask, None).visible(schema).to_json()
        return {**said, "labels": LABEL_COLUMN} if self.labelled else said

    def media_type(self, selection: JSONObject | None, mask: tuple[str, ...]) -> str:
        """Of what :meth:`pieces` gives."""
        return self._snapshot.media_type(_selection(selection), self._view(mask, None))

    def size(
        self, selection: JSONObject | None, *, mask: tuple[str, ...], row_filter: JSONObject | None
    ) -> int | None:
        """How many bytes leave, where that is known beforehand: a version that leaves verbatim."""
        manifest = self._snapshot.manifest
        changed = selection is not None or mask or row_filter is not None or self.labelled
        return None if changed or manifest.append_only else manifest.size

    def share(self, selection: JSONObject | None) -> int | None:
        """How much of the rows a selection gives, in whole per cent, rounded up; a file leaves whole.

        May read the whole index. Raises ``Denied`` for a selection that cannot be.
        """
        if selection is None or not isinstance(self._snapshot, TableSnapshot):
            return 100
        try:
            found = self._snapshot.count(_selection(selection), self._view((), None))
        except SourceError as error:
            raise _denied(error) from error
        rows = self._snapshot.rows()
        return -(-100 * found // rows) if rows else 100

    def pieces(
        self,
        selection: JSONObject | None,
        position: int,
        *,
        mask: tuple[str, ...],
        row_filter: JSONObject | None,
        until: int | None = None,
        labels: Labels | None = None,
    ) -> Iterator[Piece]:
        """Pieces from ``position`` on, up to ``until``. Raises ``Denied`` for what cannot be released so."""
        view = self._view(mask, row_filter, labels if self.labelled else None)
        try:
            pieces = self._snapshot.pieces(_selection(selection), position, view, until=until)
        except SourceError as error:
            raise _denied(error) from error
        return _with_rows(pieces) if self.labelled else pieces

    def lookup(
        self, selection: JSONObject, *, mask: tuple[str, ...], row_filter: JSONObject | None
    ) -> tuple[bytes, int]:
        """A few rows of a table."""
        table = self._require_table()
        try:
            piece = table.lookup(_selection(selection), self._view(mask, row_filter), limit=LOOKUP_ROWS)
        except SourceError as error:
            raise _denied(error) from error
        return bytes(piece.data), piece.rows

    def _view(
        self, mask: tuple[str, ...], row_filter: JSONObject | None, labels: Labels | None = None
    ) -> View:
        conditions = () if row_filter is None else _conditions(row_filter)
        return View(
            about_people=self._about_people, mask=frozenset(mask), row_filter=conditions, labels=labels
        )


class StoredShelf:
    """Every published version, by dataset."""

    def __init__(self, database: Database, folder: SnapshotFolder) -> None:
        self._database = database
        self._folder = folder
        self._open: dict[tuple[str, str], OnShelf] = {}
        self._lock = Lock()

    def snapshot(self, dataset: DatasetId, version: str | None) -> OnShelf:
        """A version of a dataset, or its newest. Raises
        :class:`~connector.source.errors.SnapshotUnknown`."""
        with self._database.read() as session:
            query = select(VersionRow).where(VersionRow.dataset == dataset)
            if version is not None:
                query = query.where(VersionRow.digest == version)
            row = session.exec(query.order_by(col(VersionRow.number).desc()).limit(1)).first()
            about = session.get(DatasetRow, dataset)
        if row is None or about is None:
            raise SnapshotUnknown("no such version is published", field="dataset_version")
        with self._lock:
            place = (dataset, row.digest)
            known = self._open.get(place)
            if known is None or known.description != about.description:
                if known is None and len(self._open) >= KEPT_OPEN:
                    self._open.pop(next(iter(self._open)))
                known = self._opened(row.digest, about)
                self._open[place] = known
        return known

    def _opened(self, digest: str, about: DatasetRow) -> OnShelf:
        snapshot = self._folder.open(VersionDigest(digest))
        return OnShelf(snapshot, about_people=about.about_people, description=about.description)


def _with_rows(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """A header leaves with the first row, and where there is no row nothing does."""
    waiting: list[Piece] = []
    for piece in pieces:
        waiting.append(piece)
        if piece.rows:
            yield from waiting
            waiting.clear()


def _denied(error: SourceError) -> Denied:
    """What the source refuses, as the denial that is recorded: a position, a form, or a question."""
    code = error.code if isinstance(error, (BadPosition, NotReleasable)) else "BAD_SELECTION"
    return Denied(code, str(error))


def _selection(selection: JSONObject | None) -> Selection:
    if selection is None:
        return WHOLE
    try:
        return Selection.from_json(selection)
    except BylagError as error:
        raise Denied("BAD_SELECTION", str(error)) from error


def _conditions(row_filter: JSONObject) -> tuple[Condition, ...]:
    fields = Fields(row_filter)
    conditions = tuple(Condition.from_fields(each) for each in fields.objects("where", limit=64))
    fields.finish()
    return conditions
