"""Smart cuts of several ranges play in Chromium: as a playlist of one segment, and as MP4.

The frames' numbers are read from the picture itself, drawn on a canvas.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from prometheus_client import CollectorRegistry

from common.media.commands import ffmpeg_binary
from common.media.cut import stream_cut
from common.media.encoders import EncoderPool
from common.media.plan import plan_cut
from common.media.request import CutRequest, CutType
from common.segments.store import SegmentStore
from common.times import SECOND, TimeRange, parse_time
from demo.origin.code import CELLS, decode_cells
from tests.support.browser import new_page, running_browser, serve_player
from tests.support.media import fill_store, recorded_set

START = parse_time("2026-07-01T11:59:50")
RANGES = ((0.7, 2.5), (5.1, 6), (3.2, 4.6))
"""At 30 of 60 frames per second."""
LENGTH_SECONDS = sum(end - begin for begin, end in RANGES)

SCRIPT = """
let errors = [];
const video = document.getElementById('video');
if (location.search === '?hls') {
  const hls = new Hls();
  errors = hlsErrors(hls, video);
  hls.loadSource('cut.m3u8');
  hls.attachMedia(video);
} else {
  // As a blob: the test's server has no byte ranges, without which nothing can be sought.
  fetch('cut.mp4').then(got => got.blob()).then(blob => { video.src = URL.createObjectURL(blob); });
}
video.addEventListener('error', () => errors.push(video.error.message));
const canvas = document.createElement('canvas');
function shown(time, cells, frame) {
  // A seek is over before its picture can be drawn: only the callback of a frame tells which
  // one the canvas gets.
  return new Promise((done, fail) => {
    const late = setTimeout(() => fail(new Error(`no frame is shown at ${time} s`)), 60_000);
    const look = (now, {mediaTime}) => {
      if (Math.abs(mediaTime + frame / 2 - time) > frame / 4) {
        video.requestVideoFrameCallback(look);
        return;
      }
      clearTimeout(late);
      done(drawn(cells));
    };
    video.requestVideoFrameCallback(look);
    video.currentTime = time;
  });
}
function drawn(cells) {
  const {videoWidth: width, videoHeight: height} = video;
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext('2d', {willReadFrequently: true});
  context.drawImage(video, 0, 0);
  const row = context.getImageData(0, Math.round(height / 45), width, 1).data;
  const at = cell => 4 * Math.floor((cell + 0.5) * width / cells);
  return Array.from({length: cells}, (_, cell) => row[at(cell)]);
}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page that plays the cut."""
    folder, base_dir = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("store")
    fill_store(base_dir, "demo", "360p30", recorded_set(), start=START, count=4)
    (folder / "cut.ts").write_bytes(make_cut(base_dir))
    (folder / "cut.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:5\n#EXTINF:{LENGTH_SECONDS:.3f},\ncut.ts\n"
        "#EXT-X-ENDLIST\n"
    )
    remux(folder / "cut.ts", folder / "cut.mp4")
    with serve_player(folder, SCRIPT) as address:
        yield address


def make_cut(base_dir: Path) -> bytes:
    ranges = [
        TimeRange(START + round(begin * SECOND), START + round(end * SECOND))
        for begin, end in RANGES
    ]
    request = CutRequest(
        channel="demo",
        quality="360p30",
        ranges=tuple(ranges),
        transitions=(None,) * (len(ranges) - 1),
        type=CutType.SMART,
    )
    with EncoderPool(registry=CollectorRegistry()) as pool:
        return b"".join(stream_cut(plan_cut(SegmentStore(base_dir), request), encoders=pool))


def remux(source: Path, target: Path) -> None:
    subprocess.run(
        [
            *(ffmpeg_binary(), "-v", "error", "-i", str(source), "-c", "copy"),
            *("-movflags", "+faststart", str(target)),
        ],
        check=True,
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


def numbers(page: Page) -> list[int | None]:
    """What is shown in the middle of every third frame."""
    begin = float(page.evaluate("video.buffered.start(0)"))
    times = [begin + (frame + 0.5) / 30 for frame in range(0, round(LENGTH_SECONDS * 30), 3)]
    return [
        decode_cells(page.evaluate("one => shown(...one)", [time, CELLS, 1 / 30])) for time in times
    ]


@pytest.mark.parametrize("way", ["?hls", "?mp4"])
def test_every_frame_is_where_it_belongs_and_it_plays_to_its_end(
    browser: Browser, site: str, way: str
) -> None:
    with new_page(browser) as page:
        page.goto(f"{site}/{way}")
        page.wait_for_function("video.readyState >= 3")
        wanted = [
            number
            for begin, end in RANGES
            for number in range(round(begin * 60), round(end * 60), 2)
        ]
        assert numbers(page) == wanted[::3]
        page.evaluate("video.currentTime = 0; video.playbackRate = 2; video.play()")
        page.wait_for_function("video.ended")
        assert page.evaluate("video.buffered.length") == 1
        assert page.evaluate("video.duration") == pytest.approx(LENGTH_SECONDS, abs=0.1)
        assert page.evaluate("errors") == []
