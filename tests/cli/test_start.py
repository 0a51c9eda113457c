"""How the command begins: what a newcomer sees, what it loads, and what holds for all of it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import click
import pytest

from connector import __version__
from connector.cli.failing import MEANINGS, STATUSES
from connector.cli.page import walk
from connector.cli.root import SECTIONS, bylag
from connector.cli.wording import CODES, STATES
from connector.contract.messages import TERMINATION_CODES
from connector.contract.states import State
from ledger.errors import ErrorKind
from tests.cli.command import BYLAG, Shell, ended

HEAVY = {"grpc", "sqlalchemy", "sqlmodel", "wasmtime", "cryptography", "google", "rich", "uvloop", "asyncio"}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], [], ["nonsense"]])
def test_it_starts_without_what_it_does_not_need(arguments: list[str]) -> None:
    script = (
        "import sys; sys.argv = ['bylag', *sys.argv[1:]]\n"
        "import atexit; atexit.register(lambda: sys.stderr.write('loaded:' + ' '.join(sys.modules)))\n"
        "from connector.cli import main; main()\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    loaded = set(told.stderr.rpartition("loaded:")[2].split())
    assert "click" in loaded
    assert HEAVY & loaded == set()


def test_a_newcomer_is_told_the_first_steps(shell: Shell) -> None:
    told = shell()
    assert "No participant lives in" in told.out
    for step in ("bylag demo", "bylag init", "bylag registrar create", "bylag --help"):
        assert step in told.out


def test_it_says_its_version_also_as_a_module(shell: Shell) -> None:
    assert shell("--version").out.strip().endswith(__version__)
    told = subprocess.run(
        [sys.executable, "-m", "connector.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert told.stdout.startswith("bylag, version ")


@pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])
def test_it_completes_in_every_shell(shell: Shell, kind: str) -> None:
    assert "_BYLAG_COMPLETE" in shell("completion", kind).out


def test_names_of_commands_are_completed(shell: Shell) -> None:
    asked = {"_BYLAG_COMPLETE": "bash_complete", "COMP_WORDS": "bylag neg", "COMP_CWORD": "1"}
    assert shell(env=asked).out.split() == ["plain,negotiate", "plain,negotiation"]


def test_every_command_says_what_it_does() -> None:
    context = click.Context(bylag, info_name="bylag")
    for command, place in walk(bylag, context):
        assert command.help, place.command_path
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (place.command_path, parameter.name)
    for section in SECTIONS:
        for entry in section.entries:
            assert entry.help.endswith("."), entry.name


def test_every_command_that_has_a_result_prints_it_as_json() -> None:
    without = {
        place.command_path
        for command, place in walk(bylag, click.Context(bylag, info_name="bylag"))
        if not isinstance(command, click.Group) and not any("--json" in each.opts for each in command.params)
    }
    assert without == {"bylag demo", "bylag completion"}


def test_every_kind_of_error_has_an_exit_status_with_a_meaning() -> None:
    assert set(STATUSES) == set(ErrorKind)
    assert set(STATUSES.values()) <= set(MEANINGS)


def test_what_is_repeated_for_the_sake_of_a_quick_start_is_what_it_repeats() -> None:
    assert CODES == TERMINATION_CODES
    assert tuple(state.value for state in State) == STATES


def test_colours_appear_on_terminals_only_and_not_where_they_are_not_wanted(shell: Shell) -> None:
    assert "\x1b" not in shell("purposes", "research").out
    assert "\x1b[" in _on_a_terminal(shell, {})
    assert "\x1b" not in _on_a_terminal(shell, {"NO_COLOR": "1"})


def test_an_interrupt_ends_it_without_a_trace(shell: Shell) -> None:
    ours, theirs = pty.openpty()
    process = shell.start(
        "registrar", "create", "x.example", "--folder", "asked", "--ask-passphrase",
        stdin=theirs, env={"TERM": "xterm"},
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stderr.read(3) == "New"  # it asks for the passphrase now
    os.write(ours, b"\x03")
    process.send_signal(2)
    ended(process, status=130)
    os.close(ours)
    os.close(theirs)


def _on_a_terminal(shell: Shell, env: dict[str, str]) -> str:
    ours, theirs = pty.openpty()
    process = shell.start("purposes", "research", stdout=theirs, env={"TERM": "xterm", **env})
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end was closed: the command ended
            break
        if not part:
            break
        said += part
    os.close(ours)
    ended(process)
    return said.decode()


def test_the_command_is_installed() -> None:
    assert BYLAG.is_file()
