"""The leaf: what stands in the log for ever, and what may stand in it at all.

Rules that hold here (LEDGER.md section 2):

* A leaf is one flat JSON object of at most 2 KiB with a closed set of members (:data:`MEMBERS`).
* Values are ids, codes, IRIs, integers, digests and commitments. There is no free text: a reason
  is a code, and words lie in the side table.
* A party is ``{"org": did}`` or ``{"commitment": hex}``. Whatever belongs to a citizen (their id,
  agreement id, chain pointers, messages, signatures, log head) is only ever a commitment.
* ``aseq`` counts without gaps in the leaf's *chain*, and ``aprev`` is the hash of the leaf before.
  A chain is an agreement; what has no agreement is chained by counterpart; the rest is ``node``.
* Types may be added later. :func:`encode` knows today's and is for writing; :func:`read` also
  takes types it does not know, checks what every leaf must have, and says that it did not know it.

Each member is given as a regular expression over its canonical JSON. Canonical JSON sorts members,
so the whole schema is one regular expression over the entry's bytes: a match shows in a single pass
that the entry is canonical, has no duplicate or unknown member, and no value of another form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ledger.ambient import Ambient
from ledger.canonical import JSON, JSONObject, MalformedJson, decode_canonical, encode_leaf
from ledger.document import to_base64url
from ledger.errors import BylagError
from ledger.names import LeafHash, Milliseconds

VERSION: Final = 1
MAX_LEAF_BYTES: Final = 2048
SALT_BYTES: Final = 16

TYPES: Final = frozenset({
    "genesis", "key", "recovery", "list", "binding", "publication", "negotiation", "agreement",
    "request", "offer", "accept", "commit", "cut", "ack", "reject", "end", "receipt", "resume", "seal",
    "release", "denial", "decision", "intake", "use", "dispute", "expiry", "termination", "recall",
    "consent", "refusal", "withdrawal", "objection", "restriction", "notice", "confirmation",
    "attestation", "erasure", "access", "subjects", "duty", "settlement", "peer-head",
})  # fmt: skip
"""Every event that this version writes."""

NODE_CHAIN: Final = "node"


class InvalidLeaf(BylagError):
    """A leaf has a member, a value or a size that no leaf may have."""

    code = "INVALID_LEAF"
    default_next_step = "Put ids, codes and digests in the leaf, and everything else in its side row."


# The alphabet of a leaf: regular expressions over canonical JSON. Possessive where it matters
# (`++`), so that no input makes the match slow.
_INTEGER = r"(?:0|[1-9][0-9]{0,14}+)"
_POSITIVE = r"[1-9][0-9]{0,14}+"
_HEX32 = r'"[0-9a-f]{64}"'
_IDENTIFIER = r'"[A-Za-z0-9][A-Za-z0-9._:/#%~=-]{0,199}+"'
_IRI = r'"[A-Za-z][A-Za-z0-9+.-]{0,31}+:[A-Za-z0-9._:/#?&%~=+-]{1,224}+"'
_CODE = r'"[A-Z][A-Z0-9_]{0,63}+"'
_NAME = r'"[a-z][a-z0-9_]{0,31}+"'
_KIND = r'"[a-z][a-z-]{0,31}+"'
_ORIGIN = r'"[A-Za-z0-9][A-Za-z0-9._:/%~-]{0,255}+"'
_VERIFIER_KEY = r'"[A-Za-z0-9][A-Za-z0-9._:/%~-]{0,255}+\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}"'
_COMMITMENT = r'\{"commitment":' + _HEX32 + r"\}"
_PARTY = rf'(?:\{{"org":"did:[a-z0-9]{{1,16}}+:[A-Za-z0-9._:%-]{{1,235}}+"\}}|{_COMMITMENT})'
_HEAD = rf'(?:\{{"origin":{_ORIGIN},"root":{_HEX32},"size":{_INTEGER}\}}|{_COMMITMENT})'
_BUCKET = "(?:0|" + "|".join(str(1 << bits) for bits in range(41)) + ")"
"""How many people, as nobody or a power of two, so that it says little about any one of them."""


def _or_commitment(pattern: str) -> str:
    return f"(?:{pattern}|{_COMMITMENT})"


def _or_null(pattern: str) -> str:
    return f"(?:{pattern}|null)"


def _map(value: str, most: int) -> str:
    return rf"\{{{_NAME}:{value}(?:,{_NAME}:{value}){{0,{most - 1}}}\}}"


REQUIRED: Final[Mapping[str, str]] = {
    "type": _KIND,
    "version": str(VERSION),
    "salt": r'"[A-Za-z0-9_-]{21}[AQgw]"',  # 16 random bytes in base64url, so that equal events differ
    "space": _IDENTIFIER,  # data space
    "by": _PARTY,  # who wrote it
    "time": _INTEGER,  # milliseconds UTC
    "aseq": _POSITIVE,
    "aprev": rf"(?:{_HEX32}|null|{_COMMITMENT})",
}
"""What every leaf has."""

OPTIONAL: Final[Mapping[str, str]] = {
    # Who, and under what
    "with": _PARTY,  # the other party
    "unit": _IDENTIFIER,  # the writer's committee or division
    "with_unit": _IDENTIFIER,  # the other party's
    "behalf_of": _PARTY,  # the guest for whom a host writes
    "agreement": _or_commitment(_IDENTIFIER),
    "negotiation": _or_commitment(_IDENTIFIER),
    "exchange": _or_commitment(_IDENTIFIER),
    "attempt": _POSITIVE,
    "window": _POSITIVE,
    "frame": _INTEGER,  # the last frame meant, within the window
    "query": _POSITIVE,  # n of a release in a query session
    "nonce": _HEX32,  # of a request
    "dataset": _IDENTIFIER,
    "dataset_version": _HEX32,
    "offering": _IDENTIFIER,  # the offer in the catalogue
    "purpose": _IRI,
    "legal_basis": _IRI,
    "since": _INTEGER,  # when a period that is settled begins, in milliseconds
    "until": _INTEGER,  # when what this leaf grants or announces ends, in milliseconds
    # What was decided, and on what
    "policy": _HEX32,
    "rulebook": _HEX32,
    "local_rules": _HEX32,
    "input": _or_commitment(_HEX32),
    "contract": _or_commitment(_HEX32),  # the agreement's signed bytes
    "code": _CODE,
    "decision": _HEX32,  # the decision's leaf, where a release is under a lease
    "counters": _map(_INTEGER, 8),  # the values that a leased release used
    "refers": _or_commitment(_HEX32),  # the leaf that this one answers or confirms
    # How much, and which bytes
    "rows": _INTEGER,
    "bytes": _INTEGER,
    "windows": _INTEGER,
    "people": _BUCKET,
    "position": f"(?:{_INTEGER}|{_IDENTIFIER})",  # in the source, where the next window starts
    "schema": _HEX32,
    "digest": _HEX32,  # the running digest D
    "frame_key": _HEX32,  # SHA-256(k_j)
    "labels": _or_null(_HEX32),  # root of the prefix tree; null for data not about people
    "commitments": _map(_HEX32, 16),  # to fields whose values lie in side rows
    # What was signed
    "message": _or_commitment(_HEX32),  # own signed message
    "counterpart": _or_commitment(  # the other party's signed message
        rf'\{{"message":{_HEX32},"signature":"[A-Za-z0-9_-]{{86}}"\}}'
    ),
    "signed_time": _INTEGER,  # the time that a late or forwarded message claims, in milliseconds
    "document": rf'\{{"digest":{_HEX32},"kind":{_KIND}\}}',
    "list": rf'\{{"hash":{_HEX32},"number":{_POSITIVE}\}}',  # the membership list in force
    "peer_head": _HEAD,  # the counterpart's last seen checkpoint
    "number": _INTEGER,  # of a notice in a peer's outbox
    # The log itself, keys, and what runs by the clock
    "origin": _ORIGIN,
    "head": _HEAD,  # a checkpoint: of an older log (recovery), or our own (seal)
    "key": (
        rf'(?:\{{"thumbprint":"[A-Za-z0-9_-]{{43}}","use":{_NAME}\}}'
        rf'|\{{"use":{_NAME},"verifier":{_VERIFIER_KEY}\}}|{_COMMITMENT})'
    ),
    "subjects": _HEX32,  # root of the day's padded prefix tree
    "date": r'"[0-9]{4}-[0-9]{2}-[0-9]{2}"',
    "duration_ms": _INTEGER,  # by the monotonic clock
    "duty": _IDENTIFIER,
    "amount": f"(?:{_INTEGER}|-{_POSITIVE})",  # minor units
    "currency": r'"[A-Z]{3}"',
}

MEMBERS: Final[Mapping[str, str]] = {**REQUIRED, **OPTIONAL}

_NEEDED_BY_TYPE: Final[Mapping[str, tuple[str, ...]]] = {
    "genesis": ("origin",),
    "key": ("key",),
    "recovery": ("head",),
    "commit": ("exchange", "attempt", "window", "digest", "frame_key", "labels"),
    "ack": ("exchange", "attempt", "window", "frame", "digest"),
    "denial": ("code",),
    "subjects": ("subjects", "date"),
    "peer-head": ("peer_head",),
}
"""Members without which a type says nothing."""

_LAST_REQUIRED: Final = max(REQUIRED)


def _whole_leaf() -> re.Pattern[bytes]:
    """One expression for the whole leaf: the members in RFC 8785's order, each optional or not.

    The last required member has no comma; what sorts before it is followed by one, what sorts
    after it is preceded by one.
    """
    parts = []
    for name in sorted(MEMBERS):
        member = f'"{name}":{MEMBERS[name]}'
        if name < _LAST_REQUIRED:
            member += ","
        elif name > _LAST_REQUIRED:
            member = "," + member
        parts.append(member if name in REQUIRED else f"(?:{member})?+")
    return re.compile(rf"\{{{''.join(parts)}\}}".encode())


_fits_schema = _whole_leaf().fullmatch


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf that was read and checked. ``known`` is False for a type of a later version."""

    members: JSONObject
    known: bool

    @property
    def kind(self) -> str:
        return str(self.members["type"])


