"""An export folder: where everything lies in it, and how it is read.

Rules that hold here:

* The log lies as C2SP tlog-tiles serves it (``checkpoint``, ``tile/…``), so that tools nobody here
  wrote can read it. Beside it: ``log.vkey``, the log's verifier key; ``export.json``, what this is;
  ``openings/<N>.jsonl``, the side rows handed over for the leaves of entry bundle N, a line each;
  ``documents/<kind>/<digest>.json``, signed documents as ``{"payload", "signatures"}``.
* Everything read from a folder is from outside: each file has a size limit, each line too, and what
  does not fit its form is a :class:`MalformedExport` that names the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.canonical import JSON, JSONObject, MalformedJson, decode_object
from ledger.document import BadSignature, SignedDocument, from_base64url, to_base64url
from ledger.errors import BylagError
from ledger.note import MAX_NOTE_BYTES, VerifierKey, parse_verifier_key
from ledger.side import MAX_ROW_BYTES
from ledger.tiles import ENTRIES, MAX_BUNDLE_BYTES, NoSuchTile, Tile

TYPE: Final = "ledger-export"
VERSION: Final = 1
MAX_DOCUMENT_BYTES: Final = 8 << 20
MAX_LINE_BYTES: Final = MAX_ROW_BYTES + 4096
MAX_SIGNATURES: Final = 32
HEAD_KIND: Final = "ledger-head"
LIST_KIND: Final = "membership-list"


class MalformedExport(BylagError):
    """A folder is not an export, or a file in it does not have its form."""

    code = "MALFORMED_EXPORT"
    default_next_step = "Ask for the export again; nothing in it should be changed by hand."


@dataclass(frozen=True, slots=True)
class Document:
    """A signed document: one payload, a detached JWS from each signer. Reading verifies nothing."""

    payload: bytes
    signatures: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the payload in hexadecimal: the document's name, however many signed it."""
        return hashlib.sha256(self.payload).hexdigest()

    def signed(self) -> list[SignedDocument]:
        """The payload with each of the signatures."""
        return [SignedDocument(self.payload, jws) for jws in self.signatures]

    def to_json(self) -> JSONObject:
        """As it stands in its file."""
        return {"payload": to_base64url(self.payload), "signatures": list(self.signatures)}


@dataclass(frozen=True, slots=True)
class Row:
    """A side row handed over: whose it was, of which leaf, and what it holds."""

    index: int
    holder: str
    content: JSONObject


class ExportFolder:
    """Reads one export folder."""

    def __init__(self, path: Path) -> None:
        """Raises :class:`MalformedExport` when this is no export folder of a version known here."""
        self.path = path
        if not (path / "checkpoint").is_file() or not (path / "log.vkey").is_file():
            raise MalformedExport("no export of a ledger lies there: checkpoint or log.vkey is missing")
        manifest = self._object("export.json", 1 << 16) if (path / "export.json").exists() else {}
        if manifest and (manifest.get("type"), manifest.get("version")) != (TYPE, VERSION):
            raise MalformedExport("this export is of another version", field="export.json")

    def key(self) -> VerifierKey:
        """The verifier key that the folder names. It is worth what its source is worth."""
        return parse_verifier_key(self._text("log.vkey").strip())

    def checkpoint(self) -> bytes:
        """The checkpoint's note."""
        return self._bytes("checkpoint", MAX_NOTE_BYTES)

    def fetch(self, tile: Tile) -> bytes:
        """A tile's bytes, unchecked: a :data:`ledger.tiles.Fetch`."""
        limit = MAX_BUNDLE_BYTES if tile.level == ENTRIES else 1 << 16
        if not (self.path / tile.path).is_file():
            raise NoSuchTile("the export lacks this tile", field=tile.path)
        return self._bytes(tile.path, limit)

    def rows(self, number: int) -> Iterator[Row]:
        """The side rows handed over for the leaves of entry bundle ``number``."""
        name = openings_path(number)
        if not (self.path / name).exists():
            return
        with (self.path / name).open("rb") as file:
            while line := file.readline(MAX_LINE_BYTES + 1):
                yield _read_row(line, name)

    def documents(self, kind: str) -> Iterator[tuple[str, Document]]:
        """The documents of one kind, each with its file's name, in the order of their names."""
        folder = self.path / "documents" / kind
        if not folder.is_dir():
            return
        for path in sorted(folder.glob("*.json")):
            name = f"documents/{kind}/{path.name}"
            yield name, _read_document(self._object(name, MAX_DOCUMENT_BYTES), name)

    def kinds(self) -> list[str]:
        """The kinds of documents that the folder has."""
        folder = self.path / "documents"
        return sorted(each.name for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []

    def _object(self, name: str, limit: int) -> JSONObject:
        try:
            return decode_object(self._bytes(name, limit), max_bytes=limit)
        except MalformedJson as error:
            raise MalformedExport(str(error), field=name) from error

    def _text(self, name: str) -> str:
        try:
            return self._bytes(name, 1 << 16).decode()
        except UnicodeDecodeError as error:
            raise MalformedExport("the file is not UTF-8", field=name) from error

    def _bytes(self, name: str, limit: int) -> bytes:
        try:
            with (self.path / name).open("rb") as file:
                data = file.read(limit + 1)
        except OSError as error:
            raise MalformedExport(f"cannot be read: {error.strerror}", field=name) from error
        if len(data) > limit:
            raise MalformedExport(f"the file has more than {limit} bytes", field=name)
        return data


def openings_path(number: int) -> str:
    """Where the side rows for entry bundle ``number`` lie."""
    return Tile(ENTRIES, number).path.replace("tile/entries/", "openings/") + ".jsonl"


def _read_row(line: bytes, name: str) -> Row:
    try:
        content = decode_object(line, max_bytes=MAX_LINE_BYTES)
    except MalformedJson as error:
        raise MalformedExport(str(error), field=name) from error
    index, holder, row = content.get("index"), content.get("holder"), content.get("row")
    if set(content) != {"index", "holder", "row"} or type(index) is not int:
        raise MalformedExport("a line is exactly {index, holder, row}", field=name)
    if not isinstance(holder, str) or not isinstance(row, dict):
        raise MalformedExport("holder is a string and row an object", field=name)
    return Row(index, holder, row)


def _read_document(content: JSONObject, name: str) -> Document:
    payload, signatures = content.get("payload"), content.get("signatures")
    if set(content) != {"payload", "signatures"} or not isinstance(payload, str):
        raise MalformedExport("a document is exactly {payload, signatures}", field=name)
    if not isinstance(signatures, list) or len(signatures) > MAX_SIGNATURES:
        raise MalformedExport(f"a document has a list of at most {MAX_SIGNATURES} signatures", field=name)
    try:
        return Document(from_base64url(payload), tuple(_string(each, name) for each in signatures))
    except BadSignature as error:
        raise MalformedExport("the payload is not base64url", field=name) from error


def _string(value: JSON, name: str) -> str:
    if not isinstance(value, str):
        raise MalformedExport("a signature is a string", field=name)
    return value
