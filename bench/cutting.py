"""`python -m bench.cutting BASE START,END...`: cuts as a library makes them, in a plain process.

The bytes are discarded, or written to standard output. What it took is told as JSON on standard
error: CPU of this process and its encoders, which were ready before.
"""

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from bench import measure
from common.media.cut import stream_cut
from common.media.encoders import EncoderPool
from common.media.plan import plan_cut
from common.media.request import CUT_TYPES, CutRequest, CutType
from common.segments.store import SegmentStore
from common.times import TimeRange

CHANNEL = "bench"
QUALITY = "source"
_ENCODERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`frames` is what the plan says that the cut has."""

    frames: int
    body_bytes: int
    first_seconds: float
    wall_seconds: float
    cpu_seconds: float


def cut(base_dir: Path, request: CutRequest, *, to_pipe: bool) -> Report:
    """Make one cut."""
    with EncoderPool(keep=_ENCODERS) as encoders:
        if request.type is not CutType.ROUGH:
            encoders.prestart(_ENCODERS)
            measure.wait_until_idle(os.getpid())
        store = SegmentStore(base_dir)
        cpu, started = measure.cpu_seconds(os.getpid()), time.monotonic()
        plan = plan_cut(store, request)
        body_bytes = 0
        first: float | None = None
        for chunk in stream_cut(plan, encoders=encoders):
            first = time.monotonic() - started if first is None else first
            body_bytes += len(chunk)
            if to_pipe:
                sys.stdout.buffer.write(chunk)
        wall = time.monotonic() - started
        return Report(
            frames=plan.frames_total,
            body_bytes=body_bytes,
            first_seconds=first or wall,
            wall_seconds=wall,
            cpu_seconds=measure.cpu_seconds(os.getpid()) - cpu,
        )


@click.command()
@click.argument("base_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("ranges", nargs=-1, required=True)
@click.option("--type", "kind", type=click.Choice(CUT_TYPES), default="smart")
@click.option("--pipe", "to_pipe", is_flag=True, help="Write the cut to standard output.")
def command(base_dir: Path, ranges: tuple[str, ...], kind: str, to_pipe: bool) -> None:
    """Cut RANGES (START,END in microseconds) out of the store in BASE_DIR."""
    spans = tuple(TimeRange(*map(int, text.split(","))) for text in ranges)
    request = CutRequest(
        channel=CHANNEL,
        quality=QUALITY,
        ranges=spans,
        transitions=(None,) * (len(spans) - 1),
        type=CutType(kind),
    )
    click.echo(json.dumps(asdict(cut(base_dir, request, to_pipe=to_pipe))), err=True)


if __name__ == "__main__":
    command()
