"""Frame-coded streams in all the ways that sources differ, as lists of segments.

    made = variant("b-frames")
    stored = store_variant(base_dir, "demo", "source", made, start=NOON)

`VARIANTS` says what there is. Each is encoded once per machine, and read again from there.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import demo.origin.code
import demo.origin.encoder
import tests.support.elementary
import tests.support.ts_mux
from common.times import SECOND, Micros
from tests.support.elementary import (
    Coding,
    Sound,
    encode_pictures,
    encode_sound,
    without_parameter_sets,
)
from tests.support.media import StoredSegment, made_once, store_bytes
from tests.support.ts_mux import (
    CLOCK_HZ,
    HEVC_TYPE,
    STAMP_WRAP,
    Adts,
    Layout,
    Multiplexer,
    Tables,
    Unit,
)

T = TypeVar("T")

FIRST_PTS = 126_000
NTSC_30 = Fraction(30_000, 1001)
NTSC_60 = Fraction(60_000, 1001)

_GOP_2 = Coding(gop=120)
_NTSC = Coding(frame_rate=NTSC_60, gop=120)
_HEVC = Coding(frame_rate=Fraction(30), codec="libx265", gop=60)
_STEREO = Sound()
_LIKE_FFMPEG = Layout()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is different from segment `at` on; None stays as it was."""

    at: int
    coding: Coding | None = None
    layout: Layout | None = None
    sound: Sound | None = None
    jump_ticks: int = 0
    """Added to all time stamps, as by an encoder that was restarted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a variant is made. Frame n is shown at n / frame rate seconds."""

    coding: Coding | None = _GOP_2
    sound: Sound | None = _STEREO
    layout: Layout = _LIKE_FFMPEG
    seconds: int = 8
    segment_seconds: Fraction = Fraction(2)
    at_keyframes: bool = True
    """Segments begin with a key frame; else between any two frames that are shown in this order."""
    first_pts: int = FIRST_PTS
    missing: range = range(0)
    """Numbers of frames that the source has dropped."""
    jitter_ticks: int = 0
    """Each PTS is off the grid by up to this much, either way."""
    headers_once: bool = False
    """Parameter sets stand before the very first picture only."""
    name_unit: Micros = 1
    """Segments' names are rounded to this."""
    changes: tuple[Change, ...] = ()

    @property
    def frame_rate(self) -> Fraction:
        return Fraction(60) if self.coding is None else self.coding.frame_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantSegment:
    """A segment. `start` counts from frame 0 of the stream, in microseconds.

    `numbers` are those of its frames in the order of display.
    """

    data: bytes
    start: Micros
    duration: Micros
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A stream as it was recorded, in segments that follow each other."""

    name: str
    recipe: Recipe
    segments: tuple[VariantSegment, ...]

    @property
    def frame_rate(self) -> Fraction:
        return self.recipe.frame_rate

    @property
    def data(self) -> bytes:
        return b"".join(segment.data for segment in self.segments)


_CODINGS = {
    "plain": Recipe(),
    "no-b-frames": Recipe(coding=Coding(gop=120, b_frames=0)),
    "flat-b-frames": Recipe(coding=Coding(gop=120, pyramid=False)),
    "pyramid": Recipe(coding=Coding(gop=120, b_frames=3)),
    "fps-25": Recipe(coding=Coding(frame_rate=Fraction(25), gop=50)),
    "fps-30": Recipe(coding=Coding(frame_rate=Fraction(30), gop=60)),
    "fps-50": Recipe(coding=Coding(frame_rate=Fraction(50), gop=100)),
    "ntsc-30": Recipe(coding=Coding(frame_rate=NTSC_30, gop=60, b_frames=3)),
    "ntsc-60": Recipe(coding=Coding(frame_rate=NTSC_60, gop=120), name_unit=1000),
    "720p": Recipe(coding=Coding(width=1280, height=720, gop=120, b_frames=3), seconds=4),
    "1080p": Recipe(
        coding=Coding(frame_rate=Fraction(30), width=1920, height=1080, gop=60), seconds=4
    ),
    "slices": Recipe(coding=Coding(gop=120, slices=4)),
    "filler": Recipe(coding=Coding(gop=120, kilobits=3000)),
    "no-delimiters": Recipe(coding=Coding(gop=120, delimiters=False)),
    "headers-once": Recipe(headers_once=True),
    "hevc": Recipe(coding=_HEVC, layout=Layout(video_type=HEVC_TYPE)),
    "hevc-open-gop": Recipe(
        coding=replace(_HEVC, gop=60, open_gop=True), layout=Layout(video_type=HEVC_TYPE)
    ),
}

_GROUPS = {
    "gop-1": Recipe(coding=Coding(gop=60)),
    "gop-4": Recipe(coding=Coding(gop=240), seconds=12),
    "gop-4-across": Recipe(coding=Coding(gop=240), at_keyframes=False),
    "gop-10-across": Recipe(coding=Coding(gop=600), seconds=14, at_keyframes=False),
    "gop-1-beside": Recipe(
        coding=Coding(gop=60), segment_seconds=Fraction(3, 2), at_keyframes=False
    ),
    "open-gop": Recipe(coding=Coding(gop=120, b_frames=3, open_gop=True)),
    "open-gop-some-idr": Recipe(
        coding=Coding(gop=60, b_frames=2, open_gop=True, idr_every=240), seconds=12
    ),
    "open-gop-across": Recipe(
        coding=Coding(gop=90, b_frames=3, open_gop=True, idr_every=270),
        seconds=10,
        at_keyframes=False,
    ),
}

_SOUNDS = {
    "mono": Recipe(sound=Sound(channels=1)),
    "sound-44": Recipe(sound=Sound(rate=44_100)),
    "mono-44": Recipe(coding=_NTSC, sound=Sound(rate=44_100, channels=1)),
    "sound-early": Recipe(sound=Sound(offset_seconds=Fraction(-32, 1000))),
    "sound-late": Recipe(sound=Sound(offset_seconds=Fraction(32, 1000))),
    "sound-44-early": Recipe(sound=Sound(rate=44_100, offset_seconds=Fraction(-32, 1000))),
    "sound-44-late": Recipe(
        coding=_NTSC, sound=Sound(rate=44_100, offset_seconds=Fraction(3, 100))
    ),
    "no-sound": Recipe(sound=None),
    "only-sound": Recipe(coding=None),
    "only-sound-44": Recipe(coding=None, sound=Sound(rate=44_100)),
    "one-aac-frame": Recipe(layout=Layout(frames_per_pes=1)),
    "straddling": Recipe(layout=Layout(straddle=True)),
}

_LAYOUTS = {
    "counters": Recipe(layout=Layout(restart_counters=True)),
    "other-pids": Recipe(
        changes=(Change(at=2, layout=Layout(pmt_pid=0x20, video_pid=0x31, audio_pid=0x30)),)
    ),
    "swapped-pids": Recipe(
        changes=(Change(at=2, layout=Layout(video_pid=0x101, audio_pid=0x100)),)
    ),
    "timed-id3": Recipe(layout=Layout(data_pid=0x102, nulls=True, frames_per_pes=1)),
    "clock-apart": Recipe(layout=Layout(pcr_pid=0x1FE, service_table=False)),
    "tables-at-start": Recipe(layout=Layout(tables=Tables.AT_START)),
    "tables-once": Recipe(layout=Layout(tables=Tables.ONCE)),
    "worst": Recipe(
        coding=Coding(frame_rate=NTSC_60, gop=120, b_frames=3, slices=2),
        sound=Sound(rate=44_100, offset_seconds=Fraction(-32, 1000)),
        layout=Layout(straddle=True, data_pid=0x99, nulls=True, restart_counters=True),
        first_pts=STAMP_WRAP - 5 * CLOCK_HZ,
        name_unit=1000,
    ),
}

_TIMES = {
    "wrap": Recipe(first_pts=STAMP_WRAP - 5 * CLOCK_HZ),
    "wrap-between": Recipe(first_pts=STAMP_WRAP - 4 * CLOCK_HZ),
    "jump": Recipe(changes=(Change(at=2, jump_ticks=1_000 * CLOCK_HZ + 777),)),
    "jump-back": Recipe(
        first_pts=500 * CLOCK_HZ, changes=(Change(at=2, jump_ticks=-400 * CLOCK_HZ - 333),)
    ),
    "jitter": Recipe(jitter_ticks=300),
    "jitter-ntsc": Recipe(coding=_NTSC, jitter_ticks=350, name_unit=1000),
    "dropped-frames": Recipe(missing=range(170, 173)),
}

_CHANGES = {
    "size-change": Recipe(changes=(Change(at=2, coding=Coding(width=480, height=270, gop=120)),)),
    "profile-change": Recipe(
        changes=(Change(at=2, coding=Coding(profile="baseline", b_frames=0, gop=120)),)
    ),
    "restart": Recipe(
        changes=(Change(at=1, jump_ticks=-90_000), Change(at=3, coding=_GOP_2, jump_ticks=12_345))
    ),
    "rate-change-sound": Recipe(changes=(Change(at=2, sound=Sound(rate=44_100)),)),
    "mono-change": Recipe(changes=(Change(at=2, sound=Sound(channels=1)),)),
}

VARIANTS: dict[str, Recipe] = _CODINGS | _GROUPS | _SOUNDS | _LAYOUTS | _TIMES | _CHANGES
"""Small pictures at 60 frames per second with 2 B-frames, segments of 2 s that begin with an IDR,
48 kHz stereo, PIDs and tables as ffmpeg has them, unless their name says otherwise.

