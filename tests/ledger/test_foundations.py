"""The bottom of the house: errors that help, a clock and dice that a test can hold."""

from __future__ import annotations

import pytest

from ledger.ambient import HeldAmbient, SystemAmbient, fresh_id
from ledger.errors import BylagError, ErrorKind


class Broken(BylagError):
    code = "BROKEN"
    kind = ErrorKind.DAMAGED
    default_next_step = "Mend it."


def test_an_error_names_the_field_and_the_next_step() -> None:
    error = Broken("the part is broken", field="parts[2]")
    assert str(error) == "parts[2]: the part is broken"
    assert (error.code, error.kind, error.next_step) == ("BROKEN", ErrorKind.DAMAGED, "Mend it.")
    assert str(Broken("all of it")) == "all of it"
    assert Broken("x", next_step="Buy another.").next_step == "Buy another."


def test_a_held_clock_moves_only_when_told() -> None:
    ambient = HeldAmbient(now=1_000)
    assert (ambient.now(), ambient.monotonic()) == (1_000, 0.0)
    ambient.advance(1_500)
    assert (ambient.now(), ambient.monotonic()) == (2_500, 1.5)


def test_a_clock_that_is_set_back_leaves_durations_alone() -> None:
    ambient = HeldAmbient(now=10_000)
    ambient.step(-9_000)
    assert (ambient.now(), ambient.monotonic()) == (1_000, 0.0)


def test_held_dice_follow_from_their_seed() -> None:
    assert HeldAmbient(seed=7).random(32) == HeldAmbient(seed=7).random(32)
    assert HeldAmbient(seed=7).random(32) != HeldAmbient(seed=8).random(32)


def test_the_systems_dice_do_not_repeat() -> None:
    ambient = SystemAmbient()
    assert len({fresh_id(ambient) for _ in range(100)}) == 100
    assert len(fresh_id(ambient)) == 32


def test_the_systems_monotonic_clock_never_steps_back() -> None:
    ambient = SystemAmbient()
    times = [ambient.monotonic() for _ in range(100)]
    assert times == sorted(times)
    assert ambient.now() > 1_700_000_000_000


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_every_kind_of_error_has_a_word(kind: ErrorKind) -> None:
    assert kind.value.replace("-", "").isalpha()
