"""What a denial tells whoever was denied to do next."""

from __future__ import annotations

import re

import click
import pytest

from connector.cli.page import walk
from connector.cli.root import bylag
from connector.exchange.denials import ANY, NEXT_STEPS
from connector.exchange.ground import Denied
from connector.policy.wording import SENTENCES

COMMANDS = {context.command_path for _, context in walk(bylag, click.Context(bylag, info_name="bylag"))}


def test_each_reason_of_the_rulebook_leads_to_the_account_of_it() -> None:
    own = {"PURPOSE_BEYOND_AGREEMENT"}
    assert {Denied(code).next_step for code in SENTENCES["en"].keys() - own} == {ANY}
    assert "bylag agreement show" in Denied("PURPOSE_BEYOND_AGREEMENT").next_step


@pytest.mark.parametrize("step", sorted({ANY, *NEXT_STEPS.values()}))
def test_a_next_step_names_commands_that_there_are(step: str) -> None:
    for quoted in re.findall(r"`(bylag [^`]+)`", step):
        words = re.match(r"[a-z ]*[a-z]", quoted)
        assert words is not None
        assert words[0] in COMMANDS
