"""Serving: the connector as a process that runs until it is told to stop.

Rules that hold here: it says on one line of JSON, on standard output, that it is ready and on which
port; log lines are JSON on standard error and hold no personal data; SIGTERM and SIGINT end it in
order: no new calls, open ones get a few seconds, the log is published, the home is given back.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from typing import Final

from connector.catalog.stored import StoredCatalog
from connector.control.running import Running
from connector.control.socket import ControlServer
from connector.control.views import NodeLog
from connector.node import Node, NotJoined
from connector.store.home import Home
from ledger.names import Milliseconds

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


async def serve(home: Home, listen: str | None, passphrase: str | None) -> None:
    """Serve the participant that lives in ``home`` until a signal ends it."""
    if not home.registrar.is_file():
        raise NotJoined("this home has not taken an answer to its request to join yet")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    running = Running(Node(home, passphrase=passphrase))
    control = ControlServer(running)
    try:
        address = listen if listen is not None else running.node.config.listen
        if address:
            node = running.node
            await running.serve(address, StoredCatalog(node.database, node.snapshots), NodeLog(node))
        _ = running.node.local_rules  # unsigned, altered or older ones keep the connector from starting
        await running.serve_bundles()
        running.work()
        await control.start(home)
        _ready(running)
        await stop.wait()
    finally:
        await control.close(home)
        await running.close()


def _ready(running: Running) -> None:
    line = {"ready": True, "participant": running.node.me, "port": running.port}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class JsonLines(logging.Formatter):
    """A log record as one line of JSON: time, level, logger, message, and what was given as extra."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": Milliseconds(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({name: value for name, value in vars(record).items() if name not in _STANDARD})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_to_standard_error(level: int) -> None:
    """Send every log line to standard error, as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
