"""What is measured of processes."""

import subprocess
import sys

from bench import measure
from tests.support.waiting import wait_until

_BURN = "import time\nwhile time.process_time() < 0.2: pass\n"
_BURN_IN_CHILD = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {_BURN!r}])\n"
_REPORT_AND_WAIT = "print('done', flush=True)\nsys.stdin.read()\n"


def _busy(code: str) -> "subprocess.Popen[bytes]":
    """A process that has run `code`, and now waits for the end of its input."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys\n{code}{_REPORT_AND_WAIT}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"done\n"
    return process


def test_the_cpu_of_a_process_is_known_while_it_lives() -> None:
    with _busy(_BURN) as process:
        assert 0.2 <= measure.cpu_seconds(process.pid) < 10


def test_the_cpu_of_children_counts_after_they_have_ended() -> None:
    with _busy(_BURN_IN_CHILD) as process:
        # Counted in ticks of 10 ms, and the child's start is included.
        assert 0.18 <= measure.cpu_seconds(process.pid) < 10


def test_the_tree_of_a_process_includes_children_that_live() -> None:
    code = "import subprocess\nsubprocess.Popen(['sleep', '60'])\n"
    with _busy(code) as process:
        parent, *children = measure.tree(process.pid)
        assert parent == process.pid
        assert len(children) == 1
        # It may have come no further than to its first pages, which the kernel counts later.
        peak = wait_until(lambda: measure.peak_bytes(children[0]), "the child has memory")
        assert measure.peak_bytes(process.pid) > peak
        subprocess.run(["kill", str(children[0])], check=True)


def test_a_process_that_has_ended_costs_nothing_more() -> None:
    with _busy("") as process:
        pass
    assert measure.cpu_seconds(process.pid) == 0
    assert measure.peak_bytes(process.pid) == 0


def test_reference_and_subject_run_in_turn_and_each_gets_its_median() -> None:
    order: list[str] = []
    results = {"a": iter([3.0, 1.0, 2.0]), "b": iter([9.0, 7.0, 8.0])}

    def run(name: str) -> float:
        order.append(name)
        return next(results[name])

    assert measure.alternate(lambda: run("a"), lambda: run("b"), 3) == (2.0, 8.0)
    assert order == ["a", "b"] * 3
