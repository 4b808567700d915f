"""Where a stream is that yt-dlp can open; see `downloader.providers.tool`."""

import sys

from yt_dlp import YoutubeDL
from yt_dlp.utils import YoutubeDLError

from downloader.providers import tool
from downloader.providers.tool import Answer

_HLS_PROTOCOLS = {"m3u8", "m3u8_native"}
_NOT_LIVE = {"is_upcoming", "post_live", "was_live", "not_live"}
_OFFLINE_WORDS = ("not currently live", "offline", "will begin in")


def find(url: str) -> Answer:
    """The formats that are HLS with both picture and sound."""
    options = {
        "quiet": True,
        "no_warnings": True,
        "noprogress": True,
        "noplaylist": True,
        "cachedir": False,
    }
    try:
        with YoutubeDL(options) as downloader:
            info = downloader.extract_info(url, download=False)
    except YoutubeDLError as exc:
        text = str(exc)
        return {"error": text, "offline": any(word in text for word in _OFFLINE_WORDS)}
    return answer_of_info(info or {}, url)


def answer_of_info(info: Answer, url: str) -> Answer:
    """What yt-dlp says of a stream as our answer. The recording of one that is over is not live."""
    if info.get("live_status") in _NOT_LIVE:
        return {"error": f"{url} is not live", "offline": True}
    return variants_of_formats(info.get("formats") or [], url)


def variants_of_formats(formats: list[Answer], url: str) -> Answer:
    """yt-dlp's list of formats, which ends with the best, as our answer, which begins with it: if
    no bandwidth is known, the first is `source`.
    """
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
            for entry in reversed(muxed)
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
    return tool.answer(tool.new_parser(), lambda arguments: find(arguments.url))


if __name__ == "__main__":
    sys.exit(main())
