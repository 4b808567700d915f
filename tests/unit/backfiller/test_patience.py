"""One bad file, hour or quality delays nothing else."""

from backfiller.patience import ObjectPatience


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_bad_file_delays_only_itself_however_often_it_fails() -> None:
    patience = ObjectPatience(clock=Clock())
    for _ in range(20):
        patience.failed("q", "h", "bad")
    assert patience.must_wait("q", "h", "bad")
    assert not patience.must_wait("q", "h", "other")
    assert not patience.must_wait("q", "h")


def test_three_bad_files_make_their_hour_wait_and_no_other() -> None:
    patience = ObjectPatience(clock=Clock())
    for name in "abc":
        patience.failed("q", "h", name)
    assert patience.must_wait("q", "h", "other")
    assert not patience.must_wait("q", "g", "a")


def test_three_bad_hours_make_their_quality_wait_and_no_other() -> None:
    patience = ObjectPatience(clock=Clock())
    for hour in "abc":
        patience.failed("q", hour)
    assert patience.must_wait("q", "other")
    assert not patience.must_wait("p", "a")


def test_a_good_file_ends_the_waiting_of_its_hour() -> None:
    patience = ObjectPatience(clock=Clock())
    for name in "abc":
        patience.failed("q", "h", name)
    patience.went_well("q", "h", "d")
    assert not patience.must_wait("q", "h")
    assert patience.must_wait("q", "h", "a")
    patience.failed("q", "h", "e")
    assert not patience.must_wait("q", "h"), "what failed before is forgiven"


def test_waits_grow_and_end() -> None:
    clock = Clock()
    patience = ObjectPatience(clock=clock)
    patience.failed("q", "h", "a")
    first = patience.seconds_left("q", "h", "a")
    clock.seconds = first
    assert not patience.must_wait("q", "h", "a")
    patience.failed("q", "h", "a")
    assert patience.seconds_left("q", "h", "a") > first
