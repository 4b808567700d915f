"""The variants hold what they say, so that tests of cuts can rely on them."""

from itertools import pairwise
from pathlib import Path

import pytest

from common.media.probe import probe
from common.times import SECOND
from tests.support.checker import assert_decodes_silently
from tests.support.decode import watch
from tests.support.segments import NOON
from tests.support.soak import soak_but
from tests.support.transport import AccessUnit, Transport, read_transport
from tests.support.variants import VARIANTS, Variant, store_variant, variant

# ffmpeg cannot follow these, or warns of what is odd about them.
_NOT_SILENT = {"counters", "worst", "other-pids", "swapped-pids", "jump", "jump-back", "restart"}


def _segment_units(made: Variant, index: int) -> tuple[AccessUnit, ...]:
    return read_transport(made.segments[index].data).units


# Every cut that is compared with a variant shows the same of it.
_EVERY_TIME = {"plain", "ntsc-60", "hevc", "open-gop", "gop-4-across", "only-sound", "wrap"}


@pytest.mark.parametrize("name", soak_but(VARIANTS, every_time=_EVERY_TIME))
def test_every_frame_of_a_variant_is_there_with_its_number_and_sound(name: str) -> None:
    made = variant(name)
    video = watch(read_transport(made.data), made.frame_rate)
    numbers = [number for segment in made.segments for number in segment.numbers]
    # Where the clock jumps back, the order of stamps is not that of display.
    assert sorted(number for number in video.numbers if number is not None) == numbers
    assert None not in video.numbers
    slack = made.recipe.jitter_ticks / 90_000
    assert max(map(abs, video.audio_offsets), default=0) < 0.001 + slack
    if numbers and made.recipe.sound is not None:
        assert len(video.audio_offsets) >= made.recipe.seconds - 2


@pytest.mark.parametrize(
    "name", soak_but(sorted(VARIANTS.keys() - _NOT_SILENT), every_time=_EVERY_TIME)
)
def test_ffmpeg_reads_a_variant_without_a_warning(name: str) -> None:
    assert_decodes_silently(variant(name).data)


@pytest.mark.parametrize("name", soak_but(VARIANTS, every_time=_EVERY_TIME))
def test_segments_follow_each_other_in_wall_time(name: str) -> None:
    made = variant(name)
    for before, after in pairwise(made.segments):
        assert before.start + before.duration == after.start
    unit = made.recipe.name_unit
    for segment in made.segments:
        if segment.numbers:
            exact = segment.numbers[0] / made.frame_rate * SECOND
            assert abs(segment.start - exact) <= unit / 2
            assert segment.start % unit == 0


def test_a_stored_variant_has_names_that_say_what_is_in_the_files(tmp_path: Path) -> None:
    made = variant("ntsc-60")
    stored = store_variant(tmp_path, "demo", "source", made, start=NOON, holes=[1])
    assert [one.segment.start - NOON for one in stored] == [0, 4_004_000, 6_006_000]
    for one in stored:
        probed = probe(one.path)
        assert len(probed.video_pts) == len(one.numbers)
        assert probed.rate == made.frame_rate


def _idr(units: tuple[AccessUnit, ...]) -> list[int]:
    return [index for index, unit in enumerate(units) if unit.is_idr]


def _whole(name: str) -> Transport:
    return read_transport(variant(name).data)


def test_groups_of_pictures_are_as_long_and_as_open_as_named() -> None:
    assert _idr(_whole("gop-1").units) == [*range(0, 480, 60)]
    assert _idr(_whole("gop-4-across").units) == [0, 240]
    assert _idr(_whole("gop-10-across").units) == [0, 600]
    assert _idr(_whole("open-gop").units) == [0]
    assert len(_idr(_whole("open-gop-some-idr").units)) == 3
    # A recovery point: an SEI message (type 6) before slices that are no IDR.
    begins = _segment_units(variant("open-gop"), 1)
    assert 6 in begins[0].nal_types
    assert begins[0].pts > min(unit.pts for unit in begins)


def test_hevc_with_open_groups_begins_them_with_cra_and_leading_pictures() -> None:
    units = _segment_units(variant("hevc-open-gop"), 1)
    assert 21 in units[0].nal_types
    assert {8, 9} & {kind for unit in units for kind in unit.nal_types}


def test_segments_need_not_begin_with_a_key_frame() -> None:
    made = variant("gop-4-across")
    begins = [_segment_units(made, index)[0].is_idr for index in range(4)]
    assert begins == [True, False, True, False]


def test_parameter_sets_stand_where_named() -> None:
    assert [7 in unit.nal_types for unit in _whole("headers-once").units].index(True) == 0
    assert sum(7 in unit.nal_types for unit in _whole("headers-once").units) == 1
    assert sum(7 in unit.nal_types for unit in _whole("plain").units) == 4


def test_b_frames_are_as_named() -> None:
    def depth(name: str) -> int:
        units = _whole(name).units
        return max(round((unit.pts - unit.dts) / 1500) for unit in units)

    reordered = [depth(name) for name in ("no-b-frames", "flat-b-frames", "pyramid")]
    assert reordered[0] == 0
    assert reordered[1] < reordered[2]


def test_stamps_wrap_and_jump_where_named() -> None:
    stamps = [unit.dts for unit in _segment_units(variant("wrap"), 2)]
    assert max(stamps) > 2**33 - 90_000
    assert min(stamps) < 90_000
    made = variant("jump")
    gap = _segment_units(made, 2)[0].pts - _segment_units(made, 1)[0].pts
    assert gap == 180_000 + 1_000 * 90_000 + 777


def test_sound_begins_before_or_after_the_picture_as_named() -> None:
    for name, ticks in (("sound-early", -2880), ("sound-late", 2880), ("sound-44-early", -2880)):
        transport = _whole(name)
        first = min(unit.pts for unit in transport.units)
        assert abs(transport.sound[0].pts - first - ticks) <= 1


def test_other_streams_pids_and_clocks_are_laid_out_as_named() -> None:
    assert {packet.pid for packet in _whole("timed-id3").packets} >= {0x102, 0x1FFF, 17}
    assert {p.pid for p in _whole("clock-apart").packets if p.pcr is not None} == {0x1FE}
    programs = [table.program for table in _whole("swapped-pids").tables if table.program]
    assert dict(programs[0].types) == {0x100: 0x1B, 0x101: 0x0F}
    assert dict(programs[-1].types) == {0x101: 0x1B, 0x100: 0x0F}
    assert len(_whole("tables-once").tables) == 2
    assert len(_whole("tables-at-start").tables) == 8


def test_aac_frames_lie_across_pes_packets_where_named() -> None:
    audio = [pes for pes in _whole("straddling").pes if pes.kind == 0x0F]
    assert sum(pes.data[:1] != b"\xff" for pes in audio) > len(audio) / 2
