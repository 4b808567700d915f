"""The quick start, run as a user runs it: the whole path on a live encoder, to the frame."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from common.segments.path import Segment, parse_name
from common.times import SECOND, Micros, parse_time
from tests.support.checker import (
    assert_decodes_silently,
    assert_frames,
    assert_in_sync,
    assert_steady,
    read_video,
)
from tests.support.proc import read_of_process
from tests.support.processes import ROOT, clean_environment
from tests.support.waiting import wait_until

FRAME: Micros = SECOND // 60
SECONDS = 480

pytestmark = pytest.mark.timeout(900)


class Demo:
    """`python -m demo` in a folder of its own."""

    def __init__(self, home: Path, *args: str) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self._output = home / "output.txt"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "demo", "--home", str(home), *args],
                cwd=ROOT,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace")

    @property
    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = json.loads((self.home / "summary.json").read_text())
        return summary

    def stop(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(120)


@contextmanager
def running_demo(home: Path, *args: str) -> Iterator[Demo]:
    """Started, and in the end gone with all its files: those of root's Postgres lie elsewhere."""
    demo = Demo(home, *args)
    try:
        yield demo
    finally:
        demo.stop(signal.SIGTERM)
        shutil.rmtree((home / "postgres").resolve(), ignore_errors=True)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that has made its video and is still running."""
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        wait_until(
            lambda: "Press Ctrl-C" in running.output or running.process.poll() is not None,
            "the demo has made its video",
            seconds=SECONDS,
        )
        assert running.process.poll() is None, running.output
        yield running


def expected_frames(summary: dict[str, Any]) -> tuple[int, int]:
    """First and last frame number of the demo's range, from the segment that it begins in."""
    start, end = parse_time(summary["start"]), parse_time(summary["end"])
    store = Path(summary["store"]) / "demo" / "source"
    segments = [
        (parse_name(path.parent.name, path.name), path) for path in store.glob("*/*-full-*.ts")
    ]
    segment, path = next(
        (segment, path)
        for segment, path in segments
        if isinstance(segment, Segment) and segment.start <= start < segment.end
    )
    first_of_segment = read_video(path).numbers[0]
    assert first_of_segment is not None
    # A frame belongs to the range if start <= its time + 0.5 ms < end.
    first = -((segment.start - start + 500) * 60 // SECOND)
    last = -((segment.start - end + 500) * 60 // SECOND) - 1
    return first_of_segment + first, first_of_segment + last


def test_the_video_holds_exactly_the_frames_of_the_range(demo: Demo) -> None:
    video = Path(demo.summary["video"])
    found = read_video(video)
    assert_frames(found, *expected_frames(demo.summary))
    assert_steady(found)
    assert_in_sync(found)
    assert_decodes_silently(video)


def test_every_address_that_it_prints_answers(demo: Demo) -> None:
    addresses = [word for word in demo.output.split() if word.startswith("http://")]
    assert len(addresses) >= 10
    for address in addresses:
        # What is drawn anew every few seconds may come a little later than the video.
        wait_until(partial(answers, address), f"{address} answers 200")


def answers(address: str) -> bool:
    return requests.get(address, timeout=120).status_code == 200


@pytest.mark.parametrize("kind", ["fast", "mpegts"])
def test_the_same_moment_cut_by_the_restreamer_has_the_same_frames(demo: Demo, kind: str) -> None:
    restreamer = next(word.split("/cut/")[0] for word in demo.output.split() if "/cut/demo" in word)
    answer = requests.get(
        f"{restreamer}/cut/demo/source.ts",
        params={"start": demo.summary["start"], "end": demo.summary["end"], "type": kind},
        timeout=120,
    )
    assert answer.status_code == 200, answer.text
    assert_frames(read_video(answer.content), *expected_frames(demo.summary))


def test_a_second_demo_in_the_same_folder_is_refused_in_one_line(demo: Demo) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "demo", "--home", str(demo.home)],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert second.returncode == 2
    assert "already running" in second.stderr
    assert len(second.stderr.splitlines()) == 1


def test_a_service_that_dies_is_started_again(demo: Demo) -> None:
    log = demo.home / "logs" / "restreamer.log"
    starts = log.read_text().count("listens on")
    pids = subprocess.run(
        ["pgrep", "-f", f"^{sys.executable} -m restreamer$"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    ours = [pid for pid in pids if str(demo.home) in (read_of_process(int(pid), "environ") or "")]
    assert len(ours) == 1
    subprocess.run(["kill", "-KILL", ours[0]], check=True)
    wait_until(
        lambda: log.read_text().count("listens on") > starts, "the restreamer is started again"
    )


def test_a_port_that_is_taken_is_one_line(tmp_path: Path, demo: Demo) -> None:
    taken = next(
        int(word.split(":")[2].split("/")[0])
        for word in demo.output.split()
        if word.startswith("http://")
    )
    refused = subprocess.run(
        [sys.executable, "-m", "demo", "--home", str(tmp_path), "--port-base", str(taken)],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert refused.returncode == 2
    assert f"port {taken} (for thrimshim) is taken" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_once_ends_with_the_video_and_names_nothing_that_has_ended(tmp_path: Path) -> None:
    """In a folder whose name no shell likes."""
    with running_demo(tmp_path / "it's a $demo", "--once") as demo:
        assert demo.process.wait(SECONDS) == 0, demo.output
        video = Path(demo.summary["video"])
        assert video.stat().st_size > 0
        story = demo.output.split("The event is DONE.")[1]
        assert str(video) in story
        assert "http://" not in story


def processes_of(demo: Demo) -> list[str]:
    """Command lines that name the demo's folder, or the one that its Postgres lies in."""
    folders = f"{demo.home}|{(demo.home / 'postgres').resolve()}"
    return subprocess.run(
        ["pgrep", "-af", folders], capture_output=True, text=True, check=False
    ).stdout.splitlines()


def wait_for_services(demo: Demo) -> None:
    wait_until(lambda: "Starting the services" in demo.output, "the services are being started")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_with_status_0(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C, `kill`, and a terminal that is closed."""
    with running_demo(tmp_path / "demo") as demo:
        wait_for_services(demo)
        assert demo.stop(number) == 0, demo.output
        # What had to be killed in the end may take a moment to go.
        wait_until(lambda: processes_of(demo) == [], "everything has ended")


def test_a_signal_while_only_some_services_are_started_stops_these_too(tmp_path: Path) -> None:
    with running_demo(tmp_path / "demo") as demo:
        log = demo.home / "logs" / "honcho.log"
        wait_until(
            lambda: log.exists() and " started (pid=" in log.read_text(),
            "the first service is started",
            interval=0.001,
        )
        assert demo.stop() == 0, demo.output
        wait_until(lambda: processes_of(demo) == [], "everything has ended")


def test_a_demo_that_is_killed_leaves_nothing_running(tmp_path: Path) -> None:
    with running_demo(tmp_path / "demo") as demo:
        wait_for_services(demo)
        log = demo.home / "logs" / "origin.log"
        wait_until(
            lambda: log.exists() and "listens on" in log.read_text(), "the origin is started"
        )
        assert processes_of(demo)
        demo.stop(signal.SIGKILL)
        wait_until(lambda: processes_of(demo) == [], "everything has ended")
