"""Which hours have changed since the last look."""

from pathlib import Path

import pytest

from common.segments.changes import HourChanges
from common.segments.store import SegmentStore
from common.times import HOUR, SECOND
from tests.support.segments import NOON, make_segment, put_name, put_segment, settle

FIRST = make_segment(NOON)
LATER = make_segment(NOON + HOUR, digest="b" * 43)
SAME_BYTES = make_segment(NOON + 2 * HOUR)
HOURS = [segment.hour for segment in (FIRST, LATER, SAME_BYTES)]


@pytest.fixture
def changes(tmp_path: Path) -> HourChanges:
    for segment in (FIRST, LATER, SAME_BYTES):
        put_segment(tmp_path, segment)
    settle(tmp_path)
    return HourChanges(SegmentStore(tmp_path), "demo", "source")


def changed(changes: HourChanges) -> list[str]:
    looked = list(changes.look())
    assert [hour for hour, _ in looked] == HOURS
    return [hour for hour, found in looked if found is not None]


def test_what_has_not_changed_is_not_yielded_again(changes: HourChanges, tmp_path: Path) -> None:
    assert changed(changes) == HOURS
    assert changed(changes) == []
    put_segment(tmp_path, make_segment(NOON + HOUR + 2 * SECOND, digest="c" * 43))
    assert changed(changes) == HOURS[1:2]
    assert changed(changes) == []


def test_a_tombstone_changes_every_hour_that_it_touches(
    changes: HourChanges, tmp_path: Path
) -> None:
    changed(changes)
    put_name(tmp_path, FIRST.tombstone.name)
    assert changed(changes) == [HOURS[0], HOURS[2]]
    put_name(tmp_path, "30:00.0-3600.0-any.tombstone")
    assert changed(changes) == HOURS[:2]


def test_a_look_that_was_broken_off_is_none(changes: HourChanges) -> None:
    next(iter(changes.look()))
    assert changed(changes) == HOURS


def test_only_wanted_hours_are_looked_at(changes: HourChanges) -> None:
    assert [hour for hour, _ in changes.look(lambda hour: hour > HOURS[0])] == HOURS[1:]
    assert changed(changes) == HOURS[:1]
