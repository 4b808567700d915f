"""Benchmarks as a list: each gets a folder of its own and returns figures."""

import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure


class WorkNotDone(Exception):
    """What was measured did not do its work right, so its time means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """`folder` is empty and is deleted afterwards; `full` asks for the long form."""

    folder: Path
    full: bool


Benchmark = Callable[[Run], Iterable[Figure]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    figures: list[Figure]
    failures: list[str]


def check(done: bool, what: str) -> None:
    """Raises WorkNotDone, naming `what` should have been so."""
    if not done:
        raise WorkNotDone(what)


def run_all(
    benchmarks: Mapping[str, Benchmark], *, full: bool, announce: Callable[[str], None]
) -> Results:
    """Run them one after the other; one that fails does not keep the others from running."""
    results = Results(figures=[], failures=[])
    for name, benchmark in benchmarks.items():
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="wubloader-bench-") as folder:
            try:
                results.figures.extend(benchmark(Run(folder=Path(folder), full=full)))
            except Exception:
                results.failures.append(f"{name} failed:\n{traceback.format_exc()}")
        announce(f"{name}: {time.monotonic() - started:.1f} s")
    return results
