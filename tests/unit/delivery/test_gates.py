"""Why a release may not enter an environment: every reason, and what passes which."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from leeward.delivery.environments.environment import Environment, Lock, Verified
from leeward.delivery.promotion.gates import (
    Approval,
    Blocked,
    Entry,
    Origin,
    approved_by,
    check_entry,
    read_approval,
    readable,
)
from leeward.settings.times import Window, parse_window

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)  # a Thursday
WEEKEND = parse_window("Fri 16:00/Mon 08:00 America/New_York")
SATURDAY = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
RELEASE, OTHER = "shop-3f9a12bc45de", "shop-77ab01cd23ef"
HASH = "sha256:now"


def production(**more: object) -> Environment:
    plain = Environment(name="production", app="shop", namespace="shop-production", origin="uat")
    return replace(plain, **more)  # type: ignore[arg-type]


def good(hours: float = 24, release: str = RELEASE) -> Verified:
    """Return a release that was found good so many hours ago."""
    return Verified(release, NOW - timedelta(hours=hours))


def entry(**more: object) -> Entry:
    plain = Entry(
        environment=production(),
        release=RELEASE,
        author="jane",
        origin=Origin(verified=[good()]),
        diff_hash=HASH,
        by="ops",
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def approval(by: str, **more: object) -> Approval:
    plain = Approval(by=by, environment="production", release=RELEASE, diff_hash=HASH)
    return replace(plain, **more)  # type: ignore[arg-type]


def only(found: Entry, now: datetime = NOW) -> Blocked:
    """Return the one reason why not."""
    (blocked,) = check_entry(found, now).blocked
    assert blocked.remedy
    return blocked


def codes(found: Entry, now: datetime = NOW) -> list[str]:
    return [each.code for each in check_entry(found, now).blocked]


def test_a_release_that_is_good_where_it_comes_from_may_enter() -> None:
    verdict = check_entry(entry(), NOW)
    assert (verdict.blocked, verdict.notes, verdict.override) == ([], [], None)


# -- origin


def test_what_never_was_where_releases_come_from_may_not() -> None:
    blocked = only(entry(origin=Origin(verified=[good(release=OTHER)])))
    assert blocked.code == "origin"
    assert blocked.message == f"{RELEASE} never was in uat, where releases for production come from"
    assert blocked.remedy == f"Promote it there first: leeward promote {RELEASE} --to uat"


def test_what_is_there_without_being_good_may_not_and_it_says_since_when() -> None:
    blocked = only(entry(origin=Origin(arrived=NOW - timedelta(hours=1))))
    assert f"{RELEASE} is in uat since Thu 2026-11-26 11:00 UTC, but was not found good" in blocked.message


@pytest.mark.parametrize("origin", [Origin(unreadable="jane may not read environments"), None])
def test_what_is_not_known_of_the_origin_counts_as_not_good(origin: Origin | None) -> None:
    blocked = only(entry(origin=origin))
    assert blocked.code == "origin-unknown"
    assert ("jane may not read environments" if origin else "nobody looked") in blocked.message


def test_the_first_environment_takes_what_was_built_and_knows_no_soak() -> None:
    assert codes(entry(environment=production(origin="", soak=7200.0), origin=None)) == []


# -- soak


def test_a_soak_says_until_when_rounded_up_to_what_people_read() -> None:
    verified = [Verified(RELEASE, NOW - timedelta(minutes=30, seconds=-1))]
    blocked = only(entry(environment=production(soak=7200.0), origin=Origin(verified=verified)))
    assert blocked.code == "soak"
    assert f"{RELEASE} is good in uat for 2h" in blocked.message
    assert "which is at Thu 2026-11-26 13:31 UTC" in blocked.message


def test_a_soak_ends_to_the_second() -> None:
    environment = production(soak=7200.0)
    assert codes(entry(environment=environment, origin=Origin(verified=[good(2)]))) == []
    assert codes(entry(environment=environment, origin=Origin(verified=[good(1.9999)]))) == ["soak"]


def test_what_was_replaced_before_its_soak_was_over_never_ends_it() -> None:
    verified = [good(23.5, OTHER), good(24)]
    blocked = only(entry(environment=production(soak=7200.0), origin=Origin(verified=verified)))
    assert "it was for 30m, until Wed 2026-11-25 12:30 UTC" in blocked.message
    enough = [good(20, OTHER), good(24), good(30, "shop-000000000000")]
    assert codes(entry(environment=production(soak=7200.0), origin=Origin(verified=enough))) == []


# -- freeze


def test_a_freeze_says_until_when_in_the_time_zone_of_the_environment() -> None:
    blocked = only(entry(environment=production(freeze=[WEEKEND])), SATURDAY)
    assert blocked.code == "freeze"
    assert "production is frozen until Mon 2026-11-30 08:00 America/New_York" in blocked.message
    assert "Fri 16:00/Mon 08:00 America/New_York" in blocked.message
    assert codes(entry(environment=production(freeze=[WEEKEND]))) == []


def test_windows_that_follow_one_another_are_one_freeze() -> None:
    monday = parse_window("Mon 07:00/Mon 12:00 America/New_York")
    blocked = only(entry(environment=production(freeze=[WEEKEND, monday])), SATURDAY)
    assert "until Mon 2026-11-30 12:00 America/New_York" in blocked.message
    assert "America/New_York and Mon 07:00/Mon 12:00" in blocked.message


def test_windows_that_leave_no_gap_freeze_for_good() -> None:
    rest = parse_window("Mon 08:00/Fri 16:00 America/New_York")
    blocked = only(entry(environment=production(freeze=[WEEKEND, rest])), SATURDAY)
    assert "is frozen always" in blocked.message


def test_a_window_whose_time_zone_is_not_known_here_freezes() -> None:
    window = Window((0, 0, 0), (0, 1, 0), "Mars/Olympus")
    blocked = only(entry(environment=production(freeze=[window])))
    assert blocked.code == "freeze-unknown"
    assert "Mars/Olympus" in blocked.message


# -- lock


def test_a_lock_says_who_and_why_and_since_when() -> None:
    lock = Lock("kim", "database move", NOW - timedelta(hours=3))
    blocked = only(entry(environment=production(lock=lock)))
    assert blocked.message == "production is locked by kim since Thu 2026-11-26 09:00 UTC: database move"
    assert blocked.remedy.startswith("Let kim unlock it")
    mine = only(entry(environment=production(lock=lock), by="kim"))
    assert mine.remedy == "Unlock it when you are done: leeward unlock production"


# -- approvals


def test_approvals_that_are_missing_are_counted() -> None:
    blocked = only(entry(environment=production(approvals=3), approvals=[approval("kim")]))
    assert blocked.code == "approvals"
    assert "wants 3 people to approve" in blocked.message
    assert "kim approved, 2 people are missing" in blocked.message
    assert (
        "nobody has approved, 1 person is missing" in only(entry(environment=production(approvals=1))).message
    )


def test_as_many_different_people_as_wanted_are_enough() -> None:
    environment = production(approvals=2)
    assert codes(entry(environment=environment, approvals=[approval("kim"), approval("kim")])) == [
        "approvals"
    ]
    assert codes(entry(environment=environment, approvals=[approval("kim"), approval("ops")])) == []


def test_the_author_of_a_release_does_not_count() -> None:
    blocked = only(entry(environment=production(approvals=1), approvals=[approval("jane")]))
    assert "jane made it and does not count" in blocked.message


def test_an_approval_of_another_difference_does_not_count_and_is_told() -> None:
    earlier = approval("kim", diff_hash="sha256:then")
    blocked = only(entry(environment=production(approvals=1), approvals=[earlier]))
    assert "kim approved another difference" in blocked.message
    again = [earlier, approval("kim")]
    assert codes(entry(environment=production(approvals=1), approvals=again)) == []


@pytest.mark.parametrize("other", [{"environment": "demo"}, {"release": OTHER}])
def test_an_approval_of_something_else_is_not_even_mentioned(other: dict[str, str]) -> None:
    found = entry(environment=production(approvals=1), approvals=[approval("kim", **other)])
    assert "kim" not in only(found).message


def test_an_approval_ends() -> None:
    environment = production(approvals=1)
    late = approval("kim", until=NOW)
    assert "the approval of kim has ended" in only(entry(environment=environment, approvals=[late])).message
    longer = approval("kim", until=NOW + timedelta(seconds=1))
    assert codes(entry(environment=environment, approvals=[longer])) == []


def test_without_a_difference_nobody_can_have_approved_it() -> None:
    assert approved_by(entry(diff_hash="", approvals=[approval("kim", diff_hash="")]), NOW) == []


def test_it_is_told_when_nobody_knows_the_author() -> None:
    found = entry(environment=production(approvals=1), author="", approvals=[approval("kim")])
    assert check_entry(found, NOW).notes == [
        f"Nobody knows who made {RELEASE}, so that every approval counts."
    ]


def test_an_approval_is_read_as_written_and_one_with_a_broken_end_has_ended() -> None:
    spec = {"by": "kim", "environment": "production", "release": RELEASE, "diffHash": HASH, "until": ""}
    assert read_approval({"spec": spec}) == approval("kim")
    ends = read_approval({"spec": {**spec, "until": "2026-11-26T13:00:00Z"}}).until
    assert ends == NOW + timedelta(hours=1)
    broken = read_approval({"spec": {**spec, "until": "tomorrow"}})
    assert approved_by(entry(approvals=[broken]), NOW) == []
    assert read_approval({}).by == ""


# -- all of them, going back, overriding


def closed(**more: object) -> Entry:
    """Return an entry that every gate but the origin stops on a Saturday."""
    environment = production(soak=90000.0, freeze=[WEEKEND], approvals=2)
    verified = [Verified(RELEASE, SATURDAY - timedelta(hours=1))]
    return entry(environment=environment, origin=Origin(verified=verified), **more)


def test_every_reason_is_told_at_once() -> None:
    found = closed()
    locked = replace(found.environment, lock=Lock("kim", "move", NOW))
    assert codes(replace(found, environment=locked), SATURDAY) == ["locked", "soak", "freeze", "approvals"]
    nowhere = replace(found, environment=locked, origin=Origin())
    assert codes(nowhere, SATURDAY) == ["locked", "origin", "freeze", "approvals"]


def test_an_override_passes_soak_freeze_and_approvals_and_is_a_record() -> None:
    verdict = check_entry(closed(override="payments are down"), SATURDAY)
    assert verdict.blocked == []
    assert verdict.override is not None
    assert (verdict.override.by, verdict.override.reason) == ("ops", "payments are down")
    assert list(verdict.override.details["passed"]) == ["soak", "freeze", "approvals"]
    assert "passes soak, freeze, approvals, which is recorded: payments are down" in verdict.notes[0]


def test_an_override_passes_neither_lock_nor_origin() -> None:
    found = closed(override="payments are down")
    locked = replace(found.environment, lock=Lock("kim", "move", NOW))
    assert codes(replace(found, environment=locked, origin=Origin()), SATURDAY) == ["locked", "origin"]


def test_an_override_without_a_reason_is_none() -> None:
    assert codes(closed(override="  "), SATURDAY) == ["soak", "freeze", "approvals"]


def test_an_override_that_was_not_needed_leaves_no_record() -> None:
    verdict = check_entry(entry(override="hurry"), NOW)
    assert (verdict.override, verdict.notes) == (None, ["The override was not needed."])


def test_going_back_to_what_was_good_here_waits_for_nothing_and_says_so() -> None:
    found = closed(rollback=True)
    here = replace(found.environment, verified=[good(48, OTHER), good(72)])
    verdict = check_entry(replace(found, environment=here, origin=None), SATURDAY)
    assert verdict.blocked == []
    assert verdict.notes == [
        f"{RELEASE} was found good in production on Mon 2026-11-23 07:00 America/New_York: going back to it "
        "waits for no origin, soak, freeze or approvals."
    ]


def test_a_lock_stops_going_back_too() -> None:
    here = production(verified=[good()], lock=Lock("kim", "move", NOW))
    assert codes(entry(environment=here, rollback=True)) == ["locked"]


def test_going_back_to_what_was_never_good_here_is_like_any_promotion() -> None:
    verdict = check_entry(closed(rollback=True), SATURDAY)
    assert [each.code for each in verdict.blocked] == ["soak", "freeze", "approvals"]
    assert verdict.notes == [
        f"{RELEASE} was never found good in production: going back to it is like any promotion."
    ]


def test_it_is_told_when_the_release_runs_already() -> None:
    (note,) = check_entry(entry(environment=production(release=RELEASE)), NOW).notes
    assert note.startswith(f"{RELEASE} is what production runs")


def test_moments_are_read_in_utc_where_nothing_names_a_time_zone() -> None:
    assert readable(NOW, production()) == "Thu 2026-11-26 12:00 UTC"
    unknown = production(freeze=[Window((0, 0, 0), (0, 1, 0), "Mars/Olympus")])
    assert readable(NOW, unknown) == "Thu 2026-11-26 12:00 UTC"


def test_what_was_let_in_and_did_not_end_goes_on_whatever_has_ended_since() -> None:
    where = production(approvals=1, soak=1e9, freeze=[WEEKEND])
    begun = entry(environment=where, origin=None, begun="production-00007")
    assert codes(replace(begun, begun=""), SATURDAY)
    verdict = check_entry(begun, SATURDAY)
    assert verdict.blocked == []
    assert verdict.notes == ["production-00007 was let in and did not end: it goes on."]
    where = production(lock=Lock("jo", "inventory", NOW))
    assert codes(replace(begun, environment=where)) == ["locked"]
