"""What time it is, by both clocks that a check needs."""

from __future__ import annotations

import time
from dataclasses import dataclass

SECOND = 1_000_000
"""In microseconds, which every instant and every span here is told in."""


@dataclass(frozen=True, slots=True)
class Now:
    """An instant by two clocks: one that people set, and one that nobody can set. Neither suffices: a deadline is an instant of
    the first; how long ago something was is for the second to say, and that one stands still while a machine is suspended."""

    wall: int
    """Microseconds since 1970."""
    monotonic: int
    """Microseconds since any one instant, the same for all that is told to one set."""

    @classmethod
    def read(cls) -> Now:
        """Reads the clocks of this machine."""
        return cls(wall=time.time_ns() // 1_000, monotonic=time.monotonic_ns() // 1_000)

    @property
    def seconds(self) -> int:
        """Whole seconds since 1970."""
        return self.wall // SECOND
