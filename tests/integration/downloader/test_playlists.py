"""Playlists that misbehave: what lands in the store and in the journal."""

import time

import pytest

from common.segments.path import SegmentType
from common.times import SECOND, format_time
from tests.integration.downloader.conftest import Record
from tests.integration.downloader.recording import (
    Gap,
    Recording,
    assert_contiguous,
    at,
    gap_of,
    segment_requests,
)
from tests.support.origin import Origin
from tests.support.waiting import wait_until


def step(origin: Origin, recording: Recording, segments: int) -> None:
    """Let segments be listed one by one, each only when the one before is stored."""
    for _ in range(segments):
        origin.advance(2)
        recording.wait_for(origin.listed_hashes())


def assert_fetched_once(origin: Origin) -> None:
    """Every segment was asked for exactly once, advertisements not at all."""
    asked = {entry["index"]: segment_requests(origin, entry["index"]) for entry in origin.listed()}
    assert asked == {entry["index"]: int(not entry["advertisement"]) for entry in origin.listed()}


def master_requests(origin: Origin) -> int:
    return origin.request_counts().get("/master.m3u8", 0)


def test_a_stream_is_recorded_as_it_is_listed(origin: Origin, record: Record) -> None:
    origin.advance(6)
    recording = record()
    recording.wait_for(origin.listed_hashes())
    step(origin, recording, 3)
    recording.wait_for_metric(6, "segments_total")
    segments = recording.segments()
    assert [segment.hash for segment in segments] == origin.listed_hashes()
    assert [segment.start for segment in segments] == [at(index) for index in range(6)]
    assert_contiguous(segments)
    assert recording.gaps() == []
    assert recording.metric("segments_total", channel="demo", quality="source", type="full") == 6
    assert recording.metric("newest_segment_timestamp_seconds") == at(6) / SECOND
    assert recording.metric("live") == 1


def test_another_look_at_an_unchanged_playlist_asks_for_no_segment(
    origin: Origin, record: Record
) -> None:
    origin.advance(6)
    recording = record()
    recording.wait_for(origin.listed_hashes())
    recording.see_unchanged()
    assert_fetched_once(origin)
    assert recording.metric("polls_total", outcome="new") == 1


def test_a_downloader_that_is_started_again_asks_for_nothing_that_it_has(
    origin: Origin, record: Record
) -> None:
    origin.advance(6)
    first = record()
    first.wait_for(origin.listed_hashes())
    assert first.process.terminate() == 0
    origin.advance(4)
    second = record()
    second.wait_for(origin.listed_hashes())
    second.see_unchanged()
    assert_fetched_once(origin)
    assert second.gaps() == []


@pytest.mark.parametrize("sequence", [0, 8, 9, 100])
def test_an_origin_that_restarts_with_other_sequence_numbers_is_recorded_on(
    origin: Origin, record: Record, sequence: int
) -> None:
    """The first ten segments were numbered 0 to 9."""
    origin.advance(20)
    recording = record()
    recording.wait_for(origin.listed_hashes())
    origin.change(restart_at_sequence=sequence)
    origin.advance(4)
    recording.wait_for(origin.listed_hashes())
    step(origin, recording, 2)
    assert_contiguous(recording.segments())
    assert_fetched_once(origin)
    assert recording.gaps() == []


@pytest.mark.parametrize(
    ("jump_seconds", "stall_seconds"),
    [
        pytest.param(0.5, 0, id="forwards"),
        pytest.param(-0.5, 0, id="backwards"),
        pytest.param(0.5, 2, id="while the transfer is under way"),
    ],
)
def test_after_a_jump_in_time_segments_are_suspect_until_a_fresh_worker_brings_them(
    origin: Origin, record: Record, jump_seconds: float, stall_seconds: float
) -> None:
    origin.advance(6)
    recording = record()
    recording.wait_for(origin.listed_hashes())
    origin.fault(origin.segment_path(3), "stall", seconds=stall_seconds)
    origin.change(jump_seconds=jump_seconds)
    origin.advance(2)
    recording.wait_for_metric(1, "segments_total", type="suspect")
    recording.wait_for(origin.listed_hashes())
    step(origin, recording, 2)
    segments = recording.segments()
    assert [(segment.start, segment.type.value) for segment in segments] == [
        *[(at(index), "full") for index in range(3)],
        *[(at(3, jump_seconds), kind) for kind in ("full", "suspect")],
        *[(at(index, jump_seconds), "full") for index in (4, 5)],
    ]
    assert segments[3].hash == segments[4].hash
    assert segment_requests(origin, 3) == 2
    assert recording.gaps() == []
    assert "time jumped" in recording.process.output
    assert "stands still" not in recording.process.output, "a third worker was needed"


def test_without_program_date_time_the_clock_is_asked_once_and_durations_are_counted(
    origin: Origin, record: Record
) -> None:
    origin.change(program_date_time=False)
    origin.advance(6)
    before = time.time_ns() // 1000
    recording = record()
    recording.wait_for(origin.listed_hashes())
    after = time.time_ns() // 1000
    step(origin, recording, 3)
    segments = recording.segments()
    assert_contiguous(segments)
    assert before <= segments[2].end <= after
    assert [segment.hash for segment in segments] == origin.listed_hashes()
    assert recording.types() == {"full": 6}
    assert_fetched_once(origin)
    assert recording.gaps() == []


