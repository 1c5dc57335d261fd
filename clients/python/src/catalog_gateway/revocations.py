"""What is known of the revocations of a catalog: many threads read it, one follows the feed with it."""

from __future__ import annotations

import enum
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from . import wire
from .clock import SECOND, Now
from .freshness import STALE, Freshness, Heard
from .wire import Item, KeyCompromised, Mark, Page, Resumed, Revoked, Spared, Suspended

GRACE: Final = 60
"""For how long after `exp` a token is remembered, in seconds: clocks differ."""
SWEEP: Final = 60 * SECOND
"""After how long it is looked at what is over."""
SERVERS_DIFFER_MAX: Final = 2 * SECOND
"""By how much the clocks of two servers of one log may differ."""


class Verdict(enum.Enum):
    """What a feed says of a token."""

    NOT_REVOKED = "not revoked"
    """It was not revoked and is not suspended, as of at most the longest staleness ago. That says nothing of whether it was
    ever issued, for whom it is, or whether it is expired."""
    REVOKED = "revoked"
    """It is revoked or suspended, or a compromised key signed it."""
    STALE = "stale"
    """Nobody can tell: the catalog was not heard for too long, or not yet which tokens of a compromised key are spared. That is
    no reason to let it pass."""


class Applied(enum.Enum):
    """What became of a page."""

    REPLACED = "replaced"
    """A snapshot: what was known before is forgotten."""
    FOLLOWED = "followed"
    """What it says is known now."""
    IGNORED = "ignored"
    """It was known already, and proves nothing of the present."""


class Misfit(enum.Enum):
    """Why a page cannot be applied."""

    GAP = "a page is missing before it"
    OTHER_LOG = "it is of another log"
    OTHER_DIGEST = "the log has another digest there"
    WENT_BACK = "the log has become shorter"
    OLDER_SNAPSHOT = "the snapshot ends before what is known"
    MALFORMED = "it contradicts itself"
    NEEDS_SNAPSHOT = "a snapshot is needed first"


class ApplyError(Exception):
    """A page cannot be applied. After any but an older snapshot nothing is told to be good until a snapshot has come."""

    def __init__(self, why: Misfit, page: Page) -> None:
        after = "the beginning" if page.after is None else page.after
        super().__init__(f"{why.value}: a page from {after} to {page.mark}, piece {page.piece}")
        self.why = why


@dataclass(frozen=True, slots=True)
class State:
    """What is known of one token."""

    exp: int
    """Seconds since 1970."""
    since: int | None = None
    """From when on it is revoked, in microseconds since 1970; `None` = it is not."""
    is_suspended: bool = False
    is_spared: bool = False

    def learn(self, item: Item) -> State:
        """The same with what an item says. Of several revocations the soonest counts."""
        since, is_suspended, is_spared = self.since, self.is_suspended, self.is_spared
        match item:
            case Revoked(effective_from=said):
                from_ = _AT_ONCE if said is None else said
                since = from_ if since is None else min(since, from_)
            case Suspended():
                is_suspended = True
            case Resumed():
                is_suspended = False
            case Spared():
                is_spared = True
        return State(self.exp, since, is_suspended, is_spared)

    def is_revoked(self, now: int) -> bool:
        """Whether it is not to be accepted at this instant, in microseconds since 1970."""
        return self.is_suspended or (self.since is not None and self.since <= now)

    def is_needless(self, over: int) -> bool:
        """Whether nobody needs it that was over at this instant, in seconds since 1970."""
        return self.exp <= over or (self.since is None and not self.is_suspended and not self.is_spared)


_AT_ONCE: Final = -(2**63)
_CLEAR: Final = State(exp=0)


@dataclass(frozen=True, slots=True)
class Status:
    """What is known, and since when."""

    mark: Mark | None
    """How far the log is known; `None` before the first snapshot."""
    staleness: float | None
    """How many seconds ago the log's end was seen; `None` when it never was."""
    is_fresh: bool
    """Whether tokens can be told to be good."""
    needs_snapshot: bool
    """Whether only a snapshot helps."""
    tokens: int
    """Of how many tokens something is known."""
    keys: int
    """How many keys are compromised."""


@dataclass(frozen=True, slots=True)
class Standing:
    """By what it can be told whether what the catalog said besides is of the log that is followed."""

    snapshots: int = 0
    """How many snapshots have taken the place of what was known before. Another one may be of another log."""
    resumed: int = 0
    """How often the catalog was reached anew, and went on from what was known."""
    resumed_at: int = 0
    """Up to which position that was, the last time."""


class _Known:
    """What readers read. Tokens change one by one, each at once; compromised keys are replaced as a whole. Of a key it says
    whether it is known which of its tokens are spared."""

    __slots__ = ("keys", "tokens")

    def __init__(self, tokens: dict[str, State], keys: dict[str, bool]) -> None:
        self.tokens = tokens
        self.keys = keys


