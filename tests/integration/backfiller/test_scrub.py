"""Files that rot are found, set aside and fetched again."""

import json
import os
import time
from pathlib import Path

from common.segments.path import Segment
from tests.integration.backfiller.conftest import MakeReplica
from tests.support.metrics import metric
from tests.support.replicas import DEMO, Replica, hours_after
from tests.support.waiting import wait_until

DAMAGED = "wubloader_backfiller_damaged_files_total"
FILES = "wubloader_backfiller_scrubbed_files_total"
COMPLETE = "wubloader_backfiller_scrub_complete_timestamp_seconds"


def flip_a_bit(path: Path) -> None:
    """As a disk does: neither the name nor the folder changes."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    stat = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def let_come_of_age(replica: Replica, *segments: Segment) -> None:
    for segment in segments:
        os.utime(replica.path(segment), (time.time() - 3600,) * 2)


def set_aside(replica: Replica, segment: Segment) -> Path:
    return replica.base_dir.joinpath(".damaged", *DEMO, segment.hour, segment.name)


def test_a_damaged_file_is_set_aside_and_fetched_again(here: Replica, there: Replica) -> None:
    segments = there.put_many(3) + there.put_many(3, start=hours_after(1))
    assert here.replicate_once(there.url) == 0
    let_come_of_age(here, *segments)
    bad = segments[4]
    flip_a_bit(here.path(bad))
    damaged = here.path(bad).read_bytes()
    with here.replicate(there.url, options=("--scrub-rate", "1000000")) as backfiller:
        wait_until(set_aside(here, bad).exists, "the damaged file is set aside")
        wait_until(here.path(bad).exists, "it is fetched again")
        assert here.shown() == there.shown()
        assert set_aside(here, bad).read_bytes() == damaged
        wait_until(lambda: metric(backfiller.url, COMPLETE), "the round is over")
        assert metric(backfiller.url, DAMAGED) == 1
        assert metric(backfiller.url, FILES) == 6
        assert bad.name in backfiller.output


def test_hidden_files_are_checked_too_and_not_fetched_again(here: Replica, there: Replica) -> None:
    segments = here.put_many(2)
    here.put_tombstone(segments[0])
    let_come_of_age(here, *segments)
    flip_a_bit(here.path(segments[0]))
    with here.replicate(there.url, options=("--scrub-rate", "1000000")) as backfiller:
        wait_until(lambda: metric(backfiller.url, COMPLETE), "the round is over")
        assert set_aside(here, segments[0]).exists()
        assert metric(backfiller.url, FILES) == 2


def test_it_reads_no_faster_than_allowed_and_goes_on_after_a_restart(
    make_replica: MakeReplica,
) -> None:
    here = make_replica("here")
    segments = sorted(here.put_many(100, size_bytes=20_000), key=lambda entry: entry.name)
    let_come_of_age(here, *segments)
    started = time.monotonic()
    with here.replicate(options=("--scrub-rate", "40000")) as backfiller:
        wait_until(lambda: metric(backfiller.url, FILES) >= 4, "some are checked")
        checked = metric(backfiller.url, FILES)
        # Half a second for each, and half a second's worth at once.
        assert checked <= (time.monotonic() - started) / 0.5 + 2
        assert backfiller.terminate() == 0
    position = json.loads((here.base_dir / ".replication" / "scrub.json").read_text())
    done = [entry.name for entry in segments].index(position["name"]) + 1
    assert done >= 4
    with here.replicate(options=("--scrub-rate", "1000000")) as backfiller:
        wait_until(lambda: metric(backfiller.url, COMPLETE), "the round is over")
        assert metric(backfiller.url, FILES) == 100 - done


def test_what_was_written_just_now_is_left_to_a_later_round(make_replica: MakeReplica) -> None:
    here = make_replica("here")
    old, young = here.put_many(2)
    let_come_of_age(here, old)
    assert here.path(young).exists()
    with here.replicate(options=("--scrub-rate", "1000000")) as backfiller:
        wait_until(lambda: metric(backfiller.url, COMPLETE), "the round is over")
        assert metric(backfiller.url, FILES) == 1
