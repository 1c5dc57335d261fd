"""A gateway of a real catalog. Whatever happens to it, a revoked token is good for no longer than the bound, which each look
asserts."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from catalog_gateway import (
    Bearer,
    Catalog,
    Client,
    Connection,
    CouldNotTell,
    Denied,
    Gateway,
    Proof,
    Refusal,
    Settings,
    TokenInvalid,
)
from server import AUDIENCE, ISSUER, PATIENCE, SECRET, Server, altered, claims_of, forged, kid_of, until

pytestmark = pytest.mark.server

# A server says every second that it is there.
STALENESS_MAX = 2.5
# How long the way of a page to the set may be underestimated at most, and what this machine may take.
WAY_MAX = 0.5
SETTINGS = Settings(silence_max=1.8, stream_again_after=3.0, pause_max=0.3)


class Outpost:
    """A gateway, and what was revoked when."""

    def __init__(self, server: Server, proof: Proof = Proof.ISSUED, secret: str | None = None) -> None:
        self.server = server
        self.catalog = Catalog(server.url, Client("edge", server.secret))
        self.gateway = Gateway(
            self.catalog,
            issuer=ISSUER,
            audience=AUDIENCE,
            proof=proof,
            max_staleness=STALENESS_MAX,
            secret=secret,
            settings=SETTINGS,
        )
        self.revoked: list[tuple[str, float]] = []

    def __enter__(self) -> Outpost:
        self.gateway.start()
        assert self.gateway.loaded(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self.gateway.close()
        self.catalog.close()

    def refusal(self, token: str) -> type[Refusal] | None:
        for text, at in self.revoked:
            passed = time.monotonic() - at
            assert self._said(text) is not None or passed < STALENESS_MAX + WAY_MAX, f"good {passed} s after its end"
        return self._said(token)

    def _said(self, token: str) -> type[Refusal] | None:
        try:
            self.gateway.verify(token)
        except Refusal as refusal:
            return type(refusal)
        return None

    def until(self, token: str, expected: type[Refusal] | None) -> None:
        until(lambda: self.refusal(token) is expected, f"{claims_of(token)['sub']} comes to {expected}")

    def revoke(self, token: str) -> None:
        self.server.revoke(token)
        self.revoked.append((token, time.monotonic()))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    assert "CATALOG_BINARY" in os.environ, "scripts/python-check says which binary is to be tested"
    with Server() as server:
        yield server


@pytest.fixture
def outpost(server: Server) -> Iterator[Outpost]:
    with Outpost(server) as outpost:
        yield outpost


@pytest.mark.parametrize("proof", Proof)
def test_what_happens_to_a_token_is_known_within_the_bound(server: Server, proof: Proof) -> None:
    with Outpost(server, proof) as outpost:
        token = server.issue()
        jti = claims_of(token)["jti"]
        verified = outpost.gateway.verify(token, permission="tools.read")
        assert (verified.claims.jti, verified.claims.sub) == (jti, "alice@example.com")
        with pytest.raises(Denied):
            outpost.gateway.verify(token, permission="tools.write")

        server.ask("POST", f"/tokens/{jti}/suspend", {})
        outpost.until(token, TokenInvalid)
        server.ask("POST", f"/tokens/{jti}/resume", {})
        outpost.until(token, None)
        outpost.revoke(token)
        outpost.until(token, TokenInvalid)

        assert outpost.gateway.status().connection is Connection.STREAMING
        assert outpost.gateway.status().reloads == 0


def test_a_rule_ends_every_token_that_it_covers_and_no_other(server: Server, outpost: Outpost) -> None:
    covered = [server.issue("bob@example.com", name=f"bob {number}") for number in range(300)]
    other = server.issue("carol@example.com")
    outpost.until(other, None)

    server.ask("POST", "/revocations", {"where": {"sub": "bob@example.com"}})

    for token in covered:
        outpost.until(token, TokenInvalid)
    assert outpost.refusal(other) is None
    assert outpost.refusal(server.issue("bob@example.com")) is None, "it was issued after the rule"


def test_a_rotated_token_is_good_until_its_deadline_and_not_a_second_longer(server: Server, outpost: Outpost) -> None:
    token = server.issue("dave@example.com")
    jti = claims_of(token)["jti"]
    outpost.until(token, None)

    successor = server.ask("POST", f"/tokens/{jti}/rotate", {"overlap": "3s"})["access_token"]
    rotated = time.monotonic()

    outpost.until(successor, None)
    assert outpost.refusal(token) is None or time.monotonic() > rotated + 3
    outpost.until(token, TokenInvalid)
    assert time.monotonic() > rotated + 2
    assert outpost.refusal(successor) is None


def test_an_expired_token_is_not_good(server: Server, outpost: Outpost) -> None:
    token = server.issue("erin@example.com", expires_in=2)
    assert outpost.refusal(token) is None

    outpost.until(token, TokenInvalid)

    assert time.time() >= claims_of(token)["exp"]


def test_many_threads_have_the_same_answers(server: Server, outpost: Outpost) -> None:
    good, bad = server.issue("frank@example.com"), server.issue("frank@example.com", name="bad")
    server.revoke(bad)
    outpost.until(bad, TokenInvalid)

    with ThreadPoolExecutor(16) as pool:
        said = set(pool.map(outpost.refusal, [good, bad] * 500))

    assert said == {None, TokenInvalid}


def test_a_token_of_the_catalog_may_follow_too(server: Server) -> None:
    token = server.issue("gateway@example.com", aud=["catalog"], scopes={"permissions": ["tokens.check"]})
    with Catalog(server.url, Bearer(token)) as catalog, Gateway(catalog, issuer=ISSUER, audience=AUDIENCE) as gateway:
        assert gateway.loaded(PATIENCE)
        assert gateway.verify(server.issue("grace@example.com")).issuance is not None


def test_without_the_permission_nothing_is_known_and_nothing_passes(server: Server) -> None:
    nobody = server.issue("heidi@example.com", aud=["catalog"], scopes={"permissions": ["tokens.read"]})
    with Catalog(server.url, Bearer(nobody)) as catalog, Gateway(catalog, issuer=ISSUER, audience=AUDIENCE) as gateway:
        assert not gateway.loaded(1.0)
        with pytest.raises(CouldNotTell):
            gateway.verify(server.issue("heidi@example.com"))


def test_a_catalog_that_is_killed_and_comes_back(server: Server, outpost: Outpost) -> None:
    good, bad, later = (server.issue(f"user-{number}@example.com") for number in range(3))
    # Both are confirmed before, so that the feed tells of the end of one, and not the catalog that is asked about it.
    outpost.until(bad, None)
    outpost.until(good, None)
    outpost.revoke(bad)
    outpost.until(bad, TokenInvalid)

    server.kill()

    outpost.until(good, CouldNotTell)
    assert outpost.refusal(bad) is TokenInvalid, "what is known as revoked stays so"
    server.start()
    outpost.until(good, None)
    outpost.revoke(later)
    outpost.until(later, TokenInvalid)
    assert outpost.gateway.status().reloads == 0


def test_a_catalog_that_does_not_answer_and_does_not_hang_up(server: Server, outpost: Outpost) -> None:
    good = server.issue("ivan@example.com")
    outpost.until(good, None)

    server.freeze()
    try:
        outpost.until(good, CouldNotTell)
    finally:
        server.thaw()

    outpost.until(good, None)


def test_a_catalog_that_is_restarted_as_an_operator_does_it(server: Server, outpost: Outpost) -> None:
    good, bad = server.issue("judy@example.com"), server.issue("judy@example.com", name="bad")
    outpost.until(good, None)
    outpost.revoke(bad)

    server.stop()
    server.start()

    outpost.until(bad, TokenInvalid)
    outpost.until(good, None)


def test_another_log_at_the_same_address_is_loaded_anew_and_what_it_never_issued_is_not_good(server: Server) -> None:
    with Outpost(server) as outpost:
        token = server.issue("mallory@example.com")
        outpost.until(token, None)
        server.stop()
        try:
            with Server(port=server.port) as other:
                # The client of the first log is none of the second, and may know nothing.
                outpost.until(token, CouldNotTell)
                others = Outpost(other)
                with others:
                    assert others.refusal(token) is TokenInvalid
                    assert others.refusal(other.issue()) is None
        finally:
            server.start()
        outpost.until(token, None)


@pytest.mark.parametrize("proof", [Proof.ISSUED, Proof.BOTH])
def test_what_was_issued_and_revoked_after_a_backup_is_no_more_once_that_is_restored(proof: Proof) -> None:
    with Server() as server:
        kept, ended = server.issue("kept@example.com"), server.issue("ended@example.com")
        server.stop()
        backup = server.back_up()
        server.start()
        with Outpost(server, proof) as outpost:
            lost = server.issue("lost@example.com")
            server.revoke(ended)
            outpost.until(ended, TokenInvalid)
            for token in (kept, lost):
                outpost.until(token, None)
            server.stop()
            server.restore(backup)

            server.start()

            outpost.until(lost, TokenInvalid)
            # The log that there is now says nothing of its end.
            outpost.until(ended, None)
            outpost.until(kept, None)
            assert outpost.refusal(lost) is TokenInvalid


def test_a_key_that_others_have_ends_what_it_signed_since_then_and_nothing_else(
    server: Server, outpost: Outpost
) -> None:
    spared = server.issue("niaj@example.com")
    since = datetime.now(UTC).isoformat()
    ended = server.issue("niaj@example.com", name="ended")
    outpost.until(spared, None)
    outpost.until(ended, None)
    new = json.loads(server.cli("keys", "add", "--alg", "ES256", "--format", "json"))["kid"]
    server.cli("keys", "activate", "--now", new)
    later = server.issue("olivia@example.com")
    assert kid_of(spared) == kid_of(ended) != kid_of(later)

    server.cli("keys", "compromise", kid_of(ended), "--since", since, "--yes")

    outpost.until(ended, TokenInvalid)
    outpost.until(spared, None)
    assert outpost.refusal(later) is None


def test_what_a_thief_of_the_key_signs_is_refused_where_the_catalog_is_asked() -> None:
    with Server(shares_secret=True) as server:
        good = server.issue()
        never = forged(good, jti="019ca945-0a00-766c-9701-4a6156061ae6")
        for proof, expected in ((Proof.ISSUED, TokenInvalid), (Proof.BOTH, TokenInvalid), (Proof.SIGNED, None)):
            with Outpost(server, proof, SECRET) as outpost:
                assert outpost.refusal(good) is None, proof
                assert outpost.refusal(never) is expected, proof
                assert outpost.refusal(altered(good)) is TokenInvalid, proof
                assert outpost.refusal(forged(good, teams=None)) is (TokenInvalid if expected else None), proof
                assert outpost.refusal(forged(good, iss="https://elsewhere.example.com")) is TokenInvalid, proof
