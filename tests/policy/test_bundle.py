"""Signed bundles: a round trip in Python, and every way in which one is refused."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connector.policy.archive import pack, unpack
from connector.policy.bundle import LOCAL_SCOPE, RULEBOOK_SCOPE, SIGNATURES, open_bundle, sign_bundle
from connector.policy.errors import BundleRefused
from connector.policy.rulebook import DATA, MANIFEST, Rulebook

KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
KEYS = {"ours": KEY.public_key()}
FILES = dict(Rulebook.packaged().files)
BUNDLE = sign_bundle(FILES, KEY, "ours", RULEBOOK_SCOPE)

Files = dict[str, bytes]


def test_a_signed_bundle_opens_to_what_was_signed() -> None:
    assert open_bundle(BUNDLE, KEYS, RULEBOOK_SCOPE) == FILES


def test_the_signature_is_one_token_over_every_other_file() -> None:
    signatures = json.loads(unpack(BUNDLE)[SIGNATURES])
    (token,) = signatures["signatures"]
    assert signatures == {"signatures": [token]}
    assert jwt.get_unverified_header(token) | {"typ": "JWT"} == {"alg": "ES256", "kid": "ours", "typ": "JWT"}
    payload = jwt.decode(token, KEYS["ours"], algorithms=["ES256"])
    assert set(payload) == {"files", "scope"}
    hashes = {each["name"]: each["hash"] for each in payload["files"]}
    assert set(hashes) == set(FILES)
    for name, data in FILES.items():
        structured = name in (DATA, MANIFEST)
        hashed = (
            json.dumps(json.loads(data), sort_keys=True, separators=(",", ":")).encode()
            if structured
            else data
        )
        assert hashes[name] == hashlib.sha256(hashed).hexdigest()


def test_opa_itself_lists_the_same_hashes(opa: Path, tmp_path: Path) -> None:
    """Also for JSON with everything in it that encoders spell in different ways."""
    strange = {
        "b": ["<&>", "\u2028\u2029", "å😀", '"\\\n\t\x7f', 2**53 - 1, -1, None, True, {}, []],
        "a": {"é": 1, "e": 2},
    }
    files = {**FILES, DATA: json.dumps(strange, indent=2).encode()}
    for name, data in files.items():
        (tmp_path / "b" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "b" / name).write_bytes(data)
    (tmp_path / "key.pem").write_bytes(
        KEY.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    command = [str(opa), "sign", "--signing-alg", "ES256", "--signing-key", str(tmp_path / "key.pem")]
    subprocess.run([*command, "--bundle", "b"], cwd=tmp_path, check=True, timeout=60)
    theirs = payload_of((tmp_path / SIGNATURES).read_bytes())["files"]
    ours = payload_of(unpack(sign_bundle(files, KEY, "ours", RULEBOOK_SCOPE))[SIGNATURES])["files"]

    def by_name(listed: Any) -> Any:
        # `opa sign` names a file with the bundle's folder before it.
        return {each["name"].removeprefix("b/"): each["hash"] for each in listed}

    assert by_name(theirs) == by_name(ours)


def payload_of(signatures: bytes) -> Any:
    (token,) = json.loads(signatures)["signatures"]
    return jwt.decode(token, options={"verify_signature": False})


def test_any_byte_of_any_file_counts() -> None:
    files = unpack(BUNDLE)
    for name, data in FILES.items():
        if name.endswith((".rego", ".wasm")):
            middle = len(data) // 2
            changed = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
            with pytest.raises(BundleRefused):
                open_bundle(pack({**files, name: changed}), KEYS, RULEBOOK_SCOPE)


def resigned(change: Callable[[dict[str, Any]], Any], key: Any = KEY, algorithm: str = "ES256") -> bytes:
    payload = payload_of(unpack(BUNDLE)[SIGNATURES])
    token = jwt.encode(change(payload), key, algorithm=algorithm, headers={"kid": "ours"})
    return pack({**FILES, SIGNATURES: json.dumps({"signatures": [token]}).encode()})


def with_signatures(content: Any) -> bytes:
    return pack({**FILES, SIGNATURES: json.dumps(content).encode()})


TOKEN = json.loads(unpack(BUNDLE)[SIGNATURES])["signatures"][0]
HMAC_KEY = "a" * 64

REFUSED: dict[str, Callable[[], bytes]] = {
    "no archive": lambda: b"nothing",
    "unsigned": lambda: pack(FILES),
    "another key under our name": lambda: sign_bundle(FILES, OTHER, "ours", RULEBOOK_SCOPE),
    "a key that nobody knows": lambda: sign_bundle(FILES, OTHER, "theirs", RULEBOOK_SCOPE),
    "another scope": lambda: sign_bundle(FILES, KEY, "ours", LOCAL_SCOPE),
    "no scope": lambda: resigned(lambda p: {"files": p["files"]}),
    "a file more": lambda: pack({**unpack(BUNDLE), "more.rego": b"package bylag.more"}),
    "a file less": lambda: pack({n: d for n, d in unpack(BUNDLE).items() if n != "tree.rego"}),
    "other facts": lambda: pack({**unpack(BUNDLE), DATA: b"{}"}),
    "facts that are no JSON": lambda: pack({**unpack(BUNDLE), DATA: b"{"}),
    "no list of files": lambda: resigned(lambda p: p | {"files": None}),
    "a file listed twice": lambda: resigned(lambda p: p | {"files": [p["files"][0], *p["files"][:-1]]}),
    "another hash function": lambda: resigned(
        lambda p: p | {"files": [{**each, "algorithm": "MD5"} for each in p["files"]]}
    ),
    "a file without a hash": lambda: resigned(
        lambda p: p | {"files": [{"name": each["name"], "algorithm": "SHA-256"} for each in p["files"]]}
    ),
    "names instead of files": lambda: resigned(lambda p: p | {"files": [f["name"] for f in p["files"]]}),
    "two signatures": lambda: with_signatures({"signatures": [TOKEN, TOKEN]}),
    "no signature in it": lambda: with_signatures({"signatures": []}),
    "a signature that is none": lambda: with_signatures({"signatures": ["x.y.z"]}),
    "a list": lambda: with_signatures([TOKEN]),
    "without an algorithm": lambda: resigned(lambda p: p, key=None, algorithm="none"),
    "a shared secret": lambda: resigned(lambda p: p, key=HMAC_KEY, algorithm="HS256"),
    "signatures that are no JSON": lambda: pack({**FILES, SIGNATURES: b"{"}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_bundle_is_refused_that_is(what: str) -> None:
    with pytest.raises(BundleRefused):
        open_bundle(REFUSED[what](), KEYS, RULEBOOK_SCOPE)
