"""Where the catalog is, and as whom it is asked."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self, TypeAlias
from urllib.parse import quote_plus, urlsplit

import httpx

CONNECT_SECONDS_MAX: Final = 2.0
"""How long the way to the catalog may take to open."""
IDLE_SECONDS_MAX: Final = 30.0
"""How long a connection is kept that nobody uses: less than the catalog keeps it, so that no request meets its closing."""
RETRY_SECONDS_MAX: Final = 10.0
"""The longest that the catalog can have somebody wait."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token of the catalog with the permission `tokens.check`."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Client:
    """A client of the catalog with that permission, as `catalog clients add` has made it."""

    name: str
    secret: str = field(repr=False)


Kind: TypeAlias = Bearer | Client
Credential: TypeAlias = Kind | Callable[[], Kind]
"""As whom the catalog is asked. A function is asked before each request, so that a credential can be replaced while the program
runs."""


class AskError(Exception):
    """The catalog did not answer what was asked. That says nothing of any token."""

    retry_after: float | None = None
    """After how many seconds to ask again, if it said so."""


class Unreachable(AskError):
    """No answer came, or it broke off."""


class Silent(AskError):
    """No answer came in time."""


class Unavailable(AskError):
    """It answered that it cannot."""


class Refused(AskError):
    """It does not let us ask."""


class Answer(AskError):
    """It answered what nobody can read."""


class Catalog:
    """A catalog that can be asked, such as `https://tokens.example.com`: `https`, or `http` on this machine.

    Redirects are not followed, and no proxy of the environment is used. `authorities` are the certificates that are believed in
    place of the usual ones.
    """

    def __init__(self, address: str, credential: Credential, *, authorities: ssl.SSLContext | None = None) -> None:
        self.address = _base(address)
        self._credential = credential
        limits = httpx.Limits(keepalive_expiry=IDLE_SECONDS_MAX)
        self._http = httpx.Client(
            base_url=self.address,
            follow_redirects=False,
            trust_env=False,
            limits=limits,
            verify=True if authorities is None else authorities,
            # Nothing compressed: what is read is as long as what comes.
            headers={"User-Agent": "catalog-gateway-python", "Accept-Encoding": "identity"},
        )

    def __repr__(self) -> str:
        return f"Catalog({self.address!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    @contextlib.contextmanager
    def ask(
        self,
        method: str,
        path: str,
        *,
        seconds_max: float,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        is_public: bool = False,
    ) -> Iterator[httpx.Response]:
        """The head of an answer, whose body is still to be read. Raises `AskError`, while the body is read, too."""
        timeout = httpx.Timeout(seconds_max, connect=min(CONNECT_SECONDS_MAX, seconds_max))
        auth = None if is_public else self._auth()
        asked: dict[str, str] = {**({} if auth is None else {"Authorization": auth}), **(headers or {})}
        try:
            with self._http.stream(method, path, headers=asked, params=params, data=form, timeout=timeout) as response:
                yield response
        except httpx.TimeoutException:
            raise Silent(f"the catalog did not answer within {seconds_max} s") from None
        except httpx.HTTPError as error:
            # What httpx says names the address, never the credential.
            raise Unreachable(f"the catalog cannot be reached: {error}") from error

    def _auth(self) -> str:
        kind = self._credential() if callable(self._credential) else self._credential
        if isinstance(kind, Bearer):
            return f"Bearer {kind.token}"
        # RFC 6749 section 2.3.1: each written as in a form.
        pair = f"{quote_plus(kind.name)}:{quote_plus(kind.secret)}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")


def refusal(response: httpx.Response) -> AskError | None:
    """What an answer's status says, if it is not the one that was hoped for."""
    status = response.status_code
    if status == 200:
        return None
    if status in (401, 403):
        why = "it lacks the permission tokens.check" if status == 403 else "it does not know it, or it is over"
        return Refused(f"the catalog refuses the credential ({status}): {why}")
    error = Unavailable(f"the catalog answered {status}")
    after = response.headers.get("retry-after", "")
    if after.isascii() and after.isdigit():
        error.retry_after = min(float(after), RETRY_SECONDS_MAX)
    return error


def body(response: httpx.Response, bytes_max: int, seconds_max: float) -> bytes:
    """The whole body, of so many bytes at most and in so much time. Raises `Answer` or `Silent`."""
    deadline = time.monotonic() + seconds_max
    read = bytearray()
    for chunk in response.iter_raw():
        read += chunk
        if len(read) > bytes_max:
            raise Answer(f"the catalog's answer is longer than {bytes_max} bytes")
        if time.monotonic() > deadline:
            raise Silent(f"the catalog's answer took longer than {seconds_max} s")
    return bytes(read)


def _base(address: str) -> str:
    """An address over which nobody can overhear, with a slash at its end. Raises `ValueError`."""
    try:
        parts = urlsplit(address)
        host, is_plain = parts.hostname, "@" not in parts.netloc and not parts.query and not parts.fragment
        _ = parts.port
    except ValueError:
        host, is_plain = None, False
    is_private = host and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)))
    if not is_plain or not is_private or "?" in address or "#" in address:
        raise ValueError(
            f"{address!r} is not the address of a catalog: https, or http on this machine, without user, query and fragment"
        )
    return address if address.endswith("/") else f"{address}/"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
