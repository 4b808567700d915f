"""What is done about an hour in which two nodes differ."""

import random

import pytest

from backfiller.plan import (
    is_within,
    missing_segments,
    missing_tombstones,
    plan_segments,
)
from common.replication.listing import Listing, parse_listing
from common.segments.path import Segment, SegmentType
from common.segments.store import Hidden, Hour
from common.times import HOUR, SECOND, TimeRange, format_hour
from tests.support.segments import NOON, make_segment

A, B, C = (make_segment(NOON + n * SECOND, digest=text * 43) for n, text in enumerate("abc"))
NOTHING = Hidden()


def plan_at_once(missing: list[Segment], rng: random.Random) -> list[Segment]:
    found = plan_segments(
        missing, twins={}, cutoff=NOON + HOUR, seconds_left=lambda entry: 0.0, rng=rng
    )
    return [entry.segment for entry in found.wanted]


def test_what_is_here_shown_or_hidden_is_not_missing() -> None:
    theirs = Listing(segments=(A, B, C))
    ours = Hour(segments=(A,), hidden=(B,))
    assert missing_segments(theirs, ours, NOTHING.hides) == [C]


@pytest.mark.parametrize(
    "hidden", [Hidden(hashes=frozenset({A.hash})), Hidden(ranges=(TimeRange(NOON, NOON + 1),))]
)
def test_what_a_tombstone_of_ours_hides_is_not_wanted(hidden: Hidden) -> None:
    assert missing_segments(Listing(segments=(A, B)), Hour(), hidden.hides) == [B]


def test_what_a_tombstone_of_theirs_hides_is_not_wanted() -> None:
    theirs = Listing(segments=(A, B), tombstones=(A.tombstone,))
    assert missing_segments(theirs, Hour(), NOTHING.hides) == [B]


def test_tombstones_that_we_lack_are_missing() -> None:
    theirs = Listing(tombstones=(A.tombstone, B.tombstone))
    assert missing_tombstones(theirs, Hour(tombstones=(A.tombstone,))) == [B.tombstone]


def test_bytes_that_are_here_come_from_there() -> None:
    twin = make_segment(A.start + 1000, digest=A.hash)
    found = plan_segments(
        [A, B],
        twins={A.hash: twin},
        cutoff=NOON + HOUR,
        seconds_left=lambda entry: 0.0,
        rng=random.Random(),
    )
    assert {entry.segment: entry.twin for entry in found.wanted} == {A: twin, B: None}


def test_what_is_recent_is_left_to_the_downloader() -> None:
    found = plan_segments(
        [A, B, C], twins={}, cutoff=B.start, seconds_left=lambda entry: 0.0, rng=random.Random()
    )
    assert [entry.segment for entry in found.wanted] == [A]
    assert found.recent == 2
    assert not found.is_settled


def test_what_failed_a_short_while_ago_waits_and_is_not_forgotten() -> None:
    waits = {A: 5.0, B: 3.0, C: 0.0}
    found = plan_segments(
        [A, B, C], twins={}, cutoff=NOON + HOUR, seconds_left=waits.__getitem__, rng=random.Random()
    )
    assert [entry.segment for entry in found.wanted] == [C]
    assert (found.postponed, found.postponed_seconds) == (2, 3.0)


def test_an_hour_is_settled_when_nothing_is_to_be_done() -> None:
    found = plan_segments(
        [], twins={}, cutoff=NOON, seconds_left=lambda entry: 0.0, rng=random.Random()
    )
    assert found.is_settled


def test_the_order_within_an_hour_is_random() -> None:
    many = [make_segment(NOON + n * SECOND, digest=f"{n:043d}") for n in range(50)]
    orders = {tuple(plan_at_once(many, random.Random(seed))) for seed in range(5)}
    assert len(orders) == 5
    assert all(set(order) == set(many) for order in orders)


@pytest.mark.parametrize(
    ("hours", "within"), [(-2, False), (-1, False), (0, True), (5, True), (6, True), (7, False)]
)
def test_hours_before_the_start_and_in_the_future_are_nobodys_business(
    hours: int, within: bool
) -> None:
    name = format_hour(NOON + hours * HOUR)
    assert is_within(name, start=NOON + 1, now=NOON + 5 * HOUR + 1) == within


def test_a_listing_has_what_parses_and_is_no_temp_file() -> None:
    temp = make_segment(NOON, kind=SegmentType.TEMP).name
    names = [A.name, A.tombstone.name, temp, "../x", "", A.name, "x\0.ts", "\ud800"]
    assert parse_listing(A.hour, names) == Listing(segments=(A,), tombstones=(A.tombstone,))
    assert parse_listing("2026-99-99T99", names) == Listing()
