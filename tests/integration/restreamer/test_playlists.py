"""Playlists over HTTP."""

import gzip
import os
import time
from pathlib import Path
from threading import Thread
from typing import Self
from urllib.parse import urljoin

import pytest
import requests

from common.times import SECOND, format_time, parse_time
from tests.integration.restreamer.conftest import HOLE, START, Node
from tests.support.media import fill_store, recorded_set
from tests.support.playlist_grammar import check_reload, read_master, read_media
from tests.support.waiting import wait_until

CLOSED = {"start": "2026-07-01T11:59:50Z", "end": "2026-07-01T12:00:14Z"}
TYPE = "application/vnd.apple.mpegurl"


def get(url: str, **params: str) -> requests.Response:
    return requests.get(url, params=params, timeout=200)


def test_a_closed_range_is_listed_whole_with_its_hole(node: Node) -> None:
    response = get(f"{node.url}/playlist/demo/source.m3u8", **CLOSED)
    assert response.headers["Content-Type"] == TYPE
    assert response.history == []
    playlist = read_media(response.text)
    assert playlist.ended
    assert playlist.kind == "VOD"
    assert len(playlist.segments) == 11
    assert [line.discontinuity for line in playlist.segments].index(True) == HOLE
    assert parse_time(playlist.segments[0].date or "") == START


def test_each_line_leads_to_its_segment(node: Node) -> None:
    response = get(f"{node.url}/playlist/demo/source.m3u8", **CLOSED)
    lines = read_media(response.text).segments
    for line, stored in zip(lines, node.stored["source"], strict=True):
        segment = requests.head(urljoin(response.url, line.uri), timeout=100)
        assert segment.headers["ETag"] == f'"{stored.segment.hash}"'


def test_the_master_playlist_describes_every_quality(node: Node) -> None:
    response = get(f"{node.url}/playlist/demo.m3u8", **CLOSED)
    source, lower = read_master(response.text).streams
    assert source.uri.startswith("demo/source.m3u8?start=")
    assert lower.uri.startswith("demo/360p30.m3u8?start=")
    assert int(source.attributes["BANDWIDTH"]) > int(lower.attributes["BANDWIDTH"])
    assert source.attributes["FRAME-RATE"] == "60.000"
    assert lower.attributes["FRAME-RATE"] == "30.000"
    assert lower.attributes["RESOLUTION"].endswith("x360")
    assert read_media(get(urljoin(response.url, source.uri)).text).ended


def test_a_bare_live_url_leads_to_a_session_that_stays(node: Node) -> None:
    bare = f"{node.url}/playlist/demo/source.m3u8"
    first = wait_until(lambda: _ok(bare), "the live playlist is there")
    assert first.history[0].status_code == 307
    assert not read_media(first.text).ended
    assert get(bare).url == first.url


def _ok(url: str) -> requests.Response | None:
    response = get(url)
    return response if response.ok else None


def test_what_a_live_player_has_seen_stays_while_holes_are_filled(node: Node) -> None:
    recorded = recorded_set()
    now = round(time.time() * SECOND)
    start = now - 24 * SECOND

    def land(first: int, count: int, holes: list[int]) -> None:
        offset = round(recorded.start_seconds(first) * SECOND)
        fill_store(
            node.base_dir,
            "backfilled",
            "source",
            recorded,
            start=start + offset,
            first=first,
            count=count,
            holes=holes,
        )

    def session_with(count: int) -> str:
        """The URL of a new session that shows so many segments."""

        def opened() -> str | None:
            master = get(f"{node.url}/playlist/backfilled.m3u8")
            if not master.ok:
                return None
            uri = urljoin(master.url, read_master(master.text).streams[0].uri)
            media = _ok(uri)
            return uri if media and len(read_media(media.text).segments) == count else None

        return wait_until(opened, f"a session shows {count} segments")

    land(0, 6, [3])
    uri = session_with(5)
    before = read_media(get(uri).text)
    land(3, 1, [])  # from another node, behind what was shown
    land(6, 2, [])

    def grown() -> bool:
        return len(read_media(get(uri).text).segments) == len(before.segments) + 2

    wait_until(grown, "the new segments are shown")
    check_reload(before, read_media(get(uri).text))
    assert session_with(8) != uri


def test_a_range_without_an_end_grows_and_is_never_closed(node: Node) -> None:
    uri = f"{node.url}/playlist/demo/source.m3u8?start={CLOSED['start']}"
    playlist = read_media(wait_until(lambda: _ok(uri), "it is there").text)
    assert playlist.kind == "EVENT"
    assert not playlist.ended


def test_a_range_that_is_not_over_yet_is_not_closed(node: Node) -> None:
    end = format_time(round((time.time() + 3600) * SECOND))
    uri = f"{node.url}/playlist/demo/source.m3u8?start={CLOSED['start']}&end={end}"
    assert not read_media(wait_until(lambda: _ok(uri), "it is there").text).ended


def test_playlists_are_compressed_and_revalidated(node: Node) -> None:
    url = f"{node.url}/playlist/demo/source.m3u8"
    plain = requests.get(url, params=CLOSED, headers={"Accept-Encoding": "identity"}, timeout=100)
    packed = requests.get(
        url, params=CLOSED, headers={"Accept-Encoding": "gzip"}, stream=True, timeout=100
    )
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.raw.read()) == plain.content
    tag = {"If-None-Match": plain.headers["ETag"]}
    assert requests.get(url, params=CLOSED, headers=tag, timeout=100).status_code == 304


