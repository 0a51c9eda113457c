"""Whatever happens to duties and to the list, a question that is kept is answered like a new one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from connector.exchange.ground import Ruling
from ledger.canonical import JSONObject
from ledger.names import ExchangeId, ParticipantId
from tests.exchange.owing import CONSENT, DAY, DELETE, PAY, OwingWorld, document
from tests.exchange.world import AGREEMENT, CONSUMER, Rule

MEMBERS = {"leftOperand": "recipient", "operator": "isPartOf", "rightOperand": "bylag:municipality"}
POLICY = document(
    permission=[
        {
            "action": "use",
            "constraint": [MEMBERS],
            "duty": [CONSENT, {**DELETE, "consequence": [PAY]}],
        }
    ]
)


class Rulings(RuleBasedStateMachine):
    """One agreement, and a question about it that stands all the while."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = OwingWorld(Path(self.folder.name), POLICY)
        self.policy: Any = self.world.provider.ground.policy
        self.exchanges = self.joined = 0
        self.listed = self.looked = False

    @initialize()
    def ask(self) -> None:
        self.asked = self.policy.ask(self.world.terms, Rule().purpose)

    @rule()
    def an_exchange_begins(self) -> None:
        self.exchanges += 1
        self.looked = False
        now = self.world.provider.ambient.now()
        exchange = ExchangeId(f"exchange-{self.exchanges}")
        for side in self.world.both:
            side.do(
                lambda tx, each=side: each.duties.tasks.begun(tx, AGREEMENT, exchange, Rule().purpose, now)
            )

    @rule(which=st.integers(0, 9))
    def the_consumer_reports(self, which: int) -> None:
        open_ = self.world.taker.tasks(report=None)
        if open_:
            row, duties = open_[which % len(open_)], self.world.taker.duties
            amount = 500 if row.action == "compensate" else None
            self.world.taker.do(lambda tx: duties.report(tx, row.id, {}, amount=amount).id)
            self.world.carry()

    @rule(which=st.integers(0, 9), code=st.sampled_from(["ACCEPTED", "ACCEPTED", "NOT_DONE"]))
    def the_provider_answers(self, which: int, code: str) -> None:
        waiting = [row for row in self.world.giver.tasks(accepted=False) if row.report is not None]
        if waiting:
            row, duties = waiting[which % len(waiting)], self.world.giver.duties
            self.world.giver.do(lambda tx: duties.answer(tx, row.id, code, {}).id)
            self.world.carry()

    @rule(days=st.sampled_from([-20, 1, 16, 31]))
    def time_passes(self, days: int) -> None:
        self.world.later(days * DAY)
        self.looked = False

    @rule()
    def somebody_looks_for_what_is_overdue(self) -> None:
        self.world.sweep()
        self.looked = True

    @rule()
    def the_list_grows(self) -> None:
        if not self.listed:
            self.listed = True
            self.world.members.join(CONSUMER)
        elif self.joined < 2:
            self.joined += 1
            self.world.members.join(ParticipantId(f"did:web:other{self.joined}.example"))
        self.world.members.catch_up(self.world.listed.trust)

    @invariant()
    def the_kept_question_is_answered_like_a_new_one(self) -> None:
        if not hasattr(self, "asked"):
            return
        self.world.giver.do(lambda _: None)  # what a commit tells of is told before the next one
        kept = self.policy.decide(self.asked, {})
        anew = self.world.fresh()
        assert said(kept) == said(anew.decide(anew.ask(self.world.terms, Rule().purpose), {}))
        in_job = self.world.giver.do(lambda tx: self.policy.decide(self.asked, {}, tx))
        assert said(in_job) == said(kept)
        assert self.world.giver.do(lambda tx: self.policy.is_current(in_job, tx))

    @invariant()
    def both_sides_hold_the_same_tasks_once_both_have_looked(self) -> None:
        if self.looked:
            here, there = (
                {row.id: (row.state, row.late, row.accepted, row.due) for row in side.tasks()}
                for side in self.world.both
            )
            assert here == there

    def teardown(self) -> None:
        self.world.close()
        self.folder.cleanup()


def said(ruling: Ruling) -> tuple[bool, str, JSONObject, JSONObject]:
    """What a ruling says and rests on, but for when it was asked."""
    question, decision = ruling.recorded()
    facts = question["facts"]
    assert isinstance(facts, dict)
    return ruling.allow, ruling.code, {**question, "facts": {**facts, "now": 0}}, decision


def test_a_kept_question_is_answered_like_a_new_one() -> None:
    steps = settings(max_examples=12, stateful_step_count=14, deadline=None)
    run_state_machine_as_test(Rulings, settings=steps)
