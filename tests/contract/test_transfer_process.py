"""A transfer process moves as the Dataspace Protocol says, and in no other way."""

from __future__ import annotations

from itertools import product

import pytest

from connector.contract.errors import IllegalMove
from connector.contract.liability import Role
from connector.contract.transfer import TRANSITIONS, TransferState, TransferStep, next_state

DIAGRAM = """
    NEW       C  REQUEST   REQUESTED
    REQUESTED P  START     STARTED
    REQUESTED CP TERMINATE TERMINATED
    STARTED   CP COMPLETE  COMPLETED
    STARTED   CP SUSPEND   SUSPENDED
    STARTED   CP TERMINATE TERMINATED
    SUSPENDED CP START     STARTED
    SUSPENDED CP TERMINATE TERMINATED
"""
"""The standard's diagram, written down apart from the code."""

ALLOWED = {
    (before, sender, step): after
    for before, senders, step, after in (line.split() for line in DIAGRAM.strip().splitlines())
    for sender in senders
}


def test_the_table_is_the_diagram() -> None:
    written = {
        (state.value if state else "NEW", role.value[0].upper(), step.name): after.value
        for (state, role, step), after in TRANSITIONS.items()
    }
    assert written == ALLOWED


@pytest.mark.parametrize(("state", "role", "step"), list(product([None, *TransferState], Role, TransferStep)))
def test_every_move_is_in_the_table_or_refused(
    state: TransferState | None, role: Role, step: TransferStep
) -> None:
    expected = ALLOWED.get((state.value if state else "NEW", role.value[0].upper(), step.name))
    if expected is None:
        with pytest.raises(IllegalMove):
            next_state(state, role, step)
    else:
        assert next_state(state, role, step).value == expected


def test_nothing_follows_the_end() -> None:
    assert {state for state in TransferState if state.is_final} == {
        state for state in TransferState if state not in {before for before, _, _ in TRANSITIONS}
    }
