"""Which source frame is heard in which slot of the output."""

from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.media.smart.adts import SAMPLES, AudioConfig, adts_header
from common.media.smart.muxer import AudioFrames
from common.media.smart.sound import SoundTrack, SourceSound

CLOCK_HZ, WRAP = 90_000, 1 << 33
FIRST = 126_000
SILENCE = b"silence"
TOLERANCE = 135
"""Time stamps in whole milliseconds must not move a frame by a slot: 1.5 ms."""


def config(rate: int = 48_000) -> AudioConfig:
    return AudioConfig(profile=1, rate=rate, channels=2)


def sound(rate: int, count: int, pts: int, label: int = 0, every: int = 4) -> SourceSound:
    """Frames whose content tells them apart, with a time stamp for each `every` of them."""
    bodies = [f"{label}/{index}".encode() for index in range(count)]
    frames = [adts_header(config(rate), len(body)) + body for body in bodies]
    step = Fraction(SAMPLES * CLOCK_HZ, rate)
    return SourceSound(
        config=config(rate),
        data=b"".join(frames),
        starts=[0, *accumulate(map(len, frames))],
        pts=[(index, round(pts + index * step) % WRAP) for index in range(0, count, every)],
    )


def track(rate: int = 48_000) -> SoundTrack:
    return SoundTrack(config(rate), SILENCE, first=FIRST)


def heard(groups: list[AudioFrames]) -> list[str]:
    """Labels of frames, `silence` for each that is none."""
    found = []
    for group in groups:
        rest = group.data
        while rest:
            if rest.startswith(SILENCE):
                size, text = len(SILENCE), "silence"
            else:
                size = (rest[3] & 3) << 11 | rest[4] << 3 | rest[5] >> 5
                text = rest[7:size].decode()
            found.append(text)
            rest = rest[size:]
    return found


def test_frames_that_stand_on_the_slots_are_taken_one_after_the_other() -> None:
    made = track()
    made.add(sound(48_000, 50, 5000), 5000, FIRST)
    groups = made.take(FIRST + 40 * 1920, final=True)
    assert heard(groups) == [f"0/{n}" for n in range(40)]
    assert groups[0].pts == FIRST
    assert made.filled == 0


@pytest.mark.parametrize(
    ("late", "first"), [(0, 0), (900, 0), (959, 0), (-900, 0), (-970, 1), (-1900, 1), (-2890, 2)]
)
def test_the_first_slot_gets_the_nearest_frame(late: int, first: int) -> None:
    made = track()
    made.add(sound(48_000, 20, 5000), 5000, FIRST + late)
    assert heard(made.take(FIRST + 5 * 1920, final=True))[0] == f"0/{first}"


def test_frames_are_waited_for_until_no_more_can_come() -> None:
    made = track()
    made.add(sound(48_000, 10, 5000), 5000, FIRST)
    assert len(heard(made.take(FIRST + 30 * 1920))) == 10
    assert heard(made.take(FIRST + 12 * 1920, final=True)) == ["silence", "silence"]
    assert made.filled == 2


def test_a_gap_is_silent_and_what_follows_is_in_time() -> None:
    made = track()
    made.add(sound(48_000, 10, 0), 0, FIRST)
    made.add(sound(48_000, 10, 13 * 1920, label=1), 0, FIRST)
    wanted = [f"0/{n}" for n in range(10)] + ["silence"] * 3 + [f"1/{n}" for n in range(10)]
    assert heard(made.take(FIRST + 23 * 1920, final=True)) == wanted


def test_time_stamps_go_on_over_their_wrap() -> None:
    made = track()
    made.add(sound(48_000, 10, WRAP - 5 * 1920), WRAP - 5 * 1920, FIRST)
    made.add(sound(48_000, 10, 5 * 1920, label=1), WRAP - 5 * 1920, FIRST)
    assert heard(made.take(FIRST + 20 * 1920, final=True)) == [
        f"{label}/{n}" for label in (0, 1) for n in range(10)
    ]


def test_frames_before_the_first_stamp_are_reckoned_back() -> None:
    source = sound(48_000, 6, 50_000)
    later = SourceSound(source.config, source.data, source.starts, [(4, 50_000)])
    assert later.times().tolist() == [50_000 + (n - 4) * 1920 for n in range(6)]


RATES = st.sampled_from([48_000, 44_100, 32_000])
RUNS = st.lists(
    st.tuples(st.integers(5, 60), st.integers(0, WRAP - 1), st.integers(-2880, 2880)),
    min_size=1,
    max_size=12,
)


@given(rate=RATES, runs=RUNS)
def test_no_frame_is_further_from_its_picture_than_half_a_frame(
    rate: int, runs: list[tuple[int, int, int]]
) -> None:
    """Each run's sound begins up to 32 ms before or after its picture."""
    step = Fraction(SAMPLES * CLOCK_HZ, rate)
    made = track(rate)
    groups: list[AudioFrames] = []
    wanted: dict[str, Fraction] = {}
    picture = FIRST
    for run, (count, pts, early) in enumerate(runs):
        made.begin_run()
        # From before the picture until behind it, as context lends it.
        begin = pts + early - 2880
        source = sound(rate, count + 8, begin % WRAP, run)
        made.add(source, pts, picture)
        for index in range(count + 8):
            wanted[f"{run}/{index}"] = picture + early - 2880 + index * step
        picture += round(count * step)
        groups += made.take(picture, final=True)
    labels = heard(groups)
    assert len(labels) == round((picture - FIRST) / step)
    for slot, label in enumerate(labels):
        off = abs(wanted[label] - (FIRST + slot * step))
        assert off <= step / 2 + TOLERANCE + 2
    assert len(labels) == len(set(labels))
    at = 0
    for group in groups:
        assert abs(group.pts - (FIRST + at * step)) < 1
        at += len(heard([group]))
