"""``bylag policy``: the rules that decide, and the engines that they run in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from connector.cli import show
from connector.cli.files import require_free, write_file
from connector.cli.options import PATH, on_home
from connector.cli.session import Session


@click.group()
def policy() -> None:
    """The rules that decide, and the engines that they run in."""


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
