"""A policy as a person hands it over: a file, and beside it the files of the policies that it inherits from.

Rules that hold here:

* A file is JSON-LD, or Turtle where its name ends in ``.ttl`` (for that the extra ``turtle`` is needed).
* Parents come along in any order, each under its own id (``uid``). One that is missing refuses the child;
  one that nobody inherits from is refused, too: somebody meant something by it.
* What comes out is one policy in JSON-LD that stands alone: its parents' rules are written into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.policy.errors import MalformedPolicy
from connector.policy.normal import NormalPolicy
from connector.policy.parse import MAX_DOCUMENT_BYTES, MAX_DOCUMENT_DEPTH, inherits_from, normalise
from connector.policy.printing import as_odrl
from connector.policy.turtle import document_of
from ledger.canonical import JSONObject, decode_object


@dataclass(frozen=True, slots=True)
class File:
    """A file's name, which says its form, and its content."""

    name: str
    content: bytes


def document_in(file: File) -> JSONObject:
    """The policy in a file, as JSON-LD.

    Raises ``MalformedJson``, :class:`MalformedPolicy` or ``TurtleUnavailable``.
    """
    if file.name.lower().endswith(".ttl"):
        return document_of(file.content)
    return decode_object(file.content, max_bytes=MAX_DOCUMENT_BYTES, max_depth=MAX_DOCUMENT_DEPTH)


def with_parents(file: File, parents: Sequence[File]) -> JSONObject:
    """The policy in ``file``, with the rules of ``parents`` written into it.

    Raises what :func:`document_in` raises, and ``PolicyRefused`` for a term that is not enforced or a parent
    that is not at hand.
    """
    document = document_in(file)
    if not parents:
        return document
    known: dict[str, NormalPolicy] = {}
    named = set(inherits_from(document))
    waiting = [(parent.name, document_in(parent)) for parent in parents]
    while waiting:
        ready = [each for each in waiting if known.keys() >= set(inherits_from(each[1]))] or waiting
        for name, parent in ready:
            named |= set(inherits_from(parent))
            policy = normalise(parent, parents=known)
            if policy.id is None or policy.id in known:
                raise MalformedPolicy(f"{name} needs a uid of its own, to be inherited from", field="uid")
            known[policy.id] = policy
        waiting = [each for each in waiting if each not in ready]
    if unused := sorted(known.keys() - named):
        raise MalformedPolicy(f"nothing inherits from {unused[0]}", field="inheritFrom")
    return as_odrl(normalise(document, parents=known))
