"""Writes docs/reference/bad-input.md from the table: ``python -m tests.bad_input.page``."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Final

from tests.bad_input.table import CASES

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "bad-input.md"
HEAD: Final = """# Bad input: what was tried at each edge

Everything from outside is read at the edge, within limits of size and depth. What is wrong gets one
error with a stable code, a sentence that names the place, and what to do next; it loses nothing that
is stored. This page is generated from `tests/bad_input/table.py`, whose test runs every row.
"""


def page() -> str:
    """The page's text."""
    parts = [HEAD]
    for edge, cases in groupby(CASES, key=lambda case: case.edge):
        rows = "".join(f"| {case.what} | `{case.code}` |\n" for case in cases)
        parts.append(f"\n## {edge}\n\n| what came in | answer |\n|---|---|\n{rows}")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
