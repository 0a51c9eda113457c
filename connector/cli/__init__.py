"""The command ``bylag``: one file for each group of commands.

``main`` is the entry point. What a command asks for is an operation (``connector.control``); what
it prints is plain text for people, or JSON with ``--json``.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from connector.cli.root import bylag  # noqa: PLC0415  # completion and --help need little

    bylag(prog_name="bylag")
