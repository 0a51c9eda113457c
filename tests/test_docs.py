"""The pages say what the code does: commands, generated parts, and every table that can be compared.

What a page explains is written by hand. What it lists is compared here with the code, in both directions
where the code has a list of it. That links lead somewhere is in ``test_repository``.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from click.testing import CliRunner

from connector.cli.root import bylag
from connector.contract import messages as contract
from connector.contract.liability import STEPS, VOCABULARY, Role
from connector.contract.open_items import REASONS
from connector.exchange import messages as exchange
from connector.peer.rules import RULES
from connector.policy.wording import DEFAULT_LANGUAGE, SENTENCES
from connector.v1 import exchange_pb2
from ledger.leaf import MEMBERS, TYPES

ROOT = Path(__file__).resolve().parent.parent
DOCS, REFERENCE = ROOT / "docs", ROOT / "docs" / "reference"
README = ROOT / "README.md"
PEOPLE = [DOCS / f"{who}.md" for who in ("municipality", "company", "citizen", "auditor")]
PAGES = sorted([README, ROOT / "CONTRIBUTING.md", ROOT / "deploy" / "README.md", *DOCS.rglob("*.md")])


@cache
def read(page: Path) -> str:
    return page.read_text("utf-8")


def section(page: Path, heading: str) -> str:
    """What stands under a heading, up to the next one of the same or a higher level."""
    level = heading.partition(" ")[0]
    found = re.search(rf"^{re.escape(heading)}$\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", read(page), re.M | re.S)
    assert found is not None, f"{page.name} has no section {heading}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of every row of every table, without heads and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    bodies = [
        line
        for number, line in enumerate(lines)
        if not re.fullmatch(r"[|\s:-]+", line)
        and not re.fullmatch(r"[|\s:-]+", lines[number + 1] if number + 1 < len(lines) else "")
    ]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in bodies]


def codes(text: str) -> set[str]:
    return set(re.findall(r"`([^`\s]+)`", text))


def named(page: Path, heading: str) -> set[str]:
    """Whatever the first cells of a section's tables name."""
    return {code for row in rows(section(page, heading)) for code in codes(row[0])}


def test_every_page_can_be_found_from_the_index() -> None:
    listed = {(DOCS / path).resolve() for path in re.findall(r"\]\(([^)#\s]+)", read(DOCS / "index.md"))}
    decisions = {
        (DOCS / "decisions" / path).resolve()
        for path in re.findall(r"\]\(([^)#\s]+)", read(DOCS / "decisions" / "README.md"))
    }
    assert set(DOCS.rglob("*.md")) - {DOCS / "index.md"} <= listed | decisions
    assert DOCS / "index.md" in {
        (ROOT / path).resolve() for path in re.findall(r"\]\(([^)#\s]+)", read(README))
    }


# --- commands ----------------------------------------------------------------------------------------


def commands(page: Path) -> Iterator[str]:
    """The lines of a page's console blocks: what somebody is meant to type."""
    for block in re.findall(r"```console\n(.*?)```", read(page), re.S):
        yield from (line.strip() for line in block.replace("\\\n", " ").splitlines() if line.strip())


def mentions(page: Path) -> Iterator[str]:
    """Commands that the text names, often without all that they need."""
    text = re.sub(r"```.*?```", "", read(page), flags=re.S)
    yield from re.findall(r"`((?:bylag|make|python -m ledger) [^`…]+)`", text)


def everywhere(of: Callable[[Path], Iterator[str]]) -> list[Any]:
    found = {(page.name, line) for page in PAGES if page.name != "cli.md" for line in of(page)}
    return [pytest.param(line, id=f"{page}: {line}") for page, line in sorted(found)]


@pytest.mark.parametrize("line", everywhere(commands))
def test_a_command_that_is_shown_can_be_typed(line: str) -> None:
    words = shlex.split(re.sub(r"\s>\s\S+$", "", line))
    match words:
        case ["bylag", *rest]:
            command, left = find(rest)
            if left and not isinstance(command, click.Group):
                parser = command.make_parser(click.Context(command, info_name=command.name))
                given, left, _ = parser.parse_args(args=list(left))
                needed = [
                    each for each in command.params if isinstance(each, click.Argument) and each.required
                ]
                assert left == []
                assert "help" in given or all(given.get(each.name or "") for each in needed)
        case ["make", *rest]:
            asks_make(rest)
        case ["python", "-m", "ledger", name, *_]:
            assert name in ledger_commands()
        case ["export", setting]:
            assert setting.startswith("BYLAG_HOME=")
        case [".", activate]:
            assert activate == ".venv/bin/activate"
        case _:
            pytest.fail("nothing here checks such a command")


