"""Any sequence of lists, offered in any order: never a fork, never back, never a gap.

A registrar that keeps to no rule signs lists on top of whatever it likes, with enough keys or too few;
strangers sign too. Whatever a participant takes in is one path from list 1, each link sufficiently
signed; once it met proof of two histories it takes in nothing more.
"""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from connector.identity.certificate import DAY
from connector.identity.equivocation import Equivocation
from connector.identity.membership import (
    KIND,
    FirstKeys,
    ListDigest,
    MembershipList,
    RegistrarKeys,
    read_list,
)
from connector.identity.signed import MultiSigned
from connector.identity.trust import ListRolledBack, TrustStore
from ledger.ambient import HeldAmbient
from ledger.errors import BylagError
from ledger.names import Milliseconds
from tests.identity.test_trust import _keys
from tests.identity.world import SPACE

NOW = HeldAmbient().now()
KEYS = _keys(4)
FIRST = RegistrarKeys(2, tuple(key.public_key() for key in KEYS[:3]))
CHANGED = RegistrarKeys(2, tuple(key.public_key() for key in KEYS[1:]))

SIGNERS = st.sets(st.integers(0, len(KEYS) - 1), max_size=4)


class Lists(RuleBasedStateMachine):
    made = Bundle("made")

    @initialize(target=made)
    def start(self) -> MultiSigned:
        self.store = TrustStore(FirstKeys(SPACE, FIRST))
        self.taken: list[MultiSigned] = []
        self.stopped_at: int | None = None
        return self._make(1, None, FIRST, 0, {0, 1})

    def _make(
        self, number: int, previous: str | None, registrar: RegistrarKeys, salt: int, signers: set[int]
    ) -> MultiSigned:
        issued = Milliseconds(NOW + number * 1000 + salt)
        digest = None if previous is None else ListDigest(previous)
        entry = MembershipList(SPACE, number, digest, issued, Milliseconds(issued + 30 * DAY), registrar)
        signed = entry.unsigned()
        for index in sorted(signers):
            signed = signed.signed_by(KEYS[index], KIND)
        return signed

    @rule(target=made, salt=st.integers(0, 3), signers=SIGNERS)
    def make_a_first_list(self, salt: int, signers: set[int]) -> MultiSigned:
        return self._make(1, None, FIRST, salt, signers)

    @rule(
        target=made,
        before=made,
        salt=st.integers(0, 3),
        signers=st.just({0, 1, 2}) | st.just({1, 2, 3}) | st.just({1, 2}) | SIGNERS,
        changed=st.booleans(),
        skip=st.just(1) | st.integers(1, 3),
    )
    def make_a_list_on_top(
        self, before: MultiSigned, salt: int, signers: set[int], changed: bool, skip: int
    ) -> MultiSigned:
        number = read_list(before.payload).number + skip
        return self._make(number, before.digest, CHANGED if changed else FIRST, salt, signers)

    @rule(offered=made)
    def offer(self, offered: MultiSigned) -> None:
        held = self.store.number
        try:
            self.store.accept(offered)
        except Equivocation:
            assert self.store.proof is not None
            self.stopped_at = held if self.stopped_at is None else self.stopped_at
        except ListRolledBack:
            assert offered.digest in {item.digest for item in self.taken[:-1]}
        except BylagError:
            pass
        else:
            if self.store.number > held:
                self.taken.append(offered)
            else:
                assert offered.digest == self.taken[-1].digest
        assert self.store.number >= held, "never back"

    @invariant()
    def what_is_held_is_one_path_of_sufficiently_signed_lists(self) -> None:
        registrar, previous = FIRST, None
        assert self.store.number == len(self.taken)
        for number, signed in enumerate(self.taken, start=1):
            entry = read_list(signed.payload)
            assert entry.number == number
            assert entry.previous == previous
            for keys in (registrar, entry.registrar):
                assert len(set(signed.kids) & keys.by_thumbprint.keys()) >= keys.threshold
            registrar, previous = entry.registrar, ListDigest(signed.digest)
            assert self.store.links[number - 1].digest == signed.digest

    @invariant()
    def after_a_proof_nothing_is_taken_in(self) -> None:
        if self.stopped_at is not None:
            assert self.store.number == self.stopped_at
            try:
                self.store.require_valid(NOW)
            except Equivocation:
                return
            raise AssertionError("usable after a proof of two histories")


TestLists = Lists.TestCase
TestLists.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
