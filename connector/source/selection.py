"""What a consumer asks for of a table: which columns, which rows, in what order, how many.

Rules that hold here:

* The JSON form is closed, bounded and canonical, so that a Request can commit to it. All
  conditions must hold; ``in`` and ``between`` say "or" and "from … to".
* A row without a value in a column meets no condition on it but ``null``.
* A selection is checked against the schema that the asker may see, so a hidden column is as
  unknown as one that does not exist.
* Values reach the database as bound parameters only, columns by their number: nothing of what was
  asked ever becomes SQL text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from connector.source.errors import BadSelection
from connector.source.schema import MAX_COLUMNS, MAX_NAME_CHARACTERS, ColumnType, Schema
from connector.source.values import Wanted, comparable
from ledger.canonical import JSON, LARGEST_INTEGER, JSONObject, decode_object, encode
from ledger.fields import Fields

MAX_SELECTION_BYTES: Final = 1 << 16
MAX_CONDITIONS: Final = 32
MAX_CHOICES: Final = 1000
MAX_PARAMETERS: Final = 10_000
"""Below SQLite's limit of variables in one statement (32,766 since 3.32)."""
MAX_ORDER: Final = 8
MAX_VALUE_CHARACTERS: Final = 1000

Parameter = int | float | str


class Op(StrEnum):
    """How a condition compares."""

    EQ = "eq"
    NEQ = "neq"
    LT = "lt"
    LTEQ = "lteq"
    GT = "gt"
    GTEQ = "gteq"
    IN = "in"
    BETWEEN = "between"
    """Both ends included."""
    PREFIX = "prefix"
    """Text columns only."""
    NULL = "null"
    """``true`` for no value, ``false`` for any."""


_OPS: Final = {op.value: op for op in Op}
_COMPARISONS: Final = {Op.EQ: "=", Op.NEQ: "<>", Op.LT: "<", Op.LTEQ: "<=", Op.GT: ">", Op.GTEQ: ">="}


@dataclass(frozen=True, slots=True)
class Condition:
    """``column op value``. ``value`` is a tuple for ``in`` and ``between``, a bool for ``null``."""

    column: str
    op: Op
    value: Wanted | tuple[Wanted, ...]

    def to_json(self) -> JSONObject:
        value: JSON = list(self.value) if isinstance(self.value, tuple) else self.value
        return {"column": self.column, "op": self.op.value, "value": value}

    @classmethod
    def from_fields(cls, fields: Fields) -> Condition:
        """Read one condition. Raises :class:`~ledger.fields.BadField`."""
        column = fields.text("column", limit=MAX_NAME_CHARACTERS)
        op = _OPS[fields.choice("op", _OPS)]
        value: Wanted | tuple[Wanted, ...]
        if op is Op.NULL:
            value = fields.boolean("value")
        elif op in (Op.IN, Op.BETWEEN):
            given = fields.items("value", limit=2 if op is Op.BETWEEN else MAX_CHOICES)
            value = tuple(_wanted(fields, f"value[{place}]", item) for place, item in enumerate(given))
        else:
            value = _wanted(fields, "value", fields.any("value"))
        fields.finish()
        return cls(column, op, value)

    def sql(self, schema: Schema) -> tuple[str, list[Parameter]]:
        """The condition as SQL with its parameters. Raises :class:`BadSelection`."""
        place = schema.index(self.column)
        kind, name = schema.columns[place].type, f"c{place}"
        if self.op is Op.NULL:
            if not isinstance(self.value, bool):
                raise BadSelection("null takes true or false", field=self.column)
            return f"{name} IS {'NULL' if self.value else 'NOT NULL'}", []
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        wanted: list[Parameter] = [comparable(kind, value, field=self.column) for value in values]
        if self.op is Op.IN and wanted:
            return f"{name} IN ({','.join('?' * len(wanted))})", wanted
        if self.op is Op.BETWEEN and len(wanted) == 2:
            return f"{name} BETWEEN ? AND ?", wanted
        if self.op is Op.PREFIX and kind is ColumnType.STRING and len(wanted) == 1:
            return _prefix(name, str(wanted[0]))
        if self.op in _COMPARISONS and not isinstance(self.value, tuple):
            return f"{name} {_COMPARISONS[self.op]} ?", wanted
        raise BadSelection(f"{self.op.value} cannot be asked of this column so", field=self.column)


@dataclass(frozen=True, slots=True)
class Order:
    """One column to sort by. Rows without a value come first, or last when descending."""

    column: str
    descending: bool = False

    def to_json(self) -> JSONObject:
        return {"column": self.column, "descending": self.descending}


