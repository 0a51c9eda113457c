from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SignedDocument(_message.Message):
    __slots__ = ("payload", "jws", "opening")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    JWS_FIELD_NUMBER: _ClassVar[int]
    OPENING_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    jws: str
    opening: bytes
    def __init__(self, payload: _Optional[bytes] = ..., jws: _Optional[str] = ..., opening: _Optional[bytes] = ...) -> None: ...

class MembershipList(_message.Message):
    __slots__ = ("payload", "signatures")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    signatures: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, payload: _Optional[bytes] = ..., signatures: _Optional[_Iterable[str]] = ...) -> None: ...

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeResponse(_message.Message):
    __slots__ = ("participant", "space", "list_number", "list_hash", "software", "time_ms")
    PARTICIPANT_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    LIST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    LIST_HASH_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    participant: str
    space: str
    list_number: int
    list_hash: str
    software: str
    time_ms: int
    def __init__(self, participant: _Optional[str] = ..., space: _Optional[str] = ..., list_number: _Optional[int] = ..., list_hash: _Optional[str] = ..., software: _Optional[str] = ..., time_ms: _Optional[int] = ...) -> None: ...

class GetMembershipListsRequest(_message.Message):
    __slots__ = ("from_number",)
    FROM_NUMBER_FIELD_NUMBER: _ClassVar[int]
    from_number: int
    def __init__(self, from_number: _Optional[int] = ...) -> None: ...

class GetMembershipListsResponse(_message.Message):
    __slots__ = ("lists", "more")
    LISTS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    lists: _containers.RepeatedCompositeFieldContainer[MembershipList]
    more: bool
    def __init__(self, lists: _Optional[_Iterable[_Union[MembershipList, _Mapping]]] = ..., more: _Optional[bool] = ...) -> None: ...

class Notice(_message.Message):
    __slots__ = ("number", "document")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    number: int
    document: SignedDocument
    def __init__(self, number: _Optional[int] = ..., document: _Optional[_Union[SignedDocument, _Mapping]] = ...) -> None: ...

class Cursor(_message.Message):
    __slots__ = ("number", "document")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    number: int
    document: SignedDocument
    def __init__(self, number: _Optional[int] = ..., document: _Optional[_Union[SignedDocument, _Mapping]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("time_ms",)
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    time_ms: int
    def __init__(self, time_ms: _Optional[int] = ...) -> None: ...

class CarryMessage(_message.Message):
    __slots__ = ("notice", "cursor", "heartbeat")
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    notice: Notice
    cursor: Cursor
    heartbeat: Heartbeat
    def __init__(self, notice: _Optional[_Union[Notice, _Mapping]] = ..., cursor: _Optional[_Union[Cursor, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ...) -> None: ...
