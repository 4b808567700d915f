"""Playlists of other people: what they say, and what they say when they are garbled."""

import random
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.times import SECOND, parse_time, to_datetime
from downloader.hls import (
    SOURCE,
    BadPlaylist,
    MediaPlaylist,
    MediaSegment,
    Variant,
    choose_variant,
    parse_media,
    parse_variants,
)

URL = "https://host/live/index.m3u8?token=1"
NOON = parse_time("2026-07-01T12:00:00")

MASTER = """#EXTM3U
#EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID="chunked",NAME="1080p60 (source)",AUTOSELECT=YES,DEFAULT=YES
#EXT-X-STREAM-INF:BANDWIDTH=6000000,RESOLUTION=1920x1080,VIDEO="chunked",FRAME-RATE=59.940
best.m3u8
#EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID="720p30",NAME="720p",AUTOSELECT=YES,DEFAULT=NO
#EXT-X-STREAM-INF:BANDWIDTH=2000000,RESOLUTION=1280x720,VIDEO="720p30",FRAME-RATE=30.000
https://other/mid.m3u8?token=2
#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=852x480,NAME="Medium, please"
/low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=160000,CODECS="mp4a.40.2",STABLE-VARIANT-ID="audio_only"
audio.m3u8
"""


def media(*lines: str, target: str = "2", sequence: int = 7) -> MediaPlaylist:
    head = ("#EXTM3U", f"#EXT-X-TARGETDURATION:{target}", f"#EXT-X-MEDIA-SEQUENCE:{sequence}")
    return parse_media("\n".join((*head, *lines)) + "\n", URL)


def stamp(text: str) -> str:
    return f"#EXT-X-PROGRAM-DATE-TIME:{text}"


def only(*lines: str) -> MediaSegment:
    (segment,) = media(*lines).segments
    return segment


# Variants


@pytest.mark.parametrize(
    ("quality", "url"),
    [
        (SOURCE, "https://host/live/best.m3u8"),
        ("1080p60", "https://host/live/best.m3u8"),
        ("1080p", "https://host/live/best.m3u8"),
        ("chunked", "https://host/live/best.m3u8"),
        ("1080P60 (Source)", "https://host/live/best.m3u8"),
        ("720p", "https://other/mid.m3u8?token=2"),
        ("720p30", "https://other/mid.m3u8?token=2"),
        ("480p", "https://host/low.m3u8"),
        ("medium, PLEASE", "https://host/low.m3u8"),
        ("audio_only", "https://host/live/audio.m3u8"),
        ("480p30", None),
        ("", None),
    ],
)
def test_a_quality_is_found_by_each_of_its_names(quality: str, url: str | None) -> None:
    found = choose_variant(parse_variants(MASTER, URL), quality)
    assert (found and found.url) == url


def test_of_several_with_the_name_the_best_is_taken() -> None:
    variants = [
        Variant(url=f"http://h/{rate}", names=frozenset({"720p"}), bandwidth=rate)
        for rate in (1, 3, 2)
    ]
    assert choose_variant(variants, "720p") == variants[1]


def test_where_no_bandwidth_is_known_the_first_is_the_source() -> None:
    variants = [
        Variant(url=f"http://h/{number}", names=frozenset(), bandwidth=0) for number in range(3)
    ]
    assert choose_variant(variants, SOURCE) == variants[0]


def test_a_media_playlist_is_its_own_only_variant() -> None:
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n"
    assert parse_variants(text, URL) == [Variant(url=URL, names=frozenset(), bandwidth=0)]


def test_a_byte_order_mark_does_no_harm() -> None:
    assert len(parse_variants("\ufeff" + MASTER, URL)) == 4


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not an HLS playlist"),
        ("<html>Not found</html>", "is not an HLS playlist"),
        ("#EXTM3U\n", "is not an HLS playlist"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", "lists no variants"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=much\na.m3u8\n", "cannot be parsed"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=inf\na.m3u8\n", "cannot be parsed"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://[::1\n", "cannot be parsed"),
    ],
)
def test_what_is_no_master_playlist_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(BadPlaylist, match=complaint):
        parse_variants(text, URL)


# Media


def test_a_segment_has_a_number_an_address_and_a_length() -> None:
    playlist = media("#EXTINF:2.002,live", "a.ts?token=1", "#EXTINF:1,", "/b.ts")
    first, second = playlist.segments
    assert (first.sequence, second.sequence) == (7, 8)
    assert (first.url, second.url) == ("https://host/live/a.ts?token=1", "https://host/b.ts")
    assert first.path == "/live/a.ts"
    assert (first.duration, second.duration) == (2_002_000, SECOND)
    assert (playlist.target, playlist.ended) == (2 * SECOND, False)


