"""The streams of the benchmarks: steady, out of step with each other, and fit to be recorded."""

import itertools

from bench.stream import SEGMENT, SEGMENT_BYTES, Schedule, content_hash, head, rest
from common.media.ts import is_whole
from common.segments.path import SegmentType
from common.times import SECOND
from downloader.hls import parse_media
from downloader.verdict import judge

EPOCH = 1_800_000_000_000_000
SCHEDULE = Schedule(EPOCH)


def test_a_segment_is_listed_when_it_is_complete_and_not_before() -> None:
    listed = SCHEDULE.listed_at(3, 4)
    assert listed == SCHEDULE.start(3, 4) + SEGMENT
    assert SCHEDULE.complete(3, listed - 1) == 4
    assert SCHEDULE.complete(3, listed) == 5


def test_nothing_is_complete_before_a_stream_begins() -> None:
    assert SCHEDULE.complete(1, EPOCH - 10 * SECOND) == 0


def test_the_playlist_lists_the_window_with_its_times() -> None:
    now = SCHEDULE.listed_at(2, 9)
    playlist = parse_media(SCHEDULE.playlist(2, now), "http://origin/streams/2.m3u8")
    assert [segment.sequence for segment in playlist.segments] == list(SCHEDULE.window(2, now))
    assert playlist.segments[-1].program_time == SCHEDULE.start(2, 9)
    assert playlist.segments[-1].url == "http://origin/segments/2/9.ts"
    assert playlist.target == SEGMENT


def test_streams_begin_at_all_moments_of_a_segments_duration() -> None:
    begins = sorted(SCHEDULE.begin(stream) - EPOCH for stream in range(100))
    assert begins[0] >= 0
    assert begins[-1] < SEGMENT
    gaps = [after - before for before, after in itertools.pairwise(begins)]
    assert max(gaps) <= SEGMENT // 25


def test_a_segments_bytes_are_whole_and_full_and_like_no_others() -> None:
    data = head(1, 2) + rest()
    assert len(data) == SEGMENT_BYTES
    assert is_whole(data)
    assert judge(data, SEGMENT, time_in_doubt=False).type is SegmentType.FULL
    assert len({content_hash(stream, index) for stream in range(3) for index in range(3)}) == 9
