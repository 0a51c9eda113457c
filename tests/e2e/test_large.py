"""Two gibibytes from one process to another: the same bytes, in memory that does not grow with them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.e2e.space import Participant, compared
from tests.e2e.town import WINDOW, Town

SIZE = 2 << 30
MOST_GROWTH = 300 << 20
"""Windows under way at both ends (W of 8 MiB, each a few times over), and what an allocator keeps."""


@pytest.mark.large
@pytest.mark.timeout(300)
def test_a_file_of_two_gibibytes_arrives_whole_in_constant_memory(town: Town, tmp_path: Path) -> None:
    provider, consumer = town.strandby, town.voltlinje
    archive = tmp_path / "archive.bin"
    digest = write_archive(archive)
    before = {party.name: peak(party, reset=True) for party in (provider, consumer)}
    provider.publish("archive", archive, raw=True)
    archive.unlink()
    agreement = consumer.agree(provider, "archive")
    fetched = consumer.ask("fetch", agreement=agreement)
    assert (fetched["state"], fetched["bytes"], fetched["windows"]) == ("COMPLETED", SIZE, SIZE // WINDOW)
    out = tmp_path / "out.bin"
    consumer.ask("use", delivery=fetched["exchange"], purpose="PublicBenefit", out=str(out))
    with out.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == digest
    out.unlink()
    grown = {party.name: peak(party) - before[party.name] for party in (provider, consumer)}
    print({name: f"{size >> 20} MiB more at the peak" for name, size in grown.items()})
    assert max(grown.values()) < MOST_GROWTH, grown
    compared(town.space.verify(provider, consumer))


def write_archive(path: Path) -> str:
    """A file in which no two windows are the same, made quickly; its SHA-256."""
    block = hashlib.shake_256(b"archive").digest(WINDOW)
    digest = hashlib.sha256()
    with path.open("wb") as out:
        for number in range(SIZE // WINDOW):
            for piece in (number.to_bytes(8, "big"), block[8:]):
                digest.update(piece)
                out.write(piece)
    return digest.hexdigest()


def peak(participant: Participant, *, reset: bool = False) -> int:
    """The process's largest resident size so far, in bytes; ``reset`` begins to measure anew."""
    process = Path("/proc") / str(participant.pid)
    if reset:
        (process / "clear_refs").write_text("5")  # proc(5)
    status = (process / "status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) << 10
