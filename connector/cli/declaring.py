"""What a consumer declares beside its purpose, as somebody types it: ``--declare retention=P30D``.

Rules that hold here: what is read here becomes the closed JSON form of a declaration
(``connector.exchange.declared``), which is checked again where it is signed, and by whoever gets it.
"""

from __future__ import annotations

from typing import Any, Final

import click

from ledger.canonical import JSONObject
from ledger.errors import BylagError

NAMES: Final = ("device", "location", "retention", "onward")
NOBODY: Final = "nobody"
HELP: Final = (
    "What you answer for: device=IRI, location=IRI, retention=P30D, onward=DID or onward=nobody; repeatable."
)


class Declaration(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.5
    """``NAME=VALUE``."""

    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str | int]:
        """Name and value; a time as milliseconds."""
        if isinstance(value, tuple):
            return value
        name, equals, said = str(value).partition("=")
        if not equals or not said or name not in NAMES:
            self.fail(f"say NAME=VALUE, the name being one of {', '.join(NAMES)}", param, ctx)
        if name != "retention":
            return name, said
        from connector.policy.values import duration  # noqa: PLC0415  # the policy room takes a moment

        try:
            return name, duration(said, name)
        except BylagError as error:
            self.fail(f"{error}; write it like P30D or PT12H", param, ctx)


declare = click.option("--declare", "declared", type=Declaration(), multiple=True, help=HELP)
"""Give a command ``--declare``."""


def declaration(said: tuple[tuple[str, str | int], ...]) -> JSONObject | None:
    """The declaration in its closed JSON form; None for nothing. Raises ``UsageError``."""
    if not said:
        return None
    once = [name for name, _ in said if name != "onward"]
    if len(set(once)) < len(once):
        raise click.UsageError("--declare says each thing once; only onward may stand several times")
    values = dict(said)
    onward = [str(value) for name, value in said if name == "onward"]
    if NOBODY in onward and len(onward) > 1:
        raise click.UsageError("--declare onward=nobody stands alone")
    return {
        "device": values.get("device"),
        "location": values.get("location"),
        "retention_ms": values.get("retention"),
        "onward": None if not onward else [name for name in onward if name != NOBODY],
    }
