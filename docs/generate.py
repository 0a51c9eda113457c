"""Writes the generated parts of these pages: ``python docs/generate.py``.

Rules that hold here: a generated part stands between two comments that name it, and comes from the code
alone, by introspection or by reading the source. ``tests/test_docs.py`` compares pages and code, so a
page cannot say what was true once. What a table means is written by hand around it.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import connector
import ledger
from ledger.errors import BylagError, ErrorKind

REPOSITORY: Final = Path(__file__).resolve().parent.parent
REFERENCE: Final = REPOSITORY / "docs" / "reference"
_WITHOUT_ERRORS: Final = ("connector.v1", "connector.store.migrations", "connector.demo.data")

LIMITS: Final = (
    ("connector.peer.convert:MAX_MESSAGE_BYTES", "bytes of one gRPC message that a connector is sent"),
    ("connector.peer.server:MAX_ANSWER_BYTES", "bytes of one gRPC message in answer"),
    ("connector.peer.allowance:OPEN_CALLS", "calls of one peer that may be open, in each lane"),
    ("connector.peer.allowance:CALLS_A_SECOND", "calls a second that one peer may begin, in each lane"),
    ("connector.peer.allowance:BURST", "calls that it may begin at once"),
    ("connector.peer.client:UNARY_SECONDS", "seconds until a caller gives up a unary call"),
    ("connector.peer.stream:HEARTBEAT_SECONDS", "seconds between the heartbeats on a stream"),
    ("connector.peer.stream:IDLE_SECONDS", "seconds of silence after which a stream is over"),
    ("connector.peer.services:LISTS_AT_ONCE", "membership lists in one answer"),
    ("connector.catalog.listing:MAX_PAGE_ENTRIES", "datasets on one page of a catalogue"),
    ("connector.catalog.listing:MAX_PAGE_BYTES", "bytes of one page of a catalogue"),
    ("connector.store.outbox:MAX_NOTICE_BYTES", "bytes of one notice in an outbox"),
    ("connector.contract.messages:MAX_BYTES", "bytes of one signed message of a negotiation"),
    ("connector.contract.negotiation:MAX_PROPOSALS", "requests and offers in one negotiation"),
    ("connector.exchange.conversation:MAX_MESSAGE_BYTES", "bytes of one signed message of an exchange"),
    ("connector.exchange.messages:MAX_FRAME_BYTES", "bytes of one frame"),
    ("connector.exchange.messages:MAX_WINDOW_BYTES", "bytes of one window"),
    ("connector.exchange.admission:LARGEST_SKEW_MS", "milliseconds that two clocks may differ"),
    ("connector.exchange.admission:LONGEST_DEADLINE_MS", "milliseconds that a deadline may lie ahead"),
    ("connector.exchange.admission:OFFER_LASTS_MS", "milliseconds for which an Offer stands"),
    ("connector.source.selection:MAX_SELECTION_BYTES", "bytes of a selection"),
    ("connector.exchange.answering:MAX_QUESTION_BYTES", "bytes of a question in a query session"),
    ("connector.exchange.answering:QUESTIONS_A_WINDOW", "questions in one window of a query session"),
    (
        "connector.exchange.gathering:WINDOW_SECONDS",
        "seconds after its first row until a window of a subscription closes",
    ),
    ("connector.exchange.waiting:COLLECT_SECONDS", "seconds that a request waits for a provider to dial"),
    ("connector.exchange.shelf:LOOKUP_ROWS", "rows in one answer of a query session"),
    ("ledger.canonical:MAX_DEPTH", "levels that a JSON document may nest, unless it says less"),
    ("ledger.leaf:MAX_LEAF_BYTES", "bytes of a leaf"),
    ("ledger.side:MAX_ROW_BYTES", "bytes of a side row"),
)
"""What the wire and the log bound, each by the constant that bounds it."""


def parts() -> dict[str, tuple[Path, Callable[[], str]]]:
    """Every generated part: its page, and what writes it."""
    return {
        "errors": (REFERENCE / "errors.md", errors),
        "statuses": (REFERENCE / "errors.md", statuses),
        "reasons": (REFERENCE / "errors.md", reasons),
        "calls": (REFERENCE / "wire.md", calls),
        "limits": (REFERENCE / "wire.md", limits),
        "events": (REFERENCE / "leaf.md", events),
        "templates": (REFERENCE / "explaining.md", templates),
    }


def replaced(page: str, name: str, content: str) -> str:
    """``page`` with the part ``name`` written anew. Raises ValueError when the page has no such part."""
    begin, end = f"<!-- generated: {name} -->", f"<!-- end of {name} -->"
    pattern = re.compile(re.escape(begin) + r"\n.*?" + re.escape(end), re.DOTALL)
    if len(pattern.findall(page)) != 1:
        raise ValueError(f"the page does not have the part {name} once")
    return pattern.sub(lambda _: f"{begin}\n{content}\n{end}", page)


def error_classes() -> list[type[BylagError]]:
    """Every error that has a code of its own, by code."""
    for package in (connector, ledger):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.startswith(_WITHOUT_ERRORS) and not module.name.endswith(".__main__"):
                importlib.import_module(module.name)
    importlib.import_module("ledger.__main__")
    own = [error for error in _subclasses(BylagError) if "code" in vars(error)]
    ours = {error for error in own if error.__module__.partition(".")[0] in ("connector", "ledger")}
    return sorted(ours, key=lambda error: (error.code, error.__module__))


def errors() -> str:
    """Every error: its code, kind, what it says, what to do, and where it is."""
    lines = ["| code | kind | what is wrong | what to do | type |", "|---|---|---|---|---|"]
    for error in error_classes():
        where = f"`{error.__module__}.{error.__name__}`"
        lines.append(
            f"| `{error.code}` | {error.kind.value} | {_first_sentence(error)} "
            f"| {_cell(error.default_next_step)} | {where} |"
        )
    return "\n".join(lines)


def statuses() -> str:
    """What each kind of error is at the edges that there are."""
    from connector.cli.failing import STATUSES  # noqa: PLC0415
    from connector.peer.status import status_of  # noqa: PLC0415  # loads grpc

    lines = ["| kind | meaning | gRPC status | exit status |", "|---|---|---|---|"]
    meanings = _documented(ErrorKind)
    for kind in ErrorKind:
        error = type("Sample", (BylagError,), {"kind": kind})("sample")
        status = status_of(error)[0].name
        lines.append(f"| {kind.value} | {_cell(meanings[kind.name])} | `{status}` | {STATUSES[kind]} |")
    return "\n".join(lines)


def reasons() -> str:
    """Every code that the rulebook gives, with its sentence."""
    from connector.policy.wording import DEFAULT_LANGUAGE, SENTENCES  # noqa: PLC0415

    lines = ["| code | in words |", "|---|---|"]
    return "\n".join(
        [*lines, *(f"| `{code}` | {_cell(words)} |" for code, words in SENTENCES[DEFAULT_LANGUAGE].items())]
    )


def templates() -> str:
    """Every template: when to use it, and its parameters."""
    from connector.policy.template import Parameter  # noqa: PLC0415
    from connector.policy.templates import TEMPLATES  # noqa: PLC0415

    def said(parameter: Parameter) -> str:
        if parameter.default is None:
            return f"`{parameter.name}` ({parameter.type.value}, may be left out)"
        is_choice = isinstance(parameter.default, bool)
        shown = "no" if is_choice else str(parameter.default).rpartition("#")[2]
        return f"`{parameter.name}` ({parameter.type.value}, {shown})"

    lines = ["| template | when to use it | parameters, with their defaults |", "|---|---|---|"]
    for each in TEMPLATES.values():
        parameters = "; ".join(said(parameter) for parameter in each.parameters)
        lines.append(f"| `{each.name}` | **{each.title}.** {_cell(each.when)} | {parameters} |")
    return "\n".join(lines)


def calls() -> str:
    """Every call that a connector answers: what it needs, how long it may take, what it is for."""
    from connector.peer.rules import RULES  # noqa: PLC0415

    said = dict(_rpc_comments())
    lines = ["| call | standing needed | seconds | what it does |", "|---|---|---|---|"]
    for method, rule in RULES.items():
        seconds = "stream" if rule.seconds is None else f"{rule.seconds:g}"
        what = said.get(method, "gRPC's own")
        lines.append(f"| `{method[1:]}` | {rule.standing.value} | {seconds} | {what} |")
    return "\n".join(lines)


def limits() -> str:
    """Every limit of :data:`LIMITS` with its value today."""
    lines = ["| what | limit | where it stands |", "|---|---|---|"]
    for place, what in LIMITS:
        module, _, name = place.partition(":")
        value = getattr(importlib.import_module(module), name)
        lines.append(f"| {what} | {_number(value)} | `{module}.{name}` |")
    return "\n".join(lines)


def events() -> str:
    """Which event types this version writes, and which it only reserves."""
    from ledger.leaf import TYPES  # noqa: PLC0415

    written = written_events() & TYPES
    return "\n".join(
        (
            f"**Written by this version:** {_listed(written)}.",
            "",
            f"**Reserved for later, and read already:** {_listed(TYPES - written)}.",
        )
    )


def written_events() -> set[str]:
    """The types of all records that some line of the code makes, found in the source.

    A record is made by ``record(transaction, "type", …)``, by a message that is said (its type is the
    message's, or ``leaf=``), or by ``build("type", …)``.
    """
    from connector.exchange.messages import BODIES  # noqa: PLC0415

    bodies = {body.__name__: kind for kind, body in BODIES.items()}
    found: set[str] = set()
    for path in (*sorted((REPOSITORY / "connector").rglob("*.py")), REPOSITORY / "ledger" / "log.py"):
        is_exchange = path.parent.name == "exchange" and path.name != "messages.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                found |= _events_of(node, bodies if is_exchange else {})
    return found


def _events_of(call: ast.Call, bodies: dict[str, str]) -> set[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    found = {_text(keyword.value) for keyword in call.keywords if keyword.arg == "leaf"}
    if name == "record":
        found |= {_text(argument) for argument in call.args[1:2]}
    elif name == "build":
        found |= {_text(argument) for argument in call.args[:1]}
    elif name in bodies:
        found.add(bodies[name])
    return found - {""}


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _subclasses(error: type[BylagError]) -> Iterator[type[BylagError]]:
    for below in error.__subclasses__():
        yield below
        yield from _subclasses(below)


def _first_sentence(error: type[BylagError]) -> str:
    words = " ".join((inspect.getdoc(error) or "").split("\n\n")[0].split())
    return _cell(re.sub(r":\w+:`~?([\w.]+)`", r"`\1`", words).replace("``", "`"))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _documented(kind: type[Any]) -> dict[str, str]:
    """The docstring that follows each member of an enumeration."""
    tree = ast.parse(inspect.getsource(kind))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    found: dict[str, str] = {}
    for member, words in pairwise(body):
        if isinstance(member, ast.Assign) and isinstance(words, ast.Expr):
            found[getattr(member.targets[0], "id", "")] = " ".join(_text(words.value).split())
    return found


def _rpc_comments() -> Iterator[tuple[str, str]]:
    for path in sorted((REPOSITORY / "proto").rglob("*.proto")):
        service, comment = "", ""
        for line in map(str.strip, path.read_text("utf-8").splitlines()):
            if line.startswith("//"):
                comment = f"{comment} {line[2:].strip()}".strip()
                continue
            if opened := re.match(r"service (\w+)", line):
                service = opened[1]
            if rpc := re.match(r"rpc (\w+)\(", line):
                yield f"/connector.v1.{service}/{rpc[1]}", comment
            comment = ""


def _number(value: float) -> str:
    if isinstance(value, int):
        for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
            if value >= 1 << shift and value % (1 << shift) == 0:
                return f"{value >> shift} {unit}"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _listed(names: set[str] | frozenset[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "none"


def main() -> None:
    """Write every part into its page."""
    for name, (page, write) in parts().items():
        page.write_text(replaced(page.read_text("utf-8"), name, write()), "utf-8")


if __name__ == "__main__":
    main()
