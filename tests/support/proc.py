"""Processes as the kernel shows them (`man 5 proc`). Any of them may end at any moment."""

import time
from collections.abc import Iterator
from pathlib import Path


def children(pid: int) -> set[int]:
    """The processes that a process has started and that still exist, zombies among them."""
    return {found for found, (_, parent, *_) in _all() if int(parent) == pid}


def session(pid: int) -> set[int]:
    """The processes that run in a session, the one that began it among them; no zombies."""
    return {found for found, (state, _, _, sid, *_) in _all() if int(sid) == pid and state != "Z"}


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    fields = _stat(pid)
    return fields is not None and fields[0] != "Z"


def resident_bytes(pid: int) -> int:
    """How much memory the process has in RAM."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def command_line(pid: int) -> str:
    """What the process was started as; empty if it does not run (any more). One that is just being
    started has none yet: the kernel tells who starts it before it shows this.
    """
    while not (line := read_of_process(pid, "cmdline")) and is_running(pid):
        time.sleep(0.001)
    return line or ""


def read_of_process(pid: int, name: str) -> str | None:
    """A file that the kernel shows of a process; None if there is no such process (any more)."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None


def _all() -> Iterator[tuple[int, list[str]]]:
    for path in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(path.name))
        if fields is not None:
            yield int(path.name), fields


def _stat(pid: int) -> list[str] | None:
    """What the kernel says of a process, from its state on; None if there is none."""
    stat = read_of_process(pid, "stat")
    return stat.rpartition(")")[2].split() if stat is not None else None
