"""Where custody stands follows from what was signed, and silence proves nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.contract.custody import (
    Acknowledged,
    Committed,
    Custody,
    CutOff,
    Discarded,
    Disputed,
    Fact,
    Holder,
    Received,
    Rejected,
    Span,
    custody,
)
from connector.contract.errors import ContradictoryFacts
from connector.contract.liability import STEPS, Role, step_of
from ledger.names import Milliseconds
from tests.contract.world import NOW, C, P

T = 60
SENT = Milliseconds(NOW)
SOON = Milliseconds(NOW + T * 1000)
LATE = Milliseconds(NOW + T * 1000 + 1)


def commit(window: int, frames: int = 8, attempt: int = 1) -> Committed:
    return Committed(attempt, window, frames, SENT)


def at(now: Milliseconds, *facts: Fact) -> Custody:
    return custody(facts, now=now, acknowledge_seconds=T)


def holders(found: Custody) -> list[tuple[int, int, int, str, str]]:
    return [(span.window, span.first, span.last, span.holder.value, span.reason) for span in found.spans]


def test_before_the_first_window_nobody_has_anything() -> None:
    found = at(NOW)
    assert (found.spans, found.line, found.possible_holder) == ((), None, ())
    assert found.determined


def test_an_acknowledged_window_is_the_consumers() -> None:
    found = at(LATE, commit(1), Acknowledged(1, 1, 8))
    assert holders(found) == [(1, 1, 8, "consumer", "ACKNOWLEDGED")]
    assert found.line == (1, 1, 8)
    assert found.answers(1, 1, 8) is C


def test_an_ack_reaches_back_over_the_windows_before_it() -> None:
    found = at(LATE, commit(1), commit(2), commit(3), Acknowledged(1, 2, 3))
    assert holders(found) == [
        (1, 1, 8, "consumer", "ACKNOWLEDGED"),
        (2, 1, 3, "consumer", "ACKNOWLEDGED"),
        (2, 4, 8, "undetermined", "SILENCE"),
        (3, 1, 8, "undetermined", "SILENCE"),
    ]
    assert holders(at(LATE, commit(1), commit(2), Acknowledged(1, 2, 0)))[0][3] == "consumer"


def test_a_window_on_its_way_is_with_the_provider_until_t_has_passed() -> None:
    facts = (commit(1), Acknowledged(1, 1, 8), commit(2))
    assert holders(at(SOON, *facts))[1] == (2, 1, 8, "pending", "SENT")
    assert at(SOON, *facts).answers(1, 2, 1) is P
    found = at(LATE, *facts)
    assert holders(found)[1] == (2, 1, 8, "undetermined", "SILENCE")
    assert found.answers(1, 2, 1) is None
    assert not found.determined
    assert found.line == (1, 1, 8)


def test_a_dispute_unsettles_at_once_and_an_ack_settles_it() -> None:
    disputed = (commit(1), Disputed(1, 1))
    assert holders(at(SOON, *disputed)) == [(1, 1, 8, "undetermined", "DISPUTED")]
    assert holders(at(LATE, *disputed, Acknowledged(1, 1, 8))) == [(1, 1, 8, "consumer", "ACKNOWLEDGED")]


def test_a_dispute_undoes_no_signed_acknowledgement() -> None:
    found = at(LATE, commit(1), Acknowledged(1, 1, 3), Disputed(1, 1))
    assert holders(found) == [(1, 1, 3, "consumer", "ACKNOWLEDGED"), (1, 4, 8, "undetermined", "DISPUTED")]


def test_a_rejected_window_stays_with_the_provider_and_still_may_be_held() -> None:
    found = at(LATE, commit(1), Rejected(1, 1, 3))
    assert holders(found) == [(1, 1, 8, "provider", "REJECTED")]
    assert found.possible_holder == ((1, 1),)


def test_a_cut_splits_a_window_and_voids_what_came_after() -> None:
    facts = (commit(1), commit(2), CutOff(1, 1, 5))
    assert holders(at(SOON, *facts)) == [
        (1, 1, 5, "pending", "SENT"),
        (1, 6, 8, "provider", "CUT"),
        (2, 1, 8, "provider", "CUT"),
    ]
    assert holders(at(LATE, *facts, Acknowledged(1, 1, 5))) == [
        (1, 1, 5, "consumer", "ACKNOWLEDGED"),
        (1, 6, 8, "provider", "CUT"),
        (2, 1, 8, "provider", "CUT"),
    ]


def test_a_cut_may_cross_a_reject() -> None:
    found = at(LATE, commit(1), Rejected(1, 1, 3), CutOff(1, 1, 8))
    assert holders(found) == [(1, 1, 8, "provider", "REJECTED")]


def test_an_ack_of_a_cut_may_name_an_earlier_frame_than_the_cut() -> None:
    found = at(LATE, commit(1), CutOff(1, 1, 5), Acknowledged(1, 1, 2))
    assert holders(found) == [
        (1, 1, 2, "consumer", "ACKNOWLEDGED"),
        (1, 3, 5, "undetermined", "SILENCE"),
        (1, 6, 8, "provider", "CUT"),
    ]


def test_a_resume_declares_what_was_not_acknowledged_discarded() -> None:
    found = at(
        LATE, commit(1), Acknowledged(1, 1, 2), Discarded(2), commit(2, attempt=2), Acknowledged(2, 2, 8)
    )
    assert holders(found) == [
        (1, 1, 2, "consumer", "ACKNOWLEDGED"),
        (1, 3, 8, "provider", "DISCARDED"),
        (2, 1, 8, "consumer", "ACKNOWLEDGED"),
    ]
    assert found.possible_holder == ((1, 1), (2, 2))


def test_a_receipt_is_remembered_and_moves_no_custody() -> None:
    facts = (commit(1), Acknowledged(1, 1, 8))
    assert not at(LATE, *facts).receipted
    found = at(LATE, *facts, Received())
    assert found.receipted
    assert found.spans == at(LATE, *facts).spans


@pytest.mark.parametrize(
    "facts",
    [
        (commit(1), commit(1)),
        (Acknowledged(1, 1, 1),),
        (Disputed(1, 1),),
        (Rejected(1, 1, 1),),
        (commit(1), Acknowledged(1, 1, 9)),
        (commit(1), Acknowledged(1, 1, 5), Acknowledged(1, 1, 4)),
        (commit(1), Acknowledged(1, 1, 5), Rejected(1, 1, 5)),
        (commit(1), Acknowledged(1, 1, 5), CutOff(1, 1, 4)),
        (commit(1), CutOff(1, 1, 9)),
        (commit(1), CutOff(1, 1, 3), Acknowledged(1, 1, 4)),
        (commit(1), CutOff(1, 1, 3), commit(2)),
        (commit(1), CutOff(1, 1, 3), CutOff(1, 1, 3)),
        (commit(1), Rejected(1, 1, 3), Acknowledged(1, 1, 8)),
        (commit(1), commit(2), Rejected(1, 1, 3), Acknowledged(1, 2, 8)),
    ],
)
def test_facts_that_cannot_all_be_true_are_named(facts: tuple[Fact, ...]) -> None:
    with pytest.raises(ContradictoryFacts):
        at(LATE, *facts)


FACTS = st.one_of(
    st.builds(Committed, st.integers(1, 2), st.integers(1, 3), st.integers(1, 4), st.just(SENT)),
    st.builds(Acknowledged, st.integers(1, 2), st.integers(1, 3), st.integers(0, 4)),
    st.builds(Rejected, st.integers(1, 2), st.integers(1, 3), st.integers(1, 4)),
    st.builds(CutOff, st.integers(1, 2), st.integers(1, 3), st.integers(0, 4)),
    st.builds(Disputed, st.integers(1, 2), st.integers(1, 3)),
    st.builds(Discarded, st.just(2)),
    st.builds(Received),
)


@given(st.lists(FACTS, max_size=12), st.sampled_from([SOON, LATE]))
def test_every_frame_has_one_holder_and_the_consumer_only_what_it_acknowledged(
    facts: list[Fact], now: Milliseconds
) -> None:
    taken: list[Fact] = []
    for fact in facts:
        try:
            custody([*taken, fact], now=now, acknowledge_seconds=T)
        except ContradictoryFacts:
            continue
        taken.append(fact)
    found = custody(taken, now=now, acknowledge_seconds=T)
    for commitment in (fact for fact in taken if isinstance(fact, Committed)):
        spans = [
            span
            for span in found.spans
            if (span.attempt, span.window) == (commitment.attempt, commitment.window)
        ]
        covered = [frame for span in spans for frame in range(span.first, span.last + 1)]
        assert covered == list(range(1, commitment.frames + 1))
        acknowledged = _acknowledged(taken, commitment)
        held = sum(_length(span) for span in spans if span.holder is Holder.CONSUMER)
        assert held == acknowledged


def _acknowledged(taken: list[Fact], commitment: Committed) -> int:
    """The frames of a window that Acks cover, counted in another way than the code does."""
    covered = 0
    before = taken.index(commitment)
    for fact in taken[before:]:
        if isinstance(fact, Acknowledged) and fact.attempt == commitment.attempt:
            if fact.window == commitment.window:
                covered = max(covered, fact.frame)
            elif fact.window > commitment.window:
                covered = commitment.frames
    return covered


def _length(span: Span) -> int:
    return span.last - span.first + 1


def test_the_steps_of_an_exchange_stand_in_order_and_name_every_message() -> None:
    assert [step.number for step in STEPS] == list(range(1, 8))
    assert [message for step in STEPS for message in step.messages] == [
        "request", "offer", "denial", "accept", "commit", "ack", "reject", "end", "receipt", "seal",
    ]  # fmt: skip
    ack = step_of("ack")
    assert ack is not None and ack.answers == (Role.CONSUMER,) and ack.durable_before == (Role.CONSUMER,)
    assert step_of("cut") is None