@dataclass(frozen=True, slots=True)
class _Place:
    """How far the log is known."""

    mark: Mark
    since: int
    """When a server first said so, in microseconds since 1970."""
    pieces: int
    """How many pieces of the next change are known, too."""

    def is_next(self, page: Page) -> bool:
        """Whether a page goes on from here; if not, it is known already. Raises `ApplyError`."""
        known, said, after = self.mark, page.mark, page.after
        if after is None or not 0 <= after <= said.position or (page.is_partial and said.position != after):
            raise ApplyError(Misfit.MALFORMED, page)
        if said.log_id != known.log_id:
            raise ApplyError(Misfit.OTHER_LOG, page)
        if said.position == known.position and said.digest != known.digest:
            raise ApplyError(Misfit.OTHER_DIGEST, page)
        if self._has_gone_back(page):
            raise ApplyError(Misfit.WENT_BACK, page)
        if said.position < known.position or (said.position == known.position and after < known.position):
            return False
        # A piece may come again after a pause, with those that follow it.
        if after != known.position or page.piece > self.pieces:
            raise ApplyError(Misfit.GAP, page)
        # That nothing has happened since says nothing of a change that has come in part.
        return not (self.pieces > 0 and not page.is_partial and said.position == known.position)

    def _has_gone_back(self, page: Page) -> bool:
        """Whether a server has seen the log end before here, later than it was known to be as long as this."""
        is_end = not page.items and page.after == page.mark.position and not page.is_partial
        seen = page.time - page.staleness
        return is_end and page.mark.position < self.mark.position and seen > self.since + SERVERS_DIFFER_MAX

    def after(self, page: Page) -> _Place:
        if page.is_partial:
            return replace(self, pieces=page.piece + 1)
        if page.mark.position == self.mark.position:
            return self
        return _Place(page.mark, page.time, 0)


