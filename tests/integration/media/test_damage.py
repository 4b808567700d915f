"""A segment was recorded with packets missing, or with stamps that cannot be: the cut shows the
damage, but is whole itself.
"""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from common.media.cut import stream_cut
from common.media.encoders import EncoderPool
from common.media.plan import plan_cut
from common.media.request import CutRequest, CutType
from common.segments.store import SegmentStore
from common.times import SECOND, TimeRange, parse_time
from tests.support.checker import assert_decodes_silently, read_video
from tests.support.media import store_bytes
from tests.support.quality import assert_faithful, compare, numbers_of
from tests.support.transport import PACKET_BYTES, judge, read_transport
from tests.support.ts_surgery import put_together, take_apart
from tests.support.variants import store_variant, variant

START = parse_time("2026-07-01T12:00:00")
RATE = Fraction(60)
VIDEO_PID = 0x100


def test_a_segment_that_lacks_a_packet_is_encoded_and_leaves_the_output_whole(
    tmp_path: Path,
) -> None:
    stored = store_variant(tmp_path, "demo", "source", variant("plain"), start=START)
    broken = without_a_video_packet(stored[1].path.read_bytes())
    stored[1].path.unlink()
    segment = stored[1].segment
    store_bytes(tmp_path / "demo" / "source", broken, segment.start, segment.duration)
    span = TimeRange(START + SECOND, START + 5 * SECOND)
    registry = CollectorRegistry()
    data = cut(tmp_path, span, registry)
    judge(data, frame_rate=RATE)
    assert_decodes_silently(data)
    numbers = read_video(data).numbers
    damaged = [at for at, number in enumerate(numbers, 60) if number != at]
    assert len(numbers) == 4 * RATE
    assert damaged
    assert set(damaged) < set(range(120, 240))
    name = "wubloader_smart_fallbacks_total"
    assert registry.get_sample_value(name, {"reason": "damaged"}) == 1


@pytest.mark.parametrize(
    ("crowded", "encoded"),
    [
        pytest.param(0, [0, 1], id="before all others"),
        pytest.param(1, [1], id="among others that are taken together"),
        pytest.param(2, [2, 3], id="at an IDR picture among others"),
    ],
)
def test_after_a_copy_that_did_not_fit_all_is_encoded_up_to_the_next_idr_picture(
    tmp_path: Path, crowded: int, encoded: list[int]
) -> None:
    # Segments of 2 s, GOPs of 4 s.
    made = variant("gop-4-across")
    recorded = [segment.data for segment in made.segments]
    recorded[crowded], lost = with_crowded_frames(recorded[crowded])
    for data, segment in zip(recorded, made.segments, strict=True):
        folder = tmp_path / "demo" / "source"
        store_bytes(folder, data, START + segment.start, segment.duration)
    registry = CollectorRegistry()
    output = cut(tmp_path, TimeRange(START, START + 8 * SECOND), registry)
    assert_decodes_silently(output)
    transport = judge(output, frame_rate=RATE, holes=True)
    compared = compare(transport, read_transport(b"".join(recorded)))
    assert_faithful(compared)
    without = sorted(made.segments[crowded].numbers)[lost]
    numbers = sorted(n for index in encoded for n in made.segments[index].numbers)
    assert numbers_of(compared, copied=False) == [n for n in numbers if n != without]
    assert numbers_of(compared, copied=True) == [n for n in range(480) if n not in numbers]
    name = "wubloader_smart_fallbacks_total"
    assert registry.get_sample_value(name, {"reason": "misfit"}) == len(encoded)


def cut(base_dir: Path, span: TimeRange, registry: CollectorRegistry) -> bytes:
    request = CutRequest(
        channel="demo", quality="source", ranges=(span,), transitions=(), type=CutType.SMART
    )
    with EncoderPool(registry=registry) as encoders:
        return b"".join(stream_cut(plan_cut(SegmentStore(base_dir), request), encoders=encoders))


def with_crowded_frames(data: bytes) -> tuple[bytes, int]:
    """The segment with a frame that comes right behind the one before it, so that it has no slot;
    and its place in the order of display.
    """
    parts = take_apart(data)
    shown = sorted(parts.units, key=lambda unit: unit.pts)
    late = next(place for place, unit in enumerate(shown) if place > 60 and unit.pts > unit.dts)
    moved = replace(shown[late], pts=shown[late - 1].pts + 300)
    parts.units = [moved if unit is shown[late] else unit for unit in parts.units]
    return put_together(parts), late


def without_a_video_packet(data: bytes) -> bytes:
    """The segment without a packet from the middle of its video."""
    places = [
        at
        for at in range(0, len(data), PACKET_BYTES)
        if (data[at + 1] & 0x1F) << 8 | data[at + 2] == VIDEO_PID
    ]
    gap = places[len(places) // 2]
    return data[:gap] + data[gap + PACKET_BYTES :]
