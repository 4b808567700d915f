"""Channels on Twitch, found by streamlink: tokens, playlists, refusals, advertisements."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.integration.downloader.conftest import Record
from tests.integration.downloader.recording import Recording, gap_of, segment_requests
from tests.support.origin import Origin
from tests.support.twitch import Mood, Twitch, twitch
from tests.support.waiting import wait_until


@pytest.fixture
def site(origin: Origin) -> Iterator[Twitch]:
    with twitch(origin, demo=Mood.LIVE) as started:
        yield started


def test_both_qualities_are_recorded_with_the_token_that_one_of_them_was_given(
    origin: Origin, site: Twitch, record: Record
) -> None:
    origin.advance(6)
    recording = record("demo", *site.rewrites, "--qualities", "source,360p30", url=None)
    for quality in ("source", "360p30"):
        recording.wait_for(origin.listed_hashes(quality), quality)
    origin.advance(4)
    for quality in ("source", "360p30"):
        recording.wait_for(origin.listed_hashes(quality), quality)
        requests = [segment_requests(origin, index, quality) for index in range(6)]
        assert requests == [1, 1, 1, 1, 1, 0], "the one to prefetch is not there yet"
    assert site.tokens == {"demo": 1}
    assert {status for _, status in site.answers} == {200}


@pytest.mark.parametrize("name", ["720p60", "720P"])
def test_a_quality_goes_by_the_name_that_the_site_shows(
    name: str, origin: Origin, site: Twitch, record: Record
) -> None:
    origin.advance(4)
    recording = record("demo", *site.rewrites, "--qualities", name, url=None)
    recording.wait_for(origin.listed_hashes("source"), name)


def test_when_addresses_are_refused_a_fresh_token_is_taken_and_nothing_is_lost(
    origin: Origin, site: Twitch, record: Record
) -> None:
    origin.advance(6)
    recording = record("demo", *site.rewrites, url=None)
    recording.wait_for(origin.listed_hashes())
    for _ in range(2):
        refused = site.answers["playlist", 403]
        site.expire()
        wait_until(partial(site.has_answered, "playlist", 403, refused + 1), "it is refused")
        origin.advance(4)
        recording.wait_for(origin.listed_hashes())
    assert site.tokens["demo"] >= 3
    assert recording.gaps() == []
    assert [segment_requests(origin, index) for index in range(7)] == [1] * 7


def test_an_address_is_renewed_before_it_is_refused(
    origin: Origin, site: Twitch, record: Record
) -> None:
    origin.advance(2)
    recording = record("demo", *site.rewrites, "--renew-seconds", "1", url=None)
    for tokens in (2, 3):
        wait_until(partial(site.has_answered, "gql", 200, tokens), f"token {tokens} is given")
        origin.advance(2)
        recording.wait_for(origin.listed_hashes())
    assert {status for _, status in site.answers} == {200}
    assert [segment_requests(origin, index) for index in range(3)] == [1] * 3
    assert recording.gaps() == []


@pytest.mark.parametrize("marks", [["class", "id"], ["title"]])
def test_an_advertisement_is_a_gap_with_its_reason(
    marks: list[str], origin: Origin, site: Twitch, record: Record
) -> None:
    origin.advance(4)
    recording = record("demo", *site.rewrites, url=None)
    recording.wait_for(origin.listed_hashes())
    origin.change(advertisement_segments=2, advertisement_marks=marks)
    origin.advance(8)
    recording.wait_for(origin.listed_hashes())
    assert len(origin.listed_hashes()) == 4
    assert recording.wait_for_gaps(2) == [gap_of(2, "advertisement"), gap_of(3, "advertisement")]
    assert [segment_requests(origin, index) for index in (2, 3)] == [0, 0]


COMPLAINTS = {
    Mood.UNKNOWN: "https://www.twitch.tv/unknown is not live",
    Mood.OFF_THE_AIR: "https://www.twitch.tv/off_the_air is not live",
    Mood.REFUSED: "https://www.twitch.tv/refused is not live",
    Mood.UNTRUSTED: "failed integrity check",
    Mood.BROKEN: "503 Server Error",
    Mood.GARBLED: "Unable to parse JSON",
}


def test_whatever_is_wrong_is_said_once_holds_up_no_other_and_is_tried_again(
    origin: Origin, site: Twitch, record: Record
) -> None:
    channels = {mood.name.lower(): mood for mood in COMPLAINTS}
    site.moods.update(channels)
    origin.advance(4)
    waits = ("--offline-seconds", "1", "--offline-always-live-seconds", "1")
    waits += ("--find-seconds", "120")  # seven processes begin at once
    recording = record("demo", *channels, *site.rewrites, *waits, url=None)
    recording.wait_for(origin.listed_hashes())
    for name, mood in channels.items():
        (complaint,) = wait_until(partial(lines_of, recording, name), f"{name} is complained of")
        assert COMPLAINTS[mood] in complaint
        assert recording.metric("live", channel=name) == 0
    site.moods.update(dict.fromkeys(channels, Mood.LIVE))
    for name in channels:
        recording.wait_for(origin.listed_hashes(), channel=name)
        assert len(lines_of(recording, name)) == 1


def lines_of(recording: Recording, name: str) -> list[str]:
    """What the log says of why this channel cannot be recorded."""
    lines = recording.process.output.splitlines()
    return [line for line in lines if f"cannot record {name}/source: " in line]
