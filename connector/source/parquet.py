"""Parquet tables, with the optional part ``tables`` (pyarrow).

Rules that hold here:

* pyarrow is loaded only here and only when a Parquet file is published: releasing one needs none.
* The file is kept as given, and its rows once more as JSON Lines, from which parts are released.
* A file whose description promises more than the limits is refused before anything is unpacked.
* What JSON cannot say is said in text: dates and instants in ISO 8601. Decimals become numbers,
  "not a number" becomes no value, and bytes are refused.
"""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from connector.source.errors import BadHeader, BadRow, ExtraMissing, RowTooLarge
from connector.source.lines import Watch
from connector.source.schema import MAX_COLUMNS

MAGIC: Final = b"PAR1"
MAX_GROUP_BYTES: Final = 1 << 29
"""What one row group may unpack to: it is what a reader has to hold."""
_BATCH_ROWS: Final = 4096


def write_lines(source: Path, target: Path, watch: Watch) -> None:
    """Write a Parquet file's rows as JSON Lines.

    Raises :class:`~connector.source.errors.ExtraMissing` without pyarrow, and a
    :class:`~connector.source.errors.SourceError` for a file that cannot be read or is too large.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - 30 MB that a connector without Parquet does not pay
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise ExtraMissing("Parquet tables need the extra 'tables' (pyarrow)") from error
    try:
        with pq.ParquetFile(source) as file, target.open("x", encoding="utf-8", newline="\n") as out:
            _check(file.metadata)
            done, total = 0, file.metadata.num_rows
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                for number, row in enumerate(batch.to_pylist(), start=done + 1):
                    out.write(_line(row, number))
                done += batch.num_rows
                watch.tick("unpack", done, total)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's own complaint; pyarrow's are without a number
        raise BadRow(f"this is not a Parquet file that can be read: {type(error).__name__}") from error


def _check(metadata: Any) -> None:
    if metadata.num_columns > MAX_COLUMNS:
        raise BadHeader(f"there are more than {MAX_COLUMNS} columns", field="columns")
    for number in range(metadata.num_row_groups):
        if metadata.row_group(number).total_byte_size > MAX_GROUP_BYTES:
            raise RowTooLarge(
                f"row group {number} unpacks to more than {MAX_GROUP_BYTES} bytes",
                next_step="Write the file again with smaller row groups.",
                field=f"row_groups[{number}]",
            )


def _line(row: dict[str, Any], number: int) -> str:
    try:
        plain = {name: _plain(value) for name, value in row.items()}
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":")) + "\n"
    except TypeError as error:
        raise BadRow(
            f"row {number} holds a kind of value that JSON has no form for", field=f"rows[{number}]"
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and value.adjusted() < 18 else float(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value
