"""Cuts over HTTP: what they contain is the cut library's own test; here is how they travel."""

import socket
from urllib.parse import urlsplit

import pytest
import requests

from tests.integration.restreamer.conftest import Node
from tests.support.checker import assert_decodes_silently, assert_in_sync, read_video
from tests.support.proc import children, resident_bytes
from tests.support.waiting import wait_until

CUT = "/cut/demo/source.ts"
WHOLE = "start=2026-07-01T11:59:50Z&end=2026-07-01T12:00:04Z"
PART = "start=2026-07-01T11:59:51.5Z&end=2026-07-01T11:59:52.5Z"
FIRST = "2026-07-01T11:59:50Z,2026-07-01T11:59:52Z"
THIRD = "2026-07-01T11:59:54Z,2026-07-01T11:59:56Z"
LONG = "&".join([f"range={FIRST}"] * 500)
"""A cut that takes minutes, if it is encoded, and of which a client has to take most."""
WITH_HOLE = "start=2026-07-01T11:59:50Z&end=2026-07-01T12:00:10Z"


def get(node: Node, path: str) -> requests.Response:
    return requests.get(node.url + path, timeout=200)


def test_a_rough_cut_is_the_segments_themselves(node: Node) -> None:
    response = get(node, f"{CUT}?{WHOLE}&type=rough")
    stored = node.stored["source"][:7]
    assert response.content == b"".join(entry.path.read_bytes() for entry in stored)
    assert response.headers["Content-Type"] == "video/mp2t"
    assert "demo-source-2026-07-01T11-59-50.ts" in response.headers["Content-Disposition"]


def test_several_ranges_make_one_cut(node: Node) -> None:
    response = get(node, f"{CUT}?range={FIRST}&range={THIRD}&transition=&type=rough")
    stored = [node.stored["source"][index] for index in (0, 2)]
    assert response.content == b"".join(entry.path.read_bytes() for entry in stored)


def test_a_transition_makes_the_cut_shorter(node: Node) -> None:
    ranges = f"range={FIRST}&range={THIRD}&type=mpegts"
    made = {
        transition: get(node, f"/cut/demo/360p30.ts?{ranges}&transition={transition}").content
        for transition in ("", "fade,0.5")
    }
    frames = {name: len(read_video(data).frames) for name, data in made.items()}
    assert frames == {"": 120, "fade,0.5": 105}


@pytest.mark.parametrize(
    ("ranges", "transition", "status", "text"),
    [
        (f"range={FIRST}&range={THIRD}", "fade,2.5", 400, "after range 1 is longer"),
        (f"range={FIRST}&range={THIRD}", "fade,NaN", 400, "transition:"),
        (f"range={FIRST}&range={THIRD}", "custom,1", 400, "none named 'custom'"),
        (
            f"range={FIRST}&range=2026-07-01T12:00:05Z,2026-07-01T12:00:10Z",
            "fade,0.5",
            406,
            "a transition meets a hole",
        ),
    ],
)
def test_a_transition_that_cannot_be_is_refused(
    node: Node, ranges: str, transition: str, status: int, text: str
) -> None:
    query = f"{ranges}&transition={transition}&type=mpegts&allow_holes=true"
    response = get(node, f"{CUT}?{query}")
    assert response.status_code == status
    assert text in response.text


def test_a_thousand_ranges_make_one_cut(node: Node) -> None:
    ranges = [("range", FIRST), ("range", THIRD)] * 500
    joins = [("transition", "")] * 999
    response = requests.get(
        node.url + CUT, params=[*ranges, *joins, ("type", "rough")], timeout=200
    )
    assert response.status_code == 200, response.text
    stored = [node.stored["source"][index] for index in (0, 2)]
    assert response.content == b"".join(entry.path.read_bytes() for entry in stored) * 500


def test_more_than_a_thousand_ranges_are_refused(node: Node) -> None:
    response = get(node, f"{CUT}?type=rough" + f"&range={FIRST}" * 1001)
    assert response.status_code == 400
    assert response.text.startswith("range: at most 1000")


def test_a_million_ranges_are_refused_unread(node: Node) -> None:
    address = urlsplit(node.url)
    query = f"range={FIRST}&" * 1_000_000
    request = f"GET {CUT}?{query}type=rough HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n"
    before = resident_bytes(node.process.pid)
    with socket.create_connection((address.hostname, address.port), timeout=100) as client:
        client.sendall(request.encode())
        answer = client.makefile("rb").read().decode()
    assert answer.startswith("HTTP/1.1 400 ")
    assert "the address is longer than 262144 bytes" in answer
    assert resident_bytes(node.process.pid) - before < len(request) / 4


@pytest.mark.parametrize(
    ("kind", "content_type", "magic"),
    [
        ("mpegts", "video/mp2t", b"\x47"),
        ("mp4", "video/mp4", b"ftyp"),
        ("fast", "video/mp2t", b"G"),
    ],
)
def test_a_cut_has_its_types_content(
    node: Node, kind: str, content_type: str, magic: bytes
) -> None:
    response = get(node, f"/cut/demo/360p30.ts?{PART}&type={kind}")
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == content_type
    assert magic in response.content[:8]


