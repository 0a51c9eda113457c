"""What can be wrong with a file, a table, or a question about it.

No error here quotes a cell: a row's number and a column's name are enough to find it, and neither
is personal data.
"""

from __future__ import annotations

from ledger.errors import BylagError, ErrorKind


class SourceError(BylagError):
    """Base of everything that goes wrong with a source."""

    code = "SOURCE"


class SourceUnreadable(SourceError):
    """The file named does not exist, is no regular file, or may not be read."""

    code = "SOURCE_UNREADABLE"
    default_next_step = "Name a regular file that this user may read, not a folder, link or device."


class SourceChanged(SourceError):
    """The file changed while it was being read, so what was read may never have existed."""

    code = "SOURCE_CHANGED"
    kind = ErrorKind.CONFLICT
    default_next_step = "Publish again once nothing writes to the file any more."


class SourcePacked(SourceError):
    """The file is compressed or an archive, and was offered as a table."""

    code = "SOURCE_PACKED"
    default_next_step = "Unpack it first, or publish it as a plain file with --raw."


class SourceEmpty(SourceError):
    """There is nothing in the file."""

    code = "SOURCE_EMPTY"
    default_next_step = "Check that the export which wrote the file succeeded."


class WrongEncoding(SourceError):
    """The file is not UTF-8 text."""

    code = "WRONG_ENCODING"
    default_next_step = "Convert it: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW (or -f UTF-16)."


class BadHeader(SourceError):
    """The columns' names are missing, doubled, too many, or hold characters that deceive."""

    code = "BAD_HEADER"
    default_next_step = "Correct the first line; every column needs a plain name of its own."


class BadRow(SourceError):
    """One row cannot be read as the table's rows are."""

    code = "BAD_ROW"
    default_next_step = "Correct that row in the file and publish it again."


class RowTooLarge(SourceError):
    """One row is larger than a piece may be, so it could never be sent."""

    code = "ROW_TOO_LARGE"
    default_next_step = "Look for a quotation mark that is never closed, or publish the file with --raw."


class ExtraMissing(SourceError):
    """Reading this kind of table needs an optional part of the installation."""

    code = "EXTRA_MISSING"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Install the extra: pip install 'bylag[tables]'."


class PublishCancelled(SourceError):
    """Whoever started it asked for it to stop; nothing was kept."""

    code = "PUBLISH_CANCELLED"
    kind = ErrorKind.CONFLICT
    default_next_step = "Start again when ready; nothing needs cleaning up."


class AppendRefused(SourceError):
    """The rows do not fit the table they were to be appended to; none was."""

    code = "APPEND_REFUSED"
    kind = ErrorKind.CONFLICT
    default_next_step = "Give the rows the table's own header and types, or publish a new version."


class SnapshotUnknown(SourceError):
    """No version of that name is kept here."""

    code = "SNAPSHOT_UNKNOWN"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "Look at the dataset's versions in the catalogue."


class SnapshotDamaged(SourceError):
    """A kept version contradicts its own description."""

    code = "SNAPSHOT_DAMAGED"
    kind = ErrorKind.DAMAGED
    default_next_step = "Restore the version's folder from a backup; nothing of it is released until then."


class SnapshotNotWritten(SourceError):
    """The version could not be written, usually because the disk is full; nothing was kept."""

    code = "SNAPSHOT_NOT_WRITTEN"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Free some space, run `bylag doctor`, and try again."


class BadSelection(SourceError):
    """The question is malformed, too long, or does not fit the column's type."""

    code = "BAD_SELECTION"
    default_next_step = "Compare the selection with the schema in the offer."


class UnknownColumn(BadSelection):
    """No column of that name can be asked for. A hidden column gets the same answer."""

    code = "UNKNOWN_COLUMN"
    default_next_step = "Use a column that the offer's schema names."


class BadPosition(SourceError):
    """The position lies outside the version, or cannot be gone on from."""

    code = "BAD_POSITION"
    default_next_step = "Start again from position 0."


class TooMuchAsked(SourceError):
    """The question costs more than a quick answer may."""

    code = "TOO_MUCH_ASKED"
    kind = ErrorKind.EXHAUSTED
    default_next_step = "Add a condition on an indexed column, ask for fewer rows, or fetch the table."


class NotReleasable(SourceError):
    """Data about people would leave in a form in which a person's rows could not be found again."""

    code = "NOT_RELEASABLE"
    kind = ErrorKind.DENIED
    default_next_step = "Publish it as a table whose subject column is declared."
