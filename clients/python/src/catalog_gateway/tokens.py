"""A token as it reads, before anybody has vouched for it (RFC 7519, RFC 8725, RFC 9068)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

from .claims import Claims
from .wire import Malformed, Object, loads, text

LENGTH_MAX: Final = 8_192
"""The longest token, in characters, that is looked at."""
IAT_AHEAD_SECONDS_MAX: Final = 5
"""How far in the future an `iat` may lie: two clocks are never quite the same."""
TYPS: Final = frozenset(("at+jwt", "application/at+jwt"))
"""`typ` of an access token, in lower case (RFC 9068 section 4)."""
ALGORITHMS: Final = frozenset(("EdDSA", "ES256", "RS256", "HS256"))
"""The algorithms of the catalog."""

_PART = re.compile(r"[A-Za-z0-9_-]+")


class Invalid(Exception):
    """The token is not good. Outside, nobody may tell why."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a token has to say to be meant for here."""

    issuer: str
    """`iss`: the catalog's issuer."""
    audience: str
    """What `aud` has to name."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token that is written as the catalog writes them. Whether it is one of the catalog's is for others to say."""

    text: str
    """As it was presented."""
    alg: str
    kid: str
    """The key that it names."""
    claims: Claims
    signing_input: bytes
    signature: bytes

    def __repr__(self) -> str:
        return f"Token(jti={self.claims.jti!r})"

    @classmethod
    def read(cls, text: str, rules: Rules) -> Token:
        """Reads a token. Raises `Invalid` for one that is not written as the catalog writes them, or not meant for here."""
        if len(text) > LENGTH_MAX or not text.isascii():
            raise Invalid("it is longer than any token, or not ASCII")
        parts = text.split(".")
        if len(parts) != 3:
            raise Invalid("it has not exactly three parts")
        try:
            header, payload, signature = map(unbase64, parts)
            typ, alg, kid = _header(Object(loads(header)))
            claims = Claims.read(Object(loads(payload)))
        except Malformed as error:
            raise Invalid(f"it is not of the catalog's making: {error}") from None
        if typ.lower() not in TYPS or alg not in ALGORITHMS:
            raise Invalid("it is no access token, or names an algorithm that no key of the catalog has")
        if claims.iss != rules.issuer or rules.audience not in claims.aud:
            raise Invalid("it is of another issuer, or for another audience")
        return cls(text, alg, kid, claims, text.rpartition(".")[0].encode("ascii"), signature)

    def check_times(self, now: int) -> None:
        """At this instant, in seconds since 1970. Expired at `exp`, without leeway. Raises `Invalid`."""
        if now >= self.claims.exp:
            raise Invalid(f"it expired at {self.claims.exp}")
        if self.claims.iat > now + IAT_AHEAD_SECONDS_MAX:
            raise Invalid("it is of the future")


def unbase64(part: str) -> bytes:
    """Reads base64url without padding, in its one spelling. Raises `Malformed`."""
    if not _PART.fullmatch(part):
        raise Malformed("a part is empty or no base64url")
    try:
        said = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise Malformed("a part is no base64url") from None
    # The last character may have bits that say nothing.
    if base64.urlsafe_b64encode(said).rstrip(b"=") != part.encode("ascii"):
        raise Malformed("a part is not in its one spelling")
    return said


def _header(said: Object) -> tuple[str, str, str]:
    said.only("typ alg kid")
    return said.take("typ", text), said.take("alg", text), said.take("kid", text)
