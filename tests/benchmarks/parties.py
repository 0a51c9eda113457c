"""The processes of a run: the provider as ``bylag serve`` runs it, the asker, and the bare echo."""

from __future__ import annotations

import random
import statistics
from functools import cached_property
from pathlib import Path

from tests.benchmarks import machine
from tests.benchmarks.process import Process
from tests.benchmarks.space import Space


class Parties:
    """Starts each process when it is first needed, and ends all of them."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self._folder = folder
        self._dice = dice
        self._started: list[Process] = []
        self._published: dict[str, Path] = {}

    @cached_property
    def space(self) -> Space:
        """The data space, made once."""
        return Space(self._folder / "space")

    def publish_table(self, keys: int) -> None:
        """Publish the table, if that is not done."""
        if "table" not in self._published:
            self.space.publish_table(keys, self._dice)
            self._published["table"] = Path()

    def publish_file(self, size: int) -> Path:
        """Publish the file, if that is not done; where it lies."""
        if "file" not in self._published:
            self._published["file"] = self.space.publish_file(size, self._dice)
        return self._published["file"]

    @cached_property
    def provider(self) -> Process:
        """The provider's connector, as a person starts it."""
        process = self.serve()
        process.hear()
        return process

    def serve(self) -> Process:
        """Start the provider's connector; it says one line when it is ready."""
        return self._start("provider", "connector.cli", "serve", "--home", str(self.space.provider.folder))

    @cached_property
    def asker(self) -> Process:
        """The consumer's connector."""
        assert self.provider
        return self._ready("asker", "tests.benchmarks.asker", str(self.space.consumer.folder))

    @cached_property
    def echo_server(self) -> Process:
        """The bare server."""
        process = self._start("echo-server", "tests.benchmarks.echo", "server", str(self.space.certificates))
        self._echo_port = process.hear()["port"]
        process.hear()
        return process

    @cached_property
    def echo_client(self) -> Process:
        """The bare client."""
        assert self.echo_server
        return self._ready(
            "echo-client",
            "tests.benchmarks.echo",
            "client",
            str(self.space.certificates),
            str(self._echo_port),
        )

    def carrier(self, path: Path) -> Process:
        """The client of the bare transfers, and behind it a server that has the file at ``path``."""
        certificates = str(self.space.certificates)
        server = self._start("carrier-server", "tests.benchmarks.carrier", "server", certificates, str(path))
        ports = server.hear()
        server.hear()
        return self._ready(
            "carrier-client",
            "tests.benchmarks.carrier",
            "client",
            certificates,
            str(ports["grpc"]),
            str(ports["tls"]),
        )

    def bare(self) -> Process:
        """Start a bare server; it says one line when it is ready."""
        return self._start("bare", "tests.benchmarks.bare", str(self.space.certificates))

    def commit_seconds(self) -> float:
        """How long one commit takes here, as this run measured it."""
        rates = [machine.commits_a_second(self._folder) for _ in range(3)]
        return 1 / statistics.median(rates)

    def rest(self) -> None:
        """End every process; the next one that is needed starts anew."""
        for process in reversed(self._started):
            process.end()
        self._started.clear()
        for name in ("provider", "asker", "echo_server", "echo_client"):
            self.__dict__.pop(name, None)

    def _ready(self, name: str, module: str, *arguments: str) -> Process:
        process = self._start(name, module, *arguments)
        process.hear()
        return process

    def _start(self, name: str, module: str, *arguments: str) -> Process:
        process = Process(self._folder / f"{name}.log", module, *arguments)
        self._started.append(process)
        return process
