"""Planning cuts of real segments: which frames the parts of the output hold."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from common.errors import BadParameter, HolesNotAllowed, MediaError
from common.media.plan import Clip, CutPlan, Overlap, plan_cut
from common.media.probe import probe
from common.media.reel import Stretch
from common.media.request import CutRequest, CutType, Transition
from common.media.timeline import frames_in_range
from common.segments.path import SegmentType
from common.segments.store import SegmentStore
from common.times import SECOND, TimeRange, parse_time
from tests.support.media import StoredSegment, fill_store, recorded_set

START = parse_time("2026-07-01T11:59:50")
FADE = Transition(type="fade", seconds=1)


def span(first_seconds: float, last_seconds: float) -> TimeRange:
    return TimeRange(START + round(first_seconds * SECOND), START + round(last_seconds * SECOND))


def request(
    *ranges: TimeRange, transitions: Sequence[Transition | None] | None = None
) -> CutRequest:
    return CutRequest(
        channel="demo",
        quality="source",
        ranges=ranges,
        transitions=tuple(transitions or [None] * (len(ranges) - 1)),
        type=CutType.MPEGTS,
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[SegmentStore, list[StoredSegment]]:
    """40 s with a hole from 20 to 22 s, and a partial segment from 30 to 32 s."""
    base_dir = tmp_path_factory.mktemp("store")
    written = fill_store(
        base_dir,
        "demo",
        "source",
        recorded_set(),
        start=START,
        holes=[10],
        types={15: SegmentType.PARTIAL},
    )
    return SegmentStore(base_dir), written


@pytest.fixture
def store(stored: tuple[SegmentStore, list[StoredSegment]]) -> SegmentStore:
    return stored[0]


class Numbers:
    """Tells which frames a stretch wants, by the numbers that they carry."""

    def __init__(self, written: list[StoredSegment]) -> None:
        self._first = {str(entry.path): entry.numbers[0] for entry in written}

    def __call__(self, stretch: Stretch) -> list[int]:
        found: list[int] = []
        for planned in stretch:
            piece = planned.piece
            if piece.context:
                continue
            wanted = frames_in_range(
                piece.start,
                probe(Path(piece.path)).offsets,
                TimeRange(piece.from_time, piece.to_time),
            )
            assert len(wanted) == planned.frames
            found += [self._first[piece.path] + index for index in wanted]
        return found

    def of_plan(self, plan: CutPlan) -> list[list[int] | tuple[list[int], list[int]]]:
        return [
            self(part.stretch) if isinstance(part, Clip) else (self(part.before), self(part.after))
            for part in plan.parts
        ]


@pytest.fixture
def numbers(stored: tuple[SegmentStore, list[StoredSegment]]) -> Numbers:
    return Numbers(stored[1])


def frames(first: int, last: int) -> list[int]:
    return list(range(first, last))


def test_without_transitions_each_range_is_a_clip(store: SegmentStore, numbers: Numbers) -> None:
    plan = plan_cut(store, request(span(0.5, 3), span(1, 1.5)))
    assert numbers.of_plan(plan) == [frames(30, 180), frames(60, 90)]
    assert [part.index for part in plan.parts] == [0, 1]
    assert plan.frames_total == 180


@pytest.mark.parametrize("seconds", [1 / 60, 0.5, 1, 2, 2.5])
def test_a_transition_takes_the_last_frames_and_the_first_of_the_next(
    store: SegmentStore, numbers: Numbers, seconds: float
) -> None:
    count = round(seconds * 60)
    transition = Transition(type="wipeleft", seconds=seconds)
    plan = plan_cut(store, request(span(1, 7.1), span(8.3, 13), transitions=[transition]))
    assert numbers.of_plan(plan) == [
        frames(60, 426 - count),
        (frames(426 - count, 426), frames(498, 498 + count)),
        frames(498 + count, 780),
    ]
    overlap = plan.parts[1]
    assert isinstance(overlap, Overlap)
    assert (overlap.type, overlap.frames) == ("wipeleft", count)
    assert plan.frames_total == 366 + 282 - count


def test_transitions_at_both_ends_may_use_a_range_up(store: SegmentStore, numbers: Numbers) -> None:
    plan = plan_cut(store, request(span(0, 4), span(6, 8), span(10, 14), transitions=[FADE, FADE]))
    assert numbers.of_plan(plan) == [
        frames(0, 180),
        (frames(180, 240), frames(360, 420)),
        (frames(420, 480), frames(600, 660)),
        frames(660, 840),
    ]


def test_an_edge_on_a_segments_border_leaves_no_piece_without_frames(
    store: SegmentStore, numbers: Numbers
) -> None:
    two = Transition(type="fade", seconds=2)
    plan = plan_cut(store, request(span(0, 4), span(6, 10), transitions=[two]))
    assert numbers.of_plan(plan) == [
        frames(0, 120),
        (frames(120, 240), frames(360, 480)),
        frames(480, 600),
    ]
    clip = plan.parts[0]
    assert isinstance(clip, Clip)
    assert [planned.whole for planned in clip.stretch if not planned.piece.context] == [True]


@pytest.mark.parametrize(
    ("ranges", "transitions", "text"),
    [
        ([span(0, 0.5), span(6, 8)], [FADE], "after range 1 is longer"),
        ([span(0, 2), span(6, 6.9)], [FADE], "before range 2 is longer"),
        ([span(0, 2), span(6, 7.5), span(8, 10)], [FADE, FADE], "range 2 overlap"),
        ([span(0, 2), span(6, 8)], [Transition(type="no", seconds=1)], "none named 'no'"),
        ([span(0, 2), span(6, 8)], [Transition(type="fade", seconds=float("nan"))], "nan"),
    ],
)
def test_a_transition_that_cannot_be_is_refused(
    store: SegmentStore, ranges: list[TimeRange], transitions: list[Transition], text: str
) -> None:
    with pytest.raises(BadParameter, match=f"transition: .*{text}"):
        plan_cut(store, request(*ranges, transitions=transitions))


@pytest.mark.parametrize("kind", [CutType.ROUGH, CutType.FAST])
def test_cuts_of_whole_segments_have_no_transitions(store: SegmentStore, kind: CutType) -> None:
    wanted = replace(request(span(0, 2), span(6, 8), transitions=[FADE]), type=kind)
    with pytest.raises(BadParameter, match=f"a {kind.value} cut has hard cuts only"):
        plan_cut(store, wanted)


@pytest.mark.parametrize(
    ("ranges", "label"),
    [
        ([span(15, 21), span(0, 4)], "range 1"),
        ([span(0, 4), span(21, 25)], "range 2"),
        ([span(15, 22.5), span(0, 4)], "range 1"),
        ([span(0, 4), span(19.5, 25)], "range 2"),
        ([span(28, 32), span(0, 4)], "range 1"),
        ([span(0, 4), span(31.5, 36)], "range 2"),
    ],
)
def test_a_transition_meets_no_hole_even_if_holes_are_allowed(
    store: SegmentStore, ranges: list[TimeRange], label: str
) -> None:
    wanted = replace(request(*ranges, transitions=[FADE]), allow_holes=True)
    with pytest.raises(HolesNotAllowed, match=f"^{label} .*meets a hole"):
        plan_cut(store, wanted)


def test_a_hole_elsewhere_in_the_range_only_divides_it(
    store: SegmentStore, numbers: Numbers
) -> None:
    wanted = replace(request(span(18, 24), span(0, 2), transitions=[FADE]), allow_holes=True)
    plan = plan_cut(store, wanted)
    assert numbers.of_plan(plan) == [
        frames(1080, 1200),
        frames(1320, 1380),
        (frames(1380, 1440), frames(0, 60)),
        frames(60, 120),
    ]


def test_only_segments_at_edges_and_in_transitions_are_read(tmp_path: Path) -> None:
    written = fill_store(tmp_path, "demo", "source", recorded_set(), start=START, count=16)
    for index in (1, 6, 7, 8):
        written[index].path.write_bytes(b"garbage")
    store = SegmentStore(tmp_path)
    ranges = span(0, 6), span(10, 20)
    assert plan_cut(store, request(*ranges, transitions=[FADE])).frames_total == 900
    two = Transition(type="fade", seconds=2.1)
    with pytest.raises(MediaError, match=r"^range 1 .* cannot be read"):
        plan_cut(store, request(*ranges, transitions=[two]))
