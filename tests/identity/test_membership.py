"""The membership list's format: everything that is refused, and that nothing but typed errors comes out."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.identity import change, membership
from connector.identity.keys import generate
from connector.identity.membership import (
    MAX_LIST,
    MalformedList,
    read_first_keys,
    read_link,
    read_list,
    read_signed_list,
)
from connector.identity.organisation import KeyState, ListedKey, Weight
from connector.identity.public import Job
from connector.identity.signed import MultiSigned, read_multi_signed
from ledger.ambient import HeldAmbient
from ledger.canonical import encode
from ledger.fields import BadField, Fields
from ledger.folder import Document
from ledger.members import follow, read_registrar
from ledger.names import Milliseconds
from tests.identity.world import ALVIK, BERGA, Space

Content = dict[str, Any]


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Content:
    """A list's content with two organisations."""
    space = Space(tmp_path_factory.mktemp("space"))
    space.join(ALVIK)
    space.join(BERGA)
    space.publish(change.succeeded_by(BERGA, ALVIK))
    content: Content = space.registrar.current.content()
    return content


def test_a_list_comes_back_as_it_was(listed: Content) -> None:
    assert read_list(encode(listed)).content() == listed


def _set(path: str, value: object) -> Callable[[Content], None]:
    def change_it(content: Content) -> None:
        *parents, last = path.split(".")
        place: Any = content
        for name in parents:
            place = place[int(name) if name.isdigit() else name]
        place[int(last) if last.isdigit() else last] = value

    return change_it


def _del(path: str) -> Callable[[Content], None]:
    def change_it(content: Content) -> None:
        *parents, last = path.split(".")
        place: Any = content
        for name in parents:
            place = place[int(name) if name.isdigit() else name]
        del place[last]

    return change_it


def _copy(path: str, source: str) -> Callable[[Content], None]:
    def change_it(content: Content) -> None:
        place: Any = content
        for name in source.split("."):
            place = place[int(name) if name.isdigit() else name]
        _set(path, place)(content)

    return change_it


TLS = next(i for i, job in enumerate(Job) if job is Job.TLS)

