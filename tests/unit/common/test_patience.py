"""Leaving alone for a while what has just failed."""

from common.patience import Patience


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_what_never_failed_need_not_wait() -> None:
    assert not Patience[str](clock=Clock()).must_wait("a")


def test_a_failure_makes_only_its_own_key_wait_and_only_for_a_while() -> None:
    clock = Clock()
    patience = Patience[str](clock=clock)
    assert patience.failed("a") == 1
    assert patience.must_wait("a")
    assert not patience.must_wait("b")
    clock.seconds = 3
    assert not patience.must_wait("a")


def test_each_failure_makes_the_wait_longer_up_to_a_limit() -> None:
    clock = Clock()
    patience = Patience[str](clock=clock)
    for times in range(1, 5):
        assert patience.failed("a") == times
    clock.seconds = 10
    assert patience.must_wait("a"), "the fourth wait is 16 s, or a quarter less"
    for _ in range(50):
        patience.failed("a")
    clock.seconds += 300 * 1.25
    assert not patience.must_wait("a"), "never much longer than five minutes"


def test_success_starts_the_count_anew() -> None:
    patience = Patience[str](clock=Clock())
    patience.failed("a")
    patience.forget("a")
    assert not patience.must_wait("a")
    assert patience.failed("a") == 1


def test_memory_is_bounded() -> None:
    patience = Patience[int](clock=Clock())
    for key in range(10_001):
        patience.failed(key)
    assert not patience.must_wait(0), "the oldest is forgotten"
    assert patience.must_wait(10_000)