`tables-once` cannot be read from its second segment on by itself; segments of the kinds `-across`
and `-beside` cannot all be decoded by themselves.
"""


@lru_cache
def variant(name: str) -> Variant:
    """The variant of that name, encoded now if this machine does not have it yet."""
    recipe = VARIANTS[name]
    modules = (
        demo.origin.code,
        demo.origin.encoder,
        tests.support.elementary,
        tests.support.ts_mux,
    )
    folder = made_once(f"variant-{name}", recipe, modules, lambda folder: _make(recipe, folder))
    return Variant(name=name, recipe=recipe, segments=tuple(_load(folder)))


def store_variant(
    base_dir: Path,
    channel: str,
    quality: str,
    made: Variant,
    *,
    start: Micros,
    holes: Sequence[int] = (),
) -> list[StoredSegment]:
    """Write the segments as a downloader would have; frame 0 is at `start`.

    Segments whose index is in `holes` are left out.
    """
    stored = []
    for index, segment in enumerate(made.segments):
        if index in holes:
            continue
        folder = base_dir / channel / quality
        path, named = store_bytes(folder, segment.data, start + segment.start, segment.duration)
        stored.append(StoredSegment(path=path, segment=named, numbers=segment.numbers))
    return stored


def _make(recipe: Recipe, folder: Path) -> None:
    index = []
    for number, segment in enumerate(make_segments(recipe)):
        name = f"{number:06d}.ts"
        (folder / name).write_bytes(segment.data)
        index.append([name, segment.start, segment.duration, segment.numbers])
    (folder / "index.json").write_text(json.dumps(index))


def _load(folder: Path) -> Iterator[VariantSegment]:
    for name, start, duration, numbers in json.loads((folder / "index.json").read_text()):
        yield VariantSegment(
            data=(folder / name).read_bytes(),
            start=start,
            duration=duration,
            numbers=tuple(numbers),
        )


@dataclass(frozen=True, slots=True)
class _Piece:
    """The content of a segment, with times from frame 0 on."""

    units: list[Unit]
    sound: list[Adts]
    start_seconds: Fraction


def make_segments(recipe: Recipe) -> list[VariantSegment]:
    """Encode the segments of `recipe`."""
    pieces = _pieces(recipe)
    stops = [piece.start_seconds for piece in pieces[1:]] + [_end_seconds(recipe, pieces[-1])]
    starts = [_micros(piece.start_seconds, recipe.name_unit) for piece in pieces]
    ends = [_micros(stop, recipe.name_unit) for stop in stops]
    multiplexer = Multiplexer()
    made = []
    for index, piece in enumerate(pieces):
        layout = _at(recipe, index, lambda change: change.layout) or recipe.layout
        shift = recipe.first_pts + sum(c.jump_ticks for c in recipe.changes if c.at <= index)
        units, sound = _shifted(recipe, piece, shift)
        made.append(
            VariantSegment(
                data=multiplexer.segment(layout, units, sound),
                start=starts[index],
                duration=ends[index] - starts[index],
                numbers=tuple(sorted(unit.number for unit in units)),
            )
        )
    return made


def _pieces(recipe: Recipe) -> list[_Piece]:
    if recipe.coding is None:
        count = round(recipe.seconds / recipe.segment_seconds)
        starts = [index * recipe.segment_seconds for index in range(count)]
        sounds = _sounds(recipe, starts)
        return [_Piece([], sound, sound[0].pts / CLOCK_HZ) for sound in sounds]
    groups = _video_segments(recipe)
    starts = [min(unit.number for unit in group) / recipe.frame_rate for group in groups]
    sounds = _sounds(recipe, starts)
    return [_Piece(*piece) for piece in zip(groups, sounds, starts, strict=True)]


def _video_segments(recipe: Recipe) -> list[list[Unit]]:
    """The pictures of each segment; a change of the coding begins with pictures of its own."""
    size = round(recipe.segment_seconds * recipe.frame_rate)
    total = round(recipe.seconds * recipe.frame_rate)
    changes = [(c.at, c.coding) for c in recipe.changes if c.coding is not None]
    codings = [(0, recipe.coding or Coding()), *changes]
    stops = [at * size for at, _ in codings[1:]] + [total]
    groups: list[list[Unit]] = []
    for (at, coding), stop in zip(codings, stops, strict=True):
        numbers = [n for n in range(at * size, stop) if n not in recipe.missing]
        units = encode_pictures(coding, numbers)
        if recipe.headers_once:
            units = units[:1] + [_without_headers(unit, coding) for unit in units[1:]]
        groups += _split(recipe, units, size)
    return groups


def _without_headers(unit: Unit, coding: Coding) -> Unit:
    return replace(unit, data=without_parameter_sets(unit.data, coding.codec))


def _split(recipe: Recipe, units: list[Unit], size: int) -> Iterator[list[Unit]]:
    """Cut at the first possible unit at or after each `size` frames."""
    begin, due = 0, units[0].number + size
    for index in range(1, len(units)):
        unit = units[index]
        if unit.number < due or (recipe.at_keyframes and not unit.random_access):
            continue
        if not recipe.at_keyframes and not _clean(units, index):
            continue
        yield units[begin:index]
        begin, due = index, due + size
    yield units[begin:]


def _clean(units: list[Unit], index: int) -> bool:
    """Whether everything before is shown before everything after."""
    return max(u.number for u in units[:index]) < min(u.number for u in units[index:])


def _sounds(recipe: Recipe, starts: list[Fraction]) -> list[list[Adts]]:
    """The AAC frames of each segment: those that begin before the next one does, both counted from
    the sound's own beginning.
    """
    if recipe.sound is None:
        return [[] for _ in starts]
    stops = [*starts[1:], Fraction(recipe.seconds)]
    begin = Fraction(-1)
    given = []
    for index, stop in enumerate(stops):
        sound = _at(recipe, index, lambda change: change.sound) or recipe.sound
        end = stop + (sound.offset_seconds if stop is not stops[-1] else 0)
        frames = _encoded(sound, Fraction(recipe.seconds))
        given.append([frame for frame in frames if begin <= frame.pts / CLOCK_HZ < end])
        begin = end
    return given


@lru_cache(maxsize=4)
def _encoded(sound: Sound, seconds: Fraction) -> list[Adts]:
    return encode_sound(sound, seconds)


def _at(recipe: Recipe, index: int, get: Callable[[Change], T | None]) -> T | None:
    """The last change of that kind up to segment `index`."""
    found = [get(change) for change in recipe.changes if change.at <= index]
    return next((value for value in reversed(found) if value is not None), None)


def _shifted(recipe: Recipe, piece: _Piece, shift: int) -> tuple[list[Unit], list[Adts]]:
    """With the stamps that the segment shall have."""
    # Decoding is early enough for every jitter.
    early = 2 * recipe.jitter_ticks
    units = [
        replace(
            unit,
            pts=unit.pts + shift + _jitter(unit.number, recipe.jitter_ticks),
            dts=unit.dts + shift - early,
        )
        for unit in piece.units
    ]
    return units, [replace(frame, pts=frame.pts + shift) for frame in piece.sound]


def _jitter(number: int, most: int) -> int:
    """Something between -most and most that looks random."""
    return number * 7919 % (2 * most + 1) - most


def _end_seconds(recipe: Recipe, last: _Piece) -> Fraction:
    if last.units:
        return (max(unit.number for unit in last.units) + 1) / recipe.frame_rate
    return Fraction(recipe.seconds)


def _micros(seconds: Fraction, unit: Micros) -> Micros:
    return round(seconds * SECOND / unit) * unit
