"""Every mutant, in the order of the table of threats (docs/security.md)."""

from __future__ import annotations

from typing import Final

from tests.mutants import arriving, calling, charged, engines, leaving, lying, owing, signed

NOTHING_TO_TAKE_OUT: Final = frozenset({"A policy's author injects rules"})
"""Rows whose control is what the code does not do. The table says so."""

MUTANTS: Final = (
    *calling.WHO_IS_CALLING,
    *calling.WHO_IS_A_MEMBER,
    *signed.WHAT_WAS_SIGNED,
    *leaving.WHAT_MAY_LEAVE,
    *engines.WHO_DECIDES,
    *leaving.DATA_ABOUT_PEOPLE,
    *arriving.WHAT_ARRIVES,
    *owing.WHAT_IS_OWED,
    *arriving.WHAT_THE_LEDGER_SAYS_LATER,
    *charged.WHAT_IS_CHARGED,
    *lying.WHAT_LIES_ON_THE_DISK,
    *lying.BAD_INPUT,
)
