"""Tokens as the catalog writes them, and as it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from catalog_gateway import Invalid, Rules, Token
from signing import AUDIENCE, CLAIMS, EXP, IAT, ISSUER, JTI, RULES, Ed25519, claims, header, token, write

KEY = Ed25519()


def read(text: str) -> Token:
    return Token.read(text, RULES)


def refused(text: str) -> bool:
    try:
        read(text)
    except Invalid:
        return True
    return False


def with_member(pointer: str, value: object) -> str:
    changed = claims()
    *objects, name = pointer.split("/")
    inner: Any = changed
    for member in objects:
        inner = inner[member]
    inner[name] = value
    return write(KEY, header(KEY), json.dumps(changed))


def test_a_good_token_says_what_was_signed() -> None:
    good = read(token(KEY))

    said = good.claims
    assert (good.kid, good.alg) == ("one", "EdDSA")
    assert (said.iss, said.aud, said.sub, said.jti) == (ISSUER, (AUDIENCE, "other"), "alice@example.com", JTI)
    assert (said.iat, said.exp, said.env, said.teams) == (IAT, EXP, "production", ("red",))
    assert (said.user.email, said.user.is_admin) == ("alice@example.com", False)
    assert said.scopes.ip_restrictions == ("10.0.0.0/8", "2001:db8::1")
    assert said.scopes.time_restrictions.days == ("Monday",)
    assert said.scopes.usage_limits.requests_per_hour == 100
    assert "eyJ" not in repr(good), "its text is shown nowhere"


@pytest.mark.parametrize(
    ("granted", "permission", "expected"),
    [
        (["tools.read"], "tools.read", True),
        (["tools.read"], "tools.reader", False),
        (["tools.read"], "tools", False),
        (["servers.*"], "servers.use", True),
        (["servers.*"], "servers.use.now", True),
        (["servers.*"], "servers", False),
        (["servers.*"], "serversuse", False),
        (["*"], "anything", True),
        ([], "tools.read", False),
    ],
)
def test_a_permission_is_named_by_itself_or_by_a_star(granted: list[str], permission: str, expected: bool) -> None:
    scopes = {**CLAIMS["scopes"], "permissions": granted}

    assert read(token(KEY, scopes=scopes)).claims.scopes.permits(permission) is expected


def test_a_token_is_three_parts_of_ascii_of_8192_characters_at_most() -> None:
    good = token(KEY)
    for text in ("", ".", "..", "a.b", f"{good}.", f".{good}", f"{good}.a", f"{good}é", f" {good}", f"{good}\n"):
        assert refused(text), text
    padding = 8_192 - len(token(KEY, scope=""))
    longest = token(KEY, scope="x" * (padding * 3 // 4))
    assert 8_188 < len(longest) <= 8_192
    assert not refused(longest)
    assert refused(token(KEY, scope="x" * (padding * 3 // 4 + 6)))


@pytest.mark.parametrize(
    "changed",
    [
        {"typ": "JWT"},
        {"typ": None},
        {"alg": "none"},
        {"alg": "PS256"},
        {"alg": "eddsa"},
        {"kid": 1},
        {"jku": "https://evil.example"},
        {"jwk": {}},
        {"crit": []},
    ],
)
def test_a_header_names_a_type_a_key_and_its_algorithm_and_nothing_else(changed: dict[str, object]) -> None:
    assert not refused(write(KEY, header(KEY, typ="application/AT+JWT"), json.dumps(claims())))
    assert refused(write(KEY, header(KEY, **changed), json.dumps(claims())))


@pytest.mark.parametrize("said", ['["at+jwt","EdDSA","one"]', "{}", "", "null", '{"typ":"at+jwt","alg":"EdDSA"}'])
def test_a_header_is_an_object_with_all_of_them(said: str) -> None:
    assert refused(write(KEY, said, json.dumps(claims())))


def test_no_member_stands_twice() -> None:
    twice = header(KEY).replace("{", '{"kid": "one", ', 1)
    assert refused(write(KEY, twice, json.dumps(claims())))
    twice = json.dumps(claims()).replace('"user": {', '"user": {"is_admin": true, ', 1)
    assert refused(write(KEY, header(KEY), twice))


def test_each_part_has_one_spelling() -> None:
    first, second, third = token(KEY).split(".")
    assert len(third) % 4 == 2
    # The last character of 64 bytes has four bits that say nothing.
    other = third[:-1] + chr(ord(third[-1]) + 1)
    for text in (f"{first}.{second}.{third}==", f"{first}.{second}.{other}"):
        assert refused(text)


@pytest.mark.parametrize("name", sorted(CLAIMS.keys() - {"scope", "env", "status"}))
def test_a_token_lacks_no_claim(name: str) -> None:
    said = claims()
    del said[name]

    assert refused(write(KEY, header(KEY), json.dumps(said)))


@pytest.mark.parametrize("name", ["scope", "env", "status"])
def test_a_claim_that_may_be_absent_may_not_be_null(name: str) -> None:
    said = claims()
    del said[name]

    assert not refused(write(KEY, header(KEY), json.dumps(said)))
    assert refused(token(KEY, **{name: None}))


def test_teams_may_be_null_and_then_it_reaches_every_team() -> None:
    assert read(token(KEY, teams=None)).claims.teams is None
    assert read(token(KEY, teams=[])).claims.teams == ()


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("nbf", 0),
        ("iss", "https://evil.example"),
        ("aud", ["other"]),
        ("aud", []),
        ("aud", AUDIENCE),
        ("client_id", "shop"),
        ("token_use", "refresh"),
        ("token_use", {"api": None}),
        ("sub", ""),
        ("sub", "a b"),
        ("sub", "a\u202eb"),
        ("sub", "a\ud800b"),
        ("sub", "x" * 256),
        ("jti", JTI.upper().replace("0", "A")),
        ("jti", f"{{{JTI}}}"),
        ("exp", 4_000_000_000.5),
        ("exp", 4e9),
        ("exp", "4000000000"),
        ("exp", True),
        ("exp", 2**63),
        ("env", ""),
        ("user/is_admin", "false"),
        ("user/more", 1),
        ("user/auth_provider", "oidc"),
        ("user/full_name", " Alice"),
        ("user/full_name", "Alice\u200bExample"),
        ("teams", [1]),
        ("namespaces", None),
        ("scopes/more", 1),
        ("scopes/permissions", ["Tools"]),
        ("scopes/permissions", ["tools.*.read"]),
        ("scopes/permissions", ["tools..read"]),
        ("scopes/ip_restrictions", ["10.0.0.1/8"]),
        ("scopes/ip_restrictions", ["10.0.0.0/255.0.0.0"]),
        ("scopes/ip_restrictions", ["2001:DB8::1"]),
        ("scopes/time_restrictions", {"start_time": "09:00"}),
        ("scopes/time_restrictions", {"start_time": "9:00", "end_time": "10:00"}),
        ("scopes/time_restrictions", {"start_time": "09:00", "end_time": "24:00"}),
        ("scopes/time_restrictions", {"timezone": "Europe/Berlin"}),
        ("scopes/time_restrictions", {"days": ["monday"]}),
        ("scopes/usage_limits", {"requests_per_day": 0}),
        ("scopes/usage_limits", {"requests_per_minute": 1}),
        ("status", {}),
        ("status", {"status_list": {"idx": -1, "uri": "https://tokens.example.com/status-lists/1"}}),
        ("status", {"status_list": {"idx": 1}}),
    ],
)
def test_claims_are_those_that_the_catalog_writes(pointer: str, value: object) -> None:
    assert refused(with_member(pointer, value))


def test_a_token_is_good_up_to_the_second_before_exp_and_from_five_seconds_before_iat() -> None:
    good = read(token(KEY, iat=100, exp=200))

    for now in (95, 100, 199):
        good.check_times(now)
    for now in (94, 200, 201):
        with pytest.raises(Invalid):
            good.check_times(now)


def test_an_audience_is_the_whole_name() -> None:
    for audience in ("gate", "gateway ", "Gateway", ""):
        with pytest.raises(Invalid):
            Token.read(token(KEY), Rules(ISSUER, audience))
