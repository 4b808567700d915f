"""The arithmetic of transitions against a slow reference that writes every frame down."""

import math
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import BadParameter
from common.media.parts import Position, arrange, positions, split, transition_frames

RANGES = st.lists(st.integers(1, 12), min_size=1, max_size=6)


@st.composite
def cuts(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Lengths of ranges and transitions, most of which fit."""
    lengths = draw(RANGES)
    overlaps = [draw(st.integers(0, 5)) for _ in lengths[1:]]
    return lengths, overlaps


def slow_output(lengths: list[int], overlaps: list[int]) -> list[list[tuple[int, int]]] | None:
    """For each frame of the output those (range, frame) that it shows; None if it cannot be."""
    output: list[list[tuple[int, int]]] = []
    for index, length in enumerate(lengths):
        overlap = overlaps[index - 1] if index else 0
        for frame in range(length):
            if frame >= overlap:
                output.append([(index, frame)])
                continue
            slot = len(output) - overlap + frame
            if slot < 0 or len(output[slot]) > 1 or output[slot][0][0] != index - 1:
                return None
        if overlap > length:
            return None
        for frame in range(overlap):
            slot = len(output) - max(length - overlap, 0) - overlap + frame
            output[slot].append((index, frame))
            if len(output[slot]) > 2:
                return None
    return output


def shown(lengths: list[int], overlaps: list[int]) -> list[list[tuple[int, int]]]:
    output: list[list[tuple[int, int]]] = []
    for part in arrange(lengths, overlaps):
        assert part.start == len(output)
        for frame in range(part.length):
            sources = [(part.index, part.first + frame)]
            if part.overlap:
                sources.append((part.index + 1, frame))
            output.append(sources)
        assert part.end == len(output)
    return output


@given(cuts())
def test_every_frame_is_shown_once_and_both_sides_of_a_transition_together(
    cut: tuple[list[int], list[int]],
) -> None:
    expected = slow_output(*cut)
    if expected is None:
        with pytest.raises(BadParameter, match="range"):
            arrange(*cut)
    else:
        assert shown(*cut) == expected


@given(cuts())
def test_a_ranges_position_is_where_its_frames_are_shown(
    cut: tuple[list[int], list[int]],
) -> None:
    output = slow_output(*cut)
    if output is None:
        return
    for index, (start, end) in enumerate(positions(*cut)):
        slots = [slot for slot, sources in enumerate(output) if index in dict(sources)]
        assert (start, end) == (slots[0], slots[-1] + 1)


@pytest.mark.parametrize(
    ("lengths", "overlaps", "text"),
    [
        ([5, 9], [6], "after range 1 is longer"),
        ([9, 5], [6], "before range 2 is longer"),
        ([9, 5, 9], [3, 3], "before and after range 2 overlap"),
    ],
)
def test_a_transition_that_does_not_fit_names_the_range(
    lengths: list[int], overlaps: list[int], text: str
) -> None:
    with pytest.raises(BadParameter, match=text):
        arrange(lengths, overlaps)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.integers(0, 12), st.integers(0, 12))
def test_the_edges_of_transitions_are_found_among_the_segments(
    counts: list[int], head: int, tail: int
) -> None:
    frames = [
        Position(segment, frame) for segment, count in enumerate(counts) for frame in range(count)
    ]

    def find() -> tuple[Position, Position]:
        return split(len(counts), counts.__getitem__, index=2, head=head, tail=tail)

    if head + tail > len(frames):
        with pytest.raises(BadParameter, match="range 3"):
            find()
        return
    after_head, before_tail = find()
    assert [frame for frame in frames if frame < after_head] == frames[:head]
    assert [frame for frame in frames if frame >= before_tail] == frames[len(frames) - tail :]


def test_only_the_segments_that_a_transition_touches_are_counted() -> None:
    asked: list[int] = []

    def frames_of(segment: int) -> int:
        asked.append(segment)
        return 120

    assert split(1000, frames_of, index=0, head=121, tail=120) == (
        Position(1, 1),
        Position(999, 0),
    )
    assert set(asked) == {0, 1, 999}


@pytest.mark.parametrize(
    ("seconds", "rate", "frames"),
    [
        (1.0, Fraction(60), 60),
        (1.0, Fraction(60_000, 1001), 60),
        (0.5, Fraction(30), 15),
        (0.001, Fraction(25), 1),
        (math.ulp(0.0), Fraction(25), 1),
        (1000.0, Fraction(60_000, 1001), 59_940),
    ],
)
def test_a_transition_lasts_whole_frames_and_at_least_one(
    seconds: float, rate: Fraction, frames: int
) -> None:
    assert transition_frames(seconds, rate) == frames


def test_many_ranges_cost_no_more_than_they_are() -> None:
    count = 1000
    parts = arrange([10] * count, [2] * (count - 1))
    assert parts[-1].end == 10 * count - 2 * (count - 1)
    assert all(before.end == after.start for before, after in pairwise(parts))
