"""Building local rules: tested, compiled and checked by the pinned OPA, then signed.

Rules that hold here:

* An ``opa`` binary is needed, of the version that built the rulebook: only OPA compiles Rego, for the
  embedded engine as for a server.
* They get a capabilities file without network, clock, randomness or anything of the host, and what they
  compile to asks its host for nothing: so both engines read them alike.
* Every file is in the package ``local`` or below, and reads no ``data`` but its own.
* Their tests (``*_test.rego``) must pass; they are no part of the bundle.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from connector.policy.archive import pack
from connector.policy.build import find_opa, run_opa
from connector.policy.engine import Unanswered
from connector.policy.errors import RulebookNotBuilt, RulesRefused
from connector.policy.local import LOCAL_ENTRYPOINT, EmbeddedLocal, LocalRules, denials, reads_moving
from connector.policy.rulebook import DATA, MANIFEST, OPA_VERSION, WASM, rulebook_digest
from ledger.canonical import encode
from ledger.names import RulebookDigest

MAX_FILES: Final = 100
MAX_FILE_BYTES: Final = 1 << 20
FORBIDDEN: Final = re.compile(
    r"(?:http|net|time|rand|uuid|opa|crypto|io\.jwt|rego|providers|graphql|yaml)\."
    r"|(?:print|trace|sprintf|internal\.print|internal\.template_string|strings\.render_template"
    r"|json\.match_schema|json\.verify_schema)$"
)
"""Builtins that local rules do not get: they look outside, or engines read them differently."""


@dataclass(frozen=True, slots=True)
class Built:
    """Local rules that were built: the bundle's files, yet to be signed."""

    files: dict[str, bytes]
    revision: RulebookDigest
    number: int
    reads_moving: bool
    tests: int


def build_local(folder: Path, number: int) -> Built:
    """Test and compile the rules in ``folder`` as number ``number``. Raises :class:`RulebookNotBuilt`."""
    sources = _sources(folder)
    rules = {name: data for name, data in sources.items() if not name.endswith("_test.rego")}
    if not rules:
        raise RulesRefused("there is no rule in the folder", next_step=_HOW)
    opa = find_opa()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        capabilities = json.loads(run_opa(opa, "capabilities", "--current"))
        (root / "capabilities.json").write_text(json.dumps(allowed(capabilities)))
        for name, data in sources.items():
            _write(root / "all" / name, data)
            if name in rules:
                _write(root / "rules" / name, data)
        limited = ("--capabilities", "capabilities.json")
        run_opa(opa, "check", "--strict", *limited, "all", folder=root)
        for name in sources:
            _require_own(name, json.loads(run_opa(opa, "parse", "--format=json", f"all/{name}", folder=root)))
        tested = json.loads(run_opa(opa, "test", "--format=json", *limited, "all", folder=root) or "[]")
        run_opa(
            opa,
            "build",
            "-t",
            "wasm",
            "-e",
            LOCAL_ENTRYPOINT,
            *limited,
            "-o",
            "out.tar.gz",
            "rules",
            folder=root,
        )
        wasm = _wasm_of(root / "out.tar.gz")
    return _built({**rules, DATA: b"{}"}, wasm, number, len(tested or []))


_HOW: Final = (
    'Write rules in the package local, such as: deny contains "NO_EXPORT" if '
    'input.request.dataset == "…"; docs/reference/engines.md has an example.'
)


def allowed(capabilities: dict[str, Any]) -> dict[str, Any]:
    """OPA's capabilities without what looks outside."""
    builtins = [each for each in capabilities["builtins"] if not FORBIDDEN.match(each["name"])]
    return {**capabilities, "builtins": builtins, "allow_net": []}


def _built(files: dict[str, bytes], wasm: bytes, number: int, tests: int) -> Built:
    revision = rulebook_digest(files)
    moving = reads_moving({name: data for name, data in files.items() if name != DATA})
    manifest = encode(
        {
            "revision": revision,
            "roots": ["local"],
            "rego_version": 1,
            "metadata": {
                "entrypoint": LOCAL_ENTRYPOINT,
                "number": number,
                "opa_version": OPA_VERSION,
                "reads_moving": moving,
                "wasm_sha256": hashlib.sha256(wasm).hexdigest(),
            },
        }
    )
    built = Built({**files, WASM: wasm, MANIFEST: manifest}, revision, number, moving, tests)
    _require_answer(built)
    return built


def _require_answer(built: Built) -> None:
    """The module loads, asks its host for nothing, and answers with codes."""
    local = EmbeddedLocal(LocalRules.read(pack(built.files)))
    try:
        denials(local.evaluate(b"{}"))
    except Unanswered as error:
        raise RulesRefused(f"local.deny is not a set of codes: {error.code}", next_step=_HOW) from error
    finally:
        local.close()


def _sources(folder: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*.rego")):
        if not path.is_file() or path.is_symlink() or len(found) == MAX_FILES:
            raise RulesRefused(f"a folder of rules holds at most {MAX_FILES} plain files")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise RulesRefused(f"{path.name} has more than {MAX_FILE_BYTES} bytes")
        found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _require_own(name: str, module: Any) -> None:
    """The module's package and every ``data`` in it are ``data.local``."""
    path = module["package"]["path"]
    if [term["value"] for term in path[:2]] != ["data", "local"]:
        raise RulesRefused(f"{name} is not in the package local", next_step=_HOW)
    for reference in _references(module):
        if reference[:1] == ["data"] and reference[1:2] != ["local"]:
            raise RulesRefused(f"{name} reads data that is not its own", next_step=_HOW)


def _references(value: Any) -> Iterator[list[Any]]:
    """Every reference and every variable in a syntax tree, as the values of its terms."""
    if isinstance(value, dict):
        if value.get("type") == "ref" and isinstance(value.get("value"), list):
            yield [term.get("value") for term in value["value"]]
            for term in value["value"][1:]:
                yield from _references(term)
            return
        if value.get("type") == "var":
            yield [value.get("value")]
        for name, each in value.items():
            if name != "package":
                yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def _wasm_of(bundle: Path) -> bytes:
    with tarfile.open(bundle) as archive:
        member = archive.extractfile(f"/{WASM}")
        if member is None:
            raise RulebookNotBuilt("OPA gave no WebAssembly")
        return member.read()
