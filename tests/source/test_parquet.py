"""Parquet tables, where the extra ``tables`` is installed; and what is said where it is not."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.source import parquet
from connector.source.draft import TableOptions
from connector.source.errors import BadRow, ExtraMissing, RowTooLarge, SnapshotNotWritten
from connector.source.schema import Role
from connector.source.selection import Selection
from connector.source.table import TableSnapshot
from connector.source.view import View
from tests.source.shelf import Shelf, label_of, released, where

ROWS: list[dict[str, Any]] = [
    {
        "id": number,
        "name": f"n{number % 3}",
        "at": datetime(2024, 1, 1, number % 24, tzinfo=UTC),
        "day": date(2024, 1, 1 + number % 28),
        "price": Decimal(number) / 100,
        "value": float("nan") if number == 1 else number / 3,
        "tags": ["a", "b"][: number % 3],
        "missing": None if number % 2 else True,
    }
    for number in range(500)
]


def parquet_file(path: Path, rows: list[dict[str, Any]], **options: Any) -> Path:
    pa = pytest.importorskip("pyarrow", reason="the extra 'tables' is not installed")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.Table.from_pylist(rows), path, **options)
    return path


def publish(shelf: Shelf, path: Path, **options: Any) -> TableSnapshot:
    with shelf.folder.draft_table(path, TableOptions(**options)) as draft:
        snapshot = shelf.folder.open(draft.publish())
    assert isinstance(snapshot, TableSnapshot)
    return snapshot


def test_a_parquet_table_is_released_whole_as_given_and_in_part_as_json_lines(
    shelf: Shelf, tmp_path: Path
) -> None:
    source = parquet_file(tmp_path / "a.parquet", ROWS, row_group_size=100)
    table = publish(shelf, source)
    assert table.manifest.rows == table.rows() == 500
    assert released(table) == source.read_bytes()
    assert sum(piece.rows for piece in table.pieces()) == 500
    assert released(table, position=100) == source.read_bytes()[100:]
    assert [(column.name, column.type.value) for column in table.schema.columns] == [
        ("id", "integer"),
        ("name", "string"),
        ("at", "dateTime"),
        ("day", "date"),
        ("price", "number"),
        ("value", "number"),
        ("tags", "json"),
        ("missing", "boolean"),
    ]
    found = released(table, Selection(columns=("id", "price", "value", "tags"), limit=3)).splitlines()
    assert [json.loads(line) for line in found] == [
        {"id": 0, "price": 0, "value": 0.0, "tags": []},
        {"id": 1, "price": 0.01, "value": None, "tags": ["a"]},
        {"id": 2, "price": 0.02, "value": 2 / 3, "tags": ["a", "b"]},
    ]
    assert table.media_type() == "application/vnd.apache.parquet"
    assert table.media_type(Selection(limit=3)) == "application/x-ndjson"
    assert table.lookup(where("at", "eq", "2024-01-01T05:00:00Z")).rows == 21


def test_parquet_about_people_never_leaves_as_the_file(shelf: Shelf, tmp_path: Path) -> None:
    source = parquet_file(tmp_path / "a.parquet", [{"pid": "anna", "v": 1}])
    with shelf.folder.draft_table(source) as draft:
        table = shelf.folder.open(draft.publish({"pid": Role.SUBJECT}))
    (piece,) = table.pieces(view=View(about_people=True, labels=label_of))
    assert json.loads(bytes(piece.data)) == {"v": 1, "bylag_label": label_of(["anna"])[0]}


def test_parquet_that_cannot_be_taken_is_refused(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadRow, match="row 1 holds a kind of value"):
        publish(shelf, parquet_file(tmp_path / "bytes.parquet", [{"a": b"\xff"}]))
    good = parquet_file(tmp_path / "good.parquet", ROWS)
    with pytest.raises(SnapshotNotWritten, match="cannot grow"):
        publish(shelf, good, append_only=True)
    monkeypatch.setattr(parquet, "MAX_GROUP_BYTES", 100)
    with pytest.raises(RowTooLarge, match="row group 0"):
        publish(shelf, good)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(good.read_bytes()[:-40])
    with pytest.raises(BadRow, match="not a Parquet file"):
        publish(shelf, broken)
    assert shelf.left_behind() == []


def test_without_the_extra_the_error_says_what_to_install(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ExtraMissing) as refused:
        shelf.folder.draft_table(shelf.file(b"PAR1" + b"x" * 20, "a.parquet"))
    assert "bylag[tables]" in refused.value.next_step
    assert shelf.left_behind() == []


def test_releasing_never_loads_pyarrow(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = publish(shelf, parquet_file(tmp_path / "a.parquet", ROWS))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert released(shelf.folder.open(table.digest), Selection(columns=("id",))).count(b"\n") == 500
