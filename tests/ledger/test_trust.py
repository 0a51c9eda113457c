"""Trust policies, and proofs in one file."""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger import tree
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.cosignature import Cosigner
from ledger.names import Milliseconds, Origin, RootHash, TreeSize
from ledger.note import MalformedNote, Note, Signature, Signer, UnverifiedNote, sign
from ledger.proof import HEADER, MalformedProof, Proof, make, parse_proof, verify
from ledger.tiles import reader_of
from ledger.tree import BadProof
from ledger.trust import MalformedPolicy, NoQuorum, Policy, parse_policy, trusting

LOG = Signer("vaxby.example/log", Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
SECOND = Signer("hamnstad.example/log", Ed25519PrivateKey.from_private_bytes(b"\x02" * 32))
WITNESSES = {
    name: Cosigner(f"{name.lower()}.example", Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))
    for number, name in enumerate(["X1", "X2", "X3", "Y1", "Y2", "Y3"], start=10)
}
ENTRIES = [b"entry %d" % number for number in range(11)]
READ = reader_of([tree.leaf_hash(entry) for entry in ENTRIES])

# The example of C2SP tlog-policy, with keys.
EXAMPLE = "\n".join(
    [
        f"log {LOG.key} https://vaxby.example/log/",
        "",
        *[f"witness X{n} {WITNESSES[f'X{n}'].key}" for n in (1, 2, 3)],
        "group X-witnesses 2 X1 X2 X3",
        "  \t ",
        *[f"witness\tY{n} \t {WITNESSES[f'Y{n}'].key}  https://y.example" for n in (1, 2, 3)],
        " # a comment",
        "group Y-witnesses any Y1 Y2 Y3",
        "group X-and-Y all X-witnesses Y-witnesses",
        "quorum X-and-Y\n",
    ]
)


def cosigned(*names: str, signer: Signer = LOG, size: int = len(ENTRIES)) -> Note:
    checkpoint = Checkpoint(Origin(signer.key.name), TreeSize(size), RootHash(tree.root(size, READ)))
    note = sign_checkpoint(checkpoint, signer).note
    for name in names:
        note = note.with_signature(WITNESSES[name].sign(note.text, Milliseconds(1_000)))
    return note


@pytest.mark.parametrize(
    ("names", "enough"),
    [
        (["X1", "X2", "Y1"], True),
        (["X3", "X1", "Y3", "Y2"], True),
        (["X1", "X2", "X3", "Y1", "Y2", "Y3"], True),
        ([], False),
        (["X1", "Y1"], False),
        (["X1", "X2", "X3"], False),
        (["Y1", "Y2", "Y3"], False),
    ],
)
def test_the_policy_of_the_specifications_example(names: list[str], enough: bool) -> None:
    policy = parse_policy(EXAMPLE.encode())
    if enough:
        assert policy.check(cosigned(*names)).witnesses == tuple(sorted(names))
    else:
        with pytest.raises(NoQuorum):
            policy.check(cosigned(*names))


def test_a_checkpoint_of_another_log_does_not_count() -> None:
    policy = parse_policy(EXAMPLE.encode())
    with pytest.raises(UnverifiedNote):
        policy.check(cosigned("X1", "X2", "Y1", signer=SECOND))


def test_a_log_vouches_for_its_own_origin_only() -> None:
    policy = parse_policy(f"log {LOG.key}\nlog {SECOND.key}\nquorum none\n".encode())
    text = cosigned(signer=SECOND).text
    with pytest.raises(UnverifiedNote, match="origin"):
        policy.check(sign(text, LOG))
    assert policy.check(cosigned(signer=SECOND)).log == SECOND.key


def test_a_bad_cosignature_of_a_known_witness_spoils_the_note() -> None:
    policy = parse_policy(EXAMPLE.encode())
    note = cosigned("X1", "X2", "Y1")
    bad = note.with_signature(Signature(WITNESSES["Y2"].key.name, WITNESSES["Y2"].key.key_id, bytes(72)))
    with pytest.raises(UnverifiedNote):
        policy.check(bad)


def test_without_witnesses_the_logs_key_is_enough() -> None:
    assert trusting(LOG.key).check(cosigned()).witnesses == ()
    assert parse_policy(f"log {LOG.key}\nquorum none\n".encode()).check(cosigned()).checkpoint.size == 11
    with pytest.raises(UnverifiedNote):
        parse_policy(b"quorum none\n").check(cosigned())


