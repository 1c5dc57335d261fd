"""The shapes of the revocation feed, as `GET /revocations` and its stream write them.

Everything that is said is a page: a snapshot, a page, what a stream sends, and its heartbeat. A page tells what changed after
one position of the log up to another, so that a reader notices when one is missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NoReturn, TypeAlias, TypeVar, cast

from .clock import SECOND

_T = TypeVar("_T")

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
"""An identifier in the one spelling that the catalog writes."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?Z")
# Half of a character beyond the first 65536: JSON can spell it, and nothing can write it.
_HALF = re.compile("[\ud800-\udfff]")
_INTEGER_MAX: Final = 2**63 - 1

EVENT_PAGE: Final = "revocations"
EVENT_HEARTBEAT: Final = "heartbeat"
EVENT_RELOAD: Final = "reload"


class Malformed(ValueError):
    """What was read is not what the catalog writes."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a log that nobody else's log has: which log, how far, and the digest of all up to there."""

    log_id: str
    position: int
    digest: str

    def __str__(self) -> str:
        return f"{self.log_id}.{self.position}.{self.digest}"


@dataclass(frozen=True, slots=True)
class Revoked:
    """The token is revoked, by its identifier or by a rule. Nothing takes that back."""

    jti: str
    exp: int
    effective_from: int | None
    """From when on, in microseconds since 1970; `None` = at once, whatever anybody's clock says."""


@dataclass(frozen=True, slots=True)
class Suspended:
    """The token is held back until it is resumed."""

    jti: str
    exp: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The token is not held back any more. It may be revoked all the same."""

    jti: str
    exp: int


@dataclass(frozen=True, slots=True)
class KeyCompromised:
    """No token that the key signed is believed, whatever it says of itself, but for those that are spared."""

    kid: str


@dataclass(frozen=True, slots=True)
class Spared:
    """The token was signed by a compromised key before others had that."""

    jti: str
    exp: int


Item: TypeAlias = Revoked | Suspended | Resumed | KeyCompromised | Spared


@dataclass(frozen=True, slots=True)
class Page:
    """What changed after one position of a log up to another."""

    mark: Mark
    """What is known once it is applied."""
    after: int | None
    """What it goes on from; `None` = from nothing: a snapshot, which replaces what is known."""
    piece: int
    """How many pieces of the same change have come before it."""
    is_partial: bool
    """Whether another piece follows. Until the last has come the mark stays what it was."""
    time: int
    """When it was written by the server's clock, in microseconds since 1970."""
    staleness: int
    """For how long the server itself had not heard from the log, in microseconds."""
    next: str | None
    """The cursor of the next page."""
    has_more: bool
    """Whether the next page has changes already."""
    items: tuple[Item, ...]
    """The changes, in the order of the log."""

    @classmethod
    def read(cls, text: str | bytes) -> Page:
        """Reads a page. Raises `Malformed`."""
        return cls.of(Object(loads(text)))

    @classmethod
    def of(cls, said: Object) -> Page:
        """Takes the members of a page."""
        items = said.take("items", items_of)
        return cls(
            mark=Mark(said.take("log_id", uuid), said.take("position", integer), said.take("digest", digest)),
            after=said.take("after", optional(integer)),
            piece=said.or_else("piece", count, 0),
            is_partial=said.or_else("is_partial", boolean, False),
            time=said.take("time", instant),
            staleness=min(said.take("staleness_ms", count) * 1_000, _INTEGER_MAX),
            next=said.or_else("next", optional(text), None),
            has_more=said.or_else("has_more", boolean, False),
            items=tuple(_item(Object(item)) for item in items),
        )


def loads(said: str | bytes) -> object:
    """Reads JSON, in UTF-8, in which no member stands twice and every number is one. Raises `Malformed`."""
    try:
        decoded = said.decode("utf-8") if isinstance(said, bytes) else said
        return cast(object, json.loads(decoded, object_pairs_hook=_once, parse_constant=_no_number))
    except (ValueError, RecursionError) as error:
        raise Malformed(f"it is not JSON: {error}") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("a member stands twice")
    return members


