"""Files that a command reads or writes for its user.

Rules that hold here: what is written appears whole or not at all, and never takes the place of what
is there; what is read has a limit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from connector.identity.files import PUBLIC, CannotWrite, write_new
from ledger.errors import BylagError, ErrorKind

MAX_FILE: Final = 64 << 20


class CannotReadFile(BylagError):
    """A file that was named on the command line cannot be read."""

    code = "CANNOT_READ_FILE"
    default_next_step = "Check the file's name, and that you may read it."


class FileExists(BylagError):
    """A file that was to be written is there already."""

    code = "FILE_EXISTS"
    kind = ErrorKind.CONFLICT
    default_next_step = "Name another file, or move this one away."


def read_file(path: Path, *, limit: int = MAX_FILE) -> bytes:
    """A whole file of at most ``limit`` bytes. Raises :class:`CannotReadFile`."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else "the name holds a NUL byte"
        raise CannotReadFile(f"{path.name} cannot be read: {problem}") from error
    if len(data) > limit:
        raise CannotReadFile(f"{path.name} has more than {limit} bytes")
    return data


def require_free(path: Path) -> None:
    """Say before anything happens that there is no place for a result.

    Raises :class:`FileExists` or :class:`~connector.identity.files.CannotWrite`.
    """
    if path.exists() or path.is_symlink():
        raise FileExists(f"{path.name} exists")
    if not path.parent.is_dir():
        raise CannotWrite(f"{path.name} cannot be written: there is no folder {path.parent.name}")


def write_file(path: Path, data: bytes, *, mode: int = PUBLIC) -> None:
    """Write a file that is not there yet. Raises :class:`FileExists`, ``CannotWrite``."""
    try:
        write_new(path, data, mode=mode)
    except FileExistsError as error:
        raise FileExists(f"{path.name} exists") from error