def test_without_a_sequence_number_counting_begins_at_zero() -> None:
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n"
    assert [segment.sequence for segment in parse_media(text, URL).segments] == [0]


def test_the_end_is_known() -> None:
    assert media("#EXTINF:2,", "a.ts", "#EXT-X-ENDLIST").ended


def test_a_target_duration_of_nothing_does_not_mean_to_poll_without_pause() -> None:
    assert media(target="0").target == SECOND


def test_a_discontinuity_belongs_to_the_segment_after_it() -> None:
    playlist = media("#EXTINF:2,", "a.ts", "#EXT-X-DISCONTINUITY", "#EXTINF:2,", "b.ts")
    assert [segment.discontinuity for segment in playlist.segments] == [False, True]


def test_parts_of_a_segment_that_is_not_complete_are_no_segment() -> None:
    playlist = media(
        "#EXTINF:2,",
        "a.ts",
        '#EXT-X-PART:DURATION=0.5,URI="b.0.ts"',
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="b.1.ts"',
    )
    assert [segment.path for segment in playlist.segments] == ["/live/a.ts"]


@pytest.mark.parametrize(
    "text",
    [
        "2026-07-01T12:00:00Z",
        "2026-07-01T12:00:00.000Z",
        "2026-07-01T14:00:00+02:00",
        "2026-07-01T12:00:00",
    ],
)
def test_a_time_is_understood_in_each_way_of_writing_it(text: str) -> None:
    assert only(stamp(text), "#EXTINF:2,", "a.ts").program_time == NOON


def test_times_are_carried_on_and_corrected_by_the_next_one() -> None:
    playlist = media(
        stamp("2026-07-01T12:00:00Z"),
        *("#EXTINF:2.002,", "a.ts", "#EXTINF:1.5,", "b.ts"),
        stamp("2026-07-01T12:00:04Z"),
        *("#EXTINF:2,", "c.ts", "#EXTINF:2,", "d.ts"),
    )
    times = [(segment.program_time or 0) - NOON for segment in playlist.segments]
    assert times == [0, 2_002_000, 4 * SECOND, 6 * SECOND]


def test_times_are_carried_back_to_segments_before_the_first_one() -> None:
    lines = ("#EXTINF:2,", "a.ts", "#EXTINF:1.5,", "b.ts", stamp("2026-07-01T12:00:00Z"))
    playlist = media(*lines, "#EXTINF:2,", "c.ts")
    times = [(segment.program_time or 0) - NOON for segment in playlist.segments]
    assert times == [-3_500_000, -1_500_000, 0]


def test_without_any_time_none_is_made_up() -> None:
    playlist = media("#EXTINF:2,", "a.ts", "#EXTINF:2,", "b.ts")
    assert [segment.program_time for segment in playlist.segments] == [None, None]


def test_an_initialization_section_holds_for_all_segments_after_it() -> None:
    playlist = media(
        *("#EXTINF:2,", "a.ts", '#EXT-X-MAP:URI="init.mp4",BYTERANGE="10@5"'),
        *("#EXTINF:2,", "b.ts", "#EXTINF:2,", "c.ts", '#EXT-X-MAP:URI="/other"'),
        *("#EXTINF:2,", "d.ts"),
    )
    init = "https://host/live/init.mp4"
    assert [segment.map_url for segment in playlist.segments] == [
        *(None, init, init, "https://host/other")
    ]
    assert [segment.map_range for segment in playlist.segments] == [
        *(None, range(5, 15), range(5, 15), None)
    ]


def test_a_byte_range_without_an_offset_goes_on_where_the_one_before_ended() -> None:
    playlist = media(
        *("#EXTINF:2,", "#EXT-X-BYTERANGE:100@20", "a.ts"),
        *("#EXTINF:2,", "#EXT-X-BYTERANGE:50", "a.ts"),
        *("#EXT-X-BYTERANGE:5", "#EXTINF:2,", "a.ts"),
        *("#EXTINF:2,", "b.ts"),
    )
    assert [segment.byte_range for segment in playlist.segments] == [
        *(range(20, 120), range(120, 170), range(170, 175), None)
    ]


