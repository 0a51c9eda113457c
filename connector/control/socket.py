"""The control socket: how a command reaches the connector that runs on its home.

Rules that hold here:

* The socket lies in the home folder, which is the owner's alone; that is who may use it.
* One request a connection: a line of JSON in, then lines of JSON out: progress, and last the result
  or the error. Arguments are read as strictly as anything from outside, also by whoever runs an
  operation without a socket (:func:`strictly`), so that both ways say the same.
* A Unix socket's path is limited to about 100 bytes. A longer one is reached through the folder's
  file descriptor, which has a short name where the system offers one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from connector.control.operation import MAX_ASKED_BYTES, Report, run, strictly
from connector.store.home import Home
from ledger.canonical import JSON, JSONObject
from ledger.errors import BylagError, ErrorKind

if TYPE_CHECKING:  # loads grpc; the asking side needs none of it
    from connector.control.running import Running

logger = logging.getLogger("bylag.control")
LEFTOVER_SECONDS: Final = 2.0
LONGEST_PATH: Final = 100


class NotRunning(BylagError):
    """No connector answers on this home's control socket."""

    code = "NOT_RUNNING"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Start it with `bylag serve`, or stop what holds the home without serving it."


class ConnectorStopped(BylagError):
    """The connector stopped while it worked on the request: what came of that, its store knows.

    No :class:`NotRunning`: whoever asks must not ask for the same thing a second time unawares.
    """

    code = "CONNECTOR_STOPPED"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Start it again, and look how far it came; a fetch that broke off can be resumed."


class Unforeseen(BylagError):
    """An operation failed in a way that nobody foresaw; the log of the connector has it."""

    code = "INTERNAL"
    kind = ErrorKind.DAMAGED
    default_next_step = "Look into the connector's log at this time, and report what it says."


class LineTooLong(BylagError):
    """A request or an answer is longer than a line on the control socket may be."""

    code = "LINE_TOO_LONG"
    default_next_step = "Ask for less at a time."


class FromConnector(BylagError):
    """The connector that runs answered with an error."""

    code = "CONNECTOR_ERROR"

    def __init__(self, reason: str, kind: ErrorKind, message: str, next_step: str, field: str | None) -> None:
        super().__init__(message, next_step=next_step, field=field)
        self.reason = reason
        self.remote_kind = kind


class ControlServer:
    """Answers commands on the home's control socket."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._server: asyncio.Server | None = None

    async def start(self, home: Home) -> None:
        """Listen. What an earlier process left behind is removed: the home's lock is held."""
        with suppress(FileNotFoundError):
            home.control_socket.unlink()
        with _short(home.control_socket) as path:
            self._server = await asyncio.start_unix_server(self._answer, path, limit=MAX_ASKED_BYTES)
        home.control_socket.chmod(0o600)

    async def close(self, home: Home) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
        with suppress(FileNotFoundError):
            home.control_socket.unlink()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def tell(line: JSONObject) -> None:
            writer.write(json.dumps(line).encode() + b"\n")

        def report(doing: str, done: int, total: int | None) -> None:
            tell({"progress": {"doing": doing, "done": done, "total": total}})

        try:
            asked = strictly(await _line(reader))
            arguments = asked.get("arguments")
            name = asked.get("operation")
            result = await run(
                self._running,
                name if isinstance(name, str) else "",
                arguments if isinstance(arguments, dict) else {},
                report,
            )
            tell({"result": result})
        except BylagError as error:
            tell({"error": error_to_json(error)})
        except Exception:
            logger.exception("an operation failed in a way that nobody foresaw")
            tell({"error": error_to_json(Unforeseen("the connector failed at this; its log says how"))})
        finally:
            with suppress(ConnectionError):
                await writer.drain()
            writer.close()


async def ask(home: Home, name: str, arguments: JSONObject, report: Report) -> JSON:
    """Ask the connector that runs on ``home``.

    Raises :class:`NotRunning`, :class:`ConnectorStopped` or :class:`FromConnector`.
    """
    try:
        with _short(home.control_socket) as path:
            reader, writer = await asyncio.open_unix_connection(path, limit=MAX_ASKED_BYTES)
    except (FileNotFoundError, ConnectionError) as error:
        raise NotRunning("nobody answers on this home's control socket") from error
    try:
        writer.write(json.dumps({"operation": name, "arguments": arguments}).encode() + b"\n")
        await writer.drain()
        while line := await _line(reader):
            answer = json.loads(line)
            if "progress" in answer:
                report(**answer["progress"])
            elif "error" in answer:
                raise error_from_json(answer["error"])
            else:
                result: JSON = answer["result"]
                return result
    except ConnectionError as error:
        raise ConnectorStopped("the connector stopped before it answered") from error
    finally:
        writer.close()
    raise ConnectorStopped("the connector stopped before it answered")


async def _line(reader: asyncio.StreamReader) -> bytes:
    """One line, or what there is before the end. Raises :class:`LineTooLong`."""
    try:
        return await reader.readline()
    except ValueError as error:
        # Whoever still sends would not hear the answer: the rest is read, and not kept.
        with suppress(TimeoutError):
            async with asyncio.timeout(LEFTOVER_SECONDS):
                while await reader.read(1 << 16):
                    continue
        raise LineTooLong(f"a line has more than {MAX_ASKED_BYTES} bytes") from error


def error_to_json(error: BylagError) -> JSONObject:
    """An error as it crosses the socket, and as ``--json`` prints it."""
    kind = getattr(error, "remote_kind", error.kind)
    return {
        "code": str(getattr(error, "reason", error.code)),
        "kind": kind.value,
        "message": error.message,
        "next_step": error.next_step,
        "field": error.field,
    }


def error_from_json(value: dict[str, str]) -> FromConnector:
    """Read what :func:`error_to_json` wrote."""
    return FromConnector(
        value["code"], ErrorKind(value["kind"]), value["message"], value["next_step"], value["field"]
    )


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for ``path`` that fits into a socket address."""
    if len(os.fsencode(path)) <= LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
