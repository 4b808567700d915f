"""What is odd about a segment, or damaged in its sound, is no reason not to have the rest of it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import av
import pytest

from common.errors import MediaError
from common.media.cut import cut_to_file, stream_cut
from common.media.encoders import EncoderPool
from common.media.plan import CutPlan, plan_cut
from common.media.request import CutRequest, CutType
from common.segments.store import SegmentStore
from common.times import SECOND, TimeRange, parse_time
from tests.support.checker import AAC_FRAME_SECONDS, assert_in_sync, read_number, read_video
from tests.support.elementary import Sound
from tests.support.media import store_bytes
from tests.support.transport import read_transport
from tests.support.ts_surgery import pid_of, put_together, split_packets, take_apart
from tests.support.variants import (
    Change,
    Recipe,
    Variant,
    make_segments,
    store_variant,
    variant,
)

START = parse_time("2026-07-01T12:00:00")
SOUND_PID = 0x101


@pytest.fixture(scope="module")
def pool() -> Iterator[EncoderPool]:
    with EncoderPool() as pool:
        yield pool


def without_sound(data: bytes) -> bytes:
    """The program table still announces it."""
    return b"".join(part for part in split_packets(data) if pid_of(part) != SOUND_PID)


def with_damaged_sound(data: bytes) -> bytes:
    """One packet, of which ffmpeg's decoder says more than that its data are invalid."""
    parts = split_packets(data)
    damaged = [part for part in parts if pid_of(part) == SOUND_PID][9]
    damaged[20:] = bytes(byte ^ 0x5A for byte in damaged[20:])
    return b"".join(parts)


ODD = [without_sound, with_damaged_sound]


def plan(base_dir: Path, kind: CutType, odd: Callable[[bytes], bytes]) -> CutPlan:
    """Of two segments, the first of which is odd."""
    for segment, change in zip(variant("plain").segments[1:3], (odd, bytes), strict=True):
        start = START + segment.start
        store_bytes(base_dir / "demo" / "source", change(segment.data), start, segment.duration)
    request = CutRequest(
        channel="demo",
        quality="source",
        ranges=(TimeRange(START + 2 * SECOND, START + 6 * SECOND),),
        transitions=(),
        type=kind,
    )
    return plan_cut(SegmentStore(base_dir), request)


@pytest.mark.parametrize("odd", ODD)
def test_a_full_cut_has_all_pictures_and_what_there_is_of_the_sound(
    pool: EncoderPool, tmp_path: Path, odd: Callable[[bytes], bytes]
) -> None:
    planned = plan(tmp_path, CutType.MPEGTS, odd)
    video = read_video(b"".join(stream_cut(planned, encoders=pool)))
    assert video.numbers == [*range(120, 360)]
    # The marks of the second segment, which is as it should be.
    assert {mark.second for mark in video.marks} >= {4, 5}
    assert_in_sync(video, at_least=2)


def archive(pool: EncoderPool, base_dir: Path, odd: Callable[[bytes], bytes]) -> list[Path]:
    folder = base_dir / "archive"
    cut_to_file(plan(base_dir, CutType.ARCHIVE, odd), folder, encoders=pool)
    return sorted(folder.iterdir())


def test_an_archive_has_another_file_from_where_sound_comes_on(
    pool: EncoderPool, tmp_path: Path
) -> None:
    silent, heard = map(read_video, archive(pool, tmp_path, without_sound))
    assert silent.numbers == [*range(120, 240)]
    assert heard.numbers == [*range(240, 360)]
    assert not silent.marks
    assert_in_sync(heard, at_least=1)


def test_an_archive_lacks_damaged_sound_only(pool: EncoderPool, tmp_path: Path) -> None:
    (path,) = archive(pool, tmp_path, with_damaged_sound)
    with av.open(str(path)) as container:
        numbers = [read_number(picture) for picture in container.decode(video=0)]
    assert numbers == [*range(120, 360)]
    with av.open(str(path)) as container:
        kept = [packet for packet in container.demux(audio=0) if packet.size]
    recorded = read_transport(b"".join(s.data for s in variant("plain").segments[1:3])).sound
    assert len(recorded) - 5 < len(kept) < len(recorded)


def test_sound_may_change_again_and_again(pool: EncoderPool, tmp_path: Path) -> None:
    sounds = (Sound(rate=44_100), Sound(channels=1), Sound(rate=44_100, channels=1))
    changes = tuple(Change(at=at, sound=sound) for at, sound in enumerate(sounds, 1))
    recipe = Recipe(changes=changes)
    made = Variant(name="sounds", recipe=recipe, segments=tuple(make_segments(recipe)))
    store_variant(tmp_path, "demo", "source", made, start=START)
    request = CutRequest(
        channel="demo",
        quality="source",
        ranges=(TimeRange(START + SECOND // 2, START + 15 * SECOND // 2),),
        transitions=(),
        type=CutType.SMART,
    )
    planned = plan_cut(SegmentStore(tmp_path), request)
    video = read_video(b"".join(stream_cut(planned, encoders=pool)))
    assert video.numbers == [*range(30, 450)]
    # In the middle of each segment; what changes just where a mark begins may hide it.
    assert {mark.second for mark in video.marks} >= {1, 3, 5, 7}
    assert_in_sync(video, tolerance_seconds=AAC_FRAME_SECONDS, at_least=4)


def test_a_rough_cut_names_the_segment_that_cannot_be_read(
    pool: EncoderPool, tmp_path: Path
) -> None:
    planned = plan(tmp_path, CutType.ROUGH, bytes)
    path = sorted((tmp_path / "demo" / "source").rglob("*.ts"))[1]
    path.unlink()
    path.mkdir()
    with pytest.raises(MediaError, match=rf"range 1 .*{path.name} cannot be read"):
        b"".join(stream_cut(planned, encoders=pool))


def with_mixed_up_stamps(data: bytes) -> bytes:
    parts = take_apart(data)
    first, second = parts.units[30], parts.units[70]
    parts.units[30] = replace(first, pts=second.pts)
    parts.units[70] = replace(second, pts=first.pts)
    return put_together(parts)


def test_pictures_in_no_order_are_an_error_that_names_the_segment(
    pool: EncoderPool, tmp_path: Path
) -> None:
    planned = plan(tmp_path, CutType.MPEGTS, with_mixed_up_stamps)
    path = min((tmp_path / "demo" / "source").rglob("*.ts"))
    with pytest.raises(MediaError, match=rf"frames cannot be decoded, first of .*{path.name}"):
        b"".join(stream_cut(planned, encoders=pool))
