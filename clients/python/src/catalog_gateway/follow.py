"""Follows the feed of a catalog in a thread of its own: the snapshot, then its event stream; pages where a proxy holds
the stream back."""

from __future__ import annotations

import enum
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import httpx

from .catalog import Answer, AskError, Catalog, Refused, Silent, body, refusal
from .clock import Now
from .events import Event, Events, TooLong
from .revocations import Applied, ApplyError, Misfit, RevocationSet, Status
from .wire import EVENT_HEARTBEAT, EVENT_PAGE, EVENT_RELOAD, Malformed, Object, Page, loads, text

EVENT_STREAM: Final = "text/event-stream"
FEED_RELOAD: Final = "feed_reload"
"""The problem that says that only a snapshot helps."""
PROBLEM_BYTES_MAX: Final = 64 * 1024

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a feed is followed, in seconds and bytes. The defaults fit a catalog as it comes, and a longest staleness of 5 s."""

    silence_max: float = 3.0
    """After how long without a page or a heartbeat the stream is given up: three heartbeats."""
    answer_max: float = 1.5
    """How long a page may take to come."""
    snapshot_max: float = 60.0
    """How long a snapshot may take to come."""
    poll_interval: float = 0.5
    """How often pages are asked for where the stream is held back."""
    stream_again_after: float = 60.0
    """After how long there the stream is tried again."""
    pause_min: float = 0.1
    """The first pause after a failure. Each further one is twice as long, and all are cut short by chance."""
    pause_max: float = 2.0
    """The longest pause."""
    page_bytes_max: int = 8 * 1024 * 1024
    """The longest page."""
    snapshot_bytes_max: int = 256 * 1024 * 1024
    """The longest snapshot: about 110 bytes for each token."""


class Connection(enum.Enum):
    """How a follower is in touch with the catalog."""

    NONE = "none"
    """Not at all: it has just begun, or waits before it asks again."""
    LOADING = "loading"
    """It loads a snapshot."""
    STREAMING = "streaming"
    """By the event stream."""
    POLLING = "polling"
    """By pages, because the stream is held back on its way."""


@dataclass(frozen=True, slots=True)
class Following:
    """What a follower knows of the log, and how."""

    set: Status
    connection: Connection
    reloads: int
    """How often a snapshot had to be loaded because what came did not fit what was known."""


class _Over(Exception):
    """The stream came to its end."""


class _Held(Exception):
    """The stream said nothing for too long. It may never have said anything, as where a proxy holds it back."""

    def __init__(self, has_spoken: bool) -> None:
        super().__init__("the stream is silent")
        self.has_spoken = has_spoken


class _Late(Exception):
    """What comes, comes too late to be of any use."""


class _Reload(Exception):
    """The catalog says that its log is not the one that is known."""


class _Closed(Exception):
    """Nobody wants to know any more."""


class Follower:
    """Keeps a set up to date from `start` to `close`, or within `with`. Its thread does not outlive a fork: start it after."""

    def __init__(
        self,
        catalog: Catalog,
        revocations: RevocationSet,
        settings: Settings | None = None,
        *,
        clock: Callable[[], Now] = Now.read,
    ) -> None:
        self.set: Final = revocations
        self._catalog = catalog
        self._settings = Settings() if settings is None else settings
        self._clock = clock
        self._thread = threading.Thread(target=self._run, name="catalog-follower", daemon=True)
        self._closing = threading.Event()
        self._loaded = threading.Event()
        self._connection = Connection.NONE
        self._reloads = 0
        self._failures = 0
        # Where to go on, as the catalog said; `None` = at the mark of what is known.
        self._cursor: str | None = None
        # By the monotonic clock: when the set could last tell; from when on a snapshot may be loaded because pages come too
        # late; until when pages are asked for instead of the stream.
        self._fresh_at = self._load_late_from = time.monotonic()
        self._poll_until: float | None = None
        # Whether the stream said nothing though pages were answered before and after. That can be a hang that was over just
        # then: so it is tried once more.
        self._is_suspect = False

    def start(self) -> Self:
        """Begins to follow. Once."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Ends, as soon as what is being read says something or is given up: a second as a rule, three at most."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()

    def loaded(self, timeout: float | None = None) -> bool:
        """Waits until the catalog was heard for the first time, and tells whether it was."""
        return self._loaded.wait(timeout)

    def status(self) -> Following:
        """What is known, and how."""
        return Following(self.set.status(self._clock()), self._connection, self._reloads)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            pause: float | None = None
            try:
                self._round()
            except _Closed:
                return
            except Exception as error:  # noqa: BLE001
                if isinstance(error, AskError):
                    # It is the catalog that does not answer, and not its stream alone that is held back.
                    self._is_suspect, self._poll_until = False, None
                pause = self._conclude(error)
            self._connection = Connection.NONE
            if pause is not None:
                self._closing.wait(pause)

    def _round(self) -> None:
        """A snapshot where one is needed, else the stream, else pages. It ends by an error."""
        if self.set.status(self._clock()).needs_snapshot:
            self._connection = Connection.LOADING
            self._load()
        while True:
            if self._poll_until is not None and time.monotonic() < self._poll_until:
                self._poll(self._poll_until)
            else:
                self._poll_until = None
                self._stream()

    def _conclude(self, end: Exception) -> float | None:
        """What follows from the end of a round. The pause before the next one, if there is to be one."""
        address, settings = self._catalog.address, self._settings
        match end:
            case _Over():
                _log.info("%s: the catalog ended the stream", address)
            case _Held(has_spoken=True):
                _log.warning("%s: the stream fell silent; another connection is made", address)
                return None
            case _Late() if self._poll_until is not None:
                # Pages that come too late, too, are judged by another clock than the catalog's is now: only a snapshot tells
                # of that.
                self._load_late_from = time.monotonic() + settings.stream_again_after
                self._reload("what comes is too late")
                return None
            case _Held() | _Late():
                self._suspect(end)
                return None
            case ApplyError(why=Misfit.OLDER_SNAPSHOT):
                _log.info("%s: %s; it is asked for again", address, end)
            case ApplyError():
                self._reload(str(end))
            case _Reload():
                self._reload("the catalog asks for it")
            case Refused():
                _log.error("%s: %s", address, end)
            case AskError() | Malformed():
                _log.warning("%s: %s; it is asked again", address, end)
            case _:
                # Nothing that was foreseen. Whoever asks is told that nothing is known until it is over.
                _log.error("%s: following failed, and begins again", address, exc_info=end)
        return self._pause(end.retry_after if isinstance(end, AskError) else None)

    def _suspect(self, end: _Held | _Late) -> None:
        """Of a stream that said nothing, or came too late."""
        address = self._catalog.address
        if isinstance(end, _Held) and not self._is_suspect:
            _log.warning("%s: the stream says nothing; it is tried once more", address)
            self._is_suspect = True
        else:
            _log.warning("%s: the stream is held back, as by a proxy; pages are asked for instead", address)
            self._poll_until = time.monotonic() + self._settings.stream_again_after

    def _pause(self, asked: float | None) -> float:
        """Half to all of a pause that doubles, but no shorter than the catalog asked for."""
        pause = min(self._settings.pause_min * 2 ** min(self._failures, 20), self._settings.pause_max)
        self._failures += 1
        return max(random.uniform(pause / 2, pause), asked or 0.0)

    def _reload(self, why: str) -> None:
        self.set.distrust()
        self._cursor = None
        self._reloads += 1
        _log.warning(
            "%s: the snapshot is loaded again, for what is known does not fit the log: %s", self._catalog.address, why
        )

    def _load(self) -> None:
        """Loads a snapshot. It ends no row of failures: whether it fits, only the page after it shows."""
        asked, seconds = self._clock(), self._settings.snapshot_max
        headers = {"Accept": "application/json"}
        with self._catalog.ask("GET", "revocations/snapshot", seconds_max=seconds, headers=headers) as response:
            _check(response)
            began = self._clock()
            snapshot = Page.read(body(response, self._settings.snapshot_bytes_max, seconds))
        self._check_open()
        self.set.replace(snapshot, asked=asked, began=began)
        _log.info("%s: the snapshot up to %s is loaded", self._catalog.address, snapshot.mark)
        self._cursor = None
        self._heard()

    def _poll(self, until: float) -> None:
        """Asks for pages until then."""
        self._begin()
        interval = self._settings.poll_interval
        while time.monotonic() < until:
            has_more = self._ask_for_page()
            self._connection = Connection.POLLING
            if self._is_late() and time.monotonic() >= self._load_late_from:
                raise _Late
            if not has_more:
                self._closing.wait(random.uniform(interval / 2, interval))
                self._check_open()

    def _ask_for_page(self) -> bool:
        """Asks for what has happened meanwhile, and tells whether there is more."""
        self._check_open()
        headers, params, seconds = {"Accept": "application/json"}, {"after": self._next()}, self._settings.answer_max
        with self._catalog.ask("GET", "revocations", seconds_max=seconds, headers=headers, params=params) as response:
            _check(response)
            page = Page.read(body(response, self._settings.page_bytes_max, seconds))
        self.set.resume()
        self._apply(page, page.next)
        return page.has_more or page.is_partial

    def _stream(self) -> None:
        """Follows the stream to its end."""
        staleness = self.set.status(self._clock()).staleness
        if self._is_suspect or staleness is None or staleness > self._settings.answer_max:
            # However long the stream takes to begin: what has happened meanwhile is known.
            self._ask_for_page()
        has_spoken = False
        headers = {"Accept": EVENT_STREAM, "Last-Event-ID": self._next()}
        try:
            with self._catalog.ask(
                "GET", "revocations", seconds_max=self._settings.silence_max, headers=headers
            ) as response:
                _check(response)
                if not response.headers.get("content-type", "").startswith(EVENT_STREAM):
                    raise Answer("the catalog's answer is no event stream")
                self.set.resume()
                self._begin()
                self._connection = Connection.STREAMING
                for _ in self._hear_all(response):
                    has_spoken = True
        except Silent:
            raise _Held(has_spoken) from None
        raise _Over

    def _hear_all(self, response: httpx.Response) -> Iterator[None]:
        """Takes in what a stream says, one page after the other. Bytes are no sign of life: only what is said in full is."""
        events = Events(self._settings.page_bytes_max)
        deadline, has_spoken = time.monotonic() + self._settings.silence_max, False
        for chunk in response.iter_raw():
            self._check_open()
            try:
                said = events.push(chunk)
            except TooLong:
                raise Answer("the catalog's answer has an event that is too long") from None
            for event in said:
                if self._hear(event):
                    deadline, has_spoken = time.monotonic() + self._settings.silence_max, True
                    self._is_suspect = False
                    yield
            if time.monotonic() > deadline:
                raise Silent("the stream says nothing in full")
            if has_spoken and self._is_late():
                raise _Late

    def _hear(self, event: Event) -> bool:
        """Takes an event in, and tells whether it is of the feed."""
        if event.name == EVENT_RELOAD:
            raise _Reload
        if event.name not in (EVENT_PAGE, EVENT_HEARTBEAT):
            return False
        self._apply(Page.read(event.data), event.id)
        return True

    def _apply(self, page: Page, cursor: str | None) -> None:
        """Learns a page that came just now. The cursor is where the catalog would go on."""
        if page.after is None:
            raise Answer("the catalog's answer is a snapshot, and a page was asked for")
        if self.set.apply(page, self._clock()) is Applied.FOLLOWED:
            self._cursor = cursor or self._cursor
            self._failures = 0
            self._heard()

    def _heard(self) -> None:
        """Looks whether the set can tell now."""
        if self.set.status(self._clock()).is_fresh:
            self._fresh_at = time.monotonic()
            self._loaded.set()

    def _is_late(self) -> bool:
        """Whether the set has not been able to tell for so long that what is heard seems to be of no use."""
        return time.monotonic() - self._fresh_at > self._settings.silence_max

    def _next(self) -> str:
        """Where to go on."""
        if self._cursor is not None:
            return self._cursor
        mark = self.set.status(self._clock()).mark
        if mark is None:
            raise _Reload
        return str(mark)

    def _begin(self) -> None:
        """Lets what is heard from now on have its time."""
        self._fresh_at = time.monotonic()

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise _Closed


def _check(response: httpx.Response) -> None:
    """Raises what an answer means that is not what was asked for."""
    if response.status_code == 409:
        problem = Object(loads(body(response, PROBLEM_BYTES_MAX, 1.0)))
        if problem.take("code", text) == FEED_RELOAD:
            raise _Reload
        raise Answer("the catalog's answer is a conflict of an unknown kind")
    if (refused := refusal(response)) is not None:
        raise refused
