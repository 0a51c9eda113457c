"""Step 6 of a verification: what was handed over beside the leaves.

Rules that hold here:

* An opening counts for the member it is named for, and must open that member's commitment. What it
  opens is put in the member's place for the steps that follow; what was not handed over stays closed.
* A signed message handed over must be the one that the leaf names by hash, must not say something
  else than the leaf (sender, recipient, data space, exchange, attempt, number), and its signature
  must fit the sender's key on the membership list.
* A log's writer who is a person is committed to, the same in every leaf: opened in one, it is open in
  all that follow.
* A message whose signer is not on the list is *open*, unless their controller's credential was handed
  over (``ledger.guests``): a citizen's key is known to one controller only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledger.canonical import JSON, JSONObject, MalformedJson, decode
from ledger.commitment import BadOpening, Opening, opens, read_opening
from ledger.document import BadSignature, SignedDocument, header_of, verify
from ledger.errors import BylagError
from ledger.folder import Row
from ledger.members import Members
from ledger.report import Step
from ledger.side import DamagedRow, signed_from_json


@dataclass(frozen=True, slots=True)
class Message:
    """A signed message as one log records it: who said it, and under which number it was promised."""

    index: int
    scope: str
    hash: str
    own: bool
    sender: str | None
    promised: tuple[str, int] | None
    """(agreement, aseq) in the sender's log, where the whole message was handed over."""


Seen = Callable[[Message], None]


class RowReader:
    """Checks the side rows of one log's leaves."""

    def __init__(self, step: Step, members: Members | None, seen: Seen | None) -> None:
        self._step = step
        self._members = members
        self._seen = seen
        self._writer: tuple[JSON, JSON] | None = None
        """The commitment that stands for a person who writes the log, and who that is."""

    @property
    def writer(self) -> str | None:
        """A person who writes the log, where a row opened who it is."""
        return did_of(self._writer[1]) if self._writer is not None else None

    def open(self, index: int, leaf: JSONObject, rows: Sequence[Row]) -> JSONObject:
        """The leaf with everything that ``rows`` open put in its place."""
        where = f"leaf {index}"
        opened = dict(leaf)
        if self._writer is not None and self._writer[0] == leaf["by"]:
            opened["by"] = self._writer[1]
        messages: dict[str, SignedDocument] = {}
        for row in rows:
            self._step.checked += 1
            openings = row.content.get("openings", {})
            if not isinstance(openings, dict):
                self._step.wrong(where, "its openings are not an object")
                continue
            for name, content in openings.items():
                self._open_member(where, leaf, opened, name, content)
            for name in ("said", "heard"):
                if name in row.content:
                    self._take(where, messages, name, row.content[name])
        if self._writer is None and opened["by"] != leaf["by"]:
            self._writer = leaf["by"], opened["by"]
        for name, document in messages.items():
            self._check_message(where, opened, name, document)
        self._tell(index, opened, messages)
        return opened

    def _open_member(
        self, where: str, leaf: JSONObject, opened: JSONObject, name: str, content: JSON
    ) -> None:
        commitment = _commitment(leaf, name)
        if commitment is None:
            self._step.wrong(where, f"nothing in the leaf is committed to as {name[:32]}")
            return
        try:
            opening = read_opening(name, content)
        except BadOpening as error:
            self._step.wrong(where, str(error))
            return
        if not opens(opening, commitment):
            self._step.wrong(where, f"the opening of {name} does not open the commitment")
        elif isinstance(leaf.get(name), dict):
            opened[name] = _opened_value(opening, leaf[name])

    def _take(self, where: str, messages: dict[str, SignedDocument], name: str, content: JSON) -> None:
        try:
            messages[name] = signed_from_json(content)
        except DamagedRow as error:
            self._step.wrong(where, str(error))

    def _check_message(self, where: str, leaf: JSONObject, name: str, document: SignedDocument) -> None:
        try:
            digest, content, kind = document.digest, document.content(), header_of(document.jws).kind
        except BylagError as error:
            self._step.wrong(where, f"the message {name} cannot be read: {error}")
            return
        named, signature = _named(leaf, name)
        if named != digest:
            self._step.wrong(where, f"the message {name} is not the one that the leaf names")
        if signature is not None and signature != document.jws.rpartition(".")[2]:
            self._step.wrong(where, f"the message {name} carries another signature than the leaf")
        sender = did_of(leaf["by"] if name == "said" else leaf.get("with"))
        for member, expected in _expected(leaf, name).items():
            if expected is not None and content.get(member, expected) != expected:
                self._step.wrong(where, f"the message {name} has another {member} than the leaf")
        self._check_signature(f"{where}, message {name}", document, kind, sender, leaf["time"])

    def _check_signature(
        self, where: str, document: SignedDocument, kind: str, sender: str | None, time: JSON
    ) -> None:
        if self._members is None:
            return  # step 5 says that no signature can be checked
        when = time if isinstance(time, int) else None
        key = self._members.find(sender, document.kid, when) if sender is not None else None
        if key is None:
            self._step.open(where, "its key is not on the list: a person's, or unknown")
            return
        try:
            verify(document, kind, key.public)
        except (BadSignature, MalformedJson) as error:
            self._step.wrong(where, str(error))
            return
        complaint = key.complaint(when) if when is not None else None
        if complaint is not None:
            self._step.open(where, complaint)

    def _tell(self, index: int, leaf: JSONObject, messages: dict[str, SignedDocument]) -> None:
        scope = leaf.get("exchange") or leaf.get("negotiation")
        if self._seen is None or not isinstance(scope, str):
            return
        for name, own in (("said", True), ("heard", False)):
            digest, _ = _named(leaf, name)
            if digest is not None:
                sender = did_of(leaf["by"] if own else leaf.get("with"))
                self._seen(Message(index, scope, digest, own, sender, _promise(messages.get(name))))


