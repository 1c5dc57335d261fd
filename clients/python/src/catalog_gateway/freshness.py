"""For how long what is known may be relied on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .clock import SECOND, Now

SET_BACK_MAX: Final = 1 * SECOND
"""How far the difference of the two clocks may shrink before the one that people set is taken to have been set back."""
BEHIND_MAX: Final = 5 * SECOND
"""How far the own clock may be behind the catalog's. One that is further behind would still accept tokens that are over by the
catalog's clock, of which nobody tells any more."""
DRIFT: Final = 1_000
"""No clock runs slower or faster than the catalog's by more than one part in so many."""
DRIFTED_MAX: Final = SECOND
"""How far they may have drifted apart since a snapshot: what comes ever later looks like what comes from a slower clock."""


@dataclass(frozen=True, slots=True)
class Heard:
    """When the catalog was last heard, and what that was worth."""

    at: Now
    """When, by the own clocks."""
    staleness: int
    """How old it was then, in microseconds."""
    catalog: int
    """The catalog's clock less the monotonic one, at least: from the page that was under way for the shortest time."""
    highest: int
    """The most that it was since a snapshot."""

    @classmethod
    def snapshot(cls, asked: Now, began: Now, time: int, staleness: int) -> Heard:
        """A snapshot that was asked for at one instant and began to arrive at another. It was written at `time`, by a clock
        that need not be that of any page before it."""
        catalog = time - began.monotonic
        return cls(asked, staleness, catalog, catalog)

    @classmethod
    def page(cls, before: Heard | None, now: Now, time: int, staleness: int) -> Heard:
        """A page. One that took longer than another before it is older by that much: it may have been held back."""
        said = time - now.monotonic
        known = highest = said
        if before is not None:
            drifted = before.catalog - max(now.monotonic - before.at.monotonic, 0) // DRIFT
            known, highest = max(drifted, before.highest - DRIFTED_MAX), before.highest
        catalog = max(known, said)
        return cls(now, staleness + catalog - said, catalog, max(highest, catalog))

    def staleness_at(self, now: Now) -> int:
        """How long ago the log's end was seen, by either clock."""
        elapsed = max(now.monotonic - self.at.monotonic, now.wall - self.at.wall, 0)
        return elapsed + self.staleness

    def earliest(self, now: Now) -> int:
        """The earlier of the own clock and the catalog's."""
        return min(now.wall, self.catalog + now.monotonic)


@dataclass(frozen=True, slots=True)
class Freshness:
    """What readers compare their clocks with, in microseconds."""

    monotonic_max: int
    """The last instant, by the monotonic clock."""
    wall_max: int
    """The last instant, by the clock that people set: it goes on while a machine is suspended."""
    difference_min: int
    """The least difference of the two: the clock was not set back."""
    catalog: int | None
    """The catalog's clock less the monotonic one."""

    @classmethod
    def of(cls, heard: Heard, staleness_max: int) -> Freshness:
        """That of what was heard, for which it may be relied on for so long after the log's end was seen."""
        left = staleness_max - heard.staleness
        difference = heard.at.wall - heard.at.monotonic - SET_BACK_MAX
        return cls(
            monotonic_max=heard.at.monotonic + left,
            wall_max=heard.at.wall + left,
            difference_min=max(difference, heard.catalog - BEHIND_MAX),
            catalog=heard.catalog,
        )

    def ended(self) -> Freshness:
        """The same, but that nothing may be relied on."""
        return Freshness(_NEVER, _NEVER, -_NEVER, self.catalog)

    def is_fresh(self, now: Now) -> bool:
        """Whether what is read from here on may be relied on."""
        return (
            now.monotonic <= self.monotonic_max
            and now.wall <= self.wall_max
            and now.wall - now.monotonic >= self.difference_min
        )

    def latest(self, now: Now) -> int:
        """The later of the own clock and the catalog's, as far as that is known."""
        return now.wall if self.catalog is None else max(now.wall, self.catalog + now.monotonic)


_NEVER: Final = -(2**63)

STALE: Final = Freshness(_NEVER, _NEVER, -_NEVER, None)
"""Nothing was heard."""