def encode(leaf: JSONObject) -> bytes:
    """The entry: the canonical bytes of a leaf that may be written.

    Raises :class:`InvalidLeaf`, naming the member. Does not check its place in the chain, which
    ``ledger.log.append`` does.
    """
    try:
        entry = encode_leaf(leaf)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidLeaf("this is not JSON") from error
    if len(entry) > MAX_LEAF_BYTES:
        raise InvalidLeaf(f"the leaf has {len(entry)} bytes, the limit is {MAX_LEAF_BYTES}")
    if _fits_schema(entry) is None:
        _explain(leaf, MEMBERS)
    kind = str(leaf["type"])
    if kind not in TYPES:
        raise InvalidLeaf("no event has this type", field="type")
    _check_known(leaf, kind)
    return entry


def validate(leaf: JSONObject) -> None:
    """Check that ``leaf`` may be written. Raises :class:`InvalidLeaf`, naming the member."""
    encode(leaf)


def read(entry: bytes) -> Leaf:
    """Read an entry of any log. Raises :class:`InvalidLeaf`.

    A leaf of an unknown type is checked for what every leaf has, and is marked as not known, so
    that the caller reports it.
    """
    if len(entry) > MAX_LEAF_BYTES:
        raise InvalidLeaf(f"the leaf has {len(entry)} bytes, the limit is {MAX_LEAF_BYTES}")
    fits = _fits_schema(entry) is not None
    # What fits the expression is canonical and has no duplicates: the plain reader is enough.
    members: JSONObject = json.loads(entry) if fits else _decode(entry)
    kind = members.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        known_members = {name: MEMBERS[name] for name in (*REQUIRED, "with", "agreement")}
        _explain({name: members[name] for name in members if name in known_members}, known_members)
        _check_first(members)
        return Leaf(members, known=False)
    if not fits:
        _explain(members, MEMBERS)
    _check_known(members, kind)
    return Leaf(members, known=True)


