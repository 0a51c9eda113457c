"""The membership list: what one list says, and when one list may follow another.

Rules that hold here (DESIGN.md, "Who is who"; the chain is that of TUF's root role, section 5.3.4
to 5.3.8 of its specification):

* A list names its data space, its number, the hash of the list before, when it was issued, when it
  expires, the registrar's keys, and every organisation that ever was a member.
* List n is good when a threshold of the registrar keys in list n-1 signed it; list 1 when a
  threshold of the *first keys* did, which everybody pins. If list n changes the registrar's keys, a
  threshold of the new ones signed it too.
* History is kept: no organisation and no key leaves the list, what a key was cannot be rewritten,
  a compromise is never taken back, an end that has passed stands. So one list answers questions
  about every past time.
* A list that expired was still a good link; whether it can be *used* now is for ``trust``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NewType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from connector.identity import forms, syntax
from connector.identity.certificate import DAY
from connector.identity.organisation import ListedKey, Organisation, read_organisation
from connector.identity.public import MalformedKey, read_ed25519, to_text
from connector.identity.signed import MultiSigned, read_multi_signed
from ledger.canonical import JSONObject, decode_canonical, decode_object, encode
from ledger.document import BadSignature, thumbprint
from ledger.errors import BylagError, ErrorKind
from ledger.fields import Fields
from ledger.names import DataSpaceId, Milliseconds, ParticipantId, Thumbprint

ListDigest = NewType("ListDigest", str)
"""A list's name: hexadecimal SHA-256 of its canonical payload."""

KIND: Final = "membership-list"
LIST_LIFETIME: Final = 30 * DAY
LONGEST_LIFETIME: Final = 400 * DAY
"""A list that outlived a year would leave a removed member's peers with no reason to look for a newer one."""

MAX_LIST: Final = 4 << 20
"""Bytes of a list's payload: room for some two thousand organisations with six keys each."""
MAX_ORGANISATIONS: Final = 4096
MAX_REGISTRAR_KEYS: Final = 15
LARGEST_NUMBER: Final = 10**9


class MalformedList(BylagError):
    """A membership list, or a file that should hold one, does not follow the schema."""

    code = "MALFORMED_LIST"
    default_next_step = "Ask the registrar for the list again; keep the one that works meanwhile."


class NotEnoughSignatures(BylagError):
    """Too few of the registrar's keys signed a list."""

    code = "NOT_ENOUGH_SIGNATURES"
    kind = ErrorKind.UNAUTHENTICATED
    default_next_step = (
        "Have more of the registrar's people sign the draft, or ask where this list came from."
    )


class BrokenSuccession(BylagError):
    """A list does not follow the one before it: history was changed, or time ran backwards."""

    code = "BROKEN_SUCCESSION"
    kind = ErrorKind.CONFLICT
    default_next_step = "Ask the registrar to issue the list again on top of the last one."


@dataclass(frozen=True, slots=True)
class RegistrarKeys:
    """The registrar's keys and how many of them must sign."""

    threshold: int
    keys: tuple[Ed25519PublicKey, ...]
    by_thumbprint: Mapping[Thumbprint, Ed25519PublicKey] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_thumbprint", {thumbprint(key): key for key in self.keys})

    def require(self, signers: frozenset[Thumbprint]) -> None:
        """Require that enough of these keys are among ``signers``. Raises :class:`NotEnoughSignatures`."""
        count = len(signers & self.by_thumbprint.keys())
        if count < self.threshold:
            raise NotEnoughSignatures(f"{count} of the registrar's keys signed, {self.threshold} must")

    def content(self) -> JSONObject:
        """As JSON."""
        return {"threshold": self.threshold, "keys": [to_text(key) for key in self.keys]}


@dataclass(frozen=True, slots=True)
class FirstKeys:
    """The registrar's first keys: all that a participant or an auditor pins to begin with."""

    space: DataSpaceId
    registrar: RegistrarKeys

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file, to be compared by telephone or on paper."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def content(self) -> JSONObject:
        """As JSON."""
        return {
            "type": "registrar-keys",
            "version": 1,
            "space": self.space,
            "registrar": self.registrar.content(),
        }

    def to_bytes(self) -> bytes:
        """The file's content."""
        return encode(self.content())


