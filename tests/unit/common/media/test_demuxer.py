"""What is damaged or unusual is read as far as it goes, and what cannot be read is a MediaError."""

import io
from typing import Any

import pytest
from av.codec.context import CodecContext
from av.error import FFmpegError, InvalidDataError
from av.packet import Packet

from common.errors import MediaError
from common.media.demuxer import decoded, open_segment, packets_of, streams_of
from tests.support.ts_surgery import change_table, pid_of, split_packets, take_apart
from tests.support.variants import variant

PMT_PID = 0x1000
VIDEO_ENTRY = b"\x1b\xe1\x00\xf0\x00"
DATA_ENTRY = b"\x15\xe1\x02\xf0\x00"
JPEG_XS_TYPE = 0x32


def packets(data: bytes) -> list[bytes]:
    """What the first video and the first audio stream carry."""
    with open_segment(io.BytesIO(data)) as container:
        streams = streams_of(container, "it")
        return [bytes(packet) for packet in packets_of(container, *streams)]


def joined(parts: list[bytearray]) -> bytes:
    return b"".join(map(bytes, parts))


def test_a_stream_that_turns_up_in_the_middle_takes_nothing_from_the_others() -> None:
    # So long that its middle is not looked at when it is opened.
    data = variant("gop-10-across").data
    parts = split_packets(data)
    tables = [part for part in parts if pid_of(part) == PMT_PID]
    change_table(tables[len(tables) // 2], lambda section: section + DATA_ENTRY)
    assert packets(joined(parts)) == packets(data)


def test_a_language_may_be_any_bytes() -> None:
    data = variant("plain").segments[0].data
    parts = split_packets(data)
    language = b"\x0a\x04\xe9\xe9\xe9\x00"
    for part in parts:
        if pid_of(part) == PMT_PID:
            # The sound stands last.
            change_table(part, lambda section: section[:-1] + bytes((len(language),)) + language)
    assert packets(joined(parts)) == packets(data)


def test_video_that_nothing_can_decode_is_an_error() -> None:
    parts = split_packets(variant("plain").segments[0].data)
    for part in parts:
        if pid_of(part) == PMT_PID:
            change_table(
                part,
                lambda section: section.replace(
                    VIDEO_ENTRY, bytes((JPEG_XS_TYPE,)) + VIDEO_ENTRY[1:]
                ),
            )
    with pytest.raises(MediaError, match="it holds video that cannot be decoded"):
        packets(joined(parts))


def test_what_holds_neither_video_nor_audio_is_an_error() -> None:
    parts = split_packets(variant("plain").segments[0].data)
    tables = [part for part in parts if pid_of(part) in {0, PMT_PID}]
    for part in tables:
        if pid_of(part) == PMT_PID:
            change_table(part, lambda section: section[:12] + DATA_ENTRY)
    with pytest.raises(MediaError, match="neither video nor audio"):
        packets(joined(tables))


def test_a_damaged_packet_yields_nothing_whatever_ffmpeg_calls_it() -> None:
    first, second, *_ = (frame.data for frame in take_apart(variant("plain").data).sound)
    bad = bytearray(second)
    bad[2] = bad[2] & 0xC3 | 13 << 2  # a sampling rate that there is not (ISO/IEC 14496-3, 1.6.3.4)
    decoder: Any = CodecContext.create("aac", "r")
    decoder.decode(Packet(first))
    with pytest.raises(FFmpegError) as caught:
        decoder.decode(Packet(bytes(bad)))
    assert not isinstance(caught.value, InvalidDataError)
    assert decoded(decoder, Packet(bytes(bad))) == []
    assert decoded(decoder, Packet(second)) != []
