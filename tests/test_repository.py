"""The repository keeps its own rules: what stands in it, how it is built, what its pages point to."""

from __future__ import annotations

import ast
import csv
import filecmp
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

REPOSITORY = Path(__file__).resolve().parent.parent
TOOLS = Path(sys.executable).parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]

GENERATED = "connector/v1/"
MOST_LINES = 700

# What must not stand in any file, and the files that may.
FORBIDDEN = {
    "a folder of somebody's machine": (
        re.compile(r"(?<![\w.])/(?:work|root|Users|home)/"),
        (),
    ),
    "the folder of shared test data, which .ci/run alone names": (
        re.compile(r"\.\./shared\b"),
        (".ci/run",),
    ),
    "a package registry's host": (
        re.compile(
            r"\b(?:pypi\.org|pythonhosted\.org|registry\.npmjs\.org|proxy\.golang\.org|crates\.io"
            r"|repo\d?\.maven\.(?:apache\.)?org|deb\.debian\.org)\b"
        ),
        (),
    ),
    "a private key": (re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/]{16}"), ()),
}


def tracked_files() -> Iterator[Path]:
    """The repository's files: what git would commit or, without git, all that .gitignore leaves."""
    listing = _git_listing()
    names = listing if listing is not None else sorted(_unignored(REPOSITORY))
    for name in names:
        path = REPOSITORY / name
        if path.is_file():
            yield path


def _git_listing() -> list[str] | None:
    git = shutil.which("git")
    if git is None or not (REPOSITORY / ".git").exists():
        return None
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
        timeout=60,
    )
    return sorted(filter(None, listed.stdout.decode().split("\0"))) if listed.returncode == 0 else None


def _unignored(folder: Path) -> Iterator[str]:
    lines = (REPOSITORY / ".gitignore").read_text("utf-8").splitlines()
    ignored = {".git"} | {line.strip("/") for line in lines if line and not line.startswith("#")}
    for path in folder.iterdir():
        if any(path.match(pattern) for pattern in ignored):
            continue
        if path.is_dir():
            yield from _unignored(path)
        else:
            yield str(path.relative_to(REPOSITORY))


def _name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return ""  # an archive or a picture


def _modules() -> Iterator[Path]:
    for path in tracked_files():
        if path.suffix == ".py" and not _name(path).startswith(GENERATED):
            yield path


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    pattern, allowed = FORBIDDEN[what]
    found = [
        f"{_name(path)}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()[:40]}"
        for path in tracked_files()
        if _name(path) not in allowed
        for text in [_text(path)]
        for match in pattern.finditer(text)
    ]
    assert not found, f"{what}:\n" + "\n".join(found)


def test_every_file_is_small_enough_to_know() -> None:
    long = [
        f"{_name(path)}: {lines} lines"
        for path in tracked_files()
        if path.suffix in {".py", ".rego", ".proto"} and not _name(path).startswith(GENERATED)
        if (lines := _text(path).count("\n")) > MOST_LINES
    ]
    assert not long, f"more than {MOST_LINES} lines:\n" + "\n".join(long)


def test_every_module_says_what_it_is() -> None:
    silent = [
        _name(path)
        for path in _modules()
        if (text := _text(path)) and not ast.get_docstring(ast.parse(text))  # an empty one has nothing to say
    ]
    assert not silent, "without a docstring:\n" + "\n".join(silent)


