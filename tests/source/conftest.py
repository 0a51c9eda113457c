"""Fixtures of this room's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.source.shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """An empty folder of versions."""
    return Shelf(tmp_path)
