"""A small data space on this machine: a registrar's folder, and participants as separate processes.

Rules that hold here: every participant has a home of its own, keys of its own and a process of its
own; they talk over real mutual TLS on the loopback interface and nothing else. The registrar is
only a folder: it signs files. Whatever is started here is ended here, by its process.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from connector.control import joining
from connector.control.perform import perform
from connector.control.socket import NotRunning
from connector.identity import change
from connector.identity.enrolment import read_join
from connector.identity.registrar import Registrar
from connector.node import Node
from connector.store.config import GUEST, ORGANISATION, Config, UnitEntry
from connector.store.home import Home
from ledger.ambient import SystemAmbient
from ledger.canonical import JSON, JSONObject
from ledger.document import from_base64url, to_base64url
from ledger.names import DataSpaceId

T = TypeVar("T")
SPACE: Final = "demo.bylag.example"
STOP_SECONDS: Final = 20


@dataclass(slots=True)
class Participant:
    """One participant of the demo."""

    name: str
    did: str
    home: Home
    process: subprocess.Popen[str] | None = None

    def ask(self, operation: str, **arguments: JSON) -> JSONObject:
        """Ask the running connector for an operation whose result is an object."""
        result = self.answer(operation, **arguments)
        if not isinstance(result, dict):
            raise NotRunning("the connector gave an answer of another form")
        return result

    def answer(self, operation: str, **arguments: JSON) -> JSON:
        """Ask the running connector for an operation."""
        return perform(self.home, operation, arguments, _silent)

    def start(self) -> None:
        """Start the connector's process and wait until it says that it is ready."""
        log = (self.home.folder / "connector.log").open("a")
        with log:
            self.process = subprocess.Popen(  # noqa: S603  # our own program, our own arguments
                [sys.executable, "-m", "connector.cli", "serve", "--home", str(self.home.folder)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line or not json.loads(line).get("ready"):
            raise NotRunning(f"{self.name} did not start; see connector.log in its home")

    def stop(self) -> None:
        """End the process in order, and wait for it."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None


class Space:
    """The data space: its registrar and its participants."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ambient = SystemAmbient()
        self.registrar = Registrar.create(folder / "registrar", DataSpaceId(SPACE), self._ambient)
        self.participants: list[Participant] = []

    def add(self, name: str, kind: str) -> Participant:
        """Make an organisation's home and keys, and let the registrar admit it."""
        did = f"did:web:{name.lower()}.example"
        address = f"127.0.0.1:{_free_port()}"
        config = Config(
            space=SPACE,
            form=ORGANISATION,
            participant=did,
            name=name,
            kind=kind,
            listen=address,
            endpoint=address,
            controller="",
            units=(UnitEntry("main", name),),
        )
        home = joining.make_home(self.folder / name.lower(), config, None)
        request = _with_node(home, joining.request_to_join)
        self.registrar.publish(change.admit(read_join(request)))
        participant = Participant(name, did, home)
        self.participants.append(participant)
        return participant

    def hand_out(self) -> None:
        """Give every participant the registrar's answer: the list with all of them."""
        answer = self.registrar.answer.to_bytes()
        for participant in self.participants:
            _with_node(participant.home, lambda node: joining.take_answer(node, answer, None))

    def add_guest(self, name: str, controller: Participant) -> Participant:
        """Make a citizen's home and keys, and let their running municipality vouch for them."""
        config = Config(
            space=SPACE,
            form=GUEST,
            participant="",
            name=name,
            kind="citizen",
            listen="",
            endpoint="",
            controller=controller.did,
        )
        home = joining.make_home(self.folder / name.lower(), config, None)
        request = _with_node(home, joining.request_to_join)
        vouched = controller.ask("vouch", request=to_base64url(request), assurance="substantial")
        answer = from_base64url(str(vouched["answer"]))
        _with_node(home, lambda node: joining.take_answer(node, answer, None))
        citizen = Participant(name, str(vouched["handle"]), home)
        self.participants.append(citizen)
        return citizen

    def stop(self) -> None:
        """End every process."""
        for participant in self.participants:
            participant.stop()


def _with_node(home: Home, work: Callable[[Node], T]) -> T:
    node = Node(home)
    try:
        return work(node)
    finally:
        asyncio.run(node.close())


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _silent(doing: str, done: int, total: int | None) -> None:
    """The story has progress of its own."""
