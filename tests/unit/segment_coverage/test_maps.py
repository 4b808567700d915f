"""Maps of random recordings on disk, compared with what was written, slot by slot."""

import io
import random
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from prometheus_client import CollectorRegistry

from common.segments.path import SegmentType, format_name
from common.segments.store import SegmentStore
from common.times import HOUR, SECOND, Micros, TimeRange, format_hour
from segment_coverage.colours import COLOURS, rgb
from segment_coverage.layout import LEFT, TOP, Scale, lay_out
from segment_coverage.pixels import NUMBERS, paint
from segment_coverage.quality import QualityCoverage
from segment_coverage.render import draw, png
from segment_coverage.states import State
from segment_coverage.summary import Others, Summary, summarise
from segment_coverage.window import Window
from tests.support.segments import NOON

SLOT: Micros = 2 * SECOND
SLOTS = 40
FIRST: Micros = NOON + HOUR - 19 * SLOT
"""So that the recording lies on both sides of a full hour."""

SINGLE = {
    "full": State.FULL,
    "suspect": State.SUSPECT,
    "partial": State.PARTIAL,
    "full twice": State.FULL,
    "suspect and full": State.FULL,
    "partial and suspect": State.SUSPECT,
    "hidden": State.TOMBSTONED,
    "one of two hidden": State.SUSPECT,
    "only a tombstone": State.TOMBSTONED,
    "nothing": State.MISSING,
    "empty": State.MISSING,
    "being written": State.MISSING,
}
"""What a slot holds, and how it shows."""

RECORDINGS = st.lists(st.sampled_from([*SINGLE, "full", "full"]), min_size=SLOTS, max_size=SLOTS)
KINDS = {kind.value: kind for kind in SegmentType}


class Writer:
    """Writes slots as a node with a clock that is a little off."""

    def __init__(self, base_dir: Path, seed: int) -> None:
        self._folder = base_dir / "demo" / "source"
        self._random = random.Random(seed)

    def slot(self, start: Micros, content: str) -> None:
        if content in KINDS:
            self._put(start, KINDS[content])
        elif content == "hidden":
            self._put(start, SegmentType.FULL, hide=True)
        elif content == "one of two hidden":
            self._put(start, SegmentType.FULL, hide=True)
            self._put(start, SegmentType.SUSPECT)
        elif content == "only a tombstone":
            self._put(start, SegmentType.FULL, hide=True).unlink()
        elif content == "empty":
            self._put(start, SegmentType.SUSPECT, duration=0)
        elif content == "being written":
            self._put(start, SegmentType.TEMP)
        elif content != "nothing":
            for kind in {"full twice": ["full", "full"]}.get(content, content.split(" and ")):
                self._put(start, KINDS[kind])

    def hide(self, span: TimeRange) -> None:
        path = self._folder / format_hour(span.start)
        path.mkdir(parents=True, exist_ok=True)
        within = format_name(span.start, span.duration, SegmentType.FULL, "x").split("-full")[0]
        (path / f"{within}-any.tombstone").touch()

    def _put(
        self, start: Micros, kind: SegmentType, *, duration: Micros = SLOT, hide: bool = False
    ) -> Path:
        start += self._random.randint(-2000, 2000)
        digest = f"{self._random.getrandbits(128):043d}"[:43]
        path = self._folder / format_hour(start) / format_name(start, duration, kind, digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        if hide:
            path.with_suffix(".tombstone").touch()
        return path


def coverage_of(base_dir: Path) -> QualityCoverage:
    store = SegmentStore(base_dir, registry=CollectorRegistry(), measured=False)
    found = QualityCoverage(
        store, "demo", "source", window=Window(), with_digests=False, is_stopped=lambda: False
    )
    found.read(NOON + 24 * HOUR)
    return found


def expected(contents: Sequence[str], there: Sequence[str], hidden: range) -> list[State]:
    found = []
    for slot, content in enumerate(contents):
        state = SINGLE[content]
        if slot in hidden:
            state = State.TOMBSTONED
        elif state is State.MISSING and SINGLE[there[slot]] not in {
            State.MISSING,
            State.TOMBSTONED,
        }:
            state = State.ELSEWHERE
        found.append(state)
    return found


def summary_of(folder: Path, contents: list[str], there: list[str], hidden: range) -> Summary:
    for name, slots in (("here", contents), ("there", there)):
        writer = Writer(folder / name, len(name))
        for slot, content in enumerate(slots):
            writer.slot(FIRST + slot * SLOT, content)
    if hidden:
        # From a little before: a slot's segment may begin early.
        start = FIRST + hidden.start * SLOT - 5000
        Writer(folder / "here", 0).hide(TimeRange(start, start + len(hidden) * SLOT))
    here, other = coverage_of(folder / "here"), coverage_of(folder / "there")
    runs = {hour: coverage.runs for hour, coverage in other.hours.items()}
    return summarise(
        TimeRange(FIRST, FIRST + SLOTS * SLOT),
        here.hours,
        ranges=here.hidden.ranges,
        others=[Others(name="there", runs=runs, answers=True)],
        cutoff=NOON + 24 * HOUR,
    )


@settings(max_examples=25, deadline=None)
@given(RECORDINGS, RECORDINGS, st.integers(0, SLOTS), st.integers(0, 5))
def test_each_pixel_shows_what_was_recorded_in_its_time(
    contents: list[str], there: list[str], hidden_from: int, hidden_count: int
) -> None:
    hidden = range(hidden_from, min(hidden_from + hidden_count, SLOTS))
    with tempfile.TemporaryDirectory() as folder:
        summary = summary_of(Path(folder), contents, there, hidden)
    states = expected(contents, there, hidden)
    numbers = [NUMBERS[state] for state in states]
    assert list(paint(summary.states, FIRST, SLOTS, SLOT)) == numbers
    # A pixel that begins in the middle of a slot shows the worse of two.
    worse = [max(pair) for pair in pairwise(numbers)]
    assert list(paint(summary.states, FIRST + SECOND, SLOTS - 1, SLOT)) == worse
    for state in State:
        assert abs(summary.total.states[state] - states.count(state) * SLOT) < SLOTS * 5000
    assert summary.is_complete == (set(states) == {State.FULL})
    total = sum(hour.states[state] for hour in summary.hours.values() for state in State)
    assert abs(total - SLOTS * SLOT) < SLOTS * 5000


def test_the_picture_has_the_colour_of_each_pixel(tmp_path: Path) -> None:
    contents = [*SINGLE] * 3 + ["full"] * (SLOTS - 3 * len(SINGLE))
    there = ["full", "nothing"] * (SLOTS // 2)
    summary = summary_of(tmp_path, contents, there, range(0))
    layout = replace(lay_out(summary.span, Scale(), 2), column_pixels=3)
    data = png(draw("demo / source", summary, layout))
    picture = np.asarray(Image.open(io.BytesIO(data)))
    assert picture.shape == (layout.height, layout.width, 3)
    for slot, state in enumerate(expected(contents, there, range(0))):
        column, within = divmod(FIRST + slot * SLOT - layout.start, layout.column)
        x, y = LEFT + column * 3, TOP + within // layout.pixel
        assert {tuple(map(int, pixel)) for pixel in picture[y, x : x + 3]} == {rgb(COLOURS[state])}
