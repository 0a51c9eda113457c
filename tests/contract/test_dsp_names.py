"""Our names are the Dataspace Protocol's: compared with its JSON Schemas and its examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connector.contract.messages import EVENTS, Step
from connector.contract.states import State
from connector.contract.transfer import TransferState, TransferStep


@pytest.fixture
def dsp(test_data: Path) -> Path:
    """The protocol's schemas and examples, 2025-1."""
    return test_data / "dsp"


def definition(path: Path, name: str) -> Any:
    return json.loads(path.read_text("utf-8"))["definitions"][name]["properties"]


def message_names(folder: Path) -> set[str]:
    """The ``@type`` of every message of a part of the protocol."""
    found = set()
    for path in folder.glob("*-message-schema.json"):
        text = path.read_text("utf-8")
        found |= {name for name in _constants(json.loads(text)) if name.endswith("Message")}
    return found


def _constants(value: object) -> set[str]:
    if isinstance(value, dict):
        inner = {name for each in value.values() for name in _constants(each)}
        return inner | ({value["const"]} if isinstance(value.get("const"), str) else set())
    if isinstance(value, list):
        return {name for each in value for name in _constants(each)}
    return set()


def test_the_states_of_a_negotiation(dsp: Path) -> None:
    schema = dsp / "schemas/negotiation/contract-negotiation-schema.json"
    assert {state.value for state in State} == set(definition(schema, "ContractNegotiation")["state"]["enum"])


def test_the_states_of_a_transfer_process(dsp: Path) -> None:
    schema = dsp / "schemas/transfer/transfer-process-schema.json"
    assert {state.value for state in TransferState} == set(
        definition(schema, "TransferProcess")["state"]["enum"]
    )


def test_the_events_of_a_negotiation(dsp: Path) -> None:
    schema = dsp / "schemas/negotiation/contract-negotiation-event-message-schema.json"
    events = set(definition(schema, "ContractNegotiationEventMessage")["eventType"]["enum"])
    assert set(EVENTS) == events == {step.event for step in Step if step.event}


def test_the_messages_of_a_negotiation(dsp: Path) -> None:
    assert {step.message for step in Step} == message_names(dsp / "schemas/negotiation")


def test_the_messages_of_a_transfer_process(dsp: Path) -> None:
    assert {step.value for step in TransferStep} == message_names(dsp / "schemas/transfer")


def test_the_examples_name_nothing_that_we_do_not_know(dsp: Path) -> None:
    known = {step.message for step in Step} | {step.value for step in TransferStep}
    named = {
        json.loads(path.read_text("utf-8"))["@type"]
        for part in ("negotiation", "transfer")
        for path in (dsp / "examples" / part).glob("*.json")
    }
    assert {name for name in named if name.endswith("Message")} == known
