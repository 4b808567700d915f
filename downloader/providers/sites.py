"""Streams on Twitch, YouTube and hundreds of other sites, found by streamlink and yt-dlp.

Both run in a short-lived process that is not patched by gevent (parts of streamlink fail under it):
`downloader.providers.find` prints one JSON object. Segments are fetched by ourselves.
"""

import json
import logging
import subprocess
import sys
from typing import Any

from common.http import HttpClient
from downloader.channels import Channel, ProviderType
from downloader.hls import Variant
from downloader.providers.base import StreamNotFound
from downloader.providers.url import read_variants

logger = logging.getLogger(__name__)

_TOOLS = {
    ProviderType.TWITCH: "streamlink",
    ProviderType.STREAMLINK: "streamlink",
    ProviderType.YOUTUBE: "yt-dlp",
}


class SiteProvider:
    """Asks streamlink or yt-dlp where the stream is.

    `rewrites` are `FROM=TO` pairs for the beginnings of addresses that the site's own API has.
    """

    def __init__(
        self,
        channel: Channel,
        http: HttpClient,
        *,
        deadline_seconds: float,
        rewrites: tuple[str, ...] = (),
    ) -> None:
        self._tool = _TOOLS[channel.provider]
        self._url = channel.url
        self._http = http
        self._deadline_seconds = deadline_seconds
        self._rewrites = rewrites

    def find(self) -> list[Variant]:
        found = self._ask()
        if "error" in found:
            raise StreamNotFound(str(found["error"]), offline=bool(found.get("offline")))
        if found.get("master"):
            return read_variants(str(found["master"]), self._http, self._deadline_seconds)
        return [
            Variant(
                url=str(entry["url"]),
                names=frozenset(str(name).casefold() for name in entry["names"]),
                bandwidth=int(entry["bandwidth"]),
            )
            for entry in found["variants"]
        ]

    def _ask(self) -> dict[str, Any]:
        command = [sys.executable, "-m", "downloader.providers.find", self._tool, self._url]
        for rewrite in self._rewrites:
            command += ["--rewrite", rewrite]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._deadline_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise StreamNotFound(
                f"{self._tool} did not answer within {self._deadline_seconds:g} s", offline=False
            ) from exc
        try:
            answer: dict[str, Any] = json.loads(done.stdout)
        except ValueError as exc:
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise StreamNotFound(f"{self._tool} failed: {' '.join(last)}", offline=False) from exc
        return answer
