"""The data space that is measured: a registrar's folder, a provider and a consumer on loopback."""

from __future__ import annotations

import asyncio
import random
import socket
from pathlib import Path

import connector.control.operations  # noqa: F401  # enters the operations into their table
from connector.control.joining import make_home, request_to_join, take_answer
from connector.control.perform import perform
from connector.identity import change
from connector.identity.certificate import server_name
from connector.identity.enrolment import read_join
from connector.identity.registrar import Registrar
from connector.node import Node
from connector.store.config import Config, UnitEntry
from connector.store.home import Home
from ledger.ambient import SystemAmbient
from ledger.canonical import JSONObject
from ledger.names import DataSpaceId, ParticipantId

SPACE = "benchmark.space"
PROVIDER = ParticipantId("did:web:provider.example")
CONSUMER = ParticipantId("did:web:consumer.example")
ROWS_A_KEY = 10
TABLE, FILE = "readings", "film"


class Space:
    """Two homes that know each other, and what the bare baselines need of their keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        ambient = SystemAmbient()
        registrar = Registrar.create(folder / "registrar", DataSpaceId(SPACE), ambient)
        address = f"127.0.0.1:{self.port}"
        self.provider = _home(folder / "provider", PROVIDER, "municipality", address)
        self.consumer = _home(folder / "consumer", CONSUMER, "company", "")
        homes = {"provider": self.provider, "consumer": self.consumer}
        for home in homes.values():
            node = Node(home)
            registrar.publish(change.admit(read_join(request_to_join(node))))
            asyncio.run(node.close())
        answer = registrar.answer.to_bytes()
        self.certificates = folder / "certificates"
        self.certificates.mkdir()
        for name, home in homes.items():
            node = Node(home)
            take_answer(node, answer, None)
            self._export(name, node)
            asyncio.run(node.close())

    def publish_table(self, keys: int, dice: random.Random) -> None:
        """A table with an indexed column of ``keys`` values, each in :data:`ROWS_A_KEY` rows."""
        path = self.folder / "readings.csv"
        rows = [(key, hour) for hour in range(ROWS_A_KEY) for key in range(keys)]
        with path.open("w", encoding="utf-8") as out:
            out.write("meter,hour,kwh,temperature\n")
            out.writelines(
                f"{key},{hour},{dice.randrange(9999) / 1000:.3f},{dice.randrange(300) / 10:.1f}\n"
                for key, hour in rows
            )
        self._publish(TABLE, path, raw=False)

    def publish_file(self, size: int, dice: random.Random) -> Path:
        """A file of ``size`` bytes that nothing can compress."""
        path = self.folder / "film.bin"
        with path.open("wb") as out:
            for start in range(0, size, 1 << 20):
                out.write(dice.randbytes(min(1 << 20, size - start)))
        self._publish(FILE, path, raw=True)
        return path

    def _publish(self, dataset: str, path: Path, *, raw: bool) -> None:
        arguments: JSONObject = {
            "file": str(path),
            "dataset": dataset,
            "title": dataset.title(),
            "raw": raw,
            "append_only": False,
            "columns": {},
        }
        perform(self.provider, "publish", arguments, _ignore)

    def _export(self, name: str, node: Node) -> None:
        identity = node.identity()
        now = node.ambient.now()
        other = CONSUMER if name == "provider" else PROVIDER
        for suffix, content in (
            ("key", identity.key),
            ("crt", identity.chain),
            ("roots", node.trust.roots_for(other, now)),
            ("name", server_name(node.me).encode()),
        ):
            path = self.certificates / f"{name}.{suffix}"
            path.touch(mode=0o600)
            path.write_bytes(content)


def _ignore(doing: str, done: int, total: int | None) -> None:
    """Progress is not what is measured."""


def _home(folder: Path, did: ParticipantId, kind: str, address: str) -> Home:
    name = did.rpartition(":")[2]
    config = Config(SPACE, "organisation", did, name, kind, address, address, "", (UnitEntry("main", name),))
    return make_home(folder, config, None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
