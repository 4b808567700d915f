"""The life of a service: tasks end together, signals stop them, nothing is lost on the way out."""

import logging
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event

from common.daemon import Daemon, Stop


@pytest.fixture(autouse=True)
def _no_wakeup_descriptor_left_behind() -> Iterator[None]:
    before = signal.set_wakeup_fd(-1)
    yield
    signal.set_wakeup_fd(before)


def wait_for_stop(stop: Stop) -> None:
    stop.wait()


def end_at_once(stop: Stop) -> None:
    """A task with nothing to do."""


def test_waiting_on_stop_says_whether_it_was_set() -> None:
    stop = Stop()
    assert stop.wait(0) is False
    stop.set()
    assert stop.wait(60) is True
    assert stop.is_set()


def test_the_first_task_that_ends_stops_the_others() -> None:
    ended: list[str] = []

    def other(stop: Stop) -> None:
        stop.wait()
        ended.append("other")

    daemon = Daemon()
    daemon.spawn("other", other)
    daemon.spawn("first", end_at_once)
    assert daemon.run() == 0
    assert ended == ["other"]


def test_a_task_that_raises_is_logged_once_and_decides_the_exit_status(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(stop: Stop) -> None:
        raise RuntimeError("the disk is on fire")

    daemon = Daemon()
    daemon.spawn("waits", wait_for_stop)
    daemon.spawn("breaks", fail)
    assert daemon.run() == 1
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert "breaks" in errors[0].getMessage()
    assert errors[0].exc_text is not None
    assert "the disk is on fire" in errors[0].exc_text


def test_a_deadline_that_escapes_from_a_task_counts_as_its_failure() -> None:
    def late(stop: Stop) -> None:
        with gevent.Timeout(0.001):
            stop.wait()

    daemon = Daemon()
    daemon.spawn("late", late)
    assert daemon.run() == 1


def test_what_runs_after_the_grace_period_is_killed_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cleaned_up: list[bool] = []

    def deaf(stop: Stop) -> None:
        try:
            Event().wait()
        finally:
            cleaned_up.append(True)

    daemon = Daemon(grace_seconds=0.05)
    daemon.spawn("deaf", deaf)
    daemon.spawn("first", end_at_once)
    assert daemon.run() == 0
    assert cleaned_up == [True]
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "deaf" in warnings[0]
    assert "first" not in warnings[0]


def test_nothing_is_started_once_stop_is_set() -> None:
    started: list[bool] = []
    daemon = Daemon()
    daemon.stop.set()
    daemon.spawn("too late", lambda stop: started.append(True))
    assert daemon.run() == 0
    assert started == []


PROGRAM = """
    from common import signals
    signals.install()
    from gevent import monkey
    monkey.patch_all()
    import os, signal, sys
    from common.daemon import Daemon, exit_process

    def say(text):
        print(text, flush=True)

"""


def run_program(body: str) -> subprocess.CompletedProcess[str]:
    """Run PROGRAM and `body` in a fresh interpreter and wait for its end."""
    source = textwrap.dedent(PROGRAM) + textwrap.dedent(body)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    return subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_stops_the_tasks_in_order_and_the_status_is_0(name: str) -> None:
    ended = run_program(f"""
        def task(stop):
            os.kill(os.getpid(), signal.{name})
            stop.wait()
            say("handed back")

        daemon = Daemon()
        daemon.spawn("task", task)
        exit_process(daemon.run())
    """)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "handed back\n", "")


def test_a_second_signal_while_stopping_changes_nothing() -> None:
    ended = run_program("""
        def task(stop):
            os.kill(os.getpid(), signal.SIGTERM)
            stop.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
            say("handed back")

        daemon = Daemon()
        daemon.spawn("task", task)
        exit_process(daemon.run())
    """)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "handed back\n", "")


def test_a_signal_before_the_daemon_exists_ends_the_process_with_status_0() -> None:
    ended = run_program("""
        os.kill(os.getpid(), signal.SIGTERM)
        say("not reached")
    """)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_signal_between_taking_over_and_running_is_not_lost() -> None:
    ended = run_program("""
        daemon = Daemon()
        os.kill(os.getpid(), signal.SIGTERM)
        daemon.spawn("task", lambda stop: stop.wait())
        exit_process(daemon.run())
    """)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_signal_that_lands_in_a_worker_thread_wakes_the_loop() -> None:
    ended = run_program("""
        import gevent
        from gevent import monkey
        get_native_id = monkey.get_original("threading", "get_ident")

        def task(stop):
            pool = gevent.get_hub().threadpool
            pool.apply(lambda: signal.pthread_kill(get_native_id(), signal.SIGTERM))
            stop.wait()
            say("woken")

        daemon = Daemon()
        daemon.spawn("task", task)
        exit_process(daemon.run())
    """)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "woken\n", "")


def test_output_that_nobody_reads_any_more_makes_the_status_1() -> None:
    ended = run_program("""
        reader, writer = os.pipe()
        os.dup2(writer, 1)
        os.close(reader)
        sys.stdout.write("nobody reads this")
        exit_process(0)
    """)
    assert (ended.returncode, ended.stderr) == (1, "")
