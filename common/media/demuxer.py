"""ffmpeg's demuxer and decoders, for all that may have been recorded: where a source or a disk has
damaged a segment, PyAV raises what nobody expects of it.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

import av
from av.error import FFmpegError

from common.errors import MediaError


def open_segment(source: str | BinaryIO) -> "av.container.InputContainer":
    """The container of a segment, which is to be closed. Raises FFmpegError."""
    # Names of languages may be any bytes; nobody asks for them.
    return av.open(source, "r", format="mpegts", metadata_errors="replace")


def streams_of(
    container: "av.container.InputContainer", name: str
) -> "tuple[av.VideoStream | None, av.AudioStream | None]":
    """The first video and the first audio. Raises MediaError if there is neither, or one of a kind
    that cannot be decoded.
    """
    video = next(iter(container.streams.video), None)
    audio = next(iter(container.streams.audio), None)
    if video is None and audio is None:
        raise MediaError(f"{name} holds neither video nor audio")
    for stream in (video, audio):
        # PyAV's types know nothing of it.
        context: Any = stream and stream.codec_context
        if stream is not None and context is None:
            raise MediaError(f"{name} holds {stream.type} that cannot be decoded")
    return video, audio


def packets_of(
    container: "av.container.InputContainer", *streams: "av.stream.Stream | None"
) -> "Iterator[av.Packet[Any]]":
    """The packets of these streams, without the empty ones that PyAV adds at the end.

    Raises FFmpegError.
    """
    # A stream may turn up in the middle, as where a program table changes. It is none of these, but
    # when PyAV has handed out all packets it looks for that stream too, in a list that does not
    # have it, or not, depending on what is in memory that it has not set.
    with suppress(IndexError):
        for packet in container.demux(*(stream for stream in streams if stream is not None)):
            if packet.size:
                yield packet


def decoded(decoder: Any, packet: "av.Packet[Any] | None") -> list[Any]:
    """The frames that come out of a decoder when a packet goes in; None is the end.

    A damaged packet yields nothing, whatever ffmpeg says of it: whoever misses frames counts them.
    """
    try:
        return list(decoder.decode(packet))
    except FFmpegError:
        return []
