"""The index of digests: always right, and as cheap as what changed."""

import gc
import os
import random
from collections import Counter
from pathlib import Path

import gevent
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.replication.digest import digest_of
from common.replication.index import DigestIndex
from common.segments.path import Segment
from common.segments.store import Hour, SegmentStore
from common.times import HOUR, SECOND, format_hour
from tests.support.segments import NOON, make_segment, put_name, put_segment, settle

DEMO = ("demo", "source")


def segment(number: int, hour: int = 0) -> Segment:
    return make_segment(NOON + hour * HOUR + number * 2 * SECOND, digest=f"{number:043d}")


def expected(base_dir: Path) -> dict[str, int]:
    """The digests as a store that was never asked before has them."""
    store = SegmentStore(base_dir)
    found = {hour: digest_of(store.hour(*DEMO, hour).names) for hour in store.hours(*DEMO)}
    return {hour: value for hour, value in found.items() if value}


@pytest.fixture
def read_hours(monkeypatch: pytest.MonkeyPatch) -> "Counter[str]":
    """How often each hour was asked of the store."""
    counts: Counter[str] = Counter()
    original = SegmentStore.hour

    def counting(self: SegmentStore, channel: str, quality: str, hour: str, *rest: object) -> Hour:
        counts[hour] += 1
        return original(self, channel, quality, hour, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(SegmentStore, "hour", counting)
    return counts


def put_week(base_dir: Path, hours: int = 5, segments: int = 3) -> None:
    for hour in range(hours):
        for number in range(segments):
            put_segment(base_dir, segment(number + hour * segments, hour))
    settle(base_dir)


def test_what_has_not_changed_is_the_same_object_and_no_hour_is_read(
    tmp_path: Path, read_hours: "Counter[str]"
) -> None:
    put_week(tmp_path)
    index = DigestIndex(SegmentStore(tmp_path))
    first = index.digest(*DEMO)
    assert dict(first.hours) == expected(tmp_path)
    read_hours.clear()
    assert index.digest(*DEMO) is first
    assert read_hours.total() == 0


def test_a_new_segment_costs_its_hour_only(tmp_path: Path, read_hours: "Counter[str]") -> None:
    put_week(tmp_path)
    index = DigestIndex(SegmentStore(tmp_path))
    index.digest(*DEMO)
    read_hours.clear()
    put_segment(tmp_path, segment(99, 2))
    digest = index.digest(*DEMO)
    assert set(read_hours) == {format_hour(NOON + 2 * HOUR)}
    assert dict(digest.hours) == expected(tmp_path)


def test_a_tombstone_costs_its_hour_and_those_that_hold_its_hash(
    tmp_path: Path, read_hours: "Counter[str]"
) -> None:
    put_week(tmp_path)
    twin = make_segment(NOON + 3 * HOUR + 1000 * SECOND, digest=segment(0).hash)
    put_segment(tmp_path, twin)
    settle(tmp_path)
    index = DigestIndex(SegmentStore(tmp_path))
    index.digest(*DEMO)
    read_hours.clear()
    put_name(tmp_path, f"{segment(0).stem}.tombstone")
    digest = index.digest(*DEMO)
    assert set(read_hours) == {format_hour(NOON), twin.hour}
    assert dict(digest.hours) == expected(tmp_path)


def test_hours_that_the_store_no_longer_remembers_are_not_read_again(
    tmp_path: Path, read_hours: "Counter[str]"
) -> None:
    put_week(tmp_path)
    index = DigestIndex(SegmentStore(tmp_path, cached_hours=1))
    first = index.digest(*DEMO)
    gc.collect()
    read_hours.clear()
    assert index.digest(*DEMO) is first
    assert read_hours.total() == 0
    put_segment(tmp_path, segment(99, 1))
    assert dict(index.digest(*DEMO).hours) == expected(tmp_path)


def test_an_hour_comes_with_the_digest_of_exactly_its_names(tmp_path: Path) -> None:
    put_week(tmp_path)
    index = DigestIndex(SegmentStore(tmp_path))
    index.digest(*DEMO)
    put_segment(tmp_path, segment(98))
    hour, value = index.hour(*DEMO, format_hour(NOON))
    assert segment(98).name in hour.names
    assert value == digest_of(hour.names)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.integers())
def test_whatever_comes_and_goes_the_digests_are_those_of_the_folders(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    base_dir = tmp_path_factory.mktemp("store")
    rng = random.Random(seed)
    index = DigestIndex(SegmentStore(base_dir, cached_hours=2))
    for _ in range(12):
        _change(base_dir, rng)
        assert dict(index.digest(*DEMO).hours) == expected(base_dir)


def _change(base_dir: Path, rng: random.Random) -> None:
    hour, number = rng.randrange(3), rng.randrange(4)
    entry = segment(number, hour)
    folder = base_dir / "demo" / "source" / entry.hour
    names = [
        entry.name,
        f"{entry.stem}.tombstone",
        f"00:00.000000-{rng.choice((4, 3700))}.0-any.tombstone",
    ]
    path = folder / rng.choice(names)
    if path.exists():
        path.unlink()
    else:
        put_name(base_dir, path.name, hour=entry.hour)
    if rng.random() < 0.5:
        later = rng.randrange(1, 10**6)
        for known in (base_dir / "demo" / "source").iterdir():
            moment = known.stat().st_mtime_ns - HOUR * 1000 + later
            os.utime(known, ns=(moment, moment))


def test_of_many_that_ask_at_once_one_reads(tmp_path: Path, read_hours: "Counter[str]") -> None:
    put_week(tmp_path)
    index = DigestIndex(SegmentStore(tmp_path))
    asking = [gevent.spawn(index.digest, *DEMO) for _ in range(10)]
    gevent.joinall(asking, timeout=120, raise_error=True)
    assert all(one.value is asking[0].value for one in asking)
    assert set(read_hours.values()) == {1}
