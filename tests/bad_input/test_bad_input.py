"""Each wrong input gets one clear error: its code, a sentence, and what to do next."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import BylagError
from tests.bad_input.page import PAGE, page
from tests.bad_input.table import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.edge}: {case.what}")
def test_wrong_input_gets_its_one_error(case: Case, tmp_path: Path) -> None:
    with pytest.raises(BylagError) as refused:
        case.run(tmp_path)
    assert refused.value.code == case.code
    assert len(refused.value.next_step) > 10
    assert "Traceback" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_the_page_is_what_the_table_gives() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.bad_input.page"