class RevocationSet:
    """The revocations of one catalog.

    A token is told to be good for `max_staleness` seconds after the log's end was seen last, and not a microsecond longer.
    """

    def __init__(self, max_staleness: float = 5.0) -> None:
        if not 0 < max_staleness < 86_400:
            raise ValueError(f"a longest staleness of {max_staleness} s is not between 0 and a day")
        self._staleness_max = int(max_staleness * SECOND)
        self._known = _Known({}, {})
        self._freshness: Freshness = STALE
        # Keys that came with the pieces of the change that is coming.
        self._keys_in_part: set[str] = set()
        # One writes at a time; readers take no lock.
        self._writing = threading.Lock()
        self._place: _Place | None = None
        self._is_astray = False
        self._heard: Heard | None = None
        self._swept = 0
        self._standing = Standing()

    def check(self, jti: str | UUID, kid: str, now: Now | None = None) -> Verdict:
        """What is known of a token that this key signed. It waits for nobody.

        Raises `ValueError` for an identifier in another spelling than the catalog's: it would be found nowhere.
        """
        text = str(jti)
        if not wire.UUID.fullmatch(text):
            raise ValueError("a jti is a UUID in lower case")
        now = Now.read() if now is None else now
        # First for how long, then what: what is read later is at least as new. And keys after tokens: a token may be let go
        # because its key was given up just before, and whoever has seen the one has to see the other.
        freshness = self._freshness
        is_fresh = freshness.is_fresh(now)
        known = self._known
        state = known.tokens.get(text, _CLEAR)
        is_whole = known.keys.get(kid)
        if is_whole is not None:
            # That it is spared was known before the key was, or before it was known that no others are.
            state = known.tokens.get(text, _CLEAR)
        if state.is_revoked(freshness.latest(now)):
            return Verdict.REVOKED
        if is_whole is not None and not state.is_spared:
            return Verdict.REVOKED if is_whole else Verdict.STALE
        return Verdict.NOT_REVOKED if is_fresh else Verdict.STALE

    def has_given_up(self, kid: str) -> bool:
        """Whether this key is compromised: of what it signed only what is spared is good."""
        return kid in self._known.keys

    def latest(self, now: Now) -> int:
        """The later of the own clock and the catalog's, in microseconds since 1970: by which `exp` is to be judged, so that a
        clock that was set back makes no expired token good."""
        return self._freshness.latest(now)

    def apply(self, page: Page, now: Now | None = None) -> Applied:
        """Learns what a page says that came just now. Raises `ApplyError` for one that does not go on where the set is."""
        now = Now.read() if now is None else now
        if page.after is None:
            return self.replace(page, asked=now, began=now)
        with self._writing:
            return self._follow(page, now)

    def replace(self, snapshot: Page, *, asked: Now, began: Now) -> Applied:
        """Learns a snapshot that was asked for at one instant, as old as which it is, and began to arrive at another. Raises
        `ApplyError` for one that contradicts itself, or is older than what is known."""
        # Before anybody waits: it may be large.
        tokens: dict[str, State] = {}
        _learn(tokens, snapshot.items, over=-(2**63))
        keys = {item.kid: True for item in snapshot.items if isinstance(item, KeyCompromised)}
        with self._writing:
            self._check_snapshot(snapshot)
            # Before it is shown: whoever sees the new log must not go by what was learnt of the old one.
            self._standing = replace(self._standing, snapshots=self._standing.snapshots + 1)
            self._known = _Known(tokens, keys)
            self._keys_in_part = set()
            self._place = _Place(snapshot.mark, snapshot.time, 0)
            self._is_astray = False
            self._swept = asked.monotonic
            self._vouch(Heard.snapshot(asked, began, snapshot.time, snapshot.staleness))
            return Applied.REPLACED

    def resume(self) -> None:
        """The catalog was reached anew, and goes on from what is known. What it said besides of a later place may have been of
        a log that is no more: it may have been restored meanwhile."""
        with self._writing:
            position = self._place.mark.position if self._place else 0
            self._standing = replace(self._standing, resumed=self._standing.resumed + 1, resumed_at=position)

    @property
    def standing(self) -> Standing:
        """How often that was, and how often everything was learnt anew."""
        return self._standing

    def distrust(self) -> None:
        """From now on only a snapshot helps: the catalog says that its log is not the one that is known. What is known as
        revoked stays so until then."""
        with self._writing:
            self._go_astray()

    def status(self, now: Now | None = None) -> Status:
        """What is known, and since when."""
        now = Now.read() if now is None else now
        with self._writing:
            return Status(
                mark=self._place.mark if self._place else None,
                staleness=self._heard.staleness_at(now) / SECOND if self._heard else None,
                is_fresh=self._freshness.is_fresh(now),
                needs_snapshot=self._is_astray or self._place is None,
                tokens=len(self._known.tokens),
                keys=len(self._known.keys),
            )

    def _follow(self, page: Page, now: Now) -> Applied:
        place = self._place
        if place is None or self._is_astray:
            raise ApplyError(Misfit.NEEDS_SNAPSHOT, page)
        try:
            is_next = place.is_next(page)
        except ApplyError:
            self._go_astray()
            raise
        if not is_next:
            return Applied.IGNORED
        self._learn(page, now)
        self._place = place.after(page)
        # What has come of a change that comes in pieces, or before others that have happened already, is no news of the end.
        if not page.is_partial and not page.has_more:
            heard = Heard.page(self._heard, now, page.time, page.staleness)
            self._sweep(heard, now)
            self._vouch(heard)
        return Applied.FOLLOWED

    def _learn(self, page: Page, now: Now) -> None:
        """Those that are spared before their keys, so that they are from the first moment, or before it is said that no others
        are. Everything else after the keys, so that nothing is let go that a key holds back. What begins anew may be cut
        otherwise than the pieces before: a key that came with these, and does not come now, comes later."""
        known, over = self._known, -(2**63) if self._heard is None else _over(self._heard, now)
        _learn(known.tokens, (item for item in page.items if isinstance(item, Spared)), over)
        if page.piece == 0:
            self._keys_in_part = set()
        self._keys_in_part.update(item.kid for item in page.items if isinstance(item, KeyCompromised))
        if self._keys_in_part:
            is_whole = not page.is_partial
            known.keys = known.keys | {kid: is_whole or known.keys.get(kid, False) for kid in self._keys_in_part}
            if is_whole:
                self._keys_in_part = set()
        _learn(known.tokens, (item for item in page.items if not isinstance(item, Spared)), over)

    def _sweep(self, heard: Heard, now: Now) -> None:
        if now.monotonic - self._swept < SWEEP:
            return
        self._swept = now.monotonic
        known, over = self._known, _over(heard, now)
        left = {jti: state for jti, state in known.tokens.items() if not state.is_needless(over)}
        if len(left) != len(known.tokens):
            self._known = _Known(left, known.keys)

    def _vouch(self, heard: Heard) -> None:
        """What was learnt may be relied on from now on, for a while."""
        self._heard = heard
        self._freshness = Freshness.of(heard, self._staleness_max)

    def _go_astray(self) -> None:
        self._is_astray = True
        self._freshness = self._freshness.ended()

    def _check_snapshot(self, snapshot: Page) -> None:
        said = snapshot.mark
        if snapshot.after is not None or snapshot.piece != 0 or snapshot.is_partial or said.position < 0:
            self._go_astray()
            raise ApplyError(Misfit.MALFORMED, snapshot)
        known = self._place.mark if self._place and not self._is_astray else None
        if known and known.log_id == said.log_id and said.position < known.position:
            raise ApplyError(Misfit.OLDER_SNAPSHOT, snapshot)


def _learn(tokens: dict[str, State], items: Iterable[Item], over: int) -> None:
    """Learns items about tokens. Whatever was over at `over`, in seconds since 1970, need not be known any more."""
    for item in items:
        if isinstance(item, KeyCompromised) or item.exp <= over:
            continue
        before = tokens.get(item.jti)
        if before is None and isinstance(item, Resumed):
            continue
        tokens[item.jti] = (before or State(item.exp)).learn(item)


def _over(heard: Heard, now: Now) -> int:
    """What was over at this instant, in seconds since 1970, need not be remembered: it is over by every clock."""
    return heard.earliest(now) // SECOND - GRACE
