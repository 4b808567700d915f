"""When workers start and stop, stepped through the sequences that go wrong."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downloader.switchover import Decision, Timing, WorkerView, decide

TIMING = Timing(renew_seconds=100, retry_seconds=2, patience_seconds=20)


def fresh(started: float) -> WorkerView:
    return WorkerView(started=started, finished=False, doubtful=False, delivered=False)


@dataclass
class Stage:
    """Workers as a recorder keeps them: it does what is decided, and drops those that finished."""

    now: float = 0
    workers: list[WorkerView] = field(default_factory=list)
    last_start: float | None = None

    def look(self) -> Decision:
        """Decide and act; a worker that is stopped ends at once."""
        decision = decide(self.workers, now=self.now, last_start=self.last_start, timing=TIMING)
        self.workers = [
            worker
            for index, worker in enumerate(self.workers)
            if index not in decision.stop and not worker.finished
        ]
        if decision.start:
            self.workers.append(fresh(self.now))
            self.last_start = self.now
        return decision

    def change(self, index: int, **fields: bool) -> None:
        self.workers[index] = replace(self.workers[index], **fields)

    @property
    def started(self) -> list[float]:
        return [worker.started for worker in self.workers]

    def run(self, seconds: float) -> None:
        """Look every half second for so long."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.5
            self.look()


def recording() -> Stage:
    """One worker that delivers."""
    stage = Stage()
    stage.look()
    stage.change(0, delivered=True)
    return stage


def test_the_first_worker_starts_at_once() -> None:
    stage = Stage()
    assert stage.look() == Decision(start=True, stop=frozenset())
    assert stage.look() == Decision(start=False, stop=frozenset())


def test_a_worker_that_delivers_is_left_alone_until_its_address_is_old() -> None:
    stage = recording()
    stage.run(99)
    assert stage.started == [0]
    stage.run(1)
    assert stage.started == [0, 100]


def test_the_old_one_goes_on_until_the_new_one_delivers() -> None:
    stage = recording()
    stage.run(100)
    stage.run(15)
    assert stage.started == [0, 100]
    stage.change(1, delivered=True)
    assert stage.look() == Decision(start=False, stop=frozenset({0}))
    assert stage.started == [100]


def test_a_doubtful_worker_is_joined_by_a_fresh_one_and_is_not_stopped_for_it() -> None:
    stage = recording()
    stage.now = 10
    stage.change(0, doubtful=True)
    assert stage.look() == Decision(start=True, stop=frozenset())
    assert stage.started == [0, 10]


def test_doubts_do_not_start_workers_faster_than_is_allowed() -> None:
    stage = recording()
    stage.now = 1.5
    stage.change(0, doubtful=True)
    assert not stage.look().start
    stage.now = 2
    assert stage.look().start


def test_a_fresh_worker_that_brings_nothing_in_time_is_joined_by_another() -> None:
    stage = Stage()
    stage.look()
    stage.run(19.5)
    assert stage.started == [0]
    stage.run(0.5)
    assert stage.started == [0, 20]


def test_after_the_end_of_the_last_worker_the_next_one_starts() -> None:
    stage = recording()
    stage.now = 50
    stage.change(0, finished=True)
    assert stage.look() == Decision(start=True, stop=frozenset())
    assert stage.started == [50]


def test_a_finished_worker_is_not_stopped_again_and_stops_nobody() -> None:
    workers = [fresh(0), replace(fresh(1), delivered=True, finished=True)]
    decision = decide(workers, now=2, last_start=1, timing=TIMING)
    assert decision == Decision(start=False, stop=frozenset())


def test_a_new_worker_that_ends_before_it_delivers_leaves_the_old_one_alone() -> None:
    stage = recording()
    stage.run(100)
    stage.change(1, finished=True)
    stage.run(2)
    assert stage.started == [0, 102]
    assert stage.workers[0].delivered


def test_fresh_addresses_that_are_all_bad_do_not_pile_up_workers() -> None:
    stage = Stage()
    for _ in range(100):
        stage.run(1)
        for index in range(len(stage.workers)):
            stage.change(index, doubtful=True)
        assert len(stage.workers) <= 4
    stage.look()
    assert len(stage.workers) <= 4
    assert stage.started[-1] > 95


def test_fresh_addresses_that_are_all_bad_do_not_end_the_worker_that_delivers() -> None:
    stage = recording()
    stage.run(100)
    for _ in range(100):
        stage.change(len(stage.workers) - 1, doubtful=True)
        stage.run(2)
        assert stage.started[0] == 0
        assert stage.workers[0].delivered
        assert len(stage.workers) <= 4


@pytest.mark.parametrize("delivering", [0, 1, 2])
def test_of_those_that_deliver_only_the_newest_is_kept(delivering: int) -> None:
    workers = [
        replace(fresh(number), delivered=number <= delivering, doubtful=True) for number in range(3)
    ]
    decision = decide(workers, now=2.5, last_start=2, timing=TIMING)
    assert decision.stop == frozenset(range(delivering))


VIEWS = st.builds(
    WorkerView,
    started=st.floats(0, 1000),
    finished=st.booleans(),
    doubtful=st.booleans(),
    delivered=st.booleans(),
)


@given(st.lists(VIEWS, max_size=8), st.floats(1000, 2000), st.none() | st.floats(0, 2000))
def test_whatever_has_happened_recording_goes_on(
    workers: list[WorkerView], now: float, last_start: float | None
) -> None:
    workers.sort(key=lambda worker: worker.started)
    decision = decide(workers, now=now, last_start=last_start, timing=TIMING)
    running = [index for index, worker in enumerate(workers) if not worker.finished]
    delivering = [index for index in running if workers[index].delivered]
    left = [index for index in running if index not in decision.stop]
    assert decision.stop <= set(running)
    assert len(left) <= 3
    if delivering:
        assert delivering[-1] in left
        assert not [index for index in left if index < delivering[-1]]
    if running:
        assert running[-1] in left
    if decision.start:
        assert last_start is None or now - last_start >= TIMING.retry_seconds
    elif last_start is None or now - last_start >= TIMING.retry_seconds:
        newest = workers[running[-1]]
        assert not newest.doubtful
        assert newest.delivered or now - newest.started < TIMING.patience_seconds
