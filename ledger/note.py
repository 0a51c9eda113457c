"""Signed notes: text that one or more keys signed.

Rules that hold here (C2SP signed-note v1.0.0):

* A note is text that ends in a newline, an empty line, then signature lines
  ``— <name> <base64(4-byte key id ‖ signature)>``. It is UTF-8 without control characters other
  than the newline, and is split at its last empty line.
* A key's id is SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4]; a verifier key is written
  ``<name>+<8 hexadecimal digits>+<base64(type ‖ public key)>``.
* :func:`verify` ignores signatures of unknown keys, checks those of known keys, and rejects the
  note when one of these is bad or when no known key signed.
* The text means nothing before it is verified.

Example: the verifier key ``example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import BylagError, ErrorKind

ED25519: Final = 0x01
"""Signature type: Ed25519 over the text."""
COSIGNATURE: Final = 0x04
"""Signature type: timestamped Ed25519 (``ledger.cosignature``)."""
ML_DSA_COSIGNATURE: Final = 0x06
"""Signature type: timestamped ML-DSA-44. Keys are read, signatures not yet checked."""

MAX_NOTE_BYTES: Final = 256 << 10
MAX_SIGNATURES: Final = 48
"""More than the 16 that every verifier must accept; an ML-DSA signature takes nearly 5 kB."""

_PUBLIC_KEY_BYTES: Final = {ED25519: 32, COSIGNATURE: 32, ML_DSA_COSIGNATURE: 1312}
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_DASH: Final = "— "


class MalformedNote(BylagError):
    """The bytes are not a signed note, or not a verifier key."""

    code = "MALFORMED_NOTE"
    default_next_step = "Ask for the note again, byte for byte as the log signed it."


class UnverifiedNote(BylagError):
    """No known key signed the note, or the signature of a known key is bad."""

    code = "UNVERIFIED_NOTE"
    kind = ErrorKind.UNAUTHENTICATED
    default_next_step = "Compare the verifier key with the one that the log's operator published."


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named public key with its signature type."""

    name: str
    type: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that go before a signature."""
        material = self.name.encode() + b"\n" + bytes([self.type]) + self.public
        return hashlib.sha256(material).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_to_base64(bytes([self.type]) + self.public)}"


class Verifier(Protocol):
    """Checks one key's signatures."""

    @property
    def key(self) -> VerifierKey: ...

    def accepts(self, text: str, signature: bytes) -> bool:
        """Whether ``signature`` (without the key id) is this key's over ``text``."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line, read but not verified."""

    name: str
    key_id: bytes
    value: bytes

    @property
    def line(self) -> str:
        """The line as it stands in the note, with its newline."""
        return f"{_DASH}{self.name} {_to_base64(self.key_id + self.value)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A note that was read. ``text`` means nothing before :func:`verify`."""

    text: str
    signatures: tuple[Signature, ...]

    def __bytes__(self) -> bytes:
        return (self.text + "\n" + "".join(signature.line for signature in self.signatures)).encode()

    def with_signature(self, signature: Signature) -> Note:
        """The same note with one more line, after the others; one line a key."""
        others = [each for each in self.signatures if (each.name, each.key_id) != _who(signature)]
        return Note(self.text, (*others, signature))


class Ed25519Verifier:
    """Checks Ed25519 signatures over a note's text (type 0x01)."""

    def __init__(self, key: VerifierKey) -> None:
        if key.type != ED25519:
            raise MalformedNote(f"signature type {key.type:#04x} is not Ed25519", field=key.name)
        self._key = key
        self._public = Ed25519PublicKey.from_public_bytes(key.public)

    @property
    def key(self) -> VerifierKey:
        return self._key

    def accepts(self, text: str, signature: bytes) -> bool:
        return ed25519_accepts(self._public, text.encode(), signature)


