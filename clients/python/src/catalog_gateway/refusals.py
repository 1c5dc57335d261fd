"""Why a request may not pass, and what to answer."""

from __future__ import annotations

from .admission import Denial


class Refusal(Exception):
    """A request that may not pass. It says no more than its bearer may know; what lies behind it is its cause."""

    def __init__(self, status: int, code: str, challenge: str | None, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        """The status of the answer."""
        self.code = code
        """`code` of the problem document (RFC 9457), as the catalog calls it."""
        self.challenge = challenge
        """`WWW-Authenticate` of the answer (RFC 6750 section 3). Where nobody can tell, another token would be of no help."""


class TokenMissing(Refusal):
    """It bears no token."""

    def __init__(self) -> None:
        super().__init__(401, "credential_missing", "Bearer", "present a token: Authorization: Bearer …")


class TokenInvalid(Refusal):
    """Its token is not good."""

    def __init__(self) -> None:
        detail = "the presented token is not an active token for this service"
        super().__init__(401, "credential_invalid", 'Bearer error="invalid_token"', detail)


class Denied(Refusal):
    """Its token is good, and may not be used for it."""

    def __init__(self, denial: Denial) -> None:
        detail = "the presented token may not be used for this request"
        super().__init__(403, denial.value, 'Bearer error="insufficient_scope"', detail)
        self.denial = denial


class CouldNotTell(Refusal):
    """Nobody can tell whether its token is good. That is not a no, and no reason to let it pass."""

    def __init__(self) -> None:
        super().__init__(503, "unavailable", None, "whether the presented token is good cannot be told now; try again")
