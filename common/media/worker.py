"""`python -m common.media.worker`: a process that decodes and encodes, one job after another.

A process of its own, since this computes for minutes: it runs at low priority, ends as soon as the
process that started it is gone, and can be killed at any moment. It stays for the next job because
starting Python and loading the libraries takes longer than many jobs do. `common.media.job`
describes what it reads and writes.

To add a kind of job: a dataclass with a `kind` and `to_json`, a function that takes the document
and the answers, and a line in the table below. The function raises MediaError, FFmpegError or
OSError if the job cannot be done; anything else is a bug, and ends the process.
"""

import os

_NICENESS = 10
if __name__ == "__main__":
    os.nice(_NICENESS)  # first of all: to load what follows takes half a second of a core

import select
import signal
import sys
from collections.abc import Callable, Mapping
from threading import Thread

import av.logging
from av.error import FFmpegError

from common.errors import MediaError
from common.media import archive, frame, render, waveform
from common.media.answers import Answers, open_answers
from common.media.job import ArchiveJob, RenderJob, read_request
from common.media.pictures import PictureJob, WaveformJob
from common.media.smart import blended, edge
from common.media.smart.blended import BlendJob, FadeJob
from common.media.smart.edge import EdgeJob

Handler = Callable[[bytes, Answers], None]

_HANDLERS: Mapping[str, Handler] = {
    BlendJob.kind: blended.handle_pictures,
    EdgeJob.kind: edge.handle,
    FadeJob.kind: blended.handle_sound,
    RenderJob.kind: render.handle,
    ArchiveJob.kind: archive.handle,
    PictureJob.kind: frame.handle,
    WaveformJob.kind: waveform.handle,
}


def main() -> int:
    """Serve requests until there will be no more."""
    Thread(target=_end_with_parent, daemon=True).start()
    # A signal to the whole group is meant for the service, which ends us when it is done.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    let_libav_complain()
    # Whatever prints by mistake must not end up between the messages.
    pipe = open_answers(os.dup(1))
    os.dup2(2, 1)
    while True:
        try:
            kind, document = read_request(sys.stdin.buffer)
        except EOFError:
            return 0
        _serve(_HANDLERS[kind], document, Answers(pipe))


def let_libav_complain() -> None:
    """Have errors written to standard error by libav itself.

    PyAV would do so under the interpreter's lock. A thread of a decoder that has something to say
    then waits for whoever holds that lock, who may be about to free the decoder, and waits for its
    threads.
    """
    av.logging.restore_default_callback()
    av.logging.set_libav_level(av.logging.ERROR)


def _serve(handler: Handler, document: bytes, answers: Answers) -> None:
    try:
        handler(document, answers)
    except BrokenPipeError:
        raise  # nobody reads any more
    except (MediaError, FFmpegError, OSError) as exc:
        answers.failed(str(exc))
    else:
        answers.done()


def _end_with_parent() -> None:
    """Wait until nobody can write to our standard input any more, and end, whatever is in work."""
    poll = select.poll()
    poll.register(0, 0)  # a hang-up is always told
    poll.poll()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
