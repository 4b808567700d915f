"""yt-dlp's lists of formats, which differ from site to site, as our variants."""

from typing import Any

import pytest

from downloader.providers.formats import answer_of_info, variants_of_formats

URL = "https://site/watch"


def muxed(format_id: str, height: int, **fields: Any) -> dict[str, Any]:
    """A format of a live stream on YouTube."""
    return {
        "format_id": format_id,
        "url": f"https://manifest/{format_id}/index.m3u8",
        "protocol": "m3u8_native",
        "vcodec": "avc1.4D401F",
        "acodec": "mp4a.40.2",
        "height": height,
        "fps": 30.0,
        "tbr": height * 3.5,
        **fields,
    }


def test_a_live_stream_has_a_variant_for_each_format_the_best_first() -> None:
    formats = [muxed("91", 144), muxed("95", 720, fps=59.94), muxed("96", 1080, tbr=None)]
    assert variants_of_formats(formats, URL) == {
        "variants": [
            {
                "url": "https://manifest/96/index.m3u8",
                "names": ["96", "1080p", "1080p30"],
                "bandwidth": 0,
            },
            {
                "url": "https://manifest/95/index.m3u8",
                "names": ["95", "720p", "720p60"],
                "bandwidth": 2_520_000,
            },
            {
                "url": "https://manifest/91/index.m3u8",
                "names": ["91", "144p", "144p30"],
                "bandwidth": 504_000,
            },
        ]
    }


@pytest.mark.parametrize(
    "left_out",
    [
        muxed("storyboard", 48, protocol="mhtml", vcodec="none", acodec="none"),
        muxed("audio", 0, fps=None, vcodec="none"),
        muxed("video", 1080, acodec="none"),
        muxed("dash", 1080, protocol="http_dash_segments"),
        muxed("file", 1080, protocol="https"),
    ],
)
def test_what_is_not_hls_with_picture_and_sound_is_left_out(left_out: dict[str, Any]) -> None:
    answer = variants_of_formats([muxed("91", 144), left_out], URL)
    assert [variant["names"][0] for variant in answer["variants"]] == ["91"]


def test_a_format_of_which_little_is_known_is_taken() -> None:
    """As from a page that names a playlist without CODECS or RESOLUTION."""
    formats = [{"url": "https://h/x.m3u8", "protocol": "m3u8", "acodec": None}]
    expected = {"url": "https://h/x.m3u8", "names": [], "bandwidth": 0}
    assert variants_of_formats(formats, URL) == {"variants": [expected]}


@pytest.mark.parametrize(
    ("formats", "offline"),
    [
        ([], True),
        ([muxed("file", 720, protocol="https")], True),
        ([muxed("video", 720, acodec="none"), muxed("audio", 0, vcodec="none")], False),
    ],
)
def test_with_nothing_to_record_the_stream_is_over_or_is_of_another_kind(
    formats: list[dict[str, Any]], offline: bool
) -> None:
    answer = variants_of_formats(formats, URL)
    assert answer == {
        "error": f"{URL} has no HLS stream with picture and sound",
        "offline": offline,
    }


@pytest.mark.parametrize("status", ["is_upcoming", "post_live", "was_live", "not_live"])
def test_the_recording_of_a_stream_that_is_over_is_not_taken_for_the_stream(status: str) -> None:
    info = {"live_status": status, "formats": [muxed("91", 144)]}
    assert answer_of_info(info, URL) == {"error": f"{URL} is not live", "offline": True}


@pytest.mark.parametrize("status", ["is_live", None])
def test_what_is_live_or_says_nothing_of_it_is_recorded(status: str | None) -> None:
    info = {"live_status": status, "formats": [muxed("91", 144)]}
    assert "variants" in answer_of_info(info, URL)


def test_a_result_without_formats_is_no_stream() -> None:
    assert answer_of_info({}, URL)["offline"]
