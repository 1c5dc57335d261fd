"""For gateways in Python: which tokens of a catalog may pass.

`Gateway` verifies tokens; it follows the catalog's feed of revocations (`Follower`, `RevocationSet`) and so asks nobody for
each request. Nothing passes that nobody can vouch for.
"""

from .admission import Denial
from .catalog import AskError, Bearer, Catalog, Client, Credential
from .claims import Claims, Scopes, User
from .clock import Now
from .follow import Connection, Follower, Following, Settings
from .gateway import Gateway, Proof, Verified
from .introspection import Confirmation, Introspector, Issuance, Unconfirmed
from .refusals import CouldNotTell, Denied, Refusal, TokenInvalid, TokenMissing
from .request import TrustedProxies, bearer
from .revocations import Applied, ApplyError, RevocationSet, Standing, Status, Verdict
from .signatures import KeysUnavailable, KeyUnknown, SignaturesUnavailable, SignatureVerifier
from .tokens import Invalid, Rules, Token
from .wire import Malformed, Mark, Page

__all__ = [
    "Applied",
    "ApplyError",
    "AskError",
    "Bearer",
    "Catalog",
    "Claims",
    "Client",
    "Confirmation",
    "Connection",
    "CouldNotTell",
    "Credential",
    "Denial",
    "Denied",
    "Follower",
    "Following",
    "Gateway",
    "Introspector",
    "Invalid",
    "Issuance",
    "KeyUnknown",
    "KeysUnavailable",
    "Malformed",
    "Mark",
    "Now",
    "Page",
    "Proof",
    "Refusal",
    "RevocationSet",
    "Rules",
    "Scopes",
    "Settings",
    "SignatureVerifier",
    "SignaturesUnavailable",
    "Standing",
    "Status",
    "Token",
    "TokenInvalid",
    "TokenMissing",
    "TrustedProxies",
    "Unconfirmed",
    "User",
    "Verdict",
    "Verified",
    "bearer",
]
