"""The cuts that are being made now, and how far each is."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from common.media.plan import CutPlan
from common.times import Micros, format_time


@dataclass(slots=True, kw_only=True)
class RunningCut:
    """One cut. `frames_done` counts up to `frames_total`, which may be off by a few on the way."""

    id: str
    plan: CutPlan
    started: Micros
    frames_done: int
    frames_total: int

    def report(self, frames_done: int, frames_total: int) -> None:
        """As a cut's `OnProgress`."""
        self.frames_done, self.frames_total = frames_done, frames_total

    def as_json(self) -> dict[str, object]:
        request = self.plan.request
        return {
            "id": self.id,
            "type": request.type.value,
            "channel": request.channel,
            "quality": request.quality,
            "ranges": [[format_time(span.start), format_time(span.end)] for span in request.ranges],
            "started": format_time(self.started),
            "frames_done": self.frames_done,
            "frames_total": self.frames_total,
        }


class RunningCuts:
    """All of them. `clock` tells the time in microseconds since 1970."""

    def __init__(self, clock: Callable[[], Micros]) -> None:
        self._clock = clock
        self._cuts: dict[str, RunningCut] = {}

    def begin(self, plan: CutPlan) -> RunningCut:
        cut = RunningCut(
            id=uuid.uuid4().hex,
            plan=plan,
            started=self._clock(),
            frames_done=0,
            frames_total=plan.frames_total,
        )
        self._cuts[cut.id] = cut
        return cut

    def end(self, cut: RunningCut) -> None:
        """Forget it. Doing so twice does no harm."""
        self._cuts.pop(cut.id, None)

    def as_json(self) -> list[dict[str, object]]:
        """In the order in which they were begun."""
        return [cut.as_json() for cut in self._cuts.values()]
