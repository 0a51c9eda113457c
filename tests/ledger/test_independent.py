"""Verifiers that nobody here wrote read what we export, and agree; a forgery they refuse.

Each is skipped, with how to install it, where it is missing. They are young: no single one is the judge.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ledger import log
from ledger.folder import ExportFolder
from ledger.note import parse, parse_verifier_key
from ledger.proof import parse_proof, verify
from ledger.tiles import ENTRIES, Tile, TileReader, decode_bundle, encode_bundle
from ledger.tree import inclusion_proof, leaf_hash
from ledger.trust import trusting
from ledger.verify import verify_folder
from tests.ledger.story import Story

GO_SOURCE = Path(__file__).parent / "go"
TLOG_SCALES = "tlog-scales==0.0.3"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """a log of 1,314 leaves: full tiles on two levels, partial ones on both."""
    story = Story(tmp_path_factory.mktemp("story"))
    story.exchange("e1")
    story.export(story.provider, "early")
    story.provider.append(1300)
    story.exchange("e2")
    story.export(story.provider, "late")
    return story


@pytest.fixture(scope="module")
def go_verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few lines of Go over golang.org/x/mod/sumdb/{note,tlog}."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("no go on PATH; install Go 1.24 or later to run its verifiers")
    binary = tmp_path_factory.mktemp("go") / "verify"
    built = subprocess.run(
        [go, "build", "-o", str(binary), "."],
        cwd=GO_SOURCE,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    if built.returncode != 0 and "golang.org/x/mod" in built.stderr and "verifying" not in built.stderr:
        pytest.skip(f"go cannot fetch golang.org/x/mod; run `go mod download` in {GO_SOURCE.name}/ once")
    assert built.returncode == 0, built.stderr
    return binary


@pytest.fixture(scope="module")
def tlog_tiles() -> str:
    found = os.environ.get("BYLAG_TLOG_TILES") or shutil.which("tlog-tiles")
    if found is None:
        pytest.skip(
            f"no tlog-tiles on PATH or in BYLAG_TLOG_TILES; install it by: pipx install {TLOG_SCALES}"
        )
    return found


def run(*command: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([str(each) for each in command], capture_output=True, check=False, timeout=60)


@pytest.fixture
def forged(story: Story, tmp_path: Path) -> Path:
    """An entry changed, and the level-0 tile made to agree with it."""
    copy = Path(shutil.copytree(story.folder / "late", tmp_path / "forged"))
    path = copy / Tile(ENTRIES, 2).path
    entries = decode_bundle(path.read_bytes(), 256)
    entries[7] = entries[7].replace(b"access", b"expiry")
    path.write_bytes(encode_bundle(entries))
    (copy / Tile(0, 2).path).write_bytes(b"".join(leaf_hash(entry) for entry in entries))
    assert not verify_folder(ExportFolder(copy))[0].verified
    return copy


def test_go_recomputes_the_root_and_checks_every_proof(story: Story, go_verifier: Path) -> None:
    done = run(go_verifier, story.folder / "late", story.folder / "early" / "checkpoint")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"verified 1314 entries\n"


def test_go_refuses_a_forged_entry_with_a_matching_tile(forged: Path, go_verifier: Path) -> None:
    done = run(go_verifier, forged)
    assert done.returncode != 0
    assert b"the entries hash to" in done.stderr


def test_go_refuses_another_key(story: Story, go_verifier: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(story.folder / "early", tmp_path / "copy"))
    (copy / "log.vkey").write_text(f"{story.consumer.signer.key}\n")
    assert run(go_verifier, copy).returncode != 0


@pytest.mark.parametrize("index", [0, 255, 256, 1279, 1280, 1313])
def test_tlog_scales_reads_and_checks_our_leaves(story: Story, tlog_tiles: str, index: int) -> None:
    done = run(tlog_tiles, "get-leaf", "-c", story.folder / "late", index)
    assert done.returncode == 0, done.stderr
    assert done.stdout == log.entry(story.provider.connection, index).bytes


def test_a_proof_that_tlog_scales_makes_is_the_one_that_we_make(story: Story, tlog_tiles: str) -> None:
    folder = ExportFolder(story.folder / "late")
    note = parse(folder.checkpoint())
    done = run(tlog_tiles, "gen-proof", folder.path, 700)
    # It prints the checkpoint without its signatures: put the note that the folder has in that place.
    head = done.stdout.partition(b"\n\n")[0]
    proof = parse_proof(head + b"\n\n" + bytes(note))
    key = parse_verifier_key((folder.path / "log.vkey").read_text().strip())
    checkpoint = verify(proof, log.entry(story.provider.connection, 700).bytes, trusting(key)).checkpoint
    reader = TileReader(folder.fetch, checkpoint.size, checkpoint.root)
    assert list(proof.hashes) == inclusion_proof(700, checkpoint.size, reader.hashes)


def test_tlog_scales_refuses_the_forged_entry(forged: Path, tlog_tiles: str) -> None:
    assert run(tlog_tiles, "get-leaf", "-c", forged, 2 * 256 + 7).returncode != 0
