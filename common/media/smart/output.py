"""The output of a smart cut: places what the steps bring on one grid, and has it muxed."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np

from common.errors import MediaError
from common.media.encode import TS_FIRST_PTS
from common.media.smart.adts import AudioConfig
from common.media.smart.batch import Batch
from common.media.smart.blended import FadeJob
from common.media.smart.convert import SoundConverter
from common.media.smart.mux import Packed
from common.media.smart.muxer import CopiedUnits, EncodedUnit, Muxer, with_sets
from common.media.smart.packets import Ints
from common.media.smart.sections import Section, encode_job, first_segment
from common.media.smart.segment import SourceSegment
from common.media.smart.silence import silent_frame
from common.media.smart.sound import SoundTrack, SourceSound
from common.media.smart.tasks import EncodeTask, Tasks
from common.media.smart.walk import Blend, Copy, Encode, Source, Step, Visit, walk_apart
from common.media.timeline import CLOCK_HZ, Grid, Placement
from common.threads import in_thread

logger = logging.getLogger(__name__)

_SEND_UNITS = 8
"""Encoded units that are sent together."""


class Output:
    """Everything that is one for the whole output: the grid, the sound's slots, the muxer."""

    def __init__(self, reorder: int, tasks: Tasks) -> None:
        self._reorder = reorder
        self._tasks = tasks
        self._grid: Grid | None = None
        self._track: SoundTrack | None = None
        self._muxer: Muxer | None = None
        self._video_type = 0
        self._places: WeakKeyDictionary[Visit, Placement | None] = WeakKeyDictionary()
        self._origin: tuple[int, int] | None = None
        """A source time stamp and its time in the output, in the current run."""
        self._converter: SoundConverter | None = None
        self._early: list[SourceSound] = []
        """Sound from before the run's first frame."""
        self._decoded = 0
        """The next slot that a unit is decoded for."""
        self._last_dts = -1
        self._misfit = False  # what was to be copied last was encoded instead
        self._told = False  # of segments without an IDR picture; once is enough
        self.frames = 0

    def begin(self, section: Section) -> None:
        """What comes now is another range, if the section begins one."""
        if section.begins:
            self._end_run()
            if self._grid is not None:
                self._grid.begin_range()

    def send(self, step: Step, task: EncodeTask | None) -> Iterator[list[Packed]]:
        """Make one step. Raises MediaError."""
        if isinstance(step, Encode):
            yield from self._send_encoded(step, task)
            return
        if isinstance(step, Blend):
            yield from self._send_blended(step, task)
            return
        muxer = self._enter(step.visit)
        if isinstance(step, Copy):
            yield from self._send_copy(step, muxer)
        elif not self._video_type:
            yield muxer.sound_only()

    def end(self) -> list[Packed]:
        """What is left at the end."""
        self._end_run()
        if self._muxer is None:
            raise MediaError("there is no frame in the ranges")
        return self._muxer.rest() if self._video_type else self._muxer.sound_only()

    # A segment's place in the output

    def _enter(self, visit: Visit) -> Muxer:
        """Place the segment's frames and sound, the first time that it is met."""
        segment = visit.segment
        muxer = self._muxer or self._begin(segment)
        if visit in self._places:
            return muxer
        if segment.tables.video_type != self._video_type:
            raise MediaError(f"{visit.piece.label}: the video's codec changes in {_name(visit)}")
        grid = self._grid or Grid(segment.rate)
        self._grid = grid
        shown = segment.shown
        if not (len(shown) and grid.continues(int(shown[0]))):
            self._end_run()
        self._follow_rate(grid, segment)
        placement = grid.place(shown, visit.wanted_stamps)
        self._places[visit] = placement
        if placement is not None:
            self._origin = (placement.origin_pts, TS_FIRST_PTS + placement.origin_ticks)
        self._listen(segment.sound, muxer)
        return muxer

    def _begin(self, segment: SourceSegment) -> Muxer:
        self._video_type = segment.tables.video_type
        self._muxer = Muxer(self._video_type, has_audio=bool(segment.tables.audio_type))
        return self._muxer

    def _follow_rate(self, grid: Grid, segment: SourceSegment) -> None:
        """A source may change its rate; a jitter of single frames is none."""
        shown = segment.shown
        if len(shown) < 3:
            return
        mean = Fraction(int(shown[-1] - shown[0]), len(shown) - 1)
        allowed = Fraction(1, 100)
        # The mean is quick, and mostly enough; missing frames change it but not the rate.
        if (
            abs(mean * grid.rate / CLOCK_HZ - 1) > allowed
            and abs(segment.rate / grid.rate - 1) > allowed
        ):
            grid.change_rate(segment.rate)

    def _listen(self, sound: SourceSound | None, muxer: Muxer) -> None:
        if sound is not None:
            self._early.append(sound)
        if self._origin is None:
            return
        early, self._early = self._early, []
        for heard in early:
            track = self._track or self._new_track(heard.config)
            fitting = self._fitting(heard, track.config)
            if fitting is not None:
                track.add(fitting, *self._origin)
        if self._track is not None:
            muxer.audio(self._track.take(self._reached()))

    def _new_track(self, config: AudioConfig) -> SoundTrack:
        self._track = SoundTrack(
            config, silent_frame(config), first=TS_FIRST_PTS, alone=not self._video_type
        )
        return self._track

    def _fitting(self, sound: SourceSound, config: AudioConfig) -> SourceSound | None:
        """The sound in the output's configuration."""
        if sound.config == config:
            self._converter = None
            return sound
        if self._converter is None:
            logger.warning("sound is encoded: it changes to %s in the middle", sound.config)
            self._tasks.count_fallback("sound")
            self._converter = SoundConverter(config)
        return in_thread(self._converter.convert, sound)

    def _end_run(self) -> None:
        """Fill the sound's slots up to the last frame; what comes next has a time of its own."""
        if self._track is not None and self._origin is not None and self._muxer is not None:
            self._muxer.audio(self._track.take(self._reached(), final=True))
            self._track.begin_run()
        self._origin = None
        self._early = []
        self._converter = None

    def _reached(self) -> int:
        """The end of the last frame."""
        return TS_FIRST_PTS + (self._grid.time_of(self._grid.next_slot) if self._grid else 0)

    # Units

    def _send_copy(self, step: Copy, muxer: Muxer) -> Iterator[list[Packed]]:
        segment, batch, decoded = step.visit.segment, step.visit.batch, self._decoded
        slots, pts = self._slots(step.visit, segment.pts[step.first : step.last])
        dts = self._dts(slots) if slots is not None else None
        if dts is None or (dts > pts).any() or (self._misfit and not _stands_alone(step)):
            if batch is not None:
                self._decoded = decoded
                yield from self._send_apart(step, batch, muxer)
                return
            logger.warning("%s is encoded: it does not fit as it is", _name(step.visit))
            self._tasks.count_fallback("misfit")
            self._misfit = True
            yield from self._send_encoded(_instead(step), None)
            return
        self._misfit = False
        self._last_dts = int(dts[-1])
        self.frames += len(pts)
        yield _copied(muxer, step, pts, dts)

    def _send_apart(self, step: Copy, batch: Batch, muxer: Muxer) -> Iterator[list[Packed]]:
        """Not all segments of a batch fit: each is looked at by itself."""
        for single in walk_apart(step, batch):
            if isinstance(single, Copy):
                self._places[single.visit] = self._places[step.visit]
                yield from self._send_copy(single, muxer)

    def _slots(self, visit: Visit, stamps: Ints) -> tuple[Ints | None, Ints]:
        """The slots and output times of frames; None instead of slots if one has none."""
        placement = self._places[visit]
        if placement is None or not len(placement.kept):
            return None, stamps
        index = np.minimum(np.searchsorted(placement.kept, stamps), len(placement.kept) - 1)
        slots = placement.numbers[index] if (placement.kept[index] == stamps).all() else None
        return slots, TS_FIRST_PTS + placement.ticks[index]

    def _dts(self, slots: Ints) -> Ints | None:
        """When to decode units that are shown in these slots, in the order of decoding.

        The n-th is decoded when the n-th slot is shown, `reorder` slots earlier. A hole in the
        slots is jumped over where it is certain that nothing is still to be shown before it.
        """
        if self._grid is None:
            return None
        count = np.arange(len(slots))
        dense = self._decoded + count
        shown_from = np.minimum.accumulate(slots[::-1])[::-1]
        if int((shown_from - dense).max()) > self._reorder or int(shown_from[0]) > self._decoded:
            dense = count + np.maximum.accumulate(np.maximum(shown_from - count, self._decoded))
        self._decoded = int(dense[-1]) + 1
        return self._increasing(TS_FIRST_PTS + self._grid.time_of(dense - self._reorder))

    def _increasing(self, dts: Ints) -> Ints:
        count = np.arange(len(dts))
        raised: Ints = count + np.maximum.accumulate(np.maximum(dts - count, self._last_dts + 1))
        return raised

    def _send_encoded(self, step: Encode, task: EncodeTask | None) -> Iterator[list[Packed]]:
        for source in step.sources:
            if source.visit is not None:
                self._enter(source.visit)
        if task is not None:
            self._tell_of_long(step)
        kept = self._kept(step)
        if task is None or kept.frames < step.frames:
            if task is not None:
                task.kill()
                self._tasks.finished(task)
            task = self._tasks.start(encode_job(kept, self._reorder))
        slots = np.concatenate(
            [
                self._slots(source.visit, source.visit.segment.pts[list(source.wanted)])[0]
                for source in kept.sources
                if source.visit is not None
            ]
        )
        yield from self._packed(slots, task)
        self._tasks.finished(task)

    def _tell_of_long(self, step: Encode) -> None:
        """Whole segments are encoded where there is no IDR picture to copy from."""
        whole = [
            source.visit
            for source in step.sources
            if source.visit is not None
            and len(source.wanted) == len(source.visit.segment)
            and not source.visit.piece.optional
        ]
        damaged = [visit for visit in whole if visit.segment.damaged]
        for visit in damaged:
            logger.warning("%s is encoded: packets of it are missing", _name(visit))
            self._tasks.count_fallback("damaged")
            whole.remove(visit)
        if whole and not self._told:
            self._told = True
            logger.warning("%s is encoded whole: it has no IDR picture", _name(whole[0]))
        for _ in whole:
            self._tasks.count_fallback("no_idr")

    def _send_blended(self, step: Blend, task: EncodeTask | None) -> Iterator[list[Packed]]:
        """A transition. Its sound is encoded only now that it is known in which slots it falls."""
        segment = first_segment(step)
        muxer = self._muxer or self._begin(segment)
        self._grid = grid = self._grid or Grid(segment.rate)
        start = self._reached()
        slots = grid.next_slot + np.arange(step.overlap.frames)
        grid.skip(step.overlap.frames)
        track = self._track or (self._new_track(segment.sound.config) if segment.sound else None)
        if track is not None:
            offset, count = track.missing_until(start, self._reached())
            job = FadeJob(
                overlap=step.overlap.pieces, config=track.config, offset=offset, count=count
            )
            muxer.audio(track.put(self._tasks.run(job)))
        if task is not None:
            yield from self._packed(slots, task)
            self._tasks.finished(task)
        else:
            yield muxer.sound_only()

    def _kept(self, step: Encode) -> Encode:
        """The step without frames whose slot is taken."""
        sources = []
        for source in step.sources:
            placement = self._places[source.visit] if source.visit is not None else None
            if placement is not None and source.visit is not None:
                stamps = source.visit.segment.pts[list(source.wanted)]
                free = np.isin(stamps, placement.kept)
                wanted = tuple(np.array(source.wanted)[free].tolist())
                sources.append(replace(source, wanted=wanted))
            else:
                sources.append(source)
        return Encode(sources=sources, sets=step.sets)

    def _packed(self, slots: Ints, task: EncodeTask) -> Iterator[list[Packed]]:
        if self._grid is None or self._muxer is None:
            raise RuntimeError("nothing was entered")
        pts = TS_FIRST_PTS + self._grid.time_of(slots)
        dts = self._increasing(TS_FIRST_PTS + self._grid.time_of(slots - self._reorder))
        waiting: list[EncodedUnit] = []
        for count, unit in enumerate(task):
            stamp = int(pts[unit.number])
            waiting.append(EncodedUnit(unit.data, stamp, min(int(dts[count]), stamp), unit.key))
            if len(waiting) == _SEND_UNITS or count == 0:
                yield self._muxer.encoded(waiting)
                self.frames += len(waiting)
                waiting = []
        if waiting:
            yield self._muxer.encoded(waiting)
            self.frames += len(waiting)
        self._last_dts = int(dts[-1])
        self._decoded = int(slots[-1]) + 1


