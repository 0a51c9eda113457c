"""Whatever goes wrong, as one line, what to do next, and an exit status.

Rules that hold here:

* A person reads ``error CODE: sentence`` and ``next: what to do`` on standard error; with ``--json``
  a program reads ``{"error": {…}}`` on standard output. There is no stack trace for any input.
* The exit status says what sort of failure it was (:data:`STATUSES`), so that a script can tell a
  denial from a peer that does not answer.
* Control and direction-changing characters are shown as escapes: an error may name what a peer or
  a file said.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Final, NoReturn

import click

from connector.cli import INTERRUPTED
from connector.cli.show import clean, write_error, write_json
from ledger.canonical import JSONObject
from ledger.errors import BylagError, ErrorKind

OK, FAILED, WRONG_USE, DENIED, UNAVAILABLE, NOT_FOUND = 0, 1, 2, 3, 4, 5
PIPE_CLOSED: Final = 141
"""128 + SIGPIPE."""

COMPLETE: Final = "_BYLAG_COMPLETE"
"""Set by the shell when it asks for completions."""

MEANINGS: Final = {
    OK: "done",
    FAILED: "it did not work: the state does not allow it now, something is not verified or not healthy",
    WRONG_USE: "wrong usage or bad input: the same command will fail again",
    DENIED: "denied, by policy, membership, passphrase or rights on files",
    UNAVAILABLE: "a peer, the connector, the disk or a budget is not available: later it may work",
    NOT_FOUND: "what was named does not exist, or may not be seen",
    INTERRUPTED: "interrupted from the keyboard",
    PIPE_CLOSED: "whoever read the output stopped reading",
}
"""Every exit status and what it means; docs/cli.md prints this table."""

STATUSES: Final = {
    ErrorKind.INVALID: WRONG_USE,
    ErrorKind.DENIED: DENIED,
    ErrorKind.UNAUTHENTICATED: DENIED,
    ErrorKind.NOT_FOUND: NOT_FOUND,
    ErrorKind.CONFLICT: FAILED,
    ErrorKind.EXHAUSTED: UNAVAILABLE,
    ErrorKind.UNAVAILABLE: UNAVAILABLE,
    ErrorKind.DAMAGED: FAILED,
}


class WrongUsage(BylagError):
    """The command line is not one that bylag knows."""

    code = "WRONG_USAGE"
    default_next_step = "Run the command with --help."


class FileProblem(BylagError):
    """The operating system does not let a file be read or written."""

    code = "FILE_PROBLEM"
    default_next_step = "Check the file's name."


class FileForbidden(FileProblem):
    """This user has no right to a file."""

    code = "FILE_FORBIDDEN"
    kind = ErrorKind.DENIED
    default_next_step = "Check who may read or write there."


class DiskProblem(FileProblem):
    """The disk is full, or fails."""

    code = "DISK_PROBLEM"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Make room on the disk, and look at its health."


def run() -> NoReturn:
    """Run the command line, and end the process with its exit status."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    try:
        status = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more on its way out, and must not find the pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = PIPE_CLOSED
    sys.exit(status)


def _run() -> int:
    try:
        _require_text(sys.argv[1:])
        from connector.cli.root import bylag  # noqa: PLC0415  # after what could already be wrong

        if COMPLETE in os.environ:
            bylag.main(prog_name="bylag", complete_var=COMPLETE)
        # Not ``main``, which has its own idea of how a command ends when nobody reads its output.
        with bylag.make_context("bylag", sys.argv[1:]) as context:
            bylag.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except BylagError as error:
        return complain(error)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return WRONG_USE
    except click.FileError as error:
        return complain(FileProblem(f"{error.ui_filename}: {error.message}"))
    except click.ClickException as error:
        return complain(_wrong_usage(error))
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except OSError as error:
        return complain(_file_problem(error))
    return OK


def complain(error: BylagError) -> int:
    """Say what is wrong, and return the exit status for it."""
    if "--json" in sys.argv[1:]:
        write_json({"error": as_json(error)})
    else:
        named = error.field is not None and error.message.startswith(f"{error.field}: ")
        where = f" ({error.field})" if error.field and not named else ""
        write_error(f"error {code_of(error)}: {clean(error.message)}{clean(where)}", bold=True)
        write_error(f"next: {clean(error.next_step)}")
    return STATUSES[kind_of(error)]


def as_json(error: BylagError) -> JSONObject:
    """An error as ``--json`` prints it."""
    return {
        "code": code_of(error),
        "kind": kind_of(error).value,
        "message": error.message,
        "next_step": error.next_step,
        "field": error.field,
    }


def code_of(error: BylagError) -> str:
    """The error's stable code; a denial's is the reason, as the other side's log has it."""
    return str(getattr(error, "reason", error.code))


def kind_of(error: BylagError) -> ErrorKind:
    """What sort of failure it is, also when a running connector answered with it."""
    kind = getattr(error, "remote_kind", error.kind)
    return kind if isinstance(kind, ErrorKind) else error.kind


def _require_text(arguments: list[str]) -> None:
    for place, argument in enumerate(arguments, start=1):
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            raise WrongUsage(f"argument {place} is not UTF-8") from error


def _wrong_usage(error: click.ClickException) -> WrongUsage:
    context = getattr(error, "ctx", None)
    path = context.command_path if isinstance(context, click.Context) else "bylag"
    message = " ".join(error.format_message().split()).rstrip(".")
    return WrongUsage(message[:1].lower() + message[1:], next_step=f"Run `{path} --help`.")


def _file_problem(error: OSError) -> BylagError:
    name = Path(os.fsdecode(error.filename)).name if error.filename else "a file"
    sort = _PROBLEMS.get(error.errno or 0, FileProblem)
    return sort(f"{name}: {error.strerror or 'cannot be used'}")


_PROBLEMS: Final[dict[int, type[FileProblem]]] = {
    errno.ENOSPC: DiskProblem,
    errno.EDQUOT: DiskProblem,
    errno.EIO: DiskProblem,
    errno.EACCES: FileForbidden,
    errno.EPERM: FileForbidden,
    errno.EROFS: FileForbidden,
}
