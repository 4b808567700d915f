"""The pool of encoding processes, with real processes that really encode."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from prometheus_client import CollectorRegistry

from common.daemon import Stop
from common.errors import MediaError
from common.media.encoders import EncoderPool
from common.media.job import RenderJob
from common.media.smart.edge import EdgeJob, EdgeSource
from common.media.smart.segment import load
from tests.support.checker import assert_frames, read_video
from tests.support.encoding import encoders, render_job
from tests.support.proc import children, is_running
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

ROUND_SLACK_BYTES = 32 * 1024
"""A tenth of one picture of the jobs' source."""


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def pool(registry: CollectorRegistry) -> Iterator[EncoderPool]:
    with EncoderPool(registry=registry) as pool:
        yield pool
    assert not encoders()


@pytest.fixture
def job(tmp_path: Path) -> RenderJob:
    return render_job(tmp_path)


@pytest.fixture
def long_job(tmp_path: Path) -> RenderJob:
    return render_job(tmp_path, segments=6)


def edge_job(job: RenderJob) -> EdgeJob:
    """Twenty frames of the job's first segment, as an end of a smart cut."""
    path = job.parts[0][0].path
    segment = load(Path(path), None)
    return EdgeJob(
        tables=segment.tables,
        sources=(EdgeSource(path=path, first=0, last=20, wanted=tuple(range(20))),),
        rate=(segment.rate.numerator, segment.rate.denominator),
        reorder=2,
        room_bytes=1_000_000,
        sets="",
        optional=False,
        label="range 1",
    )


def jobs(registry: CollectorRegistry, outcome: str) -> float | None:
    labels = {"kind": "render", "outcome": outcome}
    return registry.get_sample_value("wubloader_encoder_jobs_total", labels)


