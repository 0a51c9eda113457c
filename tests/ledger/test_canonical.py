"""Canonical JSON out, strict JSON in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.canonical import (
    JSON,
    LARGEST_INTEGER,
    MAX_DEPTH,
    JSONObject,
    MalformedJson,
    decode,
    decode_canonical,
    decode_object,
    encode,
    encode_leaf,
)

INTEGERS = st.integers(-LARGEST_INTEGER, LARGEST_INTEGER)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
ASCII_NAMES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=8)
LEAF_LIKE = st.dictionaries(
    ASCII_NAMES,
    st.recursive(
        INTEGERS | TEXT | st.none(),
        lambda inner: st.dictionaries(ASCII_NAMES, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=8,
)


@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_rfc_8785_vectors_are_written_as_published(test_data: Path, name: str) -> None:
    folder = test_data / "vectors" / "jcs" / "testdata"
    value = json.loads((folder / "input" / f"{name}.json").read_bytes())
    expected = bytes.fromhex((folder / "outhex" / f"{name}.txt").read_text())

    assert encode(value) == expected


@pytest.mark.parametrize("name", ["arrays", "french", "unicode", "weird"])
def test_rfc_8785_vectors_without_fractions_are_read_back(test_data: Path, name: str) -> None:
    folder = test_data / "vectors" / "jcs" / "testdata"
    output = (folder / "output" / f"{name}.json").read_bytes()
    value = decode(output)

    assert encode(value) == output
    assert decode((folder / "input" / f"{name}.json").read_bytes()) == value


@pytest.mark.parametrize("name", ["structures", "values"])
def test_rfc_8785_vectors_with_fractions_are_refused(test_data: Path, name: str) -> None:
    data = (test_data / "vectors" / "jcs" / "testdata" / "input" / f"{name}.json").read_bytes()
    with pytest.raises(MalformedJson, match="fraction"):
        decode(data)


@given(LEAF_LIKE)
@example({"a": "\x7f\x1f\x00\u2028 \U0001f600", "A": LARGEST_INTEGER, "": '\b\t\n\f\r"\\/'})
def test_the_fast_encoder_writes_what_rfc_8785_does_for_the_leaf_schema(value: JSONObject) -> None:
    assert encode_leaf(value) == rfc8785.dumps(value) == encode(value)


@settings(max_examples=50)
@given(VALUES)
def test_what_is_written_is_read_back_the_same(value: JSON) -> None:
    assert decode(encode(value)) == value


@settings(max_examples=50)
@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_one_value_has_one_spelling(value: JSONObject) -> None:
    canonical = encode(value)
    spaced = json.dumps(value, indent=1, ensure_ascii=True).encode()

    assert decode_canonical(canonical) == value
    if spaced != canonical:
        with pytest.raises(MalformedJson):
            decode_canonical(spaced)


@given(st.binary(max_size=64))
def test_no_bytes_make_the_reader_fail_in_another_way(data: bytes) -> None:
    try:
        decode(data)
    except MalformedJson as error:
        assert error.next_step


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b'{"a":1,"a":2}', "a"),
        (b'{"b":{"a":1,"\\u0061":1}}', "a"),
        (b"{", None),
        (b"", None),
        (b"\xef\xbb\xbf{}", None),
        (b'{"a":"\xff"}', None),
        (b'{"a":"\\ud800"}', None),
        (b'{"\\udc00":1}', None),
        (b'{"a":1.0}', None),
        (b'{"a":1e3}', None),
        (b'{"a":-0.0}', None),
        (b'{"a":NaN}', None),
        (b'{"a":Infinity}', None),
        (b'{"a":9007199254740992}', None),
        (b'{"a":-9007199254740992}', None),
        (b'{"a":' + b"9" * 5000 + b"}", None),
        (b'{"a":"\n"}', None),
        (b"{'a':1}", None),
        (b"{} {}", None),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(data: bytes, field: str | None) -> None:
    with pytest.raises(MalformedJson) as caught:
        decode(data)
    assert caught.value.field == field


def test_depth_is_limited_before_the_parser_sees_it() -> None:
    assert decode(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        with pytest.raises(MalformedJson, match="nests deeper"):
            decode(opening * 100_000 + b"1" + closing * 100_000)


def test_brackets_inside_strings_are_not_depth() -> None:
    assert decode(b'["' + b"[" * 1000 + b'\\"[["]')


def test_size_is_limited() -> None:
    with pytest.raises(MalformedJson, match="limit is 10"):
        decode(b'"0123456789"', max_bytes=10)


def test_the_largest_integers_are_kept_exact() -> None:
    assert decode(b"[9007199254740991,-9007199254740991]") == [LARGEST_INTEGER, -LARGEST_INTEGER]
    with pytest.raises(MalformedJson):
        encode([LARGEST_INTEGER + 1])


def test_an_object_is_asked_for_by_name() -> None:
    with pytest.raises(MalformedJson, match="not a JSON object"):
        decode_object(b"[]")


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}, float("nan")])
def test_what_has_no_canonical_form_is_an_error_of_this_house(value: Any) -> None:
    with pytest.raises(MalformedJson):
        encode(value)


def test_a_string_that_never_ends_is_read_once() -> None:
    """Half a megabyte of escaped quotes: linear in its length, where rescanning would take hours."""
    with pytest.raises(MalformedJson):
        decode(b'{"a":"' + b'\\"' * 250_000)
