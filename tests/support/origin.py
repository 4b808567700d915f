"""Synthetic origins for tests: a set that was encoded once, served on a clock that tests step."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests

from common.times import Micros, format_time
from tests.support.media import recorded_set
from tests.support.processes import ServiceProcess

START: Micros = 1_800_000_000_000_000
"""2027-01-15T08:00:00: when a stepped origin's stream begins unless a test says otherwise."""

_SECONDS = 60


class Origin:
    """A running origin, and what tests ask of it."""

    def __init__(self, process: ServiceProcess) -> None:
        self.process = process
        self.url = process.url

    @property
    def master_url(self) -> str:
        return f"{self.url}/master.m3u8"

    def media_url(self, quality: str = "source") -> str:
        return f"{self.url}/media/{quality}.m3u8"

    def segment_path(self, index: int, quality: str = "source") -> str:
        """The path under which segment `index` of the stream is asked for."""
        return f"/segments/{quality}/{index:06d}.ts"

    def advance(self, seconds: float) -> None:
        """Let the stream go on by `seconds`; a segment is complete every two."""
        self._post("clock", {"advance_seconds": seconds})

    def set_speed(self, speed: float) -> None:
        """Seconds of the stream per second from now on; 0 stands still."""
        self._post("clock", {"speed": speed})

    def change(self, **fields: object) -> None:
        """Misbehave from the next segment on: fields of `demo.origin.control.StreamChange`."""
        self._post("stream", fields)

    def fault(self, path: str, kind: str, **fields: object) -> None:
        """Answer requests for `path` wrongly: fields of `demo.origin.control.FaultRequest`."""
        self._post("faults", {"path": path, "kind": kind, **fields})

    def clear_faults(self) -> None:
        requests.delete(f"{self.url}/control/faults", timeout=_SECONDS).raise_for_status()

    def listed(self) -> list[dict[str, Any]]:
        """Every segment that was listed so far; see `demo.origin.control`."""
        return list(self._get("listed"))

    def listed_hashes(self, quality: str = "source") -> list[str]:
        """The hashes of all listed segments that are no advertisements, in order."""
        return [entry["hashes"][quality] for entry in self.listed() if not entry["advertisement"]]

    def request_counts(self) -> Mapping[str, int]:
        """How often each path of the stream was asked for."""
        return dict(self._get("requests")["counts"])

    def request_log(self) -> list[dict[str, Any]]:
        """Every request for the stream, in order: at, path, status, fault."""
        return list(self._get("requests")["log"])

    def status(self) -> dict[str, Any]:
        return dict(self._get("status"))

    def _get(self, what: str) -> Any:
        response = requests.get(f"{self.url}/control/{what}", timeout=_SECONDS)
        response.raise_for_status()
        return response.json()

    def _post(self, what: str, body: Mapping[str, object]) -> None:
        response = requests.post(f"{self.url}/control/{what}", json=body, timeout=_SECONDS)
        if not response.ok:
            raise AssertionError(f"the origin refuses {what} {body}: {response.text}")


@contextmanager
def stepped_origin(
    *args: str,
    media: str = "plain",
    start: Micros | None = START,
    speed: float = 0,
    host: str = "127.0.0.1",
) -> Iterator[Origin]:
    """An origin on `host` that serves the set `media`, from `start` (None: now) on, at `speed`.
    `args` are further flags.
    """
    flags = ["--host", host, "--recorded", str(recorded_set(media).folder)]
    flags += ["--speed", str(speed), *args]
    if start is not None:
        flags += ["--start", format_time(start)]
    with ServiceProcess("demo.origin", *flags) as process:
        process.wait_ready()
        yield Origin(process)
