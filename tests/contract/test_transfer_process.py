"""A transfer process moves as the Dataspace Protocol says, and in no other way."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.contract.errors import IllegalMove, NotThisNegotiation
from connector.contract.liability import Role
from connector.contract.transfer import (
    MOVES_OF,
    TRANSITIONS,
    Move,
    Transfer,
    TransferState,
    TransferStep,
    advance_transfer,
)
from ledger.names import AgreementId, MessageHash
from tests.contract.world import C, P

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
WAYS: dict[TransferState | None, tuple[tuple[Role, TransferStep], ...]] = {
    None: (),
    TransferState.REQUESTED: ((C, TransferStep.REQUEST),),
    TransferState.STARTED: ((C, TransferStep.REQUEST), (P, TransferStep.START)),
    TransferState.SUSPENDED: (
        (C, TransferStep.REQUEST),
        (P, TransferStep.START),
        (P, TransferStep.SUSPEND),
    ),
    TransferState.COMPLETED: (
        (C, TransferStep.REQUEST),
        (P, TransferStep.START),
        (C, TransferStep.COMPLETE),
    ),
    TransferState.TERMINATED: ((C, TransferStep.REQUEST), (P, TransferStep.TERMINATE)),
}


def move(step: TransferStep, number: int = 0) -> Move:
    return Move(step, MessageHash(f"{number:064x}"), "exchange-1", None, AgreementId("agreement-1"))


def played(*moves: tuple[Role, TransferStep]) -> Transfer | None:
    transfer: Transfer | None = None
    for number, (role, step) in enumerate(moves):
        transfer = advance_transfer(transfer, role, move(step, number))
    return transfer


def test_the_table_is_the_diagram() -> None:
    written = {
        (state.value if state else "NEW", role.value[0].upper(), step.name): after.value
        for (state, role, step), after in TRANSITIONS.items()
    }
    assert written == ALLOWED


@pytest.mark.parametrize(("state", "role", "step"), list(product(WAYS, Role, TransferStep)))
def test_every_move_is_in_the_table_or_refused(
    state: TransferState | None, role: Role, step: TransferStep
) -> None:
    before = played(*WAYS[state])
    assert (before.state if before else None) is state
    expected = TRANSITIONS.get((state, role, step))
    if expected is None:
        with pytest.raises(IllegalMove):
            advance_transfer(before, role, move(step, 99))
    else:
        assert advance_transfer(before, role, move(step, 99)).state is expected


def test_the_same_message_again_changes_nothing() -> None:
    transfer = played(*WAYS[TransferState.COMPLETED])
    assert transfer is not None
    for number, (role, step) in enumerate(WAYS[TransferState.COMPLETED]):
        assert advance_transfer(transfer, role, move(step, number)) is transfer


def test_another_request_under_the_same_id_is_refused() -> None:
    with pytest.raises(IllegalMove):
        advance_transfer(played(*WAYS[TransferState.REQUESTED]), C, move(TransferStep.REQUEST, 7))


def test_a_move_of_another_process_is_refused() -> None:
    started = played(*WAYS[TransferState.STARTED])
    assert started is not None
    known = replace(started, provider_pid="p-1")
    suspend = move(TransferStep.SUSPEND, 9)
    for wrong in (
        replace(suspend, consumer_pid="exchange-2"),
        replace(suspend, agreement=AgreementId("agreement-2")),
        replace(suspend, provider_pid="p-2"),
    ):
        with pytest.raises(NotThisNegotiation):
            advance_transfer(known, P, wrong)


def test_a_suspension_says_why_and_a_start_ends_the_reason() -> None:
    started = played(*WAYS[TransferState.STARTED])
    suspended = advance_transfer(started, P, replace(move(TransferStep.SUSPEND, 9), code="WITHDRAWAL"))
    assert suspended.code == "WITHDRAWAL"
    assert advance_transfer(suspended, P, move(TransferStep.START, 10)).code is None


def test_the_providers_id_is_learnt_once() -> None:
    requested = played(*WAYS[TransferState.REQUESTED])
    started = advance_transfer(requested, P, replace(move(TransferStep.START, 9), provider_pid="p-1"))
    assert started.provider_pid == "p-1"
    assert advance_transfer(started, C, move(TransferStep.COMPLETE, 10)).provider_pid == "p-1"


def test_an_exchange_with_a_cut_and_a_resume_is_a_transfer_process() -> None:
    transfer: Transfer | None = None
    states = []
    for number, (role, message) in enumerate(
        [(C, "request"), (P, "offer"), (P, "cut"), (P, "offer"), (C, "receipt")]
    ):
        transfer = advance_transfer(transfer, role, move(MOVES_OF[message], number))
        states.append(transfer.state.value)
    assert states == ["REQUESTED", "STARTED", "SUSPENDED", "STARTED", "COMPLETED"]


@given(
    st.lists(st.tuples(st.sampled_from(Role), st.sampled_from(TransferStep), st.integers(0, 12)), max_size=40)
)
def test_no_sequence_leaves_the_diagram(moves: list[tuple[Role, TransferStep, int]]) -> None:
    transfer: Transfer | None = None
    for role, step, number in moves:
        before = transfer
        try:
            transfer = advance_transfer(before, role, move(step, number))
        except IllegalMove:
            continue
        if transfer is not before:
            here = before.state.value if before else "NEW"
            assert transfer.state.value == ALLOWED[here, role.value[0].upper(), step.name]
            assert before is None or not before.state.is_final
