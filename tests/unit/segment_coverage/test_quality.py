"""What is found in a quality, while it is looked at anew."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from common.segments.store import SegmentStore
from common.times import HOUR, SECOND
from segment_coverage.quality import QualityCoverage
from segment_coverage.window import Window
from tests.support.media import store_bytes
from tests.support.segments import NOON


def traced(function: Callable[[], None], look: Callable[[], None]) -> None:
    """Call `function`, and `look` between any two lines that are run meanwhile."""

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            look()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)


def test_digests_are_never_seen_with_what_another_reading_found(tmp_path: Path) -> None:
    coverage = QualityCoverage(
        SegmentStore(tmp_path),
        "demo",
        "source",
        window=Window(),
        with_digests=True,
        is_stopped=lambda: False,
    )
    folder = tmp_path / "demo" / "source"
    store_bytes(folder, b"first", NOON, 2 * SECOND)
    coverage.read(NOON + HOUR)
    before = coverage.digested
    store_bytes(folder, b"second", NOON + 2 * SECOND, 2 * SECOND)
    seen = []
    traced(lambda: coverage.read(NOON + HOUR), lambda: seen.append(coverage.digested))
    after = coverage.digested
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert seen
    assert all(found in (before, after) for found in seen)
