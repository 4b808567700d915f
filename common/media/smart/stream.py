"""A smart cut, made while it is sent: walks the plan, encodes ahead, copies, keeps one clock.

    for packets in stream_smart(plan, encoders, on_frames): ...

Numbered, what happens to a clip:

1. Its segments are loaded one after the other, and `walk` tells what becomes of their units. The
   last segment, if it begins with an IDR picture, is looked at together with the first, so that
   both ends are encoded at the same time. The next clips' ends are encoded ahead.
2. A segment's wanted frames are placed on the output's grid; its sound is put into slots.
3. Units are copied, or taken from the encoder, and get their time stamps: a frame's PTS is its
   slot's time, the n-th unit's DTS the time of the slot that lies `reorder` slots before the n-th.
4. What can't be copied so that all of this is true is encoded instead, and counted.
"""

from collections.abc import Callable, Generator, Sequence

from common.media.encoders import EncoderPool
from common.media.plan import CutPlan
from common.media.smart.buffers import keep_freed_memory
from common.media.smart.mux import Packed
from common.media.smart.output import Output
from common.media.smart.sections import Sections
from common.media.smart.tasks import Tasks

OnFrames = Callable[[int], None]


def stream_smart(
    plan: CutPlan, encoders: EncoderPool, on_frames: OnFrames
) -> Generator[Sequence[Packed], None, None]:
    """Yield the video as it is made; `on_frames` is told how many frames are done.

    What is ready at the same time comes together, in pieces: nothing that was read is copied again.
    Closing the generator ends all work. Raises MediaError naming the range that fails.
    """
    keep_freed_memory()
    tasks = Tasks(encoders)
    try:
        sections = Sections(plan, tasks)
        output = Output(plan.reorder, tasks)
        for section in sections:
            output.begin(section)
            for step, task in section:
                for packets in output.send(step, task):
                    if packets:
                        yield packets
                on_frames(output.frames)
        yield output.end()
    finally:
        tasks.close()
