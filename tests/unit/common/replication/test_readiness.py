"""What the restreamer makes of the backfiller's state."""

import os
from pathlib import Path

from common.replication.readiness import ALIVE_SECONDS, Readiness, Tombstones, write_state


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


def put(base_dir: Path, state: Tombstones, clock: Clock) -> None:
    write_state(base_dir, state)
    os.utime(base_dir / ".replication" / "state.json", (clock.seconds, clock.seconds))


def test_without_a_backfiller_nothing_is_missing(tmp_path: Path) -> None:
    assert list(Readiness(tmp_path).missing()) == []


def test_until_the_tombstones_are_here_it_is_not_ready(tmp_path: Path) -> None:
    clock = Clock()
    readiness = Readiness(tmp_path, clock=clock)
    put(tmp_path, Tombstones.PENDING, clock)
    assert len(list(readiness.missing())) == 1
    for state in (Tombstones.COMPLETE, Tombstones.ALONE):
        put(tmp_path, state, clock)
        assert list(readiness.missing()) == []


def test_a_state_of_an_earlier_life_is_waited_on_for_a_minute(tmp_path: Path) -> None:
    clock = Clock()
    put(tmp_path, Tombstones.COMPLETE, clock)
    clock.seconds += 3600
    readiness = Readiness(tmp_path, clock=clock)
    assert len(list(readiness.missing())) == 1
    clock.seconds += ALIVE_SECONDS
    assert list(readiness.missing()) == []


def test_a_backfiller_that_died_does_not_make_its_node_unready_for_ever(tmp_path: Path) -> None:
    clock = Clock()
    readiness = Readiness(tmp_path, clock=clock)
    put(tmp_path, Tombstones.PENDING, clock)
    clock.seconds += ALIVE_SECONDS + 1
    assert list(readiness.missing()) == []


def test_a_state_that_is_none_is_as_good_as_no_state(tmp_path: Path) -> None:
    (tmp_path / ".replication").mkdir()
    for text in ("", "[]", "nonsense"):
        (tmp_path / ".replication" / "state.json").write_text(text)
        assert list(Readiness(tmp_path).missing()) == []
