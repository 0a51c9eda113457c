"""The contract's terms beside the policy, in a file, and as they are shown.

The file is TOML; every part may be left out::

    prevails = ["policy", "contract.pdf"]   # what prevails first; the policy, if nothing is said

    [liability]                             # docs/liability.md has the terms
    accuracy = "best-effort"
    cap = { amount = 5_000_000, currency = "SEK" }

    [references]
    case = "KS 2026/114"
    procurement = "2026-031"

    [[prose]]                               # each is named by the digest of its bytes
    file = "contract.pdf"
    title = "Agreement on parking data"
    language = "sv"
    kind = "contract"                       # or "annex"

Rules that hold here: a file in words stays where it is, and only its digest is signed; names are relative to
the TOML file's folder. The connector reads all of it again, strictly.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from connector.cli import show
from connector.cli.files import CannotReadFile, read_file
from connector.cli.options import PATH
from connector.cli.prices import money
from ledger.canonical import JSON, JSONObject
from ledger.fields import Fields

MAX_TERMS: Final = 64 << 10
MAX_DOCUMENTS: Final = 16
POLICY: Final = "policy"

contract_terms_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--contract-terms",
    type=PATH,
    help="A TOML file with liability, the contract in words, file numbers (docs/liability.md).",
)


def read_contract_terms(file: Path) -> JSONObject:
    """The file as the argument ``contract_terms``. Raises :class:`CannotReadFile` or ``BadField``."""
    fields = Fields(_toml(file))
    documents: list[JSON] = []
    digests = {POLICY: POLICY}
    for each in fields.objects("prose", limit=MAX_DOCUMENTS) if fields.has("prose") else ():
        name = each.text("file", limit=255)
        digests[name] = hashlib.sha256(read_file(file.parent / name)).hexdigest()
        media_type, _ = mimetypes.guess_type(name)
        documents.append(
            {
                "digest": digests[name],
                "kind": each.maybe_text("kind") or "contract",
                "title": each.text("title", limit=200),
                "language": each.text("language", limit=35),
                "media_type": media_type or "application/octet-stream",
            }
        )
        each.finish()
    prevails = list(digests)
    if fields.has("prevails"):
        prevails = list(fields.texts("prevails", limit=MAX_DOCUMENTS + 1, text_limit=255))
        if sorted(prevails) != sorted(digests):
            raise fields.wrong("prevails", "must name policy and every file under prose exactly once")
    content: JSONObject = {
        "liability": fields.any("liability") if fields.has("liability") else {},
        "references": fields.any("references") if fields.has("references") else {},
        "prose": {"documents": documents, "precedence": [digests[name] for name in prevails]},
    }
    fields.finish()
    return content


def contract_in_words(terms: Any) -> list[tuple[str, str]]:
    """Rows that say what stands beside the policy; none where nothing does."""
    prose, references = terms["prose"], terms["references"]
    titles = {POLICY: "the policy"} | {each["digest"]: each["title"] for each in prose["documents"]}
    rows = [
        (each["kind"], f"{show.clean(each['title'])} ({each['language']}), SHA-256 {each['digest']}")
        for each in prose["documents"]
    ]
    if prose["documents"]:
        rows.append(("prevails", ", then ".join(show.clean(titles[name]) for name in prose["precedence"])))
    rows += [(name, show.clean(number)) for name, number in references.items() if number]
    rows += [(name, _value(value)) for name, value in terms["liability"].items()]
    return rows


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return money(value["amount"], value["currency"])
    return ", ".join(value) if isinstance(value, list) else str(value)


def _toml(file: Path) -> JSONObject:
    try:
        content: JSONObject = tomllib.loads(read_file(file, limit=MAX_TERMS).decode())
        json.dumps(content)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CannotReadFile(f"{file.name} is not TOML: {error}") from error
    except RecursionError as error:
        raise CannotReadFile(f"{file.name} nests too deep") from error
    except TypeError as error:
        raise CannotReadFile(f"{file.name} holds a date or time, which no term is") from error
    return content