def chain_of(leaf: JSONObject) -> str | None:
    """The chain that a leaf names itself: by agreement, else by counterpart, else ``node``.

    None when the agreement or counterpart is a commitment: then the writer keeps a random handle,
    and only an opening shows which leaves belong together.
    """
    agreement, counterpart = leaf.get("agreement"), leaf.get("with")
    if agreement is not None:
        return agreement_chain(agreement) if isinstance(agreement, str) else None
    if counterpart is not None:
        did = counterpart.get("org") if isinstance(counterpart, dict) else None
        return counterpart_chain(did) if isinstance(did, str) else None
    return NODE_CHAIN


def agreement_chain(agreement: str) -> str:
    """The chain of everything under one agreement between organisations."""
    return f"agreement {agreement}"


def counterpart_chain(did: str) -> str:
    """The chain of what concerns one organisation and no agreement."""
    return f"with {did}"


def build(
    kind: str,
    *,
    space: str,
    by: JSON,
    aseq: int,
    aprev: LeafHash | JSONObject | None,
    ambient: Ambient,
    time: Milliseconds | None = None,
    **members: JSON,
) -> JSONObject:
    """A leaf of ``kind`` with a fresh salt, at the place after the head of its chain.

    ``aprev`` is the hash of the leaf before (None for the first, or a commitment object). Members
    given as None are left out, except ``labels``, where null says: not about people. ``with`` is a
    Python keyword: give it as ``**{"with": party}``. Does not validate; ``ledger.log.append`` does.
    """
    leaf: JSONObject = {
        name: value for name, value in members.items() if value is not None or name == "labels"
    }
    leaf["type"] = kind
    leaf["version"] = VERSION
    leaf["salt"] = to_base64url(ambient.random(SALT_BYTES))
    leaf["space"] = space
    leaf["by"] = by
    leaf["time"] = ambient.now() if time is None else time
    leaf["aseq"] = aseq
    leaf["aprev"] = aprev.hex() if isinstance(aprev, bytes) else aprev
    return leaf