REFUSED: list[tuple[str, Callable[[Content], None]]] = [
    ("type", _set("type", "membership")),
    ("version", _set("version", 2)),
    ("version", _set("version", True)),
    ("space", _set("space", "../x")),
    ("number", _set("number", 0)),
    ("number", _set("number", "3")),
    ("previous", _set("previous", None)),
    ("previous", _set("previous", "AB" * 32)),
    ("issued", _set("issued", -1)),
    ("issued", _set("issued", 253_402_300_800_000)),
    ("expires", _copy("expires", "issued")),
    ("expires", _set("expires", 253_402_300_799_999)),
    ("registrar.threshold", _set("registrar.threshold", 2)),
    ("registrar.threshold", _set("registrar.threshold", 0)),
    ("registrar.keys", _set("registrar.keys", [])),
    ("registrar.keys[0]", _set("registrar.keys.0", "AA")),
    ("registrar.keys[1]", lambda c: c["registrar"]["keys"].append(c["registrar"]["keys"][0])),
    ("registrar.extra", _set("registrar.extra", 1)),
    ("extra", _set("extra", None)),
    ("previous", _del("previous")),
    ("organisations", _set("organisations", {})),
    ("organisations[0]", _set("organisations.0", [])),
    ("organisations[0].status", _del("organisations.0.status")),
    ("organisations[0].successor", _del("organisations.0.successor")),
    ("organisations[0].extra", _set("organisations.0.extra", 1)),
    ("organisations[0].did", _set("organisations.0.did", "did:web:ALVIK.example")),
    ("organisations[1].did", lambda c: c["organisations"][1].update(did=ALVIK, keys=[])),
    ("organisations[0].kind", _set("organisations.0.kind", "citizen")),
    ("organisations[0].name", _set("organisations.0.name", "Al\u202evik")),
    ("organisations[0].name", _set("organisations.0.name", "")),
    ("organisations[0].units[0].id", _set("organisations.0.units.0.id", "../schools")),
    ("organisations[0].units[1].id", _copy("organisations.0.units.1.id", "organisations.0.units.0.id")),
    ("organisations[0].units[0].name", _set("organisations.0.units.0.name", "a\u200bb")),
    ("organisations[0].endpoints[0]", _set("organisations.0.endpoints", ["node.example"])),
    ("organisations[0].endpoints[1]", _set("organisations.0.endpoints", ["a.example:1"] * 2)),
    ("organisations[0].endpoints", _set("organisations.0.endpoints", ["a.example:1"] * 9)),
    ("organisations[0].status", _set("organisations.0.status", "Active")),
    ("organisations[0].successor", _set("organisations.0.successor", "did:web:nobody.example")),
    ("organisations[0].successor", _copy("organisations.0.successor", "organisations.0.did")),
    ("organisations[0].successor", _copy("organisations.0.successor", "organisations.1.did")),
    ("organisations[0].attributes.country", _set("organisations.0.attributes.country", "se")),
    ("organisations[0].attributes.industry", _set("organisations.0.attributes.industry", "a b")),
    ("organisations[0].keys[0].use", _set("organisations.0.keys.0.use", "store")),
    ("organisations[0].keys[0].public", _set("organisations.0.keys.0.public", "AAAA")),
    ("organisations[0].keys[0].thumbprint", _copy(
        "organisations.0.keys.0.thumbprint", "organisations.0.keys.1.thumbprint")),
    ("organisations[0].keys[0].not_after", _copy(
        "organisations.0.keys.0.not_after", "organisations.0.keys.0.not_before")),
    ("organisations[0].keys[0].compromised_since", _set("organisations.0.keys.0.compromised_since", "now")),
    ("organisations[0].keys[0].anchor", _copy(
        "organisations.0.keys.0.anchor", f"organisations.0.keys.{TLS}.anchor")),
    (f"organisations[0].keys[{TLS}].anchor", _set(f"organisations.0.keys.{TLS}.anchor", None)),
    (f"organisations[0].keys[{TLS}].anchor", _copy(
        f"organisations.0.keys.{TLS}.anchor", f"organisations.1.keys.{TLS}.anchor")),
    ("organisations[0].keys[1]", _copy("organisations.0.keys.1", "organisations.0.keys.0")),
    ("organisations[1].keys[0]", _copy("organisations.1.keys.0", "organisations.0.keys.0")),
    ("organisations[0].keys[0]", lambda c: c["registrar"]["keys"].__setitem__(
        0, c["organisations"][0]["keys"][0]["public"])),
]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "alter"), REFUSED, ids=[f"{n}-{field}" for n, (field, _) in enumerate(REFUSED)]
)
def test_each_wrong_member_is_named(listed: Content, field: str, alter: Callable[[Content], None]) -> None:
    content = copy.deepcopy(listed)
    alter(content)
    with pytest.raises(MalformedList) as caught:
        read_list(encode(content))
    assert caught.value.field == field


def test_a_list_is_its_own_canonical_form(listed: Content) -> None:
    for payload in (
        json.dumps(listed).encode(),
        encode(listed) + b"\n",
        encode(listed).replace(b'{"expires"', b'{"expires":1,"expires"', 1),
        b"\xef\xbb\xbf" + encode(listed),
        encode(listed).replace(b'"number":4', b'"number":4.0'),
        b"[" * 100 + b"]" * 100,
        b"",
    ):
        with pytest.raises(MalformedList):
            read_list(payload)


def test_a_list_has_a_largest_size(listed: Content) -> None:
    with pytest.raises(MalformedList):
        read_list(b" " * (MAX_LIST + 1))
    with pytest.raises(MalformedList):
        read_signed_list(b" " * (3 * MAX_LIST))
    with pytest.raises(BadField) as caught:
        read_multi_signed(MultiSigned(b" " * 101).to_bytes(), max_bytes=100)
    assert caught.value.field == "payload"
    read_multi_signed(MultiSigned(b" " * 100).to_bytes(), max_bytes=100)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.binary(max_size=200))
def test_bytes_are_never_a_list_and_never_anything_but_a_typed_error(data: bytes) -> None:
    for read in (read_list, read_signed_list, read_first_keys):
        with pytest.raises(MalformedList):
            read(data)


