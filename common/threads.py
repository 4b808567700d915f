"""Calling functions that block, without stopping the other greenlets."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import gevent

P = ParamSpec("P")
T = TypeVar("T")


def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function` in gevent's thread pool and return its result, or raise its error.

    A thread can't be stopped: when the waiting greenlet is killed, the function runs on to its end
    and its result is dropped.
    """

    def guarded() -> tuple[T | None, BaseException | None]:
        # gevent prints the traceback of whatever leaves a pool's thread, handled or not.
        try:
            return function(*args, **kwargs), None
        except BaseException as exc:  # raised again in the greenlet that waits
            return None, exc

    result, error = gevent.get_hub().threadpool.apply(guarded)
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]
