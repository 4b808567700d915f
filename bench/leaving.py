"""How soon a cut ends whose client has gone away."""

import json
import time
from collections.abc import Iterable

from bench import measure
from bench.cuts import START, cut_url, in_mid_gop, restreamer
from bench.cutting import CHANNEL, QUALITY
from bench.figures import Figure, median_and_most
from bench.load import answer, fetch
from bench.material import LONG, SHORT, record
from bench.names import SEGMENT
from bench.suite import Run, check
from common.times import MINUTE
from tests.support.metrics import metric
from tests.support.processes import ServiceProcess

_ENDED_GOAL = 1.0
_ENDED_DEADLINE_SECONDS = 60
_LOOK_SECONDS = 0.005
_LONG_ENOUGH = 50
"""How often each range is asked for: nobody is done with all of them when the client goes."""


def leaving(run: Run) -> Iterable[Figure]:
    """How long a smart and a full cut go on when their client is gone."""
    recipe = LONG if run.full else SHORT
    record(run.folder / CHANNEL / QUALITY, START, MINUTE // SEGMENT, recipe)
    count = 20 if run.full else 2
    spans = [in_mid_gop(3 * SEGMENT, START + n * 3 * SEGMENT) for n in range(10)] * _LONG_ENOUGH
    with restreamer(run.folder) as process:
        for kind in ("smart", "mpegts"):
            url = cut_url(process, spans, kind)
            seconds = [_until_it_has_ended(process, url) for _ in range(count)]
            name = f"until all has ended, {count} {kind} cuts"
            yield from median_and_most("client gone", name, seconds, _ENDED_GOAL)


def _until_it_has_ended(process: ServiceProcess, url: str) -> float:
    with answer(url) as response:
        check(bool(response.read1()), "the cut begins")
        check(not _has_ended(process), "the cut goes on while its client is there")
    left = time.monotonic()
    while not _has_ended(process):
        check(time.monotonic() - left < _ENDED_DEADLINE_SECONDS, "the cut ends with its client")
        time.sleep(_LOOK_SECONDS)
    return time.monotonic() - left


def _has_ended(process: ServiceProcess) -> bool:
    """No cut is told of any more, and each encoding process that there is waits for a job."""
    waiting = metric(process.url, "wubloader_encoder_processes_idle")
    at_work = len(measure.tree(process.pid)) - 1 - waiting
    return not json.loads(fetch(f"{process.url}/cuts")) and at_work <= 0
