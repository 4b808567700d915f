"""The durable write: whole under its final name, or not there at all."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest

from common.errors import HashMismatch
from common.segments.path import Segment, SegmentType, encode_hash, parse_name
from common.segments.store import SegmentStore
from common.segments.write import SegmentWriter, write_tombstones
from common.times import HOUR, SECOND, format_hour
from tests.support.processes import ROOT
from tests.support.seeds import seeded_random
from tests.support.segments import NOON
from tests.support.small_disk import fill_up, small_disk
from tests.support.waiting import wait_until

DATA = bytes(range(256)) * 188
FULL = SegmentType.FULL
KILLS = 25


def writer(folder: Path) -> SegmentWriter:
    return SegmentWriter(folder, NOON, 2 * SECOND)


def write(folder: Path, data: bytes = DATA, chunk_bytes: int = 65_536) -> Segment:
    with writer(folder) as writing:
        for begin in range(0, len(data), chunk_bytes):
            writing.write(data[begin : begin + chunk_bytes])
        return writing.commit(FULL)


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def path_of(folder: Path, segment: Segment) -> Path:
    return folder / segment.hour / segment.name


def test_a_segment_appears_whole_under_the_name_of_its_bytes(tmp_path: Path) -> None:
    with writer(tmp_path) as writing:
        for begin in range(0, len(DATA), 1000):
            writing.write(DATA[begin : begin + 1000])
        (temp,) = files_below(tmp_path)
        assert "-temp-" in temp.name
        assert writing.size_bytes == len(DATA)
        assert writing.hash == encode_hash(hashlib.sha256(DATA).digest())
        segment = writing.commit(FULL)
    assert (segment.start, segment.duration, segment.type) == (NOON, 2 * SECOND, FULL)
    assert segment.hash == encode_hash(hashlib.sha256(DATA).digest())
    assert files_below(tmp_path) == [path_of(tmp_path, segment)]
    assert path_of(tmp_path, segment).read_bytes() == DATA


def test_the_file_is_on_disk_before_it_has_its_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / format_hour(NOON)).mkdir()
    fsync = os.fsync
    synced = []

    def recording(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        there = [found.name.split("-")[2] for found in files_below(tmp_path)]
        synced.append(("folder" if path.is_dir() else "file", path.stat().st_size > 0, there))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recording)
    write(tmp_path)
    assert synced == [("file", True, ["temp"]), ("folder", True, ["full"])]


def test_new_folders_are_flushed_to_those_that_hold_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync
    synced = set()

    def recording(descriptor: int) -> None:
        synced.add(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recording)
    quality = tmp_path / "demo" / "source"
    write(quality)
    assert {tmp_path, tmp_path / "demo", quality, quality / format_hour(NOON)} <= synced


def test_the_landing_time_is_that_of_the_commit(tmp_path: Path) -> None:
    with writer(tmp_path) as writing:
        writing.write(DATA)
        (temp,) = files_below(tmp_path)
        os.utime(temp, (0, 0))
        before = time.time()
        segment = writing.commit(FULL)
    landed = path_of(tmp_path, segment).stat().st_mtime
    # Files are stamped with a clock that ticks every few milliseconds, or later on a busy machine.
    assert before - 10 <= landed <= time.time()


def test_what_the_bytes_told_replaces_what_was_promised(tmp_path: Path) -> None:
    with writer(tmp_path) as writing:
        writing.write(DATA)
        segment = writing.commit(SegmentType.SUSPECT, start=NOON + HOUR, duration=SECOND)
    assert (segment.start, segment.duration) == (NOON + HOUR, SECOND)
    assert files_below(tmp_path) == [path_of(tmp_path, segment)]


def test_an_empty_segment_can_be_kept(tmp_path: Path) -> None:
    with writer(tmp_path) as writing:
        segment = writing.commit(SegmentType.SUSPECT)
    assert path_of(tmp_path, segment).read_bytes() == b""


def test_what_is_not_committed_leaves_nothing(tmp_path: Path) -> None:
    with writer(tmp_path) as writing:
        writing.write(DATA)
    with pytest.raises(RuntimeError, match="broke off"), writer(tmp_path) as writing:
        writing.write(DATA)
        raise RuntimeError("broke off")
    assert files_below(tmp_path) == []


def test_who_writes_on_after_the_end_leaves_nothing(tmp_path: Path) -> None:
    """As a thread does whose greenlet was killed."""
    with writer(tmp_path) as writing:
        pass
    with pytest.raises(ValueError, match="closed file"):
        writing.write(DATA)
    assert files_below(tmp_path) == []


def test_a_final_name_is_never_written_again(tmp_path: Path) -> None:
    with writer(tmp_path) as late, writer(tmp_path) as early:
        late.write(DATA)
        early.write(DATA)
        path = path_of(tmp_path, early.commit(FULL))
        os.utime(path, (1, 1))
        before = path.stat()
        assert late.commit(FULL).name == path.name
    assert path_of(tmp_path, write(tmp_path)) == path
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert files_below(tmp_path) == [path]


def test_the_bytes_of_another_node_get_the_name_that_it_gave(tmp_path: Path) -> None:
    segment = parse_name(
        format_hour(NOON), f"00:00.5-2-suspect-{encode_hash(hashlib.sha256(DATA).digest())}.ts"
    )
    assert isinstance(segment, Segment)
    with SegmentWriter(tmp_path, segment.start, segment.duration) as writing:
        writing.write(DATA)
        writing.commit_as(segment)
    assert files_below(tmp_path) == [path_of(tmp_path, segment)]
    assert time.time() - path_of(tmp_path, segment).stat().st_mtime < 60


def test_bytes_that_are_not_those_of_the_name_are_not_kept(tmp_path: Path) -> None:
    segment = parse_name(format_hour(NOON), f"00:00.5-2-full-{'a' * 43}.ts")
    assert isinstance(segment, Segment)
    with writer(tmp_path) as writing, pytest.raises(HashMismatch) as caught:
        writing.write(DATA)
        writing.commit_as(segment)
    assert caught.value.name == segment.name
    assert files_below(tmp_path) == []


def test_tombstones_appear_where_there_is_no_folder_yet_and_only_once(tmp_path: Path) -> None:
    folder = tmp_path / "demo" / "source" / format_hour(NOON)
    assert write_tombstones(folder, ["a.tombstone", "b.tombstone"]) == 2
    assert write_tombstones(folder, ["b.tombstone", "c.tombstone"]) == 1
    assert sorted(path.name for path in files_below(tmp_path)) == [
        "a.tombstone",
        "b.tombstone",
        "c.tombstone",
    ]


@pytest.mark.parametrize(
    ("size_bytes", "chunk_bytes"),
    [
        (3_000_000, 3_000_000),
        (300_000, 65_536),
        (300_000, 1000),  # what is still in the buffer fails again when the file is closed
        (205_000, 5000),  # only the flush at the end fails
    ],
)
def test_a_full_disk_is_an_error_that_leaves_nothing_and_writing_goes_on_with_room(
    tmp_path: Path, size_bytes: int, chunk_bytes: int
) -> None:
    with small_disk(tmp_path / "disk", 1_024_000) as disk:
        quality = disk / "source"
        kept = write(quality)
        ballast = disk / "ballast"
        fill_up(ballast, leave_bytes=200_000)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            write(quality, os.urandom(size_bytes), chunk_bytes)
        assert files_below(quality) == [path_of(quality, kept)]
        ballast.unlink()
        again = write(quality, os.urandom(300_000))
        assert path_of(quality, again).stat().st_size == 300_000


WRITE_FOR_EVER = """
import os, sys
from pathlib import Path
from common.segments.path import SegmentType
from common.segments.write import SegmentWriter