def _no_number(said: str) -> NoReturn:
    raise Malformed(f"{said} is no number of JSON")


class Object:
    """The members of an object, each read as what it has to be."""

    __slots__ = ("_members",)

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise Malformed("it is no object")
        self._members: dict[str, object] = value

    def take(self, name: str, read: Callable[[object], _T]) -> _T:
        """A member that has to be there."""
        if name not in self._members:
            raise Malformed(f"{name} is missing")
        return self._read(name, read)

    def or_else(self, name: str, read: Callable[[object], _T], absent: _T) -> _T:
        """A member that may be absent."""
        return self._read(name, read) if name in self._members else absent

    def fixed(self, name: str, value: str) -> None:
        """A member that has this one value."""
        if self.take(name, text) != value:
            raise Malformed(f"{name} is not {value}")

    def only(self, names: str, may_be_absent: str = "") -> None:
        """No members but these, all of which are there but for those that may be absent."""
        known, absent = set(names.split()), set(may_be_absent.split())
        if unknown := self._members.keys() - known:
            raise Malformed(f"{sorted(unknown)[0][:40]} is no member of it")
        if missing := known - absent - self._members.keys():
            raise Malformed(f"{sorted(missing)[0]} is missing")

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def _read(self, name: str, read: Callable[[object], _T]) -> _T:
        try:
            return read(self._members[name])
        except Malformed as error:
            raise Malformed(f"{name}: {error}") from None


def _item(said: Object) -> Item:
    match said.take("kind", text):
        case "revoked":
            jti, exp = said.take("jti", uuid), said.take("exp", integer)
            return Revoked(jti, exp, said.or_else("effective_from", optional(instant), None))
        case "suspended":
            return Suspended(said.take("jti", uuid), said.take("exp", integer))
        case "resumed":
            return Resumed(said.take("jti", uuid), said.take("exp", integer))
        case "spared":
            return Spared(said.take("jti", uuid), said.take("exp", integer))
        case "key_compromised":
            return KeyCompromised(said.take("kid", text))
        case kind:
            # To leave it out could let pass what it is about.
            raise Malformed(f"an item of the unknown kind '{kind[:40]}'")


def text(value: object) -> str:
    """A text that can be written again."""
    if not isinstance(value, str) or _HALF.search(value):
        raise Malformed("is no text")
    return value


def boolean(value: object) -> bool:
    """`true` or `false`."""
    if not isinstance(value, bool):
        raise Malformed("is neither true nor false")
    return value


def integer(value: object) -> int:
    """A whole number of 64 bits."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _INTEGER_MAX:
        raise Malformed("is no whole number")
    return value


def count(value: object) -> int:
    """The same, not negative."""
    number = integer(value)
    if number < 0:
        raise Malformed("is negative")
    return number


def items_of(value: object) -> list[object]:
    """A list."""
    if not isinstance(value, list):
        raise Malformed("is no list")
    return value


def uuid(value: object) -> str:
    """An identifier in the one spelling that the catalog writes."""
    said = text(value)
    if not UUID.fullmatch(said):
        raise Malformed("is no UUID in lower case")
    return said


def digest(value: object) -> str:
    """A SHA-256."""
    said = text(value)
    if not _DIGEST.fullmatch(said):
        raise Malformed("is no SHA-256 in lower-case hexadecimal digits")
    return said


def instant(value: object) -> int:
    """Microseconds since 1970 of an instant in UTC (RFC 3339)."""
    found = _INSTANT.fullmatch(text(value))
    if not found:
        raise Malformed("is no instant in UTC")
    whole, fraction = found.groups()
    try:
        seconds = int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise Malformed("is no instant in UTC") from None
    return seconds * SECOND + int((fraction or "")[:6].ljust(6, "0"))


def optional(read: Callable[[object], _T]) -> Callable[[object], _T | None]:
    """That, or `null`."""
    return lambda value: None if value is None else read(value)