@pytest.mark.parametrize(
    "lines",
    [
        ("#EXT-X-BYTERANGE:5", "#EXTINF:2,", "a.ts"),
        ("#EXTINF:2,", "#EXT-X-BYTERANGE:5@0", "a.ts", "#EXT-X-BYTERANGE:5", "#EXTINF:2,", "b"),
        ("#EXT-X-BYTERANGE:5@-1", "#EXTINF:2,", "a.ts"),
        ("#EXT-X-BYTERANGE:0@1", "#EXTINF:2,", "a.ts"),
        ("#EXT-X-BYTERANGE:many@1", "#EXTINF:2,", "a.ts"),
        ("#EXTINF:soon,", "a.ts"),
        ("#EXTINF:-2,", "a.ts"),
        ("#EXTINF:nan,", "a.ts"),
        ("#EXTINF:inf,", "a.ts"),
        ("#EXTINF:1e300,", "a.ts"),
        ("#EXTINF:4000,", "a.ts"),
        ("#EXTINF:2,", "http://[::1/a.ts"),
        (stamp("yesterday"), "#EXTINF:2,", "a.ts"),
        (stamp("9999-12-31T23:59:59-01:00"), "#EXTINF:2,", "a.ts"),
        (stamp("9999-12-31T23:59:59Z"), "#EXTINF:2,", "a.ts"),
        (stamp("0001-01-01T00:00:00+01:00"), "#EXTINF:2,", "a.ts"),
        ("a.ts", "#EXT-X-STREAM-INF:BANDWIDTH=1", "b.m3u8"),
    ],
)
def test_what_cannot_be_meant_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(BadPlaylist):
        media(*lines)


@pytest.mark.parametrize("target", ["", "two", "-2", "9" * 400])
def test_a_target_duration_that_cannot_be_meant_is_refused(target: str) -> None:
    with pytest.raises(BadPlaylist):
        media(target=target)


def test_a_playlist_without_a_target_duration_is_refused() -> None:
    with pytest.raises(BadPlaylist, match="has no target duration"):
        parse_media("#EXTM3U\n#EXTINF:2,\na.ts\n", URL)


@pytest.mark.parametrize(
    ("listed", "newest", "expected"),
    [(9, 9, False), (9, 8, False), (9, 7, False), (9, 6, True), (9, 0, True), (9, 10, False)],
)
def test_only_numbers_that_went_far_back_mean_a_restart(
    listed: int, newest: int, expected: bool
) -> None:
    playlist = media("#EXTINF:2,", "a.ts", sequence=newest)
    assert playlist.is_restart_after(listed) is expected


def test_an_empty_playlist_is_no_restart() -> None:
    assert not media().is_restart_after(9)


LIVE = (
    stamp("2026-07-01T12:00:00Z"),
    *("#EXTINF:2,live", "0.ts", "#EXTINF:2,live", "1.ts", "#EXTINF:2,live", "2.ts"),
)


# Advertisements, marked as Twitch marks them: the second of three segments is one


@pytest.mark.parametrize(
    "attributes",
    [
        'ID="x",CLASS="twitch-stitched-ad",START-DATE="2026-07-01T12:00:02Z",DURATION=2.0',
        'ID="stitched-ad-9",START-DATE="2026-07-01T12:00:02.000Z",DURATION=2.0',
        'ID="stitched-ad-9",START-DATE="2026-07-01T14:00:02+02:00",DURATION=2',
        'ID="stitched-ad-9",START-DATE="2026-07-01T12:00:02Z",PLANNED-DURATION=2',
        'ID="stitched-ad-9",START-DATE="2026-07-01T12:00:02Z",END-DATE="2026-07-01T12:00:04Z"',
    ],
)
def test_they_are_known_by_class_or_id_and_time(attributes: str) -> None:
    playlist = media(f"#EXT-X-DATERANGE:{attributes}", *LIVE)
    assert [segment.advertisement for segment in playlist.segments] == [False, True, False]


def test_they_are_known_by_title() -> None:
    playlist = media("#EXTINF:2,live", "0.ts", "#EXTINF:2,Amazon|123", "1.ts")
    assert [segment.advertisement for segment in playlist.segments] == [False, True]


@pytest.mark.parametrize(
    "attributes",
    [
        'ID="x",CLASS="twitch-session",START-DATE="2026-07-01T12:00:02Z",DURATION=2.0',
        'ID="not-stitched-ad-9",START-DATE="2026-07-01T12:00:02Z",DURATION=2.0',
        'ID="stitched-ad-9",START-DATE="2026-07-01T12:00:02Z"',
        'ID="stitched-ad-9",START-DATE="soon",DURATION=2.0',
        'ID="stitched-ad-9",DURATION=2.0',
        'ID="stitched-ad-9",START-DATE="2026-07-01T12:00:02Z",DURATION=-2.0',
        'ID="stitched-ad-9",START-DATE="2026-07-01T12:00:02Z",DURATION=inf',
        'ID="stitched-ad-9",START-DATE="2026-07-01T12:00:02Z",END-DATE="later"',
    ],
)
def test_other_marks_and_marks_that_say_no_time_are_not_taken_for_them(attributes: str) -> None:
    playlist = media(f"#EXT-X-DATERANGE:{attributes}", *LIVE)
    assert [segment.advertisement for segment in playlist.segments] == [False] * 3