def test_a_stream_that_stops_to_say_its_time_is_counted_on(origin: Origin, record: Record) -> None:
    origin.change(window_segments=3)
    origin.advance(6)
    recording = record()
    recording.wait_for(origin.listed_hashes())
    origin.change(program_date_time=False)
    step(origin, recording, 5)
    assert [segment.start for segment in recording.segments()] == [at(n) for n in range(8)]
    assert_fetched_once(origin)
    assert recording.gaps() == []


def test_an_initialization_section_is_hashed_with_what_follows_it(
    origin: Origin, record: Record
) -> None:
    origin.change(map=True)
    origin.advance(6)
    recording = record()
    recording.wait_for(origin.listed_hashes())
    step(origin, recording, 2)
    assert recording.types() == {"full": 5}
    assert origin.request_counts()["/segments/source/init.ts"] == 1
    assert_fetched_once(origin)


@pytest.mark.parametrize("mark", ["class", "id", "title"])
def test_an_advertisement_is_skipped_by_each_of_its_marks(
    origin: Origin, record: Record, mark: str
) -> None:
    origin.advance(4)
    recording = record()
    recording.wait_for(origin.listed_hashes())
    origin.change(advertisement_segments=2, advertisement_marks=[mark])
    origin.advance(4)
    assert recording.wait_for_gaps(2) == [gap_of(n, "advertisement") for n in (2, 3)]
    step(origin, recording, 2)
    assert [segment.start for segment in recording.segments()] == [at(n) for n in (0, 1, 4, 5)]
    assert_fetched_once(origin)
    assert recording.metric("gaps_total", reason="advertisement") == 2
    assert recording.metric("gap_seconds_total", reason="advertisement") == 4


def test_false_discontinuities_change_nothing(origin: Origin, record: Record) -> None:
    origin.advance(4)
    recording = record()
    recording.wait_for(origin.listed_hashes())
    for _ in range(3):
        origin.change(discontinuity=True)
        step(origin, recording, 1)
    assert_contiguous(recording.segments())
    assert recording.types() == {"full": 5}
    assert_fetched_once(origin)
    assert recording.gaps() == []
    assert master_requests(origin) == 1


def test_a_stream_that_ends_is_recorded_when_it_is_back(origin: Origin, record: Record) -> None:
    origin.advance(4)
    recording = record()
    recording.wait_for(origin.listed_hashes())
    origin.change(ended=True)
    wait_until(lambda: master_requests(origin) > 2, "it looks for the stream again and again")
    origin.advance(6)  # segments 2 to 4 are never listed
    origin.change(ended=False)
    step(origin, recording, 2)
    gap = Gap(
        start=format_time(at(2)),
        end=format_time(at(5)),
        reason="origin_ended",
        detail="",
        sequence=2,
    )
    assert recording.gaps() == [gap]
    assert [segment.start for segment in recording.segments()] == [at(n) for n in (0, 1, 5, 6)]
    assert_fetched_once(origin)


def test_a_stream_that_is_off_the_air_is_recorded_when_it_comes(
    origin: Origin, record: Record
) -> None:
    origin.fault("/master.m3u8", "status", status=404, times=3)
    origin.advance(4)
    recording = record()
    recording.wait_for(origin.listed_hashes())
    assert recording.metric("live") == 1
    assert recording.process.output.count("cannot record demo/source") == 1
    assert master_requests(origin) == 4


def test_a_playlist_that_stands_still_brings_a_fresh_worker_and_is_recorded_when_it_moves(
    origin: Origin, record: Record
) -> None:
    origin.change(target_seconds=2)
    origin.advance(4)
    recording = record()
    recording.wait_for(origin.listed_hashes())
    origin.change(frozen=True)
    origin.advance(6)
    wait_until(lambda: master_requests(origin) >= 2, "a fresh address is asked for")
    origin.change(frozen=False)
    recording.wait_for(origin.listed_hashes())
    step(origin, recording, 1)
    assert_contiguous(recording.segments())
    assert_fetched_once(origin)
    assert recording.gaps() == []


def test_segments_that_left_the_playlist_unseen_are_in_the_journal(
    origin: Origin, record: Record
) -> None:
    origin.change(window_segments=3)
    origin.advance(6)
    recording = record()
    recording.wait_for(origin.listed_hashes())
    origin.advance(10)  # 3 and 4 are listed and gone again
    (gap,) = recording.wait_for_gaps(1)
    assert (gap.start, gap.end) == (format_time(at(3)), format_time(at(5)))
    assert gap.reason == "missed"
    wait_until(lambda: len(recording.fulls()) == 6, "the rest is stored")
    assert [segment.start for segment in recording.segments()] == [
        at(n) for n in (0, 1, 2, 5, 6, 7)
    ]


def test_a_playlist_that_cannot_be_had_for_a_while_loses_nothing(
    origin: Origin, record: Record
) -> None:
    origin.advance(4)
    recording = record()
    recording.wait_for(origin.listed_hashes())
    origin.fault("/media/*", "status", status=500, times=3)
    origin.advance(4)
    recording.wait_for(origin.listed_hashes())
    assert recording.types() == {SegmentType.FULL.value: 4}
    recording.wait_for_metric(3, "polls_total", outcome="error")
    assert recording.metric("polls_total", outcome="error") == 3
    assert_fetched_once(origin)
    assert recording.gaps() == []
