"""Parts of a table, as somebody types them: ``--where 'vehicles > 100'``, ``--order -vehicles``.

Rules that hold here: what is read here becomes the closed JSON form of a selection
(``connector.source.selection``), which is checked again, against the table's columns, by whoever
holds the table. A number of 15 digits at most is an integer; whatever else is text, which a column
of numbers or dates reads for itself.
"""

from __future__ import annotations

import re
from typing import Any, Final

import click

from ledger.canonical import JSON, JSONObject

SIGNS: Final = {
    "=": "eq",
    "==": "eq",
    "!=": "neq",
    "<>": "neq",
    "<=": "lteq",
    ">=": "gteq",
    "<": "lt",
    ">": "gt",
}
WORDS: Final = ("eq", "neq", "lt", "lteq", "gt", "gteq", "in", "between", "prefix", "null")

_BY_SIGN = re.compile(r"(?P<column>[^=!<>]+?)\s*(?P<op>==|!=|<>|<=|>=|=|<|>)\s*(?P<value>.*)", re.DOTALL)
_BY_WORD = re.compile(
    rf"(?P<column>.+?)\s+(?P<op>{'|'.join(WORDS)})(?:\s+(?P<value>.*))?", re.DOTALL | re.IGNORECASE
)
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,14}", re.ASCII)


class Condition(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.5
    """``column op value``."""

    name = "column op value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> JSONObject:
        """The condition in its JSON form."""
        if isinstance(value, dict):
            return value
        text = str(value).strip()
        found = _BY_WORD.fullmatch(text) or _BY_SIGN.fullmatch(text)
        if found is None:
            self.fail(f"say column, one of {' '.join([*SIGNS, *WORDS[6:]])}, value", param, ctx)
        op = SIGNS.get(found["op"], found["op"].lower())
        given = (found["value"] or "").strip()
        if op == "null":
            return {"column": found["column"], "op": op, "value": given.lower() != "false"}
        if op in ("in", "between"):
            parts: list[JSON] = [_literal(part.strip()) for part in given.split(",")]
            if op == "between" and len(parts) != 2:
                self.fail("between takes two values with a comma between them", param, ctx)
            return {"column": found["column"], "op": op, "value": parts}
        return {"column": found["column"], "op": op, "value": _literal(given)}


class Order(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.5
    """``column``, or ``-column`` from the end."""

    name = "[-]column"

    def convert(self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None) -> JSONObject:
        """The order in its JSON form."""
        if isinstance(value, dict):
            return value
        text = str(value)
        return {"column": text.removeprefix("-"), "descending": text.startswith("-")}


CONDITION: Final = Condition()
ORDER: Final = Order()


def _literal(text: str) -> JSON:
    return int(text) if _INTEGER.fullmatch(text) else text


def names(columns: str | None) -> list[str] | None:
    """The columns that ``--columns a,b`` names."""
    return [name.strip() for name in columns.split(",")] if columns is not None else None