@pytest.mark.parametrize(
    "path", ["/playlist/no.m3u8", "/playlist/demo/no.m3u8", "/playlist/no/no.m3u8"]
)
def test_what_is_not_recorded_is_not_found(node: Node, path: str) -> None:
    assert get(node.url + path).status_code == 404


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("start=yesterday", "start"),
        ("start=2026-07-01&end=NaN", "end"),
        ("start=2026-07-02&end=2026-07-01", "end"),
        ("session=2026-07-01", "target"),
        ("session=x&target=2", "session"),
        ("session=9998-07-01&target=2", "session"),
        ("session=2026-07-01&target=0", "target"),
        ("target=2", "target"),
    ],
)
def test_bad_parameters_are_named(node: Node, query: str, name: str) -> None:
    response = get(f"{node.url}/playlist/demo/source.m3u8?{query}")
    assert response.status_code == 400
    assert response.text.startswith(f"{name}:")


def _wide_store(base_dir: Path, days: int) -> None:
    """A quality with `days` of 2 s segments; their content does not matter."""
    for hour in range(24 * days):
        folder = base_dir / "wide" / "source" / f"2026-05-{1 + hour // 24:02d}T{hour % 24:02d}"
        folder.mkdir(parents=True)
        for second in range(0, 3600, 2):
            digest = f"{hour * 3600 + second:043d}"
            name = f"{second // 60:02d}:{second % 60:02d}.000000-2.0-full-{digest}.ts"
            os.close(os.open(folder / name, os.O_CREAT))


class _Background:
    """A request made in a thread of its own."""

    def __init__(self, url: str) -> None:
        self._thread = Thread(target=self._run, args=(url,))
        self.text = ""

    def _run(self, url: str) -> None:
        self.text = get(url).text

    def done(self) -> bool:
        return not self._thread.is_alive()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.join()


def test_a_wide_playlist_holds_up_nobody(node: Node) -> None:
    _wide_store(node.base_dir, days=1)
    # It may be ready before this process gets round to ask for anything else.
    assert any(_answers_beside_wide_playlist(node) >= 5 for _ in range(5))


def _answers_beside_wide_playlist(node: Node) -> int:
    """How often something else is answered while it is made."""
    url = f"{node.url}/playlist/wide/source.m3u8?start=2026-05-01&end=2026-05-02"
    answered = 0

    def done() -> bool:
        nonlocal answered
        answered += session.get(f"{node.url}/files", timeout=100).ok
        return slow.done()

    with requests.Session() as session, _Background(url) as slow:
        wait_until(done, "the wide playlist is there")
    assert len(read_media(slow.text).segments) == 43_200
    return answered


def preview(node: Node, *ranges: str, **params: str) -> requests.Response:
    url = f"{node.url}/playlist/demo/source.m3u8"
    return requests.get(url, params={"range": list(ranges), **params}, timeout=200)


def test_ranges_make_a_closed_playlist_whose_joins_are_discontinuities(node: Node) -> None:
    response = preview(
        node,
        "2026-07-01T11:59:56.5Z,2026-07-01T11:59:59Z",  # in the middle of two segments
        "2026-07-01T11:59:50Z,2026-07-01T11:59:52Z",
        "2026-07-01T11:59:52Z,2026-07-01T11:59:54Z",
    )
    assert response.headers["Content-Type"] == TYPE
    playlist = read_media(response.text)
    assert playlist.ended
    assert playlist.kind == "VOD"
    stored = node.stored["source"]
    assert [line.uri.rpartition("/")[2] for line in playlist.segments] == [
        stored[index].segment.name for index in (3, 4, 0, 1)
    ]
    assert [line.discontinuity for line in playlist.segments] == [False, False, True, True]
    first = requests.get(urljoin(response.url, playlist.segments[0].uri), timeout=100)
    assert first.content == stored[3].path.read_bytes()


def test_holes_in_ranges_are_discontinuities_too(node: Node) -> None:
    around = "2026-07-01T12:00:02Z,2026-07-01T12:00:08Z"
    nothing = "2020-01-01T00:00:00Z,2020-01-01T00:00:10Z"
    inside = "2026-07-01T12:00:04.5Z,2026-07-01T12:00:05Z"
    playlist = read_media(preview(node, nothing, around, inside, around).text)
    assert [line.discontinuity for line in playlist.segments] == [False, True, True, True]
    assert preview(node, nothing, inside).status_code == 404


def test_the_same_range_twice_is_shown_twice(node: Node) -> None:
    one = "2026-07-01T11:59:50Z,2026-07-01T11:59:52Z"
    playlist = read_media(preview(node, *[one] * 1000).text)
    assert len(playlist.segments) == 1000
    assert all(line.discontinuity for line in playlist.segments[1:])


@pytest.mark.parametrize(
    ("ranges", "params", "name"),
    [
        (["2026-07-01T11:59:50Z"], {}, "range"),
        (["2026-07-01T11:59:52Z,2026-07-01T11:59:50Z"], {}, "range"),
        (["NaN,NaN"], {}, "range"),
        (["2026-07-01,2026-07-02"] * 1001, {}, "range"),
        (["2026-07-01,2026-07-02"], {"start": "2026-07-01"}, "range"),
        (["2026-07-01,2026-07-02"], {"session": "2026-07-01", "target": "2"}, "session"),
    ],
)
def test_bad_ranges_of_a_playlist_are_named(
    node: Node, ranges: list[str], params: dict[str, str], name: str
) -> None:
    response = preview(node, *ranges, **params)
    assert response.status_code == 400
    assert response.text.startswith(f"{name}:")
