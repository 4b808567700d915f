"""Real nodes on loopback become equal, whatever they lack, and nothing deleted comes back."""

import os
import shutil
import time
from functools import partial
from pathlib import Path

from common.segments.path import SegmentType
from common.times import MINUTE, SECOND
from demo.postgres import free_port
from tests.integration.backfiller.conftest import MakeReplica
from tests.support.metrics import metric
from tests.support.replicas import (
    DEMO,
    PAST,
    Replica,
    hour_name,
    hours_after,
    most_attempts,
    wait_until_equal,
)
from tests.support.seeds import seeded_random
from tests.support.small_disk import fill_up, small_disk
from tests.support.waiting import wait_until

COPIED = "wubloader_backfiller_copied_total"
FAILURES = "wubloader_backfiller_failures_total"
LISTINGS = "wubloader_backfiller_listings_total"
LOOKS = "wubloader_backfiller_looks_total"
REQUESTS = "wubloader_http_requests_total"


def test_an_empty_node_gets_all_that_the_other_has(here: Replica, there: Replica) -> None:
    for hour in range(3):
        there.put_many(5, start=hours_after(hour))
    there.put(hours_after(1) + 30 * SECOND, b"half", kind=SegmentType.PARTIAL)
    (there.base_dir / "thumbnail_templates" / "old").mkdir(parents=True)
    for name in ("a.png", "a.json", "old/b.png"):
        (there.base_dir / "thumbnail_templates" / name).write_bytes(name.encode())
    assert here.replicate_once(there.url) == 0
    assert here.shown() == there.shown()
    assert len(here.shown()) == 16
    for name in ("a.png", "a.json", "old/b.png"):
        copy = here.base_dir / "thumbnail_templates" / name
        assert copy.read_bytes() == name.encode()
    assert here.temps() == []


def test_what_is_here_only_stays_and_is_not_asked_for_again(here: Replica, there: Replica) -> None:
    here.put_many(3)
    there.put_many(3)
    before = here.shown()
    with here.replicate(there.url) as backfiller:
        wait_until(lambda: len(here.shown()) == 6, "the other's segments are here")
        settled = wait_until_no_listing(backfiller.url)
        wait_for_looks(backfiller.url, 3)
        assert metric(backfiller.url, LISTINGS) == settled
    assert before.items() <= here.shown().items()


def wait_for_looks(url: str, count: int) -> None:
    target = metric(url, LOOKS) + count
    wait_until(lambda: metric(url, LOOKS) >= target, "it has looked again")


def wait_until_no_listing(url: str) -> float:
    """Wait until a look goes by without any hour being listed; returns how many were in all."""

    def is_quiet() -> bool:
        before = metric(url, LISTINGS)
        wait_for_looks(url, 2)
        return metric(url, LISTINGS) == before

    wait_until(is_quiet, "no hour is listed any more")
    return metric(url, LISTINGS)


def test_a_pass_in_sync_is_one_request_and_a_new_segment_costs_its_hour_only(
    here: Replica, there: Replica
) -> None:
    for hour in range(30):
        there.put_many(2, start=hours_after(hour))
    shutil.copytree(there.base_dir / "demo", here.base_dir / "demo")
    with here.replicate(there.url) as backfiller:
        wait_for_looks(backfiller.url, 2)
        assert metric(backfiller.url, LISTINGS) == 0
        looks, asked = metric(backfiller.url, LOOKS), metric(there.url, REQUESTS, view="digest")
        wait_for_looks(backfiller.url, 3)
        assert metric(backfiller.url, LOOKS, outcome="unchanged") >= 3
        assert metric(there.url, REQUESTS, view="digest", status="304") >= 3
        asked = metric(there.url, REQUESTS, view="digest") - asked
        # A look had asked already when we began to count, another has not ended yet.
        assert 2 <= asked <= metric(backfiller.url, LOOKS) - looks + 1
        for number, hour in enumerate((0, 17), start=1):
            segment, _ = there.put(hours_after(hour) + MINUTE, os.urandom(1000))
            wait_until(here.path(segment).exists, "the new segment is here")
            wait_for_looks(backfiller.url, 2)
            # Once before it was here, and at most twice more while it was on its way.
            assert number <= metric(backfiller.url, LISTINGS) <= 3 * number
        assert metric(there.url, REQUESTS, view="hours") == 0
    assert here.shown() == there.shown()


def test_a_tombstone_hides_a_segment_everywhere_and_keeps_it_from_being_fetched(
    here: Replica, there: Replica, make_replica: MakeReplica
) -> None:
    third = make_replica("third")
    segments = there.put_many(4)
    assert here.replicate_once(there.url) == 0
    backfillers = [
        here.replicate(there.url, third.url),
        there.replicate(here.url, third.url),
        third.replicate(here.url, there.url),
    ]
    wait_until_equal(here, there, third)
    here.put_tombstone(segments[1])
    wait_until_equal(here, there, third)
    names = {Path(path).name for path in third.shown()}
    assert names == {segments[i].name for i in (0, 2, 3)} | {f"{segments[1].stem}.tombstone"}
    assert here.path(segments[1]).exists(), "the file stays until somebody deletes it"
    for backfiller in backfillers:
        assert backfiller.terminate() == 0


