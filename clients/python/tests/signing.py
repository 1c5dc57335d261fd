"""Keys, and tokens that they sign, rightly and wrongly written."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
from typing import Any, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from catalog_gateway import Rules

ISSUER, AUDIENCE = "https://tokens.example.com", "gateway"
RULES = Rules(ISSUER, AUDIENCE)
JTI = "01990000-0000-7000-8000-000000000001"
IAT, EXP = 1_800_000_000, 4_000_000_000

CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": [AUDIENCE, "other"],
    "sub": "alice@example.com",
    "client_id": "catalog",
    "jti": JTI,
    "iat": IAT,
    "exp": EXP,
    "scope": "tools.read servers.*",
    "token_use": "api",
    "env": "production",
    "user": {
        "email": "alice@example.com",
        "full_name": "Alice Example",
        "is_admin": False,
        "auth_provider": "api_token",
    },
    "teams": ["red"],
    "namespaces": ["user:alice@example.com"],
    "scopes": {
        "server_id": None,
        "permissions": ["tools.read", "servers.*"],
        "ip_restrictions": ["10.0.0.0/8", "2001:db8::1"],
        "time_restrictions": {
            "start_time": "09:00",
            "end_time": "17:30",
            "timezone": "Europe/Berlin",
            "days": ["Monday"],
        },
        "usage_limits": {"requests_per_hour": 100},
    },
    "status": {"status_list": {"idx": 7, "uri": f"{ISSUER}/status-lists/1"}},
}


def claims(**changed: object) -> dict[str, Any]:
    return {**copy.deepcopy(CLAIMS), **changed}


def base64url(said: bytes) -> str:
    return base64.urlsafe_b64encode(said).rstrip(b"=").decode()


class Signer(Protocol):
    alg: str
    kid: str

    def sign(self, message: bytes) -> bytes: ...


def write(key: Signer, header: str, payload: str) -> str:
    """A token of this header and this payload, however they are."""
    signing_input = f"{base64url(header.encode())}.{base64url(payload.encode())}"
    return f"{signing_input}.{base64url(key.sign(signing_input.encode()))}"


def header(key: Signer, **changed: object) -> str:
    return json.dumps({"typ": "at+jwt", "alg": key.alg, "kid": key.kid, **changed})


def token(key: Signer, **changed: object) -> str:
    return write(key, header(key), json.dumps(claims(**changed)))


class Ed25519:
    alg = "EdDSA"

    def __init__(self, kid: str = "one") -> None:
        self.kid = kid
        self._private = ed25519.Ed25519PrivateKey.generate()

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)

    def jwk(self, **changed: object) -> dict[str, object]:
        x = self._private.public_key().public_bytes_raw()
        return {
            "kid": self.kid,
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "EdDSA",
            "x": base64url(x),
            **changed,
        }


class P256:
    alg = "ES256"

    def __init__(self, kid: str = "one") -> None:
        self.kid = kid
        self._private = ec.generate_private_key(ec.SECP256R1())

    def sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(self._private.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    def jwk(self, **changed: object) -> dict[str, object]:
        numbers = self._private.public_key().public_numbers()
        x, y = (base64url(number.to_bytes(32)) for number in (numbers.x, numbers.y))
        return {"kid": self.kid, "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "x": x, "y": y, **changed}


class Rsa:
    alg = "RS256"

    def __init__(self, kid: str = "one", bits: int = 2_048) -> None:
        self.kid = kid
        self._private = rsa.generate_private_key(65_537, bits)

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message, padding.PKCS1v15(), hashes.SHA256())

    def jwk(self, **changed: object) -> dict[str, object]:
        numbers = self._private.public_key().public_numbers()
        n, e = (base64url(number.to_bytes((number.bit_length() + 7) // 8)) for number in (numbers.n, numbers.e))
        return {"kid": self.kid, "kty": "RSA", "use": "sig", "alg": "RS256", "n": n, "e": e, **changed}


class Shared:
    """The secret, and its name, as the catalog's own tests have them."""

    alg = "HS256"
    kid = "0fhayYsP7m5OjRPil2Nz9Q"
    secret = "kR7vQ2mZp0XwT9sLc4HbN6yGfD1jUaE8"

    def sign(self, message: bytes) -> bytes:
        return hmac.digest(self.secret.encode(), message, hashlib.sha256)