def _decode(entry: bytes) -> JSONObject:
    try:
        return decode_canonical(entry, max_bytes=MAX_LEAF_BYTES, max_depth=4)
    except MalformedJson as error:
        raise InvalidLeaf(f"the leaf is not canonical JSON: {error}") from error


def _explain(leaf: JSONObject, members: Mapping[str, str]) -> None:
    """Find what is wrong with a leaf, member by member: slower, and able to name it."""
    for name, value in leaf.items():
        if name not in members:
            raise InvalidLeaf("no leaf has this member", field=str(name)[:64])
        pattern = members[name].encode()
        if re.fullmatch(pattern, encode_leaf({"": value})[len('{"":') : -1]) is None:
            raise InvalidLeaf("this value cannot stand in a leaf", field=name)
    _require(leaf, tuple(REQUIRED))


def _check_known(leaf: JSONObject, kind: str) -> None:
    if kind in _NEEDED_BY_TYPE:
        _require(leaf, _NEEDED_BY_TYPE[kind])
    _check_first(leaf)


def _require(leaf: JSONObject, names: tuple[str, ...]) -> None:
    for name in names:
        if name not in leaf:
            raise InvalidLeaf("a leaf of this type must have this member", field=name)


def _check_first(leaf: JSONObject) -> None:
    if (leaf["aprev"] is None) != (leaf["aseq"] == 1):
        raise InvalidLeaf("aprev is null for the first leaf of a chain, and only there", field="aprev")
