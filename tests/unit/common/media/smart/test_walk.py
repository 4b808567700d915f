"""What becomes of a clip's access units, told with made-up segments.

Pictures are written in the order of decoding: `I` is an IDR picture, `P` refers to what is before,
`b` too and is shown before the picture in front of it.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.media.job import Piece
from common.media.smart.packets import H264, Tables
from common.media.smart.segment import SourceSegment
from common.media.smart.walk import Copy, Encode, Listen, Step, Visit, copyable, follows, walk
from common.media.timeline import CLOCK_HZ

STEP = 1500
_FIRST_BYTES = {"I": 0x65, "P": 0x41, "b": 0x01}


def shown_order(pictures: str) -> list[int]:
    """For each picture its place in order of display."""
    order = list(range(len(pictures)))
    for index, kind in enumerate(pictures):
        if kind == "b":
            order[index - 1], order[index] = order[index], order[index - 1]
    return order


def segment(pictures: str, first: int = 0, *, sets: bool = True) -> SourceSegment:
    """`first` counts the frames before it."""
    parameters = b"\0\0\1\x67\x01\0\0\1\x68\x02" if sets else b""
    pts = np.array([(first + place) * STEP for place in shown_order(pictures)], np.int64)
    return SourceSegment(
        tables=Tables(0x100, 0, H264, 0),
        pts=pts,
        dts=pts,
        packets=None,
        loose=tuple(
            (parameters if kind == "I" else b"") + b"\0\0\1" + bytes((_FIRST_BYTES[kind], 0x80))
            for kind in pictures
        ),
        sound=None,
    )


def visit(
    name: str, pictures: str, first: int, wanted: Iterable[int], *, continues: bool = True
) -> Visit:
    """`wanted` are places in order of display, from the segment's own first on."""
    chosen = set(wanted)
    piece = Piece(path=name, start=0, from_time=0, to_time=0, optional=name.endswith("?"))
    return Visit(
        piece=piece,
        segment=segment(pictures, first),
        wanted=np.array([place in chosen for place in shown_order(pictures)], np.bool_),
        continues=continues,
    )


def clip(*parts: tuple[str, Iterable[int]], damaged: Sequence[int] = ()) -> list[Visit]:
    """Segments that follow each other; their names are 0, 1, ..."""
    visits, first = [], 0
    for index, (pictures, wanted) in enumerate(parts):
        name = f"{index}{'?' if index in damaged else ''}"
        visits.append(visit(name, pictures, first, wanted, continues=index > 0))
        first += len(pictures)
    return visits


def told(steps: Iterable[Step]) -> list[str]:
    return [_one(step) for step in steps]


def _one(step: Step) -> str:
    if isinstance(step, Copy):
        return f"copy {step.visit.piece.path}[{step.first}:{step.last}]"
    if isinstance(step, Encode):
        sources = (
            f"{source.path}[{source.first}:{source.last}]"
            f" {','.join(map(str, source.wanted)) or '-'}"
            for source in step.sources
        )
        return f"encode {'; '.join(sources)}"
    assert isinstance(step, Listen)
    return f"listen {step.visit.piece.path}"


ALL = range(100)


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        pytest.param([("IPPP", ALL)], ["copy 0[0:4]"], id="whole"),
        pytest.param(
            [("IPPP", ALL), ("IPPP", ALL)], ["copy 0[0:4]", "copy 1[0:4]"], id="two whole ones"
        ),
        pytest.param([("IPPP", [2, 3])], ["encode 0[0:4] 2,3"], id="the end of a GOP"),
        pytest.param([("IPPP", [0, 1])], ["copy 0[0:2]"], id="the beginning of a GOP"),
        pytest.param([("IPPP", [1])], ["encode 0[0:2] 1"], id="a frame in the middle"),
        pytest.param(
            # Decoded: I0 P2 b1 P4 b3; the range ends between b1 and P2.
            [("IPbPb", [0, 1])],
            ["copy 0[0:1]", "encode 0[0:3] 2"],
            id="what is decoded later is shown earlier",
        ),
        pytest.param([("IPbPb", [0, 1, 2])], ["copy 0[0:3]"], id="an end that needs no encoding"),
        pytest.param(
            [("IPPIPP", range(1, 100))],
            ["encode 0[0:3] 1,2", "copy 0[3:6]"],
            id="an IDR picture in the middle",
        ),
        pytest.param(
            [("IPPP", [3]), ("IPPP", ALL), ("IPPP", [0])],
            ["encode 0[0:4] 3", "copy 1[0:4]", "copy 2[0:1]"],
            id="both ends are partial",
        ),
        pytest.param(
            [("IPP", [2]), ("PPP", ALL), ("IPP", ALL)],
            ["encode 0[0:3] 2; 1[0:3] 0,1,2", "copy 2[0:3]"],
            id="a GOP that reaches into the next segment",
        ),
        pytest.param(
            [("IPP", []), ("PPP", [1, 2]), ("IPP", ALL)],
            ["listen 0", "encode 0[0:3] -; 1[0:3] 1,2", "copy 2[0:3]"],
            id="what is decoded for it lies before the range",
        ),
        pytest.param(
            [("IPP", ALL), ("PPP", ALL), ("PPP", [0])],
            ["copy 0[0:3]", "copy 1[0:3]", "copy 2[0:1]"],
            id="a GOP of several segments from its beginning on",
        ),
        pytest.param(
            [("PPP", ALL), ("PPP", ALL)],
            ["encode 0[0:3] 0,1,2; 1[0:3] 0,1,2"],
            id="never an IDR picture",
        ),
        pytest.param([("IPP", []), ("IPP", ALL)], ["listen 0", "copy 1[0:3]"], id="context"),
    ],
)
def test_units_are_copied_or_encoded(
    parts: list[tuple[str, Iterable[int]]], wanted: list[str]
) -> None:
    assert told(walk(clip(*parts))) == wanted