@settings(max_examples=150)
@given(data=st.data())
def test_a_list_with_anything_in_any_place_is_read_or_a_typed_error(
    data: st.DataObject, listed: Content
) -> None:
    content = copy.deepcopy(listed)
    for _ in range(data.draw(st.integers(1, 3))):
        place: Any = content
        while True:
            keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and data.draw(st.integers(0, 3)):
                place = place[key]
                continue
            place[key] = data.draw(VALUES)
            break
    payload = encode(content)
    try:
        entry = read_list(payload)
    except MalformedList as error:
        assert error.field is None or error.field.isprintable()
        return
    assert entry.unsigned().payload == payload, "what is accepted has one spelling"


@given(VALUES)
def test_a_stored_link_is_read_or_a_typed_error(value: Any) -> None:
    content = value if isinstance(value, dict) else {"number": value}
    with pytest.raises(BadField):
        read_link(Fields(content))


# --- keys in time -----------------------------------------------------------------------------------


def _key(begins: int, ends: int | None = None, compromised: int | None = None) -> ListedKey:
    public = generate(Job.SIGN, HeldAmbient()).public_key()
    return ListedKey(
        Job.SIGN,
        public,
        Milliseconds(begins),
        None if ends is None else Milliseconds(ends),
        None if compromised is None else Milliseconds(compromised),
    )


@pytest.mark.parametrize(
    ("at", "state"),
    [(9, KeyState.NOT_YET), (10, KeyState.VALID), (19, KeyState.VALID), (20, KeyState.ENDED)],
)
def test_a_key_is_good_from_its_beginning_up_to_its_end(at: int, state: KeyState) -> None:
    assert _key(10, 20).state(Milliseconds(at)) is state


def test_a_compromise_outweighs_everything_from_its_moment_on() -> None:
    key = _key(10, 20, compromised=15)
    assert key.state(Milliseconds(14)) is KeyState.VALID
    assert key.state(Milliseconds(15)) is KeyState.COMPROMISED
    assert key.state(Milliseconds(25)) is KeyState.COMPROMISED


@pytest.mark.parametrize(
    ("key", "earliest", "latest", "weight"),
    [
        (_key(10), 11, 12, Weight.COUNTS),
        (_key(10), 11, None, Weight.COUNTS),
        (_key(10), 1, 9, Weight.DOES_NOT_COUNT),
        (_key(10, 20), 11, 19, Weight.COUNTS),
        (_key(10, 20), 11, 20, Weight.UNDETERMINED),
        (_key(10, 20), 11, None, Weight.UNDETERMINED),
        (_key(10, 20), 20, 21, Weight.DOES_NOT_COUNT),
        (_key(10, 20, 15), 11, 14, Weight.COUNTS),
        (_key(10, 20, 15), 11, 16, Weight.UNDETERMINED),
        (_key(10, 20, 15), 15, 16, Weight.DOES_NOT_COUNT),
    ],
)
def test_a_signature_counts_by_the_interval_it_was_made_in(
    key: ListedKey, earliest: int, latest: int | None, weight: Weight
) -> None:
    upper = None if latest is None else Milliseconds(latest)
    assert key.weight(Milliseconds(earliest), upper) is weight


# --- a reader that nobody here wrote into the connector ---------------------------------------------


def test_the_ledgers_own_reader_for_auditors_follows_the_same_chain(tmp_path: Path) -> None:
    space = Space(tmp_path)
    member = space.join(ALVIK)
    space.registrar.rotate_keys()
    space.publish(change.renew())
    first = read_registrar((tmp_path / "registrar/registrar.json").read_bytes())
    chain = space.registrar.answer.chain
    members = follow([Document(item.payload, item.signatures) for item in chain], first)
    assert members is not None
    assert members.trusted
    assert members.number == space.registrar.trust.number
    assert members.find(ALVIK, member.ring.thumbprint(Job.SIGN)) is not None


def test_the_first_keys_file_has_a_fingerprint_to_compare(space: Space) -> None:
    data = (space.folder / "registrar/registrar.json").read_bytes()
    first = read_first_keys(data)
    assert first == space.registrar.trust.first
    assert len(first.fingerprint) == 64
    with pytest.raises(MalformedList):
        read_first_keys(data[:-1])


def test_a_list_too_big_to_be_read_is_not_drafted(listed: Content, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = read_list(encode(listed))
    monkeypatch.setattr(membership, "MAX_LIST", 100)
    with pytest.raises(MalformedList):
        entry.unsigned()
