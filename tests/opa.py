"""A stock OPA server that a test starts on this machine and stops again."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connector.policy.build import find_opa
from connector.policy.errors import RulebookNotBuilt

PATIENCE_SECONDS = 30.0
PACKAGED = Path(__file__).resolve().parents[1] / "connector" / "policy" / "rulebook.tar.gz"


class OpaServer:
    """One `opa run --server`. What it says is kept in ``said``."""

    def __init__(
        self, opa: Path, *arguments: str | Path, port: int | None = None, scheme: str = "http"
    ) -> None:
        self.port = port or free_port()
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [opa, "run", "--server", "--disable-telemetry", "--addr", f"127.0.0.1:{self.port}", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        self._heard = threading.Condition()
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._heard:
                self.said.append(line)
                self._heard.notify_all()

    def wait_for(self, text: str, *, after: int = 0) -> str:
        """The first line with ``text`` among those said after the first ``after``."""
        found: list[str] = []

        def is_there() -> bool:
            found[:] = [line for line in self.said[after:] if text in line]
            return bool(found) or self.process.poll() is not None

        with self._heard:
            self._heard.wait_for(is_there, PATIENCE_SECONDS)
        assert found, f"OPA never said {text!r}, but: {''.join(self.said)[-3000:]}"
        return found[0]

    def wait_until_up(self) -> None:
        """Until it listens; it says that it begins a moment before."""
        self.wait_for("Initializing server")
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                call = socket.create_connection(("127.0.0.1", self.port), timeout=5)
            except ConnectionRefusedError:
                assert self.process.poll() is None and time.monotonic() < until, "".join(self.said)[-3000:]
                threading.Event().wait(0.02)
            else:
                call.close()
                return

    def ask(self, question: Any, path: str = "bylag/decision/answer") -> Any:
        """What it answers, with provenance."""
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.url}/v1/data/{path}?provenance=true&strict-builtin-errors=true",
            json.dumps({"input": question}).encode(),
            {"Content-Type": "application/json"},
        )
        context = ssl.create_default_context() if self.url.startswith("https") else None
        with urllib.request.urlopen(  # noqa: S310
            request, timeout=30, context=context
        ) as response:
            return json.load(response)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)
        self._listening.join()
        assert self.process.stderr is not None
        self.process.stderr.close()


@contextmanager
def running(
    opa: Path, *arguments: str | Path, port: int | None = None, scheme: str = "http"
) -> Iterator[OpaServer]:
    server = OpaServer(opa, *arguments, port=port, scheme=scheme)
    try:
        server.wait_until_up()
        yield server
    finally:
        server.stop()


def pinned_opa() -> Path:
    """The pinned OPA; where there is none, the test is skipped with how to install it."""
    try:
        return find_opa()
    except RulebookNotBuilt as error:
        pytest.skip(f"{error}. {error.next_step}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
