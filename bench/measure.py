"""CPU time and memory of processes, and which cores they may use. Linux only."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
_IDLE_SECONDS = 0.3
_IDLE_SHARE = 0.02
_IDLE_DEADLINE_SECONDS = 30


def tree(pid: int) -> list[int]:
    """The process and everything below it that still lives."""
    found = [pid]
    for process in found:  # grows while we go through it
        with contextlib.suppress(OSError):
            for task in (_PROC / str(process) / "task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """What the process and its descendants have used, including those that were waited for."""
    return sum(map(_own_seconds, tree(pid))) + sum(map(_waited_seconds, tree(pid)))


def spent(pid: int, action: Callable[[], object]) -> float:
    """The CPU seconds that the process uses while we do `action`."""
    before = cpu_seconds(pid)
    action()
    return cpu_seconds(pid) - before


def wait_until_idle(pid: int) -> None:
    """Wait until the process and its descendants use next to no CPU, but not for ever."""
    deadline = time.monotonic() + _IDLE_DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if spent(pid, lambda: time.sleep(_IDLE_SECONDS)) < _IDLE_SHARE * _IDLE_SECONDS:
            return


def peak_bytes(pid: int) -> int:
    """The sum of the peaks of resident memory of the process and its living descendants."""
    return sum(map(_peak_bytes, tree(pid)))


def alternate(
    reference: Callable[[], float], subject: Callable[[], float], pairs: int
) -> tuple[float, float]:
    """Run both in turn (A B A B ...) and return the median of each."""
    results = [(reference(), subject()) for _ in range(pairs)]
    return median(a for a, _ in results), median(b for _, b in results)


@contextmanager
def pinned(cores: set[int]) -> Iterator[None]:
    """Keep this process, and what it starts meanwhile, on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cores_apart() -> tuple[set[int], set[int]]:
    """One core for what is measured, and the others for what it is measured with.

    Both are the same on a machine with a single core.
    """
    first, *others = sorted(os.sched_getaffinity(0))
    return {first}, set(others) or {first}


def _own_seconds(pid: int) -> float:
    """To the nanosecond, unlike /proc/PID/stat: the clock that clock_getcpuclockid(3) names."""
    with contextlib.suppress(OSError):
        return time.clock_gettime(~pid << 3 | 2)
    return 0.0


def _waited_seconds(pid: int) -> float:
    with contextlib.suppress(OSError):
        # proc(5): fields 16 and 17 (cutime, cstime); the name before them may hold spaces.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / _TICKS_PER_SECOND
    return 0.0


def _peak_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in (_PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
