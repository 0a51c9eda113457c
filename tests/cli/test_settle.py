"""Settling with the command alone: two connectors that run, a price, and statements of both sides."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import ALFA, Space

LATER = "2100-01-01"


@pytest.fixture(scope="module")
def priced(space: Space) -> str:
    """An agreement on a table that costs something, fetched once."""
    price = ("--price", "record", "--amount", "25", "--currency", "SEK", "--per", "1000")
    ground = ("--price-ground", "eli:sfs/1992/191")
    table = space.folder / "firms.csv"
    table.write_text("number\n" + "".join(f"{number}\n" for number in range(2001)))
    published = space.bylag.json("publish", str(table), "--home", "alfa", "-d", "firms", *price, *ground)
    assert published["offers"][0]["document"]["terms"]["price"]["legal_ground"] == "eli:sfs/1992/191"
    agreement = str(space.bylag.json("negotiate", ALFA, "firms", "--home", "beta")["agreement"])
    space.bylag.json("fetch", agreement, "--home", "beta")
    return agreement


def shown(space: Space, home: str, agreement: str) -> Any:
    return space.bylag.json("settle", "show", agreement, "--until", LATER, "--lines", "--home", home)


def test_the_price_is_shown_where_it_was_agreed(space: Space, priced: str) -> None:
    words = "0.25 SEK for each started 1,000 records, on the ground of eli:sfs/1992/191"
    assert words in space.bylag("agreement", "show", priced, "--home", "beta").out
    assert words in space.bylag("dataset", "firms", "--peer", ALFA, "--home", "beta").out


def test_both_sides_show_the_same_statement_to_the_byte(space: Space, priced: str) -> None:
    here, there = (shown(space, home, priced) for home in ("alfa", "beta"))
    assert here["statement"] == there["statement"]
    assert here["digest"] == there["digest"]
    totals = here["statement"]["totals"]
    assert (totals["records"], totals["amount"], totals["currency"]) == (2001, 75, "SEK")
    told = space.bylag("settle", "show", priced, "--until", LATER, "--home", "beta").out
    assert "0.75 SEK" in told


def test_a_statement_of_the_other_side_is_compared(space: Space, priced: str) -> None:
    theirs = shown(space, "alfa", priced)
    file = space.folder / "theirs.json"
    file.write_text(json.dumps(theirs))
    assert "equal to the byte" in space.bylag("settle", "compare", str(file), "--home", "beta").out
    theirs["statement"]["lines"][0]["rows"] += 1
    file.write_text(json.dumps(theirs))
    found = space.bylag.json("settle", "compare", str(file), "--home", "beta")
    assert [each["differs"] for each in found["differences"]] == [["rows"]]
    del theirs["statement"]["lines"]
    file.write_text(json.dumps(theirs))
    space.bylag("settle", "compare", str(file), "--home", "beta", status=None).refused("BAD_FIELD", 2)


def test_a_period_is_signed_approved_and_then_settled(space: Space, priced: str) -> None:
    year = ("--from", "2020-01-01", "--until", "2021-01-01")
    signed = space.bylag.json("settle", "sign", priced, *year, "--home", "alfa", "--words", "An empty year.")
    assert signed["state"] == "signed"
    approved = space.bylag.json("settle", "approve", priced, "--home", "beta")
    assert approved["state"] == "settled"
    assert approved["signatures"]["mine"] != approved["signatures"]["theirs"]
    again = space.bylag("settle", "sign", priced, *year, "--home", "beta", status=None)
    again.refused("ALREADY_SETTLED", again.status)
    nothing = space.bylag("settle", "approve", priced, "--home", "beta", status=None)
    nothing.refused("NOTHING_TO_ANSWER", nothing.status)
    listed = space.bylag("settle", "list", "--home", "beta").out
    assert "settled" in listed
    assert "0.00 SEK" in listed


def test_a_person_refuses_and_the_other_side_hears_of_it(space: Space, priced: str) -> None:
    year = ("--from", "2021-01-01", "--until", "2022-01-01")
    space.bylag("settle", "sign", priced, *year, "--home", "alfa")
    refused = space.bylag.json("settle", "refuse", priced, "--home", "beta", "--words", "Not yet.")
    assert (refused["state"], refused["code"]) == ("refused", "REFUSED_BY_HAND")


def test_a_period_that_is_not_over_is_not_signed(space: Space, priced: str) -> None:
    early = space.bylag("settle", "sign", priced, "--until", LATER, "--home", "alfa", status=None)
    early.refused("PERIOD_NOT_OVER", early.status)


def test_nothing_stands_open_where_all_was_acknowledged(space: Space, priced: str) -> None:
    assert space.bylag.json("settle", "open", priced, "--home", "alfa") == []
    assert "Nothing stands open" in space.bylag("settle", "open", priced, "--home", "alfa").out


def test_the_records_of_a_settlement_verify(space: Space, priced: str) -> None:
    """Signatures and side rows of the settlement are checked like those of any signed message."""
    for home in ("alfa", "beta"):
        own = space.bylag.json("ledger", "verify", "--home", home)
        assert (own["verified"], own["wrong"]) == (True, [])
        space.bylag("ledger", "export", f"{home}-settled", "--home", home)
        (statement,) = (space.folder / f"{home}-settled" / "documents" / "settlement-statement").iterdir()
        assert len(json.loads(statement.read_bytes())["signatures"]) == 2
        assert space.bylag.json("ledger", "verify", f"{home}-settled")["verified"]
    records = space.bylag.json("ledger", "show", "--last", "100", "--home", "beta")
    assert "settlement" in {record["leaf"]["type"] for record in records}
