"""segment_coverage as a real process: what it writes, what it says, and how it ends."""

import io
import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from bench.names import fill_hours
from common.gaps import Gap, GapReason, format_gap, journal_file
from common.segments.path import SegmentType, format_name
from common.times import HOUR, SECOND, Micros, format_hour, format_time
from segment_coverage.colours import COLOURS, rgb
from segment_coverage.states import State
from tests.support.hostile import HostilePeer, Reply, Trick, hostile_peer
from tests.support.metrics import metric
from tests.support.processes import ServiceProcess, run_command
from tests.support.replicas import DEMO, PAST, Replica, hour_name
from tests.support.waiting import wait_until

CHECK = ("--check-interval", "0.2", "--recent-cutoff", "0")
COUNT = 10
END: Micros = PAST + COUNT * 2 * SECOND


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Replica]:
    replica = Replica(base_dir=tmp_path / "here")
    yield replica
    replica.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Replica]:
    replica = Replica(base_dir=tmp_path / "there")
    yield replica
    replica.close()


def watch(node: Replica, *options: str, name: str = "here") -> ServiceProcess:
    process = ServiceProcess(
        "segment_coverage",
        *("demo", "--base-dir", str(node.base_dir), "--localhost", name, *CHECK, *options),
    )
    node.processes.append(process)
    return process.wait_ready()


def run_once(node: Replica, *options: str, says: str = "") -> int:
    ended = run_command(
        "segment_coverage",
        *("demo", "--base-dir", str(node.base_dir), "--metrics-port", "0", "--run-once", *options),
    )
    assert "Traceback" not in ended.stderr
    assert says in ended.stdout
    return ended.returncode


def report_of(node: Replica) -> dict[str, Any]:
    path = node.base_dir / "coverage-maps" / "demo_source_coverage.json"
    report: dict[str, Any] = json.loads(path.read_text())
    return report


def state_seconds(node: Replica) -> dict[str, float]:
    """The states that there is anything of."""
    total = report_of(node)["total"]
    return {} if total is None else {state: s for state, s in total["state_seconds"].items() if s}


def wait_for(node: Replica, **expected: float) -> None:
    wait_until(lambda: state_seconds(node) == expected, f"{expected}, not {state_seconds(node)}")


def span(start: Micros, end: Micros) -> tuple[str, ...]:
    return ("--start", format_time(start), "--end", format_time(end))


def test_a_single_run_says_whether_a_range_is_complete(node: Replica) -> None:
    segments = node.put_many(COUNT)
    whole = f"demo/source: {format_time(PAST)} to {format_time(END)}: complete"
    assert run_once(node, says=whole) == 0
    assert run_once(node, *span(PAST, END), says=whole) == 0
    assert run_once(node, *span(PAST, END + SECOND)) == 1
    assert run_once(node, *span(PAST - SECOND, END)) == 1
    node.put_tombstone(segments[4])
    assert run_once(node, *span(PAST, PAST + 8 * SECOND)) == 0
    says = "88.888 % full; tombstoned 1 s\n"
    assert run_once(node, *span(PAST, PAST + 9 * SECOND), says=says) == 1
    assert state_seconds(node) == {"full": 8, "tombstoned": 1}


def test_an_empty_store_is_not_complete(node: Replica) -> None:
    assert run_once(node, says="demo/source: nothing is recorded\n") == 1
    assert report_of(node)["total"] is None


def test_what_is_recorded_hidden_or_gone_shows_at_the_next_check(node: Replica) -> None:
    segments = node.put_many(COUNT)
    process = watch(node)
    wait_for(node, full=20)
    node.path(segments[2]).unlink()
    wait_for(node, full=18, missing=2)
    tombstone = node.put_tombstone(segments[6])
    wait_for(node, full=16, missing=2, tombstoned=2)
    tombstone.unlink()
    wait_for(node, full=18, missing=2)
    node.put(END + 2 * SECOND, b"later")
    wait_for(node, full=20, missing=4)
    holes = "wubloader_segment_coverage_holes"
    wait_until(lambda: metric(process.url, holes) == 2, "the metrics say what the report says")
    assert metric(process.url, "wubloader_segment_coverage_longest_hole_seconds") == 2
    assert metric(process.url, "wubloader_segment_coverage_segments", type="full") == 10
    assert metric(process.url, "wubloader_segment_coverage_editable_seconds") == 20
    newest, before = END / SECOND + 4, time.time()
    age = metric(process.url, "wubloader_segment_coverage_newest_segment_age_seconds")
    assert before - 1 < newest + age < time.time() + 1
    shutil.rmtree(node.base_dir / "demo")
    wait_until(lambda: report_of(node)["total"] is None, "nothing is left")
    wait_until(lambda: metric(process.url, holes) == 0, "nothing is said of what is gone")
    node.put_many(1)
    wait_for(node, full=2)
    assert process.terminate() == 0
    assert "Traceback" not in process.output