def did_of(party: JSON) -> str | None:
    """An organisation's did, None for a person or nobody."""
    did = party.get("org") if isinstance(party, dict) else None
    return did if isinstance(did, str) else None


def _expected(leaf: JSONObject, name: str) -> dict[str, JSON]:
    """What a message must say where it says it at all."""
    by, counterpart = did_of(leaf["by"]), did_of(leaf.get("with"))
    said = name == "said"
    exchange = leaf.get("exchange")
    return {
        "sender": by if said else counterpart,
        "recipient": counterpart if said else by,
        "space": leaf["space"],
        "exchange": exchange if isinstance(exchange, str) else None,
        "attempt": leaf.get("attempt"),
        "aseq": leaf["aseq"] if said else None,
    }


def _named(leaf: JSONObject, name: str) -> tuple[str | None, str | None]:
    """The hash and signature of the message that the leaf names, None where they are closed."""
    value = leaf.get("message") if name == "said" else leaf.get("counterpart")
    signature = None
    if isinstance(value, dict):
        signature, value = value.get("signature"), value.get("message")
    return (
        value if isinstance(value, str) else None,
        signature if isinstance(signature, str) else None,
    )


def _commitment(leaf: JSONObject, name: str) -> str | None:
    """The commitment that a leaf holds for ``name``: in that member, or under ``commitments``."""
    member = leaf.get(name)
    if isinstance(member, dict) and isinstance(member.get("commitment"), str):
        return str(member["commitment"])
    several = leaf.get("commitments")
    value = several.get(name) if isinstance(several, dict) else None
    return value if isinstance(value, str) else None


def _opened_value(opening: Opening, closed: JSON) -> JSON:
    """What stands in a member once it is opened; values that are not JSON stay closed."""
    try:
        return decode(opening.value)
    except MalformedJson:
        return closed


def _promise(document: SignedDocument | None) -> tuple[str, int] | None:
    if document is None:
        return None
    try:
        content = document.content()
    except MalformedJson:
        return None
    agreement, aseq = content.get("agreement"), content.get("aseq")
    return (agreement, aseq) if isinstance(agreement, str) and type(aseq) is int else None
