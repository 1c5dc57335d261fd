"""Signatures, and the keys that verify them."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from catalog_gateway import (
    Bearer,
    Catalog,
    Invalid,
    KeysUnavailable,
    KeyUnknown,
    Malformed,
    SignaturesUnavailable,
    SignatureVerifier,
    Token,
)
from catalog_gateway.keys import Key, of_jwks
from catalog_gateway.tokens import unbase64
from fake import TOKEN, Fake, Way
from signing import P256, RULES, Ed25519, Rsa, Shared, base64url, claims, header, token, write

# RFC 8037 appendix A.4, RFC 7515 appendix A.3, and RFC 7515 appendix A.2.
VECTORS = {
    "EdDSA": (
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    ),
    "ES256": (
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        },
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    ),
    "RS256": (
        {
            "kty": "RSA",
            "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR"
            "T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB"
            "dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia"
            "GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
            "e": "AQAB",
        },
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        (
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9"
            "uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB"
            "_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rq"
            "Vt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
        ),
    ),
}
KEYS: list[Callable[[], Any]] = [Ed25519, P256, Rsa]


def of_jwk(jwk: dict[str, object]) -> dict[str, Key]:
    return of_jwks(json.dumps({"keys": [jwk]}).encode())


def read(text: str) -> Token:
    return Token.read(text, RULES)


@pytest.mark.parametrize("alg", VECTORS)
def test_the_vectors_of_the_rfcs_verify_and_no_altered_ones(alg: str) -> None:
    jwk, message, signature = VECTORS[alg]
    [key] = of_jwk({"kid": "one", **jwk}).values()
    raw = unbase64(signature)

    assert key.alg == alg
    assert key.verifies(message.encode(), raw)
    assert not key.verifies(message.encode() + b"x", raw)
    for at in (0, len(raw) // 2, len(raw) - 1):
        assert not key.verifies(message.encode(), raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
    for other in (b"", raw[:-1], raw + b"\0", b"\0" + raw, bytes(len(raw))):
        assert not key.verifies(message.encode(), other)


@pytest.mark.parametrize(
    "changed",
    [
        {"use": "enc"},
        {"alg": "ES256"},
        {"alg": "none"},
        {"crv": "X25519"},
        {"kty": "oct"},
        {"kid": None},
        {"x": "AAAA"},
        {"x": None},
        # Points of small order: under such a key anybody can sign.
        {"x": base64url(bytes(32))},
        {"x": base64url(bytes([1, *[0] * 31]))},
        {"x": base64url(bytes([1, *[0] * 30, 0x80]))},
        {"x": base64url(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"))},
    ],
)
def test_a_jwk_set_gives_sound_keys_for_signatures_and_no_others(changed: dict[str, object]) -> None:
    assert of_jwk(Ed25519().jwk(more=1)).keys() == {"one"}
    assert of_jwk(Ed25519().jwk(**changed)) == {}


def test_a_point_that_is_not_on_the_curve_is_no_key() -> None:
    good = P256().jwk()
    assert of_jwk(good).keys() == {"one"}
    assert of_jwk({**good, "y": base64url(bytes(32))}) == {}


def test_an_rsa_key_has_2048_to_4096_bits_and_an_exponent_of_65537_at_least() -> None:
    assert of_jwk(Rsa().jwk()).keys() == {"one"}
    assert of_jwk(Rsa(bits=1_024).jwk()) == {}
    for changed in ({"e": "Aw"}, {"n": base64url(bytes([0xFF] * 513))}, {"n": base64url(bytes([0x80, *[0] * 255]))}):
        assert of_jwk(Rsa().jwk(**changed)) == {}


def test_what_is_no_jwk_set_is_none() -> None:
    one = Ed25519().jwk()
    sets: list[object] = [{}, [], {"keys": {}}, {"keys": [one, one]}, {"keys": [one] * 1_001}]
    for said in sets:
        with pytest.raises(Malformed):
            of_jwks(json.dumps(said).encode())
    assert of_jwks(json.dumps({"keys": [1, {}, one]}).encode()).keys() == {"one"}


class Stage:
    """A catalog with keys, a verifier, and a clock."""

    def __init__(self, fake: Fake, catalog: Catalog, secret: str | None = None) -> None:
        self.fake, self.now = fake, 1_000.0
        self.verifier = SignatureVerifier(catalog, secret=secret, monotonic=lambda: self.now)

    def publish(self, *keys: Any) -> None:
        self.fake.set(jwks=[key.jwk() for key in keys])

    def accepts(self, text: str) -> bool:
        try:
            self.verifier.check(read(text))
        except Invalid:
            return False
        return True


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Fake() as fake, Catalog(fake.address, Bearer(TOKEN)) as catalog:
        yield Stage(fake, catalog, Shared.secret)


@pytest.mark.parametrize("make", KEYS)
def test_a_token_is_good_that_a_published_key_signed(stage: Stage, make: Callable[[], Any]) -> None:
    key, thief = make(), make()
    stage.publish(key)

    assert stage.accepts(token(key))
    assert not stage.accepts(token(thief))


def test_a_token_is_good_that_the_shared_secret_signed_and_nobody_has_to_be_asked(stage: Stage) -> None:
    stage.fake.set(way=Way.DOWN)

    assert stage.accepts(token(Shared()))
    assert stage.fake.jwks_asked == 0


def test_of_a_shared_secret_that_is_not_known_nobody_can_tell_and_that_is_said_once(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.publish(Ed25519())
    other = Shared()
    other.kid = "other"

    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            stage.accepts(token(other))

    assert stage.fake.jwks_asked == 0, "no catalog publishes it"
    assert [record.message for record in caplog.records if "shared secret" in record.message] == [caplog.messages[0]]


def test_a_public_key_is_no_shared_secret(stage: Stage) -> None:
    key = Rsa()
    stage.publish(key)
    forged = Shared()
    forged.kid, forged.secret = key.kid, str(key.jwk()["n"])

    assert stage.accepts(token(key)), "its keys are known from now on"
    assert not stage.accepts(token(forged))
    for alg in ("ES256", "EdDSA", "HS256"):
        assert not stage.accepts(write(key, header(key, alg=alg), json.dumps(claims())))


def test_keys_are_asked_for_once_and_an_unknown_one_does_not_ask_again_at_once(stage: Stage) -> None:
    one, two = Ed25519("one"), Ed25519("two")
    stage.publish(one)

    for _ in range(3):
        assert stage.accepts(token(one))
        stage.now += 1
        with pytest.raises(KeysUnavailable):
            stage.accepts(token(two))

    assert stage.accepts(token(one)), "nobody else has to wait for that"
    assert stage.fake.jwks_asked == 1
    stage.now += 5
    assert not stage.accepts(token(two)), "now it was asked"


def test_a_key_that_is_published_later_is_found_five_seconds_after_the_last_look(stage: Stage) -> None:
    one, two = Ed25519("one"), Ed25519("two")
    stage.publish(one)
    assert stage.accepts(token(one))
    stage.publish(one, two)

    stage.now += 1
    with pytest.raises(KeysUnavailable):
        stage.accepts(token(two))
    stage.now += 5

    assert stage.accepts(token(two))
    stage.now += 5
    assert not stage.accepts(token(Ed25519("three")))
    assert (stage.fake.jwks_asked, stage.fake.jwks_unchanged) == (3, 1), "the last time nothing had changed"


def test_while_the_catalog_is_away_known_keys_are_good_and_unknown_ones_cannot_be_judged(stage: Stage) -> None:
    one, two = Ed25519("one"), Ed25519("two")
    stage.publish(one)
    stage.fake.set(way=Way.DOWN)
    with pytest.raises(KeysUnavailable):
        stage.accepts(token(one))
    stage.fake.set(way=Way.OPEN)
    stage.now += 1
    assert stage.accepts(token(one))

    stage.fake.set(way=Way.DOWN)
    stage.now += 300

    assert stage.accepts(token(one))
    with pytest.raises(KeysUnavailable):
        stage.accepts(token(two))
    assert stage.accepts(token(one))


def test_a_key_that_was_withdrawn_ends_after_five_minutes(stage: Stage) -> None:
    one, two = Ed25519("one"), Ed25519("two")
    stage.publish(one)
    assert stage.accepts(token(one))
    stage.publish(two)
    stage.now += 299
    assert stage.accepts(token(one))

    stage.now += 1

    # Whoever comes first is judged by what is known, and has the keys asked for.
    deadline = time.monotonic() + 60
    while stage.accepts(token(one)):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    assert stage.accepts(token(two))


def test_a_key_that_was_given_up_holds_where_it_was_seen_though_it_is_published_no_more(stage: Stage) -> None:
    one, two = Ed25519("one"), Ed25519("two")
    stage.publish(one)
    assert stage.accepts(token(one))
    stage.publish(two)
    stage.now += 5
    assert stage.accepts(token(two))

    stage.verifier.check(read(token(one)), is_given_up=True)
    with pytest.raises(Invalid):
        stage.verifier.check(read(token(Ed25519("one"))), is_given_up=True)
    assert not stage.accepts(token(one)), "it is known no more"


def test_a_token_of_a_key_that_the_catalog_does_not_publish_is_told_from_one_with_a_bad_signature(stage: Stage) -> None:
    one, two = Ed25519("one"), Ed25519("two")
    stage.publish(one)
    assert stage.accepts(token(one))
    stage.publish(two)
    stage.now += 5
    assert stage.accepts(token(two))

    for unknown in (one, Ed25519("three")):
        stage.now += 5
        with pytest.raises(KeyUnknown):
            stage.verifier.check(read(token(unknown)))
    with pytest.raises(Invalid) as raised:
        stage.verifier.check(read(token(Ed25519("two"))))
    assert raised.type is Invalid


def test_a_jwk_set_that_cannot_be_read_changes_nothing(stage: Stage) -> None:
    one = Ed25519("one")
    stage.publish(one)
    assert stage.accepts(token(one))
    stage.publish(one, one)
    stage.now += 5

    with pytest.raises(KeysUnavailable):
        stage.accepts(token(Ed25519("two")))

    assert stage.accepts(token(one))


def test_a_shared_secret_has_32_bytes_and_shows_itself_nowhere(stage: Stage) -> None:
    with Catalog(stage.fake.address, Bearer(TOKEN)) as catalog, pytest.raises(ValueError, match="31 bytes"):
        SignatureVerifier(catalog, secret="x" * 31)
    assert "kR7v" not in repr(vars(stage.verifier))


def test_without_cryptography_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def refuse(name: str, *arguments: Any) -> Any:
        if name.split(".")[0] == "cryptography":
            raise ImportError(name)
        return load(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.delitem(sys.modules, "catalog_gateway.keys")
    monkeypatch.delattr("catalog_gateway.keys")

    with (
        Catalog("http://127.0.0.1:1", Bearer(TOKEN)) as catalog,
        pytest.raises(SignaturesUnavailable, match="signatures"),
    ):
        SignatureVerifier(catalog)


def test_without_being_asked_for_it_loads_no_cryptography() -> None:
    looked = "import sys, catalog_gateway; sys.exit('cryptography' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", looked], check=False).returncode == 0
