"""Where a stream is that yt-dlp can open; see `downloader.providers.tool`."""

import sys

from yt_dlp import YoutubeDL
from yt_dlp.utils import YoutubeDLError

from downloader.providers import tool
from downloader.providers.formats import answer_of_info
from downloader.providers.tool import Answer

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


def main() -> int:
    return tool.answer(tool.new_parser(), lambda arguments: find(arguments.url))


if __name__ == "__main__":
    sys.exit(main())
