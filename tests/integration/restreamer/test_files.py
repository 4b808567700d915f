"""Names and files over HTTP."""

import http.client
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import requests

from tests.integration.restreamer.conftest import Node


def get(node: Node, path: str, **headers: str) -> requests.Response:
    return requests.get(node.url + path, headers=headers, timeout=100)


def raw_status(node: Node, path: str) -> int:
    """The answer to a path sent as it is; clients' libraries tidy paths up."""
    connection = http.client.HTTPConnection(urlsplit(node.url).netloc, timeout=100)
    try:
        connection.putrequest("GET", path, skip_accept_encoding=True)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


def segment_path(node: Node, index: int = 0) -> str:
    path = node.stored["source"][index].path
    return f"/segments/{path.relative_to(node.base_dir).as_posix()}"


def test_names_are_listed_down_to_the_hour(node: Node) -> None:
    assert "demo" in get(node, "/files").json()
    assert get(node, "/files/demo").json() == ["360p30", "source"]
    hours = get(node, "/files/demo/source").json()
    assert hours == ["2026-07-01T11", "2026-07-01T12"]
    names = [name for hour in hours for name in get(node, f"/files/demo/source/{hour}").json()]
    assert names == [stored.path.name for stored in node.stored["source"]]


@pytest.mark.parametrize("path", ["/files/no", "/files/no/no", "/files/demo/source/2020-01-01T00"])
def test_what_does_not_exist_is_an_empty_list(node: Node, path: str) -> None:
    assert get(node, path).json() == []


def test_a_segment_is_its_bytes_for_ever(node: Node) -> None:
    stored = node.stored["source"][0]
    response = get(node, segment_path(node))
    assert response.content == stored.path.read_bytes()
    assert response.headers["Content-Type"] == "video/mp2t"
    assert response.headers["ETag"] == f'"{stored.segment.hash}"'
    assert "immutable" in response.headers["Cache-Control"]
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    again = get(node, segment_path(node), **{"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-187", 0, 188), ("bytes=188-", 188, None), ("bytes=-188", -188, None)],
)
def test_a_range_is_that_part_of_the_file(
    node: Node, asked: str, start: int, end: int | None
) -> None:
    response = get(node, segment_path(node), Range=asked)
    assert response.status_code == 206
    assert response.content == node.stored["source"][0].path.read_bytes()[start:end]


def test_a_range_behind_the_end_is_refused(node: Node) -> None:
    assert get(node, segment_path(node), Range="bytes=99999999-").status_code == 416


def test_to_a_server_that_sends_files_itself_it_says_where_the_file_is(node: Node) -> None:
    path = segment_path(node)
    accel = {"Wubloader-Sendfile": "accel"}
    response = get(node, path, Range="bytes=0-187", **accel)
    assert (response.status_code, response.content) == (200, b"")
    assert unquote(response.headers["X-Accel-Redirect"]) == path.replace("/segments/", "/stored/")
    assert "immutable" in response.headers["Cache-Control"]
    again = get(node, path, **{"If-None-Match": response.headers["ETag"]}, **accel)
    assert again.status_code == 304
    missing = get(node, path.replace("-2.0-full-", "-2.5-full-"), **accel)
    assert (missing.status_code, missing.headers.get("X-Accel-Redirect")) == (404, None)


@pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "nonsense"])
def test_a_range_that_is_not_supported_is_ignored(node: Node, asked: str) -> None:
    response = get(node, segment_path(node), Range=asked)
    assert response.status_code == 200
    assert response.content == node.stored["source"][0].path.read_bytes()


def test_head_tells_the_size_without_the_body(node: Node) -> None:
    response = requests.head(node.url + segment_path(node), timeout=100)
    stored = node.stored["source"][0]
    assert response.headers["Content-Length"] == str(stored.path.stat().st_size)


@pytest.fixture
def quality(node: Node) -> Path:
    """A quality of another channel, with one hour to put files into."""
    hour = node.base_dir / "files-test" / "source" / "2026-07-01T12"
    hour.mkdir(parents=True, exist_ok=True)
    return hour


def test_a_tombstoned_segment_is_gone(node: Node, quality: Path) -> None:
    source = node.stored["source"][0].path
    segment = quality / source.name
    segment.write_bytes(source.read_bytes())
    listing = "/files/files-test/source/2026-07-01T12"
    url = f"/segments/files-test/source/2026-07-01T12/{source.name}"
    assert get(node, url).status_code == 200
    tombstone = segment.with_suffix(".tombstone")
    tombstone.touch()
    assert get(node, url).status_code == 404
    assert source.name not in get(node, listing).json()
    assert tombstone.name not in get(node, listing).json()
    assert tombstone.name in get(node, f"{listing}?tombstones=true").json()
    assert get(node, f"{listing}?tombstones=maybe").status_code == 400


@pytest.mark.parametrize(
    "name",
    [".hidden.ts", "45:00.000000-2.0-temp-0a1b2c3d-0000-0000-0000-000000000000.ts", "x.temp"],
)
def test_hidden_and_unfinished_files_are_not_served(node: Node, quality: Path, name: str) -> None:
    (quality / name).write_bytes(b"x")
    assert get(node, f"/segments/files-test/source/2026-07-01T12/{name}").status_code == 404
    assert name not in get(node, "/files/files-test/source/2026-07-01T12").json()


@pytest.mark.parametrize(
    "path",
    [
        "/segments/../../../../etc/passwd",
        "/segments/demo/../../../../../etc/passwd",
        "/segments/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/segments/..%2f..%2f..%2f..%2fetc/passwd",
        "/segments//etc/passwd",
        "/segments/demo/source/%00",
        "/segments/demo/source/2026-07-01T12",
    ],
)
def test_nothing_outside_of_the_store_is_read(node: Node, path: str) -> None:
    # 308 is the router's way to say that the path is not written as it should be.
    assert raw_status(node, path) in {308, 404}


@pytest.mark.parametrize("path", ["/extras/../..", "/extras/%2e%2e/%2e%2e", "/extras/.hidden"])
def test_nothing_outside_of_the_store_is_listed(node: Node, path: str) -> None:
    assert get(node, path).status_code == 404 or get(node, path).json() == []


def test_extras_are_all_visible_files_below_a_folder(node: Node) -> None:
    folder = node.base_dir / "stickers"
    put_files(folder, "b.png", "b.json", "a.png", ".a.png.x", "old/d.png")
    assert get(node, "/extras/stickers").json() == ["a.png", "b.json", "b.png", "old/d.png"]
    assert get(node, "/segments/stickers/a.png").headers["Content-Type"] == "image/png"
    assert get(node, "/extras/nothing").json() == []


def test_a_template_is_named_once(node: Node) -> None:
    put_files(node.base_dir / "thumbnail_templates", "two.png", "two.json", ".not.png", "no.png.x")
    names = get(node, "/thumbnail-templates").json()
    assert names.count("two") == 1
    assert not {".not", "no", "no.png"} & set(names)


def put_files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
