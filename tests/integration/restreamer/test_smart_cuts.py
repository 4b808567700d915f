"""Smart cuts over HTTP when something goes wrong: a status while there can be one, a connection
that breaks off after that, and nothing that works on for nobody.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from common.times import SECOND, format_time, parse_time
from tests.support.media import StoredSegment
from tests.support.metrics import metric
from tests.support.processes import ServiceProcess
from tests.support.variants import store_variant, variant
from tests.support.waiting import wait_until

START = parse_time("2026-07-01T11:59:50")
CUT = "/cut/demo/source.ts"


@pytest.fixture(scope="module")
def base_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def stored(base_dir: Path) -> list[StoredSegment]:
    """12 s without the segment from 8 s on, each of 2 s."""
    made = store_variant(base_dir, "demo", "source", variant("plain"), start=START, holes=[3])
    later = store_variant(
        base_dir, "demo", "source", variant("no-b-frames"), start=START + 8 * SECOND
    )
    return [*made, *later]


@pytest.fixture(scope="module")
def node(base_dir: Path, stored: list[StoredSegment]) -> Iterator[ServiceProcess]:
    with ServiceProcess("restreamer", "--base-dir", str(base_dir), "--max-cuts", "1") as process:
        yield process.wait_ready()


def bounds(begin: float, end: float) -> str:
    return ",".join(format_time(START + round(at * SECOND)) for at in (begin, end))


def query(*ranges: tuple[float, float], more: str = "") -> str:
    return "&".join([f"range={bounds(*one)}" for one in ranges]) + more


def get(node: ServiceProcess, asked: str) -> requests.Response:
    return requests.get(f"{node.url}{CUT}?type=smart&{asked}", timeout=200)


@contextmanager
def connected(node: ServiceProcess, asked: str) -> Iterator[socket.socket]:
    """A connection over which a cut has been asked for."""
    address = urlsplit(node.url)
    head = f"Host: {address.netloc}\r\nConnection: close\r\n\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=100) as client:
        client.sendall(f"GET {CUT}?type=smart&{asked} HTTP/1.1\r\n{head}".encode())
        yield client


@contextmanager
def damaged(path: Path, damage: Callable[[Path], object]) -> Iterator[None]:
    """The file is damaged for a while."""
    data = path.read_bytes()
    damage(path)
    try:
        yield
    finally:
        if path.is_dir():
            path.rmdir()
        path.write_bytes(data)


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(path.stat().st_size))


def unreadable(path: Path) -> None:
    path.unlink()
    path.mkdir()


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 77)


DAMAGES = [garbage, unreadable, truncate]


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_fails_before_the_first_byte_has_a_status(
    node: ServiceProcess, stored: list[StoredSegment], damage: Callable[[Path], None]
) -> None:
    with damaged(stored[0].path, damage):
        response = get(node, query((0.5, 1.5)))
    assert response.status_code == 406
    assert response.text.startswith("range 1 (2026-07-01T11:59:50.5")
    assert get(node, query((0.5, 1.5))).status_code == 200


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_fails_later_breaks_the_connection_off(
    node: ServiceProcess, stored: list[StoredSegment], damage: Callable[[Path], None]
) -> None:
    # What lies between a range's ends is looked at shortly before it is sent.
    asked = query(*[(0, 2)] * 8, (0, 6))
    with damaged(stored[1].path, damage), connected(node, asked) as client:
        answer = client.makefile("rb").read()
    assert b" 200 " in answer.partition(b"\r\n")[0]
    assert len(answer) > len(stored[0].path.read_bytes()) // 2
    assert not answer.endswith(b"0\r\n\r\n")
    assert get(node, query((0.5, 1.5))).status_code == 200


@pytest.mark.parametrize(
    ("asked", "status", "text"),
    [
        ("start=NaN&end=2026-07-01T12:00:00Z", 400, "start:"),
        (f"range=NaN,{format_time(START)}", 400, "range:"),
        (query((2, 1)), 400, "range:"),
        (query((1, 1)), 400, "range:"),
        (query((1, 1.0001)), 406, "no frame"),
        (query((0, 1), (2, 3), more="&transition=nonsense,1"), 400, "nonsense"),
        (query((0, 1), (2, 3), more="&transition=fade,1.5"), 400, "longer than"),
        (query((0, 1), (2, 3), more="&transition=fade,NaN"), 400, "transition:"),
        (query((5, 7)), 406, "without holes"),
        (query((1, 2), (5, 6.5), (8, 9), more="&transition=&transition=fade,0.6&allow_holes=true"),
         406, "a transition meets a hole"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(
    node: ServiceProcess, asked: str, status: int, text: str
) -> None:
    response = get(node, asked)
    assert response.status_code == status, response.text
    assert text in response.text


def running(node: ServiceProcess) -> float:
    """Smart cuts at work."""
    return metric(node.url, "wubloader_restreamer_cuts_running", type="smart")


def test_a_client_that_goes_away_ends_all_work(node: ServiceProcess) -> None:
    # Each range is encoded: this takes minutes.
    with connected(node, query(*[(0.5, 1.9), (8.5, 9.9)] * 500)) as client:
        assert client.recv(1)
        assert running(node) == 1
        busy = get(node, query((0, 1)))
        assert busy.status_code == 503
        assert int(busy.headers["Retry-After"]) > 0
    # Long before it would have ended by itself.
    wait_until(lambda: running(node) == 0, "the cut has ended", seconds=60)
    assert get(node, query((0, 1))).status_code == 200
