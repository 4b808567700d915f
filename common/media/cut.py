"""Cuts: one video out of ranges of a recording.

    plan = plan_cut(store, request)       # everything that can be refused is refused here
    for chunk in stream_cut(plan, encoders=pool): ...    # or: cut_to_file(plan, path, ...)

| type     | does                                                                              |
| rough    | whole segments, concatenated untouched: covers the ranges                         |
| fast     | first and last segment of each range encoded anew, those between untouched (but   |
|          | encoded up to where a decoder can begin, where segments do not begin so)          |
| smart    | only partial GOPs at the ends encoded anew, all between copied bit for bit: exactly|
|          | the frames of the ranges, in one continuous stream                                |
| smart-mp4| the same as MP4                                                                   |
| mpegts   | everything decoded and encoded: exactly the frames of the ranges, evenly timed    |
| mp4      | the same as MP4: in fragments when streamed, with its index in front as a file    |
| webm     | the same as WebM (VP9 and Opus), whose times are whole milliseconds               |
| custom   | the same, encoded by the program ffmpeg with arguments of one's own; a file only  |
| archive  | a folder with whole segments, untouched: a Matroska file for each stretch         |
"""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from common.errors import MediaError
from common.files import sync
from common.media.encoders import EncoderPool
from common.media.external import PIPE_FORMAT
from common.media.job import ArchiveJob, OverlapPieces, Pieces, RenderJob
from common.media.plan import Clip, CutPlan, Part
from common.media.reel import pieces_of
from common.media.remux import mp4_of, write_mp4
from common.media.request import CutType
from common.media.smart.mux import Packed
from common.media.smart.stream import stream_smart
from common.media.untouched import PIPE_BYTES, SOCKET_BYTES, read_stretch

# Files of these are written by the encoding process, which goes back to their beginning at the end.
_SEEKING = {CutType.MP4, CutType.WEBM, CutType.CUSTOM}

OnProgress = Callable[[int, int], None]
"""Called with the frames done and the frames to do."""


def stream_cut(
    plan: CutPlan, *, encoders: EncoderPool, on_progress: OnProgress | None = None
) -> Generator[Packed, None, None]:
    """Yield the video as it is made. Closing the generator ends all work for it.

    Raises MediaError if a segment cannot be read or decoded, or has gone since the plan was made.
    """
    for pieces in _stream(plan, encoders, on_progress, PIPE_BYTES):
        yield from pieces


def stream_pieces(
    plan: CutPlan, *, encoders: EncoderPool, on_progress: OnProgress | None = None
) -> Generator[Sequence[Packed], None, None]:
    """The same, but what is ready at the same time comes together: for whoever can send many pieces
    at once.
    """
    return _stream(plan, encoders, on_progress, SOCKET_BYTES)


def _stream(
    plan: CutPlan, encoders: EncoderPool, on_progress: OnProgress | None, chunk_bytes: int
) -> Generator[Sequence[Packed], None, None]:
    progress = _Progress(plan.frames_total, on_progress)
    if plan.request.type is CutType.SMART:
        yield from stream_smart(plan, encoders, progress.report)
    else:
        for chunk in _chunks(plan, encoders, progress, chunk_bytes):
            yield (chunk,)
    progress.finish()


def _chunks(
    plan: CutPlan, encoders: EncoderPool, progress: "_Progress", chunk_bytes: int
) -> Iterator[Packed]:
    """Cuts of all other types."""
    if plan.request.type in {CutType.ROUGH, CutType.FAST}:
        for part in plan.parts:
            if isinstance(part, Clip):
                yield from _clip_of_segments(plan, part, encoders, progress, chunk_bytes)
    elif plan.request.type is CutType.SMART_MP4:
        yield from mp4_of(_joined(plan, encoders, progress))
    else:
        yield from encoders.run(_full_job(plan), progress.report)


