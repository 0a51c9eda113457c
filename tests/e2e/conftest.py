"""The data space that most end-to-end tests share, and the order: whoever reads every log comes last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.space import Participant, Space
from tests.e2e.town import Town

LAST = ("test_every_leaf", "test_replay")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: any(name in item.nodeid for name in LAST))


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Members and a citizen, whose processes run for the whole session."""
    town = Town(tmp_path_factory.mktemp("town"))
    try:
        town.open()
        yield town
    finally:
        town.end()


@pytest.fixture
def make_space(tmp_path: Path) -> Iterator[Callable[[], Space]]:
    """Makes data spaces of a test's own, for what would spoil a shared one."""
    made: list[Space] = []

    def make() -> Space:
        made.append(Space(tmp_path / f"space-{len(made)}"))
        return made[-1]

    try:
        yield make
    finally:
        for space in made:
            space.end()


@pytest.fixture
def running(town: Town) -> Iterator[Callable[[Participant], Participant]]:
    """Lets a test stop or kill a shared process: it runs again afterwards."""
    touched: list[Participant] = []

    def take(participant: Participant) -> Participant:
        touched.append(participant)
        return participant

    yield take
    for participant in touched:
        if participant.process is None:
            participant.start()
