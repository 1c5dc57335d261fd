"""Pages in any order, lost, repeated, held back and forged by accident, while clocks go on and jump: whatever happens,
nothing is good that the log has refused for longer than the bound, and a set says what a model says that reads all anew."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import pytest

from catalog_gateway import ApplyError, Mark, Now, Page, RevocationSet, Verdict
from catalog_gateway.wire import Item, KeyCompromised, Resumed, Revoked, Spared, Suspended
from feed import at, jti, mark, page, resumed, revoked, spared, suspended, time

STALENESS_MS = 5_000
TOKENS = range(6)
KEYS = ("one", "two")
ELSEWHERE = "00000000-0000-0000-0000-000000000008"
HISTORIES = range(20)
HISTORIES_EACH = 25


def refuses(said: Sequence[Item], jti: str, kid: str, now: int) -> bool:
    """Whether what is said refuses a token at an instant, in microseconds."""
    own = [item for item in said if not isinstance(item, KeyCompromised) and item.jti == jti]
    turns = [item for item in own if isinstance(item, Suspended | Resumed)]
    return (
        any(isinstance(item, Revoked) and (item.effective_from or now) <= now for item in own)
        or (bool(turns) and isinstance(turns[-1], Suspended))
        or (KeyCompromised(kid) in said and not any(isinstance(item, Spared) for item in own))
    )


@dataclass
class Model:
    """A set as anybody would write it first. Pages come at the instant when they were written."""

    known: list[Item] = field(default_factory=list)
    whole: list[Item] = field(default_factory=list)
    """The compromised keys of which has come what is spared."""
    in_part: list[Item] = field(default_factory=list)
    """Those that have come since a change began to come in pieces."""
    mark: Mark | None = None
    pieces: int = 0
    is_astray: bool = False
    heard: tuple[int, int] | None = None

    def apply(self, said: Page, monotonic: int, wall: int) -> None:
        if said.after is None:
            self._replace(said, monotonic, wall)
            return
        if self.mark is None or self.is_astray:
            return
        place, known = said.mark.position, self.mark.position
        is_same = said.mark.log_id == self.mark.log_id and (place != known or said.mark.digest == self.mark.digest)
        if is_same and place <= known and said.after < known:
            return
        if not is_same or said.after != known or said.piece > self.pieces:
            self.is_astray = True
        elif said.is_partial:
            self._learn(said)
            self.pieces = said.piece + 1
        elif place != known or self.pieces == 0:
            self._learn(said)
            self.whole += self.in_part
            self.mark, self.pieces, self.in_part = said.mark, 0, []
            if not said.has_more:
                self.heard = (monotonic, wall)

    def _learn(self, said: Page) -> None:
        self.known += said.items
        self.in_part = (self.in_part if said.piece else []) + _keys(said)

    def _replace(self, said: Page, monotonic: int, wall: int) -> None:
        if self.mark and not self.is_astray and said.mark.position < self.mark.position:
            return
        late = said.staleness // 1_000
        self.known, self.mark, self.pieces, self.is_astray = list(said.items), said.mark, 0, False
        self.whole, self.in_part = _keys(said), []
        self.heard = (monotonic - late, wall - late)

    def check(self, jti: str, kid: str, monotonic: int, wall: int) -> Verdict:
        # The catalog's clock runs with the monotonic one.
        latest = wall if self.heard is None else max(wall, monotonic)
        if refuses(self.known, jti, kid, time(latest)):
            # Which tokens of a key are spared may come in a later piece than the key.
            sure = [item for item in self.known if not isinstance(item, KeyCompromised) or item in self.whole]
            return Verdict.REVOKED if refuses(sure, jti, kid, time(latest)) else Verdict.STALE
        return Verdict.NOT_REVOKED if self._is_fresh(monotonic, wall) else Verdict.STALE

    def _is_fresh(self, monotonic: int, wall: int) -> bool:
        if self.heard is None or self.mark is None or self.is_astray:
            return False
        by_one, by_other = monotonic - self.heard[0], wall - self.heard[1]
        return max(by_one, by_other) <= STALENESS_MS and by_other >= by_one - 1_000 and wall >= monotonic - STALENESS_MS


def _keys(said: Page) -> list[Item]:
    return [item for item in said.items if isinstance(item, KeyCompromised)]


class Stage:
    """A log as it really was, a set that hears of it, and the clocks, in milliseconds past the start."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.changes: list[tuple[int, list[Item]]] = []
        self.set = RevocationSet(STALENESS_MS / 1_000)
        self.monotonic = self.wall = 0
        self.held: list[tuple[Now, Page]] = []

    def items(self, after: int, upto: int) -> list[Item]:
        return [item for _, items in self.changes[after:upto] for item in items]

    def refused_since(self, since: int, jti: str, kid: str) -> bool:
        """Whether a token was refused by all that the log said at any time since. What a change does, it does one after
        the other."""
        items = self.items(0, len(self.changes))
        before = sum(len(items) for ms, items in self.changes if ms <= since)
        now = time(self.monotonic)
        return all(refuses(items[:upto], jti, kid, now) for upto in range(before, len(items) + 1))

    def go_on(self) -> None:
        """Something is appended, or time goes by, or the own clock is set."""
        match self.chance.choices(("append", "wait", "jump"), (6, 4, 1))[0]:
            case "append":
                self.changes.append((self.monotonic, [self._item() for _ in range(self.chance.randint(1, 3))]))
            case "wait":
                passed = self.chance.randrange(3_000)
                self.monotonic += passed
                self.wall += passed
            case _:
                self.wall += self.chance.choice((-3_600_000, -4_000, -900, 900, 4_000, 3_600_000))

    def _item(self) -> Item:
        token = self.chance.choice(TOKENS)
        # Around the instants at which it is checked.
        from_ = time(self.chance.randrange(1, 30_000)) if self.chance.random() < 0.5 else None
        some = (revoked(token, from_), suspended(token), resumed(token), spared(token))
        kind = self.chance.choices(range(5), (3, 2, 2, 1, 1))[0]
        return some[kind] if kind < len(some) else KeyCompromised(self.chance.choice(KEYS))

    def pages(self) -> Iterable[Page]:
        """Pages of some kind, as they are written now."""
        chance, head = self.chance, len(self.changes)
        position = self.set.status(at(self.monotonic, self.wall)).mark
        known = min(position.position, head) if position else 0
        heartbeat = self._page(known, known)
        match chance.choices(range(9), (2, 1, 6, 4, 2, 1, 2, 1, 1))[0]:
            case 0:
                return [self._page(None, head)]
            case 1:
                back = chance.randint(1, 4)
                return [replace(self._page(None, max(head - back, 0)), staleness=back * 3_600_000_000)]
            case 2:
                upto = max(head - chance.randrange(3), known)
                return [replace(self._page(known, upto), has_more=upto < head)]
            case 3:
                return [heartbeat] if known == head else []
            case 4:
                after = max(known - chance.randint(1, 4), 0)
                older = self._page(after, min(after + chance.randrange(4), known))
                # No end of the log, so it has not gone back.
                return [replace(older, has_more=True)] if older.items else []
            case 5:
                return [self._page(min(known + chance.randint(1, 2), head), head)]
            case 6:
                end = min(known + chance.randint(1, 3), head)
                return self._pieces(known, end, chance.randint(1, 7)) if known < end else []
            case 7:
                return [replace(heartbeat, mark=mark(known, digest="01"))]
            case _:
                return [replace(heartbeat, mark=mark(known, ELSEWHERE))]

    def deliver_or_hold(self) -> None:
        """Pages come, or are held back on their way, or what was held back the longest comes."""
        pages, now, chance = list(self.pages()), at(self.monotonic, self.wall), self.chance.randrange(8)
        if chance < 4:
            for said in pages:
                self._deliver(said, now, now)
        elif chance < 5:
            self.held += [(now, said) for said in pages]
        elif chance < 6 and self.held:
            asked, said = self.held.pop(0)
            self._deliver(said, asked, now)

    def _deliver(self, said: Page, asked: Now, now: Now) -> None:
        with contextlib.suppress(ApplyError):
            if said.after is None:
                self.set.replace(said, asked=asked, began=asked)
            else:
                self.set.apply(said, now)

    def _page(self, after: int | None, upto: int) -> Page:
        return page(after, upto, self.items(after or 0, upto), self.monotonic)

    def _pieces(self, known: int, end: int, count: int) -> list[Page]:
        """The next changes as one, of which each item comes by itself, and so many of them come."""
        items = self.items(known, end)
        has_more = end < len(self.changes)
        return [
            replace(
                page(known, known if number < len(items) - 1 else end, [item], self.monotonic),
                piece=number,
                is_partial=number < len(items) - 1,
                has_more=has_more,
            )
            for number, item in enumerate(items[:count])
        ]


