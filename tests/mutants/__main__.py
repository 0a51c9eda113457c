"""Takes each control of docs/security.md out of a copy of the tree, and looks whether its row's tests notice.

    python -m tests.mutants [WORDS …]

Without words every row is tried; with them, the rows whose threat holds one. First the tests are run as
they are: a test that fails anyway shows nothing. Exit status 1 when a mutant survived, when the code
without a control did not run at all, or when a text of the table is not in the tree any more.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from tests.mutants.mutant import Mutant
from tests.mutants.rows import ROOT, rows
from tests.mutants.table import MUTANTS

LEFT_BEHIND: Final = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", ".benchmarks", "dist", "build"
)
AT_ONCE: Final = max(1, min(4, (os.cpu_count() or 1)))
LONGEST_SECONDS: Final = 600
PASSED, FAILED = 0, 1
"""What pytest exits with; anything else says that the tests did not run (pytest, "Exit codes")."""


def main(words: Sequence[str]) -> int:
    """Try every mutant, or those whose threat holds one of ``words``."""
    tests = rows()
    chosen = [each for each in MUTANTS if not words or any(word in each.threat for word in words)]
    if not chosen:
        print("no row's threat holds one of these words")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(AT_ONCE):
            copy = Path(folder) / f"copy{number}"
            shutil.copytree(ROOT, copy, ignore=LEFT_BEHIND)
            copies.put(copy)
        needed = sorted({test for each in chosen for test in tests[each.threat]})
        print(
            f"{len(chosen)} mutants; first their {len(needed)} tests with every control in place …",
            flush=True,
        )
        sound = copies.get()
        if _run(sound, needed, shown=True) != PASSED:
            print("not all of these tests pass with every control in place: nothing can be shown")
            return 1
        copies.put(sound)

        def tried(mutant: Mutant) -> tuple[Mutant, str]:
            copy = copies.get()
            try:
                return mutant, _verdict(copy, mutant, tests[mutant.threat])
            finally:
                copies.put(copy)

        survived = 0
        with ThreadPoolExecutor(AT_ONCE) as workers:
            for mutant, verdict in workers.map(tried, chosen):
                survived += verdict != "killed"
                print(f"{verdict:<9} {mutant.threat}  ({mutant.file})", flush=True)
    print(f"{len(chosen) - survived} of {len(chosen)} were killed")
    return 1 if survived else 0


def _verdict(copy: Path, mutant: Mutant, tests: Iterable[str]) -> str:
    """What the row's tests say to the code without the control. Leaves the copy as it was."""
    file = copy / mutant.file
    text = file.read_text("utf-8")
    changed = text
    for control, without in mutant.edits:
        if changed.count(control) != 1:
            return "NOT FOUND"
        changed = changed.replace(control, without)
    rulebook = copy / "connector" / "policy" / "rulebook.tar.gz"
    built = rulebook.read_bytes()
    file.write_text(changed, "utf-8")
    try:
        if mutant.file.startswith("policies/") and _python(copy, "-m", "connector.policy.build") != PASSED:
            return "NOT BUILT"
        return {FAILED: "killed", PASSED: "SURVIVED"}.get(_run(copy, tests), "BROKEN")
    finally:
        file.write_text(text, "utf-8")
        rulebook.write_bytes(built)


def _run(copy: Path, tests: Iterable[str], *, shown: bool = False) -> int:
    pytest = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider")
    return _python(copy, *pytest, *tests, shown=shown)


def _python(copy: Path, *arguments: str, shown: bool = False) -> int:
    """Run Python in a copy; what is imported is the copy's."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=copy,
            env=environment,
            stdout=None if shown else subprocess.DEVNULL,
            stderr=None if shown else subprocess.DEVNULL,
            timeout=LONGEST_SECONDS,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
