"""The rows of the table of threats, as docs/security.md has them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PAGE: Final = ROOT / "docs" / "security.md"


def rows() -> dict[str, tuple[str, ...]]:
    """Each row's tests, by its threat."""
    _, _, table = PAGE.read_text("utf-8").partition("\n## The table\n")
    found: dict[str, tuple[str, ...]] = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 4 and "::" in cells[3]:
            found[cells[0]] = tuple(re.findall(r"`([^`]+)`", cells[3]))
    return found