def started(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value("wubloader_encoder_processes_started_total")


def idle(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value("wubloader_encoder_processes_idle")


def test_the_second_job_is_served_by_the_same_process(
    pool: EncoderPool, job: RenderJob, registry: CollectorRegistry
) -> None:
    first = b"".join(pool.run(job))
    served = encoders()
    assert b"".join(pool.run(job)) == first
    assert encoders() == served
    assert len(served) == 1
    assert_frames(read_video(first), 0, 118, step=2)
    assert (started(registry), jobs(registry, "done"), idle(registry)) == (1, 2, 1)


def test_a_job_that_fails_leaves_its_process_fit_for_the_next(
    pool: EncoderPool, job: RenderJob, tmp_path: Path, registry: CollectorRegistry
) -> None:
    expected = b"".join(pool.run(job))
    served = encoders()
    gone = replace(job.parts[0][0], path=str(tmp_path / "gone.ts"), label="range 1")
    broken = replace(job, parts=(job.parts[0], (gone,)))
    with pytest.raises(MediaError, match=r"range 1: gone\.ts is gone"):
        b"".join(pool.run(broken))
    # The muxer that was left in the middle of its file adds nothing to what follows.
    assert b"".join(pool.run(job)) == expected
    assert encoders() == served
    assert jobs(registry, "failed") == 1


def spoil(path: Path) -> None:
    """Damage pictures in the second half of a segment, so that decoding them complains."""
    data = bytearray(path.read_bytes())
    for packet in range(len(data) // 2 // 188, len(data) // 188, 3):
        data[packet * 188 + 100] ^= 0xFF
    path.write_bytes(data)


def test_decoders_that_complain_while_a_job_fails_do_not_hold_up_the_next(
    pool: EncoderPool, job: RenderJob, tmp_path: Path
) -> None:
    (piece,) = job.parts[0]
    spoil(Path(piece.path))
    gone = replace(piece, path=str(tmp_path / "gone.ts"), label="range 1")
    broken = replace(job, parts=((piece, gone),))
    for _ in range(20):
        with pytest.raises(MediaError, match=r"range 1: gone\.ts is gone"):
            b"".join(pool.run(broken))
    assert len(encoders()) == 1


def test_decoders_that_are_at_work_while_an_end_fails_do_not_hold_up_the_next(
    pool: EncoderPool, job: RenderJob, tmp_path: Path
) -> None:
    whole = edge_job(job)
    gone = replace(whole.sources[0], path=str(tmp_path / "gone.ts"))
    broken = replace(whole, sources=(*whole.sources, gone))
    for _ in range(40):
        with pytest.raises(MediaError, match=r"range 1: .* is gone"):
            list(pool.run(broken))
    assert len(encoders()) == 1


def test_progress_is_told(pool: EncoderPool, job: RenderJob) -> None:
    told: list[int] = []
    for _ in pool.run(job, told.append):
        pass
    assert told == sorted(told)
    assert told[-1] == 60


def test_a_killed_process_is_an_error_of_its_own_job_only(
    pool: EncoderPool, long_job: RenderJob, registry: CollectorRegistry
) -> None:
    with closing(pool.run(long_job)) as one:
        next(one)
        (victim,) = encoders()
        with closing(pool.run(long_job)) as other:
            next(other)
            os.kill(victim, signal.SIGKILL)
            with pytest.raises(MediaError, match="broke off"):
                b"".join(one)
            assert victim not in encoders()
            rest = b"".join(other)
    assert len(rest) > 0
    assert (jobs(registry, "broken"), jobs(registry, "done")) == (1, 1)


def test_closing_the_generator_ends_the_process_at_once(
    pool: EncoderPool, long_job: RenderJob, registry: CollectorRegistry
) -> None:
    with closing(pool.run(long_job)) as chunks:
        next(chunks)
        assert len(encoders()) == 1
    assert not encoders()
    assert jobs(registry, "abandoned") == 1


def test_a_process_that_dies_idle_is_replaced_unnoticed(
    pool: EncoderPool, job: RenderJob, registry: CollectorRegistry
) -> None:
    expected = b"".join(pool.run(job))
    (victim,) = encoders()
    os.kill(victim, signal.SIGKILL)
    assert b"".join(pool.run(job)) == expected
    assert victim not in encoders()
    assert (started(registry), jobs(registry, "done")) == (2, 2)


def test_processes_started_beforehand_serve_and_are_replaced_when_lost(
    pool: EncoderPool, long_job: RenderJob, registry: CollectorRegistry
) -> None:
    pool.prestart(2)
    before = encoders()
    assert len(before) == 2
    with closing(pool.run(long_job)) as chunks:
        next(chunks)
        assert encoders() == before
        assert idle(registry) == 1
    after = encoders()
    assert len(after) == 2
    assert len(after & before) == 1
    assert (started(registry), idle(registry)) == (3, 2)


def test_jobs_run_side_by_side_and_no_more_processes_than_are_kept_stay(
    job: RenderJob, registry: CollectorRegistry
) -> None:
    with EncoderPool(linger_seconds=0, registry=registry) as pool:
        assert len(set(side_by_side(pool, job, 3))) == 1
        assert len(encoders()) == 2
        assert idle(registry) == 2


@contextmanager
def watched(pool: EncoderPool) -> Iterator[None]:
    stop = Stop()
    daemon = Thread(target=pool.stay_warm, args=[stop])
    daemon.start()
    try:
        yield
    finally:
        stop.set()
        daemon.join()


def test_the_processes_of_a_burst_serve_the_next_one_and_end_when_nothing_needs_them(
    job: RenderJob, registry: CollectorRegistry
) -> None:
    with EncoderPool(linger_seconds=20, registry=registry) as pool:
        side_by_side(pool, job, 3)
        served = encoders()
        side_by_side(pool, job, 3)
        assert encoders() == served
        with watched(pool):
            wait_until(lambda: len(encoders()) == 2, "one has ended")
        assert encoders() < served
        assert (started(registry), idle(registry)) == (3, 2)


def test_what_a_process_does_not_begin_with_another_does(job: RenderJob) -> None:
    with EncoderPool(keep=1, linger_seconds=1, accept_seconds=20) as pool:
        video = b"".join(pool.run(job))
        (stopped,) = encoders()
        os.kill(stopped, signal.SIGSTOP)
        with watched(pool):
            assert b"".join(pool.run(job)) == video
        assert stopped not in encoders()


def test_a_process_that_falls_silent_in_its_job_is_killed(long_job: RenderJob) -> None:
    with EncoderPool(linger_seconds=1, silence_seconds=1) as pool:
        pool.prestart(1)
        chunks = pool.run(long_job)
        next(chunks)
        (stopped,) = encoders()
        os.kill(stopped, signal.SIGSTOP)
        with watched(pool), pytest.raises(MediaError, match=r"broke off: .*no answer for too long"):
            b"".join(chunks)
        assert stopped not in encoders()


def side_by_side(pool: EncoderPool, job: RenderJob, count: int) -> list[bytes]:
    runs = [pool.run(job) for _ in range(count)]
    firsts = [next(chunks) for chunks in runs]
    assert len(encoders()) == count
    with ThreadPoolExecutor(count) as threads:
        rests = list(threads.map(b"".join, runs))
    return [first + rest for first, rest in zip(firsts, rests, strict=True)]


def test_closing_the_pool_ends_the_processes_at_work_too(long_job: RenderJob) -> None:
    pool = EncoderPool()
    pool.prestart(2)
    with closing(pool.run(long_job)) as chunks:
        next(chunks)
        pool.close()
        assert not encoders()
        with pytest.raises(MediaError, match="broke off"):
            b"".join(chunks)
    pool.close()
    with pytest.raises(MediaError, match="closed"):
        next(pool.run(long_job))


_ROUNDS = """
import ctypes, os, sys
from pathlib import Path
from common.errors import MediaError
from common.media import render
from common.media.answers import Answers, open_answers
from common.media.smart import edge
from common.media.worker import let_libav_complain

FIELDS = "arena ordblks smblks hblks mapped usmblks fsmblks in_use free top"  # mallinfo2(3)
class MallInfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS.split()]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = MallInfo
let_libav_complain()
nowhere = open_answers(os.open(os.devnull, os.O_WRONLY))
jobs = [({"render": render.handle, "edge": edge.handle}[Path(name).stem], Path(name).read_bytes())
        for name in sys.argv[2:]]
for _ in range(int(sys.argv[1])):
    failed = 0
    for handle, document in jobs:
        try:
            handle(document, Answers(nowhere))
        except MediaError:
            failed += 1
    memory = libc.mallinfo2()
    print(failed, memory.in_use + memory.mapped)
"""


@pytest.mark.parametrize("rounds", [8, pytest.param(100, marks=pytest.mark.soak)])
def test_no_job_leaves_anything_in_memory(job: RenderJob, tmp_path: Path, rounds: int) -> None:
    gone = str(tmp_path / "gone.ts")
    cut_end = edge_job(job)
    documents = {
        "render.sent": job,
        "render.kept": replace(job, container="mp4", output_path=str(tmp_path / "video.mp4")),
        "render.failing": replace(job, parts=((replace(job.parts[0][0], path=gone),),)),
        "edge.sent": cut_end,
        "edge.failing": replace(
            cut_end, sources=(*cut_end.sources, replace(cut_end.sources[0], path=gone))
        ),
    }
    for name, document in documents.items():
        (tmp_path / name).write_bytes(document.to_json())
    # What is in use, of Python's objects too. What the process has says little: threads give back
    # megabytes late or never.
    told = subprocess.run(
        [sys.executable, "-c", _ROUNDS, str(rounds), *(str(tmp_path / name) for name in documents)],
        cwd=ROOT,
        env={**os.environ, "PYTHONMALLOC": "malloc"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.splitlines()
    failures, used = zip(*(map(int, line.split()) for line in told), strict=True)
    assert failures == (2,) * rounds
    assert used[-1] - used[1] < ROUND_SLACK_BYTES * (rounds - 2), used


_PARENT = """
import sys
from pathlib import Path
if sys.argv[1] == "gevent":
    from gevent import monkey
    monkey.patch_all()
from common.media.encoders import EncoderPool
from common.media.job import RenderJob
from common.media.smart.edge import EdgeJob, EdgeSource
from common.media.smart.segment import load
pool = EncoderPool()
pool.prestart(2)
chunks = pool.run(RenderJob.from_json(Path(sys.argv[2]).read_bytes()))
next(chunks)
print("busy", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("kind", ["plain", "gevent"])
def test_a_parent_that_is_killed_leaves_no_process(
    kind: str, long_job: RenderJob, tmp_path: Path
) -> None:
    document = tmp_path / "job.json"
    document.write_bytes(long_job.to_json())
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, kind, str(document)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"busy\n"
        left = children(parent.pid)
        assert len(left) == 2
        parent.kill()
    wait_until(lambda: not any(map(is_running, left)), "all encoders are gone")


_KILLED_GREENLETS = """
from gevent import monkey
monkey.patch_all()
import json, os, sys
from pathlib import Path
import gevent
from common.media.encoders import EncoderPool
from common.media.job import RenderJob
from common.media.smart.edge import EdgeJob, EdgeSource
from common.media.smart.segment import load
from tests.support.proc import children
from tests.support.waiting import wait_until
job = RenderJob.from_json(Path(sys.argv[1]).read_bytes())
pool = EncoderPool(keep=1, linger_seconds=0)
pool.prestart(1)
first = b"".join(pool.run(job))
open_files = len(os.listdir("/proc/self/fd"))
for step in range(12):
    cut = gevent.spawn(b"".join, pool.run(job))
    gevent.sleep(step * 0.04)
    # The second time it is killed while it clears up.
    cut.kill(block=False)
    gevent.sleep(0)
    cut.kill()
last = b"".join(pool.run(job))
def left():
    more_files = len(os.listdir("/proc/self/fd")) - open_files
    return len(children(os.getpid())), more_files
# What was begun aside for a greenlet goes on without it.
wait_until(lambda: left() == (1, 0), "one process is left, and no file")
pool.close()
print(json.dumps([first == last, len(children(os.getpid()))]))
"""


def test_a_greenlet_killed_at_any_moment_of_its_job_leaves_no_process(
    long_job: RenderJob, tmp_path: Path
) -> None:
    document = tmp_path / "job.json"
    document.write_bytes(long_job.to_json())
    done = subprocess.run(
        [sys.executable, "-c", _KILLED_GREENLETS, str(document)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    assert json.loads(done.stdout) == [True, 0]
