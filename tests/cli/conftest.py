"""A small data space made with the command alone: a registrar, a city that serves, a company that asks."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Shell, ended, stop

ALFA, BETA = "did:web:alfa.example", "did:web:beta.example"
OWN_DATA = Path(__file__).resolve().parents[2] / "connector" / "demo" / "data" / "household-energy.csv"


@dataclass
class Space:
    """A data space of two, and what came of each step on the way."""

    bylag: Shell
    table: Path
    rows: int
    columns: list[str]
    came: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.bylag.folder


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A place to run commands in, of its own."""
    return Shell(tmp_path_factory.mktemp("cli"))


@pytest.fixture(scope="session")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """From nothing to a data space of two in which alfa has published: by hand, as docs/cli.md says."""
    bylag = Shell(tmp_path_factory.mktemp("space"))
    table = _table()
    lines = table.read_text("utf-8").splitlines()
    made = Space(bylag, table, len(lines) - 1, lines[0].split(","))
    made.came["create"] = bylag("registrar", "create", "energy.example")
    begin = ("--space", "energy.example")
    port = _free_port()
    city = ("--name", "Alfa", "--kind", "municipality", "--unit", "energy=Energy committee")
    both(
        bylag.start("init", ALFA, "--home", "alfa", *begin, *city, "--listen", f"127.0.0.1:{port}"),
        bylag.start("init", BETA, "--home", "beta", *begin, "--kind", "company"),
    )
    both(
        bylag.start("join", "--home", "alfa", "--out", "alfa-request.json"),
        bylag.start("join", "--home", "beta", "--out", "beta-request.json"),
    )
    requests = ("alfa-request.json", "beta-request.json")
    made.came["admit"] = bylag("registrar", "admit", *requests, "--answer", "answer.json")
    fingerprint = bylag.json("registrar", "show")["fingerprint"]
    both(
        bylag.start("admitted", "answer.json", "--home", "alfa"),
        bylag.start("admitted", "answer.json", "--home", "beta", "--fingerprint", fingerprint),
    )
    serving = [bylag.serve("alfa"), bylag.serve("beta")]
    made.came["publish"] = bylag.json(
        "publish", str(table), "--home", "alfa", "-d", "table", *_declared(table)
    )
    yield made
    for process in serving:
        stop(process)


@pytest.fixture(scope="session")
def agreement(space: Space) -> str:
    """An agreement in force on the table that alfa published, which beta asked for."""
    space.came["negotiate"] = space.bylag.json("negotiate", ALFA, "table", "--home", "beta")
    return str(space.came["negotiate"]["agreement"])


@pytest.fixture(scope="session")
def delivery(space: Space, agreement: str) -> str:
    """The whole table, fetched by beta."""
    space.came["fetch"] = space.bylag.json("fetch", agreement, "--home", "beta")
    return str(space.came["fetch"]["exchange"])


def both(*processes: Any) -> None:
    """Let commands run side by side; all of them must do what they were asked."""
    for process in processes:
        ended(process)


def _table() -> Path:
    shared = os.environ.get("BYLAG_TEST_DATA")
    return Path(shared, "data", "parking-aarhus.csv") if shared else OWN_DATA


def _declared(table: Path) -> tuple[str, ...]:
    return () if table != OWN_DATA else ("--column", "household_id=not-personal")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
