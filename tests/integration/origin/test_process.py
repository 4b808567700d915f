"""The origin as a process: what goes wrong on the wire, the live encoder, the clock's speed."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.checker import (
    assert_decodes_silently,
    assert_frames,
    assert_in_sync,
    assert_steady,
    read_video,
)
from tests.support.origin import Origin, stepped_origin
from tests.support.processes import ServiceProcess
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def running() -> Iterator[Origin]:
    with stepped_origin(media="short") as started:
        started.advance(2)
        yield started


@pytest.fixture
def origin(running: Origin) -> Iterator[Origin]:
    yield running
    running.clear_faults()


def get(origin: Origin) -> requests.Response:
    return requests.get(f"{origin.url}{origin.segment_path(0)}", timeout=60)


def test_a_fault_happens_as_often_as_it_was_asked_for(origin: Origin) -> None:
    origin.fault("/segments/*", "status", status=404, times=2)
    assert [get(origin).status_code for _ in range(3)] == [404, 404, 200]
    origin.fault("/segments/*", "status", status=503, times=0)
    assert [get(origin).status_code for _ in range(3)] == [503, 503, 503]


def test_a_fault_leaves_other_paths_alone(origin: Origin) -> None:
    origin.fault("/segments/360p30/*", "status", status=500)
    assert get(origin).status_code == 200


def test_a_truncated_body_ends_before_its_length(origin: Origin) -> None:
    origin.fault("/segments/*", "truncate", sent_bytes=1880)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="1880 bytes read"):
        get(origin)


def test_a_shortened_body_says_a_length_that_fits(origin: Origin) -> None:
    origin.fault("/segments/*", "shorten", sent_bytes=1000)
    response = get(origin)
    assert len(response.content) == 1000
    assert response.headers["Content-Length"] == "1000"


def test_a_wrong_length_does_not_fit_the_body(origin: Origin) -> None:
    whole = len(get(origin).content)
    origin.fault("/segments/*", "wrong_length", excess_bytes=5)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="5 more expected"):
        get(origin)
    origin.fault("/segments/*", "wrong_length", excess_bytes=-188)
    assert get(origin).headers["Content-Length"] == str(whole - 188)


def test_an_empty_body_is_a_success(origin: Origin) -> None:
    origin.fault("/segments/*", "empty")
    response = get(origin)
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("sent_bytes", [0, 1880])
def test_a_stalled_answer_comes_whole_but_late(origin: Origin, sent_bytes: int) -> None:
    whole = get(origin).content
    origin.fault("/segments/*", "stall", seconds=0.3, sent_bytes=sent_bytes)
    started = time.monotonic()
    assert get(origin).content == whole
    assert time.monotonic() - started > 0.29


def test_the_clock_of_a_set_runs_as_fast_as_it_is_told(origin: Origin) -> None:
    before = origin.status()["listed"]
    origin.set_speed(100)
    wait_until(lambda: origin.status()["listed"] > before + 10, "ten segments more are listed")
    origin.set_speed(0)
    assert origin.status()["now"] == origin.status()["now"]


def test_a_live_stream_is_exact_to_the_frame_and_ends_with_the_origin(tmp_path: Path) -> None:
    with ServiceProcess("demo.origin", "--work-dir", str(tmp_path / "live")) as process:
        origin = Origin(process.wait_ready())
        wait_until(lambda: len(origin.listed()) >= 3, "three segments are listed")
        refused = requests.post(f"{origin.url}/control/clock", json={"speed": 2}, timeout=60)
        assert refused.status_code == 400
        for quality, step in (("source", 1), ("360p30", 2)):
            parts = [
                requests.get(f"{origin.url}{origin.segment_path(index, quality)}", timeout=60)
                for index in range(3)
            ]
            video = read_video(b"".join(part.content for part in parts))
            assert_frames(video, 0, 360 - step, step=step)
            assert_steady(video, step=step)
            assert_in_sync(video, tolerance_seconds=0.001, at_least=6)
            for part in parts:
                assert_decodes_silently(part.content)
        assert process.terminate() == 0
        assert "Traceback" not in process.output


def test_the_origin_needs_either_a_folder_to_encode_into_or_a_set() -> None:
    with ServiceProcess("demo.origin") as process:
        assert process.process.wait(120) == 2
        assert "give either --work-dir" in process.output
