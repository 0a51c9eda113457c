"""Errors over the wire: what one side says is what the other hears, and a lie is only words."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from connector.exchange.ground import Denied
from connector.peer.status import STATUS_KEY, from_rpc_error, reason_of, status_of
from ledger.errors import BylagError, ErrorKind

LONGEST = 500


def heard(code: grpc.StatusCode, sentence: str, details: bytes) -> Any:
    metadata = grpc.aio.Metadata((STATUS_KEY, details))
    return from_rpc_error(grpc.aio.AioRpcError(code, grpc.aio.Metadata(), metadata, sentence))


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_what_one_side_says_is_what_the_other_hears(kind: ErrorKind) -> None:
    made = type("Made", (BylagError,), {"code": "MADE_UP", "kind": kind})
    said = made("this is wrong", next_step="Do the other thing.", field="terms.period")
    told = heard(*status_of(said))
    assert (told.reason, told.remote_kind, told.next_step, told.field) == (
        "MADE_UP",
        kind,
        "Do the other thing.",
        "terms.period",
    )
    assert said.message in told.message


def test_a_denial_travels_under_its_own_reason() -> None:
    assert reason_of(heard(*status_of(Denied("BUDGET_USED")))) == "BUDGET_USED"


def test_a_failure_without_details_has_the_status_as_its_reason() -> None:
    told = from_rpc_error(
        grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "gone")
    )
    assert (told.reason, told.remote_kind, told.message) == ("UNAVAILABLE", ErrorKind.UNAVAILABLE, "gone")


def packed(detail: Any) -> AnyMessage:
    message = AnyMessage()
    message.Pack(detail)
    return message


@given(st.binary(max_size=200))
def test_details_that_cannot_be_read_say_nothing(details: bytes) -> None:
    told = heard(grpc.StatusCode.PERMISSION_DENIED, "no", details)
    assert (told.code, told.remote_kind) == ("REMOTE_ERROR", ErrorKind.DENIED)


def test_a_detail_that_is_not_what_it_calls_itself_says_nothing() -> None:
    lie = AnyMessage(type_url=packed(error_details_pb2.ErrorInfo()).type_url, value=b"\xff\xff")
    told = heard(grpc.StatusCode.NOT_FOUND, "no", status_pb2.Status(details=[lie]).SerializeToString())
    assert told.reason == "NOT_FOUND"


def test_what_a_peer_says_is_short_and_draws_nothing_on_a_terminal() -> None:
    """Its words are printed and its reason is logged: no escape sequence, no turned text, no mebibyte."""
    trick = "\x1b[2J\u202egood\u202c\r\n" + "x" * 5000
    details = [
        packed(error_details_pb2.ErrorInfo(reason=trick, domain="bylag")),
        packed(error_details_pb2.LocalizedMessage(locale="en", message=trick)),
        packed(
            error_details_pb2.BadRequest(
                field_violations=[error_details_pb2.BadRequest.FieldViolation(field=trick)]
            )
        ),
    ]
    told = heard(
        grpc.StatusCode.INVALID_ARGUMENT, trick, status_pb2.Status(details=details).SerializeToString()
    )
    for words in (told.message, told.reason, told.next_step, told.field):
        assert len(words) <= LONGEST
        assert words.isprintable()
    assert told.reason == "INVALID_ARGUMENT"
