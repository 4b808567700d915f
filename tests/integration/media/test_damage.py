"""A segment was recorded with packets missing: the cut shows the damage, but is whole itself."""

from fractions import Fraction
from pathlib import Path

from prometheus_client import CollectorRegistry

from common.media.cut import stream_cut
from common.media.encoders import EncoderPool
from common.media.plan import CutRequest, CutType, plan_cut
from common.segments.store import SegmentStore
from common.times import SECOND, TimeRange, parse_time
from tests.support.checker import assert_decodes_silently, read_video
from tests.support.media import store_bytes
from tests.support.transport import PACKET_BYTES, judge
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
    request = CutRequest(
        channel="demo", quality="source", ranges=(span,), transitions=(), type=CutType.SMART
    )
    registry = CollectorRegistry()
    with EncoderPool(registry=registry) as encoders:
        data = b"".join(stream_cut(plan_cut(SegmentStore(tmp_path), request), encoders=encoders))
    judge(data, frame_rate=RATE)
    assert_decodes_silently(data)
    numbers = read_video(data).numbers
    damaged = [at for at, number in enumerate(numbers, 60) if number != at]
    assert len(numbers) == 4 * RATE
    assert damaged
    assert set(damaged) < set(range(120, 240))
    name = "wubloader_smart_fallbacks_total"
    assert registry.get_sample_value(name, {"reason": "damaged"}) == 1


def without_a_video_packet(data: bytes) -> bytes:
    """The segment without a packet from the middle of its video."""
    places = [
        at
        for at in range(0, len(data), PACKET_BYTES)
        if (data[at + 1] & 0x1F) << 8 | data[at + 2] == VIDEO_PID
    ]
    gap = places[len(places) // 2]
    return data[:gap] + data[gap + PACKET_BYTES :]
