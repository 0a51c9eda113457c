"""Selections: read strictly, checked against the schema, answered as plain Python would answer."""

from __future__ import annotations

import csv
import io
import operator
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.source.errors import BadSelection, UnknownColumn
from connector.source.selection import (
    MAX_CHOICES,
    MAX_CONDITIONS,
    WHOLE,
    Condition,
    Op,
    Order,
    Selection,
)
from connector.source.table import TableSnapshot
from ledger.canonical import JSONObject, MalformedJson, encode
from ledger.errors import BylagError
from ledger.fields import BadField
from tests.source.shelf import Shelf, released, where

TABLE = (
    "id,name,kwh,day,at,ok\n"
    "1,Ä,0.5,2024-01-01,2024-01-01T00:00:00Z,true\n"
    "2,b,,2024-01-02,2024-01-01T02:00:00+01:00,false\n"
    "3,ba,2.5,,2024-01-03 00:00,true\n"
    "4,bb,1e1,2024-01-04,,\n"
    '5,"x, y",-3,2024-01-05,2024-01-05 00:00,false\n'
)


@pytest.fixture
def table(shelf: Shelf) -> TableSnapshot:
    return shelf.table(TABLE.encode())


def ids(table: TableSnapshot, selection: Selection) -> list[str]:
    rows = list(csv.DictReader(io.StringIO(released(table, selection).decode(), newline="")))
    return [row["id"] for row in rows]


@pytest.mark.parametrize(
    ("column", "op", "value", "expected"),
    [
        ("id", "eq", 3, "3"),
        ("id", "eq", "3", "3"),
        ("id", "neq", 3, "1245"),
        ("id", "lt", "2.5", "12"),
        ("kwh", "gteq", "0.50", "134"),
        ("kwh", "lt", 0, "5"),
        ("kwh", "neq", "0.5", "345"),  # a row without a value meets nothing but null
        ("kwh", "null", True, "2"),
        ("kwh", "null", False, "1345"),
        ("kwh", "between", ("-3", "2.5"), "135"),
        ("kwh", "in", ("10", 100), "4"),
        ("kwh", "in", (), ""),
        ("day", "gt", "2024-01-02", "45"),
        ("day", "eq", "02.01.2024", "2"),
        ("at", "eq", "2024-01-01T01:00:00Z", "2"),
        ("at", "lt", "2024-01-03", "12"),
        ("at", "between", ("2024-01-03", "2024-01-05"), "35"),
        ("ok", "eq", True, "13"),
        ("ok", "neq", "true", "25"),
        ("name", "prefix", "b", "234"),
        ("name", "prefix", "ba", "3"),
        ("name", "prefix", "", "12345"),
        ("name", "prefix", "\U0010ffff", ""),
        ("name", "prefix", "\ud7ff", ""),  # what follows is no character
        ("name", "gt", "b", "1345"),
        ("name", "eq", "x, y", "5"),
        ("name", "eq", "' OR 1=1 --", ""),
        ("name", "in", ("Ä", "b"), "12"),
    ],
)
def test_conditions(
    table: TableSnapshot, column: str, op: str, value: str | int | bool | tuple[str | int, ...], expected: str
) -> None:
    if value == ():
        with pytest.raises(BadSelection):
            ids(table, where(column, op, value))
    else:
        assert ids(table, where(column, op, value)) == list(expected)


def test_conditions_hold_together_and_order_and_limit_come_after(table: TableSnapshot) -> None:
    conditions = (Condition("id", Op.GT, 1), Condition("name", Op.PREFIX, "b"))
    assert ids(table, Selection(where=conditions)) == ["2", "3", "4"]
    by_kwh = (Order("kwh", descending=True),)
    assert ids(table, Selection(where=conditions, order=by_kwh)) == ["4", "3", "2"]
    assert ids(table, Selection(where=conditions, order=by_kwh, limit=2)) == ["4", "3"]
    assert ids(table, Selection(order=(Order("ok"), Order("id", descending=True)))) == list("45231")
    assert ids(table, Selection(limit=0)) == []


def test_columns_come_in_the_order_asked_for(table: TableSnapshot) -> None:
    assert released(table, Selection(columns=("name", "id"), limit=1)) == "name,id\r\nÄ,1\r\n".encode()


@pytest.mark.parametrize(
    ("selection", "kind"),
    [
        (where("nope", "eq", 1), UnknownColumn),
        (where("c0", "eq", 1), UnknownColumn),
        (where("n", "eq", 1), UnknownColumn),
        (Selection(columns=("id", "nope")), UnknownColumn),
        (Selection(order=(Order("n; DROP TABLE rows"),)), UnknownColumn),
        (where("id", "prefix", "1"), BadSelection),
        (where("id", "eq", "x"), BadSelection),
        (where("id", "eq", (1, 2)), BadSelection),
        (where("id", "between", (1,)), BadSelection),
        (where("id", "null", 1), BadSelection),
        (where("ok", "eq", 1), BadSelection),
        (where("day", "eq", "yesterday"), BadSelection),
    ],
)
def test_what_does_not_fit_the_schema_is_refused_before_anything_is_read(
    table: TableSnapshot, selection: Selection, kind: type[BylagError]
) -> None:
    with pytest.raises(kind):
        selection.check(table.schema)
    with pytest.raises(kind):
        table.pieces(selection)
    with pytest.raises(kind):
        table.lookup(selection)


def test_a_selection_comes_back_from_its_canonical_form() -> None:
    selection = Selection(
        columns=("a", "Ö"),
        where=(
            Condition("a", Op.IN, ("x", 1, True)),
            Condition("b", Op.BETWEEN, (1, "2.5")),
            Condition("c", Op.NULL, False),
        ),
        order=(Order("a"), Order("b", descending=True)),
        limit=10,
    )
    assert Selection.decode(selection.canonical()) == selection
    assert Selection.decode(b"{}") == WHOLE
    assert WHOLE.canonical() == b"{}"
    assert WHOLE.is_whole


