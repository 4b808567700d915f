"""One call holds an output against everything that an exact cut promises."""

from dataclasses import replace
from fractions import Fraction

import pytest

from common.times import SECOND, TimeRange
from tests.support.exactness import Limits, assert_exact
from tests.support.quality import numbers_of
from tests.support.reference import Recording, Source, record
from tests.support.segments import NOON
from tests.support.ts_surgery import Parts, put_together, shift_sound, take_apart
from tests.support.variants import variant

RATE = Fraction(60)
WHOLE = [TimeRange(NOON, NOON + 8 * SECOND)]


@pytest.fixture(scope="module")
def recording() -> Recording:
    return record(
        [
            Source(start=NOON + one.start, duration=one.duration, data=one.data)
            for one in variant("plain").segments
        ]
    )


@pytest.fixture
def parts() -> Parts:
    return take_apart(variant("plain").data)


def test_a_cut_that_copies_everything_is_exact(recording: Recording, parts: Parts) -> None:
    compared = assert_exact(put_together(parts), recording, WHOLE, frame_rate=RATE)
    assert numbers_of(compared, copied=True) == [*range(480)]


def test_another_range_is_refused(recording: Recording, parts: Parts) -> None:
    later = [TimeRange(NOON + SECOND // 30, NOON + 8 * SECOND)]
    with pytest.raises(AssertionError, match=r"480 frames instead of 478; the first .* at 0"):
        assert_exact(put_together(parts), recording, later, frame_rate=RATE)


def test_frames_missing_at_the_end_are_refused(recording: Recording) -> None:
    parts = take_apart(b"".join(one.data for one in variant("plain").segments[:3]))
    with pytest.raises(AssertionError, match=r"360 frames instead of 480; the first .* at 360"):
        assert_exact(put_together(parts), recording, WHOLE, frame_rate=RATE)


def test_a_lost_frame_that_left_its_slot_empty_is_refused(
    recording: Recording, parts: Parts
) -> None:
    del parts.units[-1]
    with pytest.raises(AssertionError, match=r"no slot is empty|479 frames instead of 480"):
        assert_exact(put_together(parts), recording, WHOLE, frame_rate=RATE)


def test_a_source_with_fewer_frames_may_leave_slots_empty() -> None:
    made = variant("dropped-frames")
    recording = record(
        [Source(start=NOON + s.start, duration=s.duration, data=s.data) for s in made.segments]
    )
    compared = assert_exact(made.data, recording, WHOLE, frame_rate=RATE)
    assert len(compared) == 477


@pytest.mark.parametrize("milliseconds", [12, -12])
def test_sound_more_than_half_a_frame_off_is_refused(
    recording: Recording, parts: Parts, milliseconds: int
) -> None:
    shift_sound(parts, Fraction(90 * milliseconds))
    with pytest.raises(AssertionError, match="from its picture"):
        assert_exact(put_together(parts), recording, WHOLE, frame_rate=RATE)


def test_sound_half_a_frame_off_is_accepted(recording: Recording, parts: Parts) -> None:
    shift_sound(parts, Fraction(90 * 10))
    assert_exact(put_together(parts), recording, WHOLE, frame_rate=RATE)


def test_sound_that_does_not_last_is_refused(recording: Recording, parts: Parts) -> None:
    del parts.sound[-3:]
    with pytest.raises(AssertionError, match=r"the sound begins .* and ends"):
        assert_exact(put_together(parts), recording, WHOLE, frame_rate=RATE)


def test_pictures_without_delimiters_are_accepted_only_where_allowed() -> None:
    made = variant("no-delimiters")
    recording = record(
        [Source(start=NOON + s.start, duration=s.duration, data=s.data) for s in made.segments]
    )
    with pytest.raises(AssertionError, match="begins with its delimiter"):
        assert_exact(made.data, recording, WHOLE, frame_rate=RATE)
    assert_exact(made.data, recording, WHOLE, frame_rate=RATE, limits=Limits(delimiters=False))


def test_a_damaged_copy_is_refused(recording: Recording, parts: Parts) -> None:
    unit = parts.units[60]
    parts.units[60] = replace(unit, data=unit.data[: len(unit.data) // 2])
    with pytest.raises(AssertionError):
        assert_exact(put_together(parts), recording, WHOLE, frame_rate=RATE)
