"""Homes of participants who joined one data space, each with what a command or ``serve`` would open."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import connector.control.operations  # noqa: F401  # fills the table
from connector.control.joining import make_home, request_to_join, take_answer
from connector.control.operation import run
from connector.control.running import Running
from connector.identity import change
from connector.identity.change import Change
from connector.identity.enrolment import read_join
from connector.identity.registrar import Registrar
from connector.identity.signed import MultiSigned
from connector.node import Node
from connector.store.config import Config, UnitEntry
from connector.store.home import Home
from ledger.ambient import Ambient, SystemAmbient
from ledger.document import from_base64url, to_base64url
from ledger.names import DataSpaceId, ParticipantId

SPACE = DataSpaceId("homes.test")
CITY = ParticipantId("did:web:city.example")
COMPANY = ParticipantId("did:web:company.example")


class Homes:
    """A registrar, and the homes of those who joined."""

    def __init__(self, folder: Path, ambient: Ambient | None = None) -> None:
        self.folder = folder
        self.ambient = ambient or SystemAmbient()
        self.registrar = Registrar.create(folder / "registrar", SPACE, self.ambient)

    async def join(self, did: ParticipantId, *, folder: Path | None = None) -> Home:
        name = did.removeprefix("did:web:").partition(".")[0]
        units = (UnitEntry("main", name),)
        config = Config(SPACE, "organisation", did, name.title(), "company", "", "", "", units)
        home = make_home(folder or self.folder / name, config, None, self.ambient)
        node = Node(home, ambient=self.ambient)
        self.registrar.publish(change.admit(read_join(request_to_join(node))))
        take_answer(node, self.registrar.answer.to_bytes(), self.registrar.trust.first.fingerprint)
        await node.close()
        return home

    async def guest(self, controller: Running) -> Home:
        config = Config(SPACE, "guest", "", "Somebody", "citizen", "", "", controller.node.me, ())
        home = make_home(self.folder / "guest", config, None, self.ambient)
        node = Node(home, ambient=self.ambient)
        asked = request_to_join(node)
        answer = await ask(controller, "vouch", request=to_base64url(asked), assurance="high")
        take_answer(node, from_base64url(answer["answer"]), self.registrar.trust.first.fingerprint)
        await node.close()
        return home

    @asynccontextmanager
    async def open(self, home: Home) -> AsyncIterator[Node]:
        node = Node(home, ambient=self.ambient)
        try:
            yield node
        finally:
            await node.close()

    @asynccontextmanager
    async def running(self, home: Home) -> AsyncIterator[Running]:
        running = Running(Node(home, ambient=self.ambient))
        try:
            yield running
        finally:
            await running.close()

    def publish(self, what: Change) -> MultiSigned:
        """The registrar publishes a change: the signed list."""
        self.registrar.publish(what)
        return self.registrar.trust.signed(self.registrar.trust.number)

    def publish_twice(self, what: Change, other: Change) -> tuple[MultiSigned, MultiSigned]:
        """Two lists of one number: the registrar's folder was copied, and each copy signs one."""
        copied = shutil.copytree(self.registrar.folder, self.folder / "copied")
        second = Registrar.open(copied, self.ambient)
        first = self.publish(what)
        second.publish(other)
        return first, second.trust.signed(second.trust.number)


async def ask(running: Running, operation: str, **arguments: Any) -> Any:
    return await run(running, operation, arguments, lambda *_: None)
