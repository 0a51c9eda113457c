"""Datasets as values: what they may be called, and what fits together."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from connector.catalog.dataset import (
    LICENCES,
    Dataset,
    NotPublishable,
    dataset_id,
    licence_address,
)
from connector.catalog.text import tidy
from connector.source.manifest import Form
from connector.source.schema import Role, Schema
from ledger.canonical import decode_object, encode
from ledger.fields import BadField
from tests.catalog.shop import EVERYTHING, FILE, LEAST, MOST, table


@pytest.mark.parametrize("dataset", [LEAST, MOST], ids=["least", "everything"])
def test_a_dataset_comes_back_from_its_own_json(dataset: Dataset) -> None:
    assert Dataset.from_json(decode_object(encode(dataset.to_json()))) == dataset


@pytest.mark.parametrize("name", ["a", "parking-2024", "a.b_c-d", "0", "x" * 100])
def test_plain_ids_are_taken(name: str) -> None:
    assert dataset_id(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../etc/passwd", "a/b", "a\\b", "/etc", "a..b", ".hidden", "-rf", "a.", "a-", "A", "å",
        "a b", "a\n", "a\x00b", "a%2fb", "c:", "a\u202eb", "ａ", "x" * 101, "~", "a*", "$(x)",
    ],
)  # fmt: skip
def test_no_id_can_be_a_path_a_pattern_or_a_deception(name: str) -> None:
    with pytest.raises(BadField) as refused:
        dataset_id(name)
    assert refused.value.field == "id"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": "../x"}, "id"),
        ({"publisher": "did:key:z6Mk"}, "publisher"),
        ({"publisher": "https://aarhus.example"}, "publisher"),
        ({"unit": ""}, "unit"),
        ({"unit": "a b"}, "unit"),
        ({"title": ""}, "title"),
        ({"title": "   "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "two\nlines"}, "title"),
        ({"title": "paid \u202e eerf"}, "title"),
        ({"title": "zero\u200bwidth"}, "title"),
        ({"title": "esc \x1b[31m"}, "title"),
        ({"title": "\u041c\u0430lm\u00f6"}, "title"),  # Cyrillic Ма before Latin lmö
        ({"title": "A\u030arhus"}, "title"),  # decomposed
        ({"title": "z\u0337\u0338\u0336\u0335algo"}, "title"),
        ({"title": " spaces "}, "title"),
        ({"description": "x" * 4001}, "description"),
        ({"description": "a\rb"}, "description"),
        ({"language": "swedish"}, "language"),
        ({"licence": "javascript:alert(1)"}, "licence"),
        ({"licence": 'https://x.example/"><script>'}, "licence"),
        ({"spatial": "file:///etc/passwd"}, "spatial"),
        ({"keywords": ("a", "a")}, "keywords"),
        ({"keywords": ("",)}, "keywords"),
        ({"keywords": tuple(str(number) for number in range(41))}, "keywords"),
        ({"keywords": ("x" * 61,)}, "keywords"),
        ({"themes": ("ENERGY",)}, "themes"),
        ({"themes": ("ENER", "ENER")}, "themes"),
        ({"ends": date(2000, 1, 1)}, "ends"),
        ({"form": Form.FILE}, "about_people"),
    ],
)
def test_what_a_dataset_says_is_checked_where_it_is_made(change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadField) as refused:
        Dataset(**{**EVERYTHING, **change})
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "offer"}, "type"),
        ({"version": 2}, "version"),
        ({"version": True}, "version"),
        ({"about_people": "no"}, "about_people"),
        ({"form": "stream"}, "form"),
        ({"begins": "2024-02-30"}, "begins"),
        ({"begins": "20240201"}, "begins"),
        ({"keywords": "el"}, "keywords"),
        ({"keywords": [{"a": 1}]}, "keywords"),
        ({"title": 7}, "title"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_peers_dataset_is_read_strictly(change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadField) as refused:
        Dataset.from_json({**MOST.to_json(), **change})
    assert refused.value.field == field


def test_words_in_any_script_are_fine_as_long_as_each_keeps_to_its_own() -> None:
    for title in (
        "Årsförbrukning 2024 (kWh/m²)",
        "Данные о парковке",
        "Øresund – Malmö",
        "Ω kΩ µg",
        "駐車場",
    ):
        assert replace(LEAST, title=title).title == title
    assert tidy(" A\u030arhus\n") == "Århus"


def test_a_version_fits_its_dataset() -> None:
    LEAST.check(FILE)
    MOST.check(table())
    with pytest.raises(NotPublishable, match="is a file"):
        MOST.check(FILE)
    with pytest.raises(NotPublishable, match="is about people"):
        replace(MOST, about_people=False).check(table())
    manifest = table()
    assert manifest.schema is not None
    without = tuple(
        replace(column, role=Role.PERSONAL if column.role else None) for column in manifest.schema.columns
    )
    with pytest.raises(NotPublishable, match="says whom a row is about"):
        MOST.check(replace(manifest, schema=Schema(without)))
    nobody = replace(MOST, about_people=False)
    plain = tuple(replace(column, role=Role.NOT_PERSONAL) for column in manifest.schema.columns)
    nobody.check(replace(manifest, schema=Schema(plain)))


def test_a_licence_may_be_given_by_its_short_name() -> None:
    assert licence_address("CC-BY-4.0") == "https://creativecommons.org/licenses/by/4.0/"
    assert licence_address("https://example.org/terms") == "https://example.org/terms"
    for name, address in LICENCES.items():
        assert replace(LEAST, licence=licence_address(name)).licence == address
    with pytest.raises(BadField):
        licence_address("free as in beer")
