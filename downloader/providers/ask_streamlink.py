"""Where a stream is that streamlink can open; see `downloader.providers.tool`."""

import sys
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from streamlink.exceptions import StreamlinkError
from streamlink.session import Streamlink
from streamlink.stream.hls import HLSStream

from downloader.providers import tool
from downloader.providers.tool import Answer

_SYNONYMS = {"best", "worst", "best-unfiltered", "worst-unfiltered"}


class Rewriter(HTTPAdapter):
    """Sends what is meant for one place to another: a mirror, or a test."""

    def __init__(self, old: str, new: str) -> None:
        super().__init__()
        self._old, self._new = old, new

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        # requests matches without regard to case; the length is the same in any case.
        request.url = self._new + (request.url or "")[len(self._old) :]
        return super().send(request, *args, **kwargs)


def find(url: str, rewrites: list[str]) -> Answer:
    """The master playlist where the site has one, else a variant for each stream."""
    # A node has no browser, and a site that wants one would keep us beyond our deadline.
    session = Streamlink({"webbrowser": False})
    for rewrite in rewrites:
        old, _, new = rewrite.partition("=")
        session.http.mount(old, Rewriter(old, new))
    try:
        streams = session.streams(url)
    except StreamlinkError as exc:
        return {"error": str(exc), "offline": False}
    if not streams:
        return {"error": f"{url} is not live", "offline": True}
    hls = {name: stream for name, stream in streams.items() if isinstance(stream, HLSStream)}
    if not hls:
        return {"error": f"{url} has no HLS stream with picture and sound", "offline": False}
    return _answer(hls)


def _answer(hls: dict[str, HLSStream]) -> Answer:
    best = hls.get("best") or next(iter(hls.values()))
    if best.url_master:
        return {"master": best.url_master}
    return {
        "variants": [
            {"url": stream.url, "names": [name], "bandwidth": int(stream is best)}
            for name, stream in hls.items()
            if name not in _SYNONYMS
        ]
    }


def main() -> int:
    parser = tool.new_parser()
    parser.add_argument("--rewrite", action="append", default=[], metavar="FROM=TO")
    return tool.answer(parser, lambda arguments: find(arguments.url, arguments.rewrite))


if __name__ == "__main__":
    sys.exit(main())
