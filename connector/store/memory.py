"""How the C library deals with memory that was freed: all threads share it, and it is given back.

glibc gives each thread an arena of its own: what one frees serves no other, and what lies at the end of
an arena is never given back, but for the first one's. A transfer reads, seals and carries its windows on
several threads, and used to leave tens of megabytes so. Other C libraries do as they do.
"""

from __future__ import annotations

import ctypes
from typing import Any, Final

_ARENA_MAX: Final = -8
"""M_ARENA_MAX of glibc's malloc.h (mallopt(3))."""


def share_memory() -> None:
    """Let all threads share one arena. Call it before there are many threads."""
    _ask("mallopt", _ARENA_MAX, 1)


def give_memory_back() -> None:
    """Something large is over: give what was freed back (malloc_trim(3))."""
    _ask("malloc_trim", 0)


def _ask(name: str, *numbers: int) -> None:
    function: Any = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*numbers)
