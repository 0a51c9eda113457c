"""docs/cli.md says what the commands say: its generated parts are theirs, its examples are commands."""

from __future__ import annotations

import re
import shlex
import tomllib
from dataclasses import fields
from pathlib import Path

import click
import pytest

from connector.cli.page import walk, written
from connector.cli.root import bylag
from connector.store.config import Config
from connector.store.home import Home

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
EXAMPLES = [
    line
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    if line.strip().startswith("bylag ")
]


def test_the_page_is_what_the_commands_give() -> None:
    page = PAGE.read_text("utf-8")
    assert page == written(page), "run python -m connector.cli.page docs/cli.md"


def test_every_command_has_its_place_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    for command, place in walk(bylag, click.Context(bylag, info_name="bylag")):
        if command is not bylag:
            assert f"# `{place.command_path}`\n" in page


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_on_the_page_is_a_command_with_options_that_it_has(line: str) -> None:
    words = shlex.split(re.sub(r"\s>\s\S+$", "", line))[1:]
    command: click.Command = bylag
    context = click.Context(bylag, info_name="bylag")
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None, line
        command = found
    parser = command.make_parser(click.Context(command, info_name=command.name, resilient_parsing=False))
    parser.parse_args(args=words)  # raises NoSuchOption, or that a value is missing


def test_every_setting_has_its_place_on_the_page_of_settings() -> None:
    page = (PAGE.parent / "reference" / "configuration.md").read_text("utf-8")
    for setting in fields(Config):
        assert f"\n| `{setting.name}` |" in page
    example = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert example is not None
    assert set(tomllib.loads(example[1])) == {setting.name for setting in fields(Config)}


def test_everything_in_a_home_has_its_place_on_that_page(tmp_path: Path) -> None:
    page = (PAGE.parent / "reference" / "configuration.md").read_text("utf-8")
    for name, path in vars(Home(tmp_path)).items():
        assert name == "folder" or path.name in page, name
