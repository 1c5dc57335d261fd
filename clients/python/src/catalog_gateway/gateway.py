"""Decides whether a token may pass."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from types import TracebackType
from typing import Final, Self

from .admission import Address, Demand, denial
from .catalog import Catalog
from .claims import Claims
from .clock import SECOND, Now
from .follow import Follower, Following, Settings
from .introspection import Introspector, Issuance, Unconfirmed
from .refusals import CouldNotTell, Denied, TokenInvalid
from .revocations import RevocationSet, Standing, Verdict
from .signatures import KeysUnavailable, KeyUnknown, SignatureVerifier
from .tokens import Invalid, Rules, Token

# How often a token is judged anew because the feed was followed anew meanwhile.
_ATTEMPTS_MAX: Final = 3


class Proof(enum.Enum):
    """What has to be proven of a token, besides that it is not revoked."""

    ISSUED = "issued"
    """That the catalog has issued it: it is asked once per token, when that is first presented."""
    SIGNED = "signed"
    """That one of the catalog's keys signed it. Nobody is asked; what a thief of a key signs passes. Needs `cryptography`."""
    BOTH = "both"
    """First that a key signed it, so that the catalog is not asked about rubbish, then that it was issued. Needs
    `cryptography`."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A token that may pass. Teams, namespaces and limits of use are for the service behind to apply."""

    claims: Claims
    kid: str
    """The key that signed it."""
    issuance: Issuance | None
    """How it was issued; `None` where the catalog is not asked."""


class Gateway:
    """Verifies tokens, from `start` to `close` or within `with`; before, nobody can tell. May be used from many threads.

    `secret` is that of HS256 where the catalog signs with it, in its configuration. Raises `SignaturesUnavailable` where
    signatures are to be verified without `cryptography`, `ValueError` for a staleness or a secret that cannot be.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        issuer: str,
        audience: str,
        proof: Proof = Proof.ISSUED,
        max_staleness: float = 5.0,
        secret: str | None = None,
        settings: Settings | None = None,
        clock: Callable[[], Now] = Now.read,
    ) -> None:
        self.set: Final = RevocationSet(max_staleness)
        self._rules = Rules(issuer, audience)
        self._clock = clock
        self._follower = Follower(catalog, self.set, settings, clock=clock)
        self._signatures = None if proof is Proof.ISSUED else SignatureVerifier(catalog, secret=secret)
        self._introspector = None if proof is Proof.SIGNED else Introspector(catalog)

    def verify(
        self,
        token: str,
        *,
        permission: str | None = None,
        server_id: str | None = None,
        address: Address | str | None = None,
        takes_out_of_band: bool = True,
    ) -> Verified:
        """What a token says that may pass: written by the catalog for here, proven, not expired, not revoked and not suspended
        as of `max_staleness` seconds ago, and with scopes that admit this use. For a new token it may take as long as the
        catalog takes to answer.

        `permission` is what the token has to name, if anything; `server_id` the server that the place is part of, without which
        no token passes that is bound to one; `address` from where the request comes, without which no token passes that is
        bound to addresses. Whether a token came past the controls of the catalog's API only the catalog knows: with
        `Proof.SIGNED` and without `takes_out_of_band` nobody can tell.

        Raises `TokenInvalid`, `Denied` or `CouldNotTell`, and `ValueError` for an `address` that is none.
        """
        address = ip_address(address) if isinstance(address, str) else address
        try:
            read = Token.read(token, self._rules)
            issuance = self._judge(read)
        except Invalid as error:
            raise TokenInvalid from error
        if issuance is None and not takes_out_of_band:
            raise CouldNotTell
        is_out_of_band = issuance is not None and issuance.is_out_of_band
        demand = Demand(permission, server_id, takes_out_of_band, address, self.set.latest(self._clock()))
        if (denied := denial(read.claims.scopes, is_out_of_band=is_out_of_band, demand=demand)) is not None:
            raise Denied(denied)
        return Verified(read.claims, read.kid, issuance)

    def start(self) -> Self:
        """Begins to follow the catalog. Once, and after a fork if there is one."""
        self._follower.start()
        return self

    def close(self) -> None:
        """Ends that: see `Follower.close`. From then on nobody can tell."""
        self._follower.close()
        self.set.distrust()

    def loaded(self, timeout: float | None = None) -> bool:
        """Waits until the catalog was heard for the first time, and tells whether it was."""
        return self._follower.loaded(timeout)

    def status(self) -> Following:
        """What is known of the catalog's log, and how."""
        return self._follower.status()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _judge(self, token: Token) -> Issuance | None:
        """How a token was issued that is good, where that is asked. Raises `Invalid` or `CouldNotTell`."""
        if self._signatures is not None:
            is_given_up = self.set.has_given_up(token.kid)
            try:
                # Whoever has the key may have written the claims of what is spared: only the catalog can say.
                self._signatures.check(token, is_given_up=is_given_up and self._introspector is not None)
            except KeyUnknown:
                # It may have been given up: as long as the feed was not heard nobody can tell, nor what was spared.
                self._check(token)
                if not is_given_up and self.set.has_given_up(token.kid):
                    # It was heard meanwhile.
                    return self._judge(token)
                raise
            except KeysUnavailable as error:
                if is_given_up:
                    # All is over that is not spared, whoever signed it.
                    self._check(token)
                raise CouldNotTell from error
        self._check(token)
        if self._introspector is None:
            return None
        for _ in range(_ATTEMPTS_MAX):
            standing = self.set.standing
            issuance = self._confirm(self._introspector, token, standing)
            # Again: it may have been revoked while the catalog was asked.
            self._check(token)
            if self.set.standing == standing:
                return issuance
            # What was confirmed, and what is known of revocations, may be of two logs.
        raise CouldNotTell

    def _check(self, token: Token) -> None:
        """By its times and by the feed. Raises `Invalid` or `CouldNotTell`."""
        now = self._clock()
        token.check_times(self.set.latest(now) // SECOND)
        match self.set.check(token.claims.jti, token.kid, now):
            case Verdict.REVOKED:
                raise Invalid("it is revoked")
            case Verdict.STALE:
                raise CouldNotTell
            case Verdict.NOT_REVOKED:
                pass

    def _confirm(self, introspector: Introspector, token: Token, standing: Standing) -> Issuance:
        match introspector.confirm(token, self.set.latest(self._clock()) // SECOND, standing):
            case Unconfirmed.NOT_ACTIVE:
                raise Invalid("the catalog says that it is not active")
            case Unconfirmed.COULD_NOT_TELL:
                raise CouldNotTell
            case issuance:
                return issuance