def _copied(muxer: Muxer, step: Copy, pts: Ints, dts: Ints) -> list[Packed]:
    segment = step.visit.segment
    if segment.packets is not None:
        copied = CopiedUnits(segment.packets, step.first, step.last)
        return muxer.copy(copied, pts, dts, sets=step.sets)
    kind = segment.tables.video_type
    bodies = list(segment.loose[step.first : step.last])
    bodies[0] = with_sets(bodies[0], step.sets, kind) if step.sets else bodies[0]
    idrs = set(segment.idr_units)
    units = [
        EncodedUnit(body, int(pts[index]), int(dts[index]), step.first + index in idrs)
        for index, body in enumerate(bodies)
    ]
    return muxer.encoded(units)


def _stands_alone(step: Copy) -> bool:
    """Whether the copy refers to nothing before it, neither pictures nor parameter sets.

    Behind the beginning of a segment copies begin with IDR pictures only.
    """
    segment = step.visit.segment
    begins_anew = step.first > 0 or segment.begins_anew
    return begins_anew and bool(step.sets or segment.sets_of(step.first))


def _instead(step: Copy) -> Encode:
    """The same frames, encoded."""
    visit = step.visit
    units = np.arange(step.first, step.last)
    wanted = tuple(units[np.argsort(visit.segment.pts[units])].tolist())
    here = Source(
        path=visit.piece.path, first=step.first, last=step.last, wanted=wanted, visit=visit
    )
    context = () if visit.segment.is_idr(step.first) else step.context
    return Encode(sources=[*context, here])


def _name(visit: Visit) -> str:
    return Path(visit.piece.path).name
