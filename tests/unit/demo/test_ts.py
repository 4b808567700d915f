"""Changes that the origin makes in MPEG-TS."""

from io import BytesIO

import av
import pytest

from demo.origin.ts import shift_timestamps, split_tables
from tests.support.media import recorded_set


def stamps(data: bytes) -> list[tuple[int | None, int | None]]:
    with av.open(BytesIO(data), "r") as container:
        return [(p.pts, p.dts) for p in container.demux() if p.pts is not None]


@pytest.fixture(scope="module")
def segment() -> bytes:
    return recorded_set("short").read("source", 1)


def test_every_stamp_is_shifted_by_as_much(segment: bytes) -> None:
    shifted = stamps(shift_timestamps(segment, 7_654_321))
    assert shifted == [
        (pts + 7_654_321, dts + 7_654_321)
        for pts, dts in stamps(segment)
        if pts is not None and dts is not None
    ]


def test_shifting_back_gives_the_same_bytes_also_across_the_wrap(segment: bytes) -> None:
    wrap = 2**33 - 300_000
    assert shift_timestamps(shift_timestamps(segment, wrap), -wrap) == segment


def test_nothing_but_stamps_changes(segment: bytes) -> None:
    assert shift_timestamps(segment, 0) == segment
    assert len(shift_timestamps(segment, 90_000)) == len(segment)


def test_tables_and_the_rest_make_up_the_segment(segment: bytes) -> None:
    tables, rest = split_tables(segment)
    assert tables + rest == segment
    assert len(tables) == 3 * 188
    assert int.from_bytes(rest[1:3], "big") & 0x1FFF == 256  # the first packet of video
