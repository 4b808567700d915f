"""Streams on Twitch, YouTube and hundreds of other sites, found by streamlink and yt-dlp.

Each runs in a short-lived process of its own that is not patched by gevent (parts of streamlink
fail under it) and prints one JSON object: `downloader.providers.tool` says which. Segments are
fetched by ourselves.
"""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
from typing import Any, BinaryIO

import gevent

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
_MODULES = {
    "streamlink": "downloader.providers.ask_streamlink",
    "yt-dlp": "downloader.providers.ask_yt_dlp",
}


class SiteProvider:
    """Asks streamlink or yt-dlp where the stream is.

    `rewrites` are `FROM=TO` pairs for the beginnings of addresses that streamlink asks.
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
        self._rewrites = rewrites if self._tool == "streamlink" else ()

    def find(self) -> list[Variant]:
        found = self._ask()
        if "error" in found:
            reason = " ".join(str(found["error"]).split())
            raise StreamNotFound(reason, offline=bool(found.get("offline")))
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
        command = [sys.executable, "-m", _MODULES[self._tool]]
        command += ["--limit-seconds", f"{self._deadline_seconds + _LIMIT_MARGIN_SECONDS:g}"]
        for rewrite in self._rewrites:
            command += ["--rewrite", rewrite]
        command += ["--", self._url]
        try:
            output, errors, status = _run(command, self._deadline_seconds)
        except subprocess.TimeoutExpired as exc:
            raise StreamNotFound(
                f"{self._tool} did not answer within {self._deadline_seconds:g} s", offline=False
            ) from exc
        try:
            answer: dict[str, Any] = json.loads(output)
        except ValueError as exc:
            last = errors.decode(errors="replace").strip().splitlines()[-1:]
            reason = " ".join(last) or f"it ended with status {status}"
            raise StreamNotFound(f"{self._tool} failed: {reason}", offline=False) from exc
        return answer


_LIMIT_MARGIN_SECONDS = 5
"""If we are killed meanwhile, the process ends by itself; in all other cases we end it first."""


def _run(command: list[str], deadline_seconds: float) -> tuple[bytes, bytes, int]:
    """Output, errors and status. Raises TimeoutExpired.

    Whatever the process has started is killed with it, however it ends. Such a thing would also
    hold pipes open, so the process writes into memory, and its own end is all that is waited for.
    """
    with _memory_file() as output, _memory_file() as errors:
        process = _started(command, output, errors)
        try:
            status = process.wait(deadline_seconds)
        finally:
            _end(process)
        output.seek(0)
        errors.seek(0)
        return output.read(), errors.read(), status


def _started(command: list[str], output: BinaryIO, errors: BinaryIO) -> "subprocess.Popen[bytes]":
    """The process. Raises OSError if there can be none.

    It is started in a greenlet of its own: whoever waits may be killed when the process is there
    already, but not yet known to anybody.
    """

    def start() -> "subprocess.Popen[bytes] | OSError":
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        except OSError as exc:  # raised again in the greenlet that waits
            return exc

    starting = gevent.spawn(start)
    process: subprocess.Popen[bytes] | OSError
    try:
        process = starting.get()
    except gevent.GreenletExit:
        process = starting.get()  # it takes a moment at most
        if not isinstance(process, OSError):
            _end(process)
        raise
    if isinstance(process, OSError):
        raise process
    return process


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process and whatever it has started, and reap it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _memory_file() -> BinaryIO:
    """A file that needs no disk: only the store can be counted on to be writable."""
    return os.fdopen(os.memfd_create("wubloader"), "w+b")
