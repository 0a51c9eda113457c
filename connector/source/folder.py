"""The folder in which a connector keeps its dataset versions.

Rules that hold here:

* ``<digest>/`` is a version: ``rows`` (the bytes as given), ``version.json`` (its description) and,
  for a table, ``index.sqlite``. A name that begins with a dot is work in progress, or what a crash
  left of it.
* A version is looked up by its digest alone, and is shown only if its description still has that
  digest. Nothing from outside ever becomes a path.
* Folders are the owner's alone (0700).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from contextlib import closing
from pathlib import Path
from typing import Final

from connector.source.append import Appended, append_rows
from connector.source.draft import Draft, TableOptions, draft_file, draft_table
from connector.source.errors import NotReleasable, SnapshotDamaged, SnapshotUnknown, SourceError
from connector.source.lines import BLOCK_BYTES, Watch
from connector.source.manifest import MEDIA_TYPE_PATTERN, Form, Manifest
from connector.source.original import sync_folder, writing
from connector.source.reader import Reader
from connector.source.snapshot import MANIFEST_FILE, ROWS_FILE, FileSnapshot, Snapshot, open_rows
from connector.source.table import TableSnapshot
from ledger.ambient import Ambient
from ledger.canonical import MalformedJson, decode_canonical
from ledger.errors import ErrorKind
from ledger.fields import BadField, Fields
from ledger.names import VersionDigest

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_MAX_MANIFEST_BYTES: Final = 1 << 20


class BadMediaType(SourceError):
    """A media type that is none."""

    code = "BAD_MEDIA_TYPE"
    kind = ErrorKind.INVALID
    default_next_step = "Give a type such as application/pdf."


class SnapshotFolder:
    """All dataset versions of one connector."""

    def __init__(self, folder: Path, ambient: Ambient) -> None:
        self._folder = folder
        self._ambient = ambient
        with writing():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def draft_table(
        self, source: Path, options: TableOptions | None = None, watch: Watch | None = None
    ) -> Draft:
        """Copy, read and index a table; the draft's owner publishes or discards it.

        Raises a :class:`~connector.source.errors.SourceError`; then nothing is left behind.
        """
        return draft_table(source, self._fresh(), self._folder, options or TableOptions(), watch or Watch())

    def draft_file(
        self,
        source: Path,
        media_type: str = "application/octet-stream",
        *,
        about_people: bool = False,
        watch: Watch | None = None,
    ) -> Draft:
        """Copy a plain file, of any size and kind; refused for data about people."""
        if about_people:
            raise NotReleasable("data about people cannot be published as a plain file")
        if not MEDIA_TYPE_PATTERN.fullmatch(media_type):
            raise BadMediaType("this is not a media type", field="media_type")
        return draft_file(source, self._fresh(), self._folder, media_type, watch or Watch())

    def open(self, digest: VersionDigest) -> Snapshot:
        """A version, for reading; close it when done.

        Raises :class:`~connector.source.errors.SnapshotUnknown` or
        :class:`~connector.source.errors.SnapshotDamaged`. Does not read the content again; that is
        :meth:`check`.
        """
        manifest = self.manifest(digest)
        folder = self._folder / digest
        return (
            TableSnapshot(folder, manifest) if manifest.form is Form.TABLE else FileSnapshot(folder, manifest)
        )

    def manifest(self, digest: VersionDigest) -> Manifest:
        """A version's description, checked against its name."""
        if not _DIGEST.fullmatch(digest):
            raise SnapshotUnknown("a version is named by 64 hexadecimal digits", field="version")
        try:
            data = (self._folder / digest / MANIFEST_FILE).read_bytes()
        except FileNotFoundError as error:
            raise SnapshotUnknown("no such version is kept here", field="version") from error
        except OSError as error:
            raise SnapshotDamaged(f"a version's description cannot be read: {error.strerror}") from error
        try:
            manifest = Manifest.from_fields(Fields(decode_canonical(data, max_bytes=_MAX_MANIFEST_BYTES)))
        except (MalformedJson, BadField, SourceError) as error:
            raise SnapshotDamaged("a version's description cannot be understood") from error
        if manifest.digest != digest:
            raise SnapshotDamaged("a version's description does not have the digest it is named by")
        return manifest

    def append(self, digest: VersionDigest, source: Path, watch: Watch | None = None) -> Appended:
        """Add rows to an append-only version. See :func:`~connector.source.append.append_rows`."""
        return append_rows(self._folder / digest, self.manifest(digest), source, watch or Watch())

    def check(self, digest: VersionDigest, watch: Watch | None = None) -> None:
        """Read a version's whole content and compare it with its description.

        Raises :class:`~connector.source.errors.SnapshotDamaged`. The index is not compared.
        """
        manifest = self.manifest(digest)
        parts = [(0, manifest.size, manifest.content)]
        if manifest.append_only:
            with closing(Reader(self._folder / digest, ROWS_FILE, growing=True)) as reader:
                parts += reader.all("SELECT start, stop, sha256 FROM appends ORDER BY first")
        descriptor = open_rows(self._folder / digest / ROWS_FILE)
        try:
            for start, stop, expected in parts:
                if _digest(descriptor, start, stop, watch or Watch()) != expected:
                    raise SnapshotDamaged("a version's content is not what its description says")
        finally:
            os.close(descriptor)

    def digests(self) -> list[VersionDigest]:
        """The versions that are kept, in no order that means anything."""
        return sorted(
            VersionDigest(each.name) for each in self._folder.iterdir() if _DIGEST.fullmatch(each.name)
        )

    def remove(self, digest: VersionDigest) -> None:
        """Stop keeping a version. Releases that have begun go on from what they hold open."""
        if not _DIGEST.fullmatch(digest) or not (self._folder / digest).is_dir():
            raise SnapshotUnknown("no such version is kept here", field="version")
        leaving = self._fresh("removed")
        with writing():
            (self._folder / digest).rename(leaving)
            sync_folder(self._folder)
        shutil.rmtree(leaving, ignore_errors=True)

    def sweep(self) -> int:
        """Remove what a crash left unfinished; for the start of a connector, before anything else."""
        leftovers = [each for each in self._folder.iterdir() if each.name.startswith(".")]
        for each in leftovers:
            shutil.rmtree(each, ignore_errors=True)
        return len(leftovers)

    def _fresh(self, kind: str = "draft") -> Path:
        return self._folder / f".{kind}-{self._ambient.random(8).hex()}"


def _digest(descriptor: int, start: int, stop: int, watch: Watch) -> str:
    digest, position = hashlib.sha256(), start
    while position < stop and (block := os.pread(descriptor, min(BLOCK_BYTES, stop - position), position)):
        digest.update(block)
        position += len(block)
        watch.tick("check", position, stop)
    return digest.hexdigest()