@dataclass(frozen=True, slots=True)
class MembershipList:
    """What one list says. Reading one says nothing about who signed it."""

    space: DataSpaceId
    number: int
    previous: ListDigest | None
    issued: Milliseconds
    expires: Milliseconds
    registrar: RegistrarKeys
    organisations: tuple[Organisation, ...] = ()

    def organisation(self, did: ParticipantId) -> Organisation | None:
        """The entry for ``did``."""
        return next((entry for entry in self.organisations if entry.did == did), None)

    def content(self) -> JSONObject:
        """As JSON."""
        return {
            "type": KIND,
            "version": 1,
            "space": self.space,
            "number": self.number,
            "previous": self.previous,
            "issued": self.issued,
            "expires": self.expires,
            "registrar": self.registrar.content(),
            "organisations": [entry.content() for entry in self.organisations],
        }

    def unsigned(self) -> MultiSigned:
        """The list as a draft that nobody has signed. Raises :class:`MalformedList` when too big."""
        payload = encode(self.content())
        if len(payload) > MAX_LIST:
            raise MalformedList(f"the list would have {len(payload)} bytes, the limit is {MAX_LIST}")
        return MultiSigned(payload)


@dataclass(frozen=True, slots=True)
class Link:
    """What is kept of each list of the chain, whole or not: enough to recognise and judge another."""

    number: int
    digest: ListDigest
    issued: Milliseconds
    expires: Milliseconds
    registrar: RegistrarKeys

    def content(self) -> JSONObject:
        """As JSON, for the caller's store."""
        return {
            "number": self.number,
            "digest": self.digest,
            "issued": self.issued,
            "expires": self.expires,
            "registrar": self.registrar.content(),
        }


def digest_of(signed: MultiSigned) -> ListDigest:
    """A signed list's name."""
    return ListDigest(signed.digest)


def link_of(signed: MultiSigned, entry: MembershipList) -> Link:
    """What to keep of ``signed``, which says ``entry``."""
    return Link(entry.number, digest_of(signed), entry.issued, entry.expires, entry.registrar)


def stored_link(signed: MultiSigned) -> Link:
    """The link of a list that this node verified before it stored it; reads only what a link holds.

    Some thirty times faster than reading the list again. Raises :class:`MalformedList`.
    """
    try:
        content = json.loads(signed.payload)
    except ValueError as error:
        raise MalformedList("a stored list is damaged") from error
    with forms.reading(MalformedList):
        fields = Fields(content)
        return Link(
            fields.integer("number", least=1, most=LARGEST_NUMBER),
            digest_of(signed),
            forms.time(fields, "issued"),
            forms.time(fields, "expires"),
            read_registrar(fields.object("registrar")),
        )


def read_signed_list(data: bytes) -> MultiSigned:
    """Read a list's file; verifies nothing. Raises :class:`MalformedList`."""
    with forms.reading(MalformedList):
        return read_multi_signed(data, max_bytes=MAX_LIST)


def read_list(payload: bytes) -> MembershipList:
    """Read a list's payload, strictly. Verifies no signature. Raises :class:`MalformedList`."""
    with forms.reading(MalformedList):
        fields = Fields(decode_canonical(payload, max_bytes=MAX_LIST))
        fields.constant("type", KIND)
        fields.constant("version", 1)
        previous = None if fields.any("previous") is None else ListDigest(fields.digest("previous"))
        entry = MembershipList(
            space=DataSpaceId(forms.text(fields, "space", syntax.space_complaint)),
            number=fields.integer("number", least=1, most=LARGEST_NUMBER),
            previous=previous,
            issued=forms.time(fields, "issued"),
            expires=forms.time(fields, "expires"),
            registrar=read_registrar(fields.object("registrar")),
            organisations=tuple(
                map(read_organisation, fields.objects("organisations", limit=MAX_ORGANISATIONS))
            ),
        )
        fields.finish()
        if (entry.previous is None) != (entry.number == 1):
            raise fields.wrong("previous", "is null in list 1, and nowhere else")
        if not entry.issued < entry.expires <= entry.issued + LONGEST_LIFETIME:
            raise fields.wrong("expires", "must lie after issued, by at most 400 days")
    _check_duplicates(entry)
    _check_successors(entry)
    return entry


def read_registrar(fields: Fields) -> RegistrarKeys:
    """Read the registrar's keys and threshold. Raises :class:`~ledger.fields.BadField`."""
    keys: list[Ed25519PublicKey] = []
    for index, text in enumerate(forms.texts(fields, "keys", lambda _: None, limit=MAX_REGISTRAR_KEYS)):
        try:
            keys.append(read_ed25519(text))
        except MalformedKey as error:
            raise fields.wrong(f"keys[{index}]", error.message) from error
    if not keys:
        raise fields.wrong("keys", "must name at least one key")
    threshold = fields.integer("threshold", least=1, most=len(keys))
    fields.finish()
    return RegistrarKeys(threshold, tuple(keys))


