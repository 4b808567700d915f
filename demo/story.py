"""What the demo shows: record a little, note a moment, edit it, wait for its video."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from common.errors import WubloaderError
from common.segments.path import Segment, SegmentType, parse_name
from common.times import SECOND, TimeRange, format_time
from demo.layout import SERVICES, Layout

CHANNEL = "demo"
QUALITY = "source"
WAIT_SECONDS = 300
_ANSWER_SECONDS = 30
_POLL_SECONDS = 0.5
_SEGMENTS = 6
# Neither bound is on a segment's edge, so the video shows that cuts are exact.
_FIRST = 1_250_000
_LAST = 9_750_000


class StoryFailed(WubloaderError):
    """The demo's video did not come; the text says where it stopped."""


@dataclass(frozen=True, kw_only=True)
class Video:
    """The demo's result: where it is, and the range that it was cut from."""

    event_id: str
    link: str
    span: TimeRange


class Story:
    """Talks to the running node over HTTP. `say` shows a line, `progress` one that is replaced;
    `alive` raises if the node has ended.
    """

    def __init__(
        self,
        layout: Layout,
        say: Callable[[str], None],
        progress: Callable[[str], None],
        alive: Callable[[], None],
    ) -> None:
        self._layout = layout
        self._say = say
        self._progress = progress
        self._alive = alive
        self._session = requests.Session()

    def tell(self) -> Video:
        """Raises StoryFailed."""
        self._wait(self._all_ready, "the services to be ready")
        self._say("All services are ready.")
        segments = self._wait(self._recorded, f"{_SEGMENTS} segments to be recorded")
        span = TimeRange(segments[0].start + _FIRST, segments[0].start + _LAST)
        event_id = self._create(span)
        self._edit(event_id, span)
        self._say(
            f"Event {event_id}: {format_time(span.start)} to {format_time(span.end)} UTC,"
            f" {span.duration / SECOND:g} s."
        )
        event = self._wait(lambda: self._finished(event_id), "the video")
        return Video(event_id=event_id, link=str(event["video_link"]), span=span)

    def _wait(self, condition: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            self._alive()
            try:
                value = condition()
            except (requests.ConnectionError, requests.Timeout):
                value = None  # not started yet, or just being started again, or busy
            if value:
                return value
            time.sleep(_POLL_SECONDS)
        raise StoryFailed(
            f"waited {WAIT_SECONDS} s for {what}; the logs in {self._layout.logs} say more"
        )

    def _get(self, service: str, path: str) -> Any:
        answer = self._session.get(self._layout.url(service) + path, timeout=_ANSWER_SECONDS)
        answer.raise_for_status()
        return answer.json()

    def _all_ready(self) -> bool:
        missing = [
            service for service in SERVICES if service != "postgres" and not self._is_ready(service)
        ]
        self._progress(f"waiting for {', '.join(missing)}" if missing else "")
        return not missing

    def _is_ready(self, service: str) -> bool:
        try:
            return self._session.get(
                self._layout.url(service) + "/readyz", timeout=_ANSWER_SECONDS
            ).ok
        except requests.ConnectionError:
            return False

    def _recorded(self) -> list[Segment] | None:
        """The newest full segments, once there are enough of them without a gap."""
        segments: list[Segment] = []
        for hour in self._get("restreamer", f"/files/{CHANNEL}/{QUALITY}"):
            for name in self._get("restreamer", f"/files/{CHANNEL}/{QUALITY}/{hour}"):
                segment = parse_name(hour, name)
                if isinstance(segment, Segment) and segment.type is SegmentType.FULL:
                    segments.append(segment)
        newest = sorted(segments, key=lambda segment: segment.start)[-_SEGMENTS:]
        gapless = all(
            abs(later.start - earlier.end) <= SECOND // 100
            for earlier, later in itertools.pairwise(newest)
        )
        fresh = bool(newest) and newest[-1].end > (time.time() - 60) * SECOND
        self._progress(f"recorded {len(newest)} of {_SEGMENTS} segments")
        return newest if len(newest) == _SEGMENTS and gapless and fresh else None

    def _post(self, path: str, body: dict[str, Any]) -> requests.Response:
        answer = self._session.post(
            self._layout.url("thrimshim") + path, json=body, timeout=WAIT_SECONDS
        )
        if not answer.ok:
            raise StoryFailed(f"POST {path}: {answer.status_code} {answer.text.strip()}")
        return answer

    def _create(self, span: TimeRange) -> str:
        given = {
            "event_start": format_time(span.start),
            "event_end": format_time(span.end),
            "category": "Demo",
            "description": "A moment of the synthetic stream",
        }
        return str(self._post("/thrimshim", given).json()["id"])

    def _edit(self, event_id: str, span: TimeRange) -> None:
        edit = {
            "state": "EDITED",
            "video_ranges": [[format_time(span.start), format_time(span.end)]],
            "video_title": "A moment of the synthetic stream",
            "video_description": "Cut by the quick start.",
            "video_quality": QUALITY,
        }
        self._post(f"/thrimshim/{event_id}", edit)

    def _finished(self, event_id: str) -> dict[str, Any] | None:
        event: dict[str, Any] = self._get("thrimshim", f"/thrimshim/{event_id}")
        state, error = event["state"], event["error"]
        if state == "UNEDITED":
            raise StoryFailed(f"the cutter gave the event back: {error}")
        done, total = event["frames_done"], event["frames_total"]
        frames = f", {done} of {total} frames" if total else ""
        self._progress(f"{state}{frames}" + (f" ({error})" if error else ""))
        return event if state == "DONE" else None
