"""An AAC frame of silence, for slots that the source has no sound for."""

from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
import numpy as np
from av.codec.context import CodecContext

from common.media.smart.adts import SAMPLES, AudioConfig, adts_header, layout_name


@lru_cache(maxsize=8)
def silent_frame(config: AudioConfig) -> bytes:
    """One frame with its ADTS header, decodable after any other of the same configuration."""
    layout = layout_name(config.channels)
    encoder: Any = CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = config.rate, layout, "fltp"
    encoder.time_base = Fraction(1, config.rate)
    channels = av.AudioLayout(layout).nb_channels
    body = b""
    for index in range(4):  # the first ones hold the encoder's start
        frame = av.AudioFrame.from_ndarray(
            np.zeros((channels, SAMPLES), np.float32), format="fltp", layout=layout
        )
        frame.sample_rate, frame.pts = config.rate, index * SAMPLES
        for packet in encoder.encode(frame):
            body = bytes(packet)
    return adts_header(config, len(body)) + body
