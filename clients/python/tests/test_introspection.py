"""Asking once per unseen token."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from catalog_gateway import Bearer, Catalog, Introspector, Issuance, Standing, Token, Unconfirmed
from catalog_gateway.introspection import ASKING_MAX
from fake import TOKEN, Fake, Way
from signing import EXP, JTI, RULES, Ed25519, token

KEY = Ed25519()
NOW = 1_800_000_000
ISSUED = {"active": True, "path": "api", "out_of_band": False, "position": 7}
GOOD = Issuance("api", False, 7)
HERE = Standing()


@dataclass
class Stage:
    fake: Fake
    catalog: Catalog

    def issue(self, number: int = 0, jti: str | None = None) -> Token:
        read = Token.read(token(KEY, sub=f"user-{number}"), RULES)
        self.fake.active[read.text] = {**ISSUED, "jti": read.claims.jti if jti is None else jti, "sub": "more"}
        return read


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Fake() as fake, Catalog(fake.address, Bearer(TOKEN)) as catalog:
        yield Stage(fake, catalog)


def test_the_catalog_is_asked_once_about_a_good_token_until_it_expires(stage: Stage) -> None:
    introspector, good = Introspector(stage.catalog), stage.issue()

    for now in (NOW, NOW + 1, EXP - 1):
        assert introspector.confirm(good, now, HERE) == GOOD
    assert stage.fake.asked == [good.text]

    assert introspector.confirm(good, EXP, HERE) == GOOD
    assert len(stage.fake.asked) == 2


def test_another_signature_under_the_same_claims_is_another_token(stage: Stage) -> None:
    introspector, good = Introspector(stage.catalog), stage.issue()
    assert introspector.confirm(good, NOW, HERE) == GOOD
    forged = Token.read(good.text[:-4] + "AAAA", RULES)

    assert forged.claims == good.claims
    assert introspector.confirm(forged, NOW, HERE) is Unconfirmed.NOT_ACTIVE
    assert introspector.confirm(good, NOW, HERE) == GOOD
    assert len(stage.fake.asked) == 2


def test_whatever_was_no_clear_yes_is_asked_about_again(stage: Stage) -> None:
    introspector, good = Introspector(stage.catalog), stage.issue()
    answers: list[tuple[dict[str, object], object]] = [
        ({"active": False}, Unconfirmed.NOT_ACTIVE),
        ({**ISSUED, "jti": JTI.replace("1", "2")}, Unconfirmed.COULD_NOT_TELL),
        (ISSUED, Unconfirmed.COULD_NOT_TELL),
        ({**ISSUED, "jti": JTI, "active": "true"}, Unconfirmed.COULD_NOT_TELL),
        ({**ISSUED, "jti": JTI, "position": "7"}, Unconfirmed.COULD_NOT_TELL),
        ({"active": True, "jti": JTI}, Unconfirmed.COULD_NOT_TELL),
        ({}, Unconfirmed.COULD_NOT_TELL),
        ({**ISSUED, "jti": JTI, "more": "x" * 70_000}, Unconfirmed.COULD_NOT_TELL),
        ({**ISSUED, "jti": JTI, "path": "cli-dev", "out_of_band": True}, Issuance("cli-dev", True, 7)),
    ]
    for said, expected in answers:
        stage.fake.active[good.text] = said
        assert introspector.confirm(good, NOW, HERE) == expected, str(said)[:80]


@pytest.mark.parametrize("way", [Way.DOWN, Way.CUT])
def test_a_catalog_that_cannot_be_asked_has_not_said_no(stage: Stage, way: Way) -> None:
    introspector, good, other = Introspector(stage.catalog), stage.issue(), stage.issue(1)
    assert introspector.confirm(good, NOW, HERE) == GOOD
    stage.fake.set(way=way)

    assert introspector.confirm(other, NOW, HERE) is Unconfirmed.COULD_NOT_TELL
    assert introspector.confirm(good, NOW, HERE) == GOOD, "what was said before is remembered"
    stage.fake.set(way=Way.OPEN)
    assert introspector.confirm(other, NOW, HERE) == GOOD


def test_those_who_come_with_one_token_at_once_share_one_answer(stage: Stage) -> None:
    introspector, good = Introspector(stage.catalog), stage.issue()
    stage.fake.set(answers_after=0.3)
    together = threading.Barrier(16)

    def confirm(_: int) -> object:
        together.wait()
        return introspector.confirm(good, NOW, HERE)

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(confirm, range(16))) == {GOOD}

    assert len(stage.fake.asked) == 1


def test_no_more_are_asked_about_at_once_than_may_be(stage: Stage) -> None:
    introspector = Introspector(stage.catalog)
    tokens = [stage.issue(number) for number in range(2 * ASKING_MAX)]
    stage.fake.set(answers_after=0.1)

    with ThreadPoolExecutor(len(tokens)) as pool:
        answers = list(pool.map(lambda token: introspector.confirm(token, NOW, HERE), tokens))

    assert set(answers) == {GOOD}
    assert stage.fake.asking_max <= ASKING_MAX


def test_no_more_are_remembered_than_may_be_and_the_latest_are(stage: Stage) -> None:
    introspector = Introspector(stage.catalog, tokens_max=10)
    tokens = [stage.issue(number) for number in range(30)]
    for each in tokens:
        assert introspector.confirm(each, NOW, HERE) == GOOD
    stage.fake.set(way=Way.DOWN)

    known = [number for number, each in enumerate(tokens) if introspector.confirm(each, NOW, HERE) == GOOD]

    assert set(range(25, 30)) <= set(known)
    assert len(known) <= 10


def test_what_was_confirmed_before_a_snapshot_is_asked_about_again(stage: Stage) -> None:
    introspector, good = Introspector(stage.catalog), stage.issue()
    snapshot = Standing(snapshots=1)

    assert introspector.confirm(good, NOW, HERE) == GOOD
    stage.fake.active.clear()

    assert introspector.confirm(good, NOW, HERE) == GOOD
    assert introspector.confirm(good, NOW, snapshot) is Unconfirmed.NOT_ACTIVE


def test_who_asks_after_a_snapshot_does_not_wait_for_an_answer_to_what_was_asked_before_it(stage: Stage) -> None:
    introspector, good = Introspector(stage.catalog), stage.issue()
    stage.fake.set(answers_after=0.3)

    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(introspector.confirm, good, NOW, HERE)
        after = pool.submit(introspector.confirm, good, NOW, Standing(snapshots=1))
        assert before.result() == after.result() == GOOD

    assert len(stage.fake.asked) == 2


def test_what_was_confirmed_of_a_place_that_the_catalog_does_not_go_on_from_is_asked_about_again(stage: Stage) -> None:
    introspector, good = Introspector(stage.catalog), stage.issue()
    assert introspector.confirm(good, NOW, HERE) == GOOD

    # It was issued at position 7.
    assert introspector.confirm(good, NOW, Standing(resumed=1, resumed_at=7)) == GOOD
    assert len(stage.fake.asked) == 1
    stage.fake.active.clear()
    assert introspector.confirm(good, NOW, Standing(resumed=1, resumed_at=6)) is Unconfirmed.NOT_ACTIVE
