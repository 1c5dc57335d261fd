"""Public keys, each for its one algorithm. This needs `cryptography`, which nothing else does."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from .tokens import unbase64
from .wire import Malformed, Object, items_of, loads, optional, text

KEYS_MAX: Final = 1_000
"""More keys than this no catalog has."""
_RSA_BITS: Final = range(2_048, 4_097)
# The smallest public exponent, NIST SP 800-89 section 5.3.3.
_RSA_EXPONENT_MIN: Final = 65_537
_P256_BYTES: Final = 32

# The points of small order on Ed25519 in every spelling, less the highest bit. Under such a key anybody can sign.
_SMALL_ORDER: Final = frozenset(
    map(
        bytes.fromhex,
        (
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Ed25519:
    """A key for EdDSA."""

    public: ed25519.Ed25519PublicKey
    alg: str = "EdDSA"

    def verifies(self, message: bytes, signature: bytes) -> bool:
        try:
            self.public.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class P256:
    """A key for ES256."""

    public: ec.EllipticCurvePublicKey
    alg: str = "ES256"

    def verifies(self, message: bytes, signature: bytes) -> bool:
        if len(signature) != 2 * _P256_BYTES:
            return False
        r, s = (int.from_bytes(half) for half in (signature[:_P256_BYTES], signature[_P256_BYTES:]))
        try:
            self.public.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Rsa:
    """A key for RS256."""

    public: rsa.RSAPublicKey
    alg: str = "RS256"

    def verifies(self, message: bytes, signature: bytes) -> bool:
        if len(signature) != (self.public.key_size + 7) // 8:
            return False
        try:
            self.public.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Shared:
    """A shared secret for HS256."""

    secret: bytes
    alg: str = "HS256"

    def __repr__(self) -> str:
        return "Shared(..)"

    def verifies(self, message: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(hmac.digest(self.secret, message, hashlib.sha256), signature)


Key: TypeAlias = Ed25519 | P256 | Rsa | Shared


def of_jwks(said: bytes) -> dict[str, Key]:
    """The public keys of a JWK Set (RFC 7517), by their names. A key that is for no algorithm of the catalog, or is not
    sound, is left out. Raises `Malformed` for what is no such set."""
    jwks = Object(loads(said)).take("keys", items_of)
    if len(jwks) > KEYS_MAX:
        raise Malformed(f"it has {len(jwks)} keys, at most {KEYS_MAX} are taken")
    keys: dict[str, Key] = {}
    for jwk in jwks:
        try:
            kid, key = _of_jwk(Object(jwk))
        except (Malformed, ValueError):
            continue
        if kid in keys:
            raise Malformed(f"it has two keys of the name {kid[:80]}")
        keys[kid] = key
    return keys


def _of_jwk(said: Object) -> tuple[str, Key]:
    """A key and its name. Members that say nothing here are not looked at. Raises `ValueError`."""
    key = _public(said)
    used = said.or_else("use", optional(text), None)
    alg = said.or_else("alg", optional(text), None)
    if used not in (None, "sig") or alg not in (None, key.alg):
        raise Malformed("the key is for something else")
    return said.take("kid", text), key


def _public(said: Object) -> Key:
    match said.take("kty", text):
        case "OKP":
            said.fixed("crv", "Ed25519")
            return Ed25519(_ed25519(_fixed(said, "x")))
        case "EC":
            said.fixed("crv", "P-256")
            x, y = (int.from_bytes(_fixed(said, name)) for name in ("x", "y"))
            return P256(ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key())
        case "RSA":
            n, e = (int.from_bytes(_bytes(said, name)) for name in ("n", "e"))
            if n.bit_length() not in _RSA_BITS or not _RSA_EXPONENT_MIN <= e < 2**64 or n % 2 == 0:
                raise Malformed("the modulus or the exponent is too small or too large")
            return Rsa(rsa.RSAPublicNumbers(e, n).public_key())
        case _:
            raise Malformed("the key is for no algorithm of the catalog")


def _ed25519(point: bytes) -> ed25519.Ed25519PublicKey:
    if point[:-1] + bytes([point[-1] & 0x7F]) in _SMALL_ORDER:
        raise Malformed("the point is of small order")
    return ed25519.Ed25519PublicKey.from_public_bytes(point)


def _bytes(said: Object, name: str) -> bytes:
    return unbase64(said.take(name, text))


def _fixed(said: Object, name: str) -> bytes:
    read = _bytes(said, name)
    if len(read) != 32:
        raise Malformed(f"{name} has not 32 bytes")
    return read