class Signer:
    """A log's note key: signs text as ``name`` (type 0x01)."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        check_name(name)
        self._private = private
        self.key = VerifierKey(name, ED25519, private.public_key().public_bytes_raw())

    def sign(self, text: str) -> Signature:
        """One signature line over ``text``."""
        _check_text(text)
        return Signature(self.key.name, self.key.key_id, self._private.sign(text.encode()))


def sign(text: str, *signers: Signer) -> Note:
    """A note of ``text`` signed by ``signers``, in their order."""
    return Note(text, tuple(signer.sign(text) for signer in signers))


def parse(data: bytes) -> Note:
    """Read a note. Raises :class:`MalformedNote`; verifies nothing."""
    if len(data) > MAX_NOTE_BYTES:
        raise MalformedNote(f"the note has {len(data)} bytes, the limit is {MAX_NOTE_BYTES}")
    try:
        content = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedNote("the note is not UTF-8") from error
    if _CONTROL.search(content):
        raise MalformedNote("the note holds a control character")
    text, separator, signatures = content.rpartition("\n\n")
    if not separator or not signatures.endswith("\n"):
        raise MalformedNote("the note has no empty line before its signatures, or no last newline")
    lines = signatures[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise MalformedNote(f"the note has {len(lines)} signatures, the limit is {MAX_SIGNATURES}")
    return Note(text + "\n", tuple(_parse_line(line) for line in lines))


def verify(note: Note, verifiers: Iterable[Verifier]) -> tuple[Signature, ...]:
    """The signatures of known keys, all of them good and at least one.

    A second line of the same key is ignored. Raises :class:`UnverifiedNote`.
    """
    known = {(verifier.key.name, verifier.key.key_id): verifier for verifier in verifiers}
    good: dict[tuple[str, bytes], Signature] = {}
    for signature in note.signatures:
        verifier = known.get(_who(signature))
        if verifier is None or _who(signature) in good:
            continue
        if not verifier.accepts(note.text, signature.value):
            raise UnverifiedNote(f"the signature of {signature.name} does not fit the text")
        good[_who(signature)] = signature
    if not good:
        raise UnverifiedNote("no known key signed this note")
    return tuple(good.values())


def parse_verifier_key(text: str) -> VerifierKey:
    """Read ``<name>+<key id>+<base64>``, and check the id. Raises :class:`MalformedNote`."""
    name, _, rest = text.partition("+")
    key_id, _, material = rest.partition("+")
    check_name(name)
    raw = from_base64(material)
    if not raw or _PUBLIC_KEY_BYTES.get(raw[0]) != len(raw) - 1:
        raise MalformedNote("the verifier key has an unknown type or a wrong length", field=name)
    key = VerifierKey(name, raw[0], raw[1:])
    if key.key_id.hex() != key_id:
        raise MalformedNote("the verifier key's id is not the hash of the key", field=name)
    return key


def check_name(name: str) -> None:
    """Key names are not empty and hold no Unicode space, plus or control character."""
    if not name or "+" in name or any(character.isspace() for character in name) or _CONTROL.search(name):
        raise MalformedNote("a key's name is empty or holds a space, a plus or a control character")


def from_base64(text: str) -> bytes:
    """Read standard base64 in its one canonical spelling. Raises :class:`MalformedNote`."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedNote("not base64") from error
    if _to_base64(data) != text:
        raise MalformedNote("not base64 in its canonical spelling")
    return data


def ed25519_accepts(public: Ed25519PublicKey, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is the key's over ``message``."""
    try:
        public.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _parse_line(line: str) -> Signature:
    name, space, value = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise MalformedNote("a signature line is not `— <name> <base64>`")
    check_name(name)
    raw = from_base64(value)
    if len(raw) < 5:
        raise MalformedNote("a signature line holds no signature", field=name)
    return Signature(name, raw[:4], raw[4:])


def _check_text(text: str) -> None:
    if not text.endswith("\n") or _CONTROL.search(text):
        raise MalformedNote("a note's text ends in a newline and holds no control characters")


def _who(signature: Signature) -> tuple[str, bytes]:
    return signature.name, signature.key_id


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
