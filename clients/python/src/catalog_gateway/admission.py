"""Whether a token that is good may be used for a request: what narrows it, what the place asks for, and where and when."""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TypeAlias
from zoneinfo import ZoneInfo

from .claims import DAYS, Scopes, TimeRestrictions
from .clock import SECOND

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_BUSINESS_HOURS = range(9, 17)
_WORKING_DAYS = DAYS[:5]


class Denial(enum.Enum):
    """Why a good token may not be used for a request: the `code` of the problem, as the catalog calls it. Each is answered
    403, and of several the first is told."""

    OUT_OF_BAND = "issued_out_of_band"
    """It came past the controls of the catalog's API."""
    SERVER = "server_mismatch"
    """It is bound to another server, or the place names none."""
    ADDRESS = "address_not_allowed"
    """It may not be used from there, or nobody knows from where it is used."""
    TIME = "time_not_allowed"
    """It may not be used now."""
    PERMISSION = "permission_missing"
    """It does not name the permission."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What the place that a token is used at asks for, and where and when that is."""

    permission: str | None
    """What the token has to name, by itself or as `resource.*` or `*`."""
    server_id: str | None
    """The server that the place is part of: a token that is bound to one passes where this one is named, and no other."""
    takes_out_of_band: bool
    """Whether tokens are taken that came past the controls of the catalog's API."""
    address: Address | None
    """Of whoever uses it; `None` when nobody knows."""
    now: int
    """In microseconds since 1970."""


def denial(scopes: Scopes, *, is_out_of_band: bool, demand: Demand) -> Denial | None:
    """Why a token that these scopes narrow may not be used so; `None` if it may."""
    if is_out_of_band and not demand.takes_out_of_band:
        return Denial.OUT_OF_BAND
    if scopes.server_id not in (None, demand.server_id):
        return Denial.SERVER
    if scopes.ip_restrictions and not _is_within(scopes.ip_restrictions, demand.address):
        return Denial.ADDRESS
    if not _is_time(scopes.time_restrictions, datetime.fromtimestamp(demand.now / SECOND, UTC)):
        return Denial.TIME
    if demand.permission is not None and not scopes.permits(demand.permission):
        return Denial.PERMISSION
    return None


def plain(address: Address) -> Address:
    """An address of IPv4 as such, if it is written as one of IPv6."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def _is_within(networks: tuple[str, ...], address: Address | None) -> bool:
    return address is not None and any(plain(address) in ipaddress.ip_network(network) for network in networks)


def _is_time(said: TimeRestrictions, now: datetime) -> bool:
    """Everything that it says has to hold. What cannot be read admits no time."""
    if said.business_hours_only and now.hour not in _BUSINESS_HOURS:
        return False
    if said.weekdays_only and DAYS[now.weekday()] not in _WORKING_DAYS:
        return False
    try:
        zone: tzinfo = UTC if said.timezone is None else ZoneInfo(said.timezone)
    except (KeyError, ValueError, OSError):
        return False
    there = now.astimezone(zone)
    if said.days and DAYS[there.weekday()] not in said.days:
        return False
    return said.start_time is None or said.end_time is None or _is_between(said.start_time, said.end_time, there)


def _is_between(start: str, end: str, there: datetime) -> bool:
    """From the start until before the end, past midnight if the end is the earlier one. Both the same is never."""
    time = f"{there:%H:%M}"
    return start <= time < end if start <= end else time >= start or time < end