def _clip_of_segments(
    plan: CutPlan, clip: Clip, encoders: EncoderPool, progress: "_Progress", chunk_bytes: int
) -> Iterator[Packed]:
    """Of a rough cut all segments as they are, of a fast one those that are wanted whole."""
    rough = plan.request.type is CutType.ROUGH
    for as_it_is, run in groupby(clip.stretch, key=lambda planned: rough or planned.whole):
        stretch = tuple(run)
        if as_it_is:
            yield from read_stretch(stretch, chunk_bytes, progress.step_done)
        else:
            job = RenderJob(parts=(pieces_of(stretch),), container="mpegts", keep_time=True)
            yield from encoders.run(job, progress.report)
            progress.step_done(sum(planned.frames for planned in stretch))


def _joined(
    plan: CutPlan, encoders: EncoderPool, progress: "_Progress"
) -> Generator[bytes, None, None]:
    """A smart cut in few pieces."""
    for pieces in stream_smart(plan, encoders, progress.report):
        yield b"".join(pieces)


def cut_to_file(
    plan: CutPlan,
    path: Path,
    *,
    encoders: EncoderPool,
    on_progress: OnProgress | None = None,
    ffmpeg_args: tuple[str, ...] = (),
) -> None:
    """Write the video to `path`, flushed to disk. MP4 gets its index in front. Of an archive `path`
    becomes a folder.

    `ffmpeg_args` are for a custom cut; the ending of `path` is one of `common.media.external`.
    Raises what `stream_cut` raises, and OSError. A file that was begun stays: the caller owns it.
    """
    if plan.request.type is CutType.ARCHIVE:
        _archive(plan, path, encoders, _Progress(plan.frames_total, on_progress))
        return
    if plan.request.type is CutType.SMART_MP4:
        progress = _Progress(plan.frames_total, on_progress)
        write_mp4(_joined(plan, encoders, progress), path)
        progress.finish()
        sync(path)
        return
    if plan.request.type in _SEEKING:
        progress = _Progress(plan.frames_total, on_progress)
        for _ in encoders.run(_file_job(plan, path, ffmpeg_args), progress.report):
            raise MediaError("the encoder sent what it should have written")
        progress.finish()
        sync(path)
        return
    with path.open("wb") as file:
        for chunk in stream_cut(plan, encoders=encoders, on_progress=on_progress):
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _archive(plan: CutPlan, folder: Path, encoders: EncoderPool, progress: "_Progress") -> None:
    folder.mkdir()
    for number, part in enumerate(plan.parts, 1):
        if isinstance(part, Clip):
            pieces = pieces_of(part.stretch)
            job = ArchiveJob(pieces=pieces, folder=str(folder), prefix=f"{number:03d}_")
            for _ in encoders.run(job, progress.report):
                raise MediaError("the encoder sent what it should have written")
            progress.step_done(part.frames)
    progress.finish()
    for path in (*folder.iterdir(), folder):
        sync(path)


class _Progress:
    """Adds up the frames of several steps."""

    def __init__(self, total: int, on_progress: OnProgress | None) -> None:
        self._total = total
        self._on_progress = on_progress
        self._before = 0

    def report(self, frames: int) -> None:
        """`frames` of the current step are done."""
        if self._on_progress is not None:
            self._on_progress(min(self._before + frames, self._total), self._total)

    def step_done(self, frames: int) -> None:
        self._before += frames
        self.report(0)

    def finish(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._total, self._total)


def _full_job(plan: CutPlan) -> RenderJob:
    return RenderJob(
        parts=tuple(_job_part(part) for part in plan.parts), container=plan.request.type.value
    )


def _file_job(plan: CutPlan, path: Path, ffmpeg_args: tuple[str, ...]) -> RenderJob:
    job = replace(_full_job(plan), output_path=str(path))
    if plan.request.type is CutType.CUSTOM:
        return replace(job, container=PIPE_FORMAT, ffmpeg_args=ffmpeg_args)
    return job


def _job_part(part: Part) -> Pieces | OverlapPieces:
    if isinstance(part, Clip):
        return pieces_of(part.stretch)
    return part.pieces
