"""What a table of figures has to say about where it comes from."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("gevent", "flask", "requests", "m3u8", "numpy")


def describe() -> Iterator[str]:
    """One line each: the machine, the versions, the command."""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    yield (
        f"machine: {os.cpu_count()} cores, {_cpu_model()}, {gigabytes:.0f} GB;"
        f" load before the start {load:.1f}"
    )
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    yield f"versions: {_commit()}, Python {platform.python_version()}, {packages}"
    yield f"kernel: {platform.system()} {platform.release()}"
    yield f"command: python -m bench {' '.join(sys.argv[1:])}".rstrip()


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    """The commit of this checkout, if it is one."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "an unknown commit"
    return f"commit {done.stdout.strip()}"