@dataclass(frozen=True, slots=True)
class Selection:
    """``columns`` empty means all, in the table's order; ``order`` empty means the table's order."""

    columns: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out or rearranged."""
        return not (self.columns or self.where or self.order) and self.limit is None

    def to_json(self) -> JSONObject:
        """The closed JSON form; members that say nothing are left out."""
        content: JSONObject = {}
        if self.columns:
            content["columns"] = list(self.columns)
        if self.where:
            content["where"] = [condition.to_json() for condition in self.where]
        if self.order:
            content["order"] = [order.to_json() for order in self.order]
        if self.limit is not None:
            content["limit"] = self.limit
        return content

    def canonical(self) -> bytes:
        """The bytes that a Request commits to (RFC 8785)."""
        return encode(self.to_json())

    @classmethod
    def decode(cls, data: bytes) -> Selection:
        """Read a selection from outside.

        Raises :class:`~ledger.canonical.MalformedJson`, :class:`~ledger.fields.BadField` or
        :class:`~connector.source.errors.BadSelection`. Does not look at any schema.
        """
        return cls.from_json(decode_object(data, max_bytes=MAX_SELECTION_BYTES, max_depth=4))

    @classmethod
    def from_json(cls, content: JSONObject) -> Selection:
        """Like :meth:`decode`, for JSON that was decoded within limits."""
        fields = Fields(content, "selection")
        columns: tuple[str, ...] = ()
        if fields.has("columns"):
            columns = fields.texts("columns", limit=MAX_COLUMNS, text_limit=MAX_NAME_CHARACTERS)
        where = fields.objects("where", limit=MAX_CONDITIONS) if fields.has("where") else []
        order = fields.objects("order", limit=MAX_ORDER) if fields.has("order") else []
        selection = cls(
            columns=columns,
            where=tuple(Condition.from_fields(each) for each in where),
            order=tuple(_order(each) for each in order),
            limit=fields.maybe_integer("limit", most=LARGEST_INTEGER),
        )
        fields.finish()
        if len(set(columns)) < len(columns):
            raise fields.wrong("columns", "names a column twice")
        if len({each.column for each in selection.order}) < len(selection.order):
            raise fields.wrong("order", "names a column twice")
        return selection

    @property
    def names(self) -> tuple[str, ...]:
        """Every column that is asked for or about."""
        asked_about = (*(each.column for each in self.where), *(each.column for each in self.order))
        return (*self.columns, *asked_about)

    def check(self, schema: Schema) -> None:
        """Raise :class:`~connector.source.errors.BadSelection` unless it fits the schema."""
        for name in self.columns:
            schema.index(name)
        conditions_sql(self.where, schema)
        order_sql(self.order, schema)


WHOLE: Final = Selection()
"""Everything, as it is."""


def conditions_sql(conditions: tuple[Condition, ...], schema: Schema) -> tuple[list[str], list[Parameter]]:
    """SQL terms that must all hold, and their parameters in order."""
    terms: list[str] = []
    parameters: list[Parameter] = []
    for condition in conditions:
        term, values = condition.sql(schema)
        terms.append(term)
        parameters += values
    if len(parameters) > MAX_PARAMETERS:
        raise BadSelection(f"more than {MAX_PARAMETERS} values are compared with", field="where")
    return terms, parameters


def order_sql(order: tuple[Order, ...], schema: Schema) -> list[str]:
    """SQL sort terms; the row's number must follow, so that the order is total."""
    terms: list[str] = []
    for each in order:
        place = schema.index(each.column)
        if schema.columns[place].type is ColumnType.JSON:
            raise BadSelection("a column of lists and objects has no order", field=each.column)
        terms.append(f"c{place} DESC" if each.descending else f"c{place}")
    return terms


def _wanted(fields: Fields, name: str, value: JSON) -> Wanted:
    if not isinstance(value, str | int):
        raise fields.wrong(name, "must be a string, an integer, or true or false")
    if isinstance(value, str) and len(value) > MAX_VALUE_CHARACTERS:
        raise fields.wrong(name, f"is longer than {MAX_VALUE_CHARACTERS} characters")
    return value


def _order(fields: Fields) -> Order:
    column = fields.text("column", limit=MAX_NAME_CHARACTERS)
    descending = fields.boolean("descending") if fields.has("descending") else False
    fields.finish()
    return Order(column, descending)


def _prefix(name: str, prefix: str) -> tuple[str, list[Parameter]]:
    """A range, so that an index serves: from the prefix up to the first text that lacks it."""
    for cut in range(len(prefix), 0, -1):
        following = ord(prefix[cut - 1]) + 1
        if following == 0xD800:
            following = 0xE000  # surrogates are no characters
        if following <= 0x10FFFF:
            return f"{name} >= ? AND {name} < ?", [prefix, prefix[: cut - 1] + chr(following)]
    return f"{name} >= ?", [prefix]
