"""The store: what is listed, what is hidden, and how seldom the disk is read."""

import logging
import math
import os
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from common.segments.path import Segment, SegmentType, format_name
from common.segments.select import Hole
from common.segments.store import EMPTY_HOUR, SegmentStore
from common.times import HOUR, MINUTE, SECOND, Micros, TimeRange, format_hour
from tests.support.segments import NOON, make_segment, put_name, put_segment, settle

DEMO = ("demo", "source")
HOUR_NAME = format_hour(NOON)
FIRST = make_segment(NOON, digest="a" * 43)
SECOND_ONE = make_segment(NOON + 2 * SECOND, digest="b" * 43)
BAD_NAMES = "wubloader_store_bad_names_total"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def store(tmp_path: Path, registry: CollectorRegistry) -> SegmentStore:
    return SegmentStore(tmp_path, registry=registry)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> "Counter[str]":
    """How often each folder's names were read, by the folder's name."""
    counts: Counter[str] = Counter()
    listdir = os.listdir

    def counting(folder: Path) -> list[str]:
        counts[Path(folder).name] += 1
        return listdir(folder)

    monkeypatch.setattr(os, "listdir", counting)
    return counts


class Clock:
    """Stands still, so that what has just changed does not become old."""

    def __init__(self) -> None:
        self.now_ns = time.time_ns()

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time_ns", clock)
    return clock


def listed(store: SegmentStore, hour: str = HOUR_NAME) -> list[Segment]:
    return list(store.hour(*DEMO, hour).segments)


def tombstone_of(segment: Segment) -> str:
    return f"{segment.stem}.tombstone"


