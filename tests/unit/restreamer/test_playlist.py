"""The text of playlists, judged by a strict reader of the RFC's grammar."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.segments.path import Segment, SegmentType, format_name
from common.times import SECOND, Micros, parse_time
from restreamer.playlist import (
    MediaPlaylist,
    Variant,
    closed_target_seconds,
    codec_string,
    entries,
    master_playlist,
    media_playlist,
    sliding,
    url,
)
from tests.support.playlist_grammar import (
    Media,
    NotAPlaylist,
    check_reload,
    read_master,
    read_media,
)

START = parse_time("2026-07-01T12:00:00")


def segment(
    start: Micros, duration: Micros = 2 * SECOND, kind: SegmentType = SegmentType.FULL
) -> Segment:
    digest = f"{start:043d}"
    return Segment(
        start=start,
        duration=duration,
        type=kind,
        hash=digest,
        name=format_name(start, duration, kind, digest),
    )


@st.composite
def recordings(draw: st.DrawFn) -> list[Segment]:
    """Segments in order, some after holes, some not full, of all durations up to 10 s."""
    steps = draw(
        st.lists(
            st.tuples(
                st.integers(1, 10 * SECOND),
                st.sampled_from([0, 0, 0, 5_000, 3 * SECOND, 4000 * SECOND]),
                st.sampled_from([SegmentType.FULL] * 3 + [SegmentType.PARTIAL]),
            ),
            max_size=40,
        )
    )
    made, at = [], START
    for duration, gap, kind in steps:
        made.append(segment(at + gap, duration, kind))
        at += gap + duration
    return made


def closed_text(segments: list[Segment]) -> str:
    made = entries(segments, {})
    target = closed_target_seconds(made)
    playlist = MediaPlaylist(entries=made, target_seconds=target, kind="VOD", closed=True)
    return media_playlist(playlist, "../../segments/c/q")


@given(recordings())
def test_a_closed_playlist_obeys_the_grammar_and_lists_every_segment(
    segments: list[Segment],
) -> None:
    playlist = read_media(closed_text(segments))
    assert playlist.ended
    assert [line.uri.rsplit("/", 1)[1] for line in playlist.segments] == [
        entry.name for entry in segments
    ]
    assert [parse_time(line.date or "") for line in playlist.segments] == [
        entry.start for entry in segments
    ]


@given(recordings(), st.integers(30, 100))
def test_a_growing_live_playlist_never_changes_what_it_has_shown(
    segments: list[Segment], window_seconds: int
) -> None:
    before: Media | None = None
    for count in range(1, len(segments) + 1):
        made = entries(segments[:count], {})
        shown = sliding(made, target_seconds=10, window=window_seconds * SECOND)
        after = read_media(media_playlist(shown, "s"))
        assert not after.ended
        assert after.segments[-1].uri.endswith(segments[count - 1].name)
        if before is not None:
            check_reload(before, after)
        before = after


def test_a_live_playlist_keeps_three_target_durations() -> None:
    made = entries([segment(START + index * 2 * SECOND) for index in range(30)], {})
    shown = sliding(made, target_seconds=5, window=SECOND)
    assert sum(entry.duration for entry in shown.entries) >= 15 * SECOND
    assert shown.media_sequence == 30 - len(shown.entries)


def test_discontinuities_that_slid_away_are_counted() -> None:
    starts = [START + index * 4 * SECOND for index in range(20)]  # a hole after each
    shown = sliding(entries([segment(at) for at in starts], {}), target_seconds=2, window=0)
    assert len(shown.entries) == 3
    assert shown.discontinuity_sequence == 16  # of 19, three are still in the text


@pytest.mark.parametrize(
    ("gap", "before", "expected"),
    [
        (0, SegmentType.FULL, False),
        (10_000, SegmentType.FULL, False),
        (-10_000, SegmentType.FULL, False),
        (10_001, SegmentType.FULL, True),
        (-10_001, SegmentType.FULL, True),
        (0, SegmentType.PARTIAL, True),
        (0, SegmentType.SUSPECT, True),
    ],
)
def test_a_discontinuity_stands_where_segments_do_not_continue(
    gap: Micros, before: SegmentType, expected: bool
) -> None:
    first = segment(START, kind=before)
    made = entries([first, segment(first.end + gap)], {})
    assert [entry.discontinuity for entry in made] == [False, expected]


def test_a_partial_segment_is_as_long_as_it_was_measured() -> None:
    broken = segment(START, kind=SegmentType.PARTIAL)
    made = entries([broken], {broken.name: 700_000})
    assert made[0].duration == 700_000


def test_a_master_playlist_obeys_the_grammar_and_begins_with_the_best() -> None:
    text = master_playlist(
        [
            Variant(quality="360p30", uri="c/360p30.m3u8", bandwidth=600_000, average=500_000),
            Variant(
                quality="source",
                uri="c/source.m3u8?start=2026-07-01T12:00:00Z",
                bandwidth=6_000_000,
                average=5_000_000,
                codecs="avc1.640029,mp4a.40.2",
                resolution=(1920, 1080),
                frame_rate=Fraction(60_000, 1001),
            ),
        ]
    )
    master = read_master(text)
    best, lower = master.streams
    assert best.uri == "c/source.m3u8?start=2026-07-01T12:00:00Z"
    assert best.attributes["FRAME-RATE"] == "59.940"
    assert best.attributes["RESOLUTION"] == "1920x1080"
    assert lower.attributes.keys() == {"BANDWIDTH", "AVERAGE-BANDWIDTH", "VIDEO"}


@pytest.mark.parametrize(
    ("codec", "profile", "level", "expected"),
    [
        ("h264", "High", 41, "avc1.640029"),
        ("h264", "Main", 31, "avc1.4d401f"),
        ("h264", "unheard of", 31, None),
        ("h264", "High", 0, None),
        ("aac", None, 0, "mp4a.40.2"),
        ("klingon", None, 0, None),
    ],
)
def test_codecs_have_their_registered_names(
    codec: str, profile: str | None, level: int, expected: str | None
) -> None:
    assert codec_string(codec, profile, level) == expected


def test_a_url_keeps_colons_readable_and_escapes_the_rest() -> None:
    assert url(["a b", "q"], ".m3u8", {"start": "12:00+"}) == "a%20b/q.m3u8?start=12:00%2B"


GOOD = closed_text([segment(START), segment(START + 2 * SECOND)])


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("#EXTM3U\n", ""),
        ("#EXT-X-TARGETDURATION:2", "#EXT-X-TARGETDURATION:2.0"),
        ("#EXT-X-TARGETDURATION:2", "#EXT-X-TARGETDURATION:1"),
        ("#EXT-X-VERSION:3", "#EXT-X-VERSION:2"),
        ("#EXTINF:2.000000,", "#EXTINF:2.000000"),
        ("#EXTINF:2.000000,", "#EXTINF:-2.000000,"),
        ("#EXTINF:2.000000,\n", ""),
        ("000Z", "000"),
        ("#EXT-X-ENDLIST\n", "#EXT-X-ENDLIST"),
        ("#EXT-X-ENDLIST\n", "#EXT-X-ENDLIST\nx.ts\n"),
        ("#EXT-X-MEDIA-SEQUENCE:0\n", "#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-MEDIA-SEQUENCE:0\n"),
        ("../../segments", "../../seg ments"),
    ],
)
def test_the_strict_reader_refuses(good: str, bad: str) -> None:
    read_media(GOOD)
    assert good in GOOD
    with pytest.raises(NotAPlaylist):
        read_media(GOOD.replace(good, bad))