def test_what_was_deleted_while_a_node_was_away_does_not_come_back(
    here: Replica, there: Replica
) -> None:
    """The one that was away still has the segment; neither of the two shows it again."""
    segments = here.put_many(3)
    shutil.copytree(here.base_dir / "demo", there.base_dir / "demo")
    there.put_tombstone(segments[0])
    there.path(segments[0]).unlink()
    one = here.replicate(there.url)
    other = there.replicate(here.url)
    wait_until_equal(here, there)
    wait_for_looks(one.url, 2)
    wait_for_looks(other.url, 2)
    assert not there.path(segments[0]).exists()
    assert segments[0].name not in {Path(path).name for path in here.shown()}


def test_tombstones_come_before_any_segment(here: Replica, there: Replica) -> None:
    """Also those of old hours, before the newest segments."""
    new = there.put_many(5, start=hours_after(20), size_bytes=300_000)
    old = there.put_many(1)[0]
    there.put_tombstone(old)
    lonely = there.put_many(1, start=hours_after(-30))[0]
    there.path(lonely).unlink()
    there.put_tombstone(lonely)
    assert here.replicate_once(there.url) == 0
    tombstones = [here.path(entry).with_suffix(".tombstone") for entry in (old, lonely)]
    segments = [here.path(entry) for entry in new]
    assert max(map(landed, tombstones)) <= min(map(landed, segments))


def landed(path: Path) -> int:
    """When a file came, in nanoseconds."""
    return path.stat().st_mtime_ns


def test_a_range_tombstone_hides_what_arrives_later(here: Replica, there: Replica) -> None:
    folder = there.base_dir.joinpath(*DEMO, hour_name(0))
    folder.mkdir(parents=True)
    (folder / "00:04.000000-6.0-any.tombstone").touch()
    segments = there.put_many(6)
    assert here.replicate_once(there.url) == 0
    assert here.shown() == there.shown()
    assert [here.path(entry).exists() for entry in segments] == [True] * 2 + [False] * 3 + [True]


def test_bytes_that_are_here_under_another_name_are_not_fetched(
    here: Replica, there: Replica
) -> None:
    data = os.urandom(5000)
    mine, path = here.put(PAST, data)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    theirs, _ = there.put(PAST + 1000, data)
    with here.replicate(there.url) as backfiller, there.replicate(here.url) as other:
        wait_until_equal(here, there)
        for process in (backfiller, other):
            wait_until(partial(_has_renamed_one, process.url), "it has counted what it did")
        assert metric(backfiller.url, "wubloader_backfiller_received_bytes_total") == 0
    assert here.path(theirs).read_bytes() == data
    assert here.path(mine).stat().st_mtime == 1_700_000_000
    assert here.path(theirs).stat().st_mtime > 1_700_000_000, "it landed when it came"


def _has_renamed_one(url: str) -> bool:
    return metric(url, COPIED, kind="renamed") == 1


