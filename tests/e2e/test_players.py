"""Real players read what the restreamer writes: ffmpeg, the m3u8 library, and hls.js in Chromium.

The recording goes on while they watch: segments land in the store as a downloader would write them.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import m3u8
import pytest
from playwright.sync_api import Browser, Page

from common.media.commands import ffmpeg_binary
from common.times import SECOND, format_time
from tests.support.browser import new_page, running_browser, serve_player
from tests.support.live import QUALITY, Recording
from tests.support.processes import ServiceProcess
from tests.support.waiting import wait_until

SCRIPT = """
const hls = new Hls({liveSyncDurationCount: 5});
const video = document.getElementById('video');
const errors = hlsErrors(hls, video);
hls.loadSource(new URLSearchParams(location.search).get('url'));
hls.attachMedia(video);
video.play();
"""


@pytest.fixture(scope="module")
def base_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def recording(base_dir: Path) -> Iterator[Recording]:
    with Recording(base_dir) as running:
        yield running


@pytest.fixture(scope="module")
def url(base_dir: Path, recording: Recording) -> Iterator[str]:
    """The address of the master playlist."""
    with ServiceProcess("restreamer", "--base-dir", str(base_dir)) as process:
        yield f"{process.wait_ready().url}/playlist/demo.m3u8"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture
def player(tmp_path: Path) -> Iterator[str]:
    """The address of a page that plays `?url=...` with hls.js, on another port than the node's."""
    with serve_player(tmp_path, SCRIPT) as address:
        yield address


def ffmpeg_frames(url: str, *limit: str) -> int:
    """How many frames ffmpeg gets out of a playlist; any error that it reports is one here."""
    result = subprocess.run(
        [
            ffmpeg_binary(), "-hide_banner", "-loglevel", "error", "-progress", "pipe:1",
            "-i", url, *limit, "-map", "0:v:0", "-c", "copy", "-f", "null", "-",
        ],
        capture_output=True,
        text=True,
        timeout=150,
        check=True,
    )  # fmt: skip
    assert result.stderr == ""
    lines = [line for line in result.stdout.splitlines() if line.startswith("frame=")]
    return int(lines[-1].removeprefix("frame="))


def test_ffmpeg_reads_a_closed_range_whole(url: str, recording: Recording) -> None:
    assert ffmpeg_frames(f"{url}?{recording.closed_query}") == 300


def test_ffmpeg_follows_the_live_stream(url: str) -> None:
    assert ffmpeg_frames(url, "-t", "8") >= 8 * 30


def test_m3u8_reads_both_kinds(url: str, recording: Recording) -> None:
    closed = m3u8.load(m3u8.load(f"{url}?{recording.closed_query}").playlists[0].absolute_uri)
    live = m3u8.load(m3u8.load(url).playlists[0].absolute_uri)
    assert closed.is_endlist
    assert not live.is_endlist
    assert len(closed.segments) == 5
    assert all(segment.program_date_time for segment in closed.segments + live.segments)


def watched_seconds(page: Page) -> float:
    return float(page.evaluate("document.getElementById('video').currentTime"))


def test_hls_js_plays_a_closed_range_to_its_end(
    browser: Browser, player: str, url: str, recording: Recording
) -> None:
    with new_page(browser) as page:
        page.goto(f"{player}/?url={_escaped(f'{url}?{recording.closed_query}')}")
        page.wait_for_function("document.getElementById('video').ended")
        assert page.evaluate("document.getElementById('video').duration") == pytest.approx(
            10, abs=0.2
        )
        assert page.evaluate("errors") == []


def test_hls_js_plays_a_preview_of_ranges_to_its_end(
    browser: Browser, player: str, url: str, recording: Recording
) -> None:
    def span(first: int, last: int) -> str:
        start, end = (recording.start + seconds * SECOND for seconds in (first, last))
        return f"range={format_time(start)},{format_time(end)}"

    query = "&".join([span(6, 10), span(2, 4), span(4, 6), span(2, 4)])
    with new_page(browser) as page:
        media = url.replace("demo.m3u8", f"demo/{QUALITY}.m3u8")
        page.goto(f"{player}/?url={_escaped(f'{media}?{query}')}")
        page.wait_for_function("document.getElementById('video').ended")
        # Sound that reaches beyond its segment's picture makes each join a little longer.
        assert page.evaluate("document.getElementById('video').duration") == pytest.approx(
            10, abs=0.4
        )
        assert page.evaluate("errors") == []


def test_hls_js_follows_the_live_stream(browser: Browser, player: str, url: str) -> None:
    with new_page(browser) as page:
        page.goto(f"{player}/?url={_escaped(url)}")
        begun = wait_until(lambda: watched_seconds(page), "it plays")
        # Longer than its buffer at the beginning: it has reloaded the playlist several times.
        wait_until(lambda: watched_seconds(page) > begun + 12, "it goes on playing")
        assert page.evaluate("errors") == []
        assert page.evaluate("hls.latestLevelDetails?.live ?? hls.levels[0].details.live")


def _escaped(url: str) -> str:
    return url.replace("&", "%26").replace("?", "%3F")
