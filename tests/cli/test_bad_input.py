"""Wrong input at every edge of the command: one clear error, a status that says what sort, no stack trace.

The homes of this table have connectors that run, so the input crosses the control socket too. What
other edges refuse (peers, lists, agreements, tables) is in ``tests/bad_input``.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.command import BYLAG, Ended, Shell
from tests.cli.conftest import ALFA, BETA, Space

pytestmark = pytest.mark.timeout(300)  # a data space is made, and the whole table typed, before the first

TURNED, ESCAPE = "evil\u202etxt", "evil\x1b[31m"
AT_ONCE = 3
NOBODY = "did:web:nobody.example"
NEW = "--space energy.example @new"

TABLE = {
    # The command line itself
    "a command that is none": ("publsh", "WRONG_USAGE", 2),
    "an option that is none": ("status --hme x", "WRONG_USAGE", 2),
    "nothing to fetch": ("fetch @beta", "WRONG_USAGE", 2),
    "a number out of range": ("ledger show --last 0 @alfa", "WRONG_USAGE", 2),
    # Homes
    "a home that is not there": ("status @nowhere", "HOME_MISSING", 5),
    "a file as a home": ("status @alfa/connector.toml", "HOME_MISSING", 5),
    "a home that is there already": (f"init {ALFA} --space x @alfa", "HOME_EXISTS", 1),
    "no such registrar": ("registrar list --folder nowhere", "NO_REGISTRAR", 5),
    "a passphrase others can read": ("status @alfa --passphrase-file junk", "PASSPHRASE_EXPOSED", 3),
    "a folder as a passphrase": ("status @alfa --passphrase-file alfa", "NO_PASSPHRASE", 2),
    # Names
    "a did that is none": (f"init alfa {NEW}", "MALFORMED_NAME", 2),
    "a did of an address": (f"init did:web:127.0.0.1 {NEW}", "MALFORMED_NAME", 2),
    "a space that climbs": (f"init {ALFA} --space ../x @new", "MALFORMED_NAME", 2),
    "text that turns in a name": (f"init {ALFA} {NEW} --name {TURNED}", "MALFORMED_NAME", 2),
    "an escape in a name": (f"init {ALFA} {NEW} --name {ESCAPE}", "MALFORMED_NAME", 2),
    "text that turns in a unit": (f"init {ALFA} {NEW} --unit a={TURNED}", "WRONG_USAGE", 2),
    "a unit that climbs": (f"init {ALFA} {NEW} --unit ../a=A", "WRONG_USAGE", 2),
    "an endpoint that is none": (f"init {ALFA} {NEW} --endpoint http://x", "MALFORMED_NAME", 2),
    "a guest with a did": (f"init {ALFA} {NEW} --guest", "WRONG_USAGE", 2),
    "a peer that is no did": ("catalog alfa @beta", "MALFORMED_NAME", 2),
    "removing nobody": (f"registrar remove {NOBODY}", "CHANGE_REFUSED", 1),
    "removing what is no did": ("registrar remove nobody", "MALFORMED_NAME", 2),
    # Files
    "a folder as a request": ("registrar admit alfa", "CANNOT_READ_FILE", 2),
    "no such request": ("registrar admit nowhere.json", "CANNOT_READ_FILE", 2),
    "a request that is none": ("registrar admit junk", "UNKNOWN_REQUEST", 2),
    "a request changed on the way": ("registrar admit changed.json", "MALFORMED_REQUEST", 2),
    "a request cut off": ("registrar inspect cut.json", "UNKNOWN_REQUEST", 2),
    "an answer that is none": ("members update --file junk @alfa", "MALFORMED_JSON", 2),
    "a guest's request that is none": (
        "guest vouch junk --assurance low --out g.json @alfa",
        "MALFORMED_REQUEST",
        2,
    ),
    "a place that is taken": ("registrar answer --out junk", "FILE_EXISTS", 1),
    "a place that is not there": ("registrar first-keys --out no/such/x", "CANNOT_WRITE", 4),
    "an export that is none": ("ledger verify alfa", "MALFORMED_EXPORT", 2),
    "an export to a taken place": ("ledger export alfa @alfa", "EXPORT_EXISTS", 1),
    # Datasets
    "a file that is not there": ("publish nowhere.csv @alfa", "SOURCE_UNREADABLE", 2),
    "a folder as a table": ("publish alfa -d x @alfa", "SOURCE_UNREADABLE", 2),
    "a device as a table": ("publish /dev/zero @alfa", "SOURCE_UNREADABLE", 2),
    "a link as a table": ("publish link.csv @alfa", "SOURCE_UNREADABLE", 2),
    "a dataset id that climbs": ("publish t.csv -d ../../x @alfa", "BAD_FIELD", 2),
    "an id that climbs, to be shown": ("dataset ../../etc/passwd @alfa", "BAD_FIELD", 2),
    "an id that climbs, at a peer": (f"dataset ../../x --peer {ALFA} @beta", "NOT_FOUND", 5),
    "a dataset that is not there": ("dataset nothing @alfa", "NO_SUCH_DATASET", 5),
    "text that turns in a title": (f"publish t.csv --title {TURNED} @alfa", "BAD_FIELD", 2),
    "columns that look personal": ("publish people.csv @alfa", "UNDECLARED_COLUMNS", 2),
    "a column that is not there": ("publish t.csv --column c=personal @alfa", "UNKNOWN_COLUMN", 2),
    "a role that is none": ("publish t.csv --column a=secret @alfa", "WRONG_USAGE", 2),
    "ragged rows": ("publish ragged.csv @alfa", "BAD_ROW", 2),
    "a purpose that is none": ("publish t.csv --purpose Fun @alfa", "BAD_PURPOSE", 2),
    "a policy that is none": ("publish t.csv --policy junk @alfa", "MALFORMED_JSON", 2),
    "people in a plain file": ("publish people.csv --raw --column name=personal @alfa", "BAD_FIELD", 2),
    "an append to what does not grow": ("append table t.csv @alfa", "APPEND_REFUSED", 1),
    # Contracts and exchanges
    "a dataset nobody offers": (f"negotiate {ALFA} nothing @beta", "NOT_FOUND", 5),
    "a peer nobody knows": (f"negotiate {NOBODY} x @beta", "UNKNOWN_ORGANISATION", 5),
    "a peer without an endpoint": (f"catalog {BETA} @alfa", "NO_ENDPOINT", 4),
    "an agreement that is not there": ("fetch nothing @beta", "NO_SUCH_AGREEMENT", 5),
    "an agreement with a newline": ("agreement show 'a\nb' @beta", "BAD_FIELD", 2),
    "a delivery that climbs": ("use ../../x --purpose PublicBenefit @beta", "NO_SUCH_DELIVERY", 5),
    "a use for what is no purpose": ("use x --purpose Fun @beta", "BAD_PURPOSE", 2),
    "an exchange that is not there": ("fetch --resume nothing @beta", "NO_SUCH_DELIVERY", 5),
    "a condition that is none": ("fetch x --where 'all of it' @beta", "WRONG_USAGE", 2),
    "a reason that is none": ("agreement terminate x --code BORED @beta", "WRONG_USAGE", 2),
    "words that drive a terminal": (f"negotiate {ALFA} table --words {ESCAPE} @beta", "BAD_FIELD", 2),
    "a guest nobody vouches for": ("guest end guest:00 @alfa", "NO_SUCH_GUEST", 5),
}
"""What is typed (``@home`` for ``--home home``), the error's code, and the exit status."""


