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
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from connector.control import joining
from connector.control.perform import perform
from connector.control.socket import NotRunning
from connector.identity import change
from connector.identity.enrolment import read_join
from connector.identity.registrar import Registrar
from connector.node import Node
from connector.policy.build import find_opa
from connector.policy.errors import RulebookNotBuilt
from connector.store.config import GUEST, ORGANISATION, Config, UnitEntry, read_config
from connector.store.config_engine import SERVER, BundleSettings, EngineSettings
from connector.store.home import Home
from ledger.ambient import SystemAmbient
from ledger.canonical import JSON, JSONObject
from ledger.document import from_base64url, to_base64url
from ledger.names import DataSpaceId

T = TypeVar("T")
SPACE: Final = "demo.bylag.example"
STOP_SECONDS: Final = 20
OPA_START_SECONDS: Final = 30
OPA_LOOKS: Final = 150


@dataclass(slots=True)
class Participant:
    """One participant of the demo."""

    name: str
    did: str
    home: Home
    process: subprocess.Popen[str] | None = None
    opa: Path | None = None
    """The OPA binary that decides for this participant; None: the embedded engine."""
    opa_process: subprocess.Popen[bytes] | None = None

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
        if self.opa is not None:
            self._start_opa(self.opa)

    def _start_opa(self, opa: Path) -> None:
        """Start a stock OPA that polls its rules from this connector, and wait until it decides."""
        told = self.home.folder / "opa.json"
        told.write_text(json.dumps(self.ask("opa-config")))
        address = read_config(self.home.config).engine.url.removeprefix("http://")
        with (self.home.folder / "opa.log").open("a") as log:
            self.opa_process = subprocess.Popen(  # noqa: S603  # our own arguments
                [opa, "run", "--server", "--disable-telemetry", "--addr", address, "--config-file", told],
                stdout=log,
                stderr=log,
            )
        for _ in range(OPA_LOOKS):
            engine = self.ask("status")["engine"]
            if isinstance(engine, dict) and engine["decides"] is True:
                return
            time.sleep(OPA_START_SECONDS / OPA_LOOKS)
        raise NotRunning(f"{self.name}'s OPA does not decide; see opa.log in its home")

    def stop(self) -> None:
        """End the processes in order, and wait for them."""
        if self.process is not None:
            _end(self.process)
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process = None
        if self.opa_process is not None:
            _end(self.opa_process)
            self.opa_process = None


class Space:
    """The data space: its registrar and its participants."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ambient = SystemAmbient()
        self.registrar = Registrar.create(folder / "registrar", DataSpaceId(SPACE), self._ambient)
        self.participants: list[Participant] = []

    def add(self, name: str, kind: str, *, opa: Path | None = None) -> Participant:
        """Make an organisation's home and keys, and let the registrar admit it.

        With ``opa`` an OPA server decides for it, which polls its rules from it.
        """
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
            engine=EngineSettings(SERVER, f"http://127.0.0.1:{_free_port()}") if opa else EngineSettings(),
            bundle=BundleSettings(f"127.0.0.1:{_free_port()}") if opa else None,
        )
        home = joining.make_home(self.folder / name.lower(), config, None)
        request = _with_node(home, joining.request_to_join)
        self.registrar.publish(change.admit(read_join(request)))
        participant = Participant(name, did, home, opa=opa)
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


def found_opa() -> Path | None:
    """The OPA of the version that built the rulebook, where it is installed."""
    try:
        return find_opa()
    except RulebookNotBuilt:
        return None


def _end(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
