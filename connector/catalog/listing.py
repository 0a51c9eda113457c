"""A catalogue as one connector shows it to another: plain JSON, a page at a time.

Rules that hold here: what comes from a peer is outside input, read strictly and within limits; a
peer lists its own datasets only; and every digest in it is recomputed. Words stay words: nothing of
a catalogue is a path, a command or markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from connector.catalog.dataset import DATASET_ID, Entry
from ledger.canonical import JSON, MalformedJson, decode, encode
from ledger.errors import BylagError
from ledger.fields import Fields
from ledger.names import DatasetId, ParticipantId

MAX_PAGE_BYTES: Final = 3 << 20
"""Below gRPC's usual message limit of 4 MiB."""
MAX_PAGE_ENTRIES: Final = 200
MAX_QUERY_CHARACTERS: Final = 200
MAX_DEPTH: Final = 32


class NotTheirs(BylagError):
    """A peer's catalogue lists a dataset that another participant publishes."""

    code = "NOT_THEIRS"
    default_next_step = "Ask the publisher itself for its catalogue."


def encode_entry(entry: Entry) -> bytes:
    """One dataset, as canonical JSON."""
    return encode(entry.to_json())


def encode_page(entries: Sequence[Entry]) -> bytes:
    """A page of datasets, as canonical JSON."""
    return encode([entry.to_json() for entry in entries])


def decode_entry(data: bytes, publisher: ParticipantId) -> Entry:
    """Read one dataset from the peer ``publisher``.

    Raises a :class:`~ledger.errors.BylagError` that names the member which is wrong.
    """
    return _entry(decode(data, max_bytes=MAX_PAGE_BYTES, max_depth=MAX_DEPTH), publisher, "dataset")


def decode_page(data: bytes, publisher: ParticipantId) -> tuple[Entry, ...]:
    """Read a page of datasets from the peer ``publisher``. Raises like :func:`decode_entry`."""
    content = decode(data, max_bytes=MAX_PAGE_BYTES, max_depth=MAX_DEPTH)
    if not isinstance(content, list):
        raise MalformedJson("a page of a catalogue is a list")
    if len(content) > MAX_PAGE_ENTRIES:
        raise MalformedJson(f"a page has {len(content)} datasets, the limit is {MAX_PAGE_ENTRIES}")
    entries = tuple(_entry(each, publisher, f"datasets[{place}]") for place, each in enumerate(content))
    if len({entry.dataset.id for entry in entries}) < len(entries):
        raise MalformedJson("a page names a dataset twice")
    return entries


def matches(entry: Entry, query: str) -> bool:
    """Whether every word of ``query`` occurs in id, title, description or keywords; case is ignored."""
    dataset = entry.dataset
    text = "\n".join((dataset.id, dataset.title, dataset.description, *dataset.keywords)).casefold()
    return all(word in text for word in query[:MAX_QUERY_CHARACTERS].casefold().split())


def page(
    entries: Iterable[Entry], query: str = "", size: int = 0, token: str = ""
) -> tuple[list[Entry], str]:
    """One page of what matches, by dataset id, and the token of the next page (empty at the end).

    ``size`` 0 or beyond the limit means the limit; ``token`` is the id of the page's first dataset.
    A page also ends before it grows beyond :data:`MAX_PAGE_BYTES`, but holds at least one dataset.
    """
    if token and not DATASET_ID.fullmatch(token):
        raise MalformedJson("the page token is none that was given out", field="page_token")
    most = min(size, MAX_PAGE_ENTRIES) if size > 0 else MAX_PAGE_ENTRIES
    found: list[Entry] = []
    weight = 2
    for entry in sorted(entries, key=lambda each: each.dataset.id):
        if entry.dataset.id < DatasetId(token) or not matches(entry, query):
            continue
        weight += len(encode_entry(entry)) + 1
        if len(found) == most or (found and weight > MAX_PAGE_BYTES):
            return found, entry.dataset.id
        found.append(entry)
    return found, ""


def _entry(content: JSON, publisher: ParticipantId, path: str) -> Entry:
    if not isinstance(content, dict):
        raise MalformedJson("a dataset is an object", field=path)
    entry = Entry.from_fields(Fields(content, path))
    if entry.dataset.publisher != publisher:
        raise NotTheirs(
            "the catalogue lists a dataset of another publisher", field=f"{path}.dataset.publisher"
        )
    return entry
