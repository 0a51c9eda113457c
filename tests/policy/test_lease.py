"""A leased answer is the answer that the engine would give now, and ends when it must."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from connector.policy.decision import Decision
from connector.policy.embedded import EmbeddedEngine
from connector.policy.engine import Condition, Engine
from connector.policy.facts import DutyState, Facts, Quantity
from connector.policy.input import (
    MOVING,
    AgreementFacts,
    CounterName,
    DecisionInput,
    MembershipFacts,
    Moving,
    Recipient,
    Standing,
    counters_of,
)
from connector.policy.lease import LONGEST_MILLISECONDS, LeasedEngine, Session
from connector.policy.normal import NormalPolicy
from connector.policy.parse import normalise
from connector.policy.vocabulary import PROFILE
from ledger.ambient import HeldAmbient
from ledger.canonical import JSON, decode, decode_canonical
from ledger.names import AgreementId, DatasetId, ExchangeId, LeafIndex, RulebookDigest, UnitId, VersionDigest
from tests.policy.world import (
    COMPANY,
    ENERGY,
    MARKETING,
    NOON,
    OTHER,
    RESEARCH,
    SCIENTIFIC,
    Document,
    agreed,
    constraint,
    offer,
    permission,
    standing,
)


class Counting:
    """The real engine, counting how often it was asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.asked = 0

    @property
    def revision(self) -> RulebookDigest:
        return self._engine.revision

    def decide(self, question: DecisionInput) -> Decision:
        self.asked += 1
        return self._engine.decide(question)

    async def ask(self, question: DecisionInput) -> Decision:
        self.asked += 1
        return await self._engine.ask(question)

    def replay(self, recorded: bytes) -> Decision:
        return self._engine.replay(recorded)

    def trace(self, question: bytes) -> JSON:
        return self._engine.trace(question)

    async def look(self) -> Condition:
        return await self._engine.look()

    def close(self) -> None:
        self._engine.close()


def leased(engine: EmbeddedEngine, **how: Any) -> tuple[LeasedEngine, Counting, HeldAmbient]:
    counting, ambient = Counting(engine), HeldAmbient(now=NOON)
    return LeasedEngine(counting, ambient, **how), counting, ambient


UNTIL_ONE_O_CLOCK = agreed(
    offer(
        permission(
            constraint("dateTime", "lt", "2026-01-01T12:00:30Z"), constraint("purpose", "isA", RESEARCH)
        )
    )
)


def test_the_same_question_is_asked_once(engine: EmbeddedEngine) -> None:
    table, counting, ambient = leased(engine)
    session = table.open(standing(UNTIL_ONE_O_CLOCK))
    first = table.decide(session)
    ambient.advance(1000)
    second = table.decide(session, nonce="another")
    assert (first.fresh, second.fresh, counting.asked) == (True, False, 1)
    assert second.decision == first.decision
    assert second.moving == Moving(ambient.now(), {}, "another")
    assert second.lease is first.lease


def test_a_lease_carries_the_leaf_that_releases_cite(engine: EmbeddedEngine) -> None:
    table, _, _ = leased(engine)
    session = table.open(standing(UNTIL_ONE_O_CLOCK))
    granted = table.decide(session).lease
    assert granted is not None
    granted.cited = LeafIndex(7)
    again = table.decide(session).lease
    assert again is not None
    assert again.cited == 7


def test_it_ends_when_the_answer_may_change(engine: EmbeddedEngine) -> None:
    table, counting, ambient = leased(engine)
    session = table.open(standing(UNTIL_ONE_O_CLOCK))
    assert table.decide(session).decision.allow
    ambient.advance(29_999)
    assert table.decide(session).decision.allow
    ambient.advance(1)
    assert not table.decide(session).decision.allow
    assert counting.asked == 2


def test_it_ends_after_its_longest_time_by_either_clock(engine: EmbeddedEngine) -> None:
    table, counting, ambient = leased(engine)
    session = table.open(standing(agreed(offer(permission()))))
    table.decide(session)
    ambient.advance(LONGEST_MILLISECONDS - 1)
    assert not table.decide(session).fresh
    ambient.advance(1)
    assert table.decide(session).fresh
    ambient.step(LONGEST_MILLISECONDS)
    assert table.decide(session).fresh
    assert counting.asked == 3


