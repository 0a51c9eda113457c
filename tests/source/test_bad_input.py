"""What is wrong with a file gets one clear error that names the place, and leaves nothing behind."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.source.draft import TableOptions
from connector.source.errors import (
    BadHeader,
    BadRow,
    RowTooLarge,
    SourceEmpty,
    SourceError,
    SourcePacked,
    SourceUnreadable,
    WrongEncoding,
)
from connector.source.lines import Watch
from tests.source.shelf import Shelf

MIB = 1 << 20
HUGE = "9" * 400
ROW = b"1," + b"x" * 1000 + b"\n"


def _zip_bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.csv", b"0" * (64 * MIB))
    return out.getvalue()


CASES: dict[str, tuple[bytes, str, type[SourceError], str | None]] = {
    # name: content, file name, error, field
    "empty": (b"", "a.csv", SourceEmpty, "file"),
    "blank lines only": (b"\r\n \n\n", "a.csv", SourceEmpty, None),
    "byte-order mark only": (b"\xef\xbb\xbf", "a.csv", SourceEmpty, None),
    "no row in JSON Lines": (b"\xef\xbb\xbf\n", "a.jsonl", SourceEmpty, None),
    "gzip as CSV": (gzip.compress(b"a,b\n1,2\n"), "a.csv", SourcePacked, None),
    "zip bomb as CSV": (_zip_bomb(), "a.csv", SourcePacked, None),
    "bzip2 as JSON Lines": (bz2.compress(b'{"a":1}'), "a.jsonl", SourcePacked, None),
    "xz as CSV": (lzma.compress(b"a,b\n"), "a.csv", SourcePacked, None),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), "a.csv", WrongEncoding, "rows[0]"),
    "UTF-16 without a mark": ("a,b\n1,2\n".encode("utf-16-le"), "a.csv", WrongEncoding, "rows[0]"),
    "Latin-1 in a row": ("namn,ort\nA,Malmö\nB,Lund\n".encode("latin-1"), "a.csv", WrongEncoding, "rows[1]"),
    "Latin-1 in the header": ("å,b\n1,2\n".encode("latin-1"), "a.csv", WrongEncoding, "rows[0]"),
    "Latin-1 in JSON Lines": (b'{"a":1}\n{"a":"\xe5"}\n', "a.jsonl", WrongEncoding, "rows[2]"),
    "overlong UTF-8": (b"a,b\n1,\xc0\xaf\n", "a.csv", WrongEncoding, "rows[1]"),
    "surrogate in UTF-8": (b"a,b\n1,\xed\xa0\x80\n", "a.csv", WrongEncoding, "rows[1]"),
    "NUL byte": (b"a,b\n" + ROW * 1500 + b"1,\x002\n", "a.csv", BadRow, "rows[1501]"),
    "too few cells": (b"a,b\n1,2\n1\n", "a.csv", BadRow, "rows[2]"),
    "too many cells": (b"a,b\n1,2\n3,4\n1,2,3\n", "a.csv", BadRow, "rows[3]"),
    "text after a quote": (b'a,b\n1,2\n1,"x"y\n', "a.csv", BadRow, "rows[2]"),
    "a quote never closed": (b'a,b\n1,2\n1,"x\n3,4\n', "a.csv", BadRow, "rows[2]"),
    "a quote never closed in a large file": (
        b'a,b\n1,2\n1,"x\n' + ROW * 1500,
        "a.csv",
        RowTooLarge,
        "rows[2]",
    ),
    "a line beyond a piece": (b"a,b\n1,2\n1," + b"x" * (MIB + 1), "a.csv", RowTooLarge, "lines[3]"),
    "a first line beyond a piece": (b"x" * (3 * MIB), "a.csv", RowTooLarge, "rows[0]"),
    "a line far beyond a piece": (b"a,b\n1," + b"x" * (3 * MIB), "a.csv", RowTooLarge, "lines[2]"),
    "a row too large once quoted": (
        b"a,b\n1,2\n" + b'x"' * (MIB // 2 - 8) + b",1\n",
        "a.csv",
        RowTooLarge,
        "rows[2]",
    ),
    "blank lines beyond a piece": (b"a,b\n1,2\n" + b"\n" * (MIB + 1), "a.csv", RowTooLarge, "rows[2]"),
    "two columns of one name": (b"a,b,a\n1,2,3\n", "a.csv", BadHeader, "columns[3]"),
    "a right-to-left override": ("a,\u202eb\n1,2\n".encode(), "a.csv", BadHeader, "columns[2]"),
    "a control character in a name": (b"a,b\x07\n1,2\n", "a.csv", BadHeader, "columns[2]"),
    "a line break in a name": (b'a,"b\nc"\n1,2\n', "a.csv", BadHeader, "columns[2]"),
    "too many columns": (b",".join(b"c%d" % n for n in range(501)) + b"\n", "a.csv", BadHeader, "columns"),
    "a row for a header": (b"2024-01-01,7\n2024-01-02,8\n", "a.csv", BadHeader, "rows[0]"),
    "deep JSON": (b'{"a":1}\n{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", "a.jsonl", BadRow, "rows[2]"),
    "deep JSON never closed": (b'{"a":' + b"[" * 500_000, "a.jsonl", BadRow, "rows[1]"),
    "quotes never closed": (b'{"a":"' + b'\\"' * 200_000 + b"[" * 20, "a.jsonl", BadRow, "rows[1]"),
    "a member twice": (b'{"a":1,"a":2}\n', "a.jsonl", BadRow, "rows[1]"),
    "a member twice, deeper": (b'{"a":{"b":1,"b":2}}\n', "a.jsonl", BadRow, "rows[1]"),
    "a huge integer": (f'{{"a":{HUGE}}}\n'.encode(), "a.jsonl", BadRow, "rows[1]"),
    "an integer of many megabytes' work": (b'{"a":' + b"9" * 900_000 + b"}\n", "a.jsonl", BadRow, "rows[1]"),
    "an integer beyond 64 bits": (b'{"a":9223372036854775808}\n', "a.jsonl", BadRow, "rows[1]"),
    "a number beyond double": (b'{"a":1e999}\n', "a.jsonl", BadRow, "rows[1]"),
    "not a number": (b'{"a":NaN}\n', "a.jsonl", BadRow, "rows[1]"),
    "half a surrogate pair": (b'{"a":1}\n{"a":"\\ud800"}\n', "a.jsonl", BadRow, "rows[2]"),
    "a JSON list": (b'[{"a":1}]\n', "a.jsonl", BadRow, "rows[1]"),
    "a line that is no object": (b'{"a":1}\n7\n', "a.jsonl", BadRow, "rows[2]"),
    "a line that is no JSON": (b'{"a":1}\n{"a":\n', "a.jsonl", BadRow, "rows[2]"),
    "two objects on a line": (b'{"a":1}{"a":2}\n', "a.jsonl", BadRow, "rows[1]"),
    "an override in a member's name": ('{"\u202ea":1}\n'.encode(), "a.jsonl", BadHeader, "columns[1]"),
    "a member without a name": (b'{"":1}\n', "a.jsonl", BadHeader, "columns[1]"),
    "too many members": (
        b"\n".join(b'{"c%d":1}' % number for number in range(501)),
        "a.jsonl",
        BadHeader,
        "columns",
    ),
    "a truncated Parquet file": (b"PAR1" + b"\x00" * 100 + b"PAR1", "a.parquet", SourceError, None),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_content_gets_one_clear_error_and_leaves_nothing(shelf: Shelf, case: str) -> None:
    content, name, kind, field = CASES[case]
    with pytest.raises(kind) as refused:
        shelf.folder.draft_table(shelf.file(content, name))
    error = refused.value
    if field is not None:
        assert error.field == field
    assert error.next_step.endswith((".", "NEW", "--raw.", "(or -f UTF-16).")) or error.next_step
    assert error.code != SourceError.code
    assert len(str(error)) < 300
    assert shelf.left_behind() == []


def test_an_error_never_quotes_a_cell(shelf: Shelf) -> None:
    secret = "198112189876"
    for content, name in (
        (f"a,b\n1,{secret}\n1,{secret},\n", "a.csv"),
        (f'a,b\n1,"{secret}"x\n', "a.csv"),
        (f'{{"a":{secret}0000000000000}}\n', "a.jsonl"),
        (f'{{"a":"{secret}"x}}\n', "a.jsonl"),
    ):
        with pytest.raises(SourceError) as refused:
            shelf.folder.draft_table(shelf.file(content.encode(), name))
        assert secret not in str(refused.value) + refused.value.next_step


def test_a_line_of_a_gibibyte_is_refused_after_a_few_mebibytes(shelf: Shelf) -> None:
    source = shelf.root / "endless.csv"
    with source.open("wb") as file:
        file.write(b"a,b\n1,")
        for _ in range(4):
            file.write(b"x" * MIB)
        file.truncate(1 << 30)  # the rest is a hole: it costs no disk, and would be refused too late
    copied: list[int] = []
    with pytest.raises(RowTooLarge):
        shelf.folder.draft_table(source, watch=Watch(lambda stage, done, total: copied.append(done)))
    assert max(copied, default=0) <= 2 * MIB
    assert shelf.left_behind() == []


def test_what_is_no_regular_file_is_refused_at_once(shelf: Shelf, tmp_path: Path) -> None:
    target = shelf.file(b"a,b\n1,2\n")
    link = tmp_path / "link.csv"
    link.symlink_to(target)
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    for path in (
        tmp_path,
        link,
        pipe,
        Path("/dev/null"),
        tmp_path / "absent.csv",
        Path("a\0b"),
        Path("/dev/zero"),
    ):
        with pytest.raises(SourceUnreadable) as refused:
            shelf.folder.draft_table(path)
        assert refused.value.field == "file"
        with pytest.raises(SourceUnreadable):
            shelf.folder.draft_file(path)
    assert shelf.left_behind() == []


def test_a_delimiter_that_no_table_has_is_refused(shelf: Shelf) -> None:
    for delimiter in (" ", ",,", '"', "\n", "x"):
        with pytest.raises(BadHeader, match="a delimiter is"):
            shelf.table(b"a,b\n1,2\n", options=TableOptions(delimiter=delimiter))


def test_a_media_type_that_no_table_has_is_refused(shelf: Shelf) -> None:
    with pytest.raises(BadRow, match="a table is one of"):
        shelf.table(b"a,b\n", options=TableOptions(media_type="application/pdf"))


@settings(max_examples=50)
@given(st.binary(max_size=300), st.sampled_from(["a.csv", "a.jsonl", "a"]))
def test_any_bytes_are_published_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    shelf = Shelf(tmp_path_factory.mktemp("any"))
    try:
        table = shelf.table(content, name)
    except SourceError:
        assert shelf.left_behind() == []
    else:
        assert b"".join(piece.data for piece in table.pieces()) == content
        table.close()


@settings(max_examples=50)
@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        max_size=4,
    )
)
def test_any_json_is_published_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, values: list[object]
) -> None:
    shelf = Shelf(tmp_path_factory.mktemp("any"))
    content = "\n".join(json.dumps(value) for value in values).encode()
    try:
        table = shelf.table(content, "a.jsonl")
    except SourceError:
        assert shelf.left_behind() == []
    else:
        assert b"".join(piece.data for piece in table.pieces()) == content
        table.close()
