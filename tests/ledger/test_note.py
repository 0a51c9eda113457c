"""Signed notes, checkpoints and cosignatures, as C2SP writes them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger import checkpoint as checkpoints
from ledger import note as notes
from ledger.checkpoint import Checkpoint, MalformedCheckpoint, open_checkpoint, parse_text, sign_checkpoint
from ledger.cosignature import CosignatureVerifier, Cosigner, cosigned_at, verifier_for
from ledger.names import Milliseconds, Origin, RootHash, TreeSize
from ledger.note import (
    Ed25519Verifier,
    MalformedNote,
    Note,
    Signature,
    Signer,
    UnverifiedNote,
    VerifierKey,
    parse,
    parse_verifier_key,
    sign,
    verify,
)
from ledger.tree import EMPTY_ROOT

# C2SP signed-note v1.0.0
SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
# golang.org/x/mod/sumdb/note documents this key, text and signature.
PETER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJ"
    "nAM=\n"
)

LOG = Signer("vaxby.example/log", Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
OTHER = Signer("other.example/log", Ed25519PrivateKey.from_private_bytes(b"\x02" * 32))
WITNESS = Cosigner("witness.example/w1", Ed25519PrivateKey.from_private_bytes(b"\x03" * 32))
TEXT = "first line\n\nthird line\n"
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Z", "Cs"], exclude_characters="+"),
    min_size=1,
    max_size=20,
)


def test_the_verifier_key_of_the_specification_is_read_and_written() -> None:
    key = parse_verifier_key(SPEC_KEY)
    assert (key.name, key.key_id.hex(), key.type) == ("example.com/foo", "530d903a", notes.ED25519)
    assert str(key) == SPEC_KEY


def test_a_note_that_go_signed_verifies() -> None:
    note = parse(PETER_NOTE.encode())
    assert [each.name for each in verify(note, [Ed25519Verifier(parse_verifier_key(PETER_KEY))])] == [
        "PeterNeumann"
    ]
    assert bytes(note) == PETER_NOTE.encode()


@given(
    NAMES,
    st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=10), max_size=4),
)
def test_what_is_signed_is_read_back_and_verifies(name: str, lines: list[str]) -> None:
    signer = Signer(name, Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))
    text = "".join(line + "\n" for line in [*lines, "end"])
    note = parse(bytes(sign(text, signer, OTHER)))
    assert note.text == text
    assert len(verify(note, [Ed25519Verifier(signer.key), Ed25519Verifier(OTHER.key)])) == 2
    assert parse_verifier_key(str(signer.key)) == signer.key


def test_the_text_ends_at_the_last_empty_line() -> None:
    assert parse(bytes(sign(TEXT, LOG))).text == TEXT


def test_an_unknown_key_is_ignored_and_a_known_one_is_not() -> None:
    note = sign(TEXT, OTHER, LOG)
    assert [each.name for each in verify(note, [Ed25519Verifier(LOG.key)])] == [LOG.key.name]
    with pytest.raises(UnverifiedNote, match="no known key"):
        verify(note, [Ed25519Verifier(VerifierKey("third.example", 1, LOG.key.public))])


def test_a_bad_signature_of_a_known_key_spoils_the_note() -> None:
    good = sign(TEXT, LOG, OTHER)
    bad = Note(TEXT, (good.signatures[0], Signature(OTHER.key.name, OTHER.key.key_id, bytes(64))))
    assert verify(bad, [Ed25519Verifier(LOG.key)])
    with pytest.raises(UnverifiedNote, match="does not fit"):
        verify(bad, [Ed25519Verifier(LOG.key), Ed25519Verifier(OTHER.key)])


def test_the_same_name_with_another_id_is_another_key() -> None:
    impostor = Signature(LOG.key.name, b"\0\0\0\0", bytes(64))
    note = Note(TEXT, (impostor, *sign(TEXT, LOG).signatures))
    assert len(verify(note, [Ed25519Verifier(LOG.key)])) == 1


def test_a_signature_over_other_text_is_bad() -> None:
    signature = sign("another text\n", LOG).signatures[0]
    with pytest.raises(UnverifiedNote):
        verify(Note(TEXT, (signature,)), [Ed25519Verifier(LOG.key)])


def test_a_note_with_sixteen_signatures_is_accepted() -> None:
    others = [Signer(f"s{n}.example", Ed25519PrivateKey.generate()) for n in range(15)]
    note = parse(bytes(sign(TEXT, *others, LOG)))
    assert len(note.signatures) == 16
    assert verify(note, [Ed25519Verifier(LOG.key)])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"text\n\n",
        TEXT.encode(),
        b"text\n\n" + sign("text\n", LOG).signatures[0].line.encode()[:-1],
        b"te\txt\n\n" + sign("text\n", LOG).signatures[0].line.encode(),
        b"te\rxt\n\n" + sign("text\n", LOG).signatures[0].line.encode(),
        b"te\xffxt\n\n" + sign("text\n", LOG).signatures[0].line.encode(),
        b"text\n\n- name AAAAAAAA\n",
        "text\n\n— name\n".encode(),
        "text\n\n— name AAAA\n".encode(),
        "text\n\n— na+me AAAAAAAA\n".encode(),
        "text\n\n— na\u2003me AAAAAAAA\n".encode(),
        "text\n\n— name AAAAAAA\n".encode(),
        "text\n\n— name AAAAAB==\n".encode(),
        "text\n\n—  AAAAAAAA\n".encode(),
        b"text\n\n" + "— name AAAAAAAA\n".encode() * 100,
        b"x" * (notes.MAX_NOTE_BYTES + 1),
    ],
)
def test_what_is_not_a_note_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedNote):
        parse(data)


@given(st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_make_the_note_reader_fail_in_another_way(data: bytes) -> None:
    for candidate in (data, b"text\n\n" + data, "text\n\n— ".encode() + data + b"\n"):
        with suppress(MalformedNote):
            assert parse(bytes(parse(candidate)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+530d903a",
        SPEC_KEY.replace("530d903a", "530d903b"),
        SPEC_KEY.replace("530d903a", "530D903A"),
        SPEC_KEY.replace("example.com/foo", "example.com/bar"),
        SPEC_KEY.replace("+Ae", "+Be"),
        SPEC_KEY[:-4],
        SPEC_KEY + "=",
        "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "na me+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "x+00000000+" + base64.b64encode(b"\x05" + bytes(32)).decode(),
    ],
)
def test_what_is_not_a_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(MalformedNote):
        parse_verifier_key(text)


def test_room_is_left_for_ml_dsa() -> None:
    key = VerifierKey("pq.example/w", notes.ML_DSA_COSIGNATURE, bytes(1312))
    assert parse_verifier_key(str(key)) == key
    with pytest.raises(MalformedNote, match="cannot be checked yet"):
        verifier_for(key)


def test_text_that_is_no_note_is_not_signed() -> None:
    for text in ("no newline", "bell\x07\n"):
        with pytest.raises(MalformedNote):
            sign(text, LOG)


def checkpoint(size: int = 70_000, root: bytes = b"\x05" * 32, origin: str = LOG.key.name) -> Checkpoint:
    return Checkpoint(Origin(origin), TreeSize(size), RootHash(root))


def test_a_checkpoint_is_three_lines() -> None:
    signed = sign_checkpoint(checkpoint(), LOG)
    lines = bytes(signed.note).decode().split("\n")
    assert lines[:4] == ["vaxby.example/log", "70000", base64.b64encode(b"\x05" * 32).decode(), ""]
    assert open_checkpoint(bytes(signed.note), LOG.key).checkpoint == checkpoint()


def test_the_checkpoint_of_the_specification_is_read() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    read = parse_text(text)
    assert (read.origin, read.size) == ("example.com/behind-the-sofa", 20852163)
    assert read.text == text


ROOT = base64.b64encode(b"\x05" * 32).decode()


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (f"a.example\n1\n{ROOT}\nextension\n", None),
        (f"a.example\n1\n{ROOT}", None),
        ("a.example\n1\n", None),
        (f"\n1\n{ROOT}\n", "origin"),
        (f"a b\n1\n{ROOT}\n", "origin"),
        (f"a+b\n1\n{ROOT}\n", "origin"),
        (f"a.example\n01\n{ROOT}\n", "size"),
        (f"a.example\n-1\n{ROOT}\n", "size"),
        (f"a.example\n+1\n{ROOT}\n", "size"),
        (f"a.example\n１\n{ROOT}\n", "size"),
        (f"a.example\n{'9' * 40}\n{ROOT}\n", "size"),
        (f"a.example\n1\n{ROOT[:-4]}\n", "root"),
        (f"a.example\n1\n{ROOT[:-1]}\n", "root"),
        (f"a.example\n1\n{ROOT[:-2]}V=\n", "root"),
        (f"a.example\n0\n{ROOT}\n", "root"),
    ],
)
def test_what_is_not_a_checkpoint_is_refused(text: str, field: str | None) -> None:
    with pytest.raises(MalformedCheckpoint) as caught:
        parse_text(text)
    assert caught.value.field == field


def test_the_empty_tree_has_its_own_root() -> None:
    assert parse_text(checkpoint(0, EMPTY_ROOT).text) == checkpoint(0, EMPTY_ROOT)


@given(st.integers(0, 2**62), st.binary(min_size=32, max_size=32))
def test_checkpoints_are_read_back(size: int, root: bytes) -> None:
    if size:
        assert parse_text(checkpoint(size, root).text) == checkpoint(size, root)


def test_a_log_signs_and_is_read_under_its_own_name_only() -> None:
    with pytest.raises(MalformedCheckpoint):
        sign_checkpoint(checkpoint(), OTHER)
    stolen = bytes(sign(checkpoint().text, OTHER))
    with pytest.raises(MalformedCheckpoint, match="another log"):
        open_checkpoint(stolen, OTHER.key)
    with pytest.raises(UnverifiedNote):
        open_checkpoint(stolen, LOG.key)
    with pytest.raises(MalformedNote):
        open_checkpoint(stolen, WITNESS.key)


def test_a_cosignature_says_who_saw_it_and_when() -> None:
    signed = sign_checkpoint(checkpoint(), LOG)
    note = parse(
        bytes(signed.note.with_signature(WITNESS.sign(signed.note.text, Milliseconds(1_679_315_147_999))))
    )
    good = verify(note, [CosignatureVerifier(WITNESS.key), Ed25519Verifier(LOG.key)])
    assert [each.name for each in good] == [LOG.key.name, WITNESS.key.name]
    assert cosigned_at(good[1]) == 1_679_315_147_000
    # The message is fixed by tlog-cosignature: header, time, then the whole text.
    raw = good[1].value
    public = Ed25519PrivateKey.from_private_bytes(b"\x03" * 32).public_key()
    public.verify(raw[8:], b"cosignature/v1\ntime 1679315147\n" + signed.note.text.encode())
    assert int.from_bytes(raw[:8]) == 1_679_315_147


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw[:7] + b"\xff" + raw[8:],
        lambda raw: b"\xff" + raw[1:],
        lambda raw: raw[:-1],
        lambda raw: raw + b"\0",
        lambda raw: b"",
        lambda raw: raw[8:],
    ],
)
def test_a_cosignature_with_another_time_or_length_is_bad(spoil: Callable[[bytes], bytes]) -> None:
    text = checkpoint().text
    raw = WITNESS.sign(text, Milliseconds(5_000)).value
    verifier = CosignatureVerifier(WITNESS.key)
    assert verifier.accepts(text, raw)
    assert not verifier.accepts(text, spoil(raw))


def test_a_cosignature_is_no_signature_and_a_signature_no_cosignature() -> None:
    with pytest.raises(MalformedNote):
        CosignatureVerifier(LOG.key)
    with pytest.raises(MalformedNote):
        Ed25519Verifier(WITNESS.key)
    assert isinstance(verifier_for(WITNESS.key), CosignatureVerifier)
    assert isinstance(verifier_for(LOG.key), Ed25519Verifier)


def test_a_key_signs_a_note_once() -> None:
    note = sign(TEXT, LOG).with_signature(OTHER.sign(TEXT))
    again = note.with_signature(OTHER.sign(TEXT))
    assert again == note
    assert len(again.signatures) == 2


def test_the_largest_size_is_still_decimal() -> None:
    assert checkpoints.parse_text(checkpoint(10**18).text).size == 10**18


def test_a_cosignature_is_not_from_the_far_future() -> None:
    """tlog-cosignature: the timestamp must not exceed 2^63 - 1, even under a good signature."""
    private = Ed25519PrivateKey.from_private_bytes(b"\x03" * 32)
    verifier = CosignatureVerifier(WITNESS.key)
    text = checkpoint().text
    for seconds, good in ((2**63 - 1, True), (2**63, False)):
        signature = private.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
        assert verifier.accepts(text, seconds.to_bytes(8) + signature) is good
