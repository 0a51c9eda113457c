"""The table of mutants fits the table of threats, and the code."""

from __future__ import annotations

import pytest

from tests.mutants.mutant import Mutant
from tests.mutants.rows import PAGE, ROOT, rows
from tests.mutants.table import MUTANTS, NOTHING_TO_TAKE_OUT


def test_every_row_of_the_table_of_threats_has_a_mutant() -> None:
    assert {each.threat for each in MUTANTS} == set(rows()) - NOTHING_TO_TAKE_OUT


def test_a_row_without_a_mutant_says_why() -> None:
    lines = PAGE.read_text("utf-8").splitlines()
    said = {line.split(" | ")[0].removeprefix("| ") for line in lines if "(nothing to take out)" in line}
    assert said == NOTHING_TO_TAKE_OUT


@pytest.mark.parametrize("mutant", MUTANTS, ids=[f"{each.file}: {each.threat}" for each in MUTANTS])
def test_a_control_is_where_its_mutant_takes_it_out(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text("utf-8")
    for control, without in mutant.edits:
        assert text.count(control) == 1, control
        assert control != without
        text = text.replace(control, without)
    if mutant.file.endswith(".py"):
        compile(text, mutant.file, "exec")
