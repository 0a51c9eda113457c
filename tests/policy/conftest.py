"""Engines and tools of this room's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.policy.build import find_opa
from connector.policy.embedded import EmbeddedEngine
from connector.policy.errors import RulebookNotBuilt
from tests.engine import shared_engine


@pytest.fixture(scope="session")
def opa() -> Path:
    """The pinned OPA, on PATH or where ``go install`` puts it."""
    try:
        return find_opa()
    except RulebookNotBuilt as error:
        pytest.skip(f"{error}. {error.next_step}")


@pytest.fixture(scope="session")
def engine() -> EmbeddedEngine:
    return shared_engine()
