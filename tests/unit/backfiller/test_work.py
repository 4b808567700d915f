"""The list of work: newest hours first, nothing twice, little memory."""

import pytest

from backfiller import work
from backfiller.plan import Wanted
from backfiller.work import Claims, Place, Task, WorkList
from common.times import SECOND
from tests.support.segments import NOON, make_segment

OLD, NEW = Place("2026-07-01T11", "demo", "source"), Place("2026-07-01T12", "demo", "source")


def wanted(count: int = 1) -> list[Wanted]:
    return [
        Wanted(segment=make_segment(NOON + n * SECOND, digest=f"{n:043d}")) for n in range(count)
    ]


def take_all(found: WorkList) -> list[Task]:
    tasks = []
    while task := found.take(lambda place: False):
        tasks.append(task)
    return tasks


def test_the_newest_hour_comes_first() -> None:
    found = WorkList(Claims())
    found.put(OLD, 1, wanted())
    found.put(NEW, 1, wanted(2))
    assert [task.place for task in take_all(found)] == [NEW, NEW, OLD]
    assert found.in_hand == 3


def test_an_hour_that_must_wait_holds_up_no_other() -> None:
    found = WorkList(Claims())
    found.put(OLD, 1, wanted())
    found.put(NEW, 1, wanted())
    task = found.take(lambda place: place == NEW)
    assert task is not None
    assert task.place == OLD
    assert not found.has_any(lambda place: place == NEW)


def test_what_one_node_fetches_no_other_does_at_the_same_time() -> None:
    claims = Claims()
    one, other = WorkList(claims), WorkList(claims)
    one.put(NEW, 1, wanted())
    other.put(NEW, 1, wanted())
    task = one.take(lambda place: False)
    assert task is not None
    assert other.take(lambda place: False) is None
    one.finish(task)
    assert other.take(lambda place: False) == task


def test_beyond_its_memory_an_hour_is_listed_again_by_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(work, "MOST_NAMES", 3)
    found = WorkList(Claims())
    found.put(NEW, 1, wanted(2))
    found.put(OLD, 1, wanted(2))
    assert found.missing("demo", "source") == 4
    tasks = take_all(found)
    assert [task.wanted is None for task in tasks] == [False, False, True]
    found.put(OLD, 1, wanted(2), keep=True)
    found.finish(tasks[-1])
    assert [task.wanted is None for task in take_all(found)] == [False, False]


def test_work_that_is_planned_from_the_same_names_is_pending() -> None:
    found = WorkList(Claims())
    found.put(NEW, 7, wanted())
    assert found.is_pending(NEW, 7)
    assert not found.is_pending(NEW, 8)
    take_all(found)
    assert not found.is_pending(NEW, 7)


def test_new_work_for_an_hour_replaces_the_old() -> None:
    found = WorkList(Claims())
    found.put(NEW, 1, wanted(3))
    found.put(NEW, 2, wanted(1))
    assert found.missing("demo", "source") == 1
    found.put(NEW, 3, [])
    assert take_all(found) == []