@pytest.mark.parametrize("line", everywhere(mentions))
def test_a_command_that_is_named_exists_with_its_options(line: str) -> None:
    words = line.replace("'", "").split()
    match words:
        case ["bylag", *rest]:
            command, left = find(rest)
            known = {name for each in command.params for name in each.opts} | {"--help"}
            assert {word for word in left if word.startswith("-")} <= known
        case ["make", *rest]:
            asks_make(rest)
        case ["python", "-m", "ledger", name, *_]:
            assert name in ledger_commands()


def find(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that words begin with, and the words that are left for it."""
    command: click.Command = bylag
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, words
        command, words = found, words[1:]
    return command, words


def asks_make(words: list[str]) -> None:
    made = subprocess.run(
        [shutil.which("make") or "make", "--dry-run", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr


@cache
def ledger_commands() -> set[str]:
    asked = [sys.executable, "-m", "ledger", "--help"]
    told = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^    (\w+)", told, re.M))


def test_what_the_readme_shows_runs() -> None:
    shown = list(commands(README))
    assert {"make demo", "make test"} <= set(shown)
    for line in shown:
        if line.startswith("bylag "):
            command, _ = find(shlex.split(line)[1:])
            result = CliRunner().invoke(command, ["--help"])
            assert result.exit_code == 0, line
            assert "Usage:" in result.output


def test_the_citizens_page_keeps_to_plain_words() -> None:
    """DESIGN of the words: glossary.md, "For a citizen"."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", read(DOCS / "citizen.md"), flags=re.S).lower()
    avoided = {"consumer", "custody", "leaf", "log", "record", "records", "acknowledges", "receipt"}
    assert not set(re.findall(r"[a-z]+", text)) & (avoided | {"released", "transferred", "purpose"})


# --- generated parts ---------------------------------------------------------------------------------


@cache
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", generator().parts())
def test_a_generated_part_is_current(name: str) -> None:
    page, write = generator().parts()[name]
    assert read(page) == generator().replaced(read(page), name, write()), "run python docs/generate.py"


# --- errors and denials ------------------------------------------------------------------------------

ERRORS = REFERENCE / "errors.md"


def calls(name: str) -> Iterator[tuple[Path, ast.Call]]:
    """Every call of a function or method of that name in the connector."""
    for path in sorted((ROOT / "connector").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call):
                function = node.func
                called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
                if called == name:
                    yield path, node


@cache
def source() -> str:
    return "".join(path.read_text("utf-8") for path in sorted((ROOT / "connector").rglob("*.py")))


def literals(node: ast.AST) -> set[str]:
    return {
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant)
        and isinstance(each.value, str)
        and re.fullmatch(r"[A-Z][A-Z_]+", each.value)
    }


def test_every_denial_is_explained() -> None:
    explained = named(ERRORS, "### By the exchange") | named(ERRORS, "## Errors")
    given = {code for _, call in calls("Denied") for code in (literals(call.args[0]) if call.args else ())}
    assert "NO_AGREEMENT" in given
    assert given <= explained
    bars = {code for _, call in calls("bar") for code in literals(call)} | {"ROLLED_BACK"}
    assert bars <= explained


def test_a_denial_that_is_explained_can_happen() -> None:
    for code in named(ERRORS, "### By the exchange"):
        assert f'"{code}"' in source(), code


def test_every_reason_of_the_policy_is_explained() -> None:
    assert named(ERRORS, "### By the policy") == set(SENTENCES[DEFAULT_LANGUAGE])


def test_every_reason_for_an_end_is_explained() -> None:
    heading = "### Why a negotiation or an agreement was terminated"
    assert named(ERRORS, heading) == set(contract.TERMINATION_CODES)


def test_every_other_code_in_a_record_is_explained() -> None:
    explained = named(ERRORS, "## Other codes in records")
    given = {
        code
        for path in (ROOT / "connector").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == "code" and isinstance(value, ast.Constant)
        for code in literals(value)
    }
    assert given <= explained


# --- the log, the wire, the documents ----------------------------------------------------------------

LEAF = REFERENCE / "leaf.md"


def test_every_event_is_explained_and_no_other() -> None:
    text = section(LEAF, "## Events")
    assert {code for row in rows(text) for code in codes(row[0])} == set(TYPES)


def test_every_member_of_a_leaf_is_explained_and_no_other() -> None:
    assert {code for row in rows(section(LEAF, "## Members")) for code in codes(row[0])} == set(MEMBERS)


def test_every_call_is_explained() -> None:
    explained = named(REFERENCE / "wire.md", "## Calls")
    assert explained == {method.removeprefix("/") for method in RULES}


def test_every_body_of_the_exchange_stream_is_explained() -> None:
    bodies = exchange_pb2.ExchangeMessage.DESCRIPTOR.oneofs_by_name["body"].fields
    assert named(REFERENCE / "wire.md", "## The exchange stream") == {field.name for field in bodies}


