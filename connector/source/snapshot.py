"""A dataset version as it is read: pieces, positions, and plain files.

Rules that hold here:

* A ``Piece`` is at most 1 MiB. Its ``position`` is where the next piece starts: an opaque, strictly
  growing integer below 2^53, and all that a resume needs. 0 is the beginning.
* A plain file's position is a byte offset. Its pieces, put together, are the file.
* A plain file cannot be selected from, filtered or masked, and nothing about people leaves so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from connector.source.errors import BadPosition, BadSelection, NotReleasable, SnapshotDamaged
from connector.source.lines import MAX_PIECE_BYTES
from connector.source.manifest import Manifest
from connector.source.selection import WHOLE, Selection
from connector.source.view import EVERYTHING, View
from ledger.names import VersionDigest

READ_BYTES: Final = 8 << 20
"""How much of a file is read at once: what a window holds (LEDGER.md section 3)."""
ROWS_FILE: Final = "rows"
"""The bytes as they were given, of tables and plain files alike."""
MANIFEST_FILE: Final = "version.json"
INDEX_FILE: Final = "index.sqlite"
LINES_FILE: Final = "lines"
"""A Parquet table's rows as JSON Lines, for release in part."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a release. ``rows`` is 0 in plain files and for a header that stands alone."""

    data: bytes | memoryview = field(repr=False)
    rows: int
    position: int
    """Where the next piece starts."""
    subjects: tuple[str, ...] | None = field(default=None, repr=False)
    """Whom the rows are about, one entry a row in order; None for data about nobody."""


class Snapshot(Protocol):
    """One version of a dataset, opened for reading. Safe to read from several threads at once."""

    @property
    def manifest(self) -> Manifest: ...

    @property
    def digest(self) -> VersionDigest: ...

    def pieces(
        self,
        selection: Selection = WHOLE,
        position: int = 0,
        view: View = EVERYTHING,
        *,
        until: int | None = None,
    ) -> Iterator[Piece]:
        """Pieces from ``position`` on; what is refused is refused before the first one."""

    def media_type(self, selection: Selection = WHOLE, view: View = EVERYTHING) -> str:
        """Of what :meth:`pieces` gives."""

    def end(self) -> int:
        """The position after everything that is there now."""

    def close(self) -> None:
        """Let go of files. Releases that are running keep theirs."""


class FileSnapshot:
    """A plain file: released as it is, of any size, in constant memory."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._path = folder / ROWS_FILE
        self._manifest = manifest

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    @property
    def digest(self) -> VersionDigest:
        return self._manifest.digest

    def pieces(
        self,
        selection: Selection = WHOLE,
        position: int = 0,
        view: View = EVERYTHING,
        *,
        until: int | None = None,
    ) -> Iterator[Piece]:
        """The bytes from ``position`` on.

        Raises :class:`~connector.source.errors.NotReleasable` for data about people,
        :class:`~connector.source.errors.BadSelection` for anything but the whole, and
        :class:`~connector.source.errors.BadPosition`.
        """
        if view.about_people or view.subjects is not None or view.labels is not None:
            raise NotReleasable("data about people never leaves as a plain file")
        if not selection.is_whole or view.mask or view.row_filter:
            raise BadSelection("a plain file is released whole; it has no columns to choose or to hide")
        return whole_bytes(
            self._path, position, self._manifest.size if until is None else until, self._manifest
        )

    def media_type(self, selection: Selection = WHOLE, view: View = EVERYTHING) -> str:  # noqa: ARG002
        return self._manifest.media_type

    def end(self) -> int:
        return self._manifest.size

    def close(self) -> None:
        """Nothing is kept open."""


def whole_bytes(path: Path, position: int, until: int, manifest: Manifest) -> Iterator[Piece]:
    """A version's bytes as given. All rows, where there are any, are counted with the last piece."""
    if not 0 <= position <= until <= manifest.size:
        raise BadPosition(f"the version has {manifest.size} bytes", field="position")
    return _bytes(path, position, until, manifest)


def _bytes(path: Path, position: int, until: int, manifest: Manifest) -> Iterator[Piece]:
    descriptor = open_rows(path)
    try:
        while position < until:
            block = memoryview(os.pread(descriptor, min(READ_BYTES, until - position), position))
            if not block:
                raise SnapshotDamaged("a version's file is shorter than its description says")
            for start in range(0, len(block), MAX_PIECE_BYTES):
                data = block[start : start + MAX_PIECE_BYTES]
                position += len(data)
                yield Piece(data, (manifest.rows or 0) if position == manifest.size else 0, position)
    finally:
        os.close(descriptor)


def open_rows(path: Path) -> int:
    """Open a version's file for reading. Raises :class:`~connector.source.errors.SnapshotDamaged`."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise SnapshotDamaged(f"a version's file cannot be opened: {error.strerror}") from error
