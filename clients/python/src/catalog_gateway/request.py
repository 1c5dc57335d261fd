"""What a gateway reads of a request: its token, and from where it comes."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence

from .admission import Address, plain
from .refusals import TokenInvalid, TokenMissing

_WITH_PORT = re.compile(r"(\d+\.\d+\.\d+\.\d+)(?::\d{1,5})?|\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?", re.ASCII)


def bearer(values: Sequence[str]) -> str:
    """The one token of a request (RFC 6750 section 2.1) whose `Authorization` headers have these values. Raises `TokenMissing`,
    or `TokenInvalid` for several, which are as bad as a wrong one."""
    if not values:
        raise TokenMissing
    if len(values) > 1:
        raise TokenInvalid
    scheme, space, token = values[0].partition(" ")
    if not space or scheme.lower() != "bearer":
        raise TokenMissing
    return token.strip(" ")


class TrustedProxies:
    """The proxies whose `X-Forwarded-For` is believed: addresses and networks. Raises `ValueError` for what is neither."""

    def __init__(self, proxies: Iterable[str] = ()) -> None:
        self._networks = tuple(map(ipaddress.ip_network, proxies))

    def client(self, peer: str, forwarded_for: Sequence[str]) -> Address | None:
        """From where a request comes: from its peer, unless that is a trusted proxy. Then from whom the proxies say, read from
        the last one back as far as they are trusted. `forwarded_for` are the values of `X-Forwarded-For`, in their order.
        `None` when a trusted proxy says nothing, or nothing that can be read, and for a peer without an address."""
        address = _address(peer)
        if address is None or not self._trust(address):
            return address
        if not forwarded_for:
            return None
        for hop in reversed(",".join(forwarded_for).split(",")):
            address = _address(hop.strip(" \t"))
            if address is None or not self._trust(address):
                break
        return address

    def _trust(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _address(said: str) -> Address | None:
    """An address, with a port or without."""
    found = _WITH_PORT.fullmatch(said)
    try:
        address = ipaddress.ip_address(said if found is None else found[1] or found[2])
    except ValueError:
        return None
    # One with a zone is of this machine's own network, and in no list.
    return None if isinstance(address, ipaddress.IPv6Address) and address.scope_id else plain(address)
