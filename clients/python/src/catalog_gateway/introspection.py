"""Asks the catalog once per unseen token whether it was issued (RFC 7662).

A feed of revocations proves that a token is not revoked. It does not prove that it was issued: what a thief of a key has signed
is in no feed.
"""

from __future__ import annotations

import enum
import hashlib
import logging
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, TypeAlias

from .catalog import AskError, Catalog, Silent, body, refusal
from .revocations import Standing
from .tokens import Token
from .wire import Malformed, Object, boolean, integer, loads, text

TOKENS_MAX: Final = 100_000
"""How many tokens are remembered at most, where nothing else is said: about 20 MB."""
ANSWER_SECONDS_MAX: Final = 2.0
"""How long the catalog may take to answer."""
BYTES_MAX: Final = 64 * 1024
"""The longest answer."""
ASKING_MAX: Final = 32
"""How many are asked about at once. The others wait, though not for longer than for an answer."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Issuance:
    """How a token was issued that was active when the catalog was asked. Its claims do not say."""

    path: str
    """The door it was issued through: `api`, `cli-dev`, `cli-admin`, `system`."""
    is_out_of_band: bool
    """Whether it came past the controls of the catalog's API."""
    position: int
    """Where in the log it was issued."""


class Unconfirmed(enum.Enum):
    """What the catalog says of any other token."""

    NOT_ACTIVE = "not active"
    """It was not issued, or is not active."""
    COULD_NOT_TELL = "could not tell"
    """The catalog could not be asked, or could not tell. That is not a no, and no reason to let the token pass."""


Confirmation: TypeAlias = Issuance | Unconfirmed


@dataclass(frozen=True, slots=True)
class _Known:
    """A token that was confirmed."""

    issuance: Issuance
    exp: int
    standing: Standing
    """How the feed stood when the catalog was asked."""

    def holds(self, now: int, standing: Standing) -> bool:
        """Whether it is true still. In a log that was restored from a backup issuances may be missing that were confirmed: so
        it has to be of the same snapshot, and since the catalog was reached anew, or of a place that it went on from then."""
        asked = self.standing
        is_of_this_log = asked.resumed == standing.resumed or self.issuance.position <= standing.resumed_at
        return now < self.exp and asked.snapshots == standing.snapshots and is_of_this_log


class Introspector:
    """Asks once per unseen token, and remembers the good ones until they expire, by the SHA-256 of their whole text: whoever
    presents another signature has not presented the token that the catalog has seen. May be used from many threads."""

    def __init__(self, catalog: Catalog, *, tokens_max: int = TOKENS_MAX) -> None:
        if tokens_max < 2:
            raise ValueError(f"{tokens_max} tokens are too few to remember")
        self._catalog = catalog
        self._half = tokens_max // 2
        # Those that came lately, and those before them.
        self._young: dict[bytes, _Known] = {}
        self._old: dict[bytes, _Known] = {}
        # Those that are being asked about, with the count of snapshots then.
        self._asking: dict[tuple[bytes, int], Future[Confirmation]] = {}
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(ASKING_MAX)

    def confirm(self, token: Token, now: int, standing: Standing) -> Confirmation:
        """What the catalog says of a token, or said of it before; `now` in seconds since 1970. Its text is kept nowhere."""
        digest = hashlib.sha256(token.text.encode("ascii")).digest()
        key = digest, standing.snapshots
        with self._lock:
            known = self._young.get(digest) or self._old.get(digest)
            if known is not None and known.holds(now, standing):
                return known.issuance
            asked = self._asking.get(key)
            if asked is None:
                answer = self._asking[key] = Future[Confirmation]()
        # Those who come with the same token meanwhile wait for the one answer.
        return asked.result() if asked is not None else self._answer(token, key, answer, standing)

    def _answer(
        self, token: Token, key: tuple[bytes, int], answer: Future[Confirmation], standing: Standing
    ) -> Confirmation:
        confirmation: Confirmation = Unconfirmed.COULD_NOT_TELL
        try:
            confirmation = self._ask(token)
        finally:
            with self._lock:
                del self._asking[key]
                if isinstance(confirmation, Issuance):
                    self._remember(key[0], _Known(confirmation, token.claims.exp, standing))
            answer.set_result(confirmation)
        return confirmation

    def _remember(self, digest: bytes, known: _Known) -> None:
        """In two generations of half the number each: the older goes when the younger is full."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[digest] = known

    def _ask(self, token: Token) -> Confirmation:
        jti, address = token.claims.jti, self._catalog.address
        try:
            said = self._introspect(token.text)
            if not said.take("active", boolean):
                return Unconfirmed.NOT_ACTIVE
            said.fixed("jti", jti)
            return Issuance(
                path=said.take("path", text),
                is_out_of_band=said.take("out_of_band", boolean),
                position=said.take("position", integer),
            )
        except (AskError, Malformed) as error:
            _log.warning("%s: whether token %s was issued cannot be told: %s", address, jti, error)
            return Unconfirmed.COULD_NOT_TELL

    def _introspect(self, token: str) -> Object:
        """The catalog's answer. Raises `AskError` or `Malformed`."""
        seconds = ANSWER_SECONDS_MAX
        if not self._turns.acquire(timeout=seconds):
            raise Silent("too many others are being asked about")
        try:
            with self._catalog.ask("POST", "introspect", seconds_max=seconds, form={"token": token}) as response:
                if (refused := refusal(response)) is not None:
                    raise refused
                return Object(loads(body(response, BYTES_MAX, seconds)))
        finally:
            self._turns.release()
