"""Children that end when their parent does, also when it was killed and could not stop them."""

import ctypes
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # prctl(2)


def end_with_parent(number: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: the child gets `number` when the thread that made it ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, number)
