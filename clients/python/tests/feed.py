"""Pages of a feed as tests write them, and instants."""

from __future__ import annotations

from collections.abc import Iterable

from catalog_gateway import Mark, Now, Page
from catalog_gateway.wire import Item, Resumed, Revoked, Spared, Suspended

LOG = "00000000-0000-0000-0000-000000000007"
FAR = 4_000_000_000
START = 1_800_000_000_000_000
"""By the clock that people set, in microseconds, when the monotonic one began."""


def at(ms: float, wall_ms: float | None = None) -> Now:
    """So many milliseconds after the start, and so many by the clock that people set."""
    return Now(wall=time(ms if wall_ms is None else wall_ms), monotonic=int(ms * 1_000))


def time(ms: float) -> int:
    return START + int(ms * 1_000)


def mark(position: int, log_id: str = LOG, digest: str = "5a") -> Mark:
    return Mark(log_id, position, f"{position:016x}{digest * 24}")


def page(after: int | None, position: int, items: Iterable[Item] = (), ms: float = 0) -> Page:
    return Page(mark(position), after, 0, False, time(ms), 0, None, False, tuple(items))


def heartbeat(position: int, ms: float = 0) -> Page:
    return page(position, position, (), ms)


def jti(number: int) -> str:
    return f"01990000-0000-7000-8000-{number:012x}"


def revoked(number: int, effective_from: int | None = None) -> Revoked:
    return Revoked(jti(number), FAR, effective_from)


def suspended(number: int) -> Suspended:
    return Suspended(jti(number), FAR)


def resumed(number: int) -> Resumed:
    return Resumed(jti(number), FAR)


def spared(number: int) -> Spared:
    return Spared(jti(number), FAR)
