"""What is said of a delivery that did not come to its end, when it is handed out."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from connector.cli import session
from connector.cli.deliveries import use

USED: dict[str, Any] = {
    "delivery": "51d0",
    "purpose": "https://w3id.org/dpv#PublicBenefit",
    "media_type": "text/csv",
    "rows": 2,
    "bytes": 12,
    "text": "a,b\n1,2\n",
    "mode": "transfer",
    "state": "SUSPENDED",
    "complete": False,
}


def used(monkeypatch: pytest.MonkeyPatch, **members: Any) -> str:
    """What stands beside the data that is handed out."""
    monkeypatch.setattr(session.Session, "ask", lambda *_, **__: {**USED, **members})
    ended = CliRunner().invoke(use, ["51d0", "--purpose", "PublicBenefit"])
    assert (ended.exit_code, ended.stdout) == (0, USED["text"])
    return ended.stderr


def test_a_part_is_said_to_be_a_part_and_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not all of it" in used(monkeypatch)
    assert "bylag fetch --resume 51d0" in used(monkeypatch)
    assert "--resume" not in used(monkeypatch, state="TERMINATED")
    assert "not all of it" in used(monkeypatch, state="TERMINATED")


def test_of_a_whole_delivery_and_of_a_subscription_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert used(monkeypatch, complete=True, state="COMPLETED") == ""
    assert used(monkeypatch, mode="subscribe", state="STARTED") == ""
