"""The data space that most end-to-end tests share, and what is published in it."""

from __future__ import annotations

import random
from pathlib import Path

from tests.e2e.space import Space

WINDOW = 8 << 20
WINDOWS = 16


class Town:
    """A municipality that publishes, two companies of which one takes no calls, and a citizen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.space = Space(folder / "space")
        self.strandby = self.space.add("Strandby", "municipality")
        self.voltlinje = self.space.add("Voltlinje")
        self.nordvik = self.space.add("Nordvik", inbound=False)
        self.tester = self.space.add("Tester", inbound=False)
        """A member whose home the tests open themselves, to misbehave on the wire."""
        self.liar = self.space.add("Liar", module=("tests.e2e.rogue",))
        """A member whose process can be made to send other things than it signed for, and whose clock to
        stand elsewhere (``tests.e2e.rogue``)."""
        self.film = folder / "film.bin"
        self.photo = folder / "photo.bin"
        self.table = folder / "table.csv"

    def open(self) -> None:
        """Start the processes, and publish a file of many windows and a small table."""
        write_varied(self.film, WINDOWS * WINDOW)
        write_varied(self.photo, 3 * WINDOW)
        self.table.write_text("number,square\n" + "".join(f"{n},{n * n}\n" for n in range(2_000)))
        self.space.hand_out()
        self.space.start(self.strandby, self.voltlinje, self.nordvik, self.liar)
        self.strandby.publish("film", self.film, raw=True)
        self.strandby.publish("narrow", self.photo, raw=True, windows=2)
        self.strandby.publish("squares", self.table)
        self.liar.publish("photo", self.photo, raw=True)
        self.citizen = self.space.add_guest("Resident 4711", self.strandby)
        self.citizen.start()

    def end(self) -> None:
        """End the processes, and remove what takes much room."""
        self.space.end()
        for large in (self.film, self.photo):
            large.unlink(missing_ok=True)


def write_varied(path: Path, size: int) -> None:
    """A file that nothing can compress, and in which no two pieces are the same."""
    dice = random.Random(size)  # noqa: S311  # the same file in every run
    with path.open("wb") as out:
        for start in range(0, size, 1 << 20):
            out.write(dice.randbytes(min(1 << 20, size - start)))
