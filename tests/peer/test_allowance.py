"""One peer's calls do not crowd out another's, nor its own protective ones."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from connector.identity.peer import Standing
from connector.peer import allowance
from connector.peer.allowance import BURST, CALLS_A_SECOND, OPEN_CALLS, Allowances, AllowanceUsed
from ledger.ambient import HeldAmbient
from ledger.names import ParticipantId

ONE, OTHER = ParticipantId("did:web:one.example"), ParticipantId("did:web:other.example")


def begin(allowances: Allowances, peer: ParticipantId, lane: Standing = Standing.FULL) -> None:
    with allowances.call(peer, lane):
        pass


def test_a_peer_has_so_many_calls_open_and_no_more() -> None:
    allowances = Allowances(HeldAmbient())
    with ExitStack() as calls:
        for _ in range(OPEN_CALLS):
            calls.enter_context(allowances.call(ONE, Standing.FULL))
        with pytest.raises(AllowanceUsed):
            begin(allowances, ONE)
        begin(allowances, OTHER)
        begin(allowances, ONE, Standing.PROTECTIVE)
    begin(allowances, ONE)


def test_a_peer_begins_so_many_calls_and_then_so_many_a_second() -> None:
    ambient = HeldAmbient()
    allowances = Allowances(ambient)
    for _ in range(int(BURST)):
        begin(allowances, ONE)
    with pytest.raises(AllowanceUsed):
        begin(allowances, ONE)
    begin(allowances, OTHER)
    begin(allowances, ONE, Standing.PROTECTIVE)
    ambient.advance(1000)
    for _ in range(int(CALLS_A_SECOND)):
        begin(allowances, ONE)
    with pytest.raises(AllowanceUsed):
        begin(allowances, ONE)


def test_a_clock_that_steps_gives_nobody_more() -> None:
    ambient = HeldAmbient()
    allowances = Allowances(ambient)
    for _ in range(int(BURST)):
        begin(allowances, ONE)
    ambient.step(3_600_000)
    with pytest.raises(AllowanceUsed):
        begin(allowances, ONE)


def test_what_is_kept_of_peers_is_bounded_and_open_calls_are_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(allowance, "_KEPT", 10)
    allowances = Allowances(HeldAmbient())
    with ExitStack() as calls:
        for _ in range(OPEN_CALLS):
            calls.enter_context(allowances.call(ONE, Standing.FULL))
        for number in range(100):
            begin(allowances, ParticipantId(f"did:web:m{number}.example"))
        assert len(allowances._accounts) <= 11
        with pytest.raises(AllowanceUsed):
            begin(allowances, ONE)
