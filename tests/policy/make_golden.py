"""Write the golden files of this room: ``python -m tests.policy.make_golden``.

``normal-form.json`` is one policy with its ODRL document, normal form and digest; ``decisions.json`` holds
questions with their answers. A release may change an earlier answer only towards deny, so look at what
changes here before you commit it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from connector.policy.embedded import EmbeddedEngine
from connector.policy.facts import Facts
from connector.policy.input import AgreementFacts, DecisionInput, Recipient
from connector.policy.parse import normalise
from ledger.names import AgreementId
from tests.policy.world import (
    COMPANY,
    DPV,
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
    question,
    unit,
)

GOLDEN = Path(__file__).resolve().parent / "golden"

HOUSEHOLD_ENERGY: Document = {
    **offer(
        {
            "@id": "urn:bylag:rule:research",
            "action": "use",
            "constraint": [
                constraint("purpose", "isA", RESEARCH),
                {
                    "and": [
                        constraint("dateTime", "gteq", "2026-01-01T00:00:00Z"),
                        constraint("dateTime", "lt", "2027-01-01T00:00:00+01:00"),
                    ]
                },
                constraint("count", "lteq", "100"),
            ],
        },
        permission(
            {
                "or": [
                    constraint("recipient", "isAnyOf", [COMPANY + "#lab", OTHER]),
                    constraint("purpose", "eq", DPV + "ProvideOfficialStatistics"),
                ]
            },
            action="read",
        ),
        prohibition=[{"action": "distribute"}, permission(constraint("purpose", "eq", MARKETING))],
    ),
    "dct:title": "Hourly household energy, for research",
}


IN_RETURN: Document = offer(
    permission(
        constraint("bylag:rate", "lteq", "5"),
        constraint("timeInterval", "eq", "PT1H"),
        constraint("elapsedTime", "lteq", "P30D"),
        constraint("spatial", "isPartOf", "bylag:area"),
        duty=[
            {
                "@id": "urn:bylag:duty:tell",
                "action": "inform",
                "consequence": [{"@id": "urn:bylag:duty:pay", "action": "compensate"}],
            }
        ],
    ),
    obligation=[{"@id": "urn:bylag:duty:attribute", "action": "attribute"}],
)


def in_return() -> dict[str, DecisionInput]:
    """Questions on a policy that asks for something in return, with what they rest on."""
    policy = agreed(IN_RETURN)
    swedish = Recipient(COMPANY, None, {"country": "SE"})
    facts = Facts(began=NOON, area=("SE",))
    violated = replace(facts, duties={"urn:bylag:duty:tell": "violated"})
    good = replace(violated, duties={**violated.duties, "urn:bylag:duty:pay": "fulfilled"})
    abroad = Recipient(COMPANY, None, {"country": "US"})
    return {
        "in return": question(policy, facts=facts, recipient=swedish),
        "in return, the last of the day": question(policy, facts=facts, recipient=swedish, uses=4),
        "in return, too often": question(policy, facts=facts, recipient=swedish, uses=5),
        "in return, too late": question(policy, facts=facts, recipient=swedish, now=NOON + 2_592_000_001),
        "in return, a violated duty": question(policy, facts=violated, recipient=swedish),
        "in return, made good": question(policy, facts=good, recipient=swedish),
        "in return, abroad": question(policy, facts=facts, recipient=abroad),
        "in return, abroad on a ground": question(
            policy, facts=replace(facts, transfer="urn:x:adequacy"), recipient=abroad
        ),
        "in return, nothing known": question(policy),
    }


def questions() -> dict[str, DecisionInput]:
    """Each golden question under its name."""
    policy = agreed(HOUSEHOLD_ENERGY)
    lab = unit("lab")
    for_research = AgreementFacts(AgreementId("a" * 32), "d" * 64, RESEARCH, "urn:x:law")
    wins = agreed({**HOUSEHOLD_ENERGY, "conflict": "perm"})
    void = agreed({**HOUSEHOLD_ENERGY, "conflict": "invalid"})
    return {
        "research in the period": question(policy),
        "research, the last use": question(policy, uses=99),
        "research, one use too many": question(policy, uses=100),
        "research, uses unknown": question(policy, uses={}),
        "research before the period": question(policy, now=1_767_225_599_999),
        "research after the period": question(policy, now=1_798_758_000_000),
        "the laboratory, whatever the purpose": question(policy, purpose=DPV + "Verification", recipient=lab),
        "statistics": question(policy, purpose=DPV + "ProvideOfficialStatistics"),
        "marketing": question(policy, purpose=MARKETING),
        "marketing by the laboratory": question(policy, purpose=MARKETING, recipient=lab),
        "any purpose": question(policy, purpose=DPV + "Purpose", recipient=lab),
        "no purpose": question(policy, purpose=None),
        "distribution": question(policy, action="distribute"),
        "sale": question(policy, action="sell"),
        "somebody else": question(policy, recipient=Recipient(OTHER)),
        "another dataset": question(policy, dataset="urn:x:other"),
        "narrower than the agreement": question(policy, agreement=for_research, purpose=SCIENTIFIC),
        "the agreement's purpose": question(policy, agreement=for_research, purpose=RESEARCH),
        "wider than the agreement": question(policy, agreement=for_research, purpose=DPV + "Purpose"),
        "a permission that wins": question(wins, purpose=MARKETING, recipient=lab),
        "a policy that is void": question(void, purpose=MARKETING, recipient=lab),
        **in_return(),
    }


def decisions(engine: EmbeddedEngine) -> dict[str, Any]:
    """Questions and answers; each policy once, under its digest."""
    policies, cases = {}, []
    for name, asked in questions().items():
        policy = asked.standing.policy
        policies[policy.digest] = policy.content
        answer = engine.decide(asked).to_json()
        del answer["revision"]
        without_policy = {**json.loads(asked.encoded), "policy": policy.digest}
        cases.append({"name": name, "question": without_policy, "answer": answer})
    return {"policies": policies, "cases": cases}


def main() -> None:
    policy = normalise(HOUSEHOLD_ENERGY)
    normal_form = {"document": HOUSEHOLD_ENERGY, "normal_form": policy.content, "digest": policy.digest}
    engine = EmbeddedEngine()
    for name, content in {"normal-form": normal_form, "decisions": decisions(engine)}.items():
        text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
        (GOLDEN / f"{name}.json").write_text(text + "\n", "utf-8")
    engine.close()


if __name__ == "__main__":
    main()
