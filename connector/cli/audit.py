"""``bylag audit``: decisions, looked at again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from connector.cli import show
from connector.cli.options import PATH, on_home
from connector.cli.session import Session


@click.group()
def audit() -> None:
    """Decisions, looked at again."""


@audit.command()
@click.argument("record", type=click.IntRange(0))
@click.option("--opa", type=PATH, help="Use this OPA binary instead of the embedded engine.")
@on_home
def replay(session: Session, record: int, opa: Path | None) -> None:
    """Evaluate the decision in RECORD again, under the rules that it names, and compare the answers.

    RECORD is a record's index: a decision, a denial by the policy, or a release under a decision. A
    release is replayed with the values at its use. Ends with status 1 when the answers differ. What
    was erased is not replayed.

    \b
    Examples:
      bylag audit replay 17
      bylag audit replay 17 --opa /usr/local/bin/opa
    """
    arguments = {"opa": str(opa.absolute())} if opa is not None else {}
    result = session.ask("replay", record=record, **arguments)
    session.print(result, _say_replayed)
    click.get_current_context().exit(0 if result["same"] else 1)


def _say_replayed(result: Any) -> None:
    same = result["same"]
    show.write(show.good("the same answer") if same else show.bad("ANOTHER ANSWER"))
    show.pairs(
        [
            ("decision", result["decision"]),
            ("engine", result["engine"]),
            ("rulebook", result["rulebook"]),
            ("local rules", result["local_rules"]),
            ("recorded", _verdict(result["recorded"])),
            ("replayed", _verdict(result["replayed"])),
        ]
    )


def _verdict(answer: Any) -> str:
    codes = ", ".join(show.clean(reason["code"]) for reason in answer["reasons"])
    return f"{'allowed' if answer['allow'] else 'denied'}: {codes}"
