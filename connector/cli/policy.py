"""``bylag policy``: what a policy says and why, templates, the rules that decide, and their engines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from connector.cli import explaining, show, templates
from connector.cli.files import require_free, write_file
from connector.cli.options import PATH, json_option, on_home
from connector.cli.policy_files import parents_option, read_policy_file
from connector.cli.session import Session
from ledger.canonical import JSONObject


@click.group()
def policy() -> None:
    """Say what a policy means and why it decides so; begin with a template; look after rules and engines."""


policy.add_command(explaining.explain)
policy.add_command(explaining.what_if)
policy.add_command(templates.templates)
policy.add_command(templates.template)


@policy.command()
@click.argument("file", type=PATH)
@parents_option
@json_option
def check(file: Path, parents: tuple[Path, ...], as_json: bool) -> None:
    """Say in plain sentences what the ODRL policy in FILE means, or why it cannot be published.

    A term that is not enforced is refused: it is named, with where it stands and what could be used
    instead. For each thing that the policy compares it says where the fact comes from.

    \b
    Example:
      bylag policy check policy.json
      bylag policy check child.ttl --parent region.ttl
    """
    from connector.policy.coverage import facts_of  # noqa: PLC0415  # the policy room takes a moment
    from connector.policy.parse import normalise  # noqa: PLC0415
    from connector.policy.sentences import sentences  # noqa: PLC0415

    normal = normalise(read_policy_file(file, parents))
    said, facts = sentences(normal), facts_of(normal)
    result: JSONObject = {
        "digest": normal.digest,
        "policy": normal.content,
        "sentences": [sentence.to_json() for sentence in said],
        "facts": [
            {"operand": row.term, "from": row.fact.value if row.fact else None, "how": row.how}
            for row in facts
        ],
    }
    if as_json:
        show.write_json(result)
        return
    for sentence in said:
        for depth, text in sentence.lines():
            show.write(f"{'  ' * depth}{show.clean(text)}")
    if facts:
        show.write("")
        show.table(
            ("what is compared", "who says so", "how it is known"),
            [(row.term, row.fact.value if row.fact else "", row.how) for row in facts],
            empty="",
        )
    show.note(f"Its digest, which agreements name: {normal.digest}")


@policy.command("opa-config")
@click.option("--url", help="Where OPA reaches the connector's bundles; default: as [bundle] says.")
@click.option("--out", type=PATH, required=True, help="The file to write.")
@on_home
def opa_config(session: Session, url: str | None, out: Path) -> None:
    """Write the configuration for an OPA of your own that polls its rules from your connector.

    It names the key that signs them, and the scope: OPA then refuses an unsigned or altered bundle. Set
    [bundle] and [engine] in connector.toml, start the connector, then OPA. After `bylag keys rotate
    bundle` write it anew.

    \b
    Example:
      bylag policy opa-config --out opa.json
      opa run --server --addr 127.0.0.1:8181 --config-file opa.json
    """
    require_free(out)
    result = session.ask("opa-config", **({"url": url} if url else {}))
    write_file(out, json.dumps(result, indent=2).encode() + b"\n")
    session.print({"out": str(out), "keys": sorted(result["keys"])}, _say_written)


@policy.command()
@click.argument("folder", type=PATH)
@on_home
def build(session: Session, folder: Path) -> None:
    """Test, compile and sign rules of your own, which can only take away.

    FOLDER holds Rego in the package local, with tests beside it. Compiling needs an `opa` binary of the
    version that built the rulebook, for the embedded engine too. The rules decide when the connector
    starts next.

    \b
    Example:
      bylag policy build ./rules
    """
    session.print(session.ask("build-local-rules", folder=str(folder.absolute())), _say_built)


def _say_built(result: Any) -> None:
    show.pairs([("local rules", result["digest"]), ("number", result["number"]), ("tests", result["tests"])])
    if not result["leased"]:
        show.note("They read the time, a counter or the nonce: decisions under them are not leased.")
    show.note("They decide when the connector starts next.")


def _say_written(result: Any) -> None:
    show.pairs([("written", result["out"]), ("key", ", ".join(result["keys"]))])
    show.note("Start OPA with: opa run --server --addr 127.0.0.1:8181 --config-file FILE")
