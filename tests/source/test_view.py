"""What a decision hides stays hidden, however the question is put."""

from __future__ import annotations

import csv
import io
import json

import pytest

from connector.source.draft import TableOptions
from connector.source.errors import BadPosition, BadSelection, NotReleasable, UnknownColumn
from connector.source.schema import LABEL_COLUMN
from connector.source.selection import WHOLE, Condition, Op, Order, Selection
from connector.source.snapshot import Snapshot
from connector.source.table import TableSnapshot
from connector.source.view import BadLabel, View
from ledger.errors import BylagError
from tests.source.shelf import Shelf, label_of, released, where

PEOPLE = b"pid,town,income\nanna,Malm\xc3\xb6,100\nbo,Lund,200\ncarl,Lund,300\nanna,Lund,400\n"
IN_LUND = (Condition("town", Op.EQ, "Lund"),)


@pytest.fixture
def table(shelf: Shelf) -> TableSnapshot:
    return shelf.table(PEOPLE)


@pytest.fixture
def people(shelf: Shelf) -> TableSnapshot:
    return shelf.table(PEOPLE, subject="pid")


def rows(data: bytes | memoryview) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(bytes(data).decode(), newline=""))]


def test_a_masked_column_leaves_in_no_way(table: TableSnapshot) -> None:
    view = View(mask=frozenset({"income"}))
    expected = "pid,town\r\nanna,Malmö\r\nbo,Lund\r\ncarl,Lund\r\nanna,Lund\r\n"
    assert released(table, WHOLE, view) == expected.encode()
    assert view.visible(table.schema).names == ("pid", "town")
    for selection in (
        Selection(columns=("income",)),
        where("income", "gt", 150),
        where("income", "null", False),
        Selection(order=(Order("income"),)),
        Selection(columns=("pid",), order=(Order("town"), Order("income"))),
    ):
        with pytest.raises(UnknownColumn) as hidden:
            table.pieces(selection, 0, view)
        assert hidden.value.field == "income"
        with pytest.raises(UnknownColumn):
            table.lookup(selection, view)
    with pytest.raises(UnknownColumn) as absent:
        table.lookup(where("salary", "eq", 1), view)
    with pytest.raises(UnknownColumn) as masked:
        table.lookup(where("income", "eq", 1), view)
    assert absent.value.message == masked.value.message


def test_a_mask_that_misses_its_column_releases_nothing(table: TableSnapshot) -> None:
    with pytest.raises(UnknownColumn):
        table.pieces(WHOLE, 0, View(mask=frozenset({"Income"})))


def test_a_mask_of_everything_leaves_nothing_to_release(table: TableSnapshot) -> None:
    with pytest.raises(BadSelection, match="no column"):
        table.pieces(WHOLE, 0, View(mask=frozenset(table.schema.names)))


def test_the_row_filter_comes_before_predicate_order_and_limit(table: TableSnapshot) -> None:
    view = View(row_filter=IN_LUND, mask=frozenset({"town"}))  # it may be on a hidden column
    assert [row["income"] for row in rows(released(table, WHOLE, view))] == ["200", "300", "400"]
    first = Selection(limit=1)
    assert [row["income"] for row in rows(released(table, first, view))] == ["200"]
    poorest = Selection(order=(Order("income"),), limit=1)
    assert [row["income"] for row in rows(released(table, poorest, view))] == ["200"]
    assert rows(released(table, where("income", "eq", 100), view)) == []
    assert rows(table.lookup(where("income", "eq", 100), view).data) == []


def test_rows_about_people_carry_labels_and_not_ids(people: TableSnapshot) -> None:
    (piece,) = people.pieces(WHOLE, 0, View(about_people=True, labels=label_of))
    assert piece.subjects == ("anna", "bo", "carl", "anna")
    found = rows(piece.data)
    assert [row[LABEL_COLUMN] for row in found] == label_of(["anna", "bo", "carl", "anna"])
    assert list(found[0]) == ["town", "income", LABEL_COLUMN]
    assert b"anna" not in piece.data
    assert "anna" not in repr(piece)


def test_the_subject_column_is_shown_only_where_it_is_granted(people: TableSnapshot) -> None:
    view = View(about_people=True, labels=label_of)
    for selection in (
        Selection(columns=("pid",)),
        where("pid", "eq", "anna"),
        Selection(order=(Order("pid"),)),
    ):
        with pytest.raises(UnknownColumn):
            people.lookup(selection, view)
    granted = View(about_people=True, labels=label_of, subject_granted=True)
    assert [row["pid"] for row in rows(people.lookup(where("pid", "eq", "bo"), granted).data)] == ["bo"]


def test_no_such_person_no_consent_and_no_row_look_the_same(people: TableSnapshot) -> None:
    view = View(about_people=True, labels=label_of, subject_granted=True, subjects={"bo"})
    answers = {
        people.lookup(where("pid", "eq", "nobody"), view).data,
        people.lookup(where("pid", "eq", "anna"), view).data,
        people.lookup(
            Selection(where=(Condition("pid", Op.EQ, "bo"), Condition("income", Op.EQ, 7))), view
        ).data,
    }
    assert len(answers) == 1
    assert rows(people.lookup(where("pid", "eq", "bo"), view).data)
    assert people.lookup(WHOLE, view, limit=1).subjects == ("bo",)


