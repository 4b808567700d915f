"""A disk that fills up while it is recorded to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.downloader.conftest import Record
from tests.integration.downloader.recording import Recording, at, gap_of
from tests.support.origin import Origin
from tests.support.small_disk import fill_up, small_disk
from tests.support.waiting import wait_until

DISK_BYTES = 8 * 1024 * 1024
HALF_A_SEGMENT_BYTES = 50_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", DISK_BYTES) as folder:
        yield folder


def begin(origin: Origin, record: Record, disk: Path, *flags: str) -> Recording:
    """Record two segments."""
    origin.advance(4)
    recording = record("--transfers", "2", *flags, base_dir=disk / "store")
    recording.wait_for(origin.listed_hashes())
    assert recording.metric("disk_full") == 0
    return recording


def be_full(origin: Origin, recording: Recording, ballast: Path, leave_bytes: int) -> None:
    """Fill the disk, and list three segments for which there is no room."""
    fill_up(ballast, leave_bytes=leave_bytes)
    for _ in range(3):
        origin.advance(2)
    recording.wait_for_metric(1, "disk_full")
    asked = [origin.segment_path(index) for index in (2, 3, 4)]
    wait_until(lambda: origin.request_counts().keys() >= set(asked), "all were fetched")


def test_what_a_full_disk_did_not_take_is_stored_once_there_is_room(
    origin: Origin, record: Record, disk: Path
) -> None:
    recording = begin(origin, record, disk)
    be_full(origin, recording, disk / "ballast", leave_bytes=HALF_A_SEGMENT_BYTES)
    assert [segment.start for segment in recording.segments()] == [at(0), at(1)]
    (disk / "ballast").unlink()
    recording.wait_for(origin.listed_hashes())
    wait_until(lambda: recording.metric("disk_full") == 0, "the alarm is over")
    assert recording.types() == {"full": 5}
    assert len(recording.paths()) == 5
    assert recording.gaps() == []


def test_what_a_disk_that_stays_full_did_not_take_is_in_the_journal_once_that_can_be_written(
    origin: Origin, record: Record, disk: Path
) -> None:
    recording = begin(origin, record, disk, "--segment-seconds", "3")
    be_full(origin, recording, disk / "ballast", leave_bytes=0)
    recording.wait_for_metric(3, "gaps_total", reason="disk")
    assert recording.metric("disk_full") == 1
    assert len(recording.paths()) == 2, "no piece of a file is left"
    assert recording.gaps() == []
    (disk / "ballast").unlink()
    origin.advance(2)
    stored = [entry["hashes"]["source"] for entry in origin.listed()]
    recording.wait_for(stored[:2] + stored[5:])
    gaps = sorted(recording.wait_for_gaps(3), key=lambda gap: gap.start)
    assert gaps == [gap_of(n, "disk", gaps[0].detail) for n in (2, 3, 4)]
    assert "No space left on device" in gaps[0].detail
    wait_until(lambda: recording.metric("disk_full") == 0, "the alarm is over")