quality, start = Path(sys.argv[1]), int(sys.argv[2])
while True:
    with SegmentWriter(quality, start, 2_000_000) as writing:
        for _ in range(4):
            writing.write(os.urandom(188 * 100))
        writing.commit(SegmentType.FULL)
    start += 2_000_000
"""


def test_a_writer_that_is_killed_leaves_whole_files_and_temps_only(tmp_path: Path) -> None:
    rng = seeded_random("kill a writer")
    quality = tmp_path / "demo" / "source"
    starts = count(NOON, HOUR)
    for _ in range(KILLS):
        _write_and_kill(quality, next(starts), rng.uniform(0, 0.02))
    found = files_below(quality)
    finals = [path for path in found if "-temp-" not in path.name]
    assert len(finals) >= KILLS
    for path in finals:
        segment = parse_name(path.parent.name, path.name)
        assert isinstance(segment, Segment)
        assert encode_hash(hashlib.sha256(path.read_bytes()).digest()) == segment.hash
    store = SegmentStore(tmp_path)
    assert store.sweep_temps(-1) == len(found) - len(finals)
    assert sorted(files_below(quality)) == sorted(finals)


def _write_and_kill(quality: Path, start: int, seconds: float) -> None:
    """Kill it some time after its first segment is there."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_FOR_EVER, str(quality), str(start)], cwd=ROOT
    )
    try:
        wait_until(
            lambda: any((quality / format_hour(start)).glob("*-full-*")),
            "the writer writes",
            interval=0.002,
        )
        time.sleep(seconds)
    finally:
        process.kill()
        assert process.wait() == -signal.SIGKILL
