"""Fast cuts have exactly the frames of their ranges, whatever their segments begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from common.media.cut import stream_cut
from common.media.encoders import EncoderPool
from common.media.plan import plan_cut
from common.media.request import CutRequest, CutType
from common.segments.store import SegmentStore
from common.times import SECOND, TimeRange, parse_time
from tests.support.checker import read_video
from tests.support.variants import store_variant, variant

START = parse_time("2026-07-01T11:59:50")


@pytest.fixture(scope="module")
def pool() -> Iterator[EncoderPool]:
    with EncoderPool(registry=CollectorRegistry()) as running:
        yield running


@pytest.mark.parametrize(
    ("source", "ranges", "untouched"),
    [
        pytest.param(("plain", []), [(30, 450)], [1, 2], id="key frames first"),
        pytest.param(("plain", []), [(120, 360)], [1, 2], id="whole segments only"),
        pytest.param(("gop-4-across", []), [(30, 450)], [2], id="encoded up to a key frame"),
        pytest.param(("gop-10-across", []), [(54, 800)], [5], id="a GOP of many segments"),
        pytest.param(
            ("gop-10-across", []), [(0, 500)], [0, 1, 2, 3], id="the end of a GOP's segments"
        ),
        pytest.param(("gop-10-across", []), [(400, 700), (0, 200)], [0], id="two ranges"),
        pytest.param(("gop-10-across", [2]), [(0, 238), (600, 840)], [0, 1, 5, 6], id="a hole"),
        pytest.param(("open-gop-across", []), [(30, 420)], [], id="open GOPs"),
    ],
)
def test_it_has_exactly_the_frames_of_its_ranges(
    pool: EncoderPool,
    tmp_path: Path,
    source: tuple[str, list[int]],
    ranges: list[tuple[int, int]],
    untouched: list[int],
) -> None:
    name, holes = source
    made = variant(name)
    store_variant(tmp_path, "demo", "source", made, start=START, holes=holes)
    times = [START + frame * SECOND // 60 for span in ranges for frame in span]
    spans = (
        [TimeRange(times[0], times[-1])] if holes else list(map(TimeRange, times[::2], times[1::2]))
    )
    request = CutRequest(
        channel="demo",
        quality="source",
        ranges=tuple(spans),
        transitions=(None,) * (len(spans) - 1),
        type=CutType.FAST,
        allow_holes=bool(holes),
    )
    done: list[tuple[int, int]] = []
    plan = plan_cut(SegmentStore(tmp_path), request)
    chunks = stream_cut(plan, encoders=pool, on_progress=lambda *now: done.append(now))
    output = b"".join(chunks)
    wanted = [frame for span in ranges for frame in range(*span)]
    assert read_video(output).numbers == wanted
    assert [n for n, of in enumerate(made.segments) if of.data in output] == untouched
    assert done[-1] == (len(wanted), len(wanted))