def test_a_range_tombstone_also_hides_time_of_which_nothing_is_recorded(node: Replica) -> None:
    node.put_many(2)
    node.put_many(1, start=PAST + 3 * HOUR)
    folder = node.path(node.put_many(1)[0]).parent
    (folder / f"00:04.000000-{3 * 3600 - 4:.1f}-any.tombstone").touch()
    assert run_once(node) == 1
    assert state_seconds(node) == {"full": 6, "tombstoned": 3 * 3600 - 4}


def test_the_map_and_the_page_are_served_and_no_channel_is_called_like_their_folder(
    node: Replica,
) -> None:
    segments = node.put_many(COUNT)
    node.path(segments[1]).unlink()
    watch(node)
    base = f"{node.url}/segments/coverage-maps"
    answer = requests.get(f"{base}/demo_source_coverage.png", timeout=60)
    assert answer.headers["Content-Type"] == "image/png"
    colours = Image.open(io.BytesIO(answer.content)).convert("RGB").getcolors(1 << 20)
    assert colours is not None
    shown = {colour for _, colour in colours}
    assert {rgb(COLOURS[State.FULL]), rgb(COLOURS[State.MISSING])} <= shown
    for page in ("demo_coverage.html", "demo_source_coverage.html"):
        answer = requests.get(f"{base}/{page}", timeout=60)
        assert answer.headers["Content-Type"].startswith("text/html")
    answer = requests.get(f"{base}/demo_source_coverage.json", timeout=60)
    assert answer.json()["map"]["image"] == "demo_source_coverage.png"
    assert requests.get(f"{node.url}/files", timeout=60).json() == ["demo"]
    # What was deleted is written again.
    picture = node.base_dir / "coverage-maps" / "demo_source_coverage.png"
    picture.unlink()
    wait_until(picture.exists, "a new map")


def note(node: Replica, start: Micros, reason: GapReason) -> None:
    path = journal_file(node.base_dir, *DEMO)
    path.parent.mkdir(parents=True, exist_ok=True)
    gap = Gap(start=start, end=start + 2 * SECOND, reason=reason)
    with path.open("a") as file:
        file.write(format_gap(gap, detail="secret", sequence=1, noted=start) + "\n")


def test_nodes_tell_what_they_have_and_why_nobody_has_the_rest(
    node: Replica, other: Replica
) -> None:
    for number in range(COUNT):
        data = str(number).encode()
        for replica, lacking in ((node, {2, 5}), (other, {5, 7})):
            if number not in lacking:
                replica.put(PAST + number * 2 * SECOND, data)
    lost = PAST + 10 * SECOND
    note(node, lost, GapReason.NETWORK)
    note(other, lost, GapReason.ADVERTISEMENT)
    watch(other, name="there")
    process = watch(node, "--static-nodes", other.url)
    wait_for(node, full=16, elsewhere=2, missing=2)
    wait_until(
        lambda: [len(hole["reasons"]) for hole in report_of(node)["lost"]] == [2], "both journals"
    )
    report = report_of(node)
    peer = report["nodes"][0]["name"]
    (hole,) = report["lost"]
    assert (hole["start"], hole["seconds"]) == (format_time(lost), 2)
    assert {(entry["reason"], entry["node"]) for entry in hole["reasons"]} == {
        ("network", "here"),
        ("advertisement", peer),
    }
    assert [(found["start"], found["nodes"]) for found in report["holes"]] == [
        (format_time(PAST + 4 * SECOND), [peer]),
        (format_time(lost), []),
    ]
    assert "secret" not in json.dumps(report)
    lost_seconds = "wubloader_segment_coverage_lost_seconds"
    wait_until(lambda: metric(process.url, lost_seconds) == 2, "the metrics say it too")
    assert metric(process.url, "wubloader_segment_coverage_node_answers", node=peer) == 1
    # What a node has is remembered while it is away.
    other.close()
    answers = "wubloader_segment_coverage_node_answers"
    wait_until(lambda: metric(process.url, answers, node=peer) == 0, "it is silent")
    wait_for(node, full=16, elsewhere=2, missing=2)


