"""ODRL in, decision out: what a policy means, and whether a request may have what it asks for.

The way through this room::

    normalise(document) -> NormalPolicy          publish: all of ODRL read, what is not enforced refused
    read_policy(content) -> NormalPolicy         an agreement's policy, as the other party wrote it
    as_odrl(policy) -> document                  the catalogue, the Dataspace Protocol

    Standing(…).at(Moving(…)) -> DecisionInput   everything a decision rests on
    EmbeddedEngine().decide(input) -> Decision   the rulebook (policies/), run by OPA's WebAssembly
    LeasedEngine(engine, ambient)                the same, leased for a session
    in_words(reason) -> str

Policy values are data: Rego is never made of them.
"""

from __future__ import annotations

from connector.policy.decision import CounterGuard, CounterRange, Decision, Reason, decision_from
from connector.policy.embedded import EmbeddedEngine
from connector.policy.engine import Engine
from connector.policy.errors import (
    EngineUnavailable,
    MalformedPolicy,
    PolicyRefused,
    RulebookDamaged,
    RulebookNotBuilt,
)
from connector.policy.input import (
    RELEASE_ACTION,
    AgreementFacts,
    CounterName,
    DecisionInput,
    LeaseKey,
    MembershipFacts,
    Moving,
    Recipient,
    Standing,
    counters_of,
)
from connector.policy.lease import Answer, Lease, LeasedEngine, Session
from connector.policy.normal import NormalPolicy
from connector.policy.parse import normalise, normalise_bytes
from connector.policy.printing import as_odrl
from connector.policy.purposes import is_within, purpose_iri
from connector.policy.reading import read_policy
from connector.policy.rulebook import OPA_VERSION, Rulebook
from connector.policy.wording import in_words

__all__ = [
    "OPA_VERSION",
    "RELEASE_ACTION",
    "AgreementFacts",
    "Answer",
    "CounterGuard",
    "CounterName",
    "CounterRange",
    "Decision",
    "DecisionInput",
    "EmbeddedEngine",
    "Engine",
    "EngineUnavailable",
    "Lease",
    "LeaseKey",
    "LeasedEngine",
    "MalformedPolicy",
    "MembershipFacts",
    "Moving",
    "NormalPolicy",
    "PolicyRefused",
    "Reason",
    "Recipient",
    "Rulebook",
    "RulebookDamaged",
    "RulebookNotBuilt",
    "Session",
    "Standing",
    "as_odrl",
    "counters_of",
    "decision_from",
    "in_words",
    "is_within",
    "normalise",
    "normalise_bytes",
    "purpose_iri",
    "read_policy",
]
