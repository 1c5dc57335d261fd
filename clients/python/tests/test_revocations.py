"""Pages one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog_gateway import Applied, ApplyError, Now, Page, RevocationSet, Verdict
from catalog_gateway.revocations import Misfit
from catalog_gateway.wire import KeyCompromised
from feed import at, heartbeat, jti, mark, page, resumed, revoked, spared, suspended, time

HOUR_MS = 3_600_000


def known() -> RevocationSet:
    """A set that knows the log up to 10, and that token 1 is revoked."""
    revocations = RevocationSet(5)
    revocations.apply(page(None, 10, [revoked(1)]), at(0))
    return revocations


def check(revocations: RevocationSet, number: int, now: Now) -> Verdict:
    return revocations.check(jti(number), "key", now)


def is_lost(revocations: RevocationSet, now: Now) -> bool:
    """Whether it refuses what it knows as revoked, and anything else for want of knowledge."""
    return (check(revocations, 1, now), check(revocations, 2, now)) == (Verdict.REVOKED, Verdict.STALE)


def misfit(revocations: RevocationSet, said: Page, now: Now) -> Misfit:
    with pytest.raises(ApplyError) as error:
        revocations.apply(said, now)
    return error.value.why


def test_a_set_that_heard_nothing_tells_nothing() -> None:
    revocations = RevocationSet(5)

    assert check(revocations, 1, at(0)) is Verdict.STALE
    assert misfit(revocations, heartbeat(0), at(0)) is Misfit.NEEDS_SNAPSHOT
    status = revocations.status(at(0))
    assert (status.needs_snapshot, status.staleness, status.mark) == (True, None, None)


def test_what_was_heard_holds_for_five_seconds_less_the_catalogs_own_staleness() -> None:
    revocations = known()
    late = replace(heartbeat(10, 1_000), staleness=1_500_000)
    assert revocations.apply(late, at(1_000)) is Applied.FOLLOWED

    assert check(revocations, 2, at(4_500)) is Verdict.NOT_REVOKED
    assert is_lost(revocations, at(4_500.001))
    assert revocations.status(at(4_501)).staleness == 5.001


def test_a_page_that_follows_is_learnt_and_one_that_came_before_is_ignored() -> None:
    revocations = known()
    following = page(10, 11, [revoked(2)], 100)

    assert revocations.apply(following, at(100)) is Applied.FOLLOWED
    assert check(revocations, 2, at(100)) is Verdict.REVOKED
    assert check(revocations, 3, at(100)) is Verdict.NOT_REVOKED
    for again in (following, page(9, 10, (), 4_000), page(3, 4, (), 4_000), heartbeat(10, 100)):
        assert revocations.apply(again, at(4_000)) is Applied.IGNORED
    assert check(revocations, 3, at(5_101)) is Verdict.STALE, "what came again proves nothing of the present"
    assert revocations.status(at(0)).mark == mark(11)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (page(11, 12, (), 100), Misfit.GAP),
        (page(9, 12, (), 100), Misfit.GAP),
        (heartbeat(12, 100), Misfit.GAP),
        (replace(page(10, 11, (), 100), piece=1), Misfit.GAP),
        (replace(heartbeat(11, 100), mark=mark(11, "00000000-0000-0000-0000-000000000008")), Misfit.OTHER_LOG),
        (replace(heartbeat(10, 100), mark=mark(10, digest="09")), Misfit.OTHER_DIGEST),
        (heartbeat(9, 2_001), Misfit.WENT_BACK),
        (page(12, 11, (), 100), Misfit.MALFORMED),
        (page(-1, 11, (), 100), Misfit.MALFORMED),
        (replace(page(10, 11, (), 100), is_partial=True), Misfit.MALFORMED),
        (replace(page(None, 11, (), 100), piece=1), Misfit.MALFORMED),
        (replace(page(None, 11, (), 100), is_partial=True), Misfit.MALFORMED),
    ],
)
def test_a_page_that_does_not_fit_makes_it_stale_until_a_snapshot_comes(said: Page, expected: Misfit) -> None:
    revocations = known()

    assert misfit(revocations, said, at(2_100)) is expected

    assert is_lost(revocations, at(2_100))
    assert misfit(revocations, heartbeat(10, 2_100), at(2_100)) is Misfit.NEEDS_SNAPSHOT
    assert is_lost(revocations, at(2_100))
    assert revocations.apply(page(None, 5, [revoked(3)], 2_100), at(2_100)) is Applied.REPLACED
    assert check(revocations, 1, at(2_100)) is Verdict.NOT_REVOKED
    assert check(revocations, 3, at(2_100)) is Verdict.REVOKED


def test_a_set_that_is_distrusted_tells_nothing_good_until_a_snapshot_comes() -> None:
    revocations = known()

    revocations.distrust()

    assert is_lost(revocations, at(1))
    assert misfit(revocations, heartbeat(10, 1), at(1)) is Misfit.NEEDS_SNAPSHOT
    revocations.apply(page(None, 3, (), 2), at(2))
    assert check(revocations, 1, at(2)) is Verdict.NOT_REVOKED


def test_a_server_that_is_a_little_behind_is_ignored() -> None:
    revocations = known()

    assert revocations.apply(heartbeat(9, 2_000), at(2_000)) is Applied.IGNORED
    behind = replace(heartbeat(9, 5_000), staleness=3_000_000)
    assert revocations.apply(behind, at(5_000)) is Applied.IGNORED

    assert is_lost(revocations, at(5_001))


def test_a_snapshot_from_before_what_is_known_changes_nothing() -> None:
    revocations = known()

    assert misfit(revocations, page(None, 9, (), 100), at(100)) is Misfit.OLDER_SNAPSHOT

    assert check(revocations, 1, at(100)) is Verdict.REVOKED
    assert check(revocations, 2, at(100)) is Verdict.NOT_REVOKED


def test_a_snapshot_is_as_old_as_the_question() -> None:
    revocations = RevocationSet(5)

    revocations.replace(page(None, 10, [revoked(1)], 200), asked=at(0), began=at(300))

    assert check(revocations, 2, at(5_000)) is Verdict.NOT_REVOKED
    assert is_lost(revocations, at(5_001))


def test_what_comes_in_pieces_is_learnt_piece_by_piece_and_is_no_news_until_the_last() -> None:
    revocations = known()

    def piece(number: int, is_partial: bool, token: int) -> Applied:
        whole = page(10, 10 if is_partial else 11, [revoked(token)], 4_000)
        return revocations.apply(replace(whole, piece=number, is_partial=is_partial), at(4_000))

    assert piece(0, True, 2) is piece(1, True, 3) is Applied.FOLLOWED
    assert revocations.apply(heartbeat(10, 4_000), at(4_000)) is Applied.IGNORED
    assert check(revocations, 3, at(4_000)) is Verdict.REVOKED
    assert check(revocations, 4, at(5_001)) is Verdict.STALE
    # The stream broke off, and begins with the change again.
    assert piece(0, True, 2) is piece(1, True, 3) is piece(2, False, 4) is Applied.FOLLOWED

    assert check(revocations, 4, at(5_001)) is Verdict.REVOKED
    assert check(revocations, 5, at(5_001)) is Verdict.NOT_REVOKED
    assert revocations.status(at(5_001)).mark == mark(11)
    assert revocations.apply(page(11, 12, (), 5_000), at(5_000)) is Applied.FOLLOWED


def test_a_missing_piece_is_missed() -> None:
    revocations = known()
    piece = replace(page(10, 10, [revoked(2)], 100), is_partial=True)
    revocations.apply(piece, at(100))

    assert misfit(revocations, replace(piece, piece=2), at(100)) is Misfit.GAP


def test_a_page_before_others_that_have_happened_already_is_no_news_of_the_end() -> None:
    revocations = known()

    revocations.apply(replace(page(10, 11, [revoked(2)], 4_000), has_more=True), at(4_000))

    assert check(revocations, 2, at(5_001)) is Verdict.REVOKED
    assert check(revocations, 3, at(5_001)) is Verdict.STALE


def test_a_revocation_of_the_future_holds_from_its_instant_by_either_clock() -> None:
    revocations = known()
    revocations.apply(page(10, 11, [revoked(2, time(3_000))]), at(0))

    assert check(revocations, 2, at(2_999.999)) is Verdict.NOT_REVOKED
    assert check(revocations, 2, at(3_000)) is Verdict.REVOKED
    # The own clock was set back; the catalog's goes on.
    assert check(revocations, 2, at(3_000, -HOUR_MS)) is Verdict.REVOKED
    assert revocations.latest(at(3_000, -HOUR_MS)) == time(3_000)


def test_of_several_revocations_the_soonest_counts() -> None:
    for order in ([4_000, 2_000, 3_000], [2_000, 4_000], [4_000, 2_000]):
        revocations = known()
        revocations.apply(page(10, 11, [revoked(2, time(ms)) for ms in order]), at(0))

        assert check(revocations, 2, at(1_999)) is Verdict.NOT_REVOKED
        assert check(revocations, 2, at(2_000)) is Verdict.REVOKED
        revocations.apply(page(11, 12, [revoked(2), revoked(2, time(9_000))]), at(0))
        assert check(revocations, 2, at(0)) is Verdict.REVOKED


def test_suspension_ends_with_resumption_and_revocation_never() -> None:
    revocations = known()
    revocations.apply(page(10, 11, [suspended(1), suspended(2), revoked(3), suspended(3)]), at(0))
    assert {check(revocations, number, at(0)) for number in (1, 2, 3)} == {Verdict.REVOKED}

    revocations.apply(page(11, 12, [resumed(number) for number in (1, 2, 3, 4)]), at(0))

    revoked_now = [check(revocations, number, at(0)) is Verdict.REVOKED for number in (1, 2, 3, 4)]
    assert revoked_now == [True, False, True, False]


def test_a_compromised_key_is_dead_save_for_spared_tokens_that_were_not_revoked() -> None:
    revocations = known()

    revocations.apply(page(10, 11, [KeyCompromised("key"), spared(1), spared(2)]), at(0))

    revoked_now = [check(revocations, number, at(0)) is Verdict.REVOKED for number in (1, 2, 3)]
    assert revoked_now == [True, False, True]
    assert revocations.check(jti(3), "another", at(0)) is Verdict.NOT_REVOKED
    assert check(revocations, 3, at(60_000)) is Verdict.REVOKED, "whatever else is known"


def test_nobody_can_tell_of_a_token_whether_it_is_spared_until_all_are_known_that_are() -> None:
    revocations = known()

    def verdicts() -> list[Verdict]:
        return [check(revocations, number, at(0)) for number in (1, 2, 3, 4)]

    good, over, unsure = Verdict.NOT_REVOKED, Verdict.REVOKED, Verdict.STALE
    revocations.apply(replace(page(10, 10, [KeyCompromised("key"), spared(1), spared(2)]), is_partial=True), at(0))
    assert verdicts() == [over, good, unsure, unsure]
    assert revocations.check(jti(3), "another", at(0)) is good

    revocations.apply(replace(page(10, 10, [spared(3)]), piece=1, is_partial=True), at(0))
    assert verdicts() == [over, good, good, unsure]
    revocations.apply(heartbeat(10, 0), at(0))
    assert verdicts() == [over, good, good, unsure], "that nothing has happened since says nothing of it"

    revocations.apply(replace(page(10, 11, []), piece=2), at(0))
    assert verdicts() == [over, good, good, over]

    # More of what the key signed is over. That it has come before is known wholly.
    revocations.apply(replace(page(11, 11, [KeyCompromised("key"), spared(2)]), is_partial=True), at(0))
    assert verdicts() == [over, good, good, over]
    revocations.apply(page(None, 12, [KeyCompromised("key"), spared(2), revoked(3)]), at(0))
    assert verdicts() == [over, good, over, over]


def test_what_comes_whole_before_a_key_that_came_in_part_says_nothing_of_the_key() -> None:
    revocations = known()

    def verdicts() -> list[Verdict]:
        return [check(revocations, number, at(0)) for number in (2, 3, 4)]

    # A stream tells two changes as one, and is cut; pages tell them one by one.
    revocations.apply(replace(page(10, 10, [revoked(2), KeyCompromised("key")]), is_partial=True), at(0))
    revocations.apply(page(10, 11, [revoked(2)]), at(0))
    assert verdicts() == [Verdict.REVOKED, Verdict.STALE, Verdict.STALE]

    revocations.apply(page(11, 12, [KeyCompromised("key"), spared(3)]), at(0))
    assert verdicts() == [Verdict.REVOKED, Verdict.NOT_REVOKED, Verdict.REVOKED]


def test_a_token_leaves_a_minute_after_it_is_over_by_both_clocks() -> None:
    revocations = RevocationSet(5)
    over = [replace(revoked(number), exp=time(10_000) // 1_000_000) for number in range(100)]
    revocations.apply(page(None, 10, [*over, revoked(500)]), at(0))

    def tokens(ms: float, now: Now) -> int:
        revocations.apply(heartbeat(10, ms), now)
        return revocations.status(now).tokens

    assert tokens(69_000, at(69_000)) == 101
    assert tokens(190_000, at(190_000, 0)) == 101, "the own clock was set back"
    assert tokens(260_000, at(260_000)) == 1
    assert check(revocations, 500, at(260_000)) is Verdict.REVOKED


def test_a_token_that_is_neither_revoked_nor_suspended_any_more_takes_no_room() -> None:
    revocations = known()
    revocations.apply(page(10, 11, [suspended(2), resumed(2)]), at(0))

    revocations.apply(heartbeat(11, 61_000), at(61_000))

    assert revocations.status(at(61_000)).tokens == 1


def test_a_clock_that_was_set_back_or_jumped_ahead_makes_it_stale_until_it_is_right_again() -> None:
    revocations = known()

    assert is_lost(revocations, at(100, 100 + HOUR_MS))
    assert is_lost(revocations, at(2_000, 999))
    assert check(revocations, 2, at(2_000, 1_000)) is Verdict.NOT_REVOKED
    assert check(revocations, 2, at(2_000)) is Verdict.NOT_REVOKED


def test_a_clock_that_is_far_behind_the_catalogs_makes_it_stale_as_long_as_it_is() -> None:
    revocations = RevocationSet(5)
    revocations.apply(page(None, 10), at(0, -6_000))

    assert check(revocations, 1, at(0, -6_000)) is Verdict.STALE
    assert check(revocations, 1, at(0, -5_000)) is Verdict.NOT_REVOKED


def test_a_page_that_was_held_back_on_its_way_is_older_by_that() -> None:
    revocations = known()

    revocations.apply(heartbeat(10, 1_000), at(4_000))

    # 3 s on its way, less what the clocks may have drifted apart.
    assert check(revocations, 2, at(5_990)) is Verdict.NOT_REVOKED
    assert check(revocations, 2, at(6_010)) is Verdict.STALE


def test_what_comes_ever_later_is_not_taken_for_a_slower_clock_for_ever() -> None:
    revocations = known()
    for seconds in range(1, 7_001):
        # Each a millisecond later than the one before it.
        revocations.apply(heartbeat(10, seconds * 999), at(seconds * 1_000))

    assert check(revocations, 2, at(7_000_000)) is Verdict.STALE


def test_an_identifier_in_another_spelling_is_found_nowhere_and_so_refused() -> None:
    for text in (jti(1).upper().replace("0", "A"), jti(1).replace("-", ""), f"{{{jti(1)}}}", "", f"{jti(1)}\n"):
        with pytest.raises(ValueError, match="lower case"):
            known().check(text, "key", at(0))


@pytest.mark.parametrize("seconds", [0, -1, 86_400, float("nan"), float("inf")])
def test_a_staleness_that_cannot_be_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="staleness"):
        RevocationSet(seconds)
