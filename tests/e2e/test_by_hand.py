"""The whole way by hand, through the command: found a data space, join, share real files, prove it.

Every step is the command ``bylag`` as a process of its own, as a person types it, with ``--json``.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connector.store.home import Home
from tests.e2e import keep
from tests.e2e.space import ROOT, Participant, compared, free_port

DATA_SPACE = "files.example"


@dataclass(frozen=True)
class File:
    """A real file, what its publisher says of it, and a part that somebody asks for."""

    name: str
    rows: int
    declared: tuple[str, ...]
    columns: tuple[str, ...]
    where: str
    """Column, operator and value, as the command takes them."""


FILES = (
    File("parking-aarhus.csv", 55_264, (), ("garagecode", "vehiclecount"), "vehiclecount >= 400"),
    File(
        "household-energy.csv",
        148_920,
        ("household_id=not-personal",),
        ("time", "consumption_kwh"),
        "household_id = household-07",
    ),
    File(
        "fire-incidents-pittsburgh.csv",
        7_396,
        ("address=not-personal", "latitude=not-personal", "longitude=not-personal"),
        ("call_no", "type_description", "address"),
        "alarms > 1",
    ),
)


class Office:
    """Two participants and their registrar, made by commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.provider = self._participant("alfa", "municipality")
        self.consumer = self._participant("beta", "company")

    def _participant(self, name: str, kind: str) -> Participant:
        home = Home(self.folder / name)
        address = f"127.0.0.1:{free_port()}"
        bylag("init", f"did:web:{name}.example", "--space", DATA_SPACE, "--kind", kind,
              "--listen", address, home=home)  # fmt: skip
        return Participant(name, f"did:web:{name}.example", home, ("connector.cli", "serve"))

    def join(self) -> None:
        registrar, answer = ("--folder", str(self.folder / "registrar")), str(self.folder / "answer.json")
        bylag("registrar", "create", DATA_SPACE, *registrar)
        requests = [str(self.folder / f"{party.name}-request.json") for party in self.parties]
        for party, request in zip(self.parties, requests, strict=True):
            bylag("join", "--out", request, home=party.home)
        bylag("registrar", "admit", *requests, "--answer", answer, *registrar)
        for party in self.parties:
            bylag("admitted", answer, home=party.home)
        self.first_keys = self.folder / "first-keys.json"
        bylag("registrar", "first-keys", "--out", str(self.first_keys), *registrar)

    @property
    def parties(self) -> Sequence[Participant]:
        return (self.provider, self.consumer)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    office = Office(tmp_path_factory.mktemp("office"))
    office.join()
    try:
        for party in office.parties:
            party.begin()
        for party in office.parties:
            party.ready()
        yield office
    finally:
        for party in office.parties:
            party.stop()
            keep.keep(party.home, party.name, party.did, party.words)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_real_file_is_published_negotiated_fetched_and_used_byte_for_byte_and_row_for_row(
    office: Office, test_data: Path, tmp_path: Path, file: File
) -> None:
    source = test_data / "data" / file.name
    dataset = source.stem
    provider, consumer = office.provider.home, office.consumer.home
    declared = [part for column in file.declared for part in ("--column", column)]
    published = bylag("publish", str(source), *declared, home=provider)
    assert published["versions"][-1]["manifest"]["rows"] == file.rows
    listed = bylag("catalog", office.provider.did, home=consumer)
    assert dataset in {entry["dataset"]["id"] for entry in listed}
    agreement = bylag("negotiate", office.provider.did, dataset, home=consumer)["agreement"]

    whole = bylag("fetch", agreement, home=consumer)
    assert (whole["state"], whole["rows"]) == ("COMPLETED", file.rows)
    out = tmp_path / "whole.csv"
    bylag("use", whole["exchange"], "--purpose", "PublicBenefit", "--out", str(out), home=consumer)
    assert out.read_bytes() == source.read_bytes()

    selected = ("--columns", ",".join(file.columns), "--where", file.where)
    part = bylag("fetch", agreement, *selected, home=consumer)
    out = tmp_path / "part.csv"
    bylag("use", part["exchange"], "--purpose", "PublicBenefit", "--out", str(out), home=consumer)
    expected = chosen(source, file)
    assert 1 < len(expected) < file.rows
    assert rows_of(out) == [list(file.columns), *expected]
    assert part["rows"] == len(expected)


@pytest.fixture(scope="module")
def agreement(office: Office) -> str:
    """An agreement on a small table, which was fetched."""
    table = office.folder / "squares.csv"
    table.write_text("number,square\n1,1\n2,4\n3,9\n")
    bylag("publish", str(table), home=office.provider.home)
    agreed = bylag("negotiate", office.provider.did, "squares", home=office.consumer.home)["agreement"]
    assert bylag("fetch", agreed, home=office.consumer.home)["rows"] == 3
    return str(agreed)


def test_another_purpose_ends_with_status_3_and_says_why(office: Office, agreement: str) -> None:
    denied = run("fetch", agreement, "--purpose", "Marketing", home=office.consumer.home)
    assert denied.returncode == 3
    error = json.loads(denied.stdout)["error"]
    assert error["code"] == "PURPOSE_BEYOND_AGREEMENT"
    assert error["next_step"]
    last = office.provider.leaves()[-1]
    assert (last["type"], last["code"]) == ("denial", "PURPOSE_BEYOND_AGREEMENT")


def test_both_ledgers_verify_and_what_they_say_of_each_exchange_agrees(
    office: Office, agreement: str, tmp_path: Path
) -> None:
    exports = []
    for party in office.parties:
        assert bylag("ledger", "verify", home=party.home)["verified"] is True
        exports.append(str(tmp_path / party.name))
        bylag("ledger", "export", exports[-1], home=party.home)
    judged = bylag("ledger", "verify", *exports, "--registrar", str(office.first_keys))
    assert judged["verified"] is True
    report = compared(judged)
    offered = [leaf for leaf in office.provider.leaves() if leaf["type"] == "offer"]
    assert report["facts"]["exchanges"] >= len(offered) > 0
    assert [each for step in report["steps"] for each in step["findings"]] == []
    assert agreement in {leaf.get("agreement") for leaf in office.consumer.leaves()}


def bylag(*arguments: str, home: Home | None = None) -> Any:
    """Run the command, and read what it prints."""
    ran = run(*arguments, home=home)
    assert ran.returncode == 0, (arguments, ran.stdout[-2000:], ran.stderr[-2000:])
    return json.loads(ran.stdout)


def run(*arguments: str, home: Home | None = None) -> subprocess.CompletedProcess[str]:
    where = () if home is None else ("--home", str(home.folder))
    command = [sys.executable, "-m", "connector.cli", *arguments, *where, "--json"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def chosen(source: Path, file: File) -> list[list[str]]:
    """The part that was asked for, found in the source without our own reader."""
    column, op, value = file.where.split(" ", 2)
    header, *rows = rows_of(source)
    at, shown = header.index(column), [header.index(name) for name in file.columns]

    def fits(cell: str) -> bool:
        if op == "=":
            return cell == value
        return cell != "" and (float(cell) >= float(value) if op == ">=" else float(cell) > float(value))

    return [[row[index] for index in shown] for row in rows if fits(row[at])]


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [*csv.reader(file)]
