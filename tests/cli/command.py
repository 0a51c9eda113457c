"""The real command, run as a process: what it said, and how it ended.

Rules that hold here: every run is a process of its own with an environment of its own; whatever it
was given, it prints no stack trace, and it ends with a status that docs/cli.md lists.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.cli.failing import MEANINGS

BYLAG = Path(sys.executable).parent / "bylag"
LONGEST_SECONDS = 60


@dataclass(frozen=True)
class Ended:
    """A command that ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What ``--json`` printed; nothing else may stand on standard output."""
        return json.loads(self.out)

    def refused(self, code: str, status: int) -> None:
        """Require one clear error: its code, one line, what to do next, nothing on standard output."""
        said = self.err.splitlines()
        assert self.status == status, (self.status, self.out, self.err)
        assert len(said) == 2, self.err
        assert said[0].startswith(f"error {code}: "), said[0]
        assert len(said[0]) > len(f"error {code}: ")
        assert said[1].startswith("next: ")
        assert self.out == ""


@dataclass(frozen=True)
class Shell:
    """Where commands are run: a folder, which is also the user's own."""

    folder: Path

    def start(
        self, *arguments: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        """Start ``bylag`` with these arguments."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BYLAG_")}
        folders = {"HOME": str(self.folder), "BYLAG_REGISTRAR": str(self.folder / "registrar")}
        return subprocess.Popen(
            [str(BYLAG), *arguments],
            cwd=self.folder,
            env={**kept, **folders, "LC_ALL": "C.UTF-8", **(env or {})},
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=options.pop("stderr", subprocess.PIPE),
            text=True,
            encoding="utf-8",
            **options,
        )

    def __call__(
        self, *arguments: str, env: Mapping[str, str] | None = None, status: int | None = 0
    ) -> Ended:
        """Run ``bylag``; ``status`` is what it must end with, None leaves that open."""
        return ended(self.start(*arguments, env=env), status)

    def json(self, *arguments: str) -> Any:
        """Run ``bylag`` with ``--json`` and read what it printed."""
        return self(*arguments, "--json").json

    def serve(self, home: str) -> subprocess.Popen[str]:
        """Start a connector and wait until it says that it is ready."""
        with (self.folder / f"{home}.log").open("w") as log:
            process = self.start("serve", "--home", home, stderr=log)
        assert process.stdout is not None
        said = process.stdout.readline()
        assert json.loads(said)["ready"] is True, (said, (self.folder / f"{home}.log").read_text())
        return process


def ended(process: subprocess.Popen[str], status: int | None = 0) -> Ended:
    """Wait for a command to end, and hold it to the rules that hold for every command."""
    out, err = process.communicate(timeout=LONGEST_SECONDS)
    result = Ended(process.returncode, out or "", err or "")
    assert "Traceback" not in result.out + result.err, result.err
    assert result.status in MEANINGS, (result.status, result.err)
    if status is not None:
        assert result.status == status, (result.status, result.out, result.err)
    return result


def stop(process: subprocess.Popen[str]) -> int:
    """Ask a connector to end, and return its exit status."""
    process.terminate()
    started = time.monotonic()
    process.communicate(timeout=LONGEST_SECONDS)
    assert time.monotonic() - started < LONGEST_SECONDS
    return process.returncode
