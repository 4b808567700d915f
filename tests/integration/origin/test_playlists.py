"""What the origin lists and answers as its clock is stepped, well-behaved and otherwise."""

from typing import Any
from urllib.parse import urljoin

import m3u8
import pytest
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry

from common.daemon import Stop
from common.segments.path import hash_bytes
from common.times import SECOND, from_datetime
from demo.origin.app import create_origin
from demo.origin.broadcast import Broadcast, State
from demo.origin.clock import SteppedClock
from demo.origin.material import RecordedMaterial
from demo.origin.station import Station
from tests.support.checker import assert_frames, read_video
from tests.support.media import recorded_set
from tests.support.origin import START

MEDIA = "/media/source.m3u8"


class Client:
    """Asks an origin without a network between."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client

    def get(self, url: str) -> bytes:
        response = self._client.get(url)
        assert response.status_code == 200, response.text
        return bytes(response.data)

    def status(self, url: str) -> int:
        return self._client.get(url).status_code

    def json(self, url: str) -> Any:
        return self._client.get(url).get_json()

    def control(self, what: str, **body: object) -> None:
        response = self._client.post(f"/control/{what}", json=body)
        assert response.status_code in {200, 204}, response.text

    def refusal(self, what: str, **body: object) -> str:
        response = self._client.post(f"/control/{what}", json=body)
        assert response.status_code == 400
        return str(response.text)

    def advance(self, segments: int) -> None:
        self.control("clock", advance_seconds=2 * segments)

    def text(self, url: str = MEDIA) -> str:
        return self.get(url).decode()

    def playlist(self, url: str = MEDIA) -> m3u8.M3U8:
        return m3u8.loads(self.text(url))

    def sequences(self) -> list[int]:
        playlist = self.playlist()
        return [playlist.media_sequence + i for i in range(len(playlist.segments))]

    def segment(self, position: int, playlist_url: str = MEDIA) -> bytes:
        """The bytes of the listed segment at `position`, with its initialization section."""
        segment = self.playlist(playlist_url).segments[position]
        parts = [] if segment.init_section is None else [segment.init_section.uri]
        return b"".join(self.get(urljoin(playlist_url, uri)) for uri in [*parts, segment.uri])


@pytest.fixture
def origin() -> Client:
    clock = SteppedClock(START, 0)
    material = RecordedMaterial(recorded_set("short"), START)
    station = Station(material, clock, Broadcast(State(window_segments=5)))
    app = create_origin(station, registry=CollectorRegistry(), stop=Stop())
    return Client(app.test_client())


def test_the_master_playlist_names_both_qualities_as_twitch_does(origin: Client) -> None:
    playlist = origin.playlist("/master.m3u8")
    shown = [
        (p.media[0].name, p.stream_info.video, p.stream_info.resolution, p.stream_info.frame_rate)
        for p in playlist.playlists
    ]
    assert shown == [
        ("720p60 (source)", "chunked", (1280, 720), 60.0),
        ("360p", "360p30", (640, 360), 30.0),
    ]
    assert [p.stream_info.codecs for p in playlist.playlists] == [
        "avc1.640020,mp4a.40.2",
        "avc1.64001E,mp4a.40.2",
    ]
    assert [p.uri for p in playlist.playlists] == ["media/source.m3u8", "media/360p30.m3u8"]


def test_a_segment_is_listed_once_it_is_over(origin: Client) -> None:
    origin.control("clock", advance_seconds=1.9)
    assert origin.sequences() == []
    origin.control("clock", advance_seconds=0.1)
    assert origin.sequences() == [0]


def test_the_window_slides_and_counts_its_sequence(origin: Client) -> None:
    origin.advance(7)
    assert origin.sequences() == [2, 3, 4, 5, 6]
    times = [from_datetime(s.program_date_time) for s in origin.playlist().segments]
    assert times == [START + 2 * n * SECOND for n in range(2, 7)]


def test_segments_hold_the_frames_of_their_time_and_the_bytes_of_the_journal(
    origin: Client,
) -> None:
    origin.advance(4)
    journal = origin.json("/control/listed")
    for position, first in enumerate([0, 120, 240, 0]):  # the set of 6 s begins again
        data = origin.segment(position)
        assert hash_bytes(data) == journal[position]["hashes"]["source"]
        assert_frames(read_video(data), first, first + 119)
    assert len({entry["hashes"]["source"] for entry in journal}) == 4


def test_the_journal_says_when_each_segment_was_listed(origin: Client) -> None:
    origin.advance(3)
    assert [entry["listed_at"] for entry in origin.json("/control/listed")] == [
        "2027-01-15T08:00:02.000000",
        "2027-01-15T08:00:04.000000",
        "2027-01-15T08:00:06.000000",
    ]


def test_requests_are_counted_by_path(origin: Client) -> None:
    origin.advance(1)
    origin.segment(0)
    origin.segment(0)
    counts = origin.json("/control/requests")["counts"]
    assert counts == {MEDIA: 2, "/segments/source/000000.ts": 2}


def test_what_is_not_there_is_404(origin: Client) -> None:
    origin.advance(1)
    wanted = ["/segments/source/000001.ts", "/segments/source/x.ts", "/segments/none/000000.ts"]
    assert [origin.status(url) for url in [*wanted, "/media/none.m3u8"]] == [404] * 4


def test_urls_with_a_token_expire_and_the_master_gives_fresh_ones(origin: Client) -> None:
    origin.control("stream", token_seconds=20)
    origin.advance(9)
    media = urljoin("/master.m3u8", origin.playlist("/master.m3u8").playlists[0].uri)
    segment = urljoin(media, origin.playlist(media).segments[-1].uri)
    assert [origin.status(media), origin.status(segment), origin.status(MEDIA)] == [200, 200, 403]
    origin.advance(10)
    assert [origin.status(media), origin.status(segment)] == [403, 403]
    fresh = urljoin("/master.m3u8", origin.playlist("/master.m3u8").playlists[0].uri)
    assert origin.status(fresh) == 200


def test_a_restart_begins_a_new_playlist_with_the_sequence_asked_for(origin: Client) -> None:
    origin.advance(3)
    origin.control("stream", restart_at_sequence=0)
    assert origin.sequences() == [0, 1, 2]
    origin.advance(2)
    assert origin.sequences() == [0, 1]
    assert [s.uri[-9:] for s in origin.playlist().segments] == ["000003.ts", "000004.ts"]


def test_program_date_time_jumps_and_disappears(origin: Client) -> None:
    origin.advance(1)
    origin.control("stream", jump_seconds=-0.5)
    origin.advance(1)
    origin.control("stream", program_date_time=False)
    origin.advance(1)
    text = origin.text()
    assert text.count("PROGRAM-DATE-TIME") == 2
    assert "2027-01-15T08:00:01.500Z" in text


def test_an_advertisement_is_marked_as_twitch_marks_it(origin: Client) -> None:
    origin.advance(1)
    origin.control("stream", advertisement_segments=2)
    origin.advance(3)
    text = origin.text()
    assert (
        '#EXT-X-DATERANGE:ID="stitched-ad-1",CLASS="twitch-stitched-ad",'
        'START-DATE="2027-01-15T08:00:02.000Z",DURATION=4.000\n'
    ) in text
    titles = [segment.title for segment in origin.playlist().segments]
    assert titles == ["live", "Amazon|1", "Amazon|1", "live"]
    breaks = [segment.discontinuity for segment in origin.playlist().segments]
    assert breaks == [False, True, False, True]
    listed = [entry["advertisement"] for entry in origin.json("/control/listed")]
    assert listed == [False, True, True, False]


@pytest.mark.parametrize(
    ("mark", "sign"),
    [("class", "twitch-stitched-ad"), ("id", 'ID="stitched-ad-'), ("title", "Amazon")],
)
def test_each_mark_of_an_advertisement_can_stand_alone(
    origin: Client, mark: str, sign: str
) -> None:
    origin.control("stream", advertisement_segments=1, advertisement_marks=[mark])
    origin.advance(1)
    signs = ["twitch-stitched-ad", 'ID="stitched-ad-', "Amazon"]
    assert [each for each in signs if each in origin.text()] == [sign]


def test_discontinuities_that_leave_the_window_are_counted(origin: Client) -> None:
    origin.advance(1)
    origin.control("stream", discontinuity=True)
    origin.advance(5)
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:0\n" in origin.text()
    origin.advance(1)
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:1\n" in origin.text()


def test_a_stream_that_has_ended_lists_nothing_until_it_returns(origin: Client) -> None:
    origin.advance(2)
    origin.control("stream", ended=True)
    origin.advance(3)
    assert origin.text().endswith("#EXT-X-ENDLIST\n")
    assert origin.sequences() == [0, 1]
    origin.control("stream", ended=False)
    assert origin.text().endswith("#EXT-X-ENDLIST\n")
    origin.advance(1)
    assert "ENDLIST" not in origin.text()
    assert [s.uri[-9:] for s in origin.playlist().segments] == ["000005.ts"]


def test_a_frozen_playlist_lists_what_it_held_back_when_it_thaws(origin: Client) -> None:
    origin.advance(1)
    origin.control("stream", frozen=True)
    origin.advance(2)
    assert origin.sequences() == [0]
    origin.control("stream", frozen=False)
    assert origin.sequences() == [0, 1, 2]
    assert origin.json("/control/listed")[1]["listed_at"] == "2027-01-15T08:00:06.000000"


def test_an_initialization_section_and_a_segment_make_up_the_bytes_of_the_journal(
    origin: Client,
) -> None:
    origin.control("stream", map=True)
    origin.advance(2)
    data = origin.segment(1)
    listed = origin.json("/control/listed")[1]
    assert hash_bytes(data) == listed["hashes"]["source"]


@pytest.mark.parametrize(
    ("what", "body", "said"),
    [
        ("clock", {"advance_seconds": -1}, "advance_seconds"),
        ("stream", {"endet": True}, "endet"),
        ("faults", {"path": "*", "kind": "fire"}, "kind"),
    ],
)
def test_a_control_request_that_makes_no_sense_is_refused(
    origin: Client, what: str, body: dict[str, object], said: str
) -> None:
    assert said in origin.refusal(what, **body)


def test_the_page_shows_what_is_listed_and_what_will_go_wrong(origin: Client) -> None:
    origin.advance(2)
    origin.control("faults", path="/segments/*", kind="empty")
    page = origin.text("/")
    assert "on the air" in page
    assert "segments/360p30/000001.ts" in page
    assert "empty on\n/segments/*" in page
