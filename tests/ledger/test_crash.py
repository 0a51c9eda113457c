"""Crashes between any two steps: what was acknowledged is there, what was signed can be proved.

``PowerLoss`` counts every sync, rename and commit, stops the process's work at one of them, and then
takes away from the disk what was never synced: a file whose content was not, a name whose folder was
not. Planted bugs show that the harness would notice.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger import log, tree
from ledger.canonical import decode_object
from ledger.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint, sign_checkpoint
from ledger.fsck import check_all
from ledger.names import LeafHash, Origin
from ledger.publish import LogMismatch, Publisher
from ledger.tiles import TileReader
from ledger.tilestore import DiskStore, TileBuilder
from tests.ledger.home import Home

REPOSITORY = Path(__file__).resolve().parents[2]


class Crash(BaseException):
    """Everything stops here. No handler of ours catches it."""


class PowerLoss:
    """Stops at the n-th step that reaches the disk, and forgets what was not synced."""

    def __init__(self, folder: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder.resolve()
        self.left = at
        self._whole: set[Path] = set()  # files whose content is durable, by their present name
        self._named: set[Path] = {self.folder}  # names that are durable
        self._patch(monkeypatch)

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crash

    def _patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real_sync, real_replace = os.fsync, Path.replace

        def fsync(descriptor: int) -> None:
            self.step()
            real_sync(descriptor)
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            if path.is_dir():
                self._named.update(path.iterdir())
            else:
                self._whole.add(path)

        def replace(source: Path, target: Path) -> Path:
            self.step()
            done = real_replace(source, target)
            self._whole.discard(target.resolve())
            if source.resolve() in self._whole:
                self._whole.remove(source.resolve())
                self._whole.add(target.resolve())
            self._named.discard(target.resolve())
            return done

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(Path, "replace", replace)

    def strike(self) -> None:
        """The power is gone: remove what the disk never had."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and not self._survives(path):
                path.unlink()

    def _survives(self, path: Path) -> bool:
        names = [path, *path.parents[: len(path.relative_to(self.folder).parts)]]
        return path in self._whole and all(name in self._named for name in names)


def run_until_crash(
    folder: Path, at: int, home_class: type[Home], monkeypatch: pytest.MonkeyPatch
) -> tuple[bool, list[LeafHash], list[bytes]]:
    """Append and publish until the crash; (did it crash, acknowledged leaves, stored notes)."""
    home = home_class(folder)
    leaves = [entry.hash for entry in log.entries(home.connection)]
    notes: list[bytes] = []
    with monkeypatch.context() as patched:
        disk = PowerLoss(folder / "log", at, patched)
        real_save = home.save

        def save(signed: SignedCheckpoint) -> None:
            disk.step()
            real_save(signed)
            notes.append(bytes(signed.note))
            disk.step()

        home.publisher._save = save
        crashed = False
        try:
            for count in (2, 253):
                leaves += [each.hash for each in home.append(count)]
                home.publisher.publish(seal=True)
        except Crash:
            crashed = True
            disk.strike()
        finally:
            home.close()
    return crashed, leaves, notes


def violations(folder: Path, leaves: list[LeafHash], notes: list[bytes]) -> list[str]:
    """Open the home again, as after a reboot; everything that should hold and does not."""
    try:
        home = Home(folder)
    except LogMismatch as error:
        return [f"does not start: {error}"]
    found = []
    if [entry.hash for entry in log.entries(home.connection)][: len(leaves)] != leaves:
        found.append("an acknowledged leaf is lost")
    home.append(5)
    home.publisher.publish(seal=True)
    newest = home.publisher.reader()
    assert home.publisher.last is not None
    after = home.publisher.last.checkpoint
    for note in notes:
        before = open_checkpoint(note, home.signer.key).checkpoint
        try:
            reader = TileReader(home.store.read, before.size, before.root)
            list(reader.entries(max(0, before.size - 600)))
            proof = tree.consistency_proof(before.size, after.size, newest.hashes)
            tree.check_consistency(before.size, after.size, proof, before.root, after.root)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong here is a violation
            found.append(f"checkpoint {before.size}: {error}")
    found += [
        f"{each.where}: {each.what}" for each in check_all(home.connection, home.store, home.signer.key)
    ]
    home.close()
    return found


def every_crash(
    tmp_path: Path, home_class: type[Home], monkeypatch: pytest.MonkeyPatch, stride: int
) -> list[str]:
    """Crash at every (stride-th) step, once each; all violations."""
    found: list[str] = []
    at = 1
    while True:
        folder = tmp_path / f"{home_class.__name__}-{at}"
        crashed, leaves, notes = run_until_crash(folder, at, home_class, monkeypatch)
        found += [f"step {at}: {each}" for each in violations(folder, leaves, notes)]
        if not crashed or (found and home_class is not Home):
            return found
        at += stride


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to name an open file")


@needs_proc
def test_no_crash_at_any_step_loses_or_shows_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert every_crash(tmp_path, Home, monkeypatch, stride=1) == []


class SignsBeforeTheTilesAreDurable(Publisher):
    """Planted bug: the note is stored first, the tiles follow."""

    def publish(self, *, seal: bool = False) -> SignedCheckpoint | None:
        size = log.size(self._connection)
        if size == self._builder.size:
            return None
        # A look ahead, in memory only.
        old = self._builder
        ahead = TileBuilder(old.edge(), old.size, old.bundle())
        for entry in log.entries(self._connection, old.size, size):
            ahead.add(entry.bytes)
        checkpoint = Checkpoint(Origin(self._signer.key.name), size, ahead.root())
        self._save(sign_checkpoint(checkpoint, self._signer))
        return super().publish(seal=seal)


