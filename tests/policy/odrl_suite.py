"""Cases of the ODRL Test Suite's form, as ordinary questions to the ordinary rulebook.

A folder holds ``index.csv`` and Turtle files: a policy, a request, and the state of the world. The mapping:

* **policy** is read as any policy in Turtle is. Two things a publisher must write and the suite leaves out
  or writes in an old way are filled in first: a rule without an action is about every action, which is
  ``use`` and ``transfer`` with all they include; a deprecated action is the one that ODRL 2.2 calls its
  exact match.
* **request**: its permission's assignee asks to do its action to its target. A constraint
  ``purpose eq P`` in it states the purpose.
* **state**: ``dct:issued`` of the current time is the clock. ``X odrl:partOf C`` makes X a member of the
  collection C; a state is complete, so each collection that policy or state name has the members listed and
  no others. A duty report's ``deonticState`` is the duty's state; where none is set, what was performed is
  fulfilled, what was not is pending.

A rule is *active* when the policy that holds this rule alone permits (for a permission) or prohibits (for
a prohibition) what is asked. The decision is that on the whole policy.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.policy.decision import Decision
from connector.policy.facts import DutyState, Facts
from connector.policy.input import (
    AgreementFacts,
    DecisionInput,
    MembershipFacts,
    Moving,
    Recipient,
    Standing,
    counters_of,
)
from connector.policy.normal import Entity, NormalPolicy
from connector.policy.parse import normalise
from connector.policy.turtle import document_of, graph_of
from connector.policy.values import moment
from connector.policy.vocabulary import ODRL, RDF, REPLACED_ACTIONS, local_name
from ledger.names import AgreementId, DatasetId, Milliseconds, ParticipantId

REPORT = "https://w3id.org/force/compliance-report#"
ISSUED = "http://purl.org/dc/terms/issued"
SOMEBODY = "urn:x:somebody"
RULES = {"Permission": "permission", "Prohibition": "prohibition"}
STATES: Mapping[str, DutyState] = {
    "Violated": "violated",
    "Fulfilled": "fulfilled",
    "Performed": "fulfilled",
    "Unperformed": "pending",
}

Triples = list[tuple[str, str, Any]]


@dataclass(frozen=True)
class Case:
    """One line of the index."""

    name: str
    folder: Path
    policy: str
    request: str
    state: str
    rule: str
    active: bool
    permit: bool

    @property
    def document(self) -> dict[str, Any]:
        """The policy as a document that could be published."""
        document = dict(document_of((self.folder / "policies" / self.policy).read_bytes()))
        for term in RULES.values():
            key = ODRL + term
            if key in document:
                document[key] = [_with_action(rule) for rule in _listed(document[key])]
        return document

    def questions(self) -> dict[str, DecisionInput]:
        """The question on the whole policy, and one for each rule whose activation the case states."""
        document = self.document
        found = {"": self._question(document)}
        for number, rule in enumerate(_listed(document.get(ODRL + RULES[self.rule], []))):
            rest = {key: value for key, value in document.items() if key not in _RULE_KEYS}
            alone = {**rest, ODRL + RULES[self.rule]: [rule]}
            found[str(number)] = self._question(alone)
        return found

    def activation(self, answers: Iterable[Decision]) -> bool:
        """Whether a rule of the kind is active, by the answers on each of them alone."""
        if self.rule == "Permission":
            return any(answer.allow for answer in answers)
        return any(reason.code == "PROHIBITED" for answer in answers for reason in answer.reasons)

    def _question(self, document: dict[str, Any]) -> DecisionInput:
        policy = normalise(document)
        request = _request(_triples(self.folder / "requests" / self.request))
        state = _triples(self.folder / "states" / self.state)
        standing = Standing(
            action=request["action"],
            purpose=request["purpose"],
            dataset=DatasetId(request["target"]),
            recipient=Recipient(ParticipantId(request["assignee"])),
            policy=policy,
            agreement=AgreementFacts(AgreementId("a" * 32), "d" * 64, None),
            membership=MembershipFacts(1, "e" * 64),
            facts=Facts(collections=_collections(policy, state), duties=_duties(state)),
        )
        return standing.at(Moving(Milliseconds(_clock(state)), dict.fromkeys(counters_of(policy), 0)))


_RULE_KEYS = {ODRL + term for term in (*RULES.values(), "obligation")}


def cases(folder: Path) -> list[Case]:
    """All cases of a folder."""
    with (folder / "index.csv").open(encoding="utf-8", newline="") as lines:
        return [
            Case(
                name=row["case"],
                folder=folder,
                policy=row["policy"],
                request=row["request"],
                state=row["state"],
                rule=row["rule"],
                active=row["expected_activation"] == "Active",
                permit=row["derived_decision"] == "permit",
            )
            for row in csv.DictReader(lines)
        ]


def as_json(question: DecisionInput) -> Any:
    """A question as OPA reads it."""
    return json.loads(question.encoded)


def _with_action(rule: dict[str, Any]) -> dict[str, Any]:
    actions = [_current(action) for action in _listed(rule.get(ODRL + "action", []))]
    if actions:
        return {**rule, ODRL + "action": actions}
    unnamed = {key: value for key, value in rule.items() if key != "@id"}
    return {**unnamed, ODRL + "action": ["use", "transfer"]}


def _current(action: Any) -> Any:
    if isinstance(action, dict) and set(action) == {"@id"}:
        name = local_name(action["@id"])
        return REPLACED_ACTIONS.get(name, name)
    return action


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _triples(path: Path) -> Triples:
    return [(str(s), str(p), o) for s, p, o in graph_of(path.read_bytes())]


def _request(triples: Triples) -> dict[str, Any]:
    def objects(name: str) -> list[str]:
        return [str(value) for _, predicate, value in triples if predicate == ODRL + name]

    purpose = None
    for subject, predicate, value in triples:
        if (predicate, str(value)) == (ODRL + "leftOperand", ODRL + "purpose"):
            purpose = next(str(o) for s, p, o in triples if (s, p) == (subject, ODRL + "rightOperand"))
    return {
        "assignee": (objects("assignee") or [SOMEBODY])[0],
        "action": (objects("action") or ["use"])[0],
        "target": (objects("target") or ["urn:x:something"])[0],
        "purpose": purpose,
    }


def _clock(state: Triples) -> int:
    (written,) = {str(value) for _, predicate, value in state if predicate == ISSUED}
    return moment(written, "state")


def _collections(policy: NormalPolicy, state: Triples) -> dict[str, list[str]]:
    members = [(s, str(o)) for s, predicate, o in state if predicate == ODRL + "partOf"]
    named = {collection for _, collection in members}
    for rule in policy.rules:
        for entity in (policy.assignee, policy.target, rule.target, *rule.parties.values()):
            named |= _names(entity)
    return {name: [member for member, collection in members if collection == name] for name in named}


def _names(entity: Entity | None) -> set[str]:
    if entity is None or not entity.collection:
        return set()
    return {name for name in (entity.id, entity.source) if name is not None}


def _duties(state: Triples) -> dict[str, DutyState]:
    def of(report: str, name: str) -> str | None:
        found = [str(o) for s, p, o in state if (s, p) == (report, REPORT + name)]
        return found[0].removeprefix(REPORT) if found else None

    duties: dict[str, DutyState] = {}
    for report, predicate, value in state:
        if (predicate, str(value)) == (RDF + "type", REPORT + "DutyReport"):
            duty, deontic, performed = (of(report, n) for n in ("rule", "deonticState", "performanceState"))
            if duty is not None:
                duties[duty] = STATES.get(str(deontic)) or STATES.get(str(performed)) or "unset"
    return duties
