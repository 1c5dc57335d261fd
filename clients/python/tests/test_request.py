"""What is read of a request."""

from __future__ import annotations

import pytest

from catalog_gateway import Refusal, TokenInvalid, TokenMissing, TrustedProxies, bearer

TRUSTED = ["10.0.0.0/8", "127.0.0.1", "::1", "2001:db8:1::/48"]


def client(peer: str, *lines: str, trusted: list[str] = TRUSTED) -> str | None:
    address = TrustedProxies(trusted).client(peer, lines)
    return None if address is None else str(address)


@pytest.mark.parametrize("value", ["Bearer abc", "bearer abc", "BEARER  abc "])
def test_the_token_is_that_of_the_one_authorization(value: str) -> None:
    assert bearer([value]) == "abc"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], TokenMissing),
        ([""], TokenMissing),
        (["abc"], TokenMissing),
        (["Bearer"], TokenMissing),
        (["Basic YTpi"], TokenMissing),
        (["Bearer abc", "Bearer abc"], TokenInvalid),
    ],
)
def test_without_one_token_there_is_none(values: list[str], expected: type[Refusal]) -> None:
    with pytest.raises(expected):
        bearer(values)


@pytest.mark.parametrize("peer", ["203.0.113.9", "::ffff:203.0.113.9"])
@pytest.mark.parametrize("trusted", [[], ["10.0.0.0/8"]])
@pytest.mark.parametrize("lines", [[], ["192.0.2.1"], ["192.0.2.1", "10.0.0.1"], ["nonsense"]])
def test_whoever_is_not_trusted_comes_from_where_it_is_whatever_it_says(
    trusted: list[str], peer: str, lines: list[str]
) -> None:
    assert client(peer, *lines, trusted=trusted) == "203.0.113.9"


@pytest.mark.parametrize(
    ("peer", "lines", "expected"),
    [
        ("127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        # What stands before the last address that is not trusted was said by whoever is there.
        ("127.0.0.1", ["192.0.2.1, 203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["192.0.2.1, 203.0.113.9 , 10.0.0.3"], "203.0.113.9"),
        ("127.0.0.1", ["192.0.2.1", "203.0.113.9, 10.0.0.3", "10.0.0.4"], "203.0.113.9"),
        ("127.0.0.1", ["nonsense, 203.0.113.9, 10.0.0.3"], "203.0.113.9"),
        ("::1", ["203.0.113.9:4711"], "203.0.113.9"),
        ("::ffff:10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8::9]:443, [2001:db8:1::2]"], "2001:db8::9"),
        # Whoever is trusted throughout is where the first of them is.
        ("127.0.0.1", ["10.0.0.7, 10.0.0.8"], "10.0.0.7"),
    ],
)
def test_proxies_are_believed_from_the_last_one_back_as_far_as_they_are_trusted(
    peer: str, lines: list[str], expected: str
) -> None:
    assert client(peer, *lines) == expected


@pytest.mark.parametrize(
    "lines",
    [[], [""], ["unknown"], ["203.0.113.9, _hidden"], ["203.0.113.9,"], ["203.0.113.9, 10.0.0.1, é"], ["fe80::1%lo"]],
)
def test_a_trusted_proxy_that_says_nothing_readable_leaves_it_unknown(lines: list[str]) -> None:
    assert client("127.0.0.1", *lines) is None


def test_a_peer_without_an_address_is_nowhere() -> None:
    assert client("", "203.0.113.9") is client("@/run/gateway.sock", "203.0.113.9") is None


@pytest.mark.parametrize("proxy", ["", "localhost", "10.0.0.0/33", "10.0.0.1/8", "unix:"])
def test_what_is_trusted_is_addresses_and_networks(proxy: str) -> None:
    with pytest.raises(ValueError, match=r"network|address|netmask|host bits"):
        TrustedProxies([proxy])
