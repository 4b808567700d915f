"""Bandwidth is shared out over time."""

from backfiller.limits import Allowance, Bandwidth


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_on_average_no_more_than_the_rate_comes_in() -> None:
    time = Time()
    limit = Bandwidth(1000, clock=time.clock, sleep=time.sleep)
    for _ in range(100):
        limit.spend(100)
    assert 9.0 <= time.now - 100 <= 10.0


def test_what_was_not_used_is_not_saved_up() -> None:
    time = Time()
    limit = Bandwidth(1000, clock=time.clock, sleep=time.sleep)
    time.now += 1000
    limit.spend(5000)
    assert time.now >= 1100 + 4.5


def test_without_a_limit_nothing_waits() -> None:
    time = Time()
    Bandwidth(None, clock=time.clock, sleep=time.sleep).spend(10**12)
    assert time.now == 100.0


def test_a_limit_gives_a_file_the_time_that_it_takes() -> None:
    assert Allowance(Bandwidth(None), seconds=20).deadline_seconds(1000) == 20
    assert Allowance(Bandwidth(100), Bandwidth(50), seconds=20).deadline_seconds(1000) == 50
