"""Verifies the signatures of tokens by the catalog's keys.

The standard library can verify none of the catalog's public algorithms, so this needs `cryptography`: install
`catalog-gateway[signatures]`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .catalog import AskError, Catalog, body, refusal
from .tokens import Invalid, Token
from .wire import Malformed

if TYPE_CHECKING:
    from .keys import Key

ANSWER_SECONDS_MAX: Final = 2.0
"""How long the catalog may take to answer."""
BYTES_MAX: Final = 256 * 1024
"""The longest JWK Set."""
ASK_SECONDS: Final = 5.0
"""How often the catalog is asked at most."""
RETRY_SECONDS: Final = 1.0
"""How often at most when it does not answer."""
REFRESH_SECONDS: Final = 300.0
"""After how long known keys are asked for again (`max-age` of the JWK Set), so that one that was withdrawn ends."""
SECRET_BYTES_MIN: Final = 32
"""RFC 7518 section 3.2: as long as the hash output, at least."""

_log: Final = logging.getLogger(__name__)


class SignaturesUnavailable(ImportError):
    """`cryptography` is not installed, without which no signature can be verified."""


class KeyUnknown(Invalid):
    """It names a key that the catalog does not publish."""


class KeysUnavailable(Exception):
    """The token names a key that is not known, and the catalog could not be asked for its keys since the token came: it does
    not answer, or was asked only just before. Or it names a shared secret, which no catalog publishes. That is not a no."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """When the catalog was asked for its keys, and what came of it."""

    began: float | None = None
    at: float | None = None
    """When it was over."""
    is_answered: bool = False
    etag: str | None = None

    def is_older_than(self, seconds: float, now: float) -> bool:
        return self.at is None or now - self.at >= seconds

    def is_since(self, came: float) -> bool:
        return self.began is not None and self.began >= came


class SignatureVerifier:
    """Verifies signatures by the keys that the catalog publishes, and with `secret` by that for HS256, which no catalog
    publishes: its UTF-8 bytes are the key, as in the catalog's configuration, and whoever has it can forge tokens.

    May be used from many threads. Raises `SignaturesUnavailable` without `cryptography`, `ValueError` for a secret of fewer
    than 32 bytes.
    """

    def __init__(
        self, catalog: Catalog, *, secret: str | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        try:
            from . import keys
        except ImportError as error:
            raise SignaturesUnavailable(
                "verifying signatures needs cryptography: install catalog-gateway[signatures]"
            ) from error
        self._of_jwks = keys.of_jwks
        self._catalog = catalog
        self._monotonic = monotonic
        self._shared: dict[str, Key] = {}
        if secret is not None:
            kid, raw = _named(secret)
            self._shared[kid] = keys.Shared(raw)
        self._keys: dict[str, Key] = self._shared
        # Those that were published once. Nothing is good by them alone.
        self._withdrawn: dict[str, Key] = {}
        self._asked = _Asked()
        self._asking = threading.Lock()
        self._has_warned = False

    def check(self, token: Token, *, is_given_up: bool = False) -> None:
        """Raises `Invalid` for a token that none of the keys signed, `KeysUnavailable` when nobody can tell. For one that
        names an unknown key the catalog is asked first, though not more often than every five seconds: in between nobody can
        tell of such a token, for the key may be a new one. `KeyUnknown`, an `Invalid`, where the catalog has none of that name.

        A key that `is_given_up` is published no more, and holds all the same where it was seen before: whoever says so knows by
        the feed which of its tokens are spared."""
        came = self._monotonic()
        self._refresh_in_time()
        key = self._keys.get(token.kid)
        if key is None and is_given_up:
            key = self._withdrawn.get(token.kid)
        if key is None and token.alg == "HS256":
            self._warn_of_secret()
            raise KeysUnavailable("it names a shared secret that is not known here")
        if key is None:
            are_current = self._ask_again(came)
            key = self._keys.get(token.kid)
            if key is None and not are_current:
                raise KeysUnavailable("the catalog's keys cannot be had at the moment")
        if key is None:
            raise KeyUnknown("it names a key that is not known")
        if token.alg != key.alg:
            raise Invalid("it names another algorithm than the key's")
        if not key.verifies(token.signing_input, token.signature):
            raise Invalid("its signature does not verify")

    def _is_due(self) -> bool:
        asked = self._asked
        seconds = REFRESH_SECONDS if asked.is_answered else ASK_SECONDS
        return asked.at is not None and asked.is_older_than(seconds, self._monotonic())

    def _refresh_in_time(self) -> None:
        """Has known keys asked for again that have been known for long. Nobody waits for that."""
        if self._is_due() and self._asking.acquire(blocking=False):
            try:
                threading.Thread(target=self._refresh, name="catalog-keys", daemon=True).start()
            except RuntimeError:
                # No thread can be started at the moment.
                self._asking.release()

    def _refresh(self) -> None:
        try:
            if self._is_due():
                self._ask()
        finally:
            self._asking.release()

    def _ask_again(self, came: float) -> bool:
        """Asks for the keys, unless somebody did since the token came, or it is too soon. Whether they are known as they were
        then."""
        with self._asking:
            asked = self._asked
            seconds = ASK_SECONDS if asked.is_answered else RETRY_SECONDS
            if not asked.is_since(came) and asked.is_older_than(seconds, self._monotonic()):
                self._ask()
            return self._asked.is_answered and self._asked.is_since(came)

    def _warn_of_secret(self) -> None:
        """Once: it says how this is set up, and that does not change."""
        if not self._has_warned:
            self._has_warned = True
            _log.warning(
                "a token of HS256 names a shared secret that is not known here, and is told neither good nor bad: is the"
                " catalog's own secret given?"
            )

    def _ask(self) -> None:
        """Asks once, and keeps what is good of the answer. The caller has the turn."""
        began, etag, is_answered = self._monotonic(), self._asked.etag, False
        try:
            etag = self._fetch(etag)
            is_answered = True
        except (AskError, Malformed) as error:
            _log.warning(
                "%s: the catalog's keys cannot be had, those that are known stay: %s", self._catalog.address, error
            )
        finally:
            self._asked = _Asked(began, self._monotonic(), is_answered, etag)

    def _fetch(self, etag: str | None) -> str | None:
        """Fetches the keys, if they are not those of this tag, and tells their tag."""
        headers = {} if etag is None else {"If-None-Match": etag}
        path, seconds = ".well-known/jwks.json", ANSWER_SECONDS_MAX
        with self._catalog.ask("GET", path, seconds_max=seconds, headers=headers, is_public=True) as response:
            if response.status_code == 304 and etag is not None:
                return etag
            if (refused := refusal(response)) is not None:
                raise refused
            keys = {**self._of_jwks(body(response, BYTES_MAX, seconds)), **self._shared}
            once = {**self._withdrawn, **self._keys}
            self._withdrawn = {kid: key for kid, key in once.items() if kid not in keys}
            self._keys = keys
            tag: str | None = response.headers.get("etag")
            return tag


def _named(secret: str) -> tuple[str, bytes]:
    """The name of a shared secret, and its bytes."""
    raw = secret.encode()
    if len(raw) < SECRET_BYTES_MIN:
        raise ValueError(f"the shared secret has {len(raw)} bytes, the minimum is {SECRET_BYTES_MIN}")
    name = hmac.digest(raw, b"catalog kid v1", hashlib.sha256)[:16]
    return base64.urlsafe_b64encode(name).rstrip(b"=").decode("ascii"), raw
