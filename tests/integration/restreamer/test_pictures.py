"""Frames, thumbnails and waveforms over HTTP; what they show is tested with the media library."""

import io
import json
import os
import re
import signal
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import av
import pytest
import requests
from PIL import Image

from tests.integration.restreamer.conftest import Node
from tests.support.checker import read_number
from tests.support.proc import children
from tests.support.waiting import wait_until

FRAME = "/frame/demo/source.png"
THUMBNAIL = "/thumbnail/demo/source.png"
WAVEFORM = "/waveform/demo/360p30.png"
NOW = "timestamp=2026-07-01T11:59:51.5Z"
RANGE = "start=2026-07-01T11:59:50Z&end=2026-07-01T12:00:10Z"


def get(node: Node, path: str) -> requests.Response:
    return requests.get(node.url + path, timeout=200)


def picture(response: requests.Response) -> Image.Image:
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "image/png"
    return Image.open(io.BytesIO(response.content), formats=["PNG"])


def png(size: tuple[int, int], colour: tuple[int, int, int, int]) -> bytes:
    target = io.BytesIO()
    Image.new("RGBA", size, colour).save(target, "PNG")
    return target.getvalue()


@pytest.fixture(scope="module")
def templates(node: Node) -> Path:
    folder = node.base_dir / "thumbnail_templates"
    folder.mkdir(exist_ok=True)  # the store is the session's, and modules may come in turn
    (folder / "red.png").write_bytes(png((64, 36), (255, 0, 0, 255)))
    (folder / "clear.png").write_bytes(png((64, 36), (0, 0, 0, 0)))
    (folder / "clear.json").write_text(
        json.dumps({"crop": [0, 0, 640, 360], "location": [32, 18, 64, 36]})
    )
    (folder / "broken.png").write_bytes(b"not a picture")
    (folder / "wrong.png").write_bytes(png((64, 36), (0, 0, 0, 0)))
    (folder / "wrong.json").write_text('{"crop": [0, 0, 1e9, 3]}')
    return folder


def test_a_frame_is_that_of_its_moment(node: Node) -> None:
    shown = picture(get(node, f"{FRAME}?{NOW}"))
    assert shown.size == (1280, 720)
    assert read_number(av.VideoFrame.from_image(shown.convert("RGB"))) == 90


def test_a_waveform_has_the_size_that_was_asked_for(node: Node) -> None:
    assert picture(get(node, f"{WAVEFORM}?{RANGE}")).size == (1024, 64)
    assert picture(get(node, f"{WAVEFORM}?{RANGE}&size=300x20")).size == (300, 20)


def test_a_thumbnail_uses_its_templates_boxes_unless_others_are_given(
    node: Node, templates: Path
) -> None:
    shown = picture(get(node, f"{THUMBNAIL}?{NOW}&template=clear"))
    assert shown.size == (64, 36)
    assert shown.crop((0, 0, 32, 18)).getextrema() == ((0, 0), (0, 0), (0, 0))
    assert shown.crop((32, 18, 64, 36)).getextrema() != ((0, 0), (0, 0), (0, 0))
    moved = picture(get(node, f"{THUMBNAIL}?{NOW}&template=clear&location=0,0,32,18"))
    assert moved.crop((0, 0, 32, 18)).tobytes() == shown.crop((32, 18, 64, 36)).tobytes()
    covered = picture(get(node, f"{THUMBNAIL}?{NOW}&template=red&crop=0,0,10,10"))
    assert covered.getextrema() == ((255, 255), (0, 0), (0, 0))


def test_a_template_can_be_posted(node: Node) -> None:
    posted = requests.post(
        f"{node.url}{THUMBNAIL}?{NOW}&location=0,0,8,8",
        data=png((16, 9), (0, 255, 0, 255)),
        timeout=200,
    )
    shown = picture(posted)
    assert shown.size == (16, 9)
    assert shown.getextrema() == ((0, 0), (255, 255), (0, 0))


