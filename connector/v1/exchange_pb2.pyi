from connector.v1 import participant_pb2 as _participant_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Collect(_message.Message):
    __slots__ = ("exchange", "attempt")
    EXCHANGE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    exchange: str
    attempt: int
    def __init__(self, exchange: _Optional[str] = ..., attempt: _Optional[int] = ...) -> None: ...

class WindowOpen(_message.Message):
    __slots__ = ("window", "key")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    window: int
    key: bytes
    def __init__(self, window: _Optional[int] = ..., key: _Optional[bytes] = ...) -> None: ...

class QueryRequest(_message.Message):
    __slots__ = ("id", "selection")
    ID_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    id: int
    selection: bytes
    def __init__(self, id: _Optional[int] = ..., selection: _Optional[bytes] = ...) -> None: ...

class QueryReply(_message.Message):
    __slots__ = ("id", "window", "n", "digest", "rows", "denial")
    ID_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    DENIAL_FIELD_NUMBER: _ClassVar[int]
    id: int
    window: int
    n: int
    digest: bytes
    rows: bytes
    denial: str
    def __init__(self, id: _Optional[int] = ..., window: _Optional[int] = ..., n: _Optional[int] = ..., digest: _Optional[bytes] = ..., rows: _Optional[bytes] = ..., denial: _Optional[str] = ...) -> None: ...

class CheckpointShown(_message.Message):
    __slots__ = ("note", "old_size", "proof")
    NOTE_FIELD_NUMBER: _ClassVar[int]
    OLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    note: str
    old_size: int
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, note: _Optional[str] = ..., old_size: _Optional[int] = ..., proof: _Optional[_Iterable[bytes]] = ...) -> None: ...

class CheckpointCosigned(_message.Message):
    __slots__ = ("note", "known_size")
    NOTE_FIELD_NUMBER: _ClassVar[int]
    KNOWN_SIZE_FIELD_NUMBER: _ClassVar[int]
    note: str
    known_size: int
    def __init__(self, note: _Optional[str] = ..., known_size: _Optional[int] = ...) -> None: ...

class ExchangeMessage(_message.Message):
    __slots__ = ("frame", "signed", "collect", "window_open", "query_request", "query_reply", "checkpoint_shown", "checkpoint_cosigned", "heartbeat")
    FRAME_FIELD_NUMBER: _ClassVar[int]
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    COLLECT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_OPEN_FIELD_NUMBER: _ClassVar[int]
    QUERY_REQUEST_FIELD_NUMBER: _ClassVar[int]
    QUERY_REPLY_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_SHOWN_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_COSIGNED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    frame: bytes
    signed: _participant_pb2.SignedDocument
    collect: Collect
    window_open: WindowOpen
    query_request: QueryRequest
    query_reply: QueryReply
    checkpoint_shown: CheckpointShown
    checkpoint_cosigned: CheckpointCosigned
    heartbeat: _participant_pb2.Heartbeat
    def __init__(self, frame: _Optional[bytes] = ..., signed: _Optional[_Union[_participant_pb2.SignedDocument, _Mapping]] = ..., collect: _Optional[_Union[Collect, _Mapping]] = ..., window_open: _Optional[_Union[WindowOpen, _Mapping]] = ..., query_request: _Optional[_Union[QueryRequest, _Mapping]] = ..., query_reply: _Optional[_Union[QueryReply, _Mapping]] = ..., checkpoint_shown: _Optional[_Union[CheckpointShown, _Mapping]] = ..., checkpoint_cosigned: _Optional[_Union[CheckpointCosigned, _Mapping]] = ..., heartbeat: _Optional[_Union[_participant_pb2.Heartbeat, _Mapping]] = ...) -> None: ...
