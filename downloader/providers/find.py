"""`python -m downloader.providers.find TOOL URL`: where a stream is, as one JSON object.

    {"master": "https://..."}                                      the master playlist
    {"variants": [{"url": ..., "names": [...], "bandwidth": 0}]}   media playlists
    {"error": "...", "offline": true}                              off the air, or asking failed

Runs unpatched, in a process of its own.
"""

import argparse
import contextlib
import json
import sys
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from streamlink.exceptions import StreamlinkError
from streamlink.session import Streamlink
from streamlink.stream.hls import HLSStream
from yt_dlp import YoutubeDL
from yt_dlp.utils import YoutubeDLError

Answer = dict[str, Any]

_HLS_PROTOCOLS = {"m3u8", "m3u8_native"}


class Rewriter(HTTPAdapter):
    """Sends what is meant for one place to another: a mirror, or a test."""

    def __init__(self, old: str, new: str) -> None:
        super().__init__()
        self._old, self._new = old, new

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        url = request.url or ""
        request.url = self._new + url.removeprefix(self._old)
        return super().send(request, *args, **kwargs)


def find_with_streamlink(url: str, rewrites: list[str]) -> Answer:
    """The master playlist where the site has one, else a variant for each stream."""
    session = Streamlink()
    for rewrite in rewrites:
        old, _, new = rewrite.partition("=")
        session.http.mount(old, Rewriter(old, new))
    try:
        streams = session.streams(url)
    except StreamlinkError as exc:
        return {"error": str(exc), "offline": False}
    hls = {name: stream for name, stream in streams.items() if isinstance(stream, HLSStream)}
    if not hls:
        return {"error": f"{url} is not live", "offline": True}
    best = hls.get("best") or next(iter(hls.values()))
    if best.url_master:
        return {"master": best.url_master}
    variants = [
        {"url": stream.url, "names": [name], "bandwidth": int(stream is best)}
        for name, stream in hls.items()
        if name not in {"best", "worst"}
    ]
    return {"variants": variants or [{"url": best.url, "names": [], "bandwidth": 1}]}


def find_with_yt_dlp(url: str) -> Answer:
    """The formats that are HLS with both picture and sound, or a picture alone."""
    options = {"quiet": True, "no_warnings": True, "noprogress": True, "cachedir": False}
    try:
        with YoutubeDL(options) as tool:
            info = tool.extract_info(url, download=False)
    except YoutubeDLError as exc:
        text = str(exc)
        offline = any(word in text for word in ("not currently live", "offline", "will begin in"))
        return {"error": text, "offline": offline}
    return variants_of_formats((info or {}).get("formats") or [], url)


def variants_of_formats(formats: list[Answer], url: str) -> Answer:
    """yt-dlp's list of formats as our answer; highest bandwidth is `source`."""
    hls = [entry for entry in formats if entry.get("protocol") in _HLS_PROTOCOLS]
    muxed = [entry for entry in hls if "none" not in (entry.get("acodec"), entry.get("vcodec"))]
    if not muxed:
        return {"error": f"{url} has no HLS stream with picture and sound", "offline": not hls}
    return {
        "variants": [
            {
                "url": entry["url"],
                "names": _names(entry),
                "bandwidth": round(float(entry.get("tbr") or 0) * 1000),
            }
            for entry in muxed
        ]
    }


def _names(entry: Answer) -> list[str]:
    names = [str(entry["format_id"])] if entry.get("format_id") else []
    if entry.get("height"):
        names.append(f"{entry['height']}p")
        if entry.get("fps"):
            names.append(f"{entry['height']}p{round(float(entry['fps']))}")
    return names


def main() -> int:
    parser = argparse.ArgumentParser(description="Where a stream is, as JSON.")
    parser.add_argument("tool", choices=("streamlink", "yt-dlp"))
    parser.add_argument("url")
    parser.add_argument("--rewrite", action="append", default=[], metavar="FROM=TO")
    arguments = parser.parse_args()
    # Whatever the tools print goes to standard error; standard output holds the answer alone.
    with contextlib.redirect_stdout(sys.stderr):
        if arguments.tool == "streamlink":
            answer = find_with_streamlink(arguments.url, arguments.rewrite)
        else:
            answer = find_with_yt_dlp(arguments.url)
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
