"""The running digest that both parties sign.

Each frame is hashed under its window's random key k_j, so that a digest in a log tells nothing
about the data once k_j is gone: F = HMAC-SHA256(k_j, frame), D_0 = SHA-256 of the signed Accept of
attempt 1, D_i = SHA-256(D_{i-1} ‖ F_i). D at the last acknowledged frame is all a resume needs.
In a query session a frame is a question with its answer:
F_n = HMAC(k_j, uint32 length of question ‖ question ‖ answer).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, NewType

from ledger.ambient import Ambient
from ledger.names import MessageHash

RunningDigest = NewType("RunningDigest", bytes)
"""D, 32 bytes."""

FrameKey = NewType("FrameKey", bytes)
"""k_j, 32 random bytes, one a window."""

FRAME_KEY_BYTES: Final = 32


def fresh_key(ambient: Ambient) -> FrameKey:
    """A window's key."""
    return FrameKey(ambient.random(FRAME_KEY_BYTES))


def key_digest(key: FrameKey) -> str:
    """What a Commit says of its key: hexadecimal SHA-256."""
    return hashlib.sha256(key).hexdigest()


def first_digest(accept: MessageHash) -> RunningDigest:
    """D_0, from the hash of the signed Accept of attempt 1."""
    return RunningDigest(bytes.fromhex(accept))


def after_frame(digest: RunningDigest, key: FrameKey, frame: bytes | memoryview) -> RunningDigest:
    """D_i from D_{i-1} and a frame."""
    return RunningDigest(hashlib.sha256(digest + hmac.digest(key, frame, "sha256")).digest())


def after_answer(digest: RunningDigest, key: FrameKey, question: bytes, answer: bytes) -> RunningDigest:
    """D_n from D_{n-1}, a question and its answer."""
    # Not hmac.digest: it lets go of Python's lock even for a few bytes, and then waits for it.
    framed = hmac.new(key, b"".join((len(question).to_bytes(4, "big"), question, answer)), "sha256")
    return RunningDigest(hashlib.sha256(digest + framed.digest()).digest())
