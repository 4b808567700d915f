"""Decode segments and encode a video: what an encoding process does for a RenderJob.

Memory stays flat: one segment is in work at a time, in a transition one of each side.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import MediaError
from common.media.answers import Answers
from common.media.decode import Decoder, Placed, Timeline, read_timeline
from common.media.encode import TS_FIRST_PTS, Output, Samples, Sink
from common.media.external import External
from common.media.job import OverlapPieces, Pieces, RenderJob
from common.media.overlap import OverlapDecoder

_PROGRESS_FRAMES = 30


def handle(document: bytes, answers: Answers) -> None:
    """Run a RenderJob. Raises MediaError if something that it needs cannot be decoded."""
    job = RenderJob.from_json(document)
    with _target(job, answers) as target:
        Renderer(job, answers, target).run()


@contextmanager
def _target(job: RenderJob, answers: Answers) -> Iterator[str | Sink]:
    """Where the output goes: to the program ffmpeg, to a file, or to whoever waits for it."""
    if job.ffmpeg_args is None or job.output_path is None:
        yield job.output_path or answers
        return
    external = External(job.ffmpeg_args, job.output_path)
    try:
        yield external
        external.finish()
    finally:
        external.close()


class Renderer:
    """Runs one job."""

    def __init__(self, job: RenderJob, answers: Answers, target: str | Sink) -> None:
        self._job = job
        self._target = target
        self._answers = answers
        self._decoder = Decoder()
        self._output: Output | None = None
        self._waiting_sound: list[Samples] = []
        self._frames = 0

    def run(self) -> None:
        """Raises MediaError if something that the job needs cannot be decoded."""
        for part in self._job.parts:
            if isinstance(part, OverlapPieces):
                self._overlap(part)
            else:
                self._clip(part)
        if self._output is None:
            raise MediaError("there is no frame in the ranges")
        self._output.close()
        self._report_progress()

    def _clip(self, stretch: Pieces) -> None:
        for placed in self._decoder.decode(stretch):
            self._encode(placed, self._decoder.take_sound())

    def _overlap(self, overlap: OverlapPieces) -> None:
        if self._decoder.timeline is None:
            self._decoder.timeline = read_timeline(overlap.before)
        decoder = OverlapDecoder(self._decoder.timeline, overlap)
        for placed in decoder.decode():
            self._encode(placed, decoder.take_sound())

    def _encode(self, placed: list[Placed], sound: list[Samples]) -> None:
        timeline = self._decoder.timeline
        if timeline is None:
            return
        for slot, frame in placed:
            self._open_output(timeline, (frame.width, frame.height)).video(frame, slot)
            self._frames += 1
            if self._frames % _PROGRESS_FRAMES == 0:
                self._report_progress()
        self._waiting_sound += sound
        if self._output is None and timeline.has_video:
            return  # the picture's size is not known before the first frame is decoded
        waiting, self._waiting_sound = self._waiting_sound, []
        for samples in waiting:
            self._open_output(timeline, None).sound(samples)
        if not timeline.has_video:
            self._frames = timeline.grid.next_slot

    def _open_output(self, timeline: Timeline, size: tuple[int, int] | None) -> Output:
        if self._output is None:
            first_pts = TS_FIRST_PTS if self._job.container == "mpegts" else 0
            if self._job.keep_time and self._decoder.first_pts is not None:
                first_pts = self._decoder.first_pts
            self._output = Output(
                self._target,
                self._job.container,
                rate=timeline.grid.rate if timeline.has_video else None,
                size=size,
                sound_rate=timeline.sound.rate if timeline.sound else None,
                sound_layout=timeline.sound.layout if timeline.sound else None,
                first_pts=first_pts,
            )
        return self._output

    def _report_progress(self) -> None:
        self._answers.progress(self._frames)
