"""What is typed and what is printed, one piece at a time."""

from __future__ import annotations

import re
import unicodedata

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.cli import show
from connector.cli.options import MOMENT
from connector.cli.selecting import CONDITION, ORDER
from connector.source.selection import Selection
from ledger.canonical import JSON


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("cars > 100", {"column": "cars", "op": "gt", "value": 100}),
        ("cars>=100", {"column": "cars", "op": "gteq", "value": 100}),
        ("cars != 7", {"column": "cars", "op": "neq", "value": 7}),
        ("share <= 0.5", {"column": "share", "op": "lteq", "value": "0.5"}),
        ("garage = NORREPORT", {"column": "garage", "op": "eq", "value": "NORREPORT"}),
        ("garage = two words", {"column": "garage", "op": "eq", "value": "two words"}),
        ("code = 007", {"column": "code", "op": "eq", "value": "007"}),
        ("name with spaces eq x", {"column": "name with spaces", "op": "eq", "value": "x"}),
        ("garage prefix NOR", {"column": "garage", "op": "prefix", "value": "NOR"}),
        ("garage IN A, B", {"column": "garage", "op": "in", "value": ["A", "B"]}),
        ("cars between 1,9", {"column": "cars", "op": "between", "value": [1, 9]}),
        ("cars null", {"column": "cars", "op": "null", "value": True}),
        ("cars null false", {"column": "cars", "op": "null", "value": False}),
        ("time < 2014-05-22T09:09:04Z", {"column": "time", "op": "lt", "value": "2014-05-22T09:09:04Z"}),
    ],
)
def test_a_condition_means_what_it_looks_like(typed: str, meant: JSON) -> None:
    assert CONDITION.convert(typed, None, None) == meant


@given(st.text(max_size=40))
def test_a_condition_is_refused_or_is_one_that_a_table_reads(typed: str) -> None:
    try:
        condition = CONDITION.convert(typed, None, None)
    except click.BadParameter:
        return
    assert set(condition) == {"column", "op", "value"}
    if not re.search(r"[\x00-\x1f\x7f-\x9f]|[\u200b-\u206f]|\ufeff", typed):
        assert Selection.from_json({"where": [condition]}).where


def test_an_order_goes_up_or_down() -> None:
    assert ORDER.convert("cars", None, None) == {"column": "cars", "descending": False}
    assert ORDER.convert("-cars", None, None) == {"column": "cars", "descending": True}


@given(st.text())
def test_what_is_printed_can_be_seen(text: str) -> None:
    shown = show.clean(text)
    assert all(unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Co", "Cn"} for letter in shown)
    assert "\n" not in shown


@given(st.text(st.characters(exclude_categories=["C", "Z"])))
def test_what_can_be_seen_is_printed_as_it_is(text: str) -> None:
    assert show.clean(text) == text


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("2026-01-31T12:00:00Z", 1_769_860_800_000),
        ("2026-01-31T13:00:00+01:00", 1_769_860_800_000),
        ("2026-01-31", 1_769_817_600_000),
        ("1769860800000", 1_769_860_800_000),
    ],
)
def test_a_time_is_read_as_people_write_it(typed: str, meant: int) -> None:
    assert MOMENT.convert(typed, None, None) == meant
    assert typed.endswith("+01:00") or show.time(meant).startswith("2026-01-31T")


@pytest.mark.parametrize("typed", ["", "soon", "31.01.2026", "2026-13-01", "-5", "99999999999999999999"])
def test_a_time_that_is_none_is_refused(typed: str) -> None:
    with pytest.raises(click.BadParameter):
        MOMENT.convert(typed, None, None)


@given(st.integers())
def test_any_number_is_shown_as_a_time_or_as_itself(number: int) -> None:
    assert show.time(number)


@pytest.mark.parametrize(
    ("octets", "shown"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 << 30, "5.0 GiB"), (None, "–")]
)
def test_sizes_read_well(octets: int | None, shown: str) -> None:
    assert show.size(octets) == shown
