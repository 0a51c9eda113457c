"""Reading JSON-LD that was written as ODRL: members by their term, values in any of their spellings.

Rules that hold here:

* No context is fetched and none is interpreted: a context may name one that is known here or repeat a
  known prefix. So no context can change what a member means.
* A member may be a plain term (``permission``), prefixed (``odrl:permission``) or a full IRI; twice in
  one object is refused, whatever the spelling.
* Every member is taken by whoever reads the object, or refused by name: :meth:`Node.finish`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from connector.policy.errors import MalformedPolicy, PolicyRefused, shown
from connector.policy.values import identifier
from connector.policy.vocabulary import CONTEXTS, CORE_TERMS, PREFIXES, RDF, XSD, expand, local_name
from ledger.canonical import JSON

MAX_VALUES: Final = 1024
_KEYWORDS: Final = {"@id": "uid", "@type": "@type", RDF + "type": "@type", "@context": "@context"}

Gate: TypeAlias = Callable[[str, str], None]
"""Called with each term and where it stands; raises PolicyRefused for a term that is not enforced."""


class Node:
    """One JSON object being read. ``path`` is where it stands, in the document's own spelling."""

    def __init__(self, value: JSON, path: str, gate: Gate) -> None:
        if not isinstance(value, dict):
            raise MalformedPolicy("not a JSON object", field=path or "policy")
        self.path = path
        self.gate = gate
        self._members: dict[str, tuple[str, JSON]] = {}
        for key, member in value.items():
            term = _term(key)
            if term in self._members:
                raise MalformedPolicy("the same member stands twice, in two spellings", field=self.at(key))
            self._members[term] = (key, member)

    def at(self, key: str) -> str:
        """The path of one of this object's members."""
        return f"{self.path}.{shown(key)}" if self.path else shown(key)

    def has(self, term: str) -> bool:
        return term in self._members

    def path_of(self, term: str) -> str:
        """Where ``term`` stands, or would stand."""
        return self.at(self._members[term][0] if term in self._members else term)

    def all(self, term: str) -> list[tuple[JSON, str]]:
        """All values of ``term`` with their paths; takes the member."""
        if term not in self._members:
            return []
        key, value = self._members.pop(term)
        path = self.at(key)
        if isinstance(value, dict) and set(value) == {"@list"}:
            value, path = value["@list"], f"{path}.@list"
        if not isinstance(value, list):
            return [(value, path)]
        if len(value) > MAX_VALUES:
            raise MalformedPolicy(f"more than {MAX_VALUES} values", field=path)
        return [(item, f"{path}[{index}]") for index, item in enumerate(value)]

    def one(self, term: str) -> tuple[JSON, str] | None:
        """The single value of ``term`` with its path, or None; takes the member."""
        path = self.path_of(term)
        values = self.all(term)
        if len(values) > 1:
            raise MalformedPolicy("one value is allowed here", field=path)
        return values[0] if values else None

    def name(self, term: str) -> str | None:
        """The single identifier that ``term`` gives, or None; takes the member."""
        found = self.one(term)
        return None if found is None else iri(*found)

    def required(self, term: str) -> tuple[JSON, str]:
        """The single value of ``term`` with its path; takes the member."""
        path = self.path_of(term)
        found = self.one(term)
        if found is None:
            raise MalformedPolicy("missing", field=path)
        return found

    def check_class(self, allowed: tuple[str, ...]) -> str:
        """The object's ``@type``, which must be one of ``allowed``; the first where none is stated."""
        found = self.one("@type")
        if found is None:
            return allowed[0]
        name = term(*found)
        if name not in allowed:
            raise MalformedPolicy(f"expected a {' or a '.join(allowed)}", field=found[1])
        self.gate(name, found[1])
        return name

    def finish(self) -> None:
        """Refuse what nobody took: nothing in a policy is ignored."""
        for term, (key, _) in self._members.items():
            if term in CORE_TERMS:
                self.gate(term, self.at(key))
                raise MalformedPolicy(f"'{term}' has no place here", field=self.at(key))
            raise PolicyRefused(
                shown(term),
                self.at(key),
                "Remove it; what it should mean belongs into a term that bylag knows, or into the prose.",
            )


def check_context(context: JSON, path: str) -> None:
    """Refuse a context that is not known here, or that gives a prefix another meaning."""
    for entry in context if isinstance(context, list) else [context]:
        if isinstance(entry, str) and entry in CONTEXTS:
            continue
        if isinstance(entry, dict) and all(_repeats_prefix(name, iri) for name, iri in entry.items()):
            continue
        raise PolicyRefused(
            "@context",
            path,
            "Use http://www.w3.org/ns/odrl.jsonld, the Dataspace Protocol's context, or none.",
        )


def iri(value: JSON, path: str) -> str:
    """An identifier: a string, or an object with ``@id`` (or ``uid``) alone. Known prefixes are expanded."""
    if isinstance(value, dict):
        keys = set(value)
        if keys not in ({"@id"}, {"uid"}):
            raise MalformedPolicy("expected an identifier", field=path)
        value = value[keys.pop()]
    return expand(identifier(value, path))


def term(value: JSON, path: str) -> str:
    """A term of a vocabulary, as its local name (``odrl:use``, ``use`` and the full IRI are ``use``)."""
    return local_name(iri(value, path))


def typed(value: JSON, path: str) -> tuple[JSON, str | None]:
    """A literal's value and its stated type, if any."""
    if not isinstance(value, dict):
        return value, None
    if "@id" in value or "uid" in value:
        return iri(value, path), None
    if "@value" not in value or set(value) - {"@value", "@type"}:
        raise MalformedPolicy("expected a value, or an object of @value and @type", field=path)
    stated = value.get("@type")
    return value["@value"], None if stated is None else type_iri(stated, f"{path}.@type")


def type_iri(value: JSON, path: str) -> str:
    """A datatype's full IRI."""
    name = iri(value, path)
    return name if ":" in name else XSD + name


def _term(key: str) -> str:
    iri_form = expand(key)
    return _KEYWORDS.get(key) or _KEYWORDS.get(iri_form) or local_name(iri_form)


def _repeats_prefix(name: str, meaning: JSON) -> bool:
    return isinstance(meaning, str) and PREFIXES.get(name) == meaning
