"""Write the golden files of this room: ``python -m tests.policy.make_golden``.

``normal-form.json`` is one policy with its ODRL document, normal form and digest; ``decisions.json`` holds
questions with their answers. A release may change an earlier answer only towards deny, so look at what
changes here before you commit it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from connector.policy.embedded import EmbeddedEngine
from connector.policy.input import AgreementFacts, DecisionInput, Recipient
from connector.policy.parse import normalise
from ledger.names import AgreementId
from tests.policy.world import (
    COMPANY,
    DPV,
    MARKETING,
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