X1 = f"witness X1 {WITNESSES['X1'].key}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", None),
        (f"log {LOG.key}\n", None),
        ("quorum none", None),
        ("quorum none\x07\n", None),
        ("quorum none\r\n", None),
        ("quorum X1\n", "line 1"),
        (f"quorum X1\n{X1}\n", "line 1"),
        ("quorum none\nquorum none\n", "line 2"),
        ("quorum\n", "line 1"),
        ("trust me\n", "line 1"),
        ("Log x\nquorum none\n", "line 1"),
        ("log notakey\nquorum none\n", "line 1"),
        (f"log {LOG.key} url more\nquorum none\n", "line 1"),
        (f"log {WITNESSES['X1'].key}\nquorum none\n", "line 1"),
        (f"witness X1 {LOG.key}\nquorum none\n", "line 1"),
        (f"log {LOG.key}\nlog {LOG.key}\nquorum none\n", "line 2"),
        (f"{X1}\nwitness X1 {WITNESSES['X2'].key}\nquorum none\n", "line 2"),
        (f"{X1}\nwitness X2 {WITNESSES['X1'].key}\nquorum none\n", "line 2"),
        (f"witness none {WITNESSES['X1'].key}\nquorum none\n", "line 1"),
        (f"{X1}\ngroup g any X2\nquorum none\n", "line 2"),
        (f"{X1}\ngroup g any none\nquorum none\n", "line 2"),
        (f"{X1}\ngroup g any g\nquorum none\n", "line 2"),
        (f"{X1}\ngroup X1 any X1\nquorum none\n", "line 2"),
        (f"{X1}\ngroup g any X1 X1\nquorum none\n", "line 2"),
        (f"{X1}\ngroup g any X1\ngroup h any X1\nquorum none\n", "line 3"),
        (f"{X1}\ngroup g 0 X1\nquorum none\n", "line 2"),
        (f"{X1}\ngroup g 2 X1\nquorum none\n", "line 2"),
        (f"{X1}\ngroup g 01 X1\nquorum none\n", "line 2"),
        (f"{X1}\ngroup g some X1\nquorum none\n", "line 2"),
        (f"{X1}\ngroup g any\nquorum none\n", "line 2"),
        ("#\n" * 2000 + "quorum none\n", None),
    ],
)
def test_what_is_not_a_policy_is_refused_by_line(text: str, line: str | None) -> None:
    with pytest.raises(MalformedPolicy) as caught:
        parse_policy(text.encode())
    assert caught.value.field == line


@given(
    st.binary(max_size=100), st.sampled_from([b"", b"log ", b"witness a ", b"group a any ", EXAMPLE.encode()])
)
def test_no_bytes_make_the_policy_reader_fail_in_another_way(data: bytes, before: bytes) -> None:
    with suppress(MalformedPolicy):
        assert isinstance(parse_policy(before + data + b"\n"), Policy)


def test_names_are_opaque_bytes() -> None:
    key = WITNESSES["X1"].key
    policy = parse_policy(b"witness K\xff " + str(key).encode() + b"\nquorum K\xff\n")
    assert policy.quorum == b"K\xff".decode("latin-1")


def proof_of(index: int, note: Note | None = None, extra: bytes | None = None) -> Proof:
    return make(index, tree.inclusion_proof(index, len(ENTRIES), READ), note or cosigned(), extra)


@pytest.mark.parametrize("index", range(len(ENTRIES)))
def test_a_proof_file_verifies_its_own_entry_and_no_other(index: int) -> None:
    proof = parse_proof(bytes(proof_of(index)))
    assert verify(proof, ENTRIES[index], trusting(LOG.key)).checkpoint.size == 11
    with pytest.raises(BadProof):
        verify(proof, ENTRIES[index - 1], trusting(LOG.key))
    with pytest.raises(UnverifiedNote):
        verify(proof, ENTRIES[index], trusting(SECOND.key))


def test_a_proof_asks_for_the_readers_quorum() -> None:
    policy = parse_policy(EXAMPLE.encode())
    with pytest.raises(NoQuorum):
        verify(proof_of(3), ENTRIES[3], policy)
    assert verify(proof_of(3, cosigned("X1", "X2", "Y1")), ENTRIES[3], policy).witnesses == ("X1", "X2", "Y1")


def test_the_file_has_the_form_of_the_specification() -> None:
    proof = proof_of(3, extra=b"about it")
    lines = bytes(proof).decode().split("\n")
    assert lines[:3] == [
        "c2sp.org/tlog-proof@v1",
        f"extra {base64.b64encode(b'about it').decode()}",
        "index 3",
    ]
    assert lines[3] == base64.b64encode(tree.leaf_hash(ENTRIES[2])).decode()
    assert lines[7:9] == ["", "vaxby.example/log"]
    assert parse_proof(bytes(proof)) == proof
    assert parse_proof(bytes(proof_of(3))).extra is None


@given(
    st.integers(0, 2**62),
    st.lists(st.binary(min_size=32, max_size=32), max_size=64),
    st.none() | st.binary(max_size=50),
)
def test_proof_files_are_read_back(index: int, hashes: list[bytes], extra: bytes | None) -> None:
    proof = make(index, hashes, cosigned(), extra)
    assert parse_proof(bytes(proof)) == proof


GOOD = bytes(proof_of(3)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD.replace("@v1", "@v2"),
        GOOD.replace("\n\n", "\n", 1),
        GOOD.replace("index 3", "index 03"),
        GOOD.replace("index 3", "index -3"),
        GOOD.replace("index 3", "index"),
        GOOD.replace("index 3", "Index 3"),
        GOOD.replace("index 3", "index 3\nextra AAAA"),
        GOOD.replace("index 3", "extra A\nindex 3"),
        GOOD.replace("index 3", "index 3\nAAAA"),
        GOOD.replace("index 3", "index 3\n" + "\n".join([base64.b64encode(bytes(32)).decode()] * 65)),
        GOOD.replace("index 3", f"extra {'AAAA' * 30_000}\nindex 3"),
        GOOD.replace(HEADER, HEADER + " "),
        HEADER + "\n\n" + GOOD.partition("\n\n")[2],
        "é" + GOOD,
        "x" * 1_000_000,
    ],
)
def test_what_is_not_a_proof_is_refused(text: str) -> None:
    with pytest.raises(MalformedProof):
        parse_proof(text.encode())


@given(st.binary(max_size=100))
def test_no_bytes_make_the_proof_reader_fail_in_another_way(data: bytes) -> None:
    for candidate in (
        data,
        f"{HEADER}\n".encode() + data,
        GOOD.partition("\n\n")[0].encode() + b"\n\n" + data,
    ):
        with pytest.raises((MalformedProof, MalformedNote)):
            parse_proof(candidate)
