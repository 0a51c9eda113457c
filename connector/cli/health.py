"""``bylag status`` and ``bylag doctor``: how the connector is, and what to do.

Rules that hold here: both end with exit status 1 when something is not healthy, has expired, or
expires within a day.
"""

from __future__ import annotations

from typing import Any

import click

from connector.cli import show
from connector.cli.options import on_home
from connector.cli.session import Session
from connector.cli.wording import say_expiring


@click.command()
@on_home
def status(session: Session) -> None:
    """Show who this is, what runs, and what is about to expire.

    Ends with status 1 when the store or the policy engine failed, when you have no full standing in the
    data space, or something has expired or will within a day.

    \b
    Example:
      bylag status --json
    """
    result = session.ask("status")
    session.print(result, _say_status)
    decides = result["engine"]["decides"]
    sound = decides and not result["store_failed"] and result["standing"] == "active"
    _end_with(sound and not _is_urgent(result["expiring"]))


@click.command()
@on_home
def doctor(session: Session) -> None:
    """Check clock, disk, port, standing, keys, list, log and lines to peers, and say what to do.

    Ends with status 1 when a check fails.

    \b
    Example:
      bylag doctor || echo "look after it"
    """
    result = session.ask("doctor")
    session.print(result, _say_doctor)
    _end_with(result["healthy"])


def _is_urgent(warnings: Any) -> bool:
    return any(each["days"] <= 1 for each in warnings)


def _end_with(healthy: bool) -> None:
    click.get_current_context().exit(0 if healthy else 1)


def _say_status(result: Any) -> None:
    log = result["log"]
    serving = f"on port {result['port']}" if result["serving"] else "no"
    show.pairs(
        [
            ("participant", result["participant"]),
            ("data space", result["space"]),
            ("standing", result["standing"]),
            ("listening", serving),
            ("list", f"number {result['list']['number']}, good until {show.time(result['list']['expires'])}"),
            ("datasets", result["datasets"]),
            ("agreements in force", result["agreements"]),
            ("notices waiting", result["notices_waiting"]),
            ("duties", _duties(result["duties"])),
            ("policy engine", result["engine"]["kind"]),
            ("rulebook", show.short(result["engine"]["rulebook"])),
            ("log", log["origin"]),
            ("records", f"{log['size']}, {log['published']} of them published"),
            ("witness", "no independent witness yet"),
        ]
    )
    if result["standing"] != "active":
        told = "nothing is released to you; ask the registrar, or your controller, why"
        show.write(show.bad(show.clean(f"{result['standing']}: {told}")))
    engine = result["engine"]
    if not engine["decides"]:
        show.write(show.bad(f"the policy engine does not decide: {show.clean(engine['found'])}"))
    if result["store_failed"]:
        show.write(show.bad("the store failed: nothing can be recorded, so nothing is released"))
    say_expiring(result["expiring"])


def _duties(owed: Any) -> str:
    return f"{owed['overdue']} overdue, {owed['soon']} due within a week"


def _say_doctor(result: Any) -> None:
    for check in result["checks"]:
        mark = show.good("ok  ") if check["ok"] else show.bad("BAD ")
        show.write(f"{mark} {show.clean(check['check'])}: {show.clean(check['found'])}")
        if not check["ok"] and check["do"]:
            show.write(f"     next: {show.clean(check['do'])}")
