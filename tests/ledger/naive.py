"""RFC 6962 section 2.1 word for word: slow, recursive, and independent of ``ledger.tree``."""

from __future__ import annotations

import hashlib


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def root(entries: list[bytes]) -> bytes:
    """MTH(D[n])"""
    if not entries:
        return hashlib.sha256().digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = split(len(entries))
    return hashlib.sha256(b"\x01" + root(entries[:k]) + root(entries[k:])).digest()


def path(m: int, entries: list[bytes]) -> list[bytes]:
    """PATH(m, D[n])"""
    if len(entries) == 1:
        return []
    k = split(len(entries))
    if m < k:
        return [*path(m, entries[:k]), root(entries[k:])]
    return [*path(m - k, entries[k:]), root(entries[:k])]


def proof(m: int, entries: list[bytes]) -> list[bytes]:
    """PROOF(m, D[n])"""
    return subproof(m, entries, True)


def subproof(m: int, entries: list[bytes], complete: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b)"""
    n = len(entries)
    if m == n:
        return [] if complete else [root(entries)]
    k = split(n)
    if m <= k:
        return [*subproof(m, entries[:k], complete), root(entries[k:])]
    return [*subproof(m - k, entries[k:], False), root(entries[:k])]
