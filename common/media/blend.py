"""Shows two moments at once: the pictures and the sound of a transition.

Frames are taken in pairs and come out one by one, so a long transition takes no more memory than a
short one. Of n pairs, pair i (from 0) is shown at progress (i + 1) / (n + 1): neither the first nor
the last is one side alone, as the frames before and after the transition are.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import av.filter
import numpy as np

from common.media.encode import Samples
from common.media.transitions import OWN
from common.media.wipes import Picture, Wipe
from common.times import SECOND

_FORMAT = "yuv420p"


def blend(
    kind: str,
    before: "Iterable[av.VideoFrame]",
    after: "Iterable[av.VideoFrame]",
    *,
    frames: int,
    rate: Fraction,
) -> "Iterator[av.VideoFrame]":
    """Yield the `frames` pictures of transition `kind`; both sides have as many.

    They have the size of the first frame, made even; time stamps are the caller's to set. Raises
    ValueError if one side has more frames than the other.
    """
    mixer: _Mixer | None = None
    for number, (one, other) in enumerate(zip(before, after, strict=True), 1):
        if mixer is None:
            mixer = _mixer(kind, (one.width & ~1, one.height & ~1), frames, rate)
        yield mixer.mix(_fitted(one, mixer.size), _fitted(other, mixer.size), number)


def crossfade(before: Samples, after: Samples, *, position: int, total: int) -> Samples:
    """The sound of samples `position` and on of a transition that has `total`.

    Of equal power: the gains are the cosine and the sine of one angle, their squares add up to 1.
    """
    count = before.shape[1]
    angle = (np.arange(position, position + count) + 0.5) / total * (np.pi / 2)
    mixed: Samples = (before * np.cos(angle) + after * np.sin(angle)).astype(np.float32)
    return mixed


class CrossFade:
    """Mixes the sound of both sides as it comes; `total` samples in all."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._position = 0
        self._before: list[Samples] = []
        self._after: list[Samples] = []

    def mix(self, before: list[Samples], after: list[Samples]) -> list[Samples]:
        """Take what either side has more; returns what both have by now."""
        self._before += before
        self._after += after
        if not self._before or not self._after:
            return []
        one, other = (np.concatenate(side, axis=1) for side in (self._before, self._after))
        count = min(one.shape[1], other.shape[1])
        mixed = crossfade(
            one[:, :count], other[:, :count], position=self._position, total=self._total
        )
        self._position += count
        self._before, self._after = [one[:, count:]], [other[:, count:]]
        return [mixed]


def _fitted(frame: "av.VideoFrame", size: tuple[int, int]) -> "av.VideoFrame":
    return frame.reformat(width=size[0], height=size[1], format=_FORMAT)


class _Mixer:
    """Mixes pairs of frames of `size`; `number` counts them from 1."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size

    def mix(self, before: "av.VideoFrame", after: "av.VideoFrame", number: int) -> "av.VideoFrame":
        raise NotImplementedError


def _mixer(kind: str, size: tuple[int, int], frames: int, rate: Fraction) -> _Mixer:
    return _WipeMixer(kind, size, frames) if kind in OWN else _XfadeMixer(kind, size, frames, rate)


class _XfadeMixer(_Mixer):
    """Through ffmpeg's filter xfade."""

    def __init__(self, kind: str, size: tuple[int, int], frames: int, rate: Fraction) -> None:
        super().__init__(size)
        self._time_base = 1 / rate
        source = (
            f"video_size={size[0]}x{size[1]}:pix_fmt={_FORMAT}:"
            f"time_base={self._time_base}:frame_rate={rate}"
        )
        # In whole microseconds, which xfade rounds to the nearest frame: exactly these. It counts
        # from its first frame, which is to be one frame into the transition.
        length, offset = (round(count * SECOND / rate) for count in (frames + 1, -1))
        graph = av.filter.Graph()
        self._before = graph.add("buffer", source)
        self._after = graph.add("buffer", source)
        xfade = graph.add("xfade", f"transition={kind}:duration={length}us:offset={offset}us")
        # It works in 4:4:4 and the like.
        back = graph.add("format", _FORMAT)
        self._sink = graph.add("buffersink")
        self._before.link_to(xfade, 0, 0)
        self._after.link_to(xfade, 0, 1)
        xfade.link_to(back)
        back.link_to(self._sink)
        graph.configure()
        self._graph = graph

    def mix(self, before: "av.VideoFrame", after: "av.VideoFrame", number: int) -> "av.VideoFrame":
        for source, frame in ((self._before, before), (self._after, after)):
            frame.time_base = self._time_base
            frame.pts = number
            source.push(frame)
        mixed = self._sink.pull()
        if not isinstance(mixed, av.VideoFrame):
            raise TypeError("xfade gave something else than a picture")
        return mixed


class _WipeMixer(_Mixer):
    """Drawn by ourselves."""

    def __init__(self, kind: str, size: tuple[int, int], frames: int) -> None:
        super().__init__(size)
        self._wipe = Wipe(kind, *size)
        self._steps = frames + 1

    def mix(self, before: "av.VideoFrame", after: "av.VideoFrame", number: int) -> "av.VideoFrame":
        drawn = self._wipe.draw(_bytes(before), _bytes(after), number / self._steps)
        return av.VideoFrame.from_ndarray(drawn, format=_FORMAT)


def _bytes(frame: "av.VideoFrame") -> Picture:
    return frame.to_ndarray().astype(np.uint8, copy=False)
