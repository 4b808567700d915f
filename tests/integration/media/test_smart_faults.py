"""Smart cuts of recordings that are damaged after they were planned: an error that names the range,
and nothing left behind.
"""

import gc
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from gevent import Greenlet
from prometheus_client import CollectorRegistry

from common.errors import MediaError
from common.media.cut import stream_cut
from common.media.encoders import EncoderPool
from common.media.plan import CutPlan, plan_cut
from common.media.request import CutRequest, CutType, Transition
from common.segments.store import SegmentStore
from common.times import SECOND, TimeRange, parse_time
from tests.support.checker import read_video
from tests.support.encoding import encoders
from tests.support.media import StoredSegment, store_bytes
from tests.support.proc import is_running
from tests.support.variants import store_variant, variant
from tests.support.waiting import wait_until

START = parse_time("2026-07-01T11:59:50")


def span(first_seconds: float, last_seconds: float) -> TimeRange:
    return TimeRange(START + round(first_seconds * SECOND), START + round(last_seconds * SECOND))


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def pool(registry: CollectorRegistry) -> Iterator[EncoderPool]:
    with EncoderPool(registry=registry) as running:
        yield running
    assert not any(map(is_running, encoders()))


@pytest.fixture
def stored(tmp_path: Path) -> list[StoredSegment]:
    return store_variant(tmp_path, "demo", "source", variant("gop-4"), start=START)


def plan(
    base_dir: Path, *ranges: TimeRange, transition: Transition | None = None, holes: bool = False
) -> CutPlan:
    request = CutRequest(
        channel="demo",
        quality="source",
        ranges=ranges,
        transitions=(transition,) * (len(ranges) - 1),
        type=CutType.SMART,
        allow_holes=holes,
    )
    return plan_cut(SegmentStore(base_dir), request)


def greenlets() -> set[int]:
    """Those that are not done."""
    gc.collect()
    return {id(one) for one in gc.get_objects() if isinstance(one, Greenlet) and not one.dead}


def delete(path: Path) -> None:
    path.unlink()


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(path.stat().st_size))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def unreadable(path: Path) -> None:
    path.unlink()
    path.mkdir()


def truncate(path: Path) -> None:
    """In the middle of a packet."""
    os.truncate(path, path.stat().st_size // 2 // 188 * 188 + 77)


def shorten(path: Path) -> None:
    """To whole packets."""
    os.truncate(path, path.stat().st_size // 2 // 188 * 188)


def overwrite(path: Path) -> None:
    """A stretch in the middle, as a bad disk does."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 3)
        file.write(os.urandom(20_000))


DAMAGES = [delete, garbage, empty, unreadable, truncate, shorten, overwrite]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("index", [1, 2], ids=["in the middle", "at the end"])
def test_a_damaged_segment_fails_the_cut_by_name(
    pool: EncoderPool,
    tmp_path: Path,
    stored: list[StoredSegment],
    damage: Callable[[Path], None],
    index: int,
) -> None:
    planned = plan(tmp_path, span(0.5, 1), span(1.5, 11.5))
    before = greenlets()
    damage(stored[index].path)
    with pytest.raises(MediaError, match=r"range 2 \("):
        for _ in stream_cut(planned, encoders=pool):
            pass
    wait_until(lambda: greenlets() <= before, "no greenlet is left")


def test_a_recording_that_lacked_packets_from_the_beginning_is_cut_as_it_is(
    pool: EncoderPool, tmp_path: Path
) -> None:
    first, second, *_ = variant("plain").segments
    lacking = second.data[: 188 * 400] + second.data[188 * 404 :]
    folder = tmp_path / "demo" / "source"
    for segment, data in ((first, first.data), (second, lacking)):
        store_bytes(folder, data, START + segment.start, segment.duration)
    output = b"".join(stream_cut(plan(tmp_path, span(0.5, 3.9)), encoders=pool))
    assert read_video(output).numbers[:90] == [*range(30, 120)]


@pytest.mark.usefixtures("stored")
def test_closing_a_cut_ends_its_encoders(
    pool: EncoderPool, registry: CollectorRegistry, tmp_path: Path
) -> None:
    planned = plan(tmp_path, *[span(0.5, 3.5), span(8.2, 11.7)] * 5)
    before = greenlets()
    chunks = stream_cut(planned, encoders=pool)
    assert isinstance(chunks, Generator)
    next(chunks)
    assert encoders()
    chunks.close()
    wait_until(lambda: greenlets() <= before, "no greenlet is left")
    # One that was interrupted has been killed; whoever is left waits for a job.
    assert registry.get_sample_value("wubloader_encoder_processes_idle") == len(encoders())


def test_a_cut_that_failed_leaves_the_encoders_ready_for_the_next(
    pool: EncoderPool, tmp_path: Path, stored: list[StoredSegment]
) -> None:
    failing, good = plan(tmp_path, span(0.5, 11.5)), plan(tmp_path, span(0.5, 3))
    delete(stored[2].path)
    with pytest.raises(MediaError, match=r"range 1 .* is gone"):
        b"".join(stream_cut(failing, encoders=pool))
    assert read_video(b"".join(stream_cut(good, encoders=pool))).numbers == [*range(30, 180)]
