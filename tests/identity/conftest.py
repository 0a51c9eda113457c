"""What the identity tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.identity.world import Space


@pytest.fixture
def space(tmp_path: Path) -> Space:
    """A data space with a held clock and nobody in it."""
    return Space(tmp_path)
