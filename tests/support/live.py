"""A recording that goes on while it is watched."""

import time
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

from common.times import SECOND, format_time
from tests.support.media import fill_store, recorded_set

QUALITY = "360p30"
RECORDED = 15
"""Segments of 2 s that are in the store before anyone watches."""


class Recording:
    """Records the shared set into a store, as if it were live, until it is closed."""

    def __init__(self, base_dir: Path) -> None:
        self._base_dir = base_dir
        self._recorded = recorded_set()
        self._stop = Event()
        self.start = round((time.time() - RECORDED * 2) * SECOND)
        self._land(0, RECORDED)
        self._thread = Thread(target=self._go_on)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def closed_query(self) -> str:
        end = self.start + 10 * SECOND
        return f"start={format_time(self.start)}Z&end={format_time(end)}Z"

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _go_on(self) -> None:
        index = RECORDED
        while not self._stop.wait(max(0, self._due(index) - time.time())):
            self._land(index, 1)
            index += 1

    def _due(self, index: int) -> float:
        return self.start / SECOND + self._recorded.start_seconds(index + 1)

    def _land(self, first: int, count: int) -> None:
        offset = round(self._recorded.start_seconds(first) * SECOND)
        fill_store(
            self._base_dir,
            "demo",
            QUALITY,
            self._recorded,
            start=self.start + offset,
            first=first,
            count=count,
        )
