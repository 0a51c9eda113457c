"""What is looked for before a table is published, and that it is not published until answered for."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

import pytest

from connector.catalog.personal_numbers import (
    is_danish,
    is_finnish,
    is_icelandic,
    is_norwegian,
    is_swedish,
    personal_numbers,
)
from connector.catalog.suspicion import Evidence, Kind, Undeclared, check_declared, look
from connector.source.folder import SnapshotFolder
from connector.source.schema import Column, ColumnType, Role, Schema
from ledger.ambient import HeldAmbient


def schema(*names: str, kind: ColumnType = ColumnType.STRING) -> Schema:
    return Schema(tuple(Column(name, kind, True) for name in names))


def kinds(name: str, values: list[str], kind: ColumnType = ColumnType.STRING) -> set[Kind]:
    return {finding.kind for finding in look(schema(name, kind=kind), {name: values})}


# Numbers that the authorities print as examples.
SWEDISH = ["198112189876", "19811218-9876", "811218-9876", "8112189876", "811278-9873"]


@pytest.mark.parametrize("written", SWEDISH)
def test_swedish_numbers_are_recognised_by_date_and_check_digit(written: str) -> None:
    assert is_swedish(written)
    assert not is_swedish(written[:-1] + str((int(written[-1]) + 1) % 10))


def test_a_swedish_organisation_number_is_nobodys() -> None:
    assert not is_swedish("556036-0793")
    assert not is_swedish("212000-0142")


def with_control(digits: str, weights: tuple[int, ...]) -> str | None:
    """The number with the control digit that the rule asks for, by trying all ten."""
    for last in range(10):
        number = f"{digits}{last}"
        if sum(int(digit) * weight for digit, weight in zip(number, weights, strict=True)) % 11 == 0:
            return number
    return None


def test_danish_numbers_are_recognised_by_date_and_control_digit() -> None:
    number = with_control("251248491", (4, 3, 2, 7, 6, 5, 4, 3, 2, 1))
    assert number is not None
    assert is_danish(number)
    assert is_danish(f"{number[:6]}-{number[6:]}")
    assert not is_danish("3212481234")
    # Numbers given out since 2007 need not have a control digit: with the dash they are suspected.
    assert ("DK", False) in personal_numbers("cpr 251210-1234.")


def test_the_neighbours_numbers_are_recognised_too() -> None:
    assert is_finnish("131052-308T")
    assert not is_finnish("131052-308U")
    assert is_norwegian("13097248022")
    assert not is_norwegian("13097248023")
    assert is_icelandic("120174-3399")
    assert not is_icelandic("120174-3389")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("personnummer", Kind.PERSONAL_NUMBER),
        ("PersonNr", Kind.PERSONAL_NUMBER),
        ("cpr_nr", Kind.PERSONAL_NUMBER),
        ("CPR-nummer", Kind.PERSONAL_NUMBER),
        ("national_id", Kind.PERSONAL_NUMBER),
        ("födelsedatum", Kind.BIRTH_DATE),
        ("date_of_birth", Kind.BIRTH_DATE),
        ("dateOfBirth", Kind.BIRTH_DATE),
        ("Förnamn", Kind.NAME),
        ("efternavn", Kind.NAME),
        ("customer_name", Kind.NAME),
        ("firstName", Kind.NAME),
        ("Name", Kind.NAME),
        ("navn", Kind.NAME),
        ("E-post", Kind.EMAIL),
        ("contact_email", Kind.EMAIL),
        ("mailadresse", Kind.EMAIL),
        ("Mobilnr", Kind.PHONE),
        ("telefon 2", Kind.PHONE),
        ("phone_number", Kind.PHONE),
        ("Gatuadress", Kind.ADDRESS),
        ("address1", Kind.ADDRESS),
        ("vejnavn", Kind.ADDRESS),
        ("street_address", Kind.ADDRESS),
        ("latitude", Kind.COORDINATES),
        ("gps_lon", Kind.COORDINATES),
        ("Koordinat X", Kind.COORDINATES),
    ],
)
def test_columns_are_suspected_by_their_names_in_three_languages(name: str, kind: Kind) -> None:
    (finding,) = [each for each in look(schema(name), {}) if each.kind is kind]
    assert (finding.column, finding.evidence) == (name, Evidence.NAME)


@pytest.mark.parametrize(
    "name",
    (
        "garagecode vehiclecount type_name station owner_type temperature unit along platform city hotel "
        "emailed_count_total household_id location police_zone collateral"
    ).split(),
)
def test_everyday_columns_are_left_in_peace(name: str) -> None:
    assert look(schema(name), {}) == ()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["198112189876"], Kind.PERSONAL_NUMBER),
        (["note", "caller 811218-9876 asked again", *["x"] * 300], Kind.PERSONAL_NUMBER),
        (["131052-308T"], Kind.PERSONAL_NUMBER),
        (["251248-1235", "010190-1234"], Kind.PERSONAL_NUMBER),
        (["write to a.b@example.org", *["-"] * 300], Kind.EMAIL),
        (["+46 70 123 45 67", "040-34 10 00", "0701234567"], Kind.PHONE),
        (["Storgatan 5", "Vasavägen 12 B"], Kind.ADDRESS),
        (["Nørregade 10, 2. th", "Åboulevarden 1"], Kind.ADDRESS),
        (["12 Old Kent Road"], Kind.ADDRESS),
        (["POINT (12.5683 55.6761)"], Kind.COORDINATES),
        (["55.6761, 12.5683"], Kind.COORDINATES),
        (["Anna Svensson", "Lars Hansen", "X Y", "Z"], Kind.NAME),
        (["Svensson, Anna"], Kind.NAME),
    ],
)
def test_columns_are_suspected_by_their_values(values: list[str], kind: Kind) -> None:
    assert kind in kinds("c", values)


@pytest.mark.parametrize(
    "values",
    [
        ["2014-05-22 09:09:04.145", "2014-05-22T09:09:04Z"],
        ["NORREPORT", "SKOLEBAKKEN", "BRUUNS"],
        ["556036-0793", "212000-0142"],
        ["2.2758", "0.0000"],
        ["123-456", "A-12345678"],
        ["3-16", "1-1A"],
        [],
        [""],
        ["x" * 5000],
    ],
)
def test_everyday_values_are_left_in_peace(values: list[str]) -> None:
    assert kinds("c", values) == set()


def test_integers_are_looked_through_for_personal_numbers_only() -> None:
    assert kinds("c", ["198112189876"], ColumnType.INTEGER) == {Kind.PERSONAL_NUMBER}
    assert kinds("c", ["0701234567"], ColumnType.DATE) == set()


def test_random_numbers_are_not_taken_for_people() -> None:
    dice = random.Random(7)  # noqa: S311 - the same every time
    values = [str(dice.randrange(10**9, 10**10)) for _ in range(400)]
    assert kinds("order", values, ColumnType.INTEGER) == set()


def test_real_numbers_among_many_others_are_found() -> None:
    dice = random.Random(7)  # noqa: S311 - the same every time
    numbers: list[str] = []
    while len(numbers) < 20:
        day = date(1930, 1, 1) + timedelta(days=dice.randrange(30_000))
        candidate = f"{day:%Y%m%d}{dice.randrange(10_000):04}"
        if is_swedish(candidate):
            numbers.append(candidate)
    noise = [str(dice.randrange(10**9, 10**10)) for _ in range(380)]
    assert kinds("c", [*noise, *numbers], ColumnType.INTEGER) == {Kind.PERSONAL_NUMBER}


def test_nothing_is_published_before_the_owner_says_what_each_column_is() -> None:
    columns = schema("pnr", "email", "kwh")
    findings = look(columns, {"kwh": ["1.5"]})
    assert {finding.column for finding in findings} == {"pnr", "email"}
    with pytest.raises(Undeclared) as refused:
        check_declared(findings, {"pnr": Role.SUBJECT})
    assert refused.value.field == "email"
    assert [finding.column for finding in refused.value.findings] == ["email"]
    assert "--column" in refused.value.next_step
    check_declared(findings, {"pnr": Role.SUBJECT, "email": Role.NOT_PERSONAL})
    check_declared((), {})


def test_a_finding_holds_no_value() -> None:
    findings = look(schema("c"), {"c": ["198112189876", "a.b@example.org"]})
    assert findings
    text = f"{findings} {Undeclared(findings)}"
    assert "1981" not in text
    assert "example.org" not in text


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("parking-aarhus.csv", set()),
        ("air-quality-openaq.csv", set()),
        ("household-energy.csv", set()),
        ("fire-incidents-pittsburgh.csv", {"address", "latitude", "longitude"}),
    ],
)
def test_real_files(test_data: Path, tmp_path: Path, name: str, columns: set[str]) -> None:
    folder = SnapshotFolder(tmp_path, HeldAmbient())
    small = tmp_path / name
    with (test_data / "data" / name).open("rb") as source:
        small.write_bytes(b"".join(source.readlines()[:3000]))
    with folder.draft_table(small) as draft:
        assert draft.schema is not None
        assert {finding.column for finding in look(draft.schema, draft.sample)} == columns
