"""Whatever arrives, a parser answers with the thing read or with one typed error, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.contract.agreement import decode_agreement
from connector.contract.messages import Message, Step, UnknownMessage, read_message
from connector.contract.messages import content as content_of
from connector.contract.offer import decode_offer, read_offer
from connector.contract.opening import Commitments, read_beside
from connector.contract.stored import dump, load
from ledger.canonical import JSON, JSONObject, encode
from ledger.document import SignedDocument
from ledger.errors import BylagError
from ledger.fields import BadField
from tests.contract.make_golden import FOLDER
from tests.contract.world import TO_FINALIZED, C, World

GOLDEN = {path.stem: path.read_bytes() for path in FOLDER.glob("*.json")}
MESSAGES = sorted(path.stem for path in FOLDER.glob("*.jws"))
JWS = {name: (FOLDER / f"{name}.jws").read_text().strip() for name in MESSAGES}

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**54), 2**54),
    st.text(max_size=12),
    st.sampled_from(["", "\u202e", "\x00", "../..", "did:web:x", "A" * 5000, "00" * 32, "null"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def mutations(draw: st.DrawFn, original: JSONObject) -> JSONObject:
    """The document with one to three members replaced, left out, renamed, doubled or added, anywhere."""
    content = copy.deepcopy(original)
    for _ in range(draw(st.integers(1, 3))):
        place: JSON = content
        while True:
            inside = [each for each in _within(place) if isinstance(each, dict | list) and each]
            if not inside or draw(st.booleans()):
                break
            place = draw(st.sampled_from(inside))
        if isinstance(place, dict):
            name = draw(st.sampled_from(sorted(place) or ["x"]))
            match draw(st.integers(0, 3)):
                case 0:
                    place[name] = draw(values)
                case 1:
                    place.pop(name, None)
                case 2:
                    place[draw(st.text(max_size=8))] = draw(values)
                case _:
                    place[draw(st.text(max_size=8))] = place.pop(name, None)
        elif isinstance(place, list):
            place.insert(draw(st.integers(0, len(place))), draw(values))
    return content


def _within(value: JSON) -> list[JSON]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else []


Arguments = ParamSpec("Arguments")
Read = TypeVar("Read")


def typed(
    read: Callable[Arguments, Read], *arguments: Arguments.args, **named: Arguments.kwargs
) -> Read | None:
    """What ``read`` gives, or None where it raised one of our errors, with a next step."""
    try:
        return read(*arguments, **named)
    except BylagError as error:
        assert error.code and error.next_step
        return None


def read_raw(content: JSON, name: str) -> Message:
    return read_message(SignedDocument(json.dumps(content).encode(), JWS[name]))


@pytest.mark.parametrize("name", MESSAGES)
@settings(max_examples=40)
@given(data=st.data())
def test_a_mutated_message_is_read_as_it_is_or_refused(name: str, data: st.DataObject) -> None:
    content = data.draw(mutations(json.loads(GOLDEN[name])))
    try:
        payload = encode(content)
    except BylagError:
        typed(read_raw, content, name)
        return
    message = typed(read_message, SignedDocument(payload, JWS[name]))
    if message is not None:
        assert encode(content_of(message.envelope, message.body)) == payload


@settings(max_examples=80)
@given(data=st.data())
def test_a_mutated_offer_or_agreement_is_read_as_it_is_or_refused(data: st.DataObject) -> None:
    offer_content = data.draw(mutations(json.loads(GOLDEN["published-offer"])))
    offer = typed(read_offer, offer_content)
    if offer is not None:
        assert offer.content() == offer_content
    agreement_bytes = json.dumps(
        data.draw(mutations(json.loads(GOLDEN["agreement"]))), sort_keys=True, separators=(",", ":")
    ).encode()
    agreement = typed(decode_agreement, agreement_bytes)
    if agreement is not None:
        assert agreement.payload == agreement_bytes


@given(st.binary(max_size=300), st.text(max_size=120))
def test_arbitrary_bytes_are_refused_with_a_typed_error(data: bytes, jws: str) -> None:
    assert typed(decode_agreement, data) is None
    assert typed(decode_offer, data) is None
    assert typed(read_message, SignedDocument(data, jws)) is None
    for name in MESSAGES[:1]:
        assert typed(read_message, SignedDocument(data, JWS[name])) is None


@given(values)
def test_arbitrary_json_is_refused_with_a_typed_error(value: JSON) -> None:
    content: JSONObject = value if isinstance(value, dict) else {"type": value}
    assert typed(read_offer, content) is None
    assert typed(read_raw, content, "contract-request") is None
    assert typed(load, content) is None
    if content:
        assert typed(read_beside, Commitments("00" * 32), content) is None


@settings(max_examples=60)
@given(data=st.data())
def test_a_mutated_stored_negotiation_is_read_or_refused(data: st.DataObject) -> None:
    negotiation = typed(load, data.draw(mutations(STORED)))
    if negotiation is not None:
        assert load(dump(negotiation)) == negotiation


STORED = dump(World().play(*TO_FINALIZED))


@pytest.mark.parametrize("cut", range(0, 400, 37))
def test_a_message_cut_short_is_refused(cut: int) -> None:
    payload = GOLDEN["contract-request"]
    assert typed(read_message, SignedDocument(payload[: -1 - cut], JWS["contract-request"])) is None


def test_a_message_under_another_types_signature_header_is_refused() -> None:
    with pytest.raises(UnknownMessage):
        read_message(SignedDocument(GOLDEN["contract-request"], JWS["contract-offer"]))


def test_null_left_out_of_a_message_is_another_spelling_and_refused() -> None:
    content: JSONObject = json.loads(GOLDEN["contract-request"])
    for name in ("prev", "provider_pid"):
        assert content[name] is None
        short = {each: value for each, value in content.items() if each != name}
        with pytest.raises(BadField) as caught:
            read_message(SignedDocument(encode(short), JWS["contract-request"]))
        assert caught.value.field == name


def test_a_member_that_no_message_has_is_refused_as_such() -> None:
    content: JSONObject = json.loads(GOLDEN["contract-request"])
    with pytest.raises(BadField, match="not a member"):
        read_message(SignedDocument(encode({**content, "remark": "x"}), JWS["contract-request"]))


def test_an_unknown_event_is_refused_by_name() -> None:
    payload = GOLDEN["contract-event-accepted"].replace(b'"ACCEPTED"', b'"REJECTED"')
    with pytest.raises(BadField) as caught:
        read_message(SignedDocument(payload, JWS["contract-event-accepted"]))
    assert caught.value.field == "event"


def test_a_message_says_everything_that_every_signed_message_must() -> None:
    content = World().make(C, World().body(Step.REQUEST)).document.content()
    assert set(content) == {
        "type", "version", "space", "sender", "recipient", "consumer_pid", "provider_pid", "prev", "seen",
        "list", "aseq", "head", "time", "commitments", "proposal", "party",
    }  # fmt: skip