def test_every_kind_of_document_is_explained() -> None:
    text = section(REFERENCE / "documents.md", "## Kinds")
    assert kinds() <= codes(text)
    for kind in named(REFERENCE / "documents.md", "## Kinds"):
        assert f'"{kind}"' in source(), kind


def kinds() -> set[str]:
    """Whatever the code puts as `type` into a document, or a notice, where it stands there by name."""
    found = set(exchange.BODIES) | set(contract.KINDS)
    for path in sorted((ROOT / "connector").rglob("*.py")):
        tree = ast.parse(path.read_bytes())
        values = [
            value
            for node in ast.walk(tree)
            if isinstance(node, ast.Dict)
            for key, value in zip(node.keys, node.values, strict=True)
            if isinstance(key, ast.Constant) and key.value == "type"
        ]
        values += [
            call.args[0]
            for call in ast.walk(tree)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and (call.func.attr, len(call.args)) in {("members", 2), ("_members", 2)}
        ]
        constants = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for value in values:
            known = constants.get(value.id) if isinstance(value, ast.Name) else value
            if isinstance(known, ast.Constant) and isinstance(known.value, str):
                found.add(known.value)
    return found


def test_every_message_of_an_exchange_says_what_its_row_says() -> None:
    table = rows(section(REFERENCE / "exchange.md", "## What each one says besides"))
    told = {kind: set(re.findall(r"`(\w+)`", cells[1])) for cells in table for kind in codes(cells[0])}
    assert set(told) == set(exchange.BODIES)
    for kind, body in exchange.BODIES.items():
        assert told[kind] == said_by(body), kind


def test_what_every_message_of_an_exchange_says_is_told() -> None:
    told = codes(section(REFERENCE / "exchange.md", "## What every message says"))
    parts = {"list_number": "list", "list_hash": "list"}
    names = {parts.get(name, name) for name in exchange.Envelope.__dataclass_fields__}
    assert names - {"list"} <= told


def said_by(body: type[Any]) -> set[str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(body.members)))
    return {
        key.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


# --- liability, decisions, threats -------------------------------------------------------------------


def whom(roles: tuple[Role, ...]) -> str:
    return "both" if roles == (Role.CONSUMER, Role.PROVIDER) else ", ".join(role.value for role in roles)


def test_the_steps_of_liability_are_those_of_the_code() -> None:
    table = rows(section(DOCS / "liability.md", "## Step by step"))
    assert len(table) == len(STEPS)
    for step, (number, messages, signers, durable, answers) in zip(STEPS, table, strict=True):
        assert int(number) == step.number
        assert tuple(re.findall(r"`(\w+)`", messages)) == step.messages
        assert signers == whom(step.signers)
        assert durable == whom(step.durable_before)
        bold = re.findall(r"\*\*(\w+)\*\*", answers)
        assert bold == ["Neither" if len(step.answers) == 2 else step.answers[0].value]


def test_the_terms_of_liability_are_those_of_the_code() -> None:
    table = rows(section(DOCS / "liability.md", "## What the parties agree beforehand"))
    assert {cells[0]: cells[1] for cells in table} == {
        f"`{name}`": whom(term.binds) for name, term in VOCABULARY.items()
    }


def test_every_decision_is_in_the_list_of_decisions() -> None:
    listed = set(re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", read(DOCS / "decisions" / "README.md")))
    assert listed == {page.name for page in (DOCS / "decisions").glob("[0-9]*.md")}


THREATS = [cells for cells in rows(section(DOCS / "security.md", "## The table")) if len(cells) == 4]


@pytest.mark.parametrize("cells", THREATS, ids=[cells[0] for cells in THREATS])
def test_a_control_and_its_tests_are_where_the_table_of_threats_says(cells: list[str]) -> None:
    places, tests = re.findall(r"`([^`]+)`", cells[2]), re.findall(r"`([^`]+)`", cells[3])
    assert places
    assert tests
    for place in places:
        file, _, name = place.partition(":")
        assert (ROOT / file).is_file()
        assert not name or name in defined(ROOT / file), place
    for test in tests:
        file, _, name = test.partition("::")
        assert name in defined(ROOT / file), test


@cache
def defined(path: Path) -> frozenset[str]:
    """The functions and classes of a module, and their methods as Class.method."""
    found: set[str] = set()
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}.{each.name}"
                for each in node.body
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
            }
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
    return frozenset(found)


def test_every_reason_for_which_a_settlement_is_refused_or_stands_open_is_explained() -> None:
    page = REFERENCE / "settlement.md"
    assert named(page, "## Why a statement is refused") == set(contract.SETTLEMENT_CODES)
    assert named(page, "## What stands open") == set(REASONS)
