"""Whose key it was: read from a chain of membership lists, for an auditor who has only the export.

Rules that hold here (DESIGN.md, "Who is who"):

* List 1 counts when a threshold of the registrar's *first keys* signed it, list n when a threshold of
  the keys in list n-1 did, and of its own when it changes them. The auditor brings the first keys.
* Each list names the SHA-256 of the payload before it; numbers go up by one.
* History stays on the list, so the newest one answers for every past time. A signature counts
  towards a key that was valid when the record was made and is not reported compromised by then.
* What else a list says (names, endpoints, status) is not read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.canonical import JSON, JSONObject, MalformedJson, decode_canonical, decode_object
from ledger.document import BadSignature, SignedDocument, from_base64url, thumbprint, verify
from ledger.errors import BylagError, ErrorKind
from ledger.folder import LIST_KIND, MAX_DOCUMENT_BYTES, Document
from ledger.names import Milliseconds, Thumbprint

SIGN: Final = "sign"
LOG: Final = "log"


class UntrustedList(BylagError):
    """The membership lists do not lead from the registrar's first keys to the newest one."""

    code = "UNTRUSTED_LIST"
    kind = ErrorKind.UNAUTHENTICATED
    default_next_step = "Ask the exporter for every list from number 1 on, or compare the first keys."


@dataclass(frozen=True, slots=True)
class Registrar:
    """The registrar's keys at one time, and how many of them must sign."""

    threshold: int
    keys: tuple[Ed25519PublicKey, ...]


@dataclass(frozen=True, slots=True)
class MemberKey:
    """One of a member's or guest's keys, with when it counts. Times are inclusive milliseconds UTC."""

    did: str
    use: str
    public: Ed25519PublicKey
    not_before: Milliseconds
    not_after: Milliseconds | None
    compromised_since: Milliseconds | None

    def complaint(self, time: int) -> str | None:
        """Why a signature on a record made at ``time`` cannot be counted, if so."""
        if time < self.not_before or (self.not_after is not None and time > self.not_after):
            return "the key was not valid when the record was made"
        if self.compromised_since is not None and time >= self.compromised_since:
            return "the key is reported compromised from before the record was made"
        return None


class Members:
    """Looks keys up by holder and thumbprint: members', and guests' whose credentials are there."""

    def __init__(self, keys: Iterable[MemberKey], number: int, *, trusted: bool) -> None:
        self._listed = tuple(keys)
        self._keys: dict[Thumbprint, list[MemberKey]] = {}
        self.number = number
        self.trusted = trusted
        self.add(self._listed)

    def add(self, keys: Iterable[MemberKey]) -> None:
        """Know more keys: those of guests. One key may be there for several times."""
        for key in keys:
            self._keys.setdefault(thumbprint(key.public), []).append(key)

    def is_listed(self, did: str) -> bool:
        """Whether the list itself names ``did``."""
        return any(key.did == did for key in self._listed)

    def knows(self, did: str | None) -> bool:
        """Whether any key of ``did`` is known, from the list or a credential."""
        return any(key.did == did for keys in self._keys.values() for key in keys)

    def by_thumbprint(self, kid: Thumbprint) -> MemberKey | None:
        """The signing key with this thumbprint, whoever holds it; the list comes before any guest."""
        return next((key for key in self._keys.get(kid, []) if key.use == SIGN), None)

    def find(self, did: str, kid: Thumbprint, time: int | None = None) -> MemberKey | None:
        """The signing key of ``did`` with this thumbprint; where there are several, one that counts then."""
        found = [key for key in self._keys.get(kid, []) if key.use == SIGN and key.did == did]
        good = [key for key in found if time is not None and key.complaint(time) is None]
        return next(iter([*good, *found]), None)

    def log_keys(self, did: str | None) -> list[bytes]:
        """The raw public keys under which a participant's log signs its checkpoints."""
        return [
            key.public.public_bytes_raw()
            for keys in self._keys.values()
            for key in keys
            if key.did == did and key.use == LOG
        ]


def read_registrar(data: bytes) -> Registrar:
    """Read the file with the registrar's first keys. Raises :class:`UntrustedList`."""
    try:
        content = decode_object(data, max_bytes=1 << 14, max_depth=4)
        if content.get("type") != "registrar-keys" or content.get("version") != 1:
            raise UntrustedList("this is not a file with a registrar's first keys", field="type")
        return _registrar(content["registrar"])
    except (MalformedJson, BadSignature, KeyError, TypeError, ValueError) as error:
        raise UntrustedList("the registrar's first keys cannot be read", field="registrar") from error


