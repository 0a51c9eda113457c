"""Signed bundles: OPA's own format and signature, made and checked in Python.

Rules that hold here (Open Policy Agent, "Bundles", "Signing" and "Signature Format"):

* ``.signatures.json`` is ``{"signatures": ["<JWT>"]}`` with exactly one JWT, ES256, whose header names
  the key and whose payload lists name and SHA-256 of every other file of the bundle, and the scope.
* ``data.json`` and ``.manifest`` are hashed as compact JSON with sorted keys, every other file as raw bytes.
* A bundle counts when its signature is by a key expected, for the scope expected, over exactly the
  files that are there. The scope keeps rules of one kind from standing in for another.
* A signature has no order. That an older bundle is refused is for whoever knows the newer one: each
  decision asks for provenance (``connector.policy.server``), and local rules are numbered
  (``connector.policy.local``).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from connector.policy.archive import pack, unpack
from connector.policy.errors import BundleRefused, RulebookDamaged
from connector.policy.rulebook import WASM, Rulebook
from ledger.canonical import JSON, MalformedJson, decode_object, encode

SIGNATURES: Final = ".signatures.json"
RULEBOOK_SCOPE: Final = "bylag/rulebook"
LOCAL_SCOPE: Final = "bylag/local"
ALGORITHM: Final = "ES256"

_STRUCTURED: Final = frozenset({"data.json", ".manifest"})
_MAX_JSON_BYTES: Final = 4 << 20
_MAX_DEPTH: Final = 32


def sign_bundle(files: Mapping[str, bytes], key: ec.EllipticCurvePrivateKey, kid: str, scope: str) -> bytes:
    """A bundle of ``files``, signed with ``key``, which verifiers know as ``kid``, for ``scope``."""
    signed = {name: data for name, data in files.items() if name != SIGNATURES}
    payload = {"files": _listed(signed), "scope": scope}
    token = jwt.encode(payload, key, algorithm=ALGORITHM, headers={"kid": kid})
    return pack({**signed, SIGNATURES: encode({"signatures": [token]})})


def sign_for_opa(rulebook: Rulebook, key: ec.EllipticCurvePrivateKey, kid: str, scope: str) -> bytes:
    """The bundle that an OPA polls: without the WebAssembly, because an OPA compiles the rules itself."""
    return sign_bundle({n: data for n, data in rulebook.files.items() if n != WASM}, key, kid, scope)


def open_bundle(bundle: bytes, keys: Mapping[str, ec.EllipticCurvePublicKey], scope: str) -> dict[str, bytes]:
    """The files of a bundle that one of ``keys``, by kid, signed for ``scope``.

    Raises :class:`BundleRefused` for one that is unsigned, altered, of another key or scope.
    """
    try:
        files = unpack(bundle)
    except RulebookDamaged as error:
        raise BundleRefused(error.message) from error
    signatures = files.pop(SIGNATURES, None)
    if signatures is None:
        raise BundleRefused("the bundle is not signed")
    payload = _verified(_only_token(signatures), keys)
    if payload.get("scope") != scope:
        raise BundleRefused("the bundle was signed for another scope")
    _require_listed(payload.get("files"), files)
    return files


def _only_token(signatures: bytes) -> str:
    try:
        tokens = decode_object(signatures, max_bytes=_MAX_JSON_BYTES).get("signatures")
    except MalformedJson as error:
        raise BundleRefused("the bundle's .signatures.json is not JSON") from error
    if not isinstance(tokens, list) or len(tokens) != 1 or not isinstance(tokens[0], str):
        raise BundleRefused("the bundle's .signatures.json does not hold exactly one signature")
    return tokens[0]


def _verified(token: str, keys: Mapping[str, ec.EllipticCurvePublicKey]) -> dict[str, Any]:
    try:
        kid = jwt.get_unverified_header(token).get("kid")
        key = keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise BundleRefused("the bundle was signed with a key that is not expected")
        payload: dict[str, Any] = jwt.decode(token, key, algorithms=[ALGORITHM])
    except jwt.PyJWTError as error:
        raise BundleRefused("the bundle's signature is not good") from error
    return payload


def _require_listed(listed: object, files: Mapping[str, bytes]) -> None:
    """Every file once, with its hash, and none that is not there."""
    there = {each["name"]: each["hash"] for each in _listed(files)}
    if not isinstance(listed, list) or len(listed) != len(there):
        raise BundleRefused("the bundle does not hold the files that were signed")
    for each in listed:
        if not isinstance(each, dict) or each.get("algorithm") != "SHA-256":
            raise BundleRefused("the bundle's signature lists files in another way")
        expected = there.pop(each.get("name", ""), None)
        said = each.get("hash")
        if expected is None or not isinstance(said, str) or not hmac.compare_digest(expected, said.lower()):
            raise BundleRefused("a file of the bundle is not the one that was signed")


def _listed(files: Mapping[str, bytes]) -> list[dict[str, str]]:
    return [
        {"name": name, "hash": _hash(name, data), "algorithm": "SHA-256"}
        for name, data in sorted(files.items())
    ]


def _hash(name: str, data: bytes) -> str:
    structured = name.rpartition("/")[2] in _STRUCTURED
    return hashlib.sha256(_compact(name, data) if structured else data).hexdigest()


def _compact(name: str, data: bytes) -> bytes:
    """JSON as OPA writes it to hash it: sorted, compact, what is not ASCII left bare."""
    try:
        value: JSON = decode_object(data, max_bytes=_MAX_JSON_BYTES, max_depth=_MAX_DEPTH)
    except MalformedJson as error:
        raise BundleRefused(f"{name} is not JSON") from error
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # Go's encoder leaves all bare but these two.
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode()