class NoNamesSynced(DiskStore):
    """Planted bug: files are synced, folders are not."""

    def sync(self) -> None:
        self._unsynced.clear()


class NoFilesSynced(DiskStore):
    """Planted bug: folders are synced, files are not."""

    def _fsync(self, descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            super()._fsync(descriptor)


@needs_proc
@pytest.mark.parametrize(
    ("publisher", "store"),
    [(SignsBeforeTheTilesAreDurable, DiskStore), (Publisher, NoNamesSynced), (Publisher, NoFilesSynced)],
    ids=lambda planted: planted.__name__,
)
def test_the_harness_finds_planted_bugs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publisher: type[Publisher], store: type[DiskStore]
) -> None:
    planted = type("Planted", (Home,), {"publisher_class": publisher, "store_class": store})
    assert every_crash(tmp_path, planted, monkeypatch, stride=1) != []


WORKER = """
import base64, itertools, sys
from pathlib import Path
from ledger.ambient import SystemAmbient
from tests.ledger.home import Home

home = Home(Path(sys.argv[1]), ambient=SystemAmbient())
say = lambda *words: print(*words, flush=True)
real_save = home.save
def save(signed):
    real_save(signed)
    say("note", base64.b64encode(bytes(signed.note)).decode())
home.publisher._save = save
say("ready")
for _ in itertools.islice(itertools.count(), int(sys.argv[2]) if len(sys.argv) > 2 else None):
    for leaf in home.append(7):
        say("leaf", leaf.index, leaf.hash.hex())
    home.publisher.publish(seal=True)
"""


def kill_at(folder: Path, lines: int) -> list[list[str]]:
    """Run the worker, kill it after so many lines, and give what it had acknowledged."""
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        told = []
        for line in worker.stdout:
            told.append(line.split())
            if len(told) == lines:
                worker.send_signal(signal.SIGKILL)
        return [words for words in told if words[0] != "ready" and len(words) > 1]


def check_killed(folder: Path, rounds: int, lines: Callable[[int], int]) -> None:
    leaves: dict[int, str] = {}
    notes: list[bytes] = []
    for number in range(rounds):
        told = kill_at(folder, lines(number))
        new = {int(words[1]): words[2] for words in told if words[0] == "leaf" and len(words[-1]) == 64}
        assert not new.keys() & leaves.keys(), "an index was used twice"
        leaves.update(new)
        notes += [base64.b64decode(words[1]) for words in told if words[0] == "note" and words[1][-1] == "="]
        home = Home(folder)
        for index, leaf_hash in new.items():
            assert log.entry(home.connection, index).hash.hex() == leaf_hash, "an acknowledged leaf is lost"
        home.close()
    home = Home(folder)
    stored = {entry.index: entry.hash.hex() for entry in log.entries(home.connection)}
    home.close()
    assert leaves.items() <= stored.items(), "an acknowledged leaf is lost"
    assert violations(folder, [], notes) == []
    assert len(leaves) > rounds
    assert notes


def test_a_writer_that_is_killed_under_load_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    check_killed(tmp_path / "home", 2, lambda number: 60 + 150 * number)


@pytest.mark.torture
@pytest.mark.timeout(1800)
def test_a_writer_that_is_killed_a_thousand_times_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    check_killed(tmp_path / "home", 1000, lambda number: 2 + (number * 31) % 60)


SYSCALLS = ("fsync", "fdatasync", "pwrite64", "write", "rename", "mkdir", "ftruncate", "unlink")
FAULTS = ("signal=KILL", "error=EIO", "error=ENOSPC")


@pytest.mark.torture
@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("syscall", SYSCALLS)
def test_a_fault_at_each_system_call_loses_nothing_acknowledged(
    tmp_path: Path, syscall: str, fault: str
) -> None:
    """Exactly the n-th call of one kind fails, for every n of a short run."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("no strace on PATH; install it by: apt-get install strace")
    trace = tmp_path / "trace"
    _traced(strace, tmp_path / "whole", "-o", str(trace), "-e", f"trace={syscall}")
    calls = sum(f"{syscall}(" in line for line in trace.read_text().splitlines())
    assert calls, "the run never makes this call"
    failed = 0
    for number in range(1, calls + 1):
        folder = tmp_path / str(number)
        inject = f"inject={syscall}:{fault}:when={number}"
        done = _traced(strace, folder, "-o", "/dev/null", "-e", f"trace={syscall}", "-e", inject)
        failed += done.returncode != 0
        told = [line.split() for line in done.stdout.splitlines()]
        leaves = {int(words[1]): words[2] for words in told if words[0] == "leaf" and len(words) == 3}
        home = Home(folder)
        stored = {entry.index: entry.hash.hex() for entry in log.entries(home.connection)}
        assert leaves.items() <= stored.items(), f"call {number}: an acknowledged leaf is lost"
        home.close()
        notes = [base64.b64decode(words[1]) for words in told if words[0] == "note" and len(words) == 2]
        assert violations(folder, [], notes) == [], f"call {number}"
    assert failed, "no fault ever reached the worker"


def _traced(strace: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    Home(folder).close()  # start-up is not what is tested here
    command = [strace, "-f", "-qq", *options, sys.executable, "-c", WORKER, str(folder), "2"]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60)


def test_a_worker_speaks_the_json_of_the_leaf(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    entry = log.entry(home.connection, home.append()[0].index).bytes
    assert decode_object(entry)["by"] == home.by
