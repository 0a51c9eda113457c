from connector.v1 import participant_pb2 as _participant_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SendRequest(_message.Message):
    __slots__ = ("document",)
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    document: _participant_pb2.SignedDocument
    def __init__(self, document: _Optional[_Union[_participant_pb2.SignedDocument, _Mapping]] = ...) -> None: ...

class SendResponse(_message.Message):
    __slots__ = ("negotiation", "state")
    NEGOTIATION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    negotiation: str
    state: str
    def __init__(self, negotiation: _Optional[str] = ..., state: _Optional[str] = ...) -> None: ...