def test_a_damaged_segment_is_decoded_and_the_next_gop_copied() -> None:
    steps = walk(clip(("IPP", ALL), ("IPP", ALL), ("IPP", ALL), damaged=[1]))
    assert told(steps) == ["copy 0[0:3]", "encode 1?[0:3] 0,1,2", "copy 2[0:3]"]


def test_what_does_not_follow_in_time_needs_a_beginning_of_its_own() -> None:
    before = visit("0", "IPP", 0, ALL)
    after = visit("1", "PPP", 99, ALL, continues=False)
    assert told(walk([before, after])) == ["copy 0[0:3]", "encode 1[0:3] 0,1,2"]


def test_a_long_encode_comes_in_pieces() -> None:
    steps = list(walk(clip(*[("PPP", ALL)] * 20)))
    assert all(isinstance(step, Encode) for step in steps)
    assert len(steps) > 2
    frames = [
        (source.path, unit)
        for step in steps
        if isinstance(step, Encode)
        for source in step.sources
        for unit in source.wanted
    ]
    assert frames == [(str(index), unit) for index in range(20) for unit in range(3)]


def test_a_copy_gets_the_parameter_sets_that_it_lacks() -> None:
    bare = visit("1", "IPP", 3, ALL)
    bare.segment = segment("IPP", 3, sets=False)
    whole, lacking = walk([visit("0", "IPP", 0, ALL), bare])
    assert isinstance(whole, Copy)
    assert isinstance(lacking, Copy)
    # While nothing was encoded between, the source's own are still in force.
    assert whole.sets == b""


@pytest.mark.parametrize(
    ("late", "goes_on"),
    [(0, True), (STEP // 2, True), (-STEP // 2, True), (STEP // 2 + 1, False), (CLOCK_HZ, False)],
)
def test_time_goes_on_to_within_half_a_frame(late: int, goes_on: bool) -> None:
    before, after = segment("IPP", 0), segment("IPP", 3)
    moved = SourceSegment(
        tables=after.tables,
        pts=after.pts + late,
        dts=after.dts,
        packets=None,
        loose=after.loose,
        sound=None,
    )
    assert follows(moved, before) is goes_on


GOPS = st.lists(st.sampled_from(["IPPP", "IPbP", "IPbPb", "I", "IPPPbPPb"]), min_size=1, max_size=4)


@given(segments=st.lists(GOPS, min_size=1, max_size=5), data=st.data())
def test_every_wanted_frame_comes_once_and_in_order(
    segments: list[list[str]], data: st.DataObject
) -> None:
    pictures = ["".join(gops) for gops in segments]
    total = sum(map(len, pictures))
    begin = data.draw(st.integers(0, total - 1))
    end = data.draw(st.integers(begin + 1, total))
    parts, first = [], 0
    for one in pictures:
        parts.append((one, range(begin - first, end - first)))
        first += len(one)
    stamps: list[int] = []
    for step in walk(clip(*parts)):
        if isinstance(step, Copy):
            stamps += sorted(step.visit.segment.pts[step.first : step.last].tolist())
        elif isinstance(step, Encode):
            for source in step.sources:
                if source.visit is not None:
                    stamps += source.visit.segment.pts[list(source.wanted)].tolist()
    assert stamps == [frame * STEP for frame in range(begin, end)]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=12, unique_by=lambda x: x[0])
)
def test_what_can_be_copied_is_all_that_can(units: list[tuple[int, bool]]) -> None:
    pts = np.array([stamp for stamp, _ in units], np.int64)
    wanted = np.array([chosen for _, chosen in units], np.bool_)

    def fits(count: int) -> bool:
        rest = pts[count:][wanted[count:]]
        return bool(wanted[:count].all()) and all(
            stamp < later for stamp in pts[:count] for later in rest
        )

    assert copyable(wanted, pts) == max(count for count in range(len(units) + 1) if fits(count))
