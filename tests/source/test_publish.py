"""Publishing: what is found in a file, what is kept of it, and that nothing half-done is."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.source.delimited import find_delimiter
from connector.source.draft import TableOptions
from connector.source.errors import (
    BadHeader,
    BadRow,
    NotReleasable,
    PublishCancelled,
    SnapshotDamaged,
    SnapshotNotWritten,
    SnapshotUnknown,
    SourceChanged,
)
from connector.source.folder import SnapshotFolder
from connector.source.lines import Watch
from connector.source.manifest import Manifest
from connector.source.original import Original
from connector.source.schema import ColumnType, Role, SchemaReference
from connector.source.snapshot import FileSnapshot
from ledger.ambient import HeldAmbient
from ledger.canonical import decode_canonical
from ledger.fields import Fields
from ledger.names import VersionDigest
from tests.source.shelf import Shelf, released

LARGE = b"a,b\n" + (b"1," + b"x" * 1000 + b"\n") * 3000
"""Several mebibytes in few rows, so that progress is told more than once a stage."""

CSV = b"id,when,kwh,ok\r\n1,2024-01-01 00:00,0.50,true\r\n2,,1.25,false\r\n"


def test_columns_and_types_are_found_from_the_file(shelf: Shelf) -> None:
    schema = shelf.table(CSV).schema
    assert [(column.name, column.type.value, column.nullable) for column in schema.columns] == [
        ("id", "integer", False),
        ("when", "dateTime", True),
        ("kwh", "number", False),
        ("ok", "boolean", False),
    ]


def test_json_lines_are_found_with_the_union_of_their_members(shelf: Shelf) -> None:
    table = shelf.table(b'{"a":1}\n{"b":[1,2],"a":null}\n\n{"a":2.5,"c":"2024-01-01"}', "rows.txt")
    assert [(column.name, column.type.value, column.nullable) for column in table.schema.columns] == [
        ("a", "number", True),
        ("b", "json", True),
        ("c", "date", True),
    ]
    assert table.manifest.media_type == "application/x-ndjson"
    assert table.rows() == 3


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(shelf: Shelf, delimiter: str) -> None:
    rows = [("one", "two", "three"), ("1", "a, b; c", "x|y"), ("4", "5", "6")]
    plain = [[cell if delimiter not in cell else f'"{cell}"' for cell in row] for row in rows]
    content = "\n".join(delimiter.join(row) for row in plain)
    assert shelf.table(content.encode()).manifest.delimiter == delimiter


def test_decimal_commas_do_not_make_commas_the_delimiter() -> None:
    assert find_delimiter("namn;värde;enhet\nA;1,5;kWh\nB;2,25;kWh\n") == ";"


def test_a_file_of_one_column_is_a_table(shelf: Shelf) -> None:
    table = shelf.table(b'name\nA\n""\nB\n')
    assert table.rows() == 3
    assert table.schema.columns[0].nullable


def test_a_column_without_a_name_gets_its_number(shelf: Shelf) -> None:
    assert shelf.table(b",a\n0,x\n").schema.names == ("column_1", "a")


def test_the_header_must_look_like_one_unless_told(shelf: Shelf) -> None:
    content = b"Aarhus,2024-01-01 10:00,7\nAarhus,2024-01-01 11:00,8\n"
    with pytest.raises(BadHeader, match="looks like a row"):
        shelf.table(content)
    bare = shelf.table(content, options=TableOptions(header=False))
    assert bare.schema.names == ("column_1", "column_2", "column_3")
    assert bare.rows() == 2
    assert released(bare) == content
    told = shelf.table(content, options=TableOptions(header=True))
    assert told.rows() == 1


def test_the_publisher_may_say_a_columns_type(shelf: Shelf) -> None:
    options = TableOptions(types={"id": ColumnType.STRING})
    assert shelf.table(CSV, options=options).schema.columns[0].type is ColumnType.STRING
    with pytest.raises(BadRow, match="row 1, column 'ok': is not of type integer"):
        shelf.table(CSV, options=TableOptions(types={"ok": ColumnType.INTEGER}))


def test_a_version_is_named_by_its_description_which_anybody_can_recompute(shelf: Shelf) -> None:
    table = shelf.table(CSV)
    stored = (shelf.path / table.digest / "version.json").read_bytes()
    assert hashlib.sha256(stored).hexdigest() == table.digest
    assert Manifest.from_fields(Fields(decode_canonical(stored))) == table.manifest
    assert table.manifest.content == hashlib.sha256(CSV).hexdigest()
    assert (table.manifest.size, table.manifest.rows) == (len(CSV), 2)


def test_what_is_declared_is_part_of_the_name(shelf: Shelf) -> None:
    plain, about = shelf.table(CSV), shelf.table(CSV, subject="id")
    assert plain.digest != about.digest
    with shelf.folder.draft_table(shelf.file(CSV)) as draft:
        named = draft.publish({"kwh": Role.NOT_PERSONAL}, SchemaReference("https://example.org/s"))
    assert len({plain.digest, about.digest, named}) == 3


def test_publishing_the_same_again_keeps_one_version(shelf: Shelf) -> None:
    assert shelf.table(CSV).digest == shelf.table(CSV).digest
    assert len(shelf.left_behind()) == 1


def test_a_version_does_not_change_when_its_source_does(shelf: Shelf) -> None:
    source = shelf.file(CSV)
    with shelf.folder.draft_table(source) as draft:
        table = shelf.folder.open(draft.publish())
    with source.open("r+b") as file:  # in place: a hard link would carry this over
        file.write(b"XX")
    assert released(table) == CSV
    source.unlink()
    assert released(table) == CSV


def test_every_row_about_a_person_says_whom(shelf: Shelf) -> None:
    with pytest.raises(BadRow, match="no value in the subject column"):
        shelf.table(CSV, subject="when")
    with pytest.raises(BadHeader, match="cannot be the subject"):
        shelf.table(CSV, subject="kwh")
    assert len(shelf.left_behind()) == 0


def test_a_draft_that_is_not_published_leaves_nothing(shelf: Shelf) -> None:
    with shelf.folder.draft_table(shelf.file(CSV)) as draft:
        assert draft.sample["kwh"] == ["0.50", "1.25"]
    assert shelf.left_behind() == []


def test_a_plain_file_of_any_kind_is_kept_as_it_is(shelf: Shelf) -> None:
    content = bytes(range(256)) * 20_000
    with shelf.folder.draft_file(shelf.file(content, "x.bin"), "image/png") as draft:
        snapshot = shelf.folder.open(draft.publish())
    assert isinstance(snapshot, FileSnapshot)
    assert released(snapshot) == content
    assert max(len(piece.data) for piece in snapshot.pieces()) == 1 << 20
    with pytest.raises(NotReleasable):
        shelf.folder.draft_file(shelf.file(content), about_people=True)


def test_progress_is_told_and_cancelling_leaves_nothing(shelf: Shelf) -> None:
    told: list[tuple[str, int, int]] = []
    source = shelf.file(LARGE)
    with shelf.folder.draft_table(source, watch=Watch(lambda *seen: told.append(seen))):
        pass
    assert {stage for stage, _, _ in told} == {"copy", "read", "index", "columns"}
    assert all(0 <= done <= total for _, done, total in told)
    for ticks in range(len(told)):
        left = iter(range(ticks))

        def cancelled(left: Iterator[int] = left) -> bool:
            return next(left, None) is None

        with pytest.raises(PublishCancelled):
            shelf.folder.draft_table(source, watch=Watch(cancelled=cancelled))
        assert shelf.left_behind() == []


def test_a_file_that_changes_while_it_is_read_is_refused(shelf: Shelf) -> None:
    source = shelf.file(LARGE)

    def write_meanwhile(stage: str, done: int, total: int) -> None:
        if stage == "copy" and done < total:
            with source.open("ab") as file:
                file.write(b"9,9\n")

    with pytest.raises(SourceChanged):
        shelf.folder.draft_table(source, watch=Watch(write_meanwhile))
    assert shelf.left_behind() == []


@pytest.mark.parametrize("call", ["write", "fsync", "pread"])
def test_a_disk_that_is_full_is_one_clear_error_and_leaves_nothing(
    shelf: Shelf, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = shelf.file(CSV)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, call, full)
        with pytest.raises(SnapshotNotWritten, match="No space left"):
            shelf.folder.draft_table(source).publish()
    shelf.folder.sweep()
    assert shelf.left_behind() == []
    assert shelf.table(CSV).rows() == 2


def test_an_original_is_never_hard_linked(shelf: Shelf) -> None:
    source = shelf.file(CSV)
    with shelf.folder.draft_table(source) as draft:
        digest = draft.publish()
    kept = shelf.path / digest / "rows"
    assert kept.stat().st_ino != source.stat().st_ino
    assert kept.stat().st_mode & 0o777 == 0o600
    assert (shelf.path / digest).stat().st_mode & 0o777 == 0o700


def test_where_the_file_system_shares_blocks_the_digest_is_of_the_copy(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clone(source: int, target: int) -> bool:
        os.write(target, os.pread(source, 1 << 20, 0))
        return True

    monkeypatch.setattr("connector.source.original._reflink", clone)
    assert shelf.table(CSV).manifest.content == hashlib.sha256(CSV).hexdigest()


def test_a_file_that_grew_between_open_and_copy_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1234")
    descriptor = os.open(path, os.O_RDONLY)
    original = Original(descriptor)
    path.write_bytes(b"12345")
    with pytest.raises(SourceChanged):
        original.copy_to(tmp_path / "copy", Watch())
    os.close(descriptor)


def test_a_killed_publisher_leaves_nothing_visible_and_the_sweep_removes_the_rest(tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_bytes(LARGE)
    program = textwrap.dedent(
        """
        import os, signal, sys
        from pathlib import Path
        from connector.source.folder import SnapshotFolder
        from connector.source.lines import Watch
        from ledger.ambient import SystemAmbient

        def die(stage, done, total):
            if stage == sys.argv[3]:
                os.kill(os.getpid(), signal.SIGKILL)

        folder = SnapshotFolder(Path(sys.argv[1]), SystemAmbient())
        folder.draft_table(Path(sys.argv[2]), watch=Watch(die)).publish()
        """
    )
    folder = SnapshotFolder(tmp_path / "snapshots", HeldAmbient())
    for stage in ("copy", "read", "index"):
        command = [sys.executable, "-c", program, str(tmp_path / "snapshots"), str(source), stage]
        assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
        assert folder.digests() == []
    assert folder.sweep() == 3
    assert [*(tmp_path / "snapshots").iterdir()] == []


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "a" * 63, "A" * 64, "/" + "a" * 63, "." * 64])
def test_nothing_but_a_digest_names_a_version(shelf: Shelf, name: str) -> None:
    with pytest.raises(SnapshotUnknown):
        shelf.folder.open(VersionDigest(name))
    with pytest.raises(SnapshotUnknown):
        shelf.folder.remove(VersionDigest(name))


def test_a_version_outside_the_folder_is_out_of_reach(shelf: Shelf) -> None:
    table = shelf.table(CSV)
    shutil.copytree(shelf.path / table.digest, shelf.root / "elsewhere")
    with pytest.raises(SnapshotUnknown):
        shelf.folder.open(VersionDigest("../elsewhere"))


def test_a_version_whose_parts_were_changed_is_damaged(shelf: Shelf) -> None:
    table = shelf.table(CSV)
    shelf.folder.check(table.digest)
    rows = shelf.path / table.digest / "rows"
    rows.chmod(0o600)
    rows.write_bytes(CSV.replace(b"0.50", b"9.50"))
    with pytest.raises(SnapshotDamaged):
        shelf.folder.check(table.digest)
    rows.write_bytes(CSV[:-5])
    with pytest.raises(SnapshotDamaged):
        released(table)
    description = shelf.path / table.digest / "version.json"
    description.write_bytes(description.read_bytes().replace(b'"nullable":true', b'"nullable":false'))
    with pytest.raises(SnapshotDamaged, match="digest"):
        shelf.folder.open(table.digest)
    description.write_bytes(b"{}")
    with pytest.raises(SnapshotDamaged):
        shelf.folder.open(table.digest)


def test_a_removed_version_is_gone(shelf: Shelf) -> None:
    table = shelf.table(CSV)
    running = table.pieces()
    shelf.folder.remove(table.digest)
    assert shelf.left_behind() == []
    with pytest.raises(SnapshotUnknown):
        shelf.folder.open(table.digest)
    with pytest.raises(SnapshotDamaged):
        next(running)
