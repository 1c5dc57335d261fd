"""Whether a good token may be used for a request."""

from __future__ import annotations

import json
from datetime import datetime
from ipaddress import ip_address

import pytest

from catalog_gateway import Denial, Scopes, Token
from catalog_gateway.admission import Demand, denial
from signing import CLAIMS, RULES, Ed25519, claims, header, write

KEY = Ed25519()
# A Monday.
NOON = "2026-03-02T12:00:00Z"


def scopes(**changed: object) -> Scopes:
    free = {**CLAIMS["scopes"], "permissions": [], "ip_restrictions": [], "time_restrictions": {}}
    said = claims(scopes={**free, **changed})
    return Token.read(write(KEY, header(KEY), json.dumps(said)), RULES).claims.scopes


def told(
    narrowed: Scopes,
    *,
    permission: str | None = None,
    server_id: str | None = None,
    takes_out_of_band: bool = True,
    address: str | None = None,
    at: str = NOON,
    is_out_of_band: bool = False,
) -> Denial | None:
    now = int(datetime.fromisoformat(at).timestamp() * 1_000_000)
    demand = Demand(permission, server_id, takes_out_of_band, ip_address(address) if address else None, now)
    return denial(narrowed, is_out_of_band=is_out_of_band, demand=demand)


def is_time(at: str, **said: object) -> bool:
    return told(scopes(time_restrictions=said), at=at) is None


def test_a_token_that_nothing_narrows_passes_where_nothing_is_asked() -> None:
    assert told(scopes()) is None


def test_a_permission_that_is_asked_for_has_to_be_named() -> None:
    assert told(scopes(permissions=["tools.*"]), permission="tools.read") is None
    assert told(scopes(permissions=["tools.read"]), permission="tools.write") is Denial.PERMISSION
    assert told(scopes(), permission="tools.read") is Denial.PERMISSION


def test_a_bound_token_passes_where_its_server_is_named_and_no_other() -> None:
    bound = scopes(server_id="one")

    assert told(bound, server_id="one") is None
    assert told(bound, server_id="two") is told(bound) is Denial.SERVER
    assert told(scopes(), server_id="two") is None, "one that is free"


def test_addresses_are_held_against_the_networks_and_an_unknown_one_is_in_none() -> None:
    narrowed = scopes(ip_restrictions=["10.0.0.0/8", "2001:db8::1"])

    for inside in ("10.0.0.0", "10.255.255.255", "::ffff:10.0.0.1", "2001:db8::1"):
        assert told(narrowed, address=inside) is None, inside
    for outside in ("9.255.255.255", "11.0.0.0", "2001:db8::2", "127.0.0.1", "::ffff:11.0.0.1", None):
        assert told(narrowed, address=outside) is Denial.ADDRESS, outside


def test_out_of_band_tokens_pass_unless_they_are_refused() -> None:
    assert told(scopes(), is_out_of_band=True) is None
    assert told(scopes(), is_out_of_band=True, takes_out_of_band=False) is Denial.OUT_OF_BAND
    assert told(scopes(), takes_out_of_band=False) is None


def test_business_hours_are_from_nine_until_before_seventeen_by_utc() -> None:
    for at, expected in (("09:00:00", True), ("16:59:59.999", True), ("08:59:59.999", False), ("17:00:00", False)):
        assert is_time(f"2026-03-01T{at}Z", business_hours_only=True) is expected
        assert is_time(f"2026-03-01T{at}Z", business_hours_only=False)


def test_working_days_are_from_monday_to_friday_by_utc() -> None:
    for day, expected in (("02T00:00:00", True), ("06T23:59:59", True), ("01T23:59:59", False), ("07T00:00:00", False)):
        assert is_time(f"2026-03-{day}Z", weekdays_only=True) is expected


@pytest.mark.parametrize(
    ("start", "end", "at", "expected"),
    [
        ("09:30", "17:00", "09:30:00", True),
        ("09:30", "17:00", "16:59:59", True),
        ("09:30", "17:00", "09:29:59", False),
        ("09:30", "17:00", "17:00:00", False),
        ("22:00", "06:00", "22:00:00", True),
        ("22:00", "06:00", "05:59:59", True),
        ("22:00", "06:00", "21:59:59", False),
        ("22:00", "06:00", "06:00:00", False),
        ("09:00", "09:00", "09:00:00", False),
        ("09:00", "09:00", "21:00:00", False),
    ],
)
def test_a_window_goes_from_its_start_until_before_its_end(start: str, end: str, at: str, expected: bool) -> None:
    assert is_time(f"2026-03-01T{at}Z", start_time=start, end_time=end) is expected


def test_a_window_and_its_days_are_those_of_its_zone() -> None:
    nepal = {"start_time": "09:00", "end_time": "17:00", "timezone": "Asia/Kathmandu"}
    assert is_time("2026-03-01T03:15:00Z", **nepal)
    assert not is_time("2026-03-01T03:14:59Z", **nepal)

    monday = {"start_time": "00:00", "end_time": "23:59", "timezone": "Pacific/Auckland", "days": ["Monday"]}
    assert is_time("2026-03-01T11:00:00Z", **monday), "it is Monday already in Auckland"
    assert not is_time("2026-03-01T10:00:00Z", **monday)

    # The clocks of Zurich are put forward at one o'clock UTC.
    summer = {"start_time": "01:30", "end_time": "03:30", "timezone": "Europe/Zurich"}
    assert is_time("2026-03-29T00:59:59Z", **summer)
    assert is_time("2026-03-29T01:29:59Z", **summer)
    assert not is_time("2026-03-29T01:30:00Z", **summer)


def test_days_without_a_window_are_those_of_utc_and_an_empty_list_names_none() -> None:
    assert is_time("2026-03-01T23:59:59Z", days=["Sunday"])
    assert not is_time("2026-03-02T00:00:00Z", days=["Sunday"])
    assert is_time("2026-03-02T00:00:00Z", days=[])


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "/etc/localtime", "Europe", "\u017durich"])
def test_a_zone_that_nobody_knows_admits_no_time(zone: str) -> None:
    assert not is_time(NOON, start_time="00:00", end_time="23:59", timezone=zone)


def test_of_several_causes_the_first_is_told() -> None:
    narrowed: dict[str, object] = {
        "server_id": "one",
        "ip_restrictions": ["10.0.0.1"],
        "time_restrictions": {"days": ["Sunday"]},
    }
    is_out_of_band, causes = True, []
    while (
        cause := told(
            scopes(**narrowed), permission="tools.read", takes_out_of_band=False, is_out_of_band=is_out_of_band
        )
    ) is not None:
        causes.append(cause)
        match cause:
            case Denial.OUT_OF_BAND:
                is_out_of_band = False
            case Denial.SERVER:
                narrowed["server_id"] = None
            case Denial.ADDRESS:
                narrowed["ip_restrictions"] = []
            case Denial.TIME:
                narrowed["time_restrictions"] = {}
            case Denial.PERMISSION:
                narrowed["permissions"] = ["*"]

    assert causes == list(Denial)
