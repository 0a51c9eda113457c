"""A data space of real processes on this machine: a registrar's folder, and a process a participant.

Rules that hold here: participants talk over mutual TLS on the loopback interface and nothing else; a
process is ended by its own id, never by name; whatever is waited for is waited for with a limit. What
every process wrote into its log is kept when the space ends (``keep``), before its folder goes away.

``BYLAG_E2E_ENGINE=server`` lets an OPA server decide, one for each space, instead of the embedded engine.
"""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from connector.control import joining
from connector.control.perform import perform
from connector.identity import change
from connector.identity.enrolment import read_join
from connector.identity.membership import LIST_LIFETIME
from connector.identity.registrar import Registrar
from connector.node import Node
from connector.store.config import GUEST, ORGANISATION, Config, UnitEntry
from connector.store.config_engine import EngineSettings
from connector.store.home import Home
from ledger.ambient import SystemAmbient
from ledger.document import from_base64url, to_base64url
from ledger.errors import BylagError
from ledger.names import DataSpaceId
from tests.e2e import keep
from tests.opa import PACKAGED, OpaServer, pinned_opa

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 20.0
LONGEST_WAIT = 30.0

T = TypeVar("T")
Told = Callable[[int], object]
"""Hears how far an operation has come."""


class Failed(AssertionError):
    """A process did not do what it must, in the time that it has."""


class Participant:
    """One participant: its home, and its process while it runs."""

    def __init__(self, name: str, did: str, home: Home, module: tuple[str, ...]) -> None:
        self.name, self.did, self.home = name, did, home
        self.module = module
        self.process: subprocess.Popen[bytes] | None = None
        self.log = home.folder.parent / f"{name.lower()}.log"
        self.words: set[str] = set()
        """What a person said in an operation: it must stand in no leaf."""

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def begin(self, *more: str) -> None:
        """Start the process; :meth:`ready` waits for it."""
        command = [sys.executable, "-m", *self.module, "--home", str(self.home.folder), *more]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
            )

    def ready(self) -> None:
        """Wait for the line that says that it serves."""
        assert self.process is not None
        assert self.process.stdout is not None
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if selector.select(START_SECONDS):
                line = self.process.stdout.readline()
        if not line.startswith(b"{") or json.loads(line).get("ready") is not True:
            self.kill()
            raise Failed(f"{self.name} did not start:\n{self.log.read_text()[-3000:]}")

    def start(self, *more: str) -> None:
        self.begin(*more)
        self.ready()

    def kill(self) -> None:
        """End it as a power cut does: no handler runs."""
        if self.process is not None:
            os.kill(self.process.pid, signal.SIGKILL)
            self._gone()

    def stop(self) -> None:
        """End it in order."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"{self.name} did not end on SIGTERM:\n{self.log.read_text()[-3000:]}") from None
        self._gone()

    def _gone(self) -> None:
        assert self.process is not None
        self.process.wait(STOP_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None

    def ask(self, operation: str, told: Told | None = None, **arguments: Any) -> Any:
        """Ask for an operation, of the process if it runs, else here. ``told`` hears of its progress."""
        for name in ("words", "actor", "mandate"):
            if name in arguments:
                self.words.add(arguments[name])

        def report(doing: str, done: int, total: int | None) -> None:
            if told is not None:
                told(done)

        return perform(self.home, operation, arguments, report)

    def insist(self, operation: str, told: Told | None = None, **arguments: Any) -> Any:
        """Ask again while a peer cannot be reached, as the error says one should."""
        return insist(lambda: self.ask(operation, told, **arguments))

    def until(self, operation: str, holds: Callable[[Any], bool], **arguments: Any) -> Any:
        """Ask again and again until the answer is as it should be."""
        return until(lambda: self.ask(operation, **arguments), holds)

    def publish(self, dataset: str, file: Path, **arguments: Any) -> Any:
        defaults = {"raw": False, "append_only": False, "columns": {}, "title": dataset}
        return self.ask("publish", dataset=dataset, file=str(file), **{**defaults, **arguments})

    def agree(self, provider: Participant, dataset: str) -> str:
        """An agreement by the provider's rule."""
        done = self.ask("negotiate", provider=provider.did, dataset=dataset)
        assert done["state"] == "FINALIZED", done
        return str(done["agreement"])

    def use(self, delivery: str, out: Path, purpose: str = "PublicBenefit") -> bytes:
        """What was received, taken out for a purpose."""
        self.ask("use", delivery=delivery, purpose=purpose, out=str(out))
        assert stat.S_IMODE(out.stat().st_mode) == 0o600, "others may not read what was received"
        data = out.read_bytes()
        out.unlink()
        return data

    def leaves(self) -> list[dict[str, Any]]:
        """Every record in its log, as committed now."""
        return [json.loads(entry) for entry in keep.entries(self.home)]

    def types(self, exchange: str) -> list[str]:
        """The types of the records of one exchange, in order."""
        return [leaf["type"] for leaf in self.leaves() if leaf.get("exchange") == exchange]


