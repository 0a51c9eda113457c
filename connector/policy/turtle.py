"""ODRL in Turtle as the same policy in JSON-LD, for the one reader that there is.

Rules that hold here:

* Turtle is read by rdflib, which the extra ``turtle`` brings. Nothing is fetched: Turtle names no contexts.
* One policy a document. Whatever the policy's graph says is handed to the reader, which refuses by name
  what it does not know; a statement that the policy does not lead to is refused, not left out.
* Size and depth are bounded. Blank nodes have no names; a list keeps its order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from connector.policy.errors import MalformedPolicy, TurtleUnavailable
from connector.policy.parse import MAX_DOCUMENT_BYTES, MAX_DOCUMENT_DEPTH
from connector.policy.vocabulary import ODRL, OTHER_POLICY_CLASSES, POLICY_KINDS, RDF
from ledger.canonical import JSON, JSONObject

if TYPE_CHECKING:
    from rdflib import Graph
    from rdflib.term import Node

MAX_STATEMENTS: Final = 20_000
_NO_TURTLE: Final = (
    SyntaxError, ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError,
)  # fmt: skip
"""What rdflib raises for what is not Turtle: of a document that breaks off, an IndexError, and so on."""
_POLICY_CLASSES: Final = frozenset({*POLICY_KINDS, *OTHER_POLICY_CLASSES})


def graph_of(data: bytes) -> Graph:
    """The statements of a Turtle document of bounded size.

    Raises :class:`~connector.policy.errors.TurtleUnavailable` without rdflib, :class:`MalformedPolicy` for
    what is no Turtle.
    """
    try:
        from rdflib import Graph  # noqa: PLC0415 - the extra, and slow to load
    except ImportError as error:
        raise TurtleUnavailable("reading Turtle needs rdflib") from error
    if len(data) > MAX_DOCUMENT_BYTES:
        raise MalformedPolicy(f"more than {MAX_DOCUMENT_BYTES} bytes", field="policy")
    graph = Graph()
    try:
        graph.parse(data=data, format="turtle", publicID="urn:bylag:document")
    except _NO_TURTLE as error:
        raise MalformedPolicy("not Turtle", field="policy") from error
    if len(graph) > MAX_STATEMENTS:
        raise MalformedPolicy(f"more than {MAX_STATEMENTS} statements", field="policy")
    return graph


def document_of(data: bytes) -> JSONObject:
    """The one policy of a Turtle document, as JSON-LD for ``normalise``."""
    graph = graph_of(data)
    subjects = [subject for subject in sorted(set(graph.subjects()), key=str) if _is_policy(graph, subject)]
    if len(subjects) != 1:
        raise MalformedPolicy("not exactly one policy", field="policy")
    reader = _Reader(graph)
    document = reader.node(subjects[0], 0)
    if reader.seen != set(graph.subjects()):
        raise MalformedPolicy(
            "a statement that is no part of the policy", field="policy", next_step="Take it out of the file."
        )
    return document


class _Reader:
    """Reads a graph from the policy on; remembers what it came by."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._nodes = 0
        self.seen: set[Node] = set()

    def node(self, subject: Node, depth: int) -> JSONObject:
        """One subject with all that is said of it."""
        from rdflib import BNode  # noqa: PLC0415 - loaded by now

        self._nodes += 1  # one that several others lead to is read as often
        if depth > MAX_DOCUMENT_DEPTH or self._nodes > MAX_STATEMENTS:
            raise MalformedPolicy("the policy nests too deep, or in a circle", field="policy")
        self.seen.add(subject)
        members: JSONObject = {} if isinstance(subject, BNode) else {"@id": str(subject)}
        for predicate in sorted(set(self._graph.predicates(subject)), key=str):
            objects = sorted(set(self._graph.objects(subject, predicate)), key=str)
            if str(predicate) == ODRL + "uid" and objects == [subject]:
                continue  # says again what the subject is called
            values = [self.value(one, depth) for one in objects]
            key = "@type" if str(predicate) == RDF + "type" else str(predicate)
            members[key] = values[0] if len(values) == 1 else values
        return members

    def value(self, value: Node, depth: int) -> JSON:
        """A literal, a name, a list, or a subject of its own."""
        from rdflib import BNode, Literal  # noqa: PLC0415 - loaded by now

        if isinstance(value, Literal):
            return {"@value": str(value), "@type": str(value.datatype)} if value.datatype else str(value)
        if (value, _rdf("first"), None) in self._graph:
            return {"@list": [self.value(item, depth + 1) for item in self._items(value)]}
        if (value, None, None) in self._graph:
            return self.node(value, depth + 1)
        if isinstance(value, BNode):
            raise MalformedPolicy("a blank node of which nothing is said", field="policy")
        return {"@id": str(value)}

    def _items(self, head: Node) -> list[Node]:
        items: list[Node] = []
        while head != _rdf("nil"):
            first = list(self._graph.objects(head, _rdf("first")))
            rest = list(self._graph.objects(head, _rdf("rest")))
            if len(first) != 1 or len(rest) != 1 or head in self.seen:
                raise MalformedPolicy("a list that is no list", field="policy")
            self.seen.add(head)
            items.append(first[0])
            head = rest[0]
        return items


def _is_policy(graph: Graph, subject: Node) -> bool:
    return any(
        str(kind).startswith(ODRL) and str(kind)[len(ODRL) :] in _POLICY_CLASSES
        for kind in graph.objects(subject, _rdf("type"))
    )


def _rdf(name: str) -> Node:
    from rdflib import URIRef  # noqa: PLC0415 - loaded by now

    return URIRef(RDF + name)
