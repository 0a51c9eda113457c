"""A disk that is full: nothing is released that cannot be recorded, and nothing received is lost.

A small file system is mounted for a home, which takes a user who may mount.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ledger.errors import BylagError
from tests.e2e.space import Space, compared, reason
from tests.e2e.town import WINDOW, write_varied

MIB = 1 << 20
Mount = Callable[[str, int], Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mounts a file system of a size; the space that uses it must end before it."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    if shutil.which("mount") is None:
        pytest.skip("mount is not installed: apt install mount")
    with ExitStack() as mounted:

        def make(name: str, size: int) -> Path:
            place = tmp_path / name
            place.mkdir(mode=0o700)
            _mount(place, f"size={size},mode=0700")
            mounted.callback(subprocess.run, ["umount", str(place)], check=True, timeout=20)
            return place

        yield make


@pytest.fixture
def small_space(mount: Mount, make_space: Callable[[], Space]) -> Space:
    """Asked for after ``mount``, so that its processes end before their disk goes away."""
    return make_space()


def test_a_provider_that_cannot_record_denies_releases_nothing_and_goes_on_when_there_is_room(
    mount: Mount, small_space: Space
) -> None:
    space = small_space
    place = mount("provider", 64 * MIB)
    provider = space.add("Holmby", "municipality", folder=place / "home")
    consumer = space.add("Open")
    space.hand_out()
    space.start(provider, consumer)
    table = space.folder / "table.csv"
    table.write_text("number\n" + "".join(f"{n}\n" for n in range(500)))
    provider.publish("numbers", table)
    agreement = consumer.agree(provider, "numbers")
    assert consumer.ask("fetch", agreement=agreement)["state"] == "COMPLETED"

    ballast = place / "ballast"
    fill(ballast)
    before = provider.leaves()
    with pytest.raises(BylagError) as denied:
        consumer.ask("fetch", agreement=agreement)
    assert reason(denied.value) == "STORE_UNAVAILABLE"
    assert denied.value.next_step
    assert provider.leaves() == before
    (newest, *_) = [leaf for leaf in reversed(consumer.leaves()) if leaf["type"] == "request"]
    assert set(consumer.types(newest["exchange"])) == {"request"}
    received = consumer.home.inbox / newest["exchange"]
    assert not received.exists()

    ballast.unlink()
    assert consumer.ask("fetch", agreement=agreement)["state"] == "COMPLETED"
    checks = {check["check"]: check["ok"] for check in provider.ask("doctor")["checks"]}
    assert checks["store"]
    assert checks["log"]
    compared(space.verify(provider, consumer))


def test_a_consumer_whose_disk_is_full_says_so_and_goes_on_when_there_is_room(
    mount: Mount, small_space: Space, tmp_path: Path
) -> None:
    space = small_space
    place = mount("consumer", 5 * WINDOW)
    provider = space.add("Holmby", "municipality")
    consumer = space.add("Open", folder=place / "home")
    space.hand_out()
    space.start(provider, consumer)
    film = space.folder / "film.bin"
    write_varied(film, 8 * WINDOW)
    provider.publish("film", film, raw=True)
    agreement = consumer.agree(provider, "film")
    with pytest.raises(BylagError) as full:
        consumer.ask("fetch", agreement=agreement)
    assert reason(full.value) in {"INBOX_FULL", "STORE_UNAVAILABLE"}
    assert "disk" in f"{full.value} {full.value.next_step}"

    _mount(place, f"remount,size={12 * WINDOW}")
    (delivery,) = consumer.ask("deliveries")
    assert 0 < delivery["bytes"] < 8 * WINDOW
    done = consumer.insist("resume", exchange=delivery["exchange"])
    assert (done["state"], done["windows"]) == ("COMPLETED", 8)
    assert consumer.use(delivery["exchange"], tmp_path / "film.bin") == film.read_bytes()
    compared(space.verify(provider, consumer))


def fill(ballast: Path) -> None:
    """Write until not a byte more goes onto the disk."""
    with ballast.open("wb", buffering=0) as out:
        for size in (MIB, 4096, 1):
            try:
                while True:
                    out.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC


def _mount(place: Path, options: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    subprocess.run(command, check=True, capture_output=True, timeout=20)
