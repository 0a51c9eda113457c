"""The coverage table as a page: ``python -m connector.policy.coverage_page docs/odrl-coverage.md``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from connector.policy.coverage import ROWS, Row, Where

_HEADINGS: Final = {
    Where.PUBLISH: "Enforced when a policy is published",
    Where.DECISION: "Enforced when a request is decided",
    Where.RELEASE: "Enforced when data is released",
    Where.TRACKED_DUTY: "Enforced afterwards, as a tracked duty",
    Where.REFUSED: "Refused when a policy is published",
}

_PREFACE: Final = """# ODRL coverage

Generated from `connector/policy/coverage.py` (`make docs`); a test holds the two together, and
checks that no term of the ODRL 2.2 core vocabulary is missing.

Nothing in a policy is ignored: a term is enforced at one of the places below, or the policy is refused
and the term named. Where a term is compared with a fact, the fact is **measured** by the provider,
**attested** by the membership list, a credential or the agreement that both signed, or **declared** in the
consumer's signed Request; what is declared, the consumer answers for."""


def page() -> str:
    """The table as Markdown, the whole of ``docs/odrl-coverage.md``."""
    lines = [_PREFACE]
    for where in Where:
        rows = [row for row in ROWS if row.where is where]
        lines.append(f"\n## {_HEADINGS[where]}\n")
        if not rows:
            lines.append("None yet.")
            continue
        last = "what to write instead" if where is Where.REFUSED else "fact from"
        lines += [f"| term | vocabulary | how | {last} |", "|---|---|---|---|"]
        lines += [_line(row) for row in rows]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    last = row.instead if row.where is Where.REFUSED else (row.fact.value if row.fact else "")
    return f"| `{row.term}` | {row.vocabulary} | {row.how} | {last or ''} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
