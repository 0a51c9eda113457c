"""The home folder: where everything one participant has lies.

Rules that hold here:

* The folder is the owner's alone (mode 0700); a wider one is refused, not repaired in silence.
* One process at a time works on a home: it holds an advisory lock on ``lock`` while it runs. The
  kernel drops the lock when the process dies, so there is nothing to clean up after a crash.
* Paths are made here and nowhere else.
"""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from typing import Final

from ledger.errors import BylagError, ErrorKind

OWNER_ONLY: Final = 0o700


class HomeMissing(BylagError):
    """There is no participant in this folder."""

    code = "HOME_MISSING"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "Run `bylag init` first, or name the right folder with --home or BYLAG_HOME."


class HomeInUse(BylagError):
    """Another process works on this home."""

    code = "HOME_IN_USE"
    kind = ErrorKind.CONFLICT
    default_next_step = "Stop the connector that runs on this home, or give the command to it."


class HomeExposed(BylagError):
    """Others than the owner can read the home folder."""

    code = "HOME_EXPOSED"
    kind = ErrorKind.DENIED
    default_next_step = "Make the folder yours alone: chmod 700 on it."


class Home:
    """A home folder's paths. Nothing is read or created by naming one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "connector.toml"
        self.unfinished = folder / ".connector.toml.init"
        """The settings while the home is being made: what lies beside it then, nobody has seen yet."""
        self.database = folder / "bylag.db"
        self.keys = folder / "keys"
        self.side_keys = folder / "side-keys.db"
        self.registrar = folder / "registrar.json"
        self.guest_answer = folder / "guest-answer.json"
        self.log = folder / "log"
        self.snapshots = folder / "snapshots"
        self.inbox = folder / "inbox"
        self.local_rules = folder / "local-rules.tar.gz"
        self.rulebooks = folder / "rulebooks"
        self.lock_file = folder / "lock"
        self.control_socket = folder / "control.sock"

    def create(self) -> None:
        """Make the folder, the owner's alone. Raises :class:`HomeExposed` if it was made wider."""
        self.folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        self._require_owner_only()
        for part in (self.log, self.snapshots, self.inbox, self.rulebooks):
            part.mkdir(mode=OWNER_ONLY, exist_ok=True)

    def require(self) -> None:
        """Raise :class:`HomeMissing` or :class:`HomeExposed` unless a participant lives here."""
        if not self.config.is_file():
            raise HomeMissing("no participant lives in this folder")
        self._require_owner_only()

    def _require_owner_only(self) -> None:
        if stat.S_IMODE(self.folder.stat().st_mode) & 0o077:
            raise HomeExposed("others can read this home folder")


class HomeLock:
    """The right to work on a home, held while the object is open.

    Raises :class:`HomeInUse` when another process holds it.
    """

    def __init__(self, home: Home) -> None:
        self._descriptor = os.open(home.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise HomeInUse("another process works on this home") from error

    def release(self) -> None:
        """Give the right back; closing the descriptor drops the lock."""
        os.close(self._descriptor)


def is_in_use(home: Home) -> bool:
    """Whether another process holds the home's lock at this moment."""
    try:
        HomeLock(home).release()
    except HomeInUse:
        return True
    except FileNotFoundError:
        return False
    return False
