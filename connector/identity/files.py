"""Files that appear whole and durable, or not at all.

Rules that hold here:

* Written beside under the mode they will have, synced, put in place in one step, folder synced.
* :func:`write_new` never replaces what is there; :func:`write_over` does, atomically.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ledger.errors import BylagError, ErrorKind

PRIVATE: Final = 0o600
PUBLIC: Final = 0o644
PRIVATE_FOLDER: Final = 0o700


class CannotWrite(BylagError):
    """The file system did not take a file; nothing of it is there."""

    code = "CANNOT_WRITE"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Look at the disk's space and at who may write there, and run the command again."


class CannotRead(BylagError):
    """A file that should be there cannot be read."""

    code = "CANNOT_READ"
    kind = ErrorKind.DAMAGED
    default_next_step = "Restore the file from its backup, or make it readable for this user."


def read(path: Path) -> bytes:
    """A whole file. Raises :class:`CannotRead`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CannotRead(f"{path.name} cannot be read: {error.strerror}") from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise what the file system refuses as :class:`CannotWrite`; :class:`FileExistsError` as it is."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        raise CannotWrite(f"{path.name} cannot be written: {error.strerror}") from error


def write_new(path: Path, data: bytes, *, mode: int) -> None:
    """Create ``path``. Raises :class:`FileExistsError` when there is one, :class:`CannotWrite`."""
    with writing(path):
        beside = _write_beside(path, data, mode)
        try:
            os.link(beside, path)  # unlike a rename, never replaces what is there
        finally:
            beside.unlink()
        sync_folder(path.parent)


def write_over(path: Path, data: bytes, *, mode: int) -> None:
    """Create or replace ``path``. Raises :class:`CannotWrite`."""
    with writing(path):
        _write_beside(path, data, mode).replace(path)
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_beside(path: Path, data: bytes, mode: int) -> Path:
    beside = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        beside.unlink()  # what a crash left behind
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)  # whatever the umask took away
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return beside
