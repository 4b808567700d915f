"""Names of segment files, in both directions."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import BadSegmentName
from common.segments.path import (
    TOMBSTONE_SUFFIX,
    Segment,
    SegmentType,
    Tombstone,
    encode_hash,
    format_name,
    is_component,
    parse_name,
    range_tombstones,
)
from common.times import (
    HOUR,
    MINUTE,
    SECOND,
    Micros,
    TimeRange,
    format_hour,
    from_datetime,
    parse_time,
)
from tests.support.segments import HASHES, NOON

HOUR_NAME = "2019-11-13T02"
HASH = "7IS92rssMzoSBQDIevHStbTNy-URRV3Vw-jzZ6pwOZM"
REAL = f"45:51.608000-2.0-full-{HASH}.ts"

STARTS = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - made aware
DURATIONS = st.integers(0, 99_999 * SECOND)
FINAL = st.sampled_from([SegmentType.FULL, SegmentType.SUSPECT, SegmentType.PARTIAL])


@given(STARTS.map(from_datetime), DURATIONS, FINAL, HASHES)
def test_what_is_formatted_is_parsed_to_the_same(
    start: Micros, duration: Micros, kind: SegmentType, digest: str
) -> None:
    name = format_name(start, duration, kind, digest)
    segment = parse_name(format_hour(start), name)
    assert isinstance(segment, Segment)
    assert (segment.start, segment.duration) == (start, duration)
    assert (segment.type, segment.hash, segment.name) == (kind, digest, name)
    assert segment.hour == format_hour(start)


@given(STARTS.map(from_datetime), DURATIONS, FINAL, HASHES)
def test_a_tombstone_has_the_stem_of_its_segment(
    start: Micros, duration: Micros, kind: SegmentType, digest: str
) -> None:
    segment = parse_name(format_hour(start), format_name(start, duration, kind, digest))
    name = format_name(start, duration, kind, digest, TOMBSTONE_SUFFIX)
    tombstone = parse_name(format_hour(start), name)
    assert isinstance(tombstone, Tombstone)
    assert (tombstone.stem, tombstone.hash) == (segment.stem, digest)


def test_a_real_name_means_what_it_says() -> None:
    segment = parse_name(HOUR_NAME, REAL)
    assert segment == Segment(
        start=parse_time("2019-11-13T02:45:51.608"),
        duration=2 * SECOND,
        type=SegmentType.FULL,
        hash=HASH,
        name=REAL,
    )
    assert segment.end == parse_time("2019-11-13T02:45:53.608")
    assert segment.stem == REAL.removesuffix(".ts")


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("6", 600_000),
        ("60", 600_000),
        ("608", 608_000),
        ("6081", 608_100),
        ("60812", 608_120),
        ("608123", 608_123),
        ("000001", 1),
        ("0", 0),
    ],
)
def test_a_start_has_one_to_six_digits_and_keeps_the_name_it_came_with(
    written: str, micros: Micros
) -> None:
    name = f"45:51.{written}-2.0-full-{HASH}.ts"
    segment = parse_name(HOUR_NAME, name)
    assert segment.start == parse_time("2019-11-13T02:45:51") + micros
    assert segment.name == name


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("2.0", 2 * SECOND),
        ("2", 2 * SECOND),
        ("0.0", 0),
        ("1.96", 1_960_000),
        ("2.000001", 2_000_001),
        ("2.0000019", 2_000_001),
        ("10.5", 10_500_000),
    ],
)
def test_a_duration_is_a_decimal_number_of_seconds(written: str, micros: Micros) -> None:
    assert parse_name(HOUR_NAME, f"00:00.0-{written}-full-{HASH}.ts").duration == micros


def test_a_temp_file_has_a_uuid_where_the_hash_goes() -> None:
    uuid = "0a1b2c3d-0000-4000-8000-000000000000"
    name = format_name(45 * MINUTE, 2 * SECOND, SegmentType.TEMP, uuid)
    assert name == f"45:00.000000-2.0-temp-{uuid}.ts"
    segment = parse_name("1970-01-01T00", name)
    assert isinstance(segment, Segment)
    assert (segment.type, segment.hash) == (SegmentType.TEMP, uuid)


def test_a_range_tombstone_has_a_range_and_no_hash() -> None:
    name = "10:00.000000-90.5-any.tombstone"
    tombstone = parse_name(HOUR_NAME, name)
    assert tombstone == Tombstone(
        start=parse_time("2019-11-13T02:10:00"), duration=90_500_000, hash=None, name=name
    )
    assert tombstone.end == parse_time("2019-11-13T02:11:30.5")


HOSTILE = [
    "",
    ".",
    "..",
    "../../etc/passwd",
    f"../{REAL}",
    f"{REAL}/..",
    f"/{REAL}",
    f" {REAL}",
    f"{REAL} ",
    f"{REAL}\n",
    f"{REAL}\0",
    f".{REAL}",
    f"{REAL}.ts",
    REAL.upper(),
    REAL.removesuffix(".ts"),
    REAL.replace(".ts", ".mp4"),
    REAL.replace(".ts", ".TOMBSTONE"),
    REAL.replace("45:", "60:"),
    REAL.replace(":51", ":60"),
    REAL.replace("45:51", "45:5"),
    REAL.replace("45:51", "٤٥:٥١"),  # digits, but not ours
    REAL.replace(".608000", ""),
    REAL.replace(".608000", "."),
    REAL.replace(".608000", ".6080000"),
    REAL.replace("-2.0-", "--2.0-"),
    REAL.replace("-2.0-", "-.5-"),
    REAL.replace("-2.0-", "-2.-"),
    REAL.replace("-2.0-", "-1e3-"),
    REAL.replace("-2.0-", "-inf-"),
    REAL.replace("-2.0-", "-nan-"),
    REAL.replace("-2.0-", "-123456.0-"),
    REAL.replace("full", "whole"),
    REAL.replace("full", "FULL"),
    REAL.replace("full", "any"),
    REAL.replace(f"-{HASH}", ""),
    REAL.replace(HASH, HASH[:-1]),
    REAL.replace(HASH, HASH + "A"),
    REAL.replace(HASH, HASH[:-1] + "="),
    REAL.replace(HASH, HASH[:-1] + "+"),
    REAL.replace(HASH, "../" + HASH[3:]),
    f"45:51.608000-2.0-any-{HASH}.tombstone",
    "45:51.608000-2.0-full.tombstone",
    "45:51.608000-2.0-temp-0a1b2c3d-0000-4000-8000-000000000000.tombstone",
    "45:51.608000-2.0-any.ts",
    "45:51.608000-2.0-temp.ts",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_of_no_known_format_is_refused_and_named(name: str) -> None:
    with pytest.raises(BadSegmentName) as caught:
        parse_name(HOUR_NAME, name)
    assert caught.value.name == name


@pytest.mark.parametrize(
    "hour",
    ["", "2019-11-13", "2019-11-13T24", "2019-02-30T00", "0000-01-01T00", "../2019-11-13T02"],
)
def test_a_folder_that_is_no_hour_is_refused(hour: str) -> None:
    with pytest.raises(BadSegmentName, match="the folder is not an hour"):
        parse_name(hour, REAL)


@given(st.text())
def test_any_text_is_parsed_or_refused_and_never_another_error(name: str) -> None:
    try:
        assert parse_name(HOUR_NAME, name).name == name
    except BadSegmentName:
        return


def test_a_hash_in_a_name_is_urlsafe_base64_without_padding() -> None:
    # SHA-256 of nothing (FIPS 180-4), by hand.
    digest = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    assert encode_hash(digest) == "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


@pytest.mark.parametrize("text", ["desertbus", "source", "1080p60", "a", "a.b", "a-b", "x" * 128])
def test_a_usual_name_is_a_folder_s(text: str) -> None:
    assert is_component(text)


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", ".hidden", "-rf", "a/b", "a\\b", "a b", "a\n", "a\0", "ä", "a:b", "x" * 129],
)
def test_a_name_that_could_leave_its_folder_or_trip_a_shell_is_none(text: str) -> None:
    assert not is_component(text)


@given(st.integers(0, HOUR - 1), DURATIONS)
def test_our_names_sort_as_their_starts_do(start: Micros, later: Micros) -> None:
    first = format_name(start, SECOND, SegmentType.FULL, HASH)
    second = format_name(min(start + later, HOUR - 1), SECOND, SegmentType.FULL, HASH)
    assert first <= second


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_range_tombstones_together_cover_the_range_and_are_read_as_written(
    first: int, seconds: int
) -> None:
    span = TimeRange(NOON + first, NOON + first + seconds * SECOND + 1)
    found = list(range_tombstones(span))
    assert all(parse_name(entry.hour, entry.name) == entry for entry in found)
    assert found[0].start == span.start
    assert found[-1].end == span.end
    assert all(one.end == other.start for one, other in pairwise(found))
    assert all(entry.duration <= 24 * HOUR for entry in found)


def test_a_segments_tombstone_is_the_one_that_hides_it() -> None:
    segment = parse_name(HOUR_NAME, REAL)
    assert isinstance(segment, Segment)
    tombstone = segment.tombstone
    assert tombstone.stem == segment.stem
    assert parse_name(tombstone.hour, tombstone.name) == tombstone