@pytest.fixture(scope="session")
def littered(space: Space) -> Space:
    """The space's folder with files that are not what they should be."""
    folder = space.folder
    (folder / "junk").write_text("no JSON")
    (folder / "junk").chmod(0o644)
    (folder / "t.csv").write_text("a,b\n1,2\n")
    (folder / "link.csv").symlink_to("t.csv")
    (folder / "people.csv").write_text("name,email\nAnna,anna@example.org\n")
    (folder / "ragged.csv").write_text("a,b\n1,2\n3\n")
    request = (folder / "beta-request.json").read_bytes()
    (folder / "cut.json").write_bytes(request[: len(request) // 2])
    said = json.loads(request)
    said["signatures"] = said["signatures"][1:]
    (folder / "changed.json").write_text(json.dumps(said))
    return space


@pytest.fixture(scope="session")
def answers(littered: Space) -> dict[str, Ended]:
    """What each line of the table got, a few processes at a time."""

    def typed(case: str) -> Ended:
        words = [part for word in shlex.split(TABLE[case][0]) for part in _home(word)]
        return littered.bylag(*words, status=None)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(TABLE, pool.map(typed, TABLE), strict=True))


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.replace(" ", "-"))
def test_wrong_input_gets_one_clear_error(answers: dict[str, Ended], case: str) -> None:
    _, code, status = TABLE[case]
    answers[case].refused(code, status)