def test_the_most_recent_segments_are_left_to_the_downloader(here: Replica, there: Replica) -> None:
    old, _ = there.put(time.time_ns() // 1000 - 60 * SECOND, b"old")
    with here.replicate(there.url, options=("--recent-cutoff", "5")):
        wait_until(here.path(old).exists, "the older one is here")
        young, _ = there.put(time.time_ns() // 1000, b"young")
        wait_until(here.path(young).exists, "the younger one has come of age")
        landed = here.path(young).stat().st_mtime_ns // 1000
        assert landed - young.start >= 5 * SECOND


def test_only_what_is_not_older_than_the_start_is_kept_and_fetched(
    here: Replica, there: Replica
) -> None:
    theirs = [there.put_many(2, start=hours_after(hour)) for hour in range(4)]
    mine = here.put_many(1, start=hours_after(1))[0]
    kept = here.base_dir.joinpath(*DEMO, mine.hour, "00:00.000000-3602.0-any.tombstone")
    kept.touch()
    start = f"{hour_name(2)}:00:01"
    with here.replicate(there.url, options=("--start", start, "--delete-old")) as backfiller:
        wait_until(lambda: not here.path(mine).exists(), "what is old is deleted")
        wanted = [theirs[2][1], *theirs[3]]
        wait_until(lambda: all(here.path(entry).exists() for entry in wanted), "the rest is here")
        wait_for_looks(backfiller.url, 3)
    store_hours = sorted(path.name for path in here.base_dir.joinpath(*DEMO).iterdir())
    assert store_hours == [hour_name(1), hour_name(2), hour_name(3)]
    assert kept.exists(), "a tombstone that reaches beyond the start stays"


def test_a_file_that_does_not_match_its_name_is_refused_and_delays_nothing(
    here: Replica, there: Replica
) -> None:
    good = there.put_many(3, start=hours_after(0))
    bad, path = there.put(hours_after(1), b"what was recorded")
    path.write_bytes(b"what the disk made of it")
    started = time.monotonic()
    with here.replicate(there.url) as backfiller:
        wait_until(lambda: all(here.path(entry).exists() for entry in good), "the others are here")
        wait_until(lambda: metric(backfiller.url, FAILURES, reason="hash") >= 2, "it was refused")
        wait_for_looks(backfiller.url, 5)
        refused = metric(backfiller.url, FAILURES, reason="hash")
        assert refused <= most_attempts(time.monotonic() - started)
        assert not here.path(bad).exists()
        wait_until(lambda: not here.temps(), "nothing half is left between two attempts")
        path.write_bytes(b"what was recorded")
        wait_until(here.path(bad).exists, "it is taken once it is right")


def test_a_full_disk_leaves_nothing_behind_and_goes_on_when_there_is_room(
    there: Replica, tmp_path: Path
) -> None:
    there.put_many(10, size_bytes=200_000)
    with small_disk(tmp_path / "small", 4_000_000) as disk:
        here = Replica(base_dir=disk / "store")
        here.base_dir.mkdir()
        ballast = disk / "ballast"
        fill_up(ballast, leave_bytes=600_000)
        try:
            with here.replicate(there.url) as backfiller:
                full = "wubloader_backfiller_disk_full"
                wait_until(lambda: metric(backfiller.url, full) == 1, "the disk is full")
                wait_until(lambda: not here.temps(), "nothing half is left")
                ballast.unlink()
                wait_until_equal(here, there)
                wait_until(lambda: metric(backfiller.url, full) == 0, "the disk has room")
        finally:
            here.close()


def test_killed_again_and_again_it_ends_up_equal_and_holds_whole_files_only(
    here: Replica, there: Replica
) -> None:
    rng = seeded_random("kill a backfiller")
    for hour in range(4):
        there.put_many(40, start=hours_after(hour), size_bytes=50_000)
    for _ in range(5):
        count = len(here.shown())
        backfiller = here.replicate(there.url, options=("--bandwidth", "4000000"))
        goal = min(count + rng.randrange(1, 25), 159)
        wait_until(partial(_has_more_than, here, goal), "more is here", interval=0.01)
        backfiller.kill()
        theirs = there.shown()
        assert all(theirs[path] == data for path, data in here.shown().items())
    assert here.replicate_once(there.url) == 0
    assert here.shown() == there.shown()


def _has_more_than(replica: Replica, count: int) -> bool:
    return len(replica.shown()) > count


def test_a_single_run_without_any_node_that_answers_says_so(here: Replica) -> None:
    assert here.replicate_once("http://127.0.0.1:9") == 1
    assert "no other node has answered" in here.processes[0].output


def test_a_node_that_is_down_delays_nothing_and_is_copied_from_when_it_is_back(
    here: Replica, there: Replica, make_replica: MakeReplica
) -> None:
    third = make_replica("third")
    there.put_many(3)
    third.put_many(3, start=hours_after(1))
    port = str(free_port())  # which no connection takes meanwhile
    gone = third.serve(port).wait_ready()
    url = gone.url
    gone.kill()
    with here.replicate(url, there.url):
        wait_until(lambda: len(here.shown()) == 3, "what the living node has is here")
        third.serve(port)
        wait_until(lambda: len(here.shown()) == 6, "so is what the other has")


def test_three_nodes_with_random_contents_become_equal(make_replica: MakeReplica) -> None:
    rng = seeded_random("three nodes")
    nodes = [make_replica(f"node{number}") for number in range(3)]
    for number in range(60):
        data = os.urandom(500)
        start = hours_after(rng.randrange(4)) + number * 10 * SECOND
        holders = rng.sample(nodes, rng.choice((1, 1, 2, 3)))
        for holder in holders:
            # Nodes see the same bytes begin a millisecond apart.
            segment, _ = holder.put(start + rng.choice((0, 0, 1000)), data)
        if rng.random() < 0.2:
            rng.choice(nodes).put_tombstone(segment)
    for node in nodes:
        node.replicate(*(other.url for other in nodes if other is not node))
    wait_until_equal(*nodes)
    shown = {Path(path).name for path in nodes[0].shown()}
    hidden = {name[-53:-10] for name in shown if name.endswith(".tombstone")}
    assert hidden
    assert not any(name[-46:-3] in hidden for name in shown if name.endswith(".ts"))


def test_stopped_in_the_middle_it_ends_at_once_and_leaves_no_temp_file(
    here: Replica, there: Replica
) -> None:
    there.put_many(2, size_bytes=5_000_000)
    # So each takes longer than a service is given to stop.
    backfiller = here.replicate(there.url, options=("--bandwidth", "50000"))
    wait_until(here.temps, "a segment is being fetched")
    assert backfiller.terminate() == 0
    assert "not stopped after" not in backfiller.output
    assert here.temps() == []
