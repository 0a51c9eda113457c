"""Append-only tables: they grow at numbered positions, all or nothing, and keep their name."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connector.source.append import Appended
from connector.source.draft import TableOptions
from connector.source.errors import (
    AppendRefused,
    BadPosition,
    BadRow,
    PublishCancelled,
    RowTooLarge,
    SnapshotDamaged,
    SnapshotNotWritten,
    SourceChanged,
    SourceError,
)
from connector.source.lines import Watch
from connector.source.selection import Order, Selection
from connector.source.table import TableSnapshot
from connector.source.view import View
from tests.source.shelf import Shelf, joined, label_of, released, where

START = b"id,v\r\n1,0.5\r\n2,1.5"
MIB = 1 << 20


def append(shelf: Shelf, table: TableSnapshot, content: bytes, name: str = "more.csv") -> Appended:
    return shelf.folder.append(table.digest, shelf.file(content, name))


def test_rows_are_added_at_numbered_positions_and_the_name_stays(shelf: Shelf) -> None:
    table = shelf.growing(START)
    assert table.end() == 3
    assert append(shelf, table, b"id,v\n3,2.5\n4,\n") == Appended(3, 4)
    assert append(shelf, table, b'"id","v"\r\n5,3.5') == Appended(5, 5)
    assert (table.rows(), table.end()) == (5, 6)
    assert released(table) == START + b"\r\n3,2.5\n4,\n5,3.5"
    assert released(table, position=3) == b"\r\n3,2.5\n4,\n5,3.5"
    assert released(table, where("id", "gteq", 2)) == b"id,v\r\n2,1.5\r\n3,2.5\r\n4,\r\n5,3.5\r\n"
    assert released(table, where("v", "gt", 2), position=4) == b"5,3.5\r\n"
    assert table.lookup(where("id", "eq", 5)).rows == 1
    again = shelf.folder.open(table.digest)
    assert released(again) == released(table)
    assert shelf.table(START, options=TableOptions(append_only=True)).rows() == 5
    shelf.folder.check(table.digest)


def test_a_subscriber_gets_each_row_once(shelf: Shelf) -> None:
    table = shelf.growing(b"id,v\n")
    received, position = b"", 0
    for batch in range(4):
        until = table.end()
        for piece in table.pieces(position=position, until=until):
            received += piece.data
            position = piece.position
        assert position == max(until, 1)
        append(shelf, table, b"id,v\n" + b"".join(b"%d,x\n" % (batch * 3 + n) for n in range(3)))
    received += released(table, position=position)
    assert received == b"id,v\n" + b"".join(b"%d,x\n" % n for n in range(12))


def test_a_subscriber_to_few_rows_moves_on_past_the_others(shelf: Shelf) -> None:
    table = shelf.growing(b"id,v\n1,1\n")
    (piece,) = table.pieces(where("id", "eq", 9))
    assert piece.position == table.end()
    append(shelf, table, b"id,v\n" + b"2,1\n" * 50 + b"9,1\n")
    (piece,) = table.pieces(where("id", "eq", 9), piece.position)
    assert (piece.data, piece.position) == (b"9,1\r\n", table.end())


def test_a_release_that_runs_sees_nothing_of_what_is_added_meanwhile(shelf: Shelf) -> None:
    table = shelf.growing(b"id,v\n" + b"1,%s\n" % (b"x" * 1000) * 3000)
    before = released(table)
    whole, part = table.pieces(), table.pieces(Selection(columns=("id", "v")))
    begun = next(whole).data, next(part).data
    append(shelf, table, b"id,v\n2,y\n")
    assert bytes(begun[0]) + joined([*whole]) == before
    assert b"2,y" not in bytes(begun[1]) + joined([*part])
    assert released(table).endswith(b"2,y\n")


def test_readers_see_whole_appends_only(shelf: Shelf) -> None:
    table = shelf.growing(b"id,v\n" + b"0,0\n" * 10)

    def read(_: int) -> set[int]:
        return {released(table).count(b"\n") for _ in range(15)} | {
            sum(piece.rows for piece in table.pieces(where("v", "null", False))) + 1 for _ in range(15)
        }

    with ThreadPoolExecutor(4) as pool:
        reading = pool.map(read, range(3))
        for _ in range(15):
            append(shelf, table, b"id,v\n" + b"1,1\n" * 10)
        assert all(lines % 10 == 1 for seen in reading for lines in seen)
    assert table.rows() == 160


def test_appends_from_several_sides_take_turns(shelf: Shelf) -> None:
    table = shelf.growing(b"id,v\n1,1\n")
    files = [shelf.file(b"id,v\n" + b"%d,1\n" % n * 5) for n in range(2, 10)]
    with ThreadPoolExecutor(4) as pool:
        spans = sorted(
            (each.first, each.last)
            for each in pool.map(lambda f: shelf.folder.append(table.digest, f), files)
        )
    assert spans == [(2 + 5 * n, 6 + 5 * n) for n in range(8)]
    assert table.rows() == 41
    shelf.folder.check(table.digest)


@pytest.mark.parametrize(
    ("content", "kind", "field"),
    [
        (b"id,w\n3,1\n", AppendRefused, "rows[0]"),
        (b"v,id\n3,1\n", AppendRefused, "rows[0]"),
        (b"id;v\n3;1\n", AppendRefused, "rows[0]"),
        (b"3,1\n4,2\n", AppendRefused, "rows[0]"),
        (b"id,v\n", AppendRefused, None),
        (b"id,v\n3,1\n4\n", BadRow, "rows[2]"),
        (b"id,v\n3,1\nfour,1\n", BadRow, "rows[2].id"),
        (b"id,v\n" + b"3,1\n" * 3000 + b"3,x\n", BadRow, "rows[3001].v"),
        (b"id,v\n3,\xe5\n", SourceError, "rows[1]"),
        (b"id,v\n3," + b"1" * MIB + b"\n", RowTooLarge, "rows[1]"),
        (b"\x1f\x8b", SourceError, None),
    ],
)
def test_one_row_that_does_not_fit_refuses_them_all(
    shelf: Shelf, content: bytes, kind: type[SourceError], field: str | None
) -> None:
    table = shelf.growing(START)
    with pytest.raises(kind) as refused:
        append(shelf, table, content)
    if field:
        assert refused.value.field == field
    assert released(table) == START
    assert (shelf.path / table.digest / "rows").read_bytes() == START
    assert append(shelf, table, b"id,v\n3,1\n") == Appended(3, 3)


def test_a_row_about_nobody_cannot_be_added_to_a_table_about_people(shelf: Shelf) -> None:
    table = shelf.growing(b"pid,v\nanna,1\n", subject="pid")
    with pytest.raises(BadRow, match="row 2, column 'pid': has no value"):
        append(shelf, table, b"pid,v\nbo,1\n,2\n")
    append(shelf, table, b"pid,v\nbo,2\n")
    (piece,) = table.pieces(position=2, view=View(about_people=True, labels=label_of))
    assert piece.subjects == ("bo",)


def test_json_lines_grow_too(shelf: Shelf) -> None:
    table = shelf.growing(b'{"a":1,"b":"x"}', "a.jsonl")
    append(shelf, table, b'\xef\xbb\xbf{"a":2}\n', "b.jsonl")
    assert released(table) == b'{"a":1,"b":"x"}\n{"a":2}\n'
    for content in (b'{"c":1}\n', b'{"a":"x"}\n', b'{"a":1.5}\n'):
        with pytest.raises(BadRow):
            append(shelf, table, content, "b.jsonl")
    assert table.rows() == 2


def test_an_ordered_release_of_a_growing_table_cannot_be_gone_on_from(shelf: Shelf) -> None:
    table = shelf.growing(START)
    ordered = Selection(order=(Order("v", descending=True),))
    assert released(table, ordered) == b"id,v\r\n2,1.5\r\n1,0.5\r\n"
    with pytest.raises(BadPosition):
        table.pieces(ordered, 2)


def test_only_a_version_that_says_so_grows(shelf: Shelf) -> None:
    table = shelf.table(START)
    with pytest.raises(AppendRefused, match="does not grow"):
        append(shelf, table, b"id,v\n3,1\n")


def test_a_file_that_changes_while_it_is_added_adds_nothing(shelf: Shelf) -> None:
    table = shelf.growing(START)
    source = shelf.file(b"id,v\n" + b"3,1\n" * 600_000)

    def write_meanwhile(stage: str, done: int, total: int) -> None:
        if stage == "copy":
            with source.open("ab") as file:
                file.write(b"9,9\n")

    with pytest.raises(SourceChanged):
        shelf.folder.append(table.digest, source, Watch(write_meanwhile))
    with pytest.raises(PublishCancelled):
        shelf.folder.append(table.digest, source, Watch(cancelled=lambda: True))
    assert (shelf.path / table.digest / "rows").read_bytes() == START


def test_a_disk_that_is_full_adds_nothing(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    table = shelf.growing(START)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    for call in ("write", "fsync"):
        with monkeypatch.context() as broken:
            broken.setattr(os, call, full)
            with pytest.raises(SnapshotNotWritten):
                append(shelf, table, b"id,v\n3,1\n")
    assert released(table) == START
    assert append(shelf, table, b"id,v\n3,1\n") == Appended(3, 3)


def test_an_append_that_is_killed_anywhere_is_not_there(shelf: Shelf, tmp_path: Path) -> None:
    table = shelf.growing(START)
    source = shelf.file(b"id,v\n" + b"3,1\n" * 100)
    program = textwrap.dedent(
        """
        import os, signal, sys
        from pathlib import Path
        from connector.source import append
        from connector.source.folder import SnapshotFolder
        from ledger.ambient import SystemAmbient

        kept = getattr(append, sys.argv[4])

        def die(*arguments):
            kept(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(append, sys.argv[4], die)
        SnapshotFolder(Path(sys.argv[1]), SystemAmbient()).append(sys.argv[2], Path(sys.argv[3]))
        """
    )
    for step in ("_break_line", "_copy", "insert_rows", "_digest"):
        command = [sys.executable, "-c", program, str(shelf.path), table.digest, str(source), step]
        assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
        assert released(table) == START
        assert table.rows() == 2
        assert released(shelf.folder.open(table.digest), where("id", "gt", 0)).count(b"\r\n") == 3
    assert append(shelf, table, b"id,v\n3,1\n") == Appended(3, 3)
    assert released(table) == START + b"\r\n3,1\n"
    assert (shelf.path / table.digest / "rows").read_bytes() == released(table)
    shelf.folder.check(table.digest)


def test_added_content_that_was_changed_afterwards_is_noticed(shelf: Shelf) -> None:
    table = shelf.growing(START)
    append(shelf, table, b"id,v\n3,1\n")
    rows = shelf.path / table.digest / "rows"
    rows.write_bytes(rows.read_bytes().replace(b"3,1", b"3,7"))
    with pytest.raises(SnapshotDamaged):
        shelf.folder.check(table.digest)


def test_readers_of_a_growing_table_never_write_to_it(shelf: Shelf) -> None:
    table = shelf.growing(START)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        table._reader.connection.execute("DELETE FROM rows")
