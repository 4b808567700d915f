"""SIGKILL while recording: what is listed once the downloader is back is recorded whole."""

import random
import time
import uuid
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from common.segments.path import SegmentType, format_name, hash_bytes
from common.times import SECOND, format_hour
from tests.e2e.kill.harness import LINES, Moments, in_lines, kill_again_and_again
from tests.support.media import recorded_set
from tests.support.metrics import metric
from tests.support.processes import ServiceProcess
from tests.support.waiting import wait_until

QUALITIES = ("source", "360p30")
WATCHED_SECONDS = 10
WINDOW_SEGMENTS = 15
TRANSFER_SECONDS = 1
TEMP_AGE_SECONDS = 1
"""Temp files that nobody has written to for so long are swept."""

MOMENTS = Moments(seconds=2.5)


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(20, marks=pytest.mark.timeout(900)),
        pytest.param(400, marks=[pytest.mark.soak, pytest.mark.timeout(7200)]),
    ],
)
def test_whenever_downloaders_are_killed_what_is_listed_later_is_recorded(
    kills: int, tmp_path: Path
) -> None:
    """Each line records the same live stream into a store of its own."""
    with ExitStack() as stack:
        origin = _start_origin(stack)
        _make_transfers_slow(origin)

        def line(number: int, rng: random.Random) -> tuple[Path, ServiceProcess]:
            store = tmp_path / f"store{number}"
            _leave_temp(store)
            start = partial(_start_downloader, f"{origin}/master.m3u8", store)
            survivor = kill_again_and_again(start, kills // LINES, MOMENTS, rng)
            stack.callback(survivor.close)
            wait_until(partial(_has_looked, survivor), "it has seen the playlists")
            return store, survivor

        survivors = in_lines("kills of downloaders", line)
        listed = _listed_during(origin, WATCHED_SECONDS)
        assert len(listed) >= len(QUALITIES) * WATCHED_SECONDS / 2
        for store, survivor in survivors:
            wait_until(partial(_has_all, store, listed), "all that was listed is recorded")
            assert survivor.terminate() == 0
            _check_names(store)
            assert _temps(store) == []


def _start_origin(stack: ExitStack) -> str:
    folder = str(recorded_set("plain").folder)
    arguments = ("--recorded", folder, "--window", str(WINDOW_SEGMENTS))
    return stack.enter_context(ServiceProcess("demo.origin", *arguments)).wait_ready().url


def _start_downloader(master: str, store: Path) -> ServiceProcess:
    return ServiceProcess(
        "downloader",
        f"demo!:url:{master}",
        *("--base-dir", str(store), "--qualities", ",".join(QUALITIES)),
        *("--temp-age-seconds", str(TEMP_AGE_SECONDS)),
    )


def _has_looked(downloader: ServiceProcess) -> bool:
    """Whether it knows what is listed of each quality: of its first look all is new."""
    name = "wubloader_downloader_polls_total"
    return all(metric(downloader.url, name, quality=each, outcome="new") for each in QUALITIES)


def _make_transfers_slow(origin: str) -> None:
    """Each segment's bytes stop half way for a while, so that most kills find some under way."""
    fault = {"path": "/segments/*", "kind": "stall", "seconds": TRANSFER_SECONDS, "times": 0}
    requests.post(f"{origin}/control/faults", json=fault, timeout=60).raise_for_status()


def _listed_during(origin: str, seconds: float) -> set[str]:
    """Wait; returns the hashes, as they stand in names, of all segments that the playlists named
    at any moment of that time.
    """
    before = len(_entries(origin))
    time.sleep(seconds)
    entries = _entries(origin)[max(0, before - WINDOW_SEGMENTS) :]
    return {entry["hashes"][quality] for entry in entries for quality in QUALITIES}


def _entries(origin: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{origin}/control/listed", timeout=60)
    answer.raise_for_status()
    return list(answer.json())


def _leave_temp(store: Path) -> None:
    """What a kill in the middle of a write leaves; one is rarely so lucky, writes are short."""
    now = time.time_ns() // 1000
    folder = store / "demo" / QUALITIES[0] / format_hour(now)
    folder.mkdir(parents=True)
    name = format_name(now, 2 * SECOND, SegmentType.TEMP, str(uuid.uuid4()))
    (folder / name).write_bytes(b"G" * 188)


def _segments(store: Path) -> list[Path]:
    """The finished segments of all qualities."""
    return [path for path in store.glob("demo/*/*/*.ts") if "-temp-" not in path.name]


def _temps(store: Path) -> list[Path]:
    return list(store.glob("demo/*/*/*-temp-*"))


def _has_all(store: Path, listed: set[str]) -> bool:
    names = [path.stem for path in _segments(store)]
    return listed <= {name[-43:] for name in names if "-full-" in name}


def _check_names(store: Path) -> None:
    """Whatever was killed when, a file's bytes are those that its name promises."""
    for path in _segments(store):
        assert hash_bytes(path.read_bytes()) == path.stem[-43:], path