def put_range_tombstone(base_dir: Path, start: Micros, seconds: int) -> Path:
    minute, second = divmod((start % HOUR) // SECOND, 60)
    name = f"{minute:02d}:{second:02d}.000000-{seconds}.0-any.tombstone"
    return put_name(base_dir, name, hour=format_hour(start))


# What is listed.


def test_segments_are_listed_in_order_with_size_and_landing_time(
    store: SegmentStore, tmp_path: Path
) -> None:
    put_segment(tmp_path, SECOND_ONE)
    path = put_name(tmp_path, FIRST.name, size_bytes=376)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    assert listed(store) == [FIRST, SECOND_ONE]
    stat = store.hour(*DEMO, HOUR_NAME).stats[FIRST.name]
    assert (stat.size_bytes, stat.landed) == (376, 1_700_000_000 * SECOND)
    assert store.path(*DEMO, FIRST) == path


def test_folders_are_listed_down_to_the_hour_without_what_is_hidden(
    store: SegmentStore, tmp_path: Path
) -> None:
    put_segment(tmp_path, FIRST)
    for folder in ("demo/.hidden", ".demo", "demo/source/2026-07-01", "demo/source/..x", "a b"):
        (tmp_path / folder).mkdir()
    (tmp_path / "demo" / "file").touch()
    assert store.channels() == ["demo"]
    assert store.qualities("demo") == ["source"]
    assert store.hours(*DEMO) == [HOUR_NAME]


@pytest.mark.parametrize("name", ["..", "../demo", ".", "", "demo/source", "/etc", "de\0mo"])
def test_a_name_that_is_no_safe_folder_is_absent(
    store: SegmentStore, tmp_path: Path, name: str
) -> None:
    put_segment(tmp_path, FIRST)
    assert store.qualities(name) == []
    assert store.hours(name, "source") == store.hours("demo", name) == []
    assert store.hour(name, "source", HOUR_NAME) is EMPTY_HOUR
    assert store.hour(*DEMO, name) is EMPTY_HOUR
    span = TimeRange(NOON, NOON + SECOND)
    assert store.best("demo", name, span) == (Hole(span.start, span.end),)
    with pytest.raises(ValueError, match="cannot be names of folders"):
        store.writer("demo", name, NOON, SECOND)


def test_an_hour_of_temp_files_only_is_empty(store: SegmentStore, tmp_path: Path) -> None:
    put_segment(tmp_path, make_segment(NOON, kind=SegmentType.TEMP, digest="0a1b2c3d-0000"))
    assert store.hours(*DEMO) == [HOUR_NAME]
    assert listed(store) == []
    assert store.hour(*DEMO, HOUR_NAME).names == []


def test_a_name_of_no_known_format_is_counted_and_logged_once(
    store: SegmentStore,
    tmp_path: Path,
    registry: CollectorRegistry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    put_segment(tmp_path, FIRST)
    put_name(tmp_path, "nonsense.ts")
    put_name(tmp_path, "nonsense.tombstone")
    put_name(tmp_path, ".hidden")
    for index in range(3):
        assert [*listed(store)][:1] == [FIRST]
        put_segment(tmp_path, make_segment(NOON + (index + 1) * MINUTE, digest=f"{index}" * 43))
    logged = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert sorted(record.getMessage().split("'")[1] for record in logged) == [
        "nonsense.tombstone",
        "nonsense.ts",
    ]
    assert registry.get_sample_value(BAD_NAMES) == 2


def test_an_hour_that_vanishes_while_it_is_read_is_an_empty_hour(
    store: SegmentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put_segment(tmp_path, FIRST).parent
    listdir = os.listdir

    def vanish(path: Path) -> list[str]:
        names = listdir(path)
        shutil.rmtree(folder, ignore_errors=True)
        return names

    monkeypatch.setattr(os, "listdir", vanish)
    assert listed(store) == []
    assert listed(store) == []
    assert store.hours(*DEMO) == []


def test_a_quality_that_vanishes_is_an_empty_one(store: SegmentStore, tmp_path: Path) -> None:
    put_segment(tmp_path, FIRST)
    put_name(tmp_path, tombstone_of(SECOND_ONE))
    assert listed(store) == [FIRST]
    shutil.rmtree(tmp_path / "demo")
    assert listed(store) == []
    put_segment(tmp_path, SECOND_ONE)
    assert listed(store) == [SECOND_ONE]


# Tombstones.


def test_a_tombstone_hides_its_segment_and_is_itself_listed_for_peers(
    store: SegmentStore, tmp_path: Path
) -> None:
    put_segment(tmp_path, FIRST)
    path = put_segment(tmp_path, SECOND_ONE)
    assert listed(store) == [FIRST, SECOND_ONE]
    put_name(tmp_path, tombstone_of(SECOND_ONE))
    assert listed(store) == [FIRST]
    assert store.hour(*DEMO, HOUR_NAME).names == [FIRST.name, tombstone_of(SECOND_ONE)]
    span = TimeRange(NOON, NOON + 4 * SECOND)
    assert store.best(*DEMO, span) == (FIRST, Hole(FIRST.end, span.end))
    assert store.find_bytes(*DEMO, SECOND_ONE.start, SECOND_ONE.hash) is None
    assert path.exists()


def test_a_tombstone_that_is_taken_away_shows_its_segment_again(
    store: SegmentStore, tmp_path: Path
) -> None:
    put_segment(tmp_path, FIRST)
    tombstone = put_name(tmp_path, tombstone_of(FIRST))
    assert listed(store) == []
    tombstone.unlink()
    assert listed(store) == [FIRST]


def test_a_tombstone_hides_the_same_bytes_in_another_hour_also_when_they_come_later(
    store: SegmentStore, tmp_path: Path
) -> None:
    earlier = make_segment(NOON - 1000, digest=FIRST.hash)
    put_segment(tmp_path, FIRST)
    put_segment(tmp_path, SECOND_ONE)
    settle(tmp_path)
    assert listed(store) == [FIRST, SECOND_ONE]
    put_name(tmp_path, tombstone_of(earlier), hour=earlier.hour)
    assert listed(store) == [SECOND_ONE]
    put_segment(tmp_path, earlier)
    put_segment(tmp_path, make_segment(NOON + HOUR, digest=FIRST.hash))
    assert listed(store, earlier.hour) == []
    assert listed(store, format_hour(NOON + HOUR)) == []


def test_a_tombstone_hides_nothing_of_another_quality(store: SegmentStore, tmp_path: Path) -> None:
    put_segment(tmp_path, FIRST)
    other = tmp_path / "demo" / "360p30" / HOUR_NAME / tombstone_of(FIRST)
    other.parent.mkdir(parents=True)
    other.touch()
    assert listed(store) == [FIRST]


def test_a_range_tombstone_hides_what_starts_in_it_also_what_arrives_later(
    store: SegmentStore, tmp_path: Path
) -> None:
    starts = [58, 60, 89, 90, 120]
    segments = [make_segment(NOON + s * SECOND, digest=f"{s:043d}") for s in starts]
    for segment in segments[:3]:
        put_segment(tmp_path, segment)
    put_range_tombstone(tmp_path, NOON + 60 * SECOND, 30)
    assert listed(store) == [segments[0]]
    put_segment(tmp_path, make_segment(NOON + 70 * SECOND, digest="c" * 43))
    for segment in segments[3:]:
        put_segment(tmp_path, segment)
    assert listed(store) == [segments[0], *segments[3:]]


def test_a_range_tombstone_reaches_into_the_next_hour(store: SegmentStore, tmp_path: Path) -> None:
    put_range_tombstone(tmp_path, NOON - MINUTE, 61)
    put_segment(tmp_path, FIRST)
    put_segment(tmp_path, SECOND_ONE)
    assert listed(store) == [SECOND_ONE]


# The best sequence.


def test_a_segment_of_the_hour_before_reaches_into_the_range(
    store: SegmentStore, tmp_path: Path
) -> None:
    before = make_segment(NOON - SECOND, digest="c" * 43)
    after = make_segment(NOON + SECOND, digest="d" * 43)
    put_segment(tmp_path, before)
    put_segment(tmp_path, after)
    assert store.best(*DEMO, TimeRange(NOON, NOON + 3 * SECOND)) == (before, after)


def test_of_two_partials_the_larger_file_is_used(store: SegmentStore, tmp_path: Path) -> None:
    small = make_segment(NOON, kind=SegmentType.PARTIAL, digest="z" * 43)
    large = make_segment(NOON + 1000, kind=SegmentType.PARTIAL, digest="a" * 43)
    put_name(tmp_path, small.name, size_bytes=188)
    put_name(tmp_path, large.name, size_bytes=376)
    assert large in store.best(*DEMO, TimeRange(NOON, NOON + SECOND))


@pytest.mark.parametrize("hours_away", [0, -1, 1])
def test_bytes_are_found_in_the_hour_and_its_neighbours(
    store: SegmentStore, tmp_path: Path, hours_away: int
) -> None:
    there = make_segment(NOON + hours_away * HOUR, digest="h" * 43)
    put_segment(tmp_path, there)
    put_segment(tmp_path, make_segment(NOON, kind=SegmentType.SUSPECT, digest="s" * 43))
    assert store.find_bytes(*DEMO, NOON, "h" * 43) == there
    assert store.find_bytes(*DEMO, NOON, "s" * 43) is None  # not full


# The cached index.


def test_a_folder_is_read_again_only_when_it_has_changed(
    store: SegmentStore, tmp_path: Path, reads: "Counter[str]"
) -> None:
    for hour in range(3):
        put_segment(tmp_path, make_segment(NOON + hour * HOUR, digest=f"{hour}" * 43))
    settle(tmp_path)
    day = TimeRange(NOON, NOON + 3 * HOUR)
    store.best(*DEMO, day)
    reads.clear()
    store.best(*DEMO, day)
    assert reads.total() == 0
    put_segment(tmp_path, SECOND_ONE)
    assert SECOND_ONE in store.best(*DEMO, day)
    assert set(reads) == {HOUR_NAME}


def test_a_change_within_the_clock_s_granularity_is_seen(
    store: SegmentStore, tmp_path: Path, clock: Clock
) -> None:
    """The folder's mtime is the same before and after: only its youth says that it may change."""
    folder = put_segment(tmp_path, FIRST).parent
    os.utime(folder, ns=(clock.now_ns, clock.now_ns))
    assert listed(store) == [FIRST]
    put_segment(tmp_path, SECOND_ONE)
    put_name(tmp_path, tombstone_of(FIRST))
    os.utime(folder, ns=(clock.now_ns, clock.now_ns))
    assert listed(store) == [SECOND_ONE]


def test_a_file_system_that_keeps_whole_seconds_is_trusted_later(
    store: SegmentStore, tmp_path: Path, reads: "Counter[str]", clock: Clock
) -> None:
    folder = put_segment(tmp_path, FIRST).parent
    whole_second = clock.now_ns // 1_000_000_000 * 1_000_000_000
    os.utime(folder, ns=(whole_second, whole_second))
    clock.now_ns = whole_second + 1_500_000_000
    listed(store)
    reads.clear()
    listed(store)
    assert reads[HOUR_NAME] > 0
    clock.now_ns = whole_second + 5_000_000_000
    listed(store)
    reads.clear()
    listed(store)
    assert reads[HOUR_NAME] == 0


def test_only_new_names_are_asked_for_their_size(
    store: SegmentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_segment(tmp_path, FIRST)
    listed(store)
    put_segment(tmp_path, SECOND_ONE)
    asked = []
    stat = os.stat

    def recording(path: Path | str, **kwargs: bool) -> os.stat_result:
        asked.append(Path(path).name)
        return stat(path, **kwargs)

    monkeypatch.setattr(os, "stat", recording)
    assert listed(store) == [FIRST, SECOND_ONE]
    assert [name for name in asked if name.endswith(".ts")] == [SECOND_ONE.name]


def test_what_was_handed_out_never_changes(store: SegmentStore, tmp_path: Path) -> None:
    put_segment(tmp_path, FIRST)
    settle(tmp_path)
    before = store.hour(*DEMO, HOUR_NAME)
    assert store.hour(*DEMO, HOUR_NAME) is before
    names, stats = before.names, dict(before.stats)
    put_segment(tmp_path, SECOND_ONE)
    put_name(tmp_path, tombstone_of(FIRST))
    assert store.hour(*DEMO, HOUR_NAME) is not before
    assert (before.names, before.stats) == (names, stats)
    assert before.segments == (FIRST,)


def test_memory_is_bounded_by_the_number_of_cached_hours(
    tmp_path: Path, reads: "Counter[str]"
) -> None:
    store = SegmentStore(tmp_path, registry=CollectorRegistry(), cached_hours=2)
    hours = [make_segment(NOON + hour * HOUR, digest=f"{hour}" * 43) for hour in range(3)]
    for segment in hours:
        put_segment(tmp_path, segment)
    settle(tmp_path)
    for _ in range(2):
        for segment in hours:
            assert listed(store, segment.hour) == [segment]
    reads.clear()
    for segment in hours[1:]:  # the two last asked for
        listed(store, segment.hour)
    assert reads.total() == 0
    listed(store, hours[0].hour)
    assert set(reads) == {hours[0].hour}


# Temp files of the dead.


def temp_file(base_dir: Path, number: int, age_seconds: float) -> Path:
    name = format_name(
        NOON, 2 * SECOND, SegmentType.TEMP, f"{number:08d}-0000-4000-8000-000000000000"
    )
    path = put_name(base_dir, name)
    moment = time.time() - age_seconds
    os.utime(path, (moment, moment))
    return path


def test_temp_files_are_swept_by_age_and_nothing_else_is(
    store: SegmentStore, tmp_path: Path
) -> None:
    dead, living = temp_file(tmp_path, 1, 700), temp_file(tmp_path, 2, 500)
    kept = [put_segment(tmp_path, FIRST), put_name(tmp_path, "nonsense.ts")]
    for path in kept:
        os.utime(path, (0, 0))
    assert store.sweep_temps(600) == 1
    assert not dead.exists()
    assert living.exists()
    assert all(path.exists() for path in kept)
    assert store.sweep_temps(600) == 0


# What replication asks.


def test_an_hours_hidden_segments_are_apart(store: SegmentStore, tmp_path: Path) -> None:
    put_segment(tmp_path, FIRST)
    put_segment(tmp_path, SECOND_ONE)
    put_name(tmp_path, tombstone_of(FIRST))
    hour = store.hour(*DEMO, HOUR_NAME)
    assert (hour.segments, hour.hidden) == ((SECOND_ONE,), (FIRST,))
    assert hour.names == sorted([SECOND_ONE.name, tombstone_of(FIRST)])


@pytest.mark.usefixtures("clock")
def test_the_state_is_the_same_while_nothing_changes(store: SegmentStore, tmp_path: Path) -> None:
    put_segment(tmp_path, FIRST)
    settle(tmp_path)
    before = store.state(*DEMO)
    assert before.hours[HOUR_NAME] != 0
    again = store.state(*DEMO)
    assert again == before
    assert again.hidden is before.hidden
    put_name(tmp_path, tombstone_of(FIRST))
    after = store.state(*DEMO)
    assert after.hours[HOUR_NAME] == 0, "it has just changed, and may do so again"
    assert after.hidden.hides(FIRST)
    assert not before.hidden.hides(FIRST)


@pytest.mark.parametrize("names", [("..", "source"), ("demo", "a/b"), ("demo", "")])
def test_tombstones_are_written_into_the_store_only(
    store: SegmentStore, names: tuple[str, str]
) -> None:
    with pytest.raises(ValueError, match="folder"):
        store.add_tombstones(*names, HOUR_NAME, [FIRST.tombstone])
    with pytest.raises(ValueError, match="hour"):
        store.add_tombstones(*DEMO, "../..", [FIRST.tombstone])


def test_the_disk_is_measured_and_one_that_is_gone_does_not_break_the_metrics(
    store: SegmentStore, registry: CollectorRegistry, tmp_path: Path
) -> None:
    free, size = (
        registry.get_sample_value(f"wubloader_store_{what}_bytes") for what in ("free", "size")
    )
    assert free is not None
    assert size is not None
    assert 0 < free < size
    tmp_path.rmdir()
    gone = registry.get_sample_value("wubloader_store_free_bytes")
    assert gone is not None
    assert math.isnan(gone)
