"""The rulebook that runs is the one in ``policies/``, and keeps the rules that all engines read alike."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from connector.policy.build import POLICIES, bundle, source_files
from connector.policy.embedded import EmbeddedEngine
from connector.policy.errors import RulebookDamaged
from connector.policy.rulebook import (
    DATA,
    ENTRYPOINT,
    MANIFEST,
    OPA_VERSION,
    PACKAGED,
    WASM,
    Rulebook,
    rulebook_digest,
)
from ledger.canonical import JSON, encode

BUNDLE = Path(__file__).resolve().parents[2] / "connector" / "policy" / PACKAGED
RULES = sorted(path for path in POLICIES.rglob("*.rego") if not path.name.endswith("_test.rego"))

FORBIDDEN = re.compile(
    r"\b(?:io\.jwt|http\.send|crypto\.|time\.|rego\.metadata|opa\.runtime|sprintf|rand\.|uuid\.|net\.|print\()"
    r"|\$\"|\$`|\d\.\d"
)


def test_building_again_gives_the_packaged_rulebook(opa: Path) -> None:
    packaged = BUNDLE.read_bytes()
    built = bundle(source_files(POLICIES), opa)
    assert Rulebook.read(built) == Rulebook.read(packaged), "run python -m connector.policy.build"
    same_compression = gzip.compress(gzip.decompress(packaged), compresslevel=9, mtime=0) == packaged
    assert built == packaged or not same_compression  # another zlib packs the same contents otherwise


def test_building_twice_gives_the_same_bytes(opa: Path) -> None:
    files = source_files(POLICIES)
    assert bundle(files, opa) == bundle(dict(reversed(files.items())), opa)


def test_the_sources_are_the_packaged_ones() -> None:
    """Without OPA too: nobody changes a rule and forgets to build."""
    assert Rulebook.packaged().revision == rulebook_digest(source_files(POLICIES))


def test_the_digest_is_over_rules_and_facts_alone() -> None:
    files = source_files(POLICIES)
    rules = sorted(set(files) - {MANIFEST})
    listed: JSON = [{"path": path, "sha256": hashlib.sha256(files[path]).hexdigest()} for path in rules]
    assert rulebook_digest(files) == hashlib.sha256(encode(listed)).hexdigest()
    more = {**files, "a_test.rego": b"", WASM: b"", MANIFEST: b"", ".signatures.json": b""}
    assert rulebook_digest(more) == rulebook_digest(files)
    for path in rules:
        assert rulebook_digest({**files, path: files[path] + b" "}) != rulebook_digest(files)


def test_the_manifest_names_revision_roots_and_compiler() -> None:
    manifest = json.loads(Rulebook.packaged().files[MANIFEST])
    assert manifest["revision"] == Rulebook.packaged().revision
    assert manifest["roots"] == ["bylag"]
    assert manifest["metadata"]["opa_version"] == OPA_VERSION
    assert manifest["metadata"]["entrypoint"] == ENTRYPOINT


def test_an_unmodified_opa_loads_the_bundle(opa: Path) -> None:
    answer = subprocess.run(
        [
            opa,
            "eval",
            "--bundle",
            BUNDLE,
            "--format",
            "raw",
            "--stdin-input",
            "data.bylag.decision.answer.allow",
        ],
        input=b"{}",
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert answer.stdout.strip() == b"false"


def test_the_tests_beside_the_rules_pass_and_cover_them(opa: Path) -> None:
    done = subprocess.run(
        [opa, "test", "--coverage", "--format=json", POLICIES], capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout.decode()[-2000:]
    report = json.loads(done.stdout)
    missed = {
        path: found["not_covered"] for path, found in report["files"].items() if found.get("not_covered")
    }
    assert not missed


def test_the_rules_are_formatted_and_pass_the_strict_check(opa: Path) -> None:
    assert subprocess.run([opa, "fmt", "--list", "--fail", POLICIES], check=False, timeout=60).returncode == 0
    assert subprocess.run([opa, "check", "--strict", POLICIES], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize("path", RULES, ids=[path.name for path in RULES])
def test_a_rule_keeps_to_what_every_engine_reads_alike(path: Path) -> None:
    """Concepts in a file each, said in its first line; no clock, network, randomness, wording or fraction."""
    source = path.read_text("utf-8")
    assert source.startswith("# ")
    code = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith("#"))
    assert not FORBIDDEN.search(code)
    assert len(source.splitlines()) < 150


def test_the_module_imports_nothing_from_its_host(engine: EmbeddedEngine) -> None:
    assert engine._policy.builtins == {}


def damaged(**changes: bytes | None) -> bytes:
    files = {**Rulebook.packaged().files, **{name.replace("__", "."): data for name, data in changes.items()}}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in files.items():
            if data is not None:
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def linked() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo(DATA)
        entry.type, entry.linkname = tarfile.SYMTYPE, "../secret"
        archive.addfile(entry)
    return packed.getvalue()


DAMAGED = {
    "nothing": b"",
    "no archive": b"not a rulebook",
    "cut off": BUNDLE.read_bytes()[:-100],
    "a gzipped text": gzip.compress(b"not a tar"),
    "too big": gzip.compress(bytes(17 << 20)),
    "a link": linked(),
    "another rule": damaged(decision__rego=b"package bylag.decision\nanswer := {}"),
    "another fact": damaged(data__json=b"{}"),
    "another module": damaged(policy__wasm=b"\0asm"),
    "no module": damaged(policy__wasm=None),
    "no manifest": damaged(__manifest=None),
    "an empty manifest": damaged(__manifest=b"{}"),
    "a manifest that is no object": damaged(__manifest=b"[]"),
}


def test_a_whole_rulebook_is_read() -> None:
    assert Rulebook.read(damaged()).revision == Rulebook.packaged().revision


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_rulebook_is_refused(what: str) -> None:
    with pytest.raises(RulebookDamaged):
        Rulebook.read(DAMAGED[what])
