"""thrimshim as a process, and a client of its API."""

from typing import Any

import requests

from tests.support.processes import ServiceProcess

RANGE = ["2026-07-01T12:00:00.000000", "2026-07-01T12:00:10.500000"]
EDIT = {"state": "EDITED", "video_ranges": [RANGE], "video_title": "A title"}
"""A complete edit, as an editor posts it."""


def start_thrimshim(dsn: str, *args: str) -> ServiceProcess:
    return ServiceProcess(
        "thrimshim",
        *("--database", dsn, "--channel", "demo", "--upload-locations", "local,youtube"),
        *("--bustime-start", "2026-07-01T00:00:00Z", "--host", "127.0.0.1"),
        *args,
    )


class Api:
    """A client of one thrimshim."""

    def __init__(self, url: str) -> None:
        self.root = url
        self.url = f"{url}/thrimshim"
        self.session = requests.Session()

    def get(self, path: str = "", **kwargs: Any) -> requests.Response:
        return self.session.get(self.url + path, timeout=60, **kwargs)

    def post(self, path: str = "", body: Any = None, **kwargs: Any) -> requests.Response:
        return self.session.post(self.url + path, json=body or {}, timeout=60, **kwargs)

    def create(self, **given: Any) -> str:
        answer = self.post(body=given)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def event(self, event_id: str) -> dict[str, Any]:
        answer = self.get(f"/{event_id}")
        assert answer.status_code == 200, answer.text
        event: dict[str, Any] = answer.json()
        return event
