"""The embedded engine, loaded once for this folder's tests."""

from __future__ import annotations

import pytest

from connector.policy.embedded import EmbeddedEngine
from tests.engine import shared_engine


@pytest.fixture(scope="session")
def engine() -> EmbeddedEngine:
    return shared_engine()
