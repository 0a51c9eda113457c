"""A statement follows from its lines and the price alone, whoever makes it and in whatever order."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.contract import settlement
from connector.contract.settlement import (
    MAX_AMOUNT,
    MAX_LINES,
    Line,
    Span,
    TooMuchToSettle,
    differences,
    digest_of,
    lines_in,
    read_lines,
    statement,
)
from connector.contract.terms import FREE, Price
from ledger.canonical import decode_canonical
from ledger.fields import BadField
from ledger.names import ExchangeId, MessageHash, Milliseconds
from tests.contract.world import DAY, NOW, World

AGREEMENT = World().agreement()
JULY = Span(NOW, Milliseconds(NOW + 31 * DAY))
PLACES = st.tuples(
    st.integers(NOW - DAY, NOW + 31 * DAY - 1), st.integers(0, 3), st.integers(1, 3), st.integers(1, 50)
)


def line(time: int = NOW, exchange: int = 0, attempt: int = 1, window: int = 1, **other: Any) -> Line:
    given: dict[str, Any] = {"rows": 10, "bytes": 100, "requests": 1, "cut": None, **other}
    return Line(
        time=Milliseconds(time),
        exchange=ExchangeId(f"exchange-{exchange}"),
        attempt=attempt,
        window=window,
        commit=MessageHash(f"{window:064x}"),
        ack=MessageHash(f"{window + 1000:064x}"),
        **given,
    )


def priced(price: Price) -> Any:
    return dataclasses.replace(AGREEMENT, terms=dataclasses.replace(AGREEMENT.terms, price=price))


@given(data=st.data(), places=st.lists(PLACES, max_size=30, unique_by=lambda place: place[1:]))
def test_the_bytes_do_not_depend_on_the_order_of_the_lines(data: st.DataObject, places: list[Any]) -> None:
    lines = [line(*place) for place in places]
    shuffled = data.draw(st.permutations(lines))
    first, second = (statement(AGREEMENT, JULY, each).encoded() for each in (lines, shuffled))
    assert first == second
    decode_canonical(first)
    assert sorted(lines_in(first), key=lambda each: each.place) == sorted(lines, key=lambda each: each.place)


@pytest.mark.parametrize(
    ("price", "amount"),
    [
        (Price("record", 25, "SEK", 1000), 75),  # 2,001 records are three started thousands
        (Price("record", 25, "SEK", 2001), 25),
        (Price("byte", 7, "EUR", 1 << 20), 14),  # one byte more than a MiB
        (Price("request", 3, "SEK", 1), 6),
        (Price("request", 3, "SEK", 5), 3),
        (Price("flat", 90_000, "DKK", 1), 90_000),
        (FREE, 0),
    ],
)
def test_blocks_are_started_once_a_statement_and_not_once_a_line(price: Price, amount: int) -> None:
    lines = [line(rows=2000, bytes=1 << 20), line(window=2, rows=1, bytes=1)]
    made = statement(priced(price), JULY, lines)
    assert made.totals() == {
        "lines": 2, "records": 2001, "bytes": (1 << 20) + 1, "requests": 2,
        "amount": amount, "currency": price.currency,
    }  # fmt: skip


def test_a_flat_price_is_due_where_nothing_was_used_and_no_other_is() -> None:
    amounts = [
        statement(priced(Price(basis, 500, "SEK", 1)), JULY, ()).amount
        for basis in ("flat", "record", "byte", "request")
    ]
    assert amounts == [500, 0, 0, 0]


def test_a_line_of_an_earlier_period_is_late() -> None:
    lines: Any = statement(AGREEMENT, JULY, [line(NOW - 1), line(NOW, window=2)]).content()["lines"]
    assert [each["late"] for each in lines] == [True, False]


def test_what_no_record_could_hold_is_not_settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    dear = statement(priced(Price("byte", 10**12, "SEK", 1)), JULY, [line(bytes=MAX_AMOUNT)])
    with pytest.raises(TooMuchToSettle, match="amount"):
        dear.encoded()
    monkeypatch.setattr(settlement, "MAX_LINES", 2)
    with pytest.raises(TooMuchToSettle, match="limit is 2"):
        statement(AGREEMENT, JULY, [line(window=number) for number in (1, 2, 3)]).encoded()


def test_the_longest_statement_fits_into_a_side_row() -> None:
    longest = Line(
        time=Milliseconds(2**43), exchange=ExchangeId("f" * 32), attempt=1000, window=100_000,
        commit=MessageHash("a" * 64), cut=None, ack=MessageHash("b" * 64),
        rows=10**7, bytes=8 << 20, requests=64,
    )  # fmt: skip
    lines = [dataclasses.replace(longest, window=100_000 + number) for number in range(MAX_LINES)]
    assert len(statement(AGREEMENT, JULY, lines).encoded()) < settlement.MAX_BYTES


def test_differences_name_each_window_and_what_is_other_about_it() -> None:
    here = [line(window=1), line(window=2), line(window=3, rows=5)]
    there = [line(window=2), line(window=3, rows=6), line(window=4)]
    assert [
        (each.place[2], each.members()["only"], each.members()["differs"])
        for each in differences(here, there)
    ] == [(1, "here", []), (3, None, ["rows"]), (4, "there", [])]
    assert differences(here, here) == []


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("rows", -1),
        ("ack", "x"),
        ("window", 0),
        ("late", None),
        ("time", 1.5),
        ("extra", 1),
        ("exchange", "../x"),
    ],
)
def test_a_line_from_outside_is_read_strictly(member: str, value: Any) -> None:
    document = json.loads(statement(AGREEMENT, JULY, [line()]).encoded())
    document["lines"][0][member] = value
    with pytest.raises(BadField):
        read_lines(document)


def test_a_statement_names_the_agreement_by_its_bytes() -> None:
    first, second = (statement(each, JULY, ()).encoded() for each in (AGREEMENT, priced(FREE)))
    assert digest_of(first) != digest_of(second)
    assert json.loads(first)["contract"] == AGREEMENT.digest
