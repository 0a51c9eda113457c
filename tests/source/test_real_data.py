"""Real files: published, read back byte for byte, projected row for row, looked up."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from connector.source.selection import Condition, Op, Order, Selection
from connector.source.table import TableSnapshot
from tests.source.shelf import Shelf, joined, released, where

FILES = {
    "parking-aarhus.csv": (
        55_264,
        ["integer", "integer", "dateTime", "integer", "integer", "string", "dateTime"],
    ),
    "household-energy.csv": (148_920, ["string", "dateTime", "number", "number"]),
    "fire-incidents-pittsburgh.csv": (7_396, None),
    "air-quality-openaq.csv": (5_272, ["string", "string", "dateTime", "string", "number"]),
}


@pytest.fixture(scope="module")
def real(
    test_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[TableSnapshot, Path]]:
    """Publishes a real file, once."""
    shelf = Shelf(tmp_path_factory.mktemp("real"))

    @cache
    def publish(name: str) -> tuple[TableSnapshot, Path]:
        source = test_data / "data" / name
        with shelf.folder.draft_table(source) as draft:
            snapshot = shelf.folder.open(draft.publish())
        assert isinstance(snapshot, TableSnapshot)
        return snapshot, source

    return publish


@pytest.fixture(params=FILES)
def published(
    request: pytest.FixtureRequest, real: Callable[[str], tuple[TableSnapshot, Path]]
) -> tuple[TableSnapshot, Path]:
    return real(request.param)


def rows_of(source: Path) -> list[list[str]]:
    with source.open(encoding="utf-8", newline="") as file:
        return [*csv.reader(file)]


def test_rows_and_types_are_those_of_the_file(published: tuple[TableSnapshot, Path]) -> None:
    table, source = published
    rows, types = FILES[source.name]
    assert table.rows() == table.manifest.rows == rows
    if types is not None:
        assert [column.type.value for column in table.schema.columns] == types


def test_the_whole_is_the_file_byte_for_byte_from_any_piece_on(published: tuple[TableSnapshot, Path]) -> None:
    table, source = published
    content = source.read_bytes()
    pieces = [*table.pieces()]
    assert joined(pieces) == content
    assert sum(piece.rows for piece in pieces) == table.rows()
    done = 0
    for piece in pieces:
        done += len(piece.data)
        assert released(table, position=piece.position) == content[done:]


def test_a_projection_is_row_for_row_what_csv_reads(published: tuple[TableSnapshot, Path]) -> None:
    table, source = published
    names = table.schema.names
    chosen = (names[2], names[0], names[-1])
    expected = io.StringIO(newline="")
    rows = rows_of(source)[1:]
    csv.writer(expected).writerows([chosen, *([row[2], row[0], row[-1]] for row in rows)])
    assert released(table, Selection(columns=chosen)) == expected.getvalue().encode()


def test_each_value_of_a_column_finds_its_rows(published: tuple[TableSnapshot, Path]) -> None:
    table, source = published
    rows = rows_of(source)[1:]
    for place in (0, 1, 2):
        wanted = rows[len(rows) // 2][place]
        expected = [row for row in rows if row[place] == wanted]
        found = table.lookup(where(table.schema.names[place], "eq", wanted), limit=1000)
        assert [*csv.reader(io.StringIO(bytes(found.data).decode(), newline=""))][1:] == expected[:1000]


def test_filters_and_orders_on_household_energy(
    real: Callable[[str], tuple[TableSnapshot, Path]],
) -> None:
    table, source = real("household-energy.csv")
    selection = Selection(
        columns=("time", "consumption_kwh"),
        where=(
            Condition("household_id", Op.EQ, "household-07"),
            Condition("time", Op.BETWEEN, ("2016-12-24", "2016-12-25T00:00:00Z")),
        ),
        order=(Order("consumption_kwh", descending=True),),
        limit=5,
    )
    rows = [
        row
        for row in rows_of(source)
        if row[0] == "household-07" and "2016-12-24" <= row[1] <= "2016-12-25T00:00:00Z"
    ]
    rows.sort(key=lambda row: (-float(row[2]), row[1]))
    expected = io.StringIO(newline="")
    csv.writer(expected).writerows([("time", "consumption_kwh"), *((row[1], row[2]) for row in rows[:5])])
    assert released(table, selection) == expected.getvalue().encode()
