"""Blocking calls in gevent's thread pool."""

import threading

import pytest

from common.threads import in_thread


def test_the_function_runs_in_another_thread_and_its_result_comes_back() -> None:
    assert in_thread(threading.get_ident) != threading.get_ident()
    assert in_thread(int, "ff", base=16) == 255


def test_an_error_is_raised_where_it_is_waited_for_and_printed_nowhere(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        in_thread(int, "no number")
    assert capfd.readouterr().err == ""