class Space:
    """The data space: its registrar and its participants."""

    def __init__(self, folder: Path, *, module: tuple[str, ...] = ("connector.cli", "serve")) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self.module = module
        self.registrar = Registrar.create(folder / "registrar", DataSpaceId("e2e.example"), SystemAmbient())
        self.participants: list[Participant] = []
        self.ended = False
        self.opa: OpaServer | None = None
        if os.environ.get("BYLAG_E2E_ENGINE") == "server":
            self.opa = OpaServer(pinned_opa(), "--bundle", PACKAGED)
            self.opa.wait_until_up()

    def add(
        self,
        name: str,
        kind: str = "company",
        *,
        inbound: bool = True,
        folder: Path | None = None,
        module: tuple[str, ...] | None = None,
    ) -> Participant:
        """Make an organisation's home and keys, and let the registrar admit it."""
        did = f"did:web:{name.lower()}.example"
        address = f"127.0.0.1:{free_port()}" if inbound else ""
        config = Config(
            space="e2e.example",
            form=ORGANISATION,
            participant=did,
            name=name,
            kind=kind,
            listen=address,
            endpoint=address,
            controller="",
            units=(UnitEntry("main", name),),
            engine=self.engine,
        )
        home = joining.make_home(folder or self.folder / name.lower(), config, None)
        request = with_node(home, joining.request_to_join)
        self.registrar.publish(change.admit(read_join(request)))
        return self._join(Participant(name, did, home, module or self.module))

    @property
    def engine(self) -> EngineSettings:
        """What every participant's settings say of the engine; a busy machine is slow, not wrong."""
        if self.opa is None:
            return EngineSettings()
        return EngineSettings("server", url=self.opa.url, time_limit_ms=10_000)

    def add_guest(self, name: str, controller: Participant) -> Participant:
        """Make a citizen's home and keys, and let their running municipality vouch for them."""
        config = Config(
            space="e2e.example",
            form=GUEST,
            participant="",
            name=name,
            kind="citizen",
            listen="",
            endpoint="",
            controller=controller.did,
            engine=self.engine,
        )
        home = joining.make_home(self.folder / name.lower().replace(" ", "-"), config, None)
        request = with_node(home, joining.request_to_join)
        vouched = controller.ask("vouch", request=to_base64url(request), assurance="substantial")
        answer = from_base64url(vouched["answer"])
        with_node(home, lambda node: joining.take_answer(node, answer, None))
        return self._join(Participant(name, vouched["handle"], home, self.module))

    def _join(self, participant: Participant) -> Participant:
        self.participants.append(participant)
        return participant

    def hand_out(self) -> None:
        """Give every participant the registrar's answer: the list with all of them."""
        answer = self.registrar.answer.to_bytes()
        for participant in self.participants:
            with_node(participant.home, lambda node: joining.take_answer(node, answer, None))

    def start(self, *participants: Participant) -> None:
        """Start processes side by side."""
        for participant in participants:
            participant.begin()
        for participant in participants:
            participant.ready()

    def newest_list(self) -> str:
        """The registrar's answer, as ``update-list`` takes it."""
        return to_base64url(self.registrar.answer.to_bytes())

    def publish_list(self, what: change.Change, *to: Participant, lifetime: int = LIST_LIFETIME) -> int:
        """Publish another list, and hand it to some."""
        self.registrar.publish(what, lifetime=lifetime)
        for participant in to:
            participant.ask("update-list", file=self.newest_list())
        return self.registrar.current.number

    def verify(
        self, *participants: Participant, good: bool = True, about: Participant | None = None
    ) -> dict[str, Any]:
        """Export the logs of some, and let ``python -m ledger verify`` judge them and compare them.

        ``about`` is a guest: the others hand over what is recorded about them, as for them.
        """
        place = self.folder / f"evidence-{time.monotonic_ns()}"
        place.mkdir()
        exports = []
        for participant in participants:
            exports.append(place / participant.name.lower())
            named: dict[str, Any] = {"guest": about.did} if about not in (None, participant) else {}
            participant.ask("ledger-export", out=str(exports[-1]), **named)
        first = place / "registrar-first-keys.json"
        first.write_bytes(self.registrar.trust.first.to_bytes())
        command = [sys.executable, "-m", "ledger", "verify", "--json", "--registrar", str(first)]
        ran = subprocess.run(
            [*command, *map(str, exports)], cwd=ROOT, capture_output=True, timeout=60, check=False
        )
        assert ran.returncode in {0, 1}, ran.stderr.decode()
        judged: dict[str, Any] = json.loads(ran.stdout)
        wrong = [
            (report["subject"], each["where"], each["what"])
            for report in judged["reports"]
            for step in report["steps"]
            for each in step["findings"]
            if each["severity"] == "wrong"
        ]
        assert bool(wrong) is not good, wrong
        assert judged["verified"] is good
        return judged

    def end(self) -> None:
        """End every process, and keep what stands in the logs; once."""
        if self.ended:
            return
        self.ended = True
        failures = []
        for participant in self.participants:
            if participant.process is not None:
                participant.process.terminate()
        for participant in self.participants:
            try:
                participant.stop()
            except Failed as error:
                failures.append(str(error))
        for participant in self.participants:
            keep.keep(participant.home, participant.name, participant.did, participant.words)
            for large in (participant.home.inbox, participant.home.snapshots):
                shutil.rmtree(large, ignore_errors=True)
        if self.opa is not None:
            self.opa.stop()
        assert not failures, "\n".join(failures)


