"""The rulebook that runs: Rego, facts and WebAssembly in one OPA bundle, packaged with bylag.

Rules that hold here:

* The *rulebook digest* is SHA-256 of the canonical JSON list of ``{path, sha256}``, sorted by path, of
  every ``*.rego`` and ``data.json``. Tests, the manifest, WebAssembly and signatures do not count: they
  are no part of what the rules say. It is the manifest's ``revision``, and every decision names it.
* Nothing is believed: on reading, the digest is computed again, and the WebAssembly must be the one that
  the manifest names. A damaged bundle is refused whole.

``connector/policy/rulebook.tar.gz`` is made of ``policies/`` by ``python -m connector.policy.build``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from typing import Final

from connector.policy.archive import unpack
from connector.policy.errors import RulebookDamaged
from ledger.canonical import JSON, MalformedJson, decode_object, encode
from ledger.names import RulebookDigest

OPA_VERSION: Final = "1.22.2"
"""The OPA that compiles the rulebook, and that the tests compare every decision with."""

INSTALL_OPA: Final = f"go install github.com/open-policy-agent/opa@v{OPA_VERSION}"

ENTRYPOINT: Final = "bylag/decision/answer"
TRACE: Final = "trace.rego"
TRACE_ENTRYPOINT: Final = "bylag/trace/answer"
"""How the answer came about: each rule and each comparison (policies/trace.rego)."""
MANIFEST: Final = ".manifest"
DATA: Final = "data.json"
WASM: Final = "policy.wasm"
PACKAGED: Final = "rulebook.tar.gz"
MAX_QUESTION_BYTES: Final = 1 << 20
"""Of a question, for every engine."""


@dataclass(frozen=True)
class Rulebook:
    """One version of the rules. ``files`` are the bundle's files by path, without the leading slash."""

    revision: RulebookDigest
    files: Mapping[str, bytes]

    @property
    def wasm(self) -> bytes:
        """The rules compiled by OPA itself."""
        return self.files[WASM]

    @property
    def data(self) -> bytes:
        """The facts beside the rules, as JSON: action hierarchy and purposes."""
        return self.files[DATA]

    @classmethod
    def packaged(cls) -> Rulebook:
        """The rulebook that this release of bylag carries. Raises :class:`RulebookDamaged`."""
        return _packaged()

    @classmethod
    def read(cls, bundle: bytes) -> Rulebook:
        """Read a bundle and check it against its own digests. Raises :class:`RulebookDamaged`.

        Who made it is not checked here: that is what a signature says.
        """
        contents = unpack(bundle)
        manifest = _manifest(contents)
        revision = rulebook_digest(contents)
        if manifest.get("revision") != revision:
            raise RulebookDamaged("the rulebook's files do not have the digest that its manifest names")
        metadata = manifest.get("metadata")
        wasm = contents.get(WASM)
        if not isinstance(metadata, dict) or wasm is None or DATA not in contents:
            raise RulebookDamaged("the rulebook lacks its facts, its WebAssembly or its metadata")
        if metadata.get("wasm_sha256") != hashlib.sha256(wasm).hexdigest():
            raise RulebookDamaged("the rulebook's WebAssembly is not the one that its manifest names")
        return cls(revision, contents)


def rulebook_digest(files: Mapping[str, bytes]) -> RulebookDigest:
    """The digest of what the rules say, whatever else lies beside them."""
    listed: JSON = [
        {"path": path, "sha256": hashlib.sha256(files[path]).hexdigest()}
        for path in sorted(files)
        if path == DATA or (path.endswith(".rego") and not path.endswith("_test.rego"))
    ]
    return RulebookDigest(hashlib.sha256(encode(listed)).hexdigest())


@cache
def _packaged() -> Rulebook:
    return Rulebook.read(package_files("connector.policy").joinpath(PACKAGED).read_bytes())


def _manifest(contents: Mapping[str, bytes]) -> Mapping[str, JSON]:
    try:
        return decode_object(contents.get(MANIFEST, b""))
    except MalformedJson as error:
        raise RulebookDamaged("the rulebook has no readable manifest") from error
