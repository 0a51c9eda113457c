"""A real data space in one process: a registrar, two members that serve over TLS, one that only calls."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import connector.control.operations  # noqa: F401  # fills the table
from connector.catalog.stored import StoredCatalog
from connector.control.joining import make_home, request_to_join, take_answer
from connector.control.operation import run
from connector.control.running import Running
from connector.control.views import NodeLog
from connector.identity import change
from connector.identity.enrolment import read_join
from connector.identity.registrar import Registrar
from connector.node import Node
from connector.store.config import Config, UnitEntry
from connector.store.home import Home
from ledger.ambient import SystemAmbient
from ledger.names import DataSpaceId, ParticipantId

SPACE = DataSpaceId("security.test")
CITY = ParticipantId("did:web:city.example")
COMPANY = ParticipantId("did:web:company.example")
OTHER = ParticipantId("did:web:other.example")


class RealSpace:
    """``city`` serves; ``company`` and ``other`` have no port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registrar = Registrar.create(folder / "registrar", SPACE, SystemAmbient())
        self.address = f"127.0.0.1:{_free_port()}"
        self.running: dict[ParticipantId, Running] = {}

    @property
    def city(self) -> Running:
        return self.running[CITY]

    @property
    def company(self) -> Running:
        return self.running[COMPANY]

    @property
    def other(self) -> Running:
        return self.running[OTHER]

    async def start(self) -> None:
        homes = {
            CITY: await self._home("city", CITY, "municipality", self.address),
            COMPANY: await self._home("company", COMPANY, "company", ""),
            OTHER: await self._home("other", OTHER, "company", ""),
        }
        for did, home in homes.items():
            await self._take_answer(home)
            self.running[did] = Running(Node(home))
        node = self.city.node
        await self.city.serve(self.address, StoredCatalog(node.database, node.snapshots), NodeLog(node))
        for running in self.running.values():
            running.work()

    async def ask(self, running: Running, operation: str, **arguments: Any) -> Any:
        return await run(running, operation, arguments, lambda *_: None)

    async def agreement(self) -> str:
        """The company's agreement on a small table of the city's."""
        table = self.folder / "table.csv"
        table.write_text("hour,value\n" + "".join(f"{hour},{hour * 3}\n" for hour in range(24)))
        await self.ask(
            self.city,
            "publish",
            file=str(table),
            dataset="hours",
            raw=False,
            append_only=False,
            columns={},
        )
        made = await self.ask(self.company, "negotiate", provider=CITY, dataset="hours")
        assert made["state"] == "FINALIZED"
        return str(made["agreement"])

    async def close(self) -> None:
        for running in reversed(self.running.values()):
            await running.close()

    async def _home(self, name: str, did: str, kind: str, address: str) -> Home:
        units = (UnitEntry("main", name),)
        config = Config(SPACE, "organisation", did, name.title(), kind, address, address, "", units)
        home = make_home(self.folder / name, config, None)
        node = Node(home)
        try:
            self.registrar.publish(change.admit(read_join(request_to_join(node))))
        finally:
            await node.close()
        return home

    async def _take_answer(self, home: Home) -> None:
        node = Node(home)
        take_answer(node, self.registrar.answer.to_bytes(), self.registrar.trust.first.fingerprint)
        await node.close()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
