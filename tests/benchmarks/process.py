"""The parties of a benchmark as processes of their own, told what to do by lines of JSON.

Rules that hold here: a process ends when its standard input does, so none outlives the run; every
answer is waited for with a limit; a process that fails tells what it printed last.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

ROOT = Path(__file__).resolve().parents[2]
LONGEST_SECONDS = 120.0
PARTING_SECONDS = 20.0

Command = dict[str, Any]


class Failed(RuntimeError):
    """A process of the benchmark ended, or gave no answer in time."""


class Process:
    """One process, started as ``python -m MODULE ARGUMENTS``."""

    def __init__(self, log: Path, module: str, *arguments: str) -> None:
        self._log = log
        self._module = module
        with log.open("wb") as errors:
            self._popen = subprocess.Popen(
                (sys.executable, "-m", module, *arguments),
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    @property
    def pid(self) -> int:
        """The operating system's number for it."""
        return self._popen.pid

    def hear(self) -> Command:
        """The next line that it prints. Raises :class:`Failed`."""
        if self._popen.stdout is None:
            raise Failed(f"{self._module} has no standard output")
        watch = threading.Timer(LONGEST_SECONDS, self._popen.kill)
        watch.start()
        try:
            line = self._popen.stdout.readline()
        finally:
            watch.cancel()
        if not line:
            raise Failed(f"{self._module} ended:\n{self._log.read_text(errors='replace')[-4000:]}")
        answer: Command = json.loads(line)
        if "error" in answer:
            raise Failed(f"{self._module}: {answer['error']}")
        return answer

    def ask(self, do: str, **arguments: Any) -> Command:
        """Tell it to do something and wait for the answer. Raises :class:`Failed`."""
        if self._popen.stdin is None:
            raise Failed(f"{self._module} has no standard input")
        self._popen.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._popen.stdin.flush()
        return self.hear()

    def end(self) -> None:
        """Ask it to end, and kill it if it does not."""
        if self._popen.stdin is not None:
            self._popen.stdin.close()
        self._popen.terminate()
        try:
            self._popen.wait(PARTING_SECONDS)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()


def say(**answer: Any) -> None:
    """Inside a process: answer its parent with a line."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def obey(begin: Callable[[], Awaitable[dict[str, Callable[..., Awaitable[Command]]]]]) -> None:
    """Inside a process: set up, then do what the parent says until it hangs up, on uvloop."""

    async def run() -> None:
        commands = await begin()
        say(ready=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked = json.loads(line)
            say(**await commands[asked.pop("do")](**asked))

    uvloop.run(run())
