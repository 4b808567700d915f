"""The operator's commands, on real nodes."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.times import SECOND, format_time
from tests.support.processes import run_command
from tests.support.replicas import PAST, Replica, hours_after, wait_until_equal


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Replica]:
    yield from replica(tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Replica]:
    yield from replica(tmp_path / "there")


def replica(base_dir: Path) -> Iterator[Replica]:
    base_dir.mkdir()
    made = Replica(base_dir=base_dir)
    yield made
    made.close()


def wubctl(here: Replica, *args: str, nodes: str = "") -> "subprocess.CompletedProcess[str]":
    return run_command("wubctl", "--base-dir", str(here.base_dir), "--static-nodes", nodes, *args)


def tombstone(
    here: Replica, start: int, end: int, *args: str, nodes: str = ""
) -> "subprocess.CompletedProcess[str]":
    return wubctl(
        here, "tombstone", "demo", format_time(start), format_time(end), *args, nodes=nodes
    )


def test_a_range_is_shown_first_and_hidden_with_yes(here: Replica, there: Replica) -> None:
    mine, theirs = here.put_many(4), there.put_many(4)
    span = (PAST + 2 * SECOND, PAST + 6 * SECOND)
    shown = tombstone(here, *span, nodes=there.url)
    assert shown.returncode == 0, shown.stderr
    assert "demo/source: 4 segments" in shown.stdout
    assert "nothing was changed" in shown.stdout
    assert list(here.base_dir.rglob("*.tombstone")) == []
    done = tombstone(here, *span, "--yes", nodes=there.url)
    assert "wrote 5 tombstones" in done.stdout, done.stderr
    names = {path.name for path in here.base_dir.rglob("*.tombstone")}
    hidden = [*mine[1:3], *theirs[1:3]]
    assert names == {entry.tombstone.name for entry in hidden} | {"00:02.000000-4.0-any.tombstone"}
    here.replicate(there.url)
    there.replicate(here.url)
    wait_until_equal(here, there)
    shown_names = {Path(path).name for path in here.shown() if path.endswith(".ts")}
    assert shown_names == {entry.name for entry in (mine[0], mine[3], theirs[0], theirs[3])}


def test_a_range_of_days_is_hidden_in_parts(here: Replica) -> None:
    here.put_many(1, start=hours_after(30))
    done = tombstone(here, PAST, hours_after(50), "--yes", "--quality", "source")
    assert "wrote 4 tombstones" in done.stdout, done.stderr
    assert not [path for path in here.shown() if path.endswith(".ts")]


def test_a_node_that_is_down_is_named_and_the_rest_is_done(here: Replica) -> None:
    here.put_many(1)
    done = tombstone(here, PAST, hours_after(1), "--yes", nodes="http://127.0.0.1:9")
    assert done.returncode == 0
    assert "127.0.0.1:9 does not answer" in done.stderr
    assert "wrote 2 tombstones" in done.stdout


@pytest.mark.parametrize(
    "args",
    [
        ("demo",),
        ("demo", "2024-01-01"),
        ("demo", "2024-01-02", "2024-01-01"),
        ("demo", "yesterday", "today"),
        ("../x", "2024-01-01", "2024-01-02"),
        ("demo", "2024-01-01", "2024-01-02", "--quality", "../x"),
    ],
)
def test_wrong_arguments_are_one_line_and_status_2(here: Replica, args: tuple[str, ...]) -> None:
    done = wubctl(here, "tombstone", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_the_status_says_which_node_lacks_what(here: Replica, there: Replica) -> None:
    segments = here.put_many(2)
    here.put_tombstone(segments[0])
    lacking = wubctl(here, "tombstone", "--status", nodes=there.url)
    assert lacking.returncode == 1
    assert "demo/source: 1 tombstones" in lacking.stdout
    assert f"lacks {segments[0].hour}/{segments[0].stem}.tombstone" in lacking.stdout
    assert there.replicate_once(here.url) == 0
    complete = wubctl(here, "tombstone", "--status", nodes=there.url)
    assert complete.returncode == 0, complete.stdout
    assert "has all\n" in complete.stdout


def test_a_purge_deletes_what_every_node_has_hidden_and_nothing_else(
    here: Replica, there: Replica
) -> None:
    segments = here.put_many(3)
    twin, _ = here.put(PAST + 60 * SECOND, here.path(segments[0]).read_bytes())
    here.put_tombstone(segments[0])
    waiting = wubctl(here, "purge", "--yes", nodes=there.url)
    assert waiting.returncode == 1
    assert "2 files wait" in waiting.stdout
    assert here.path(segments[0]).exists()
    assert there.replicate_once(here.url) == 0
    here.put_tombstone(segments[1])
    shown = wubctl(here, "purge", nodes=there.url)
    assert "with --yes 2 files are deleted" in shown.stdout
    assert here.path(segments[0]).exists()
    done = wubctl(here, "purge", "--yes", nodes=there.url)
    assert done.returncode == 1, "what not every node has hidden is left"
    assert "deleted 2 files" in done.stdout
    exist = [here.path(entry).exists() for entry in (*segments, twin)]
    assert exist == [False, True, True, False]
    assert len(list(here.base_dir.rglob("*.tombstone"))) == 2, "tombstones stay"


def test_a_purge_is_refused_while_a_node_does_not_answer(here: Replica) -> None:
    segment = here.put_many(1)[0]
    here.put_tombstone(segment)
    refused = wubctl(here, "purge", "--yes", nodes="http://127.0.0.1:9")
    assert refused.returncode == 1
    assert "does not answer" in refused.stderr
    assert here.path(segment).exists()


def test_a_purge_without_other_nodes_has_to_be_meant(here: Replica) -> None:
    segment = here.put_many(1)[0]
    here.put_tombstone(segment)
    assert wubctl(here, "purge", "--yes").returncode == 2
    assert here.path(segment).exists()
    assert wubctl(here, "purge", "--yes", "--no-other-nodes").returncode == 0
    assert not here.path(segment).exists()
