"""Words and names travel beside a signed message: what is inside opens them and says nothing of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.contract.messages import ContractTermination, Step, compose
from connector.contract.opening import NONE_BESIDE, PLACES, BadWords, commit_beside, read_beside
from connector.contract.states import next_envelope
from ledger.ambient import HeldAmbient
from ledger.canonical import JSONObject
from ledger.commitment import BadOpening, fresh
from tests.contract.world import KEYS, PIDS, C, P, World

SAID = {"words": "Vi behöver inte längre uppgifterna.\nTack.", "actor": "A. Person", "mandate": "§ 12"}


def test_what_is_said_is_read_back_by_the_other_side() -> None:
    commitments, opening = commit_beside(HeldAmbient(), SAID)
    assert read_beside(commitments, opening) == SAID


def test_nothing_said_stands_in_the_signed_bytes() -> None:
    world = World()
    world.play((C, Step.REQUEST))
    assert world.negotiation is not None
    commitments, opening = commit_beside(HeldAmbient(), SAID)
    envelope = next_envelope(world.negotiation, C, world.stamp(commitments))
    message = compose(envelope, ContractTermination("NO_LONGER_NEEDED"), KEYS[C])
    for text in SAID.values():
        assert text.encode() not in message.document.payload
    ended = world.deliver(C, message)
    assert ended.termination == (C, "NO_LONGER_NEEDED")
    assert read_beside(message.envelope.commitments, opening)["words"] == SAID["words"]


def test_the_same_words_commit_to_different_bytes_each_time() -> None:
    ambient = HeldAmbient()
    first, _ = commit_beside(ambient, {"words": "no"})
    second, _ = commit_beside(ambient, {"words": "no"})
    assert first.words != second.words


def test_an_erased_opening_leaves_the_message_standing() -> None:
    commitments, opening = commit_beside(HeldAmbient(), SAID)
    assert read_beside(commitments, {}) == {}
    assert read_beside(commitments, {"words": opening["words"]}) == {"words": SAID["words"]}


def test_other_words_than_were_committed_to_are_refused() -> None:
    commitments, opening = commit_beside(HeldAmbient(), SAID)
    _, other = commit_beside(HeldAmbient(seed=2), {"words": "something else"})
    bad: list[JSONObject] = [
        {"words": other["words"]},
        {"words": opening["actor"]},
        {"words": "plain"},
        {"words": {"r": "", "value": ""}},
        {"remarks": opening["words"]},
    ]
    for each in bad:
        with pytest.raises(BadOpening):
            read_beside(commitments, each)
    with pytest.raises(BadOpening):
        read_beside(NONE_BESIDE, opening)
    with pytest.raises(BadOpening):
        read_beside(replace(commitments, words=commitments.actor), {"words": opening["words"]})


@pytest.mark.parametrize(
    "said",
    [
        {"words": ""},
        {"words": "x" * (PLACES["words"] + 1)},
        {"actor": "x" * (PLACES["actor"] + 1)},
        {"actor": "Anna\u202e"},
        {"mandate": "a\u0000b"},
        {"words": "a\u200bb"},
        {"remarks": "hello"},
    ],
)
def test_words_that_mislead_or_are_too_long_are_refused_on_both_sides(said: dict[str, str]) -> None:
    with pytest.raises(BadWords):
        commit_beside(HeldAmbient(), said)


def test_misleading_words_that_were_committed_to_are_refused_on_reading() -> None:
    for value in (b"\xff", "a\u202eb".encode(), b""):
        made = fresh("words", value, HeldAmbient())
        with pytest.raises(BadWords):
            read_beside(replace(NONE_BESIDE, words=made.commitment), {"words": made.to_json()})


def test_a_provider_says_who_agreed_under_which_mandate() -> None:
    world = World()
    world.play((C, Step.REQUEST))
    assert world.negotiation is not None
    commitments, opening = commit_beside(HeldAmbient(), {"actor": "A. Person", "mandate": "delegation 4.2"})
    envelope = replace(next_envelope(world.negotiation, P, world.stamp(commitments)), provider_pid=PIDS[P])
    message = compose(envelope, world.body(Step.AGREE), KEYS[P])
    world.deliver(P, message)
    assert read_beside(message.envelope.commitments, opening)["mandate"] == "delegation 4.2"
