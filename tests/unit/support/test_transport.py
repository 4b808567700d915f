"""The judge of MPEG-TS objects to what is wrong, and to nothing else."""

import pytest

from tests.support.transport import NotTransport, judge
from tests.support.variants import variant


def test_a_sound_stream_is_accepted() -> None:
    made = variant("plain")
    transport = judge(made.data, frame_rate=made.frame_rate)
    assert len(transport.units) == 480
    assert [unit.is_idr for unit in transport.units].count(True) == 4


def test_segments_out_of_order_are_refused() -> None:
    made = variant("plain")
    data = b"".join(segment.data for segment in reversed(made.segments))
    with pytest.raises(NotTransport):
        judge(data, frame_rate=made.frame_rate)