def test_the_arrows_between_rooms_run_one_way() -> None:
    linted = subprocess.run(
        [TOOLS / "lint-imports", "--no-cache"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_the_generated_code_is_what_the_protos_give(tmp_path: Path) -> None:
    subprocess.run([sys.executable, REPOSITORY / "proto/generate.py", tmp_path], check=True, timeout=60)
    fresh, committed = tmp_path / GENERATED, REPOSITORY / GENERATED
    names = {path.name for path in fresh.iterdir()}
    assert {path.name for path in committed.iterdir() if path.is_file()} == names, "run `make proto`"
    _, differing, unreadable = filecmp.cmpfiles(fresh, committed, names, shallow=False)
    assert not differing + unreadable, "run `make proto`"


def _pins(lock: str) -> dict[str, Version]:
    lines = (REPOSITORY / "requirements" / lock).read_text("utf-8").splitlines()
    pins = (Requirement(line.rstrip(" \\")) for line in lines if re.match(r"[a-z]", line))
    return {
        canonicalize_name(pin.name): Version(next(iter(pin.specifier)).version)
        for pin in pins
        if [clause.operator for clause in pin.specifier] == ["=="]
    }


@pytest.mark.parametrize("lock", ["base.txt", "build.txt", "dev.txt"])
def test_a_lock_pins_every_package_by_hash_and_names_no_index(lock: str) -> None:
    text = (REPOSITORY / "requirements" / lock).read_text("utf-8")
    options = [line for line in text.splitlines() if line.startswith("-")]
    assert not options, f"a lock holds packages alone: {options}"
    for block in re.split(r"\n(?=[a-z])", text)[1:]:
        assert "--hash=sha256:" in block, block.splitlines()[0]
    assert len(_pins(lock)) == len(re.findall(r"^[a-z]", text, re.MULTILINE)), "something is not pinned"


def test_the_locks_hold_what_the_project_asks_for_and_agree() -> None:
    base, dev = _pins("base.txt"), _pins("dev.txt")
    for asked in map(Requirement, PROJECT["dependencies"]):
        pinned = base.get(canonicalize_name(asked.name))
        assert pinned is not None, f"{asked.name} is in pyproject.toml and not locked: `make lock`"
        assert asked.specifier.contains(pinned), f"{asked} is locked as {pinned}: `make lock`"
    for other in (base, _pins("build.txt")):
        assert {name: dev.get(name) for name in other} == other, "dev.txt differs: `make lock`"


def test_the_project_asks_for_a_runtime_that_its_generated_code_accepts() -> None:
    code = "".join(_text(path) for path in (REPOSITORY / GENERATED).glob("*.py"))
    needs = {
        "grpcio": set(re.findall(r"^GRPC_GENERATED_VERSION = '(.+)'$", code, re.MULTILINE)),
        "protobuf": set(re.findall(r"^# Protobuf Python Version: (.+)$", code, re.MULTILINE)),
    }
    asked = {requirement.name: requirement for requirement in map(Requirement, PROJECT["dependencies"])}
    for name, versions in needs.items():
        (version,) = versions
        (floor,) = (clause.version for clause in asked[name].specifier if clause.operator == ">=")
        assert Version(floor) >= Version(version), f"{name}>={version} is what the generated code needs"


def test_the_wheel_holds_everything_that_runs(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path, REPOSITORY],
        capture_output=True,
        check=True,
        timeout=100,
    )
    (wheel,) = tmp_path.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        info = f"bylag-{PROJECT['version']}.dist-info"
        metadata = HeaderParser().parsestr(archive.read(f"{info}/METADATA").decode())
        scripts = archive.read(f"{info}/entry_points.txt").decode()
    assert metadata["Name"] == "bylag"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "bylag = connector.cli:main" in scripts
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/connector/demo/data/LICENSE"} <= held
    expected = {_name(path) for path in tracked_files() if _name(path).startswith(("connector/", "ledger/"))}
    assert expected <= held, f"left out: {sorted(expected - held)}"
    assert {"connector/policy/rulebook.tar.gz", "connector/py.typed", "ledger/py.typed"} <= held
    assert {name.split("/")[0] for name in held} == {"connector", "ledger", info}


LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def test_every_link_between_pages_leads_somewhere() -> None:
    pages = [path for path in tracked_files() if path.suffix == ".md"]
    broken = [
        f"{_name(page)}: {target}"
        for page in pages
        for target in LINK.findall(FENCE.sub("", _text(page)))
        if not re.match(r"[a-z]+:", target) and not _leads_somewhere(page, target)
    ]
    assert not broken, "broken links:\n" + "\n".join(broken)


def _leads_somewhere(page: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    there = (page.parent / name).resolve() if name else page
    if not there.exists() or REPOSITORY not in (there, *there.parents):
        return False
    return not anchor or there.suffix != ".md" or anchor in _anchors(there)


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ +(.+)$", FENCE.sub("", _text(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_make_help_names_every_target() -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    told = subprocess.run(
        [make, "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=30
    )
    (phony,) = re.findall(r"^\.PHONY: (.+)$", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert set(phony.split()) == set(re.findall(r"^  ([a-z]+) ", told.stdout, re.MULTILINE))


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    unit = (REPOSITORY / "deploy/bylag@.service").read_text("utf-8")
    placed = tmp_path / "bylag@.service"
    placed.write_text(
        unit.replace("/opt/bylag/bin/bylag", sys.executable), "utf-8"
    )  # there must be a program
    verified = subprocess.run(
        [analyze, "verify", "--man=no", tmp_path / "bylag@example.service"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_demo_data_is_complete_and_carries_its_licence() -> None:
    folder = REPOSITORY / "connector/demo/data"
    with (folder / "household-energy.csv").open(encoding="utf-8", newline="") as file:
        energy = list(csv.DictReader(file))
    with (folder / "weather-carbon.csv").open(encoding="utf-8", newline="") as file:
        surroundings = list(csv.DictReader(file))
    hours = [row["time"] for row in surroundings]
    assert len(hours) == len(set(hours)) == 14 * 24
    homes = {row["household_id"] for row in energy}
    assert homes == {f"household-{number:02}" for number in range(1, 18)}
    assert {(row["household_id"], row["time"]) for row in energy} == {
        (home, hour) for home in homes for hour in hours
    }
    assert "Permission is hereby granted, free of charge" in (folder / "LICENSE").read_text("utf-8")
    with pytest.raises(SystemExit, match="is not the wheel"):
        runpy.run_path(str(folder / "extract.py"))["extract"](Path(__file__), folder)
