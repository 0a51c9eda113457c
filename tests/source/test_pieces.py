"""Pieces and positions: the whole is the source byte for byte, a part is what ``csv`` gives, and a
release that breaks off anywhere goes on from there."""

from __future__ import annotations

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.source.draft import TableOptions
from connector.source.errors import BadPosition, BadSelection, SnapshotDamaged, SourceError
from connector.source.lines import MAX_PIECE_BYTES
from connector.source.selection import WHOLE, Condition, Op, Order, Selection
from connector.source.snapshot import Snapshot
from connector.source.table import TableSnapshot
from tests.source.shelf import Shelf, joined, released, where

MIB = 1 << 20

EXACT = {
    "plain": b"a,b\n1,2\n",
    "no final newline": b"a,b\n1,2\n3,4",
    "carriage returns": b"a,b\r1,2\r3,4\r",
    "windows": b"a,b\r\n1,2\r\n",
    "mixed endings": b"a,b\r\n1,2\n3,4\r5,6",
    "byte-order mark": b"\xef\xbb\xbfa,b\n1,2\n",
    "needless quotes": b'"a","b"\n"1","2"\n',
    "quoted breaks": b'a,b\n"x\r\ny","z,"""\n1,2\n',
    "blank lines": b"\n\na,b\n\n1,2\n\n\n3,4\n\n",
    "semicolons": "a;b\n1,5;å\n".encode(),
    "header only": b"a,b\n",
    "header only, unfinished": b"a,b",
    "one column": b'a\n1\n""\n',
    "odd separators inside": "a,b\n\u2028,\x0b\n\x1c,\x85\n".encode(),
}

EXACT_JSON = {
    "spaces and order": b' { "b" : 1.50 , "a":"\\u00e5" }\n{"a":null}\r\n\n{"b":1e2}',
    "byte-order mark": b'\xef\xbb\xbf{"a":1}\n',
    "separators inside": '{"a":"\u2028\x85"}\n{"a":"x"}\n'.encode(),
}


@pytest.mark.parametrize("case", EXACT)
def test_a_whole_csv_release_is_the_source_byte_for_byte(shelf: Shelf, case: str) -> None:
    assert released(shelf.table(EXACT[case])) == EXACT[case]


@pytest.mark.parametrize("case", EXACT_JSON)
def test_a_whole_json_lines_release_is_the_source_byte_for_byte(shelf: Shelf, case: str) -> None:
    assert released(shelf.table(EXACT_JSON[case], "a.jsonl")) == EXACT_JSON[case]


@pytest.mark.parametrize("case", EXACT)
def test_a_part_is_what_csv_gives(shelf: Shelf, case: str) -> None:
    table = shelf.table(EXACT[case])
    text = EXACT[case].decode("utf-8-sig")
    rows = [
        row
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=str(table.manifest.delimiter))
        if row
    ]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([row[0]] for row in rows)
    assert released(table, Selection(columns=("a",))) == out.getvalue().encode()


def test_rewritten_json_lines_hold_the_same_values(shelf: Shelf) -> None:
    table = shelf.table(EXACT_JSON["spaces and order"], "a.jsonl")
    assert released(table, Selection(limit=9)) == '{"b":1.5,"a":"å"}\n{"a":null}\n{"b":100.0}\n'.encode()
    assert released(table, Selection(columns=("a",))) == '{"a":"å"}\n{"a":null}\n{}\n'.encode()


CELLS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8)
ENDINGS = st.sampled_from(["\n", "\r\n", "\r"])


