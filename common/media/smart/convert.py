"""Sound of another configuration than the output's: decoded, resampled and encoded as AAC again.

A source whose sampling rate or number of channels changes in the middle can't be one AAC stream.
Only then is sound encoded at all (besides in transitions).
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

import av
from av.codec.context import CodecContext

from common.media.demuxer import decoded
from common.media.smart.adts import SAMPLES, AudioConfig, adts_header, layout_name
from common.media.smart.sound import SourceSound
from common.media.timeline import CLOCK_HZ


class SoundConverter:
    """Converts segments that follow each other, without a seam between them, to `target`."""

    def __init__(self, target: AudioConfig) -> None:
        self._target = target
        self._decoder: Any = CodecContext.create("aac", "r")
        self._layout = layout_name(target.channels)
        self._resampler: av.AudioResampler | None = None
        self._resampled: tuple[str, int] | None = None
        """The layout and the rate that the resampler takes."""
        self._encoder: Any = CodecContext.create("aac", "w")
        self._encoder.sample_rate, self._encoder.layout = target.rate, self._layout
        self._encoder.format, self._encoder.time_base = "fltp", Fraction(1, target.rate)

    def convert(self, sound: SourceSound) -> SourceSound | None:
        """The segment's sound as far as it is ready; the last bit comes with the next segment."""
        made = list(self._encoded(sound))
        if not made:
            return None
        bodies = [bytes(packet) for packet in made]
        frames = [adts_header(self._target, len(body)) + body for body in bodies]
        step = Fraction(CLOCK_HZ, self._target.rate)
        ticks = [round((packet.pts or 0) * step) for packet in made]
        return SourceSound(
            config=self._target,
            data=b"".join(frames),
            starts=[0, *accumulate(len(frame) for frame in frames)],
            pts=list(enumerate(ticks)),
        )

    def _encoded(self, sound: SourceSound) -> "Iterator[av.Packet[Any]]":
        for time, (start, end) in zip(sound.times().tolist(), pairwise(sound.starts), strict=True):
            packet: av.Packet[Any] = av.Packet(sound.data[start:end])
            packet.pts, packet.time_base = time, Fraction(1, CLOCK_HZ)
            for frame in decoded(self._decoder, packet):
                # The decoder leaves the packet's clock on the frame.
                frame.time_base = Fraction(1, CLOCK_HZ)
                for piece in self._resampler_of(frame).resample(frame):
                    yield from self._encoder.encode(piece)

    def _resampler_of(self, frame: av.AudioFrame) -> av.AudioResampler:
        """The one to go on with. Sound that changes once more needs another; the bit that the one
        before still holds, less than a frame, is not heard.
        """
        kind = (frame.layout.name, frame.sample_rate)
        if self._resampler is None or kind != self._resampled:
            self._resampler = av.AudioResampler(
                format="fltp", layout=self._layout, rate=self._target.rate, frame_size=SAMPLES
            )
            self._resampled = kind
        return self._resampler
