"""The command ``bylag``: one file for each group of commands.

``main`` is the entry point. What a command asks for is an operation (``connector.control``); what
it prints is plain text for people, or JSON with ``--json``.

``root`` has the table of commands, ``lazy`` loads one when it is called, ``options`` has the
options that many share, ``session`` does what a command asks, ``show`` prints, ``failing`` turns
whatever goes wrong into one line and an exit status.
"""

from __future__ import annotations

import sys
from typing import Final

INTERRUPTED: Final = 130
"""The exit status after Ctrl-C: 128 + SIGINT, as shells have it."""


def main() -> None:
    """Run the command line."""
    try:
        from connector.cli.failing import run  # noqa: PLC0415  # importing this package costs nothing
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    run()