@pytest.mark.parametrize(
    ("query", "text"),
    [(WITH_HOLE, "2026-07-01T12:00:04"), ("start=2020-01-01&end=2020-01-02", "nothing")],
)
def test_holes_are_refused_unless_allowed(node: Node, query: str, text: str) -> None:
    response = get(node, f"{CUT}?{query}&type=rough")
    assert response.status_code == 406
    assert text in response.text


def test_allowed_holes_are_left_out(node: Node) -> None:
    response = get(node, f"{CUT}?{WITH_HOLE}&type=rough&allow_holes=true")
    stored = node.stored["source"][:9]
    assert response.content == b"".join(entry.path.read_bytes() for entry in stored)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("", "start"),
        (f"{WHOLE}&type=best", "type"),
        (f"{WHOLE}&type=rough&allow_holes=1", "allow_holes"),
        ("start=2026-07-01&type=rough", "end"),
        ("range=2026-07-01&type=rough", "range"),
        (f"{WHOLE}&type=rough&transition=fade,1", "transition"),
        (f"range={FIRST}&range=x&type=rough", "range"),
        (
            f"range={FIRST}&range={THIRD}&transition=fade,1&type=rough",
            "transition",
        ),
    ],
)
def test_bad_parameters_are_named(node: Node, query: str, name: str) -> None:
    response = get(node, f"{CUT}?{query}")
    assert response.status_code == 400
    assert response.text.startswith(f"{name}:")


def test_an_unknown_type_is_refused_with_the_types_that_there_are(node: Node) -> None:
    text = get(node, f"{CUT}?{WHOLE}&type=best").text
    assert all(kind in text for kind in ("rough", "fast", "smart", "mpegts", "mp4", "webm"))


def test_without_a_type_a_cut_is_smart(node: Node) -> None:
    assert get(node, f"{CUT}?{PART}").content == get(node, f"{CUT}?{PART}&type=smart").content


def test_a_client_that_goes_away_leaves_no_process_and_frees_its_place(fresh: Node) -> None:
    wait_until(lambda: len(encoders(fresh)) == 2, "encoders wait for work")
    before = encoders(fresh)
    address = urlsplit(fresh.url)
    request = f"GET {CUT}?{LONG}&type=mpegts HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=100) as client:
        client.sendall(request.encode())
        assert client.recv(1)
        busy = get(fresh, f"{CUT}?{WHOLE}&type=mpegts")
        assert busy.status_code == 503
        assert int(busy.headers["Retry-After"]) > 0
    # Long before the cut would have ended by itself.
    wait_until(lambda: len(before - encoders(fresh)) == 1, "the one at work is gone", seconds=60)
    wait_until(lambda: len(encoders(fresh)) == 2, "two wait for work")
    head = f"{fresh.url}{CUT}?{WHOLE}&type=mpegts"
    wait_until(lambda: requests.head(head, timeout=100).ok, "its place is free")


def test_a_running_cut_says_how_far_it_is(node: Node) -> None:
    with requests.get(f"{node.url}{CUT}?{LONG}&type=mpegts", stream=True, timeout=100) as response:
        running = wait_until(
            lambda: [cut for cut in get(node, "/cuts").json() if cut["frames_done"] > 0],
            "frames are done",
        )
        (cut,) = running
        assert cut["id"] == response.headers["Wubloader-Cut"]
        assert (cut["type"], cut["channel"], cut["quality"]) == ("mpegts", "demo", "source")
        assert cut["frames_done"] <= cut["frames_total"]
        assert next(response.iter_content(1))
    wait_until(lambda: get(node, "/cuts").json() == [], "it has ended")


@pytest.mark.parametrize("query", [f"{PART}&container=mp4", f"{PART}&type=smart-mp4"])
def test_a_smart_cut_can_be_mp4(node: Node, query: str) -> None:
    response = get(node, f"{CUT}?{query}")
    assert response.headers["Content-Type"] == "video/mp4", response.text
    ours = read_video(response.content)
    assert ours.numbers == read_video(get(node, f"{CUT}?{PART}").content).numbers
    assert ours.frames[0].pts == 0
    assert_in_sync(ours)
    assert_decodes_silently(response.content)


def test_a_container_is_for_smart_cuts_only(node: Node) -> None:
    response = get(node, f"{CUT}?{PART}&type=mpegts&container=mp4")
    assert response.status_code == 400
    assert response.text.startswith("container:")


def encoders(node: Node) -> set[int]:
    return children(node.process.pid)


def test_asking_for_the_headers_makes_no_cut_and_tells_no_length(node: Node) -> None:
    with requests.Session() as session:  # the same connection goes on
        response = session.head(f"{node.url}{CUT}?{PART}", timeout=100)
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "video/mp2t"
        assert "Content-Length" not in response.headers
        assert session.get(f"{node.url}/cuts", timeout=100).json() == []
