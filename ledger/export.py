"""Writing an export folder: a log as of one checkpoint, for somebody who will verify it offline.

Rules that hold here (LEDGER.md section 2, "Completeness, in layers"):

* The folder is written beside its place and renamed when it is whole. It is its owner's alone.
* It holds every leaf below the checkpoint's size, and only the side rows of the holders that the
  exporter names. Whether that person may see them, and the record that they were handed over, are
  the caller's.
* It ends with a signed head for each chain of an agreement: {agreement, last aseq, leaf hash,
  checkpoint size}. Without one, the reader cannot tell where the chain ends.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ledger.canonical import JSONObject, encode, encode_leaf
from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.document import SignedDocument
from ledger.errors import BylagError, ErrorKind
from ledger.folder import HEAD_KIND, TYPE, VERSION, Document, openings_path
from ledger.leaf import read
from ledger.names import Milliseconds
from ledger.note import Note, VerifierKey
from ledger.side import SHARED, KeyChest, rows_of
from ledger.tiles import WIDTH, Fetch, tiles_of

OWNER_ONLY: Final = 0o700
"""Side rows hold what people said and who acted: whom the folder is shown to, its owner decides."""
SignHead = Callable[[JSONObject], SignedDocument]
"""Signs a head with the participant's document key; its ``type`` is ``ledger-head``."""


class ExportExists(BylagError):
    """Something lies where the export should go."""

    code = "EXPORT_EXISTS"
    kind = ErrorKind.CONFLICT
    default_next_step = "Name a folder that does not exist yet."


@dataclass(frozen=True, slots=True)
class Export:
    """What goes into an export.

    ``note`` is the checkpoint with its cosignatures, ``tiles`` gives its tiles, ``holders`` are those
    whose side rows are handed over (none without ``chest``), ``sign_head`` signs the heads.
    """

    connection: sqlite3.Connection
    tiles: Fetch
    note: Note
    key: VerifierKey
    sign_head: SignHead
    chest: KeyChest | None = None
    holders: Sequence[str] = (SHARED,)
    documents: Iterable[tuple[str, Document]] = ()
    """Each with its kind: agreements, the chain of membership lists, guests' credentials."""
    agreements: Mapping[str, str] = field(default_factory=dict)
    """What the log calls the chains of agreements with those people in ``holders``, with the agreements'
    ids: their leaves do not name them."""


def write(export: Export, folder: Path, now: Milliseconds) -> Checkpoint:
    """Write the export. Raises :class:`ExportExists`, or what reading the log raises."""
    if folder.exists():
        raise ExportExists(f"{folder.name} exists already")
    checkpoint = open_checkpoint(bytes(export.note), export.key).checkpoint
    beside = folder.with_name(f".{folder.name}.new")
    beside.mkdir(mode=OWNER_ONLY, parents=True)
    _put(beside / "checkpoint", bytes(export.note))
    _put(beside / "log.vkey", f"{export.key}\n".encode())
    for tile in tiles_of(checkpoint.size):
        _put(beside / tile.path, export.tiles(tile))
    if export.chest is not None:
        _write_rows(export.connection, export.chest, export.holders, beside, checkpoint.size)
    for kind, document in export.documents:
        _put_document(beside, kind, document)
    for head in _heads(export, checkpoint, now):
        _put_document(beside, HEAD_KIND, head)
    about: JSONObject = {"type": TYPE, "version": VERSION, "origin": checkpoint.origin, "made": now}
    _put(beside / "export.json", json.dumps(about, indent=2, sort_keys=True).encode() + b"\n")
    beside.rename(folder)
    return checkpoint


def _write_rows(
    connection: sqlite3.Connection, chest: KeyChest, holders: Sequence[str], folder: Path, size: int
) -> None:
    for number in range(-(-size // WIDTH)):
        start, stop = number * WIDTH, min((number + 1) * WIDTH, size)
        lines = [
            (index, encode_leaf({"index": index, "holder": holder, "row": content}) + b"\n")
            for holder in holders
            for index, content in rows_of(connection, chest, holder, start, stop)
        ]
        if lines:
            lines.sort(key=lambda line: line[0])
            _put(folder / openings_path(number), b"".join(line for _, line in lines))


def _heads(export: Export, checkpoint: Checkpoint, now: Milliseconds) -> Iterator[Document]:
    ends = export.connection.execute(
        "SELECT chain, entry, hash, max(aseq) FROM leaf WHERE idx < ? GROUP BY chain ORDER BY chain",
        (checkpoint.size,),
    ).fetchall()
    for chain, entry, leaf_hash, aseq in ends:
        leaf = read(entry).members
        agreement = export.agreements.get(chain, leaf.get("agreement"))
        if not isinstance(agreement, str):
            continue  # a citizen's agreement is not named, and other chains end with the log
        signed = export.sign_head(
            {
                "type": HEAD_KIND,
                "version": 1,
                "space": leaf["space"],
                "by": leaf["by"],
                "origin": checkpoint.origin,
                "agreement": agreement,
                "aseq": aseq,
                "leaf": leaf_hash.hex(),
                "size": checkpoint.size,
                "root": checkpoint.root.hex(),
                "time": now,
            }
        )
        yield Document(signed.payload, (signed.jws,))


def _put_document(folder: Path, kind: str, document: Document) -> None:
    _put(folder / "documents" / kind / f"{document.digest}.json", encode(document.to_json()) + b"\n")


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
