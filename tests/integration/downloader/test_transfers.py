"""Transfers of segments that go wrong, once or always: what lands in the store and the journal."""

from typing import Any

import pytest

from common.segments.path import SegmentType, hash_bytes
from common.times import SECOND
from tests.integration.downloader.conftest import Record
from tests.integration.downloader.recording import at, gap_of, segment_requests
from tests.support.media import recorded_set
from tests.support.origin import Origin
from tests.support.waiting import wait_until

BAD = 1
"""The index of the segment that goes wrong, of three that are listed."""


GIVES_UP = ("--stall-seconds", "1", "--segment-seconds", "6")
"""A busy machine too finds time for several tries."""

Fault = dict[str, Any]
"""A kind and what else it needs; see `Origin.fault`."""


def go_wrong(origin: Origin, *, times: int, **fault: Any) -> None:
    """List three segments, of which one is answered wrongly."""
    origin.advance(6)
    origin.fault(origin.segment_path(BAD), times=times, **fault)


def others(origin: Origin) -> list[str]:
    """The hashes of the segments that nothing is wrong with."""
    return [entry["hashes"]["source"] for entry in origin.listed() if entry["index"] != BAD]


def content() -> bytes:
    """What the bad segment should be."""
    return recorded_set().read("source", BAD)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "status", "status": 404}, id="404"),
        pytest.param({"kind": "status", "status": 403}, id="403"),
        pytest.param({"kind": "status", "status": 500}, id="500"),
        pytest.param({"kind": "stall", "sent_bytes": 0}, id="stall before the first byte"),
        pytest.param({"kind": "stall"}, id="stall in the middle"),
        pytest.param({"kind": "truncate"}, id="truncated"),
        pytest.param({"kind": "shorten"}, id="shortened"),
        pytest.param({"kind": "wrong_length", "excess_bytes": 188}, id="too great a length"),
        pytest.param({"kind": "wrong_length", "excess_bytes": -100}, id="too small a length"),
        pytest.param({"kind": "empty"}, id="empty"),
    ],
)
def test_a_transfer_that_goes_wrong_once_is_made_again_and_leaves_no_trace(
    origin: Origin, record: Record, fault: Fault
) -> None:
    go_wrong(origin, times=1, **fault)
    recording = record()
    recording.wait_for(origin.listed_hashes())
    recording.wait_for_metric(3, "segments_total", type="full")
    assert [segment.start for segment in recording.segments()] == [at(0), at(1), at(2)]
    assert recording.types() == {"full": 3}
    assert recording.gaps() == []
    assert [segment_requests(origin, index) for index in range(3)] == [1, 2, 1]
    assert recording.metric("retries_total") == 1
    assert recording.metric("segments_total") == 3


@pytest.mark.parametrize(
    ("fault", "reason", "said"),
    [
        pytest.param({"kind": "status", "status": 404}, "expired", "404", id="404"),
        pytest.param({"kind": "status", "status": 403}, "expired", "403", id="403"),
        pytest.param({"kind": "status", "status": 500}, "network", "500", id="500"),
        pytest.param(
            {"kind": "stall", "sent_bytes": 0}, "network", "stopped answering", id="stall"
        ),
    ],
)
def test_a_segment_that_cannot_be_had_is_in_the_journal_and_recording_goes_on(
    origin: Origin, record: Record, fault: Fault, reason: str, said: str
) -> None:
    go_wrong(origin, times=0, **fault)
    recording = record(*GIVES_UP)
    (gap,) = recording.wait_for_gaps(1)
    assert gap == gap_of(BAD, reason, gap.detail)
    assert said in gap.detail
    assert segment_requests(origin, BAD) > 1
    origin.advance(2)
    recording.wait_for(others(origin))
    assert recording.types() == {"full": 3}
    assert recording.metric("gaps_total", reason=reason) == 1
    assert recording.metric("gap_seconds_total", reason=reason) == 2


