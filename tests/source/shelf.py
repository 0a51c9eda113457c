"""What the tests of this room share: a folder of versions, and short ways to publish into it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from connector.source.draft import TableOptions
from connector.source.folder import SnapshotFolder
from connector.source.schema import Role
from connector.source.selection import WHOLE, Condition, Op, Selection
from connector.source.snapshot import Piece, Snapshot
from connector.source.table import TableSnapshot
from connector.source.view import EVERYTHING, View
from ledger.ambient import HeldAmbient


class Shelf:
    """A folder of versions under ``root``, and files to publish beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / "snapshots"
        self.folder = SnapshotFolder(self.path, HeldAmbient())
        self._count = 0

    def file(self, content: bytes, name: str = "table.csv") -> Path:
        """A file with this content, fresh each time."""
        self._count += 1
        path = self.root / f"{self._count}-{name}"
        path.write_bytes(content)
        return path

    def table(
        self,
        content: bytes,
        name: str = "table.csv",
        *,
        subject: str | None = None,
        options: TableOptions | None = None,
    ) -> TableSnapshot:
        """Publish a table and open it."""
        roles = {} if subject is None else {subject: Role.SUBJECT}
        with self.folder.draft_table(self.file(content, name), options) as draft:
            snapshot = self.folder.open(draft.publish(roles))
        assert isinstance(snapshot, TableSnapshot)
        return snapshot

    def growing(
        self, content: bytes, name: str = "table.csv", *, subject: str | None = None
    ) -> TableSnapshot:
        """Publish an append-only table and open it."""
        return self.table(content, name, subject=subject, options=TableOptions(append_only=True))

    def left_behind(self) -> list[str]:
        """Everything that lies in the folder of versions."""
        return sorted(path.name for path in self.path.iterdir())


def joined(pieces: Sequence[Piece]) -> bytes:
    """The bytes that a consumer would have stored."""
    return b"".join(piece.data for piece in pieces)


def released(
    snapshot: Snapshot, selection: Selection = WHOLE, view: View = EVERYTHING, position: int = 0
) -> bytes:
    """Everything from a position on."""
    return joined([*snapshot.pieces(selection, position, view)])


def where(column: str, op: str, value: str | int | bool | tuple[str | int | bool, ...]) -> Selection:
    """A selection with one condition."""
    return Selection(where=(Condition(column, Op(op), value),))


def label_of(subjects: Sequence[str]) -> list[str]:
    """Labels that show whose they are, for tests."""
    return [subject.encode().hex().rjust(32, "0")[-32:] for subject in subjects]
