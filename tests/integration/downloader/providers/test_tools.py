"""Streams that streamlink and yt-dlp find in processes of their own, and what becomes of these."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.integration.downloader.conftest import Record
from tests.integration.downloader.recording import Recording
from tests.support.origin import Origin
from tests.support.proc import is_running
from tests.support.processes import ROOT
from tests.support.waiting import wait_until
from tests.support.web_server import Answer, Request, silent_server, web_server


def by_name(url: str) -> str:
    """The address with the host's name, as sites have them, instead of its number."""
    return url.replace("127.0.0.1", "localhost")


def test_yt_dlp_finds_each_quality_of_a_playlist(origin: Origin, record: Record) -> None:
    origin.advance(4)
    channel = f"demo:youtube:{by_name(origin.master_url)}"
    recording = record(channel, "--qualities", "source,720p60,360p30", url=None)
    for name, quality in {"source": "source", "720p60": "source", "360p30": "360p30"}.items():
        recording.wait_for(origin.listed_hashes(quality), name)
    origin.advance(2)
    recording.wait_for(origin.listed_hashes())


def test_yt_dlp_finds_the_stream_that_a_page_shows(origin: Origin, record: Record) -> None:
    origin.advance(4)
    video = f'<video src="{origin.master_url}" type="application/x-mpegURL"></video>'
    page = f"<html><title>Live</title><body>{video}</body></html>".encode()

    def answer(request: Request) -> Answer:
        return Answer(body=page, content_type="text/html")

    with web_server(answer) as url:
        recording = record(f"demo:youtube:{url}/live", url=None)
        recording.wait_for(origin.listed_hashes())


@pytest.mark.parametrize("scheme", ["", "hls://"])
def test_streamlink_finds_a_playlist(scheme: str, origin: Origin, record: Record) -> None:
    origin.advance(4)
    channel = f"demo:streamlink:{scheme}{by_name(origin.master_url)}"
    recording = record(channel, "--qualities", "source,360p30", url=None)
    for quality in ("source", "360p30"):
        recording.wait_for(origin.listed_hashes(quality), quality)


def test_streamlink_finds_a_media_playlist_alone(origin: Origin, record: Record) -> None:
    origin.advance(4)
    channel = f"demo:streamlink:{by_name(origin.media_url('360p30'))}"
    recording = record(channel, "--qualities", "source,live", url=None)
    for name in ("source", "live"):
        recording.wait_for(origin.listed_hashes("360p30"), name)


@pytest.mark.parametrize("kind", ["youtube", "streamlink"])
def test_a_site_that_never_answers_holds_up_no_other_channel(
    kind: str, origin: Origin, record: Record
) -> None:
    origin.advance(4)
    with silent_server() as url:
        recording = record(f"dead:{kind}:{url}/x.m3u8", "--find-seconds", "3")
        recording.wait_for(origin.listed_hashes())
        complaint = "cannot record dead/source: "
        wait_until(lambda: complaint in recording.process.output, "it is complained of")
        assert "did not answer within 3 s" in recording.process.output


BROKEN = '''
"""An extractor for yt-dlp that breaks in the way that the address asks for."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from yt_dlp.extractor.common import InfoExtractor


class BrokenIE(InfoExtractor):
    _VALID_URL = r"broken:(?P<id>.+)"

    def _real_extract(self, url):
        way, _, playlist = self._match_id(url).partition(" ")
        helper = subprocess.Popen(["sleep", "1000"])
        with Path(os.environ["BROKEN_PIDS"]).open("a") as file:
            file.write(f"{way} {os.getpid()} {helper.pid}\\n")
        if way == "hang":
            time.sleep(1000)
        if way == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if way == "leave":
            os._exit(0)
        if way == "raise":
            raise RuntimeError("an error of the tool")
        print("{not JSON")
        sys.stdout.flush()
        os.write(1, b"[1, 2")
        subprocess.run(["echo", "}"])
        formats = [{"url": playlist, "protocol": "m3u8_native", "format_id": "x", "ext": "mp4"}]
        return {"id": way, "title": way, "formats": formats, "is_live": True}
'''

COMPLAINTS = {
    "hang": "yt-dlp did not answer within 20 s",
    "die": "yt-dlp failed: it ended with status -9",
    "leave": "yt-dlp failed: it ended with status 0",
    "raise": "yt-dlp failed: RuntimeError: an error of the tool",
}


@pytest.fixture
def broken_tool(tmp_path: Path) -> dict[str, str]:
    """The environment in which yt-dlp has an extractor that breaks."""
    folder = tmp_path / "plugins" / "yt_dlp_plugins" / "extractor"
    folder.mkdir(parents=True)
    (folder / "broken.py").write_text(BROKEN)
    return {"PYTHONPATH": str(tmp_path / "plugins"), "BROKEN_PIDS": str(tmp_path / "pids")}


def test_however_a_process_breaks_it_is_tried_again_and_nothing_of_it_is_left(
    origin: Origin, record: Record, broken_tool: dict[str, str]
) -> None:
    origin.advance(4)
    channels = [f"{way}:youtube:broken:{way}" for way in COMPLAINTS]
    waits = ("--find-seconds", "20", "--offline-always-live-seconds", "1")
    recording = record(*channels, *waits, env=broken_tool)
    recording.wait_for(origin.listed_hashes())
    pids = Path(broken_tool["BROKEN_PIDS"])
    for way, complaint in COMPLAINTS.items():
        line = f"cannot record {way}/source: {complaint}"
        wait_until(partial(says, recording, line), line)
        wait_until(partial(has_started, pids, way, 2), f"{way} is tried again")
        assert recording.process.output.count(line) == 1
    assert recording.process.terminate() == 0
    started = [int(pid) for text in pids.read_text().splitlines() for pid in text.split()[1:]]
    wait_until(lambda: not any(map(is_running, started)), "all processes have ended")


_KILLED_WHILE_IT_ASKS = """
from gevent import monkey
monkey.patch_all()
import os
import gevent
from downloader.channels import parse_channel
from downloader.providers.sites import SiteProvider
from tests.support.proc import children, is_running
channel = parse_channel("demo:youtube:broken:hang")
site = SiteProvider(channel, None, deadline_seconds=60)
for step in range(60):
    asking = gevent.spawn(site.find)
    gevent.sleep(step * 0.0005)
    asking.kill()
    left = [pid for pid in children(os.getpid()) if is_running(pid)]
    assert not left, (step, left)
"""


def test_whoever_is_killed_while_it_asks_leaves_no_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _KILLED_WHILE_IT_ASKS], cwd=ROOT, capture_output=True, check=False
    )
    assert not done.returncode, done.stderr.decode()


def test_what_else_a_process_prints_does_not_garble_its_answer(
    origin: Origin, record: Record, broken_tool: dict[str, str]
) -> None:
    origin.advance(4)
    channel = f"demo:youtube:broken:print {origin.media_url()}"
    recording = record(channel, url=None, env=broken_tool)
    recording.wait_for(origin.listed_hashes())


def says(recording: Recording, text: str) -> bool:
    return text in recording.process.output


def has_started(pids: Path, way: str, times: int) -> bool:
    return pids.exists() and pids.read_text().count(f"{way} ") >= times
