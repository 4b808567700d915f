"""Where a stream is that streamlink can open; see `downloader.providers.tool`."""

import sys
from dataclasses import dataclass
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

    def __init__(self, rewrite: "Rewrite") -> None:
        super().__init__()
        self._rewrite = rewrite

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        request.url = self._rewrite.apply(request.url or "")
        return super().send(request, *args, **kwargs)


@dataclass(frozen=True)
class Rewrite:
    """What begins with `old`, without regard to case, begins with `new` instead."""

    old: str
    new: str

    def apply(self, url: str) -> str:
        if url.casefold().startswith(self.old.casefold()):
            return self.new + url[len(self.old) :]
        return url


def find(url: str, rewrites: list[Rewrite]) -> Answer:
    """The master playlist where the site has one, else a variant for each stream."""
    # A node has no browser, and a site that wants one would keep us beyond our deadline.
    session = Streamlink({"webbrowser": False})
    for rewrite in rewrites:
        session.http.mount(rewrite.old, Rewriter(rewrite))
    try:
        streams = session.streams(url)
    except StreamlinkError as exc:
        return {"error": str(exc), "offline": False}
    if not streams:
        return {"error": f"{url} is not live", "offline": True}
    hls = {name: stream for name, stream in streams.items() if isinstance(stream, HLSStream)}
    if not hls:
        return {"error": f"{url} has no HLS stream with picture and sound", "offline": False}
    return _answer(hls, rewrites)


def _answer(hls: dict[str, HLSStream], rewrites: list[Rewrite]) -> Answer:
    best = hls.get("best") or next(iter(hls.values()))
    master = _master(best)
    if master:
        return {"master": _rewritten(master, rewrites)}
    return {
        "variants": [
            {
                "url": _rewritten(stream.url, rewrites),
                "names": [name],
                "bandwidth": int(stream is best),
            }
            for name, stream in hls.items()
            if name not in _SYNONYMS
        ]
    }


def _master(stream: HLSStream) -> str | None:
    try:
        return str(stream.to_manifest_url())
    except TypeError:  # how streamlink says that there is none
        return None


def _rewritten(url: str, rewrites: list[Rewrite]) -> str:
    """We ask for the playlists ourselves, and where streamlink would have asked for them."""
    for rewrite in rewrites:
        url = rewrite.apply(url)
    return url


def main() -> int:
    parser = tool.new_parser()
    parser.add_argument("--rewrite", action="append", default=[], metavar="FROM=TO")
    return tool.answer(
        parser,
        lambda arguments: find(
            arguments.url, [Rewrite(*rewrite.split("=", 1)) for rewrite in arguments.rewrite]
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
