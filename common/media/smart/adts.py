"""AAC in ADTS frames: where each begins, and which configuration it has.

ISO/IEC 13818-7, 6.2: each frame has a header of seven bytes (nine with a checksum) that holds the
configuration and the frame's length. A frame is 1024 samples for each channel.
"""

from dataclasses import dataclass

from common.media.smart.packets import Unfit

SAMPLES = 1024

_RATES = (
    96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
)  # fmt: skip
_HEADER = 7

# Channel configurations (ISO/IEC 14496-3, table 1.19) by ffmpeg's names.
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "7.1"}


@dataclass(frozen=True, slots=True)
class AudioConfig:
    """What the frames' headers say. Frames of different configurations can't be one stream."""

    profile: int
    rate: int
    channels: int


def config_of(frame: bytes) -> AudioConfig:
    """Of the header that `frame` begins with. Raises Unfit if it is none."""
    index = frame[2] >> 2 & 0x0F
    if index >= len(_RATES):
        raise Unfit("an AAC frame has no sampling rate")
    return AudioConfig(
        profile=frame[2] >> 6,
        rate=_RATES[index],
        channels=(frame[2] & 1) << 2 | frame[3] >> 6,
    )


def layout_name(channels: int) -> str:
    """ffmpeg's name of a channel configuration; stereo where a frame describes its own."""
    return _LAYOUTS.get(channels, "stereo")


def adts_header(config: AudioConfig, body_bytes: int) -> bytes:
    """The header of a frame whose body has so many bytes, without a checksum."""
    length = body_bytes + _HEADER
    return bytes(
        (
            0xFF,
            0xF1,
            config.profile << 6 | _RATES.index(config.rate) << 2 | config.channels >> 2,
            (config.channels & 3) << 6 | length >> 11,
            length >> 3 & 0xFF,
            (length & 7) << 5 | 0x1F,
            0xFC,
        )
    )


def frame_starts(data: bytes, at: int = 0) -> list[int]:
    """Where each whole frame from `at` on begins, and behind the last of them where it ends.

    A frame that is cut off at the end is left out. Raises Unfit where a frame should begin and
    there is none.
    """
    starts = [at]
    limit = len(data) - _HEADER
    while at <= limit:
        if data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0:
            raise Unfit("the sound is not a sequence of AAC frames")
        length = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        if length < _HEADER:
            raise Unfit("an AAC frame has no length")
        at += length
        if at > len(data):
            break
        starts.append(at)
    return starts
