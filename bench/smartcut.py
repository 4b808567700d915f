"""Smart cuts against the package `smartcut`, which does the same to one file."""

import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median

from bench import measure
from bench.commands import Spent, counted
from bench.cuts import START, http, restreamer
from bench.cutting import CHANNEL, QUALITY
from bench.figures import Figure, Source
from bench.material import LONG, record
from bench.names import SEGMENT
from bench.suite import Run, check
from common.times import MINUTE, SECOND, TimeRange
from tests.support.processes import ServiceProcess

_CASES = {
    "one range of 300 s": ((100.7, 400.7),),
    "three ranges of 137 s in all": ((20.7, 60.9), (150.3, 200.1), (400.4, 447.4)),
}
"""Seconds of the recording, which has 10 minutes."""

_PAIRS = 5


def against_package(run: Run) -> Iterable[Figure]:
    """Smart cuts of one and three ranges against the package smartcut (full form only)."""
    if not run.full:
        return
    paths = record(run.folder / CHANNEL / QUALITY, START, 10 * MINUTE // SEGMENT, LONG)
    program, problem = _install(run.folder / "venv")
    if program is None:
        yield Figure(
            benchmark="smart cut beside smartcut",
            name=f"not installed: {problem}",
            value=0,
            unit="programs",
        )
        return
    prepared = run.folder / "prepared.ts"
    prepared.write_bytes(b"".join(path.read_bytes() for path in paths))
    with restreamer(run.folder) as process:
        for name, ranges in _CASES.items():
            yield from _case(process, program, prepared, name, ranges)


def _case(
    process: ServiceProcess,
    program: Path,
    prepared: Path,
    name: str,
    ranges: Sequence[tuple[float, float]],
) -> Iterator[Figure]:
    spans = [
        TimeRange(START + round(begin * SECOND), START + round(end * SECOND))
        for begin, end in ranges
    ]
    theirs: list[Spent] = []
    ours: list[Spent] = []
    for _ in range(_PAIRS):
        theirs.append(_package(program, prepared, ranges))
        ours.append(http(process, spans))
        measure.wait_until_idle(process.pid)
    for label, unit in (("wall_seconds", "s"), ("cpu_seconds", "CPU s")):
        yield Figure(
            benchmark="smart cut beside smartcut",
            name=f"{name}, HTTP",
            value=median(getattr(spent, label) for spent in ours),
            unit=unit,
            reference=median(getattr(spent, label) for spent in theirs),
            source=Source.SMARTCUT,
        )


def _package(program: Path, prepared: Path, ranges: Sequence[tuple[float, float]]) -> Spent:
    """As a person runs it; the start of Python is a part of that."""
    output = prepared.with_name("output.ts")
    keep = ",".join(f"{begin},{end}" for begin, end in ranges)
    command = ["env", "TQDM_DISABLE=1", str(program)]
    spent = counted([*command, str(prepared), str(output), "--keep", keep])
    check(output.stat().st_size > 0, "smartcut writes a video")
    output.unlink()
    return spent


def _install(folder: Path) -> tuple[Path | None, str]:
    """The program in a virtual environment of its own, or None and why not."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    done = subprocess.run(
        [str(folder / "bin" / "pip"), "install", "--quiet", "smartcut"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["pip fails"])[-1]
    return folder / "bin" / "smartcut", ""