def read_first_keys(data: bytes) -> FirstKeys:
    """Read the file with the registrar's first keys. Raises :class:`MalformedList`."""
    with forms.reading(MalformedList):
        return first_keys(Fields(decode_object(data, max_bytes=16_384, max_depth=4)))


def first_keys(fields: Fields) -> FirstKeys:
    """Read the first keys from an object. Raises :class:`~ledger.fields.BadField`."""
    fields.constant("type", "registrar-keys")
    fields.constant("version", 1)
    space = DataSpaceId(forms.text(fields, "space", syntax.space_complaint))
    first = FirstKeys(space, read_registrar(fields.object("registrar")))
    fields.finish()
    return first


def read_link(fields: Fields) -> Link:
    """Read what :meth:`Link.content` wrote. Raises :class:`~ledger.fields.BadField`."""
    link = Link(
        fields.integer("number", least=1, most=LARGEST_NUMBER),
        ListDigest(fields.digest("digest")),
        forms.time(fields, "issued"),
        forms.time(fields, "expires"),
        read_registrar(fields.object("registrar")),
    )
    fields.finish()
    return link


def check_signatures(
    signed: MultiSigned,
    entry: MembershipList,
    before: RegistrarKeys,
    verified: frozenset[Thumbprint] = frozenset(),
) -> None:
    """Require the signatures that make ``signed`` good after a list with the registrar ``before``.

    ``verified`` are keys whose signatures were found good already.

    Raises :class:`NotEnoughSignatures`, :class:`~ledger.document.BadSignature`.
    """
    known = {**before.by_thumbprint, **entry.registrar.by_thumbprint}
    if set(signed.kids) - known.keys():
        raise BadSignature("a key signed that is none of the registrar's", field="signatures")
    signers = signed.signers(KIND, known, max_bytes=MAX_LIST, verified=verified)
    before.require(signers)
    entry.registrar.require(signers)  # on a change both; otherwise the same question twice


def check_succession(before: MembershipList, after: MembershipList) -> None:
    """Require that ``after`` may follow ``before``; hashes and signatures are for others.

    Raises :class:`BrokenSuccession`.
    """
    if after.space != before.space:
        raise BrokenSuccession("the list names another data space", field="space")
    if after.number != before.number + 1:
        raise BrokenSuccession(f"list {after.number} does not follow list {before.number}", field="number")
    if after.issued < before.issued:
        raise BrokenSuccession("the list was issued before the one it follows", field="issued")
    entries = {entry.did: entry for entry in after.organisations}
    for old in before.organisations:
        if old.did not in entries:
            raise BrokenSuccession("an organisation left the list; it can only be removed by status")
        _check_history(old, entries[old.did], before.issued)


def _check_history(old: Organisation, new: Organisation, known_at: Milliseconds) -> None:
    keys = {key.thumbprint: key for key in new.keys}
    for before in old.keys:
        after = keys.get(before.thumbprint)
        if after is None:
            raise BrokenSuccession("a key left the list; it can only be ended")
        if (before.job, before.not_before, before.anchor) != (after.job, after.not_before, after.anchor):
            raise BrokenSuccession("a key's use, beginning or anchor was rewritten")
        if before.compromised_since is not None and (
            after.compromised_since is None or after.compromised_since > before.compromised_since
        ):
            raise BrokenSuccession("a key's compromise was taken back")
        if before.not_after != after.not_after and not (_later(before, known_at) and _later(after, known_at)):
            raise BrokenSuccession("a key's end was moved into or out of the past")


def _later(key: ListedKey, time: Milliseconds) -> bool:
    return key.not_after is None or key.not_after >= time


def _check_duplicates(entry: MembershipList) -> None:
    dids: set[ParticipantId] = set()
    keys = set(entry.registrar.by_thumbprint)
    for index, organisation in enumerate(entry.organisations):
        place = f"organisations[{index}]"
        if organisation.did in dids:
            raise MalformedList("two organisations have this did", field=f"{place}.did")
        dids.add(organisation.did)
        for position, key in enumerate(organisation.keys):
            if key.thumbprint in keys:
                raise MalformedList(
                    "this key stands elsewhere on the list; a key has one holder and one use",
                    field=f"{place}.keys[{position}]",
                )
            keys.add(key.thumbprint)


def _check_successors(entry: MembershipList) -> None:
    successors = {item.did: item.successor for item in entry.organisations}
    for index, organisation in enumerate(entry.organisations):
        place = f"organisations[{index}].successor"
        seen: set[ParticipantId] = set()
        following: ParticipantId | None = organisation.did
        while following is not None:
            if following in seen:
                raise MalformedList("the successors run in a circle", field=place)
            seen.add(following)
            if following not in successors:
                raise MalformedList("the successor is not on the list", field=place)
            following = successors[following]