@settings(max_examples=80)
@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    ending=ENDINGS,
    quoted=st.booleans(),
    mark=st.booleans(),
    final=st.booleans(),
    columns=st.permutations(["one", "two", "three"]),
    count=st.integers(1, 3),
)
def test_whatever_csv_is_accepted_is_released_exactly_and_projected_as_csv_would(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[str]],
    delimiter: str,
    ending: str,
    quoted: bool,
    mark: bool,
    final: bool,
    columns: list[str],
    count: int,
) -> None:
    out = io.StringIO(newline="")
    # ``csv`` leaves a lone carriage return unquoted when it does not end its own lines.
    broken = any("\r" in cell or "\n" in cell for row in rows for cell in row)
    quoting: Literal[0, 1] = csv.QUOTE_ALL if quoted or broken else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=delimiter, lineterminator=ending, quoting=quoting)
    writer.writerows([["one", "two", "three"], *rows])
    text = out.getvalue() if final else out.getvalue().removesuffix(ending)
    content = text.encode("utf-8-sig" if mark else "utf-8")
    table = Shelf(tmp_path_factory.mktemp("t")).table(
        content, options=TableOptions(delimiter=delimiter, media_type="text/csv")
    )
    assert released(table) == content
    parsed = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    expected = io.StringIO(newline="")
    wanted = columns[:count]
    csv.writer(expected).writerows([wanted, *([row[name] for name in wanted] for row in parsed)])
    assert released(table, Selection(columns=tuple(wanted))) == expected.getvalue().encode()
    table.close()


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=50)
@given(
    st.lists(st.dictionaries(st.sampled_from(["a", "b", "å c"]), VALUES, max_size=3), min_size=1, max_size=8)
)
def test_whatever_json_lines_are_accepted_are_released_exactly_and_projected_value_for_value(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    content = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
    shelf = Shelf(tmp_path_factory.mktemp("t"))
    try:
        table = shelf.table(content, "a.jsonl")
    except SourceError:
        assert not any(rows)  # no member anywhere: no column
        return
    assert released(table) == content
    name = table.schema.names[0]
    lines = released(table, Selection(columns=(name,))).splitlines()
    assert [json.loads(line) for line in lines] == [
        {key: value for key, value in row.items() if key == name} for row in rows
    ]
    table.close()


def long_table(shelf: Shelf, rows: int = 3000) -> tuple[TableSnapshot, list[list[str]]]:
    """A table of several pieces whose rows differ in length."""
    cells = [[str(n), "x" * (n % 1500), str(n % 7)] for n in range(1, rows + 1)]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["id", "pad", "group"], *cells])
    return shelf.table(out.getvalue().encode()), cells


@pytest.mark.parametrize(
    "selection",
    [
        WHOLE,
        Selection(columns=("pad", "id")),
        where("group", "eq", 3),
        Selection(where=(Condition("group", Op.LT, 5),), limit=1700),
        Selection(order=(Order("group", descending=True), Order("pad"))),
        Selection(order=(Order("group"),), limit=2500),
    ],
    ids=["whole", "columns", "rows", "limit", "order", "order and limit"],
)
def test_a_release_goes_on_from_any_piece_as_if_it_had_never_stopped(
    shelf: Shelf, selection: Selection
) -> None:
    table, _ = long_table(shelf)
    pieces = [*table.pieces(selection)]
    assert len(pieces) > 1 or selection.where
    assert all(len(piece.data) <= MAX_PIECE_BYTES for piece in pieces)
    positions = [0, *(piece.position for piece in pieces)]
    assert positions == sorted(set(positions))
    assert [*table.pieces(selection)] == pieces
    for done, position in enumerate(positions):
        rest = [*table.pieces(selection, position)]
        assert joined(pieces[:done]) + joined(rest) == joined(pieces)
        assert sum(piece.rows for piece in pieces[:done]) + sum(piece.rows for piece in rest) == sum(
            piece.rows for piece in pieces
        )


def test_a_whole_table_can_be_gone_on_from_at_every_row(shelf: Shelf) -> None:
    content = b'\xef\xbb\xbfa,b\r\n1,"x\r\ny"\r\n\r\n2,z\r\n3,w'
    table = shelf.table(content)
    ends = [3 + 5, 3 + 5 + 12, 3 + 5 + 12 + 5, len(content)]
    for row, start in enumerate([0, *ends]):
        assert released(table, position=row) == content[start:] if row else content
    assert released(table, position=table.end()) == b""


def test_each_piece_ends_at_a_rows_end_and_counts_its_rows(shelf: Shelf) -> None:
    table, cells = long_table(shelf)
    before = 0
    for piece in table.pieces():
        data = bytes(piece.data)
        assert data.endswith(b"\r\n")
        first_row = 1 if before == 0 else 0
        assert data.count(b"\r\n") == piece.rows + first_row
        before += piece.rows
        assert piece.position == before + 1
    assert before == len(cells)


def test_the_largest_rows_still_fit_a_piece_each(shelf: Shelf) -> None:
    row = b"1," + b"x" * (MIB - 132)  # room is kept for a label when it is rewritten
    header = b"a," + b"b" * 150 + b"\n"
    content = header + (row + b"\r\n") + (row + b"\n") * 2
    table = shelf.table(content)
    assert [len(piece.data) for piece in table.pieces()] == [153, MIB - 128, MIB - 129, MIB - 129]
    assert [piece.rows for piece in table.pieces()] == [0, 1, 1, 1]
    assert [piece.position for piece in table.pieces()] == [1, 2, 3, 4]
    assert [piece.rows for piece in table.pieces(where("a", "eq", 1))] == [0, 1, 1, 1]


