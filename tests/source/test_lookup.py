"""A few rows at once: quick, bounded, and the same rows as a release would give."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import pytest

from connector.source import table as table_module
from connector.source.errors import TooMuchAsked
from connector.source.index import MAX_INDEXED
from connector.source.selection import WHOLE, Condition, Op, Order, Selection
from tests.source.shelf import Shelf, released, where


def test_a_lookup_gives_what_a_release_gives(shelf: Shelf) -> None:
    table = shelf.table(b"id,v\n" + b"".join(b"%d,%d\n" % (n, n % 5) for n in range(1000)))
    for selection in (
        where("id", "eq", 77),
        where("id", "eq", -1),
        Selection(columns=("v",), where=(Condition("id", Op.LT, 9),), order=(Order("v"),)),
        Selection(where=(Condition("v", Op.EQ, 3),), limit=4),
    ):
        found = table.lookup(selection, limit=50)
        bounded = replace(selection, limit=50 if selection.limit is None else selection.limit)
        assert found.data == released(table, bounded)
        assert found.rows == bytes(found.data).count(b"\r\n") - 1


def test_a_lookup_has_limits(shelf: Shelf) -> None:
    table = shelf.table(b"id,v\n" + b"".join(b"%d,%s\n" % (n, b"x" * 60_000) for n in range(40)))
    assert table.lookup(WHOLE, limit=3).rows == 3
    assert table.lookup(Selection(limit=2), limit=3).rows == 2
    with pytest.raises(TooMuchAsked, match="1 MiB"):
        table.lookup(WHOLE, limit=30)


def test_a_question_that_would_read_everything_is_broken_off(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    prose = b"x" * 300  # so long that the column is not indexed
    table = shelf.table(b"id,text\n" + b"0,%s\n" % prose + b"".join(b"%d,y\n" % n for n in range(1, 40_000)))
    assert table.lookup(where("text", "eq", "z")).rows == 0
    monkeypatch.setattr(table_module, "LOOKUP_STEPS", 0)
    with pytest.raises(TooMuchAsked, match="too long"):
        table.lookup(where("text", "eq", "z"))
    for _ in range(3):
        assert table.lookup(where("id", "eq", 5)).rows == 1
        assert table.rows() == 40_000
    assert [piece.rows for piece in table.pieces(where("text", "eq", "z"))] == [0]


def test_columns_are_indexed_up_to_a_sensible_number(shelf: Shelf) -> None:
    names = [f"c{number}" for number in range(40)]
    table = shelf.table(
        (",".join(names) + "\n" + ",".join("1" for _ in names) + "\n").encode(), subject="c39"
    )
    assert table.indexed == (*names[:MAX_INDEXED], "c39")
    prose = shelf.table(b"id,text\n1," + b"x" * 300 + b"\n")
    assert prose.indexed == ("id",)
    nested = shelf.table(b'{"a":[1],"b":2}\n', "a.jsonl")
    assert nested.indexed == ("b",)


@pytest.mark.parametrize("header", [b"kind,id", b"id,kind"])
def test_of_several_conditions_the_one_that_leaves_fewest_rows_is_looked_up(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, header: bytes
) -> None:
    rows = 40_000
    cells = ((n % 2, n) if header == b"kind,id" else (n, n % 2) for n in range(rows))
    table = shelf.table(header + b"\n" + b"".join(b"%d,%d\n" % pair for pair in cells))
    monkeypatch.setattr(table_module, "LOOKUP_STEPS", 0)
    conditions = (Condition("kind", Op.EQ, 1), Condition("id", Op.EQ, 4001))
    for order in (conditions, conditions[::-1]):
        assert table.lookup(Selection(where=order)).rows == 1
    with pytest.raises(TooMuchAsked):  # half the table: what the other way would have cost
        table.lookup(Selection(where=(conditions[0],), order=(Order("id"),)), limit=1000)


def test_a_table_that_nobody_closes_lets_go_of_its_files(shelf: Shelf) -> None:
    tables = [shelf.folder.open(shelf.table(b"id\n1\n").digest) for _ in range(3)]
    half_read = [next(table.pieces()) for table in tables]
    before = len([*Path("/proc/self/fd").iterdir()])
    del tables, half_read
    gc.collect()
    assert len([*Path("/proc/self/fd").iterdir()]) < before
