"""``python -m ledger``: what an auditor types, what is printed, and the exit status."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ledger import log
from ledger.__main__ import main
from ledger.proof import parse_proof, verify
from ledger.trust import trusting
from tests.ledger.story import Story, first_keys

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    story = Story(tmp_path_factory.mktemp("story"))
    story.exchange("e1")
    story.export(story.provider, "early")
    story.exchange("e2")
    story.export(story.provider, "provider-log")
    story.export(story.consumer, "consumer-log")
    (story.folder / "registrar.json").write_bytes(first_keys())
    (story.folder / "trust").write_text(
        f"log {story.provider.signer.key}\nlog {story.consumer.signer.key}\nquorum none\n"
    )
    return story


@pytest.fixture
def damaged(story: Story, tmp_path: Path) -> Path:
    copy = Path(shutil.copytree(story.folder / "provider-log", tmp_path / "damaged"))
    path = next((copy / "tile" / "entries").rglob("*.p")) / "14"
    path.write_bytes(path.read_bytes().replace(b'"e2"', b'"e3"'))
    return copy


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(each) for each in arguments])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_two_good_folders_verify_with_status_0(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [story.folder / "provider-log", story.folder / "consumer-log"]
    status, out, _ = run(capsys, "verify", *folders, "--registrar", story.folder / "registrar.json")
    assert status == 0
    assert "provider-log: verified\n" in out
    assert "provider-log and consumer-log: verified\n" in out
    assert "exchanges: 2" in out
    assert "NOT" not in out


def test_json_says_the_same(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["verify", story.folder / "provider-log", "--trust", story.folder / "trust", "--json"]
    status, out, _ = run(capsys, *arguments)
    told = json.loads(out)
    assert (status, told["verified"], told["reports"][0]["facts"]["leaves"]) == (0, True, 14)
    assert [step["step"] for step in told["reports"][0]["steps"]] == [1, 2, 3, 4, 5, 6, 7]


def test_a_damaged_folder_gives_status_1_and_says_where(
    damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, "verify", damaged)
    assert status == 1
    assert "NOT VERIFIED" in out
    assert "wrong: checkpoint: the entries hash to another root" in out


def test_one_bad_folder_among_good_ones_spoils_the_verdict(
    story: Story, damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, "verify", story.folder / "consumer-log", damaged)
    assert status == 1
    assert "consumer-log: verified" in out


@pytest.mark.parametrize("command", [["verify"], ["inclusion", "0"], ["show"]])
def test_no_export_gives_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    status, out, err = run(capsys, command[0], tmp_path, *command[1:])
    assert (status, out) == (2, "")
    assert err.startswith("error: no export of a ledger lies there")


@pytest.mark.parametrize(
    "arguments", [[], ["verify"], ["prove", "x"], ["inclusion", "x", "one"], ["verify", "--loud", "x"]]
)
def test_wrong_use_gives_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m ledger" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "content"),
    [("--trust", "nonsense\n"), ("--registrar", "{}"), ("--trust", None), ("--registrar", None)],
)
def test_a_trust_file_that_cannot_be_read_gives_status_2(
    story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "file").write_text(content)
    status, _, err = run(capsys, "verify", story.folder / "provider-log", option, tmp_path / "file")
    assert status == 2
    assert err.startswith("error: ")


def test_a_log_that_the_policy_does_not_name_gives_status_1(
    story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "trust").write_text(f"log {story.consumer.signer.key}\nquorum none\n")
    for arguments in (
        ["verify", story.folder / "provider-log"],
        ["inclusion", story.folder / "provider-log", 1],
        ["show", story.folder / "provider-log"],
    ):
        status, _, _ = run(capsys, *arguments, "--trust", tmp_path / "trust")
        assert status == 1


def test_inclusion_prints_a_proof_that_verifies(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    folder = story.folder / "provider-log"
    status, out, _ = run(capsys, "inclusion", folder, 5, "--trust", story.folder / "trust")
    assert status == 0
    entry = log.entry(story.provider.connection, 5).bytes
    assert verify(parse_proof(out.encode()), entry, trusting(story.provider.signer.key)).checkpoint.size == 14
    status, out, _ = run(capsys, "inclusion", folder, 5, "--json")
    assert json.loads(out)["leaf"] == json.loads(entry)


@pytest.mark.parametrize("index", [14, -1])
def test_inclusion_of_what_is_not_there_gives_status_2(
    story: Story, capsys: pytest.CaptureFixture[str], index: int
) -> None:
    status, _, err = run(capsys, "inclusion", story.folder / "provider-log", "--", index)
    assert status == 2
    assert "14 leaves" in err


def test_inclusion_in_a_damaged_log_gives_status_1(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "inclusion", damaged, 13)[0] == 1


def test_a_later_export_continues_an_earlier_one(
    story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    early, late = story.folder / "early", story.folder / "provider-log"
    kept = tmp_path / "kept"
    kept.write_bytes((early / "checkpoint").read_bytes())
    for old in (early, kept, late):
        status, out, _ = run(capsys, "consistency", old, late)
        assert status == 0
        assert "begin with" in out
    assert run(capsys, "consistency", late, early)[0] == 2
    assert run(capsys, "consistency", tmp_path / "nothing", late)[0] == 2
    assert run(capsys, "consistency", story.folder / "consumer-log", late)[0] == 1


def test_a_rewritten_log_is_not_consistent_with_the_checkpoint_kept(
    story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Story(tmp_path)  # the same keys, another history
    for name in ("e1", "e2", "e3"):
        other.exchange(f"other-{name}")
    folder = other.export(other.provider, "rewritten")
    status, _, err = run(capsys, "consistency", story.folder / "early", folder)
    assert status == 1
    assert "does not begin with" in err
    assert "Keep both checkpoints" in err


def test_show_lists_every_leaf(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "show", story.folder / "provider-log")
    lines = out.splitlines()
    assert (status, len(lines)) == (0, 14)
    assert lines[0].split()[:3] == ["0", "genesis", "node"]
    assert "request" in lines[2]
    status, out, _ = run(capsys, "show", story.folder / "provider-log", "--json")
    assert len(json.loads(out)["leaves"]) == 14


BARE = """
import socket, sys
sys.modules["uvloop"] = None
del socket.AF_UNIX
sys.path.insert(0, sys.argv.pop(1))
import runpy
runpy.run_module("ledger", run_name="__main__", alter_sys=True)
"""


def test_it_runs_without_uvloop_unix_sockets_and_the_connector(story: Story) -> None:
    (story.folder / "bare").mkdir(exist_ok=True)
    shutil.copytree(REPOSITORY / "ledger", story.folder / "bare" / "ledger", dirs_exist_ok=True)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            BARE,
            str(story.folder / "bare"),
            "verify",
            str(story.folder / "provider-log"),
        ],
        cwd=story.folder / "bare",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    assert "provider-log: verified" in done.stdout


IMPORTS = """
import importlib, json, pkgutil, sys, ledger
for module in pkgutil.iter_modules(ledger.__path__):
    if module.name != "__main__":
        importlib.import_module(f"ledger.{module.name}")
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_the_package_imports_nothing_but_what_it_says() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    others = set(json.loads(done.stdout)) - set(sys.stdlib_module_names)
    others -= {"ledger", "cryptography", "jwt", "rfc8785"}
    assert not {name for name in others if not name.startswith("_")}


def test_a_terminal_is_shown_no_control_characters(
    story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(story.folder / "early", tmp_path / "copy"))
    (copy / "export.json").write_text('{"\\u001b[2J":1,"\\u001b[2J":2}')
    status, _, err = run(capsys, "show", copy)
    assert status == 2
    assert "\x1b" not in err
