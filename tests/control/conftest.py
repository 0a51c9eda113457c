"""The embedded engine, loaded once for this folder's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.policy.embedded import EmbeddedEngine


@pytest.fixture(scope="session")
def engine() -> Iterator[EmbeddedEngine]:
    made = EmbeddedEngine()
    yield made
    made.close()
