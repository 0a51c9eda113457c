"""Errors as rich gRPC statuses, and back.

A refusal travels as ``google.rpc.Status`` in the trailing metadata: the stable reason code
(ErrorInfo), the field that is wrong (BadRequest), and what to do next (LocalizedMessage). A caller
gets it back as :class:`RemoteError`, whose code is the other side's.

What the other side says is printed and logged here: it is cut short, holds nothing that a terminal
would obey, and what cannot be read says nothing.
"""

from __future__ import annotations

import re
from typing import Any, Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from ledger.errors import BylagError, ErrorKind

DOMAIN: Final = "bylag"
STATUS_KEY: Final = "grpc-status-details-bin"
_LONGEST_TEXT: Final = 500
_REASON: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}", re.ASCII)

_CODES: Final[dict[ErrorKind, grpc.StatusCode]] = {
    ErrorKind.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorKind.DENIED: grpc.StatusCode.PERMISSION_DENIED,
    ErrorKind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    ErrorKind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    ErrorKind.CONFLICT: grpc.StatusCode.FAILED_PRECONDITION,
    ErrorKind.EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorKind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    ErrorKind.DAMAGED: grpc.StatusCode.DATA_LOSS,
}
_SENDING_FAILED: Final = "Internal error from Core"
"""What grpc.aio makes of a message that could not be sent because the call had just been ended: the
status that the other side gave is lost (grpc 1.85, ``AioCall.set_internal_error``)."""
_KINDS: Final = {status: kind for kind, status in _CODES.items()}
_KINDS[grpc.StatusCode.DEADLINE_EXCEEDED] = ErrorKind.UNAVAILABLE
_KINDS[grpc.StatusCode.CANCELLED] = ErrorKind.UNAVAILABLE


class RemoteError(BylagError):
    """What the other side said, or that nobody answered."""

    code = "REMOTE_ERROR"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "See whether the peer's endpoint is right and reachable, then try again."

    def __init__(
        self, message: str, *, reason: str, kind: ErrorKind, next_step: str | None, field: str | None
    ) -> None:
        super().__init__(message, next_step=next_step, field=field)
        self.reason = reason
        self.remote_kind = kind


def status_of(error: BylagError) -> tuple[grpc.StatusCode, str, bytes]:
    """A status code, a sentence and the serialised ``google.rpc.Status`` for an error."""
    code = _CODES[error.kind]
    details = [
        _packed(error_details_pb2.ErrorInfo(reason=reason_of(error), domain=DOMAIN)),
        _packed(error_details_pb2.LocalizedMessage(locale="en", message=error.next_step[:_LONGEST_TEXT])),
    ]
    if error.field is not None:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.field[:_LONGEST_TEXT], description=error.message[:_LONGEST_TEXT]
        )
        details.append(_packed(error_details_pb2.BadRequest(field_violations=[violation])))
    sentence = str(error)[:_LONGEST_TEXT]
    status = status_pb2.Status(code=code.value[0], message=sentence, details=details)
    return code, sentence, status.SerializeToString()


def reason_of(error: BylagError) -> str:
    """The code a program branches on: a denial's own reason where it has one."""
    return str(getattr(error, "reason", error.code))


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: BylagError) -> None:
    """End a call with an error's rich status; does not return."""
    code, sentence, details = status_of(error)
    await context.abort(code, sentence, ((STATUS_KEY, details),))


def from_rpc_error(error: grpc.aio.AioRpcError) -> RemoteError:
    """What a failed call says, with the other side's reason, field and next step where it gave them."""
    kind = _KINDS.get(error.code(), ErrorKind.UNAVAILABLE)
    if error.code() is grpc.StatusCode.INTERNAL and error.details() == _SENDING_FAILED:
        return RemoteError(
            "the other side ended the call", reason="INTERRUPTED", kind=kind, next_step=None, field=None
        )
    said: _Said = (None, None, None)
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_KEY and isinstance(value, bytes):
            said = _read(value)
    reason, next_step, field = said
    return RemoteError(
        _plain(error.details()) or "the call failed",
        reason=reason if reason is not None and _REASON.fullmatch(reason) else error.code().name,
        kind=kind,
        next_step=_plain(next_step),
        field=_plain(field),
    )


def _packed(detail: Any) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(detail)
    return packed


_Said = tuple[str | None, str | None, str | None]
"""Reason, next step and field, as far as the other side gave them."""


def _read(details: bytes) -> _Said:
    said: _Said = (None, None, None)
    try:
        for detail in status_pb2.Status.FromString(details).details:
            said = _unpacked(detail, *said)
    except DecodeError:
        return None, None, None
    return said


def _plain(words: str | None) -> str | None:
    """Somebody else's words, fit to be shown: short, and nothing but what can be printed."""
    if words is None:
        return None
    return "".join(character if character.isprintable() else " " for character in words[:_LONGEST_TEXT])


def _unpacked(detail: AnyMessage, reason: str | None, next_step: str | None, field: str | None) -> _Said:
    info = error_details_pb2.ErrorInfo()
    words = error_details_pb2.LocalizedMessage()
    request = error_details_pb2.BadRequest()
    if detail.Unpack(info):
        return info.reason, next_step, field
    if detail.Unpack(words):
        return reason, words.message, field
    if detail.Unpack(request) and request.field_violations:
        return reason, next_step, request.field_violations[0].field
    return reason, next_step, field