def test_a_node_that_does_not_answer_is_named_beside_what_is_lost(node: Replica) -> None:
    segments = node.put_many(COUNT)
    node.path(segments[3]).unlink()
    silent = "http://127.0.0.1:9"
    assert run_once(node, "--static-nodes", silent, "--answer-seconds", "1") == 1
    report = report_of(node)
    assert [entry["answers"] for entry in report["nodes"]] == [False]
    assert len(report["lost"]) == 1


LISTED = format_name(PAST + 10 * SECOND, 2 * SECOND, SegmentType.FULL, "a" * 43)
"""What the hostile peers have, and this node lacks."""


@pytest.mark.parametrize(
    "tricks",
    [
        [],
        [("/digest/.*", lambda reply: reply.body(b"", status=404))],
        [("/segments/coverage-maps/.*", lambda reply: reply.body(b"[" * 1_000_000))],
        [(f"/files/demo/source/{hour_name(1)}", lambda reply: reply.body(b"nonsense"))],
    ],
    ids=["good", "without digests", "nonsense for a report", "nonsense for an hour"],
)
def test_whatever_a_node_says_what_makes_sense_of_it_counts(
    node: Replica, tricks: list[tuple[str, Trick]]
) -> None:
    segments = node.put_many(COUNT)
    node.path(segments[5]).unlink()
    hours = {format_hour(PAST): {LISTED: b""}, hour_name(1): {"00:00.0-2.0-any.ts": b""}}
    with hostile_peer(HostilePeer(hours=hours, tricks=tricks)) as peer:
        assert run_once(node, "--static-nodes", peer.url, "--end", format_time(END)) == 1
    assert state_seconds(node) == {"full": 18, "elsewhere": 2}


def test_a_slow_node_is_listed_in_several_looks(node: Replica) -> None:
    node.put_many(COUNT)
    hours = {hour_name(number): {"no-segment": b""} for number in range(-40, 0)}
    seen = threading.Event()

    def slowly(reply: Reply) -> None:
        seen.wait(0.4)
        reply.value([])

    def unknown_hours() -> int:
        return sum(known["unknown_hours"] for known in report_of(node)["nodes"])

    peer = HostilePeer(hours=hours, tricks=[("/files/demo/source/.*", slowly)])
    with hostile_peer(peer):
        watch(node, "--static-nodes", peer.url, "--answer-seconds", "2")
        wait_until(
            lambda: 0 < unknown_hours() < len(hours), "what a look that has not listed all found"
        )
        seen.set()
        wait_until(lambda: not unknown_hours(), "all of it is known")


def test_it_answers_and_can_be_stopped_while_it_reads_much(tmp_path: Path) -> None:
    fill_hours(tmp_path / "demo" / "source", PAST, 40)
    # It may read all before this process gets round to ask.
    assert any(answers_while_it_reads(tmp_path, 5) == 5 for _ in range(5))


def answers_while_it_reads(base_dir: Path, most: int) -> int:
    """How often it has answered, `most` times at most, before it had read everything; then it is
    stopped.
    """
    with ServiceProcess("segment_coverage", "demo", "--base-dir", str(base_dir)) as process:
        url, answers = process.url, 0
        while answers < most and requests.get(f"{url}/readyz", timeout=60).status_code == 503:
            answers += requests.get(f"{url}/healthz", timeout=60).ok
        assert process.terminate() == 0
        assert "not stopped after" not in process.output
        return answers


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--column-minutes", "7"], "--column-minutes 7"),
        (["--start", "5", "--end", "9"], "--end"),
        (["--qualities", "b_c,c", "a", "a_b"], "a_b_c"),
    ],
)
def test_a_wrong_setting_is_one_line(tmp_path: Path, options: list[str], part: str) -> None:
    ended = run_command("segment_coverage", "demo", "--base-dir", str(tmp_path), *options)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert part in line