def follow(lists: Iterable[Document], first: Registrar | None) -> Members | None:
    """The members of the newest of ``lists``, which may come in any order.

    With ``first``, every list from number 1 on must be there and signed as the rules say; without,
    the newest list is read as it is and the result is not ``trusted``. None when there are no lists.
    Raises :class:`UntrustedList`.
    """
    contents = sorted(((_read(each), each) for each in lists), key=lambda pair: _number(pair[0]))
    if not contents:
        return None
    if first is not None:
        _check_chain(contents, first)
    newest = contents[-1][0]
    return Members(_keys_of(newest), _number(newest), trusted=first is not None)


def _check_chain(contents: list[tuple[JSONObject, Document]], first: Registrar) -> None:
    before, digest = first, None
    for position, (content, document) in enumerate(contents, start=1):
        where = f"list {_number(content)}"
        if _number(content) != position:
            raise UntrustedList(f"list {position} is missing", field=where)
        if content.get("previous") != digest:
            raise UntrustedList("it does not follow the list before", field=where)
        own = _registrar_of(content, where)
        for registrar in (before, own):
            if _signers(document, registrar) < registrar.threshold:
                raise UntrustedList("too few of the registrar's keys signed it", field=where)
        before, digest = own, document.digest


def _signers(document: Document, registrar: Registrar) -> int:
    known = {thumbprint(key): key for key in registrar.keys}
    good: set[Thumbprint] = set()
    for signed in document.signed():
        if signed.kid in known and _fits(signed, known[signed.kid]):
            good.add(signed.kid)
    return len(good)


def _fits(signed: SignedDocument, key: Ed25519PublicKey) -> bool:
    try:
        verify(signed, LIST_KIND, key, max_bytes=MAX_DOCUMENT_BYTES)
    except (BadSignature, MalformedJson):
        return False
    return True


def _read(document: Document) -> JSONObject:
    try:
        content = decode_canonical(document.payload, max_bytes=MAX_DOCUMENT_BYTES)
    except MalformedJson as error:
        raise UntrustedList(f"a list is not canonical JSON: {error}") from error
    if content.get("type") != LIST_KIND or content.get("version") != 1:
        raise UntrustedList("a document among the lists is not a list of a version known here", field="type")
    return content


def _number(content: JSONObject) -> int:
    number = content.get("number")
    if type(number) is not int or number < 1:
        raise UntrustedList("a list has no number", field="number")
    return number


def _registrar_of(content: JSONObject, where: str) -> Registrar:
    try:
        return _registrar(content.get("registrar"))
    except (BadSignature, KeyError, TypeError, ValueError) as error:
        raise UntrustedList("the registrar's keys cannot be read", field=where) from error


def _registrar(content: JSON) -> Registrar:
    if not isinstance(content, dict):
        raise TypeError("not an object")
    threshold, keys = content["threshold"], content["keys"]
    if type(threshold) is not int or not isinstance(keys, list) or not 1 <= threshold <= len(keys):
        raise ValueError("no threshold")
    return Registrar(threshold, tuple(public_key(each) for each in keys))


def public_key(text: JSON) -> Ed25519PublicKey:
    """An Ed25519 public key in base64url. Raises TypeError, ValueError, or ``BadSignature``."""
    if not isinstance(text, str):
        raise TypeError("not a string")
    return Ed25519PublicKey.from_public_bytes(from_base64url(text))


def _keys_of(content: JSONObject) -> Iterator[MemberKey]:
    """The Ed25519 keys on a list; others (TLS, bundles) sign nothing that is checked here."""
    organisations = content.get("organisations")
    for position, organisation in enumerate(organisations if isinstance(organisations, list) else []):
        where = f"organisations[{position}]"
        did = organisation.get("did") if isinstance(organisation, dict) else None
        if not isinstance(organisation, dict) or not isinstance(did, str):
            raise UntrustedList("an organisation has no did", field=where)
        keys = organisation.get("keys")
        for entry in keys if isinstance(keys, list) else []:
            key = _member_key(did, entry, where)
            if key is not None:
                yield key


def _member_key(did: str, entry: JSON, where: str) -> MemberKey | None:
    if not isinstance(entry, dict):
        raise UntrustedList("a key is not an object", field=where)
    use = entry.get("use")
    if not isinstance(use, str) or use not in {SIGN, LOG}:
        return None
    try:
        public = public_key(entry.get("public"))
    except (BadSignature, TypeError, ValueError) as error:
        raise UntrustedList("a key cannot be read", field=where) from error
    return MemberKey(
        did,
        use,
        public,
        _time(entry.get("not_before"), where) or Milliseconds(0),
        _time(entry.get("not_after"), where),
        _time(entry.get("compromised_since"), where),
    )


def _time(value: JSON, where: str) -> Milliseconds | None:
    if value is not None and type(value) is not int:
        raise UntrustedList("a time is milliseconds or null", field=where)
    return None if value is None else Milliseconds(value)
