"""The feed as it should be, and as it should not. Whatever happens, a revoked token is good for no longer than the bound, which
each look at the set asserts."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from catalog_gateway import Catalog, Client, Connection, Follower, RevocationSet, Verdict
from fake import HEARTBEAT, Fake, Fault, Way, revocation
from feed import jti
from stage import PATIENCE, SETTINGS, STALENESS_MAX, Stage

HOUR = 3_600.0
EXP = 4_000_000_000
SAID = (Verdict.REVOKED, Verdict.STALE)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage.loaded()


def is_lost(stage: Stage) -> None:
    """A feed that is gone: what is known stays known, and the rest is stale from the bound on."""
    stage.revoke(1)
    stage.until(2, Verdict.STALE)
    stage.during(STALENESS_MAX / 2, lambda: (stage.check(0), stage.check(2)), SAID)
    assert stage.check(1) is not Verdict.NOT_REVOKED


def is_found(stage: Stage) -> None:
    """A feed that has come back."""
    stage.until(1, Verdict.REVOKED)
    stage.until(2, Verdict.NOT_REVOKED)
    stage.revoke(3)
    stage.until(3, Verdict.REVOKED)


def until_connected(stage: Stage, connection: Connection) -> None:
    stage.until_so(lambda: stage.follower.status().connection is connection, connection.value)


def test_what_the_catalog_says_is_known_as_it_is_said(stage: Stage) -> None:
    assert (stage.check(0), stage.check(1)) == (Verdict.REVOKED, Verdict.NOT_REVOKED)

    stage.revoke(1)
    stage.until(1, Verdict.REVOKED)
    stage.fake.append([{"kind": "suspended", "jti": jti(2), "exp": EXP}])
    stage.until(2, Verdict.REVOKED)
    stage.fake.append([{"kind": "resumed", "jti": jti(2), "exp": EXP}])
    stage.until(2, Verdict.NOT_REVOKED)
    stage.fake.append([{"kind": "key_compromised", "kid": "key"}, {"kind": "spared", "jti": jti(2), "exp": EXP}])
    stage.until(3, Verdict.REVOKED)

    stage.until(2, Verdict.NOT_REVOKED)
    status = stage.follower.status()
    assert (status.connection, status.reloads) == (Connection.STREAMING, 0)
    assert status.set.mark
    assert status.set.mark.position == stage.fake.head
    assert stage.fake.snapshots == 1


def test_a_stream_that_ends_goes_on_where_it_ended(stage: Stage) -> None:
    stage.revoke(1)
    stage.until(1, Verdict.REVOKED)
    until_connected(stage, Connection.STREAMING)
    streams, known = stage.fake.streams, stage.fake.cursor(2)

    stage.fake.set(way=Way.CUT)
    stage.revoke(2)
    stage.until_so(lambda: stage.follower.status().connection is not Connection.STREAMING, "the stream is gone")
    stage.fake.set(way=Way.OPEN)

    stage.until(2, Verdict.REVOKED)
    stage.until(3, Verdict.NOT_REVOKED)
    stage.until_so(lambda: stage.fake.streams > streams, "there is another stream")
    assert stage.fake.resumed[-1] in (known, stage.fake.cursor(3))
    assert stage.fake.snapshots == 1, "nothing has to be loaded again"


@pytest.mark.parametrize("fault", [Fault.TWICE, Fault.REPLAY])
def test_what_comes_twice_or_again_from_the_beginning_changes_nothing(stage: Stage, fault: Fault) -> None:
    stage.fake.set(fault=fault)

    stage.revoke(1)

    stage.until(1, Verdict.REVOKED)
    stage.until(9, Verdict.NOT_REVOKED)
    assert (stage.fake.snapshots, stage.reloads()) == (1, 0)


@pytest.mark.parametrize("way", [Way.CUT, Way.DEAD, Way.DOWN])
def test_a_catalog_that_is_gone_tells_nothing_until_it_comes_back(stage: Stage, way: Way) -> None:
    stage.fake.set(way=way)

    is_lost(stage)

    stage.fake.set(way=Way.OPEN)
    is_found(stage)
    assert stage.fake.snapshots == 1


@pytest.mark.parametrize("way", [Way.MUTE, Way.BUFFERING, Way.TRICKLING])
def test_a_stream_that_says_nothing_is_left_for_pages_and_tried_again(stage: Stage, way: Way) -> None:
    stage.fake.set(way=way)
    stage.revoke(1)

    stage.until(1, Verdict.REVOKED)
    until_connected(stage, Connection.POLLING)
    stage.revoke(4)
    stage.until(4, Verdict.REVOKED)
    stage.until(2, Verdict.NOT_REVOKED)
    stage.fake.set(way=Way.OPEN)
    until_connected(stage, Connection.STREAMING)
    is_found(stage)


def test_a_catalog_that_hangs_is_not_taken_for_a_proxy_that_holds_its_stream_back(stage: Stage) -> None:
    def is_polling() -> bool:
        return stage.follower.status().connection is Connection.POLLING

    until_connected(stage, Connection.STREAMING)

    stage.fake.set(way=Way.DEAD)
    stage.revoke(1)
    stage.during(2 * STALENESS_MAX, is_polling, False)
    stage.fake.set(way=Way.OPEN)

    stage.until_so(lambda: is_polling() or stage.follower.status().connection is Connection.STREAMING, "it goes on")
    assert not is_polling()
    is_found(stage)


def test_a_stream_that_falls_silent_makes_nothing_stale_while_pages_come(stage: Stage) -> None:
    stage.until(2, Verdict.NOT_REVOKED)

    stage.fake.set(way=Way.MUTE)

    stage.during(2 * STALENESS_MAX, lambda: stage.check(2), Verdict.NOT_REVOKED)


def test_a_page_that_is_left_out_is_missed(stage: Stage) -> None:
    stage.fake.set(fault=Fault.SKIP)

    stage.revoke(1, 3)

    stage.until_so(lambda: stage.reloads() == 1, "it is noticed")
    stage.until(1, Verdict.REVOKED)
    stage.until(3, Verdict.REVOKED)
    stage.until(2, Verdict.NOT_REVOKED)
    assert stage.fake.snapshots == 2


@pytest.mark.parametrize("fault", [Fault.UNKNOWN, Fault.RUBBISH, Fault.ENDLESS])
def test_what_cannot_be_read_is_asked_for_again(stage: Stage, fault: Fault) -> None:
    stage.fake.set(fault=fault)

    stage.revoke(1)

    stage.until(1, Verdict.REVOKED)
    stage.until(2, Verdict.NOT_REVOKED)


def test_an_item_that_nobody_knows_makes_it_stale_as_long_as_it_is_there(stage: Stage) -> None:
    stage.fake.append([{"kind": "forgiven", "jti": jti(5), "exp": EXP}])

    stage.until(2, Verdict.STALE)
    stage.during(STALENESS_MAX / 2, lambda: (stage.check(0), stage.check(2)), SAID)

    stage.fake.restore(1)
    stage.until(2, Verdict.NOT_REVOKED)


def test_a_log_that_was_restored_is_loaded_anew(stage: Stage) -> None:
    stage.fake.append(revocation(jti(1)))
    stage.until(1, Verdict.REVOKED)

    stage.fake.restore(1)

    stage.until_so(lambda: stage.reloads() == 1, "it is noticed")
    stage.until(1, Verdict.NOT_REVOKED)
    status = stage.set.status()
    assert status.mark
    assert status.mark.log_id == stage.fake.log_id


def test_a_catalog_that_asks_for_a_reload_gets_one(stage: Stage) -> None:
    stage.fake.set(asks_for_reload=True)
    stage.revoke(1)

    stage.until_so(lambda: stage.fake.snapshots == 2, "it is loaded again")
    stage.until(1, Verdict.REVOKED)
    stage.until(2, Verdict.NOT_REVOKED)
    assert stage.reloads() == 1


def test_whoever_does_not_fit_loads_the_snapshot_less_and_less_often(stage: Stage) -> None:
    stage.fake.set(leaves_gaps=True)
    stage.revoke(1)

    stage.until_so(lambda: stage.fake.snapshots >= 8, "it is loaded again and again")

    first, second = stage.fake.loaded[-2:]
    assert second - first >= SETTINGS.pause_max / 2
    stage.fake.set(leaves_gaps=False)
    is_found(stage)


def test_a_clock_that_jumps_an_hour_ahead_tells_nothing_until_the_catalog_is_heard_again(stage: Stage) -> None:
    stage.fake.set(way=Way.DEAD)

    stage.off_by = HOUR

    assert (stage.check(0), stage.check(2)) == SAID
    stage.revoke(1)
    stage.fake.set(way=Way.OPEN)
    is_found(stage)


def test_a_clock_that_jumps_an_hour_back_tells_nothing_until_it_is_right_again(stage: Stage) -> None:
    stage.off_by = -HOUR

    stage.during(0.5, lambda: (stage.check(0), stage.check(2)), SAID)
    stage.revoke(1)
    stage.until(1, Verdict.REVOKED)
    stage.off_by = 0
    is_found(stage)


def test_a_catalog_that_is_not_there_yet_is_waited_for() -> None:
    fake = Fake()
    fake.set(way=Way.DOWN)
    with Stage(fake) as stage:
        assert not stage.follower.loaded(10 * HEARTBEAT)
        assert (stage.check(0), stage.check(2)) == (Verdict.STALE, Verdict.STALE)

        stage.fake.set(way=Way.OPEN)

        assert stage.loaded().check(0) is Verdict.REVOKED


def test_a_follower_waits_as_long_as_the_catalog_asks(stage: Stage) -> None:
    stage.fake.set(way=Way.DOWN, retry_after="1")
    stage.until_so(lambda: len(stage.fake.refused) >= 3, "it asks again and again")

    refused = stage.fake.refused

    assert all(later - sooner >= 1 for sooner, later in itertools.pairwise(refused))


def test_a_client_shows_its_name_and_secret_as_rfc_6749_writes_them() -> None:
    with Fake() as fake, Catalog(fake.address, lambda: Client("edge", "a +é")) as catalog:
        fake.append(revocation(jti(0)))
        with Follower(catalog, RevocationSet(), SETTINGS) as follower:
            assert follower.loaded(PATIENCE)
            assert follower.set.check(jti(0), "key") is Verdict.REVOKED


def test_a_follower_that_is_closed_has_no_thread_and_its_set_becomes_stale(stage: Stage) -> None:
    stage.until(2, Verdict.NOT_REVOKED)

    stage.follower.close()

    assert not any(thread.name == "catalog-follower" for thread in threading.enumerate())
    stage.until(2, Verdict.STALE)
    assert stage.check(0) is Verdict.REVOKED