def test_the_values_of_all_conditions_together_have_a_limit(table: TableSnapshot) -> None:
    many = Selection(where=tuple(Condition("id", Op.IN, tuple(range(1000))) for _ in range(11)))
    with pytest.raises(BadSelection, match="10000 values"):
        table.pieces(many)
    assert ids(table, Selection(where=many.where[:9])) == list("12345")


CONDITION: JSONObject = {"column": "a", "op": "eq", "value": 1}


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"sql": "SELECT 1"}, "selection.sql"),
        ({"columns": "a"}, "selection.columns"),
        ({"columns": ["a", "a"]}, "selection.columns"),
        ({"columns": ["a\u202e"]}, "selection.columns"),
        ({"columns": [f"c{number}" for number in range(501)]}, "selection.columns"),
        ({"where": [{**CONDITION, "op": "like"}]}, "selection.where[0].op"),
        ({"where": [{**CONDITION, "value": None}]}, "selection.where[0].value"),
        ({"where": [{**CONDITION, "value": {}}]}, "selection.where[0].value"),
        ({"where": [{**CONDITION, "value": "x" * 1001}]}, "selection.where[0].value"),
        ({"where": [{**CONDITION, "or": True}]}, "selection.where[0].or"),
        ({"where": [{**CONDITION, "op": "in", "value": [None]}]}, "selection.where[0].value[0]"),
        (
            {"where": [{**CONDITION, "op": "in", "value": [1] * (MAX_CHOICES + 1)}]},
            "selection.where[0].value",
        ),
        ({"where": [{**CONDITION, "op": "null", "value": "yes"}]}, "selection.where[0].value"),
        ({"where": [CONDITION] * (MAX_CONDITIONS + 1)}, "selection.where"),
        ({"order": [{"column": "a"}, {"column": "a", "descending": True}]}, "selection.order"),
        ({"order": [{"column": "a", "descending": "no"}]}, "selection.order[0].descending"),
        ({"limit": -1}, "selection.limit"),
        ({"limit": True}, "selection.limit"),
    ],
)
def test_a_selection_from_outside_is_read_strictly(content: JSONObject, field: str) -> None:
    with pytest.raises(BadField) as refused:
        Selection.decode(encode(content))
    assert refused.value.field == field


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b'{"limit":1.5}',
        b'{"limit":1,"limit":2}',
        b'{"where":[{"column":"a","op":"in","value":[[]]}]}',
        b'{"where":' + b"[" * 50 + b"]" * 50 + b"}",
        b'{"columns":["' + b"a" * (1 << 16) + b'"]}',
        b'{"limit":' + b"9" * 5000 + b"}",
    ],
)
def test_a_malformed_selection_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedJson):
        Selection.decode(data)


@settings(max_examples=80)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_selection_or_refused(data: bytes) -> None:
    try:
        Selection.decode(data)
    except BylagError as error:
        assert error.next_step


REFERENCE: dict[Op, Callable[[int, int], bool]] = {
    Op.EQ: operator.eq,
    Op.NEQ: operator.ne,
    Op.LT: operator.lt,
    Op.LTEQ: operator.le,
    Op.GT: operator.gt,
    Op.GTEQ: operator.ge,
}


@settings(max_examples=50)
@given(
    cells=st.lists(st.none() | st.integers(-20, 20), min_size=1, max_size=40),
    op=st.sampled_from(sorted(REFERENCE)),
    wanted=st.integers(-20, 20),
    descending=st.booleans(),
    limit=st.none() | st.integers(0, 50),
)
def test_numbers_are_filtered_and_sorted_as_python_would(
    tmp_path_factory: pytest.TempPathFactory,
    cells: list[int | None],
    op: Op,
    wanted: int,
    descending: bool,
    limit: int | None,
) -> None:
    content = "id,v\n" + "".join(f"{n},{'' if v is None else v}\n" for n, v in enumerate([*cells, 0]))
    table = Shelf(tmp_path_factory.mktemp("t")).table(content.encode())
    selection = Selection(
        where=(Condition("v", op, wanted),), order=(Order("v", descending=descending),), limit=limit
    )
    expected = [(n, v) for n, v in enumerate([*cells, 0]) if v is not None and REFERENCE[op](v, wanted)]
    expected.sort(key=lambda pair: (-pair[1] if descending else pair[1], pair[0]))
    assert ids(table, selection) == [str(n) for n, _ in expected[:limit]]
    table.close()


@settings(max_examples=50)
@given(
    texts=st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=30),
    prefix=st.text(min_size=1, max_size=3),
)
def test_a_prefix_is_a_prefix_whatever_the_script(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], prefix: str
) -> None:
    texts = [text.replace("\0", "0") for text in texts]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["id", "t"], *([str(n), text] for n, text in enumerate([*texts, "~x"]))])
    table = Shelf(tmp_path_factory.mktemp("t")).table(out.getvalue().encode())
    expected = [str(n) for n, text in enumerate([*texts, "~x"]) if text.startswith(prefix)]
    assert ids(table, where("t", "prefix", prefix)) == expected
    table.close()


def test_paths_of_a_table_are_plain(tmp_path: Path) -> None:
    table = Shelf(tmp_path).table(b"a,b\n1,2\n")
    assert sorted(path.name for path in (tmp_path / "snapshots" / table.digest).iterdir()) == [
        "index.sqlite",
        "rows",
        "version.json",
    ]
