"""Progress of what takes longer than a moment, on standard error, and on terminals only."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from connector.cli.show import clean, size

if TYPE_CHECKING:
    from rich import progress


class Progress:
    """A bar that appears when the first report comes, and goes when the work is done."""

    def __init__(self) -> None:
        self._bar: progress.Progress | None = None
        self._task: progress.TaskID | None = None
        self._doing = ""

    def __call__(self, doing: str, done: int, total: int | None) -> None:
        """Show how far it is."""
        if not sys.stderr.isatty():
            return
        bar = self._bar or self._start()
        if self._task is None or doing != self._doing:
            if self._task is not None:
                bar.remove_task(self._task)
            self._doing = doing
            self._task = bar.add_task(clean(doing), total=total, amount="")
        bar.update(self._task, completed=done, total=total, amount=_amount(doing, done, total))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _start(self) -> progress.Progress:
        from rich.console import Console  # noqa: PLC0415  # loaded on terminals only
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[amount]}", markup=False),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()
        return self._bar


def _amount(doing: str, done: int, total: int | None) -> str:
    """How far, in the unit of what is done: rows that are followed, columns, records, or bytes."""
    if not done:
        return ""
    counted = doing.startswith(("following ", "columns ", "records"))
    shown = [f"{each:,}" if counted else size(each) for each in (done, total) if each is not None]
    return " of ".join(shown)