def test_any_backward_step_of_the_clock_ends_all(engine: EmbeddedEngine) -> None:
    table, counting, ambient = leased(engine)
    sessions = [
        table.open(standing(UNTIL_ONE_O_CLOCK, purpose=purpose)) for purpose in (SCIENTIFIC, MARKETING)
    ]
    for session in sessions:
        table.decide(session)
    ambient.step(-1)
    assert all(table.decide(session).fresh for session in sessions)
    assert counting.asked == 4


def test_a_step_back_that_waiting_hides_is_seen_by_the_other_clock(engine: EmbeddedEngine) -> None:
    table, _, ambient = leased(engine)
    session = table.open(standing(UNTIL_ONE_O_CLOCK))
    table.decide(session)
    ambient.advance(5000)
    ambient.step(-4000)
    assert table.decide(session).fresh


def test_a_clock_that_is_slowed_down_does_not_lengthen_a_lease(engine: EmbeddedEngine) -> None:
    table, counting, ambient = leased(engine)
    session = table.open(standing(agreed(offer(permission()))))
    table.decide(session)
    for _ in range(LONGEST_MILLISECONDS // 1000):
        assert counting.asked == 1
        ambient.advance(1000)
        ambient.step(-200)
        table.decide(session)
    assert counting.asked == 2


@pytest.mark.parametrize("what", ["agreement", "everything", "engine"])
def test_it_ends_when_something_it_rests_on_changes(engine: EmbeddedEngine, what: str) -> None:
    table, counting, _ = leased(engine)
    session = table.open(standing(UNTIL_ONE_O_CLOCK))
    table.decide(session)
    if what == "agreement":
        table.end_agreement(AgreementId("c" * 32))
        assert not table.decide(session).fresh, "another agreement's end is none of its business"
        table.end_agreement(session.standing.agreement.id)
    elif what == "everything":
        table.end_all()
    else:
        table.switch(counting)
    assert table.decide(session).fresh


def test_a_decision_on_its_way_when_its_agreement_ended_is_not_leased(engine: EmbeddedEngine) -> None:
    table, _, _ = leased(engine)
    standing_question = standing(UNTIL_ONE_O_CLOCK)

    class Ending(Counting):
        def decide(self, question: DecisionInput) -> Decision:
            table.end_agreement(question.standing.agreement.id)
            return super().decide(question)

    table.switch(Ending(engine))
    session = table.open(standing_question)
    assert table.decide(session).lease is None
    assert table.decide(session).fresh
    assert len(table) == 0


def test_counters_are_bounded_and_never_leased(engine: EmbeddedEngine) -> None:
    table, counting, _ = leased(engine)
    policy = agreed(offer(permission(constraint("count", "lteq", "3"))))
    session = table.open(standing(policy))
    (name,) = counters_of(policy)
    for uses in (0, 1, 2):
        answer = table.decide(session, {name: uses})
        assert (answer.decision.allow, answer.fresh) == (True, uses == 0)
        assert [guard.limit for guard in answer.decision.counters] == [3]
    used_up = table.decide(session, {name: 3})
    assert (used_up.decision.allow, used_up.fresh) == (False, True)
    assert not table.decide(session, {name: 4}).fresh
    assert table.decide(session, {name: 2}).decision.allow, "a use that was given back"
    assert counting.asked == 3


def test_a_denial_for_want_of_a_counter_is_not_leased(engine: EmbeddedEngine) -> None:
    table, _, _ = leased(engine)
    policy = agreed(offer(permission(constraint("count", "lteq", "3"))))
    session = table.open(standing(policy))
    missing = table.decide(session)
    assert (missing.decision.allow, missing.lease) == (False, None)
    assert table.decide(session, {counters_of(policy)[0]: 0}).decision.allow


def test_a_failure_is_never_leased() -> None:
    closed = EmbeddedEngine()
    closed.close()
    table, counting, _ = leased(closed)
    session = table.open(standing(UNTIL_ONE_O_CLOCK))
    for _ in range(2):
        answer = table.decide(session)
        assert (answer.decision.allow, answer.decision.failed, answer.lease) == (False, True, None)
    assert counting.asked == 2


def test_the_table_is_bounded_and_the_oldest_goes_first(engine: EmbeddedEngine) -> None:
    table, _, _ = leased(engine, capacity=3)
    sessions = [
        table.open(standing(UNTIL_ONE_O_CLOCK, exchange=ExchangeId(f"{number:032}"))) for number in range(4)
    ]
    for session in sessions:
        table.decide(session)
    assert len(table) == 3
    assert [table.decide(session).fresh for session in (*sessions[1:], sessions[0])] == [False] * 3 + [True]


def test_several_threads_may_ask(engine: EmbeddedEngine) -> None:
    table, _, _ = leased(engine)
    wrong: list[object] = []

    def ask(purpose: str, expected: bool) -> None:
        for number in range(40):
            session = table.open(
                standing(UNTIL_ONE_O_CLOCK, purpose=purpose, exchange=ExchangeId(f"{number % 5:032}"))
            )
            answer = table.decide(session)
            if answer.decision.allow is not expected:
                wrong.append(answer)

    threads = [
        threading.Thread(target=ask, args=case)
        for case in [(SCIENTIFIC, True), (MARKETING, False), (RESEARCH, True), (OTHER, False)]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


OBLIGED = agreed(offer(permission(), obligation=[{"@id": "urn:x:tell", "action": "inform"}]))
OTHER_STATES: list[DutyState] = ["pending", "fulfilled", "violated"]
OTHER_FACTS = [
    Facts(began=NOON),
    Facts(area=()),
    Facts(area=("SE",)),
    Facts(transfer="urn:x:adequacy"),
    Facts(collections={"urn:x:members": ()}),
    Facts(collections={"urn:x:members": (COMPANY,)}),
    Facts(named={"event": {"urn:x:flood": ()}}),
    Facts(named={"event": {"urn:x:flood": ("urn:x:disaster",)}}),
    Facts(measured={"percentage": Quantity(3)}),
    Facts(measured={"percentage": Quantity(3, "urn:x:unit")}),
]


def test_every_field_that_does_not_move_is_in_the_key() -> None:
    """Two questions that differ anywhere but in a moving field have two keys."""
    usual = standing(UNTIL_ONE_O_CLOCK)
    different: list[Standing] = [
        replace(usual, action="use"),
        replace(usual, purpose=MARKETING),
        replace(usual, dataset=DatasetId("urn:x:other")),
        replace(usual, version=VersionDigest("0" * 64)),
        replace(usual, version=None),
        replace(usual, exchange=ExchangeId("0" * 32)),
        replace(usual, recipient=Recipient(COMPANY, UnitId("lab"), {"kind": "company"})),
        replace(usual, recipient=Recipient(COMPANY, None, {"kind": "municipality"})),
        replace(usual, policy=agreed(offer(permission()))),
        replace(usual, agreement=AgreementFacts(AgreementId("0" * 32), "d" * 64, None)),
        replace(usual, agreement=AgreementFacts(AgreementId("a" * 32), "0" * 64, None)),
        replace(usual, agreement=AgreementFacts(AgreementId("a" * 32), "d" * 64, RESEARCH)),
        replace(usual, agreement=AgreementFacts(AgreementId("a" * 32), "d" * 64, None, "urn:x:law")),
        replace(usual, membership=MembershipFacts(4, "e" * 64)),
        replace(usual, membership=MembershipFacts(3, "0" * 64)),
        replace(usual, consent_epoch=1),
        *(replace(usual, facts=facts) for facts in OTHER_FACTS),
        replace(usual, policy=OBLIGED),
        *(
            replace(usual, policy=OBLIGED, facts=Facts(duties={"urn:x:tell": state}))
            for state in OTHER_STATES
        ),
    ]
    keys = {one.lease_key("rules") for one in [usual, *different]} | {usual.lease_key("other rules")}
    assert len(keys) == len(different) + 2
    assert {name for name in vars(usual) if not name.startswith("_")} == {
        "action", "purpose", "dataset", "recipient", "policy", "agreement", "membership", "version",
        "exchange", "consent_epoch", "facts",
    }, "a new field belongs into this test"  # fmt: skip


def test_the_moving_fields_are_the_enumerated_ones() -> None:
    """The question is canonical JSON, and only the enumerated fields follow what moves."""
    usual = standing(UNTIL_ONE_O_CLOCK)
    one: dict[str, Any] = decode_canonical(usual.written(Moving(NOON, {CounterName("count:a"): 1}, "n")))
    other: dict[str, Any] = decode_canonical(usual.written(Moving(NOON, {}, None)))
    for section, name in MOVING[1:]:
        assert one[section][name] != other[section][name]
    for question in (one, other):
        for section, name in MOVING:
            question[section][name] = None
    assert one == other


def set_of(document: Document) -> NormalPolicy:
    """A policy about the dataset whose rules name their parties themselves."""
    return normalise({**document, "@type": "Set", "target": ENERGY})


HALF_PAST = "2026-01-01T12:00:33Z"
COUNTED = set_of(
    offer(
        permission(constraint("count", "lteq", "2"), constraint("purpose", "isA", RESEARCH)),
        permission(constraint("count", "lt", "5"), constraint("dateTime", "gteq", "2026-01-01T12:00:20Z")),
        permission(constraint("dateTime", "eq", "2026-01-01T12:00:40Z")),
        permission(
            {**constraint("bylag:rate", "lteq", "2"), "unit": PROFILE + "minute"},
            constraint("elapsedTime", "lteq", "PT55S"),
            constraint("spatial", "eq", "SE"),
            duty=[{"@id": "urn:x:tell", "action": "inform"}],
        ),
        permission(
            constraint("timeInterval", "eq", "PT7S"),
            constraint("delayPeriod", "eq", "PT5S"),
            assignee={"@type": "PartyCollection", "@id": "urn:x:members"},
        ),
        permission(
            constraint("meteredTime", "lteq", "PT2S"),
            action={"rdf:value": {"@id": "read"}, "refinement": constraint("dateTime", "gt", HALF_PAST)},
        ),
        obligation=[permission(constraint("dateTime", "lt", HALF_PAST), action="inform")],
        prohibition=[
            permission(
                {
                    "xone": [
                        constraint("dateTime", "gt", "2026-01-01T12:00:10Z"),
                        constraint("dateTime", "gt", "2026-01-01T12:00:12Z"),
                    ]
                }
            )
        ],
    )
)


def counted(name: CounterName) -> bool:
    """Whether a counter goes on; a rate begins anew with each window."""
    return not name.startswith("rate:")


class LeasesEqualFreshAnswers(RuleBasedStateMachine):
    """Clock moves, uses, purposes, ends and changes of everything, in any order."""

    engine: EmbeddedEngine

    @initialize()
    def begin(self) -> None:
        self.ambient = HeldAmbient(now=NOON)
        self.table = LeasedEngine(self.engine, self.ambient, longest=15_000, capacity=3)
        self.uses: dict[CounterName, int] = {name: 0 for name in counters_of(COUNTED) if counted(name)}
        self.windows: dict[tuple[CounterName, int], int] = {}
        self.facts = Facts(began=NOON, collections={"urn:x:members": (COMPANY,)})
        self.country = "SE"
        self.list_number = 1
        self.epoch = 0
        self.sessions: dict[str, Session] = {}

    @rule(milliseconds=st.sampled_from([0, 1, 999, 1000, 4999, 5000, 9999, 10_000, 15_000, 60_000]))
    def time_passes(self, milliseconds: int) -> None:
        self.ambient.advance(milliseconds)

    @rule(milliseconds=st.sampled_from([-20_000, -1000, -1, 1, 1000, 20_000]))
    def the_clock_is_set(self, milliseconds: int) -> None:
        self.ambient.step(milliseconds)

    @rule(which=st.integers(0, 9), change=st.sampled_from([1, 1, 1, -1]))
    def a_use_is_counted_or_given_back(self, which: int, change: int) -> None:
        name = sorted(self.uses)[which % len(self.uses)]
        if name.startswith("last:"):
            self.uses[name] = self.ambient.now()
        elif name.startswith("metered:"):
            self.uses[name] += 700
        else:
            self.uses[name] = max(0, self.uses[name] + change)

    @rule()
    def a_use_is_counted_in_its_window(self) -> None:
        for name in counters_of(COUNTED):
            if not counted(name):
                place = (name, self.ambient.now() // 60_000)
                self.windows[place] = self.windows.get(place, 0) + 1

    def counters(self) -> dict[CounterName, int]:
        """The values at this moment, as the database would give them."""
        window = self.ambient.now() // 60_000
        rates = {n: self.windows.get((n, window), 0) for n in counters_of(COUNTED) if not counted(n)}
        return {**self.uses, **rates}

    @rule(state=st.sampled_from(["unset", "pending", "fulfilled", "violated"]))
    def a_duty_changes(self, state: DutyState) -> None:
        self.facts = replace(self.facts, duties={"urn:x:tell": state})
        self.sessions.clear()

    @rule(members=st.sampled_from([(), (COMPANY,), (OTHER,)]), country=st.sampled_from(["SE", "US"]))
    def the_list_attests_something_else(self, members: tuple[str, ...], country: str) -> None:
        self.facts = replace(self.facts, collections={"urn:x:members": members})
        self.country = country
        self.a_new_list_is_fetched()

    @rule(area=st.sampled_from([None, ("SE",), ("SE", "US")]))
    def the_area_is_configured(self, area: tuple[str, ...] | None) -> None:
        self.facts = replace(self.facts, area=area)
        self.sessions.clear()

    @rule()
    def the_agreement_is_terminated(self) -> None:
        self.table.end_agreement(AgreementId("a" * 32))
        for session in self.sessions.values():
            assert self.table.decide(session, self.counters(), "n").fresh

    @rule()
    def a_new_list_is_fetched(self) -> None:
        self.list_number += 1
        self.sessions.clear()
        self.table.end_all()

    @rule()
    def a_consent_changes(self) -> None:
        self.epoch += 1
        self.sessions.clear()
        self.table.end_agreement(AgreementId("a" * 32))

    @rule()
    def the_rulebook_is_loaded_again(self) -> None:
        self.table.switch(self.engine)

    @rule(purpose=st.sampled_from([SCIENTIFIC, MARKETING]), action=st.sampled_from(["read", "sell"]))
    def somebody_asks(self, purpose: str, action: str) -> None:
        session = self.sessions.get(purpose + action)
        if session is None:
            session = self.table.open(
                standing(
                    COUNTED,
                    purpose=purpose,
                    action=action,
                    consent_epoch=self.epoch,
                    facts=self.facts,
                    recipient=Recipient(COMPANY, None, {"kind": "company", "country": self.country}),
                    membership=MembershipFacts(self.list_number, "e" * 64),
                )
            )
            self.sessions[purpose + action] = session
        answer = self.table.decide(session, self.counters(), "n")
        assert answer.moving == Moving(self.ambient.now(), self.counters(), "n")
        assert answer.decision == self.engine.decide(session.standing.at(answer.moving))

    @invariant()
    def the_table_stays_small(self) -> None:
        assert len(self.table) <= 3


def test_a_leased_answer_always_equals_a_fresh_one(engine: EmbeddedEngine) -> None:
    class Machine(LeasesEqualFreshAnswers):
        pass

    Machine.engine = engine
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=40, stateful_step_count=40, database=None)
    )


def test_the_question_reads_back(engine: EmbeddedEngine) -> None:
    question = standing(COUNTED).at(Moving(NOON, dict.fromkeys(counters_of(COUNTED), 0)))
    assert decode(question.encoded) == decode_canonical(question.encoded)
    assert engine.replay(question.encoded) == engine.decide(question)