def bomb() -> bytes:
    """A few kilobytes that stand for a picture of 60,000 by 60,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000))
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"x" * 100, 406), (bomb(), 406), (bytes(9 * 1024 * 1024), 413)],
    ids=["nothing", "garbage", "bomb", "too much"],
)
def test_posted_templates_that_are_none_are_refused(node: Node, body: bytes, status: int) -> None:
    response = requests.post(f"{node.url}{THUMBNAIL}?{NOW}", data=body, timeout=200)
    assert response.status_code == status, response.text


@pytest.mark.parametrize("name", ["broken", "wrong"])
def test_a_stored_template_that_is_wrong_is_named(node: Node, templates: Path, name: str) -> None:
    response = get(node, f"{THUMBNAIL}?{NOW}&template={name}")
    assert response.status_code == 406
    assert "template" in response.text


@pytest.mark.parametrize(
    "path",
    [
        f"{FRAME}?timestamp=2026-07-01T12:00:05Z",
        f"{FRAME}?timestamp=2020-01-01",
        f"{FRAME}?timestamp=1970-01-02",
        "/frame/demo/nothing.png?timestamp=2026-07-01T11:59:51.5Z",
        f"{WAVEFORM}?start=2020-01-01&end=2020-01-01T01:00",
    ],
)
def test_what_is_not_recorded_is_a_406(node: Node, path: str) -> None:
    response = get(node, path)
    assert response.status_code == 406
    assert "nothing is recorded" in response.text


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (FRAME, "timestamp"),
        (f"{FRAME}?timestamp=noon", "timestamp"),
        (f"{WAVEFORM}?start=2026-07-01", "end"),
        (f"{WAVEFORM}?start=2026-07-01&end=2026-07-01T06:00:01", "end"),
        (f"{WAVEFORM}?{RANGE}&size=0x10", "size"),
        (f"{WAVEFORM}?{RANGE}&size=10x5000", "size"),
        (f"{WAVEFORM}?{RANGE}&size=99999x1", "size"),
        (f"{WAVEFORM}?{RANGE}&size=big", "size"),
        (f"{THUMBNAIL}?{NOW}", "template"),
        (f"{THUMBNAIL}?{NOW}&template=..%2Fx", "template"),
        (f"{THUMBNAIL}?{NOW}&template=red&crop=1,2,3", "crop"),
        (f"{THUMBNAIL}?{NOW}&template=red&crop=5,5,5,9", "crop"),
        (f"{THUMBNAIL}?{NOW}&template=red&location=0,0,9999,1", "location"),
        (f"{THUMBNAIL}?{NOW}&template=red&location=-1,0,9,1", "location"),
    ],
)
def test_bad_parameters_are_named(node: Node, templates: Path, path: str, name: str) -> None:
    response = get(node, path)
    assert response.status_code == 400
    assert response.text.startswith(f"{name}:")


def test_asking_for_the_headers_costs_no_picture(node: Node) -> None:
    response = requests.head(f"{node.url}{FRAME}?{NOW}", timeout=100)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "image/png"
    assert "Content-Length" not in response.headers


@contextmanager
def stopped_encoders(node: Node) -> Iterator[None]:
    """Whatever they are asked, they do not answer before the end."""

    def all_idle() -> bool:
        idle = re.search(
            r"^wubloader_encoder_processes_idle (.+)$", get(node, "/metrics").text, re.M
        )
        return idle is not None and float(idle[1]) == len(children(node.process.pid)) == 2

    wait_until(all_idle, "two encoders wait for work")
    encoders = children(node.process.pid)
    for pid in encoders:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in encoders:
            os.kill(pid, signal.SIGCONT)


def test_of_more_waveforms_than_are_drawn_at_once_one_is_told_to_come_back(fresh: Node) -> None:
    with ThreadPoolExecutor(3) as clients:
        with stopped_encoders(fresh):
            answers = [clients.submit(get, fresh, f"{WAVEFORM}?{RANGE}") for _ in range(3)]
            (refused,) = wait(answers, timeout=100, return_when=FIRST_COMPLETED).done
        assert refused.result().status_code == 503
        assert int(refused.result().headers["Retry-After"]) > 0
        assert "try again in" in refused.result().text
        answers.remove(refused)
        for answer in answers:
            picture(answer.result())
