"""Messages as bytes: what is written is protobuf's own encoding, and any bytes are read or refused."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from connector.exchange import channel
from connector.peer.convert import MalformedMessage, decode_message, encode_message, from_signed
from connector.v1 import exchange_pb2 as wire
from connector.v1 import participant_pb2
from ledger.document import sign

SIGNED = sign({"type": "note", "version": 1}, Ed25519PrivateKey.generate())
texts = st.text(st.characters(codec="utf-8"), max_size=40)
numbers = st.integers(0, 2**31 - 1)

messages: st.SearchStrategy[Any] = st.one_of(
    st.builds(channel.Frame, st.binary(max_size=4096)),
    st.builds(
        channel.Signed,
        st.just(SIGNED),
        st.dictionaries(texts, st.one_of(texts, numbers, st.none()), max_size=3),
    ),
    st.builds(channel.Collect, texts, numbers),
    st.builds(channel.WindowOpen, numbers, st.binary(max_size=40)),
    st.builds(channel.Question, numbers, st.binary(max_size=80)),
    st.builds(
        channel.Answer,
        numbers,
        numbers,
        numbers,
        st.binary(max_size=32),
        st.binary(max_size=200),
        st.sampled_from(("", "BUDGET_USED")),
    ),
    st.builds(channel.CheckpointShown, texts, numbers, st.lists(st.binary(max_size=32)).map(tuple)),
    st.builds(channel.CheckpointCosigned, texts, numbers),
    st.builds(channel.Heartbeat, st.integers(0, 2**53)),
)


@given(messages)
def test_what_is_written_is_read_back(message: Any) -> None:
    assert decode_message(encode_message(message)) == message


@given(st.binary(max_size=70_000))
def test_a_frame_is_written_as_protobuf_writes_it(data: bytes) -> None:
    assert encode_message(channel.Frame(data)) == wire.ExchangeMessage(frame=data).SerializeToString()


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 1 << 20, (1 << 21) - 1, 1 << 21])
def test_a_frame_of_any_length_is_written_as_protobuf_writes_it(size: int) -> None:
    data = bytes(size)
    assert encode_message(channel.Frame(data)) == wire.ExchangeMessage(frame=data).SerializeToString()


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda tail: b"\x0a" + tail)))
def test_any_bytes_are_a_message_or_refused_by_name(data: bytes) -> None:
    """And by hand a frame is read from exactly the bytes from which protobuf reads one."""
    try:
        message = decode_message(data)
    except MalformedMessage:
        return
    if isinstance(message, channel.Frame):
        assert wire.ExchangeMessage.FromString(data).frame == message.data


@given(messages, st.data())
def test_a_damaged_message_is_another_one_or_refused_by_name(message: Any, data: st.DataObject) -> None:
    written = bytearray(encode_message(message))
    if written:
        at = data.draw(st.integers(0, len(written) - 1))
        written[at] = data.draw(st.integers(0, 255))
    try:
        decode_message(bytes(written[: data.draw(st.integers(0, len(written)))]))
    except MalformedMessage as error:
        assert error.next_step


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda each: b"[" * 40 + each)))
def test_an_opening_is_strict_json_or_refused_by_name(opening: bytes) -> None:
    try:
        read = from_signed(participant_pb2.SignedDocument(payload=b"{}", jws="a..b", opening=opening))
    except MalformedMessage as error:
        assert error.field == "opening"
    else:
        assert isinstance(read.opening, dict)


def test_a_message_without_a_body_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="body"):
        decode_message(b"")
