"""Whether a token may pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from catalog_gateway import (
    Bearer,
    Catalog,
    Connection,
    CouldNotTell,
    Denial,
    Denied,
    Gateway,
    Now,
    Proof,
    Refusal,
    TokenInvalid,
    TokenMissing,
    Verdict,
    Verified,
)
from fake import TOKEN, Fake, Way, revocation
from signing import AUDIENCE, CLAIMS, ISSUER, JTI, Ed25519, token
from stage import PATIENCE, SETTINGS, STALENESS_MAX

FREE = {**CLAIMS["scopes"], "ip_restrictions": [], "time_restrictions": {}}
ISSUED: dict[str, object] = {"active": True, "path": "api", "out_of_band": False, "position": 1}
KEY, THIEF = Ed25519("one"), Ed25519("one")


class Stage:
    def __init__(self, fake: Fake, catalog: Catalog, proof: Proof) -> None:
        self.fake, self.off_by, self.proof = fake, 0.0, proof
        fake.set(jwks=[KEY.jwk()])
        fake.append(revocation("01990000-0000-7000-8000-00000000000f"))
        self.gateway = Gateway(
            catalog,
            issuer=ISSUER,
            audience=AUDIENCE,
            proof=proof,
            max_staleness=STALENESS_MAX,
            settings=SETTINGS,
            clock=self._now,
        )

    def _now(self) -> Now:
        now = Now.read()
        return Now(now.wall + int(self.off_by * 1_000_000), now.monotonic)

    def issue(self, seconds: int = 3_600, **changed: object) -> str:
        now = int(time.time())
        text = token(KEY, **{"iat": now, "exp": now + seconds, "scopes": FREE, **changed})
        self.fake.active[text] = {**ISSUED, "jti": changed.get("jti", JTI)}
        return text

    def refusal(self, text: str, permission: str | None = None) -> type[Refusal] | None:
        try:
            self.gateway.verify(text, permission=permission)
        except Refusal as refusal:
            return type(refusal)
        return None

    def until(self, text: str, expected: type[Refusal] | None) -> None:
        self.until_so(lambda: self.refusal(text) is expected)

    def until_so(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < deadline, self.gateway.status()
            time.sleep(0.002)


@pytest.fixture
def asking() -> Iterator[Stage]:
    with Fake() as fake, Catalog(fake.address, Bearer(TOKEN)) as catalog:
        stage = Stage(fake, catalog, Proof.ISSUED)
        with stage.gateway:
            assert stage.gateway.loaded(PATIENCE)
            yield stage
            fake.set(way=Way.CUT)


@pytest.fixture(params=Proof)
def stage(request: Any) -> Iterator[Stage]:
    with Fake() as fake, Catalog(fake.address, Bearer(TOKEN)) as catalog:
        stage = Stage(fake, catalog, request.param)
        with stage.gateway:
            assert stage.gateway.loaded(PATIENCE)
            yield stage
            # So that nothing is waited for.
            fake.set(way=Way.CUT)


def test_a_good_token_passes_with_what_it_says(stage: Stage) -> None:
    verified: Verified = stage.gateway.verify(stage.issue(), permission="tools.read")

    assert (verified.claims.sub, verified.claims.teams, verified.kid) == ("alice@example.com", ("red",), "one")


def test_a_token_without_the_permission_does_not_pass(stage: Stage) -> None:
    assert stage.refusal(stage.issue(), "tools.write") is Denied
    assert stage.refusal(stage.issue(), "servers.use") is None


def test_scopes_narrow_where_and_when_a_token_passes(stage: Stage) -> None:
    bound = stage.issue(scopes={**FREE, "server_id": "one", "ip_restrictions": ["10.0.0.0/8"]})

    assert stage.gateway.verify(bound, server_id="one", address="10.1.2.3").claims.scopes.server_id == "one"
    for server_id, address, expected in (
        ("two", "10.1.2.3", Denial.SERVER),
        (None, "10.1.2.3", Denial.SERVER),
        ("one", "11.1.2.3", Denial.ADDRESS),
        ("one", None, Denial.ADDRESS),
    ):
        with pytest.raises(Denied) as error:
            stage.gateway.verify(bound, server_id=server_id, address=address)
        assert error.value.denial is expected
    with pytest.raises(ValueError, match="address"):
        stage.gateway.verify(bound, address="somewhere")


def test_a_token_from_a_shell_is_refused_where_none_is_taken(stage: Stage) -> None:
    text = stage.issue()
    stage.fake.active[text].update(path="cli-dev", out_of_band=True)

    is_asked = stage.proof is not Proof.SIGNED
    assert stage.refusal(text) is None
    with pytest.raises(Denied if is_asked else CouldNotTell):
        stage.gateway.verify(text, takes_out_of_band=False)


def test_a_token_that_was_revoked_does_not_pass(stage: Stage) -> None:
    text = stage.issue()
    assert stage.refusal(text) is None

    stage.fake.append(revocation(JTI))

    stage.until(text, TokenInvalid)


def test_a_token_that_was_suspended_passes_again_once_it_is_resumed(stage: Stage) -> None:
    text = stage.issue()
    stage.fake.append([{"kind": "suspended", "jti": JTI, "exp": 4_000_000_000}])
    stage.until(text, TokenInvalid)

    stage.fake.append([{"kind": "resumed", "jti": JTI, "exp": 4_000_000_000}])

    stage.until(text, None)


def test_no_token_of_a_compromised_key_passes_save_for_the_spared(stage: Stage) -> None:
    spared = "01990000-0000-7000-8000-000000000002"
    one, two = stage.issue(), stage.issue(jti=spared)
    compromise: list[dict[str, object]] = [
        {"kind": "key_compromised", "kid": "one"},
        {"kind": "spared", "jti": spared, "exp": 4_000_000_000},
    ]

    stage.fake.append(compromise)

    stage.until(one, TokenInvalid)
    assert stage.refusal(two) is None


def test_what_a_key_signed_that_was_given_up_is_over_also_where_the_key_was_never_seen(stage: Stage) -> None:
    now = int(time.time())
    text = token(Ed25519("gone"), iat=now, exp=now + 60, scopes=FREE)
    stage.fake.active[text] = {**ISSUED, "jti": JTI}

    stage.fake.append([{"kind": "key_compromised", "kid": "gone"}])

    stage.until_so(lambda: stage.gateway.set.has_given_up("gone"))
    # It does not depend on whether the keys can be asked for again by now.
    assert [stage.refusal(text) for _ in range(3)] == [TokenInvalid] * 3


def test_a_gateway_that_has_heard_nothing_cannot_tell_of_a_token_whose_key_is_not_published() -> None:
    now = int(time.time())
    text = token(Ed25519("gone"), iat=now, exp=now + 60, scopes=FREE)
    with Fake() as fake, Catalog(fake.address, Bearer(TOKEN)) as catalog:
        stage = Stage(fake, catalog, Proof.SIGNED)

        assert [stage.refusal(text) for _ in range(2)] == [CouldNotTell] * 2


def test_what_no_key_signed_or_the_catalog_did_not_issue_does_not_pass(stage: Stage) -> None:
    now = int(time.time())
    for text in (
        "",
        "a.b.c",
        token(THIEF, iat=now, exp=now + 60),
        stage.issue(aud=["other"]),
        stage.issue()[:-8] + "AAAAAAAA",
    ):
        assert stage.refusal(text) is TokenInvalid


def test_a_token_is_over_at_exp_even_if_the_own_clock_was_set_back(stage: Stage) -> None:
    text = stage.issue(seconds=2)
    assert stage.refusal(text) is None

    stage.off_by = -1.0
    stage.until(text, TokenInvalid)

    claims = stage.issue(seconds=2)
    stage.off_by = 10.0
    assert stage.refusal(claims) is TokenInvalid


def test_while_the_catalog_is_gone_nobody_can_tell_but_what_was_revoked_stays_so(stage: Stage) -> None:
    good, bad = stage.issue(), stage.issue(jti="01990000-0000-7000-8000-00000000000f")
    assert stage.refusal(good) is None
    assert stage.refusal(bad) is TokenInvalid

    stage.fake.set(way=Way.CUT)

    stage.until(good, CouldNotTell)
    assert stage.refusal("rubbish") is TokenInvalid
    stage.fake.set(way=Way.OPEN)
    stage.until(good, None)


def test_a_gateway_that_was_closed_lets_nothing_pass(stage: Stage) -> None:
    text = stage.issue()
    assert stage.refusal(text) is None

    stage.fake.set(way=Way.CUT)
    stage.gateway.close()

    assert stage.refusal(text) is CouldNotTell


def test_a_gateway_that_was_not_started_lets_nothing_pass() -> None:
    with Fake() as fake, Catalog(fake.address, Bearer(TOKEN)) as catalog:
        stage = Stage(fake, catalog, Proof.ISSUED)

        assert stage.refusal(stage.issue()) is CouldNotTell


def test_what_a_thief_of_a_key_signs_passes_where_nobody_is_asked_and_only_there() -> None:
    for proof, expected in ((Proof.SIGNED, None), (Proof.BOTH, TokenInvalid), (Proof.ISSUED, TokenInvalid)):
        with Fake() as fake, Catalog(fake.address, Bearer(TOKEN)) as catalog:
            stage = Stage(fake, catalog, proof)
            with stage.gateway:
                assert stage.gateway.loaded(PATIENCE)
                text = stage.issue()
                fake.active.clear()

                assert stage.refusal(text) is expected
                fake.set(way=Way.CUT)


def test_a_token_that_a_restored_log_never_issued_does_not_pass_again() -> None:
    with Fake() as fake, Catalog(fake.address, Bearer(TOKEN)) as catalog:
        stage = Stage(fake, catalog, Proof.ISSUED)
        with stage.gateway:
            assert stage.gateway.loaded(PATIENCE)
            text = stage.issue()
            assert stage.refusal(text) is None
            fake.set(way=Way.CUT)
            stage.until(text, CouldNotTell)
            fake.active.clear()
            fake.restore(0)

            fake.set(way=Way.OPEN)

            while (said := stage.refusal(text)) is not TokenInvalid:
                assert said is CouldNotTell
            assert stage.gateway.status().reloads == 1
            fake.set(way=Way.CUT)


def test_a_token_that_is_revoked_while_the_catalog_is_asked_does_not_pass(asking: Stage) -> None:
    text = asking.issue()

    def revoke() -> None:
        asking.fake.append(revocation(JTI))
        asking.until_so(lambda: asking.gateway.set.check(JTI, "one") is Verdict.REVOKED)

    asking.fake.meanwhile = revoke

    assert asking.refusal(text) is TokenInvalid


def test_what_another_log_said_while_the_catalog_was_restored_is_asked_again(asking: Stage) -> None:
    text = asking.issue()

    def restore() -> None:
        asking.fake.active.clear()
        asking.fake.restore(0)
        asking.until_so(lambda: asking.gateway.status().reloads == 1 and asking.gateway.status().set.is_fresh)

    asking.fake.meanwhile = restore

    assert asking.refusal(text) is TokenInvalid
    assert len(asking.fake.asked) == 2


def test_where_pages_are_asked_for_a_token_of_a_place_that_no_page_has_reached_is_asked_about_again(
    asking: Stage,
) -> None:
    asking.fake.set(way=Way.BUFFERING)
    asking.until_so(lambda: asking.gateway.status().connection is Connection.POLLING)
    text = asking.issue()
    asking.fake.active[text]["position"] = asking.fake.head + 1
    asking.until(text, None)

    # A restored catalog, which never issued it, and whose feed goes on from what is known.
    asking.fake.active.clear()

    asking.until(text, TokenInvalid)


def test_the_catalog_is_not_asked_about_what_cannot_be_good() -> None:
    with Fake() as fake, Catalog(fake.address, Bearer(TOKEN)) as catalog:
        stage = Stage(fake, catalog, Proof.BOTH)
        with stage.gateway:
            assert stage.gateway.loaded(PATIENCE)
            now = int(time.time())

            forged = (token(THIEF, iat=now, exp=now + 60), stage.issue(seconds=-1), stage.issue(iss="other"), "a.b.c")

            assert {stage.refusal(text) for text in forged} == {TokenInvalid}
            assert fake.asked == []
            fake.set(way=Way.CUT)


@pytest.mark.parametrize(
    ("refusal", "status", "code", "challenge"),
    [
        (TokenMissing(), 401, "credential_missing", "Bearer"),
        (TokenInvalid(), 401, "credential_invalid", 'Bearer error="invalid_token"'),
        (Denied(Denial.TIME), 403, "time_not_allowed", 'Bearer error="insufficient_scope"'),
        (CouldNotTell(), 503, "unavailable", None),
    ],
)
def test_each_refusal_has_its_status_and_its_challenge(
    refusal: Refusal, status: int, code: str, challenge: str | None
) -> None:
    assert (refusal.status, refusal.code, refusal.challenge) == (status, code, challenge)


def test_a_refusal_does_not_say_why() -> None:
    with Fake() as fake, Catalog(fake.address, Bearer(TOKEN)) as catalog:
        stage = Stage(fake, catalog, Proof.ISSUED)
        said = set()
        for text in ("", "a.b.c", stage.issue(seconds=-1), stage.issue(aud=["other"])):
            with pytest.raises(TokenInvalid) as error:
                stage.gateway.verify(text)
            said.add(str(error.value))

        assert said == {"the presented token is not an active token for this service"}