def test_rows_that_grow_when_they_are_quoted_are_cut_into_more_pieces(shelf: Shelf) -> None:
    # Quoting doubles these cells: two of them, read together, are more than a piece when rewritten.
    cells = [["x" + '"' * count] for count in (200_000, 480_000, 10, 250_000, 400_000)]
    content = b"a;b\n" + b"".join(b"1;" + cell.encode() + b"\n" for (cell,) in cells)
    pieces = [*shelf.table(content).pieces(Selection(columns=("b",)))]
    assert all(len(piece.data) <= MAX_PIECE_BYTES for piece in pieces)
    assert sum(piece.rows for piece in pieces) == len(cells)
    assert [*csv.reader(io.StringIO(joined(pieces).decode(), newline=""))] == [["b"], *cells]


def test_an_empty_result_has_its_header_and_no_row(shelf: Shelf) -> None:
    table = shelf.table(b"a,b\n1,2\n")
    (piece,) = table.pieces(where("a", "eq", 9))
    assert (piece.data, piece.rows, piece.position) == (b"a,b\r\n", 0, 2)
    assert [*shelf.table(b'{"a":1}\n', "a.jsonl").pieces(where("a", "eq", 9))] == []


def test_a_header_that_was_sent_is_not_sent_again(shelf: Shelf) -> None:
    table = shelf.table(b"a,b\n")
    (piece,) = table.pieces()
    assert piece.position == 1
    assert [*table.pieces(position=1)] == []


@pytest.mark.parametrize("position", [-1, 4, 2**53])
def test_a_position_outside_the_table_is_refused(shelf: Shelf, position: int) -> None:
    table = shelf.table(b"a,b\n1,2\n3,4\n")
    for selection in (WHOLE, where("a", "eq", 1)):
        with pytest.raises(BadPosition):
            table.pieces(selection, position)
    with pytest.raises(BadPosition):
        table.pieces(position=0, until=9)


def plain_file(shelf: Shelf, content: bytes) -> Snapshot:
    with shelf.folder.draft_file(shelf.file(content, "x.bin")) as draft:
        return shelf.folder.open(draft.publish())


def test_a_plain_file_goes_on_from_any_byte(shelf: Shelf) -> None:
    content = bytes(range(256)) * 10_000
    snapshot = plain_file(shelf, content)
    pieces = [*snapshot.pieces()]
    assert [piece.position for piece in pieces] == [MIB, 2 * MIB, len(content)]
    for position in (0, 1, MIB, MIB + 7, len(content)):
        assert released(snapshot, position=position) == content[position:]
    for position in (-1, len(content) + 1):
        with pytest.raises(BadPosition):
            snapshot.pieces(position=position)
    assert snapshot.end() == len(content)


def test_nothing_can_be_selected_from_a_plain_file(shelf: Shelf) -> None:
    with pytest.raises(BadSelection):
        plain_file(shelf, b"abc").pieces(Selection(limit=1))


def test_many_releases_run_at_once(shelf: Shelf) -> None:
    table, _ = long_table(shelf)
    selections = [
        WHOLE,
        where("group", "eq", 3),
        Selection(columns=("id",)),
        Selection(order=(Order("pad"),)),
    ] * 4
    expected = [released(table, selection) for selection in selections[:4]] * 4
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(lambda selection: released(table, selection), selections)] == expected
        lookups = pool.map(lambda n: table.lookup(where("id", "eq", n)).data, range(1, 200))
        assert all(bytes(data).count(b"\r\n") == 2 for data in lookups)


def test_a_release_that_has_begun_outlives_the_version(shelf: Shelf) -> None:
    table, _ = long_table(shelf)
    content = released(table)
    running, selected = table.pieces(), table.pieces(Selection(columns=("id", "pad", "group")))
    begun = next(running).data, next(selected).data
    shelf.folder.remove(table.digest)
    table.close()
    assert bytes(begun[0]) + joined([*running]) == content
    assert bytes(begun[1]) + joined([*selected]) == content


def test_an_index_that_does_not_fit_its_rows_releases_nothing(shelf: Shelf) -> None:
    table = shelf.table(b"a,b\n1,2\n3,4\n5,6\n")
    rows = shelf.path / table.digest / "rows"
    rows.write_bytes(b'a,b\n1,"\n3,"\n5,6\n')
    with pytest.raises(SnapshotDamaged):
        released(shelf.folder.open(table.digest), Selection(columns=("a",)))
