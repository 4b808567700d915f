"""SIGKILL while cutting and publishing: each event still ends as exactly one whole video."""

import random
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from common.times import SECOND, TimeRange, parse_time
from tests.e2e.kill.harness import LINES, Moments, in_lines, kill_again_and_again
from tests.support.cutters import count_frames, start_cutter, unfinished, videos_of
from tests.support.event_rows import add_edited, read_event
from tests.support.media import fill_store, recorded_set
from tests.support.processes import ServiceProcess
from tests.support.waiting import wait_until

START = parse_time("2026-01-01T00:00:00")
QUALITY = "360p30"
SECONDS_EACH = 6
FRAMES_EACH = SECONDS_EACH * 30
MOMENTS = Moments(seconds=1.2)


@pytest.mark.parametrize(
    ("kills", "events"),
    [
        pytest.param(20, 12, marks=pytest.mark.timeout(900)),
        pytest.param(400, 120, marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
    ],
)
def test_whenever_cutters_are_killed_each_event_becomes_exactly_one_video(
    kills: int, events: int, database_dsn: str, tmp_path: Path
) -> None:
    """Several cutters of one cluster share the database, the store and the folder of videos."""
    store, videos = tmp_path / "store", tmp_path / "videos"
    fill_store(store, "demo", QUALITY, recorded_set("plain"), start=START)
    names = [f"e{number}" for number in range(events)]
    for number, name in enumerate(names):
        start = START + number % 10 * SECOND
        span = TimeRange(start, start + SECONDS_EACH * SECOND)
        add_edited(database_dsn, name, span, video_quality=QUALITY)

    def line(number: int, rng: random.Random) -> ServiceProcess:
        def start() -> ServiceProcess:
            return start_cutter(f"cutter{number}", dsn=database_dsn, base_dir=store, videos=videos)

        return kill_again_and_again(start, kills // LINES, MOMENTS, rng)

    with ExitStack() as stack:
        for survivor in in_lines("kills of cutters", line):
            stack.callback(survivor.close)
        for name in names:
            wait_until(partial(_is_done, database_dsn, name), f"{name} is DONE", seconds=240)
        wait_until(lambda: not unfinished(videos), "no temp file is left")
    for name in names:
        (video,) = videos_of(videos, name)
        assert count_frames(video) == FRAMES_EACH


def _is_done(dsn: str, event_id: str) -> bool:
    row = read_event(dsn, event_id)
    assert row["state"] != "UNEDITED", row["error"]
    return bool(row["state"] == "DONE")
