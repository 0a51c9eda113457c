"""Catalogues as peers show them: what is shown comes back, and what a peer makes up is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.catalog.dataset import Entry
from connector.catalog.listing import (
    MAX_PAGE_BYTES,
    MAX_PAGE_ENTRIES,
    NotTheirs,
    decode_entry,
    decode_page,
    encode_entry,
    encode_page,
    matches,
    page,
)
from connector.source.errors import BadHeader
from ledger.canonical import JSONObject, MalformedJson, decode_object, encode
from ledger.errors import BylagError
from ledger.fields import BadField
from ledger.names import DatasetId, ParticipantId
from tests.catalog.shop import LEAST, MOST, PUBLISHER, least, most, offer


@pytest.mark.parametrize("entry", [least(), most()], ids=["least", "everything"])
def test_what_one_connector_shows_another_reads(entry: Entry) -> None:
    assert decode_entry(encode_entry(entry), PUBLISHER) == entry
    assert decode_page(encode_page([entry]), PUBLISHER) == (entry,)


def test_a_peer_lists_its_own_datasets_only() -> None:
    with pytest.raises(NotTheirs) as refused:
        decode_page(encode_page([least()]), ParticipantId("did:web:odense.example"))
    assert refused.value.field == "datasets[0].dataset.publisher"


def changed(path: str, value: Any) -> bytes:
    """The full entry with one member replaced (or taken out, for ...)."""
    content: Any = decode_object(encode_entry(most()))
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = content
    for part in way:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return encode(content)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("dataset.id", "../../x", "dataset.dataset.id"),
        ("dataset.title", "a\u202eb", "dataset.dataset.title"),
        ("dataset.title", ..., "dataset.dataset.title"),
        ("versions", [], "dataset.versions"),
        ("versions", ..., "dataset.versions"),
        ("versions.0.digest", "00" * 32, "dataset.versions[0].digest"),
        ("versions.0.manifest.size", 1, "dataset.versions[0].digest"),
        ("versions.0.manifest.rows", -1, "dataset.versions[0].manifest.rows"),
        ("versions.0.manifest.media_type", "text/html", "dataset.versions[0].manifest.media_type"),
        ("versions.0.manifest.delimiter", "x", "dataset.versions[0].manifest.delimiter"),
        ("versions.0.manifest.form", "file", "dataset.versions[0].manifest.append_only"),
        (
            "versions.0.manifest.schema.columns.0.type",
            "blob",
            "dataset.versions[0].manifest.schema.columns[0].type",
        ),
        ("versions.0.number", 2, "dataset.versions"),
        ("versions.0.number", 0, "dataset.versions[0].number"),
        ("versions.0.published", "yesterday", "dataset.versions[0].published"),
        ("offers.0.document", "text", "dataset.offers[0].document"),
        ("offers.0.document.id", "another", "dataset.offers[0].document"),
        ("offers.0.id", "a b", "dataset.offers[0].id"),
        ("offers.1", {"id": "open-to-members", "document": {"id": "open-to-members"}}, "dataset.offers"),
        ("price", 7, "dataset.price"),
    ],
)
def test_what_a_peer_makes_up_is_refused_by_name(path: str, value: Any, field: str) -> None:
    with pytest.raises(BadField) as refused:
        decode_entry(changed(path, value), PUBLISHER)
    assert refused.value.field == field


def test_a_peers_columns_are_held_to_the_same_names() -> None:
    data = changed("versions.0.manifest.schema.columns.0.name", "kWh")
    with pytest.raises(BadHeader, match="same name"):
        decode_entry(data, PUBLISHER)


def test_a_dataset_about_people_is_never_a_file_whatever_a_peer_says() -> None:
    with pytest.raises(BadField, match="never published as a plain file"):
        decode_entry(changed("dataset.form", "file"), PUBLISHER)
    with pytest.raises(BylagError):
        decode_entry(changed("dataset.about_people", False), PUBLISHER)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[7]",
        b"null",
        b"[" * 10_000,
        encode_page([least()]) + b" " * MAX_PAGE_BYTES,
        b"[" + b",".join([b"{}"] * (MAX_PAGE_ENTRIES + 1)) + b"]",
        encode_page([least(), least()]),
    ],
    ids=["nothing", "object", "number", "null", "deep", "large", "many", "twice"],
)
def test_a_malformed_page_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedJson):
        decode_page(data, PUBLISHER)


def test_an_offers_document_is_bounded() -> None:
    document: JSONObject = {"id": "open-to-members", "prose": "x" * (129 << 10)}
    with pytest.raises(BadField, match="larger"):
        decode_entry(changed("offers.0.document", document), PUBLISHER)


def test_an_offer_is_named_by_the_digest_of_its_document() -> None:
    first = offer("a", MOST)
    assert first.digest == offer("a", MOST).digest != offer("b", MOST).digest


@given(st.binary(max_size=200))
def test_any_bytes_are_a_page_or_refused(data: bytes) -> None:
    try:
        decode_page(data, PUBLISHER)
    except BylagError as error:
        assert error.next_step


def test_a_query_finds_words_anywhere_and_ignores_case() -> None:
    entry = most()
    for query in ("", "ELFORBRUG", "målere time", "hourly-energy", "  el  "):
        assert matches(entry, query)
    for query in ("parkering", "elforbrug parkering"):
        assert not matches(entry, query)


def many(count: int, size: int = 10) -> list[Entry]:
    description = "x" * size
    return [
        replace(least(), dataset=replace(LEAST, id=DatasetId(f"d{number:04}"), description=description))
        for number in range(count)
    ]


def test_pages_show_each_dataset_once() -> None:
    entries = many(450)
    seen: list[str] = []
    token, pages = "", 0
    while True:
        found, token = page(reversed(entries), size=1000, token=token)
        seen += [entry.dataset.id for entry in found]
        pages += 1
        if not token:
            break
    assert seen == [entry.dataset.id for entry in entries]
    assert pages == 3
    assert [entry.dataset.id for entry in page(entries, "d0003")[0]] == ["d0003"]
    assert len(page(entries, size=7)[0]) == 7


def test_a_page_stays_below_the_limit_of_a_message() -> None:
    entries = [
        replace(entry, offers=tuple(_large_offer(f"o{number}") for number in range(10))) for entry in many(5)
    ]
    found, token = page(entries)
    assert 1 <= len(found) < 5
    assert token == entries[len(found)].dataset.id
    assert len(encode_page(found)) <= MAX_PAGE_BYTES


def _large_offer(name: str) -> Any:
    summary = offer(name, LEAST)
    return replace(summary, document={**summary.document, "prose": "x" * (120 << 10)})


def test_a_page_token_that_was_never_given_out_is_refused() -> None:
    with pytest.raises(MalformedJson):
        page(many(3), token="../../x")
