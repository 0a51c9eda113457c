"""What the language does differently in the oldest Python that counts, and is therefore not used."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ledger.errors import BylagError, alone

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    path
    for room in ("connector", "ledger")
    for path in (ROOT / room).rglob("*.py")
    if path.parent.name != "v1"
)


class Ours(BylagError):
    code = "OURS"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_raises_out_of_except_star(path: Path) -> None:
    """Before Python 3.11.4 (gh-103590) a group wraps what is raised there, which no caller knows."""
    stars = [node.lineno for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.TryStar)]
    assert stars == []


def test_a_group_of_our_errors_is_the_first_of_them() -> None:
    first, second = Ours("first"), Ours("second")
    group = BaseExceptionGroup("tasks", [ExceptionGroup("inner", [first]), second])
    assert alone(group) is first


def test_a_group_with_anything_else_in_it_stays_a_group() -> None:
    group = BaseExceptionGroup("tasks", [Ours("ours"), KeyError("theirs")])
    assert alone(group) is group