VALUES = [
    *("", "=", ",", '"', "2", "2.0,", "2.002,live", "nan,", "-inf,", "1e999,", "-5,", "9" * 5000),
    *("2026-07-01T12:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-01:00", "now"),
    'ID="stitched-ad-1",START-DATE="x",DURATION=3',
    'ID="stitched-ad-1",START-DATE="9999-12-31T23:59:59Z",DURATION=1e300',
    'CLASS="twitch-stitched-ad",START-DATE="2026-07-01T12:00:00Z",DURATION=nan',
    *('URI="x"', 'URI="http://[::1"', 'URI="x",BYTERANGE="y"', "5@", "@5", "10@3", "METHOD=NONE"),
    *("BANDWIDTH=1", "BANDWIDTH=inf", "RESOLUTION=1x", "RESOLUTION=1x1,BANDWIDTH=5,FRAME-RATE=nan"),
    *('TYPE=VIDEO,GROUP-ID="a",NAME="b"', "TYPE=VIDEO", "\0", "\u2028"),
]
TAGS = [
    *("EXTINF", "EXTM3U", "EXT-OATCLS-SCTE35", "EXT-X-ALLOW-CACHE", "EXT-X-ASSET", "EXT-X-BITRATE"),
    *("EXT-X-BYTERANGE", "EXT-X-CONTENT-STEERING", "EXT-X-CUE-IN", "EXT-X-CUE-OUT"),
    *("EXT-X-CUE-OUT-CONT", "EXT-X-DATERANGE", "EXT-X-DISCONTINUITY", "EXT-X-ENDLIST", "EXT-X-GAP"),
    *("EXT-X-DISCONTINUITY-SEQUENCE", "EXT-X-I-FRAME-STREAM-INF", "EXT-X-IMAGE-STREAM-INF"),
    *("EXT-X-KEY", "EXT-X-MAP", "EXT-X-MEDIA", "EXT-X-MEDIA-SEQUENCE", "EXT-X-PART"),
    *("EXT-X-PART-INF", "EXT-X-PLAYLIST-TYPE", "EXT-X-PRELOAD-HINT", "EXT-X-PROGRAM-DATE-TIME"),
    *("EXT-X-RENDITION-REPORT", "EXT-X-SERVER-CONTROL", "EXT-X-SESSION-DATA", "EXT-X-SKIP"),
    *("EXT-X-START", "EXT-X-STREAM-INF", "EXT-X-TARGETDURATION", "EXT-X-TILES", "EXT-X-VERSION"),
]
LINES = st.one_of(
    st.sampled_from(["a.ts", "http://[::1/a", "http://[z]/a", "//", "#EXTINF:2.0,\na.ts"]),
    st.builds("#{}:{}".format, st.sampled_from(TAGS), st.sampled_from(VALUES)),
    st.builds("#{}{}".format, st.sampled_from(TAGS), st.sampled_from(["", ":"])),
    st.text(max_size=20),
)


def check_any_text(text: str) -> None:
    """The parsers return what can be recorded, or raise BadPlaylist."""
    with suppress(BadPlaylist):
        assert parse_variants(text, URL)
    try:
        playlist = parse_media(text, URL)
    except BadPlaylist:
        return
    assert playlist.target >= SECOND
    for segment in playlist.segments:
        assert segment.url.partition(":")[0]
        assert segment.duration >= 0
        if segment.program_time is not None:
            to_datetime(segment.program_time + segment.duration)


# Garbage


@settings(max_examples=1000, deadline=None)
@given(st.lists(LINES, max_size=12), st.sampled_from(["", "#EXT-X-TARGETDURATION:2\n"]))
def test_tags_in_any_order_with_any_values(lines: list[str], target: str) -> None:
    check_any_text("#EXTM3U\n" + target + "\n".join(lines))


@given(st.text())
def test_any_text(text: str) -> None:
    check_any_text(text)


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 8))
def test_a_good_playlist_with_some_characters_changed(rng: random.Random, changes: int) -> None:
    ad = '#EXT-X-DATERANGE:ID="stitched-ad-1",START-DATE="2026-07-01T12:00:02Z",DURATION=2'
    head = ("#EXTM3U", "#EXT-X-TARGETDURATION:2", '#EXT-X-MAP:URI="i",BYTERANGE="5@0"', ad)
    for good in (MASTER, "\n".join((*head, *LIVE, "#EXT-X-BYTERANGE:1@2"))):
        text = list(good)
        for _ in range(changes):
            text[rng.randrange(len(text))] = rng.choice('0:,="-.\n\0zT@#')
        check_any_text("".join(text))
