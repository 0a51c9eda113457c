"""The published profile has every term of ours, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

from connector.exchange.declared import NOBODY
from connector.exchange.request_facts import CHANNELS
from connector.identity.organisation import Kind
from connector.policy.input import CONFIGURED_AREA, COUNTED_UNIT, NO_OBJECTION
from connector.policy.parse import normalise
from connector.policy.vocabulary import CONTEXTS, LEFT_OPERANDS, PREFIXES, PROFILE, RATE_WINDOWS
from tests.policy.world import constraint, offer, permission

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference"
CONTEXT = json.loads((DOCS / "profile.jsonld").read_bytes())["@context"]

OPERANDS = {name.removeprefix("bylag:") for name in LEFT_OPERANDS if name.startswith("bylag:")}
NAMED = (CONFIGURED_AREA, COUNTED_UNIT, NO_OBJECTION, NOBODY, *CHANNELS.values())
NAMES = {*RATE_WINDOWS, *(iri.removeprefix(PROFILE) for iri in NAMED), *Kind}


def test_the_context_maps_each_term_to_its_iri() -> None:
    terms = {name: iri for name, iri in CONTEXT.items() if name not in PREFIXES}
    assert terms == {name: PROFILE + name for name in OPERANDS | NAMES}
    assert {name: iri for name, iri in CONTEXT.items() if name in PREFIXES} == PREFIXES
    assert PROFILE + "context" in CONTEXTS


def test_the_page_names_each_term() -> None:
    named = set(re.findall(r"`bylag:(\w+)`", (DOCS / "profile.md").read_text("utf-8")))
    assert named == OPERANDS | NAMES


def test_a_policy_may_name_the_context_and_the_profile() -> None:
    document = offer(permission(constraint("bylag:rate", "lteq", 3)), profile=PROFILE)
    by_name = {**document, "@context": PROFILE + "context"}
    assert normalise({**document, "@context": [dict(PREFIXES)]}) == normalise(by_name)