def test_wrong_input_leaves_nothing_behind(littered: Space, answers: dict[str, Ended]) -> None:
    for nothing in ("new", "nowhere", "no", "g.json"):
        assert not (littered.folder / nothing).exists()


def test_with_json_an_error_is_one_object_on_standard_output(littered: Space) -> None:
    told = littered.bylag("dataset", "nothing", "--home", "alfa", "--json", status=5)
    assert told.json == {
        "error": {
            "code": "NO_SUCH_DATASET",
            "kind": "not-found",
            "message": "no such dataset",
            "next_step": "List what is published with `bylag catalog`.",
            "field": "dataset",
        }
    }
    assert told.err == ""


def test_what_cannot_be_seen_is_shown_as_an_escape(littered: Space) -> None:
    told = littered.bylag("registrar", "admit", f"{TURNED}.json", status=2)
    assert "\\u202e" in told.err
    assert "\u202e" not in told.err


def test_an_argument_that_is_no_text_is_refused(shell: Shell) -> None:
    told = subprocess.run(
        [os.fsencode(BYLAG), b"dataset", b"\xff\xfe"], capture_output=True, check=False, timeout=60
    )
    assert (told.returncode, told.stdout) == (2, b"")
    assert told.stderr.startswith(b"error WRONG_USAGE: argument 2 is not UTF-8\nnext: ")


def test_a_reader_who_stops_reading_ends_the_command_quietly(space: Space) -> None:
    reading, writing = os.pipe()
    process = space.bylag.start("purposes", stdout=writing)
    os.close(writing)
    os.close(reading)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (141, "")


def test_a_home_that_others_can_enter_is_refused(littered: Space) -> None:
    exposed = littered.folder / "exposed"
    exposed.mkdir()
    (exposed / "connector.toml").write_text("")
    exposed.chmod(0o755)
    littered.bylag("status", "--home", "exposed", status=None).refused("HOME_EXPOSED", 3)


def test_settings_with_a_misspelt_member_are_refused(space: Space) -> None:
    wrong = space.folder / "misspelt"
    wrong.mkdir(mode=0o700)
    for name in ("connector.toml", "registrar.json"):
        (wrong / name).write_bytes(Path(space.folder, "alfa", name).read_bytes())
    settings = (wrong / "connector.toml").read_text().replace("listen", "lisen", 1)
    (wrong / "connector.toml").write_text(settings)
    told = space.bylag("status", "--home", "misspelt", status=None)
    told.refused("BAD_CONFIG", 2)
    assert "lisen" in told.err


def _home(word: str) -> tuple[str, ...]:
    return ("--home", word[1:]) if word.startswith("@") else (word,)
