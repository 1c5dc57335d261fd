"""A catalog that may do everything wrong, and a follower of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

from catalog_gateway import Bearer, Catalog, Follower, Now, RevocationSet, Settings, Verdict
from fake import HEARTBEAT, TOKEN, Fake, changes
from feed import jti

STALENESS_MAX = 1.5
# How long the way of a page to the set may be underestimated at most: by the quickest page of all.
WAY_MAX = 0.3
PATIENCE = 60.0

SETTINGS = Settings(
    silence_max=HEARTBEAT * 12,
    answer_max=0.5,
    poll_interval=HEARTBEAT,
    stream_again_after=2.0,
    pause_min=0.01,
    pause_max=0.1,
    page_bytes_max=1_000_000,
)


class Stage:
    """Knows what was revoked and when, so that each look at the set asserts the bound."""

    def __init__(self, fake: Fake | None = None) -> None:
        self.fake = Fake() if fake is None else fake
        self.off_by = 0.0
        self.catalog = Catalog(self.fake.address, Bearer(TOKEN))
        self.set = RevocationSet(STALENESS_MAX)
        self.follower = Follower(self.catalog, self.set, SETTINGS, clock=self.now)
        self._revoked: list[tuple[int, float]] = []
        self._start = time.monotonic()

    def __enter__(self) -> Self:
        self.fake.__enter__()
        self.revoke(0)
        self.follower.start()
        return self

    def __exit__(self, *_: object) -> None:
        # So that nothing is waited for.
        self.fake.__exit__()
        self.follower.close()
        self.catalog.close()

    def loaded(self) -> Self:
        assert self.follower.loaded(PATIENCE)
        return self

    def now(self) -> Now:
        now = Now.read()
        return Now(now.wall + int(self.off_by * 1_000_000), now.monotonic)

    def revoke(self, *numbers: int) -> None:
        """Revokes tokens, of which from then on nobody is told that they are good for longer than the bound."""
        self.fake.append(*changes(map(jti, numbers)))
        self._revoked += [(number, time.monotonic()) for number in numbers]

    def check(self, number: int) -> Verdict:
        """What is said of a token; of all that was revoked nothing may be said that is not so."""
        for revoked, since in self._revoked:
            passed = time.monotonic() - since
            verdict = self.set.check(jti(revoked), "key", self.now())
            assert passed <= STALENESS_MAX + WAY_MAX or verdict is not Verdict.NOT_REVOKED, f"{revoked} is good"
        return self.set.check(jti(number), "key", self.now())

    def until(self, number: int, expected: Verdict) -> None:
        """Returns once that is said of a token."""
        self.until_so(lambda: self.check(number) is expected, f"{number} is {expected}")

    def until_so(self, is_so: Callable[[], bool], what: str) -> None:
        """Returns once something is so. Meanwhile nothing is said that is not so."""
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            self.check(0)
            assert time.monotonic() < deadline, f"not in time: {what}; {self.follower.status()}"
            time.sleep(0.002)

    def during(self, seconds: float, what: Callable[[], object], expected: object) -> None:
        """Returns after so long. Meanwhile nothing is said that is not so, and this is."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert what() == expected
            self.check(0)
            time.sleep(0.002)

    def reloads(self) -> int:
        return self.follower.status().reloads
