"""How the work on a job tells what it makes."""

import os
from typing import BinaryIO

from common.media.job import Message, encode_message


def open_answers(descriptor: int) -> BinaryIO:
    """The pipe that answers go to: unbuffered, each message leaves at once."""
    return os.fdopen(descriptor, "wb", buffering=0)


class Answers:
    """The answers to one request; also a sink for PyAV.

    After the last answer nothing more is sent. A muxer that was left unfinished is closed whenever
    it is collected as garbage, and what it writes then would stand among the answers to the next
    request.
    """

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self.closed = False
        self.send(Message.ACCEPTED)

    def write(self, data: bytes) -> int:
        self.send(Message.DATA, bytes(data))
        return len(data)

    def progress(self, frames: int) -> None:
        """`frames` are done."""
        self.send(Message.PROGRESS, str(frames).encode())

    def done(self) -> None:
        """The last answer: all is well."""
        self.send(Message.DONE)
        self.closed = True

    def failed(self, reason: str) -> None:
        """The last answer: it cannot be done."""
        self.send(Message.FAILED, reason.encode(errors="replace"))
        self.closed = True

    def send(self, kind: Message, payload: bytes = b"") -> None:
        if self.closed:
            return
        view = memoryview(encode_message(kind, payload))
        while view:
            view = view[self._pipe.write(view) or 0 :]