def test_the_playlist_of_a_gap_is_kept_as_it_was(origin: Origin, record: Record) -> None:
    go_wrong(origin, kind="status", times=0)
    recording = record("--segment-seconds", "0.5")
    recording.wait_for_gaps(1)
    folder = recording.base_dir / ".gaps" / "demo" / "source"
    (kept,) = wait_until(lambda: list(folder.glob("*.m3u8")), "the playlist follows the line")
    assert f"segments/source/{BAD:06d}.ts" in kept.read_text()


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "truncate"}, id="truncated"),
        pytest.param({"kind": "stall"}, id="stall in the middle"),
    ],
)
def test_of_a_transfer_that_always_breaks_off_what_came_is_partial(
    origin: Origin, record: Record, fault: Fault
) -> None:
    sent = 188 * 200
    go_wrong(origin, times=0, sent_bytes=sent, **fault)
    recording = record(*GIVES_UP)
    (gap,) = recording.wait_for_gaps(1)
    assert gap == gap_of(BAD, "network", gap.detail)
    recording.wait_for(others(origin))
    segment = recording.segments()[BAD]
    assert (segment.start, segment.duration) == (at(BAD), 2 * SECOND)
    assert (segment.type, segment.hash) == (SegmentType.PARTIAL, hash_bytes(content()[:sent]))
    assert recording.metric("segments_total", type="partial") == 1


def test_the_most_that_any_broken_transfer_brought_is_kept(origin: Origin, record: Record) -> None:
    most = 188 * 400
    go_wrong(origin, kind="truncate", times=1, sent_bytes=188 * 100)
    origin.fault(origin.segment_path(BAD), "truncate", sent_bytes=most)
    origin.fault(origin.segment_path(BAD), "truncate", times=0, sent_bytes=188 * 200)
    recording = record(*GIVES_UP)
    recording.wait_for_gaps(1)
    recording.wait_for(others(origin))
    assert recording.read(recording.segments()[BAD]) == content()[:most]


def test_a_body_that_is_shorter_than_its_length_says_is_partial(
    origin: Origin, record: Record
) -> None:
    go_wrong(origin, kind="wrong_length", times=0, excess_bytes=188)
    recording = record("--segment-seconds", "1")
    recording.wait_for_gaps(1)
    recording.wait_for(others(origin))
    assert recording.types() == {"full": 2, "partial": 1}
    assert recording.read(recording.segments()[BAD]) == content()


@pytest.mark.parametrize(
    ("fault", "size_bytes", "said"),
    [
        pytest.param(
            {"kind": "shorten", "sent_bytes": 188 * 200},
            188 * 200,
            "s where the playlist says 2.000",
        ),
        pytest.param(
            {"kind": "shorten", "sent_bytes": 1000}, 1000, "not a whole number of TS packets"
        ),
        pytest.param({"kind": "wrong_length", "excess_bytes": -100}, -100, "not a whole number"),
    ],
)
def test_a_body_that_came_whole_but_looks_wrong_is_suspect(
    origin: Origin,
    record: Record,
    fault: Fault,
    size_bytes: int,
    said: str,
) -> None:
    go_wrong(origin, times=0, **fault)
    recording = record()
    recording.wait_for_metric(1, "segments_total", type="suspect")
    recording.wait_for(others(origin))
    segment = recording.segments()[BAD]
    assert (segment.start, segment.duration) == (at(BAD), 2 * SECOND)
    assert (segment.type, segment.hash) == (SegmentType.SUSPECT, hash_bytes(content()[:size_bytes]))
    assert segment_requests(origin, BAD) == 3
    assert said in recording.process.output


def test_an_empty_body_is_never_full_and_leaves_a_gap(origin: Origin, record: Record) -> None:
    go_wrong(origin, kind="empty", times=0)
    recording = record()
    (gap,) = recording.wait_for_gaps(1)
    assert gap == gap_of(BAD, "network", "the body is empty")
    recording.wait_for(others(origin))
    segment = recording.segments()[BAD]
    assert (segment.type, segment.duration) == (SegmentType.SUSPECT, 0)
    assert recording.read(segment) == b""
