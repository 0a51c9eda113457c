"""Whom an auditor trusts: the policy file that says which checkpoints count.

Rules that hold here (C2SP tlog-policy, at commit 5ba5ee8):

* Lines are ``log <vkey> [<url>]``, ``witness <name> <vkey> [<url>]``,
  ``group <name> all|any|<k> <name>…`` and exactly one ``quorum <name>|none``; empty lines and lines
  that begin with ``#`` are ignored. Items are separated by spaces and tabs.
* A group, and the quorum, name only what stands on lines before. A name is defined once, and is a
  member of at most one group, so that each witness counts in one way only.
* A checkpoint counts when one of the logs signed it, under its own origin, and the quorum's
  witnesses cosigned it. Names are opaque bytes: read as Latin-1, which keeps every byte.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ledger.checkpoint import Checkpoint, parse_text
from ledger.cosignature import CosignatureVerifier
from ledger.errors import BylagError, ErrorKind
from ledger.note import (
    COSIGNATURE,
    ED25519,
    Ed25519Verifier,
    MalformedNote,
    Note,
    UnverifiedNote,
    VerifierKey,
    parse_verifier_key,
    verify,
)

MAX_POLICY_BYTES: Final = 1 << 20
MAX_LINES: Final = 1024
NONE: Final = "none"

_FORBIDDEN: Final = re.compile(rb"[^\t\n\x20-\x7e\x80-\xff]")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,3}")


class MalformedPolicy(BylagError):
    """The bytes are not a trust policy; ``field`` is the line."""

    code = "MALFORMED_TRUST_POLICY"
    default_next_step = "Correct the line that the message names; see C2SP tlog-policy."


class NoQuorum(BylagError):
    """The witnesses that the policy asks for have not cosigned the checkpoint."""

    code = "NO_QUORUM"
    kind = ErrorKind.UNAUTHENTICATED
    default_next_step = "Ask the log for a checkpoint with more cosignatures."


@dataclass(frozen=True, slots=True)
class Group:
    """At least ``threshold`` of the members, each a witness or another group."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a checkpoint counts: the log that signed it and the policy's witnesses that cosigned it."""

    checkpoint: Checkpoint
    log: VerifierKey
    witnesses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """The logs and witnesses that a reader trusts, and how many of them it asks for."""

    logs: tuple[VerifierKey, ...]
    witnesses: Mapping[str, VerifierKey]
    groups: Mapping[str, Group]
    quorum: str

    def check(self, note: Note) -> Verdict:
        """Verify a checkpoint's note against this policy.

        Raises :class:`~ledger.note.UnverifiedNote` when no log of the policy signed it,
        :class:`NoQuorum` when too few witnesses did, ``MalformedCheckpoint`` for other text.
        """
        signed = verify(note, [Ed25519Verifier(key) for key in self.logs])
        checkpoint = parse_text(note.text)
        signers = {(signature.name, signature.key_id) for signature in signed}
        log = next(
            (key for key in self.logs if (key.name, key.key_id) in signers and key.name == checkpoint.origin),
            None,
        )
        if log is None:
            raise UnverifiedNote("the checkpoint's origin is not the name of the key that signed it")
        cosigned = self._cosigned(note)
        if self.quorum != NONE and not self._satisfied(self.quorum, cosigned):
            raise NoQuorum(f"the checkpoint is cosigned by {len(cosigned)} witnesses, short of the quorum")
        return Verdict(checkpoint, log, tuple(sorted(cosigned)))

    def _cosigned(self, note: Note) -> set[str]:
        names = {(key.name, key.key_id): name for name, key in self.witnesses.items()}
        present = [each for each in note.signatures if (each.name, each.key_id) in names]
        if not present:
            return set()
        good = verify(note, [CosignatureVerifier(key) for key in self.witnesses.values()])
        return {names[each.name, each.key_id] for each in good}

    def _satisfied(self, name: str, cosigned: set[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in cosigned
        return sum(self._satisfied(member, cosigned) for member in group.members) >= group.threshold


def trusting(key: VerifierKey) -> Policy:
    """The policy of somebody who trusts one log's key and asks for no witness."""
    return Policy((key,), {}, {}, NONE)


def parse_policy(data: bytes) -> Policy:
    """Read a policy file. Raises :class:`MalformedPolicy`, naming the line."""
    if len(data) > MAX_POLICY_BYTES or data.count(b"\n") > MAX_LINES:
        raise MalformedPolicy(f"a policy has at most {MAX_LINES} lines and {MAX_POLICY_BYTES} bytes")
    if data and not data.endswith(b"\n"):
        raise MalformedPolicy("the last line does not end in a newline")
    if _FORBIDDEN.search(data):
        raise MalformedPolicy("the policy holds a control character")
    reader = _Reader()
    for number, line in enumerate(data.decode("latin-1").split("\n"), start=1):
        items = [item for item in re.split(r"[ \t]+", line) if item]
        if items and not items[0].startswith("#"):
            reader.line(items, f"line {number}")
    return reader.finish()


class _Reader:
    """Takes a policy's lines in order."""

    def __init__(self) -> None:
        self._logs: list[VerifierKey] = []
        self._witnesses: dict[str, VerifierKey] = {}
        self._groups: dict[str, Group] = {}
        self._members: set[str] = set()
        self._quorum: str | None = None

    def line(self, items: list[str], where: str) -> None:
        keyword, rest = items[0], items[1:]
        if keyword == "log" and len(rest) in {1, 2}:
            self._logs.append(self._key(rest[0], ED25519, [key.public for key in self._logs], where))
        elif keyword == "witness" and len(rest) in {2, 3}:
            others = [key.public for key in self._witnesses.values()]
            self._define(rest[0], where)
            self._witnesses[rest[0]] = self._key(rest[1], COSIGNATURE, others, where)
        elif keyword == "group" and len(rest) >= 3:
            self._group(rest[0], rest[1], tuple(rest[2:]), where)
        elif keyword == "quorum" and len(rest) == 1:
            self._set_quorum(rest[0], where)
        else:
            raise MalformedPolicy("not a log, witness, group or quorum line", field=where)

    def finish(self) -> Policy:
        if self._quorum is None:
            raise MalformedPolicy("the policy has no quorum line")
        return Policy(tuple(self._logs), self._witnesses, self._groups, self._quorum)

    def _key(self, text: str, kind: int, others: list[bytes], where: str) -> VerifierKey:
        try:
            key = parse_verifier_key(text.encode("latin-1").decode("utf-8"))
        except (MalformedNote, UnicodeDecodeError) as error:
            raise MalformedPolicy(f"not a verifier key: {error}", field=where) from error
        if key.type != kind:
            raise MalformedPolicy(f"keys of type {key.type:#04x} do not sign this", field=where)
        if key.public in others:
            raise MalformedPolicy("this public key stands in the policy already", field=where)
        return key

    def _define(self, name: str, where: str) -> None:
        if name == NONE or name in self._witnesses or name in self._groups:
            raise MalformedPolicy("this name is taken", field=where)

    def _group(self, name: str, threshold: str, members: tuple[str, ...], where: str) -> None:
        self._define(name, where)
        for member in members:
            if member not in self._witnesses and member not in self._groups:
                raise MalformedPolicy("a group's member is defined on a line before", field=where)
            if member in self._members:
                raise MalformedPolicy("a name is a member of one group, once", field=where)
            self._members.add(member)
        words = {"any": 1, "all": len(members)}
        if threshold not in words and not _NUMBER.fullmatch(threshold):
            raise MalformedPolicy("a threshold is all, any or a decimal number", field=where)
        least = words[threshold] if threshold in words else int(threshold)
        if not 1 <= least <= len(members):
            raise MalformedPolicy(f"a group of {len(members)} cannot ask for {least}", field=where)
        self._groups[name] = Group(least, members)

    def _set_quorum(self, name: str, where: str) -> None:
        if self._quorum is not None:
            raise MalformedPolicy("a policy has one quorum line", field=where)
        if name != NONE and name not in self._witnesses and name not in self._groups:
            raise MalformedPolicy("the quorum is defined on a line before", field=where)
        self._quorum = name