def compared(judged: dict[str, Any]) -> dict[str, Any]:
    """What a verification of two logs says about the exchanges that both hold."""
    report: dict[str, Any] = judged["reports"][-1]
    assert report["facts"]["exchanges"] > 0
    assert all(step["checked"] > 0 for step in report["steps"])
    return report


def points(judged: dict[str, Any]) -> list[str]:
    """Everything that a verification found, wrong or open."""
    return [
        f"{step['step']} {each['where']}: {each['what']}"
        for report in judged["reports"]
        for step in report["steps"]
        for each in step["findings"]
    ]


def findings(judged: dict[str, Any], exchange: str) -> list[str]:
    """What the comparison of two logs finds wrong in one exchange."""
    return [
        each["what"]
        for step in compared(judged)["steps"]
        for each in step["findings"]
        if each["severity"] == "wrong" and exchange in each["where"]
    ]


def with_node(home: Home, work: Callable[[Node], T]) -> T:
    """Do something with a home that no process works on."""
    node = Node(home)
    try:
        return work(node)
    finally:
        asyncio.run(node.close())


def until(ask: Callable[[], T], holds: Callable[[T], bool], seconds: float = LONGEST_WAIT) -> T:
    """Ask until the answer is as it should be."""
    deadline = time.monotonic() + seconds
    while not holds(found := ask()):
        if time.monotonic() > deadline:
            raise Failed(f"after {seconds} s it is still {found!r}")
        time.sleep(0.05)
    return found


def insist(ask: Callable[[], T], seconds: float = LONGEST_WAIT) -> T:
    """Ask again while the answer is that somebody cannot be reached."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except BylagError as error:
            if reason(error) != "UNAVAILABLE" or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def reason(error: BylagError) -> str:
    """The code that a program branches on, wherever the error was raised."""
    return str(getattr(error, "reason", error.code))


def beside(work: Callable[[], object]) -> None:
    """Do something to the end on another thread: inside a progress report an event loop runs."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that waits
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(LONGEST_WAIT)
    if failures:
        raise failures[0]
    assert not thread.is_alive()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
