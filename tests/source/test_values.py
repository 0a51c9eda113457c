"""How a column's type is found from its values, and how values compare."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.source.errors import BadSelection
from connector.source.schema import ColumnType
from connector.source.values import Guess, boolean, comparable, day, instant, integer, number


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "-7", "0"], ColumnType.INTEGER),
        (["1", "2.5"], ColumnType.NUMBER),
        ([".5", "-1e-3", "6.02e23"], ColumnType.NUMBER),
        (["true", "FALSE"], ColumnType.BOOLEAN),
        (["2024-02-29", "29.02.2024"], ColumnType.DATE),
        (["2014-05-22 09:09:04.145", "2016-08-01T00:00:00Z"], ColumnType.DATE_TIME),
        (["01245", "99999"], ColumnType.STRING),  # a postal code keeps its zero
        (["+4612345"], ColumnType.STRING),
        (["12345678901234567890"], ColumnType.STRING),  # a double would confuse it with its neighbours
        (["1e999"], ColumnType.STRING),
        (["nan", "inf"], ColumnType.STRING),
        (["1_000"], ColumnType.STRING),
        (["٣"], ColumnType.STRING),  # a digit to Python, not to the formats
        (["2023-02-29"], ColumnType.STRING),
        (["2024-01-01", "2024-01-01T00:00"], ColumnType.STRING),
        (["1", "true"], ColumnType.STRING),
        (["", ""], ColumnType.STRING),
    ],
)
def test_a_type_is_the_narrowest_that_fits_every_cell(cells: list[str], kind: ColumnType) -> None:
    guess = Guess()
    guess.see_cells(cells)
    assert guess.cell_type is kind


def test_one_late_cell_that_does_not_fit_makes_the_column_text() -> None:
    guess = Guess()
    guess.see_cells([str(value) for value in range(10_000)])
    guess.see_cells(["n/a"])
    assert guess.cell_type is ColumnType.STRING
    assert not guess.nullable


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], ColumnType.INTEGER),
        ([1, 2.5], ColumnType.NUMBER),
        ([True, False], ColumnType.BOOLEAN),
        (["1", "2"], ColumnType.STRING),  # JSON says itself what is a number
        (["2024-01-01"], ColumnType.DATE),
        (["2024-01-01T10:00:00+02:00", None], ColumnType.DATE_TIME),
        ([True, 1], ColumnType.JSON),
        ([1, "a"], ColumnType.JSON),
        ([[1], {}], ColumnType.JSON),
        ([None], ColumnType.STRING),
    ],
)
def test_a_member_has_the_type_that_json_gives_it(values: list[object], kind: ColumnType) -> None:
    guess = Guess()
    for value in values:
        guess.see_value(value)
    assert guess.value_type is kind


@pytest.mark.parametrize(
    "text",
    [
        "2014-05-22 09:09:04.145",
        "2014-05-22T09:09:04.145Z",
        "20140522T090904.145Z",
        "2014-05-22T11:09:04,145+02:00",
        "2014-05-22t04:39:04.145-0430",
        "22.05.2014 09:09:04.145",
        "2014-05-22 09:09:04.145000000 +00",
    ],
)
def test_one_instant_has_many_spellings(text: str) -> None:
    moment = datetime(2014, 5, 22, 9, 9, 4, 145_000, tzinfo=UTC)
    assert instant(text) == round(moment.timestamp() * 1_000_000)


@pytest.mark.parametrize(
    "text", ["2014-05-22", "2014-W21-4T09:00", "2014-05-22 25:00", "2014-05-22x09:00", "09:00"]
)
def test_what_is_no_instant_is_not_taken_for_one(text: str) -> None:
    assert instant(text) is None


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-14 * 60, 14 * 60))
def test_instants_compare_as_datetime_does_whatever_their_zone(moment: datetime, minutes: int) -> None:
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    try:
        elsewhere = moment.astimezone(timezone(timedelta(minutes=minutes)))
    except OverflowError:
        elsewhere = moment
    assert instant(elsewhere.isoformat()) == expected


@given(st.integers(-(10**18) + 1, 10**18 - 1))
def test_an_integer_cell_comes_back_as_it_was_written(value: int) -> None:
    assert str(integer(str(value))) == str(value)


@given(st.text(max_size=40))
def test_readers_accept_anything_without_breaking(text: str) -> None:
    for read in (integer, number, boolean, day, instant):
        read(text)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (ColumnType.INTEGER, "7", 7),
        (ColumnType.INTEGER, "7.5", 7.5),
        (ColumnType.NUMBER, 7, 7),
        (ColumnType.BOOLEAN, True, 1),
        (ColumnType.BOOLEAN, "false", 0),
        (ColumnType.DATE_TIME, "1970-01-02", 86_400_000_000),
        (ColumnType.STRING, "x", "x"),
    ],
)
def test_a_wanted_value_is_brought_to_the_columns_form(
    kind: ColumnType, value: str | int, expected: object
) -> None:
    assert comparable(kind, value, field="c") == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ColumnType.INTEGER, "x"),
        (ColumnType.INTEGER, True),
        (ColumnType.INTEGER, 2**63),
        (ColumnType.STRING, 7),
        (ColumnType.DATE, "2024-02-30"),
        (ColumnType.JSON, "x"),
    ],
)
def test_a_wanted_value_of_another_type_is_refused(kind: ColumnType, value: str | int) -> None:
    with pytest.raises(BadSelection, match="column"):
        comparable(kind, value, field="c")