@pytest.mark.parametrize("seed", HISTORIES)
def test_a_set_says_what_the_model_says(seed: int) -> None:
    for history in range(HISTORIES_EACH):
        chance = Random(f"{seed}.{history}")
        stage, model = Stage(chance), Model()
        for _ in range(chance.randint(1, 60)):
            stage.go_on()
            for said in stage.pages() if chance.random() < 0.5 else ():
                with contextlib.suppress(ApplyError):
                    stage.set.apply(said, at(stage.monotonic, stage.wall))
                model.apply(said, stage.monotonic, stage.wall)
                assert stage.set.status(at(stage.monotonic, stage.wall)).mark == model.mark
            for number in TOKENS:
                for kid in KEYS:
                    verdict = stage.set.check(jti(number), kid, at(stage.monotonic, stage.wall))
                    expected = model.check(jti(number), kid, stage.monotonic, stage.wall)
                    assert verdict is expected, f"token {number}, key {kid}, history {history}"


@pytest.mark.parametrize("seed", HISTORIES)
def test_nothing_that_was_refused_for_longer_than_the_bound_is_ever_good(seed: int) -> None:
    good = 0
    for history in range(HISTORIES_EACH):
        chance = Random(f"{seed}.{history}.held")
        stage = Stage(chance)
        for _ in range(chance.randint(1, 80)):
            stage.go_on()
            stage.deliver_or_hold()
            now = at(stage.monotonic, stage.wall)
            # What clocks may drift apart in the time.
            since = stage.monotonic - STALENESS_MS - stage.monotonic // 1_000 - 1
            for number in TOKENS:
                for kid in KEYS:
                    if stage.set.check(jti(number), kid, now) is Verdict.NOT_REVOKED:
                        good += 1
                        assert not stage.refused_since(since, jti(number), kid), f"{number} {kid} of {history}"
    assert good > 0, "a set that never tells anything would pass"