def test_who_may_be_seen_is_asked_as_rows_are_found(shelf: Shelf) -> None:
    content = b"pid,pad\n" + b"".join(b"p%d,%s\n" % (number, b"x" * 1000) for number in range(3000))
    people = shelf.table(content, subject="pid")
    seen = {f"p{number}" for number in range(3000)}
    pieces = people.pieces(WHOLE, 0, View(about_people=True, labels=label_of, subjects=seen))
    first = next(pieces)
    seen.clear()  # everybody withdraws
    later = [subject for piece in pieces for subject in piece.subjects or ()]
    assert first.subjects
    assert len(later) < 2048


def test_a_release_goes_on_rightly_after_a_withdrawal(shelf: Shelf) -> None:
    content = b"pid,pad\n" + b"".join(b"p%d,%s\n" % (number % 10, b"x" * 1000) for number in range(3000))
    people = shelf.table(content, subject="pid")
    everybody = {f"p{number}" for number in range(10)}
    before = next(people.pieces(WHOLE, 0, View(about_people=True, labels=label_of, subjects=everybody)))
    view = View(about_people=True, labels=label_of, subjects=everybody - {"p3"})
    after = [*people.pieces(WHOLE, before.position, view)]
    shown = [*(before.subjects or ()), *(subject for piece in after for subject in piece.subjects or ())]
    withheld = sum(1 for number in range(before.rows, 3000) if number % 10 == 3)
    assert len(shown) == 3000 - withheld
    assert [who for who in shown if who != "p3"] == [f"p{n % 10}" for n in range(3000) if n % 10 != 3]


def test_an_ordered_release_under_a_filter_cannot_be_gone_on_from(people: TableSnapshot) -> None:
    view = View(about_people=True, labels=label_of, subjects={"anna"})
    ordered = Selection(order=(Order("income"),))
    assert next(people.pieces(ordered, 0, view)).rows == 2
    with pytest.raises(BadPosition):
        people.pieces(ordered, 2, view)


def test_data_about_people_never_leaves_as_a_file_or_without_labels(
    shelf: Shelf, table: TableSnapshot, people: TableSnapshot
) -> None:
    with shelf.folder.draft_file(shelf.file(PEOPLE)) as draft:
        plain: Snapshot = shelf.folder.open(draft.publish())
    attempts = [
        (plain, View(about_people=True)),
        (plain, View(about_people=True, labels=label_of)),
        (plain, View(subjects={"bo"})),
        (table, View(about_people=True)),  # no column says whom a row is about
        (table, View(about_people=True, labels=label_of)),
        (table, View(subjects={"bo"})),
        (people, View()),  # the catalogue forgot to say so
        (people, View(about_people=True)),
        (people, View(about_people=True, subject_granted=True)),
    ]
    for snapshot, view in attempts:
        with pytest.raises(NotReleasable):
            snapshot.pieces(WHOLE, 0, view)
        if isinstance(snapshot, TableSnapshot):
            with pytest.raises(NotReleasable):
                snapshot.lookup(WHOLE, view)


def test_labels_that_are_none_release_nothing(people: TableSnapshot) -> None:
    for labels in (
        lambda subjects: label_of(subjects)[1:],
        lambda subjects: ["x" * 32 for _ in subjects],
        lambda subjects: [label[:-1] for label in label_of(subjects)],
    ):
        with pytest.raises(BadLabel):
            next(people.pieces(WHOLE, 0, View(about_people=True, labels=labels)))


def test_a_registry_that_fails_releases_nothing_and_its_error_comes_through(people: TableSnapshot) -> None:
    class Unavailable(BylagError):
        code = "REGISTRY"

    class Registry:
        def __contains__(self, subject: object) -> bool:
            raise Unavailable("the registry does not answer")

    view = View(about_people=True, labels=label_of, subjects=Registry())
    with pytest.raises(Unavailable):
        next(people.pieces(WHOLE, 0, view))
    with pytest.raises(Unavailable):
        people.lookup(WHOLE, view)


def test_integers_as_ids_are_asked_for_as_they_are_written(shelf: Shelf) -> None:
    people = shelf.table(b"pid,v\n198112189876,1\n7,2\n", subject="pid")
    view = View(about_people=True, labels=label_of, subjects={"198112189876"})
    assert next(people.pieces(WHOLE, 0, view)).subjects == ("198112189876",)


def test_rows_of_json_lines_about_people_carry_labels_too(shelf: Shelf) -> None:
    people = shelf.table(b'{"pid":"anna","v":[1]}\n{"v":2.0,"pid":"bo"}\n', "a.jsonl", subject="pid")
    (piece,) = people.pieces(WHOLE, 0, View(about_people=True, labels=label_of))
    assert [json.loads(line) for line in bytes(piece.data).splitlines()] == [
        {"v": [1], LABEL_COLUMN: label_of(["anna"])[0]},
        {"v": 2.0, LABEL_COLUMN: label_of(["bo"])[0]},
    ]


def test_what_a_release_consists_of_is_said_beforehand(shelf: Shelf) -> None:
    table = shelf.table(b"a\tb\n1\t2\n", options=TableOptions(delimiter="\t"))
    assert table.media_type() == "text/csv"
    lines = shelf.table(b'{"a":1}\n', "a.jsonl")
    assert lines.media_type(Selection(limit=1)) == "application/x-ndjson"
