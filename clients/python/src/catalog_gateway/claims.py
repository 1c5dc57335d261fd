"""What a token says, in the one form that the catalog writes (RFC 7519, RFC 9068, and the gateway's own claims)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from .wire import Malformed, Object, boolean, integer, items_of, optional, text, uuid

CLIENT_ID: Final = "catalog"
"""`client_id` of every token: the catalog itself."""

DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""The days of a week, from the first."""

_PERMISSION = re.compile(r"(?:[a-z0-9_-]+\.)*(?:[a-z0-9_-]+|\*)")
_TIME_OF_DAY = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_DECEIVING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class User:
    """The person or service behind `sub`."""

    email: str
    full_name: str
    is_admin: bool


@dataclass(frozen=True, slots=True)
class TimeRestrictions:
    """When a token may be used."""

    business_hours_only: bool | None
    weekdays_only: bool | None
    start_time: str | None
    end_time: str | None
    timezone: str | None
    days: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class UsageLimits:
    """How often a token may be used."""

    requests_per_hour: int | None
    requests_per_day: int | None


@dataclass(frozen=True, slots=True)
class Scopes:
    """What narrows a token. Whoever lets it in has to apply it."""

    server_id: str | None
    permissions: tuple[str, ...]
    """What it may be used for; empty = everything its subject may do."""
    ip_restrictions: tuple[str, ...]
    """From where, as addresses and networks; empty = from anywhere."""
    time_restrictions: TimeRestrictions
    usage_limits: UsageLimits

    def permits(self, permission: str) -> bool:
        """Whether the token names a permission, by itself or as `resource.*` or `*`. One that names none may do whatever its
        subject may, which is not for the token to say: so it has none by this."""
        return any(
            permission.startswith(granted[:-1]) if granted.endswith("*") else permission == granted
            for granted in self.permissions
        )


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a token."""

    iss: str
    aud: tuple[str, ...]
    sub: str
    jti: str
    iat: int
    exp: int
    """The first second at which it is no longer accepted."""
    scope: str | None
    env: str | None
    user: User
    teams: tuple[str, ...] | None
    """The teams whose things it reaches, besides what is public. `None` = every team."""
    namespaces: tuple[str, ...]
    scopes: Scopes

    @classmethod
    def read(cls, said: Object) -> Claims:
        """Those of a token's payload, with every member that there has to be and no other. Raises `Malformed`."""
        said.only(
            "iss aud sub client_id jti iat exp scope token_use env user teams namespaces scopes status",
            "scope env status",
        )
        if "status" in said:
            _status(said.take("status", Object))
        said.fixed("client_id", CLIENT_ID)
        said.fixed("token_use", "api")
        return cls(
            iss=said.take("iss", word(255)),
            aud=said.take("aud", all_of(word(255))),
            sub=said.take("sub", word(255)),
            jti=said.take("jti", uuid),
            iat=said.take("iat", integer),
            exp=said.take("exp", integer),
            scope=said.or_else("scope", text, None),
            env=said.or_else("env", word(64), None),
            user=_user(said.take("user", Object)),
            teams=said.take("teams", optional(all_of(word(128)))),
            namespaces=said.take("namespaces", all_of(word(128))),
            scopes=_scopes(said.take("scopes", Object)),
        )


def _user(said: Object) -> User:
    said.only("email full_name is_admin auth_provider")
    said.fixed("auth_provider", "api_token")
    return User(said.take("email", word(320)), said.take("full_name", line(255)), said.take("is_admin", boolean))


def _scopes(said: Object) -> Scopes:
    said.only("server_id permissions ip_restrictions time_restrictions usage_limits")
    return Scopes(
        server_id=said.take("server_id", optional(word(128))),
        permissions=said.take("permissions", all_of(_permission)),
        ip_restrictions=said.take("ip_restrictions", all_of(_network)),
        time_restrictions=_times(said.take("time_restrictions", Object)),
        usage_limits=_limits(said.take("usage_limits", Object)),
    )


def _times(said: Object) -> TimeRestrictions:
    members = "business_hours_only weekdays_only start_time end_time timezone days"
    said.only(members, may_be_absent=members)
    times = TimeRestrictions(
        business_hours_only=said.or_else("business_hours_only", boolean, None),
        weekdays_only=said.or_else("weekdays_only", boolean, None),
        start_time=said.or_else("start_time", _time_of_day, None),
        end_time=said.or_else("end_time", _time_of_day, None),
        timezone=said.or_else("timezone", word(64), None),
        days=said.or_else("days", all_of(_day), None),
    )
    if (times.start_time is None) != (times.end_time is None) or (
        times.timezone is not None and times.start_time is None
    ):
        raise Malformed("start_time and end_time go together, and timezone goes with them")
    return times


def _limits(said: Object) -> UsageLimits:
    members = "requests_per_hour requests_per_day"
    said.only(members, may_be_absent=members)
    return UsageLimits(
        requests_per_hour=said.or_else("requests_per_hour", _positive, None),
        requests_per_day=said.or_else("requests_per_day", _positive, None),
    )


def _status(said: Object) -> None:
    """Where in a status list it stands: whoever follows the feed knows more, and sooner."""
    said.only("status_list")
    reference = said.take("status_list", Object)
    reference.only("idx uri")
    reference.take("idx", _index)
    reference.take("uri", text)


def all_of(read: Callable[[object], _T]) -> Callable[[object], tuple[_T, ...]]:
    """A list of these."""
    return lambda value: tuple(read(item) for item in items_of(value))


def line(length_max: int) -> Callable[[object], str]:
    """One line: spaces inside, none at the ends, nothing that deceives a reader."""

    def read(value: object) -> str:
        said = text(value)
        if not 1 <= len(said) <= length_max or said.strip() != said or _DECEIVING.search(said):
            raise Malformed("is no text that the catalog writes")
        return said

    return read


def word(length_max: int) -> Callable[[object], str]:
    """The same without white space."""
    read_line = line(length_max)

    def read(value: object) -> str:
        said = read_line(value)
        if any(character.isspace() for character in said):
            raise Malformed("has white space")
        return said

    return read


def _permission(value: object) -> str:
    said = text(value)
    if len(said) > 128 or not _PERMISSION.fullmatch(said):
        raise Malformed("is no permission")
    return said


def _network(value: object) -> str:
    """An address or a network in CIDR notation, in its one spelling."""
    said = text(value)
    try:
        canonical = str(ipaddress.ip_network(said) if "/" in said else ipaddress.ip_address(said))
    except ValueError:
        canonical = ""
    if canonical != said:
        raise Malformed("is no address or network in its one spelling")
    return said


def _time_of_day(value: object) -> str:
    said = text(value)
    if not _TIME_OF_DAY.fullmatch(said):
        raise Malformed("is no time of day")
    return said


def _day(value: object) -> str:
    said = text(value)
    if said not in DAYS:
        raise Malformed("is no day of the week")
    return said


def _positive(value: object) -> int:
    number = integer(value)
    if not 1 <= number < 2**32:
        raise Malformed("is not between 1 and 4294967295")
    return number


def _index(value: object) -> int:
    number = integer(value)
    if not 0 <= number < 2**32:
        raise Malformed("is not between 0 and 4294967295")
    return number
