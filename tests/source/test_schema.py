"""Columns' names, and the schema as a peer sends it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.source.errors import BadHeader, UnknownColumn
from connector.source.schema import (
    LABEL_COLUMN,
    MAX_COLUMNS,
    Column,
    ColumnType,
    Role,
    Schema,
    SchemaReference,
    check_names,
)
from ledger.canonical import JSONObject, decode_object, encode
from ledger.fields import BadField, Fields

SCHEMA = Schema(
    (
        Column("id", ColumnType.STRING, False, Role.SUBJECT),
        Column("Förbrukning kWh", ColumnType.NUMBER, True),
    ),
    SchemaReference("https://example.org/schema.json", "ab" * 32),
)


def test_a_schema_comes_back_from_its_own_json() -> None:
    content = decode_object(encode(SCHEMA.to_json()))
    assert Schema.from_fields(Fields(content)) == SCHEMA


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "empty"),
        (" a", "spaces"),
        ("a" * 201, "longer"),
        ("a\tb", "invisible"),
        ("income\u202egnp", "invisible"),  # right-to-left override
        ("a\u2066b", "invisible"),  # isolate
        ("a\u200bb", "invisible"),  # zero-width space
        ("a\ufeffb", "invisible"),
        ("a\u2028b", "invisible"),
        ("a\x7f", "invisible"),
        (LABEL_COLUMN, "reserved"),
    ],
)
def test_a_name_that_deceives_or_is_none_is_refused(name: str, problem: str) -> None:
    with pytest.raises(BadHeader, match=problem) as refused:
        check_names(["good", name])
    assert refused.value.field == "columns[2]"


@pytest.mark.parametrize("pair", [("a", "a"), ("file", "ﬁle"), ("Å", "A\u030a")])
def test_two_names_that_look_alike_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(BadHeader, match="same name"):
        check_names(pair)


def test_names_in_the_languages_of_the_users_are_fine() -> None:
    check_names(["Årsförbrukning", "målarnummer", "ID", "id", "køn", "2024", "a b", "temp (°C)"])


def test_there_is_a_limit_to_columns() -> None:
    check_names(f"c{number}" for number in range(MAX_COLUMNS))
    with pytest.raises(BadHeader, match="more than 500"):
        check_names(f"c{number}" for number in range(MAX_COLUMNS + 1))


COLUMN: JSONObject = {"name": "a", "type": "string", "nullable": True}


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({}, "columns"),
        ({"columns": {}}, "columns"),
        ({"columns": [{**COLUMN, "type": "varchar"}]}, "columns[0].type"),
        ({"columns": [{**COLUMN, "nullable": 1}]}, "columns[0].nullable"),
        ({"columns": [{**COLUMN, "role": "admin"}]}, "columns[0].role"),
        ({"columns": [{**COLUMN, "extra": 1}]}, "columns[0].extra"),
        ({"columns": [COLUMN], "reference": {"id": "javascript:alert(1)"}}, "reference.id"),
        ({"columns": [COLUMN], "more": 1}, "more"),
        (
            {"columns": [{**COLUMN, "role": "subject"}, {**COLUMN, "name": "b", "role": "subject"}]},
            "columns",
        ),
    ],
)
def test_a_peers_schema_is_read_strictly(content: JSONObject, field: str) -> None:
    with pytest.raises(BadField) as refused:
        Schema.from_fields(Fields(content))
    assert refused.value.field == field


def test_a_hidden_column_is_as_unknown_as_one_that_never_was() -> None:
    visible = SCHEMA.without({"id"})
    with pytest.raises(UnknownColumn) as hidden:
        visible.index("id")
    with pytest.raises(UnknownColumn) as absent:
        visible.index("ix")
    assert hidden.value.message == absent.value.message


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=5))
def test_accepted_names_survive_the_way_to_a_peer(names: list[str]) -> None:
    try:
        check_names(names)
    except BadHeader:
        return
    schema = Schema(tuple(Column(name, ColumnType.STRING, True) for name in names))
    assert Schema.from_fields(Fields(decode_object(encode(schema.to_json())))) == schema
