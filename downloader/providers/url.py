"""Any HLS playlist: a master playlist, or a media playlist as the only variant."""

from common.errors import BadStatus, FetchError
from common.http import HttpClient
from downloader.hls import BadPlaylist, Variant, parse_variants
from downloader.providers.base import StreamNotFound

_OFF_THE_AIR = frozenset({404, 410})


class UrlProvider:
    """Reads the playlist anew each time, since it may hand out addresses that expire."""

    def __init__(self, url: str, http: HttpClient, *, deadline_seconds: float) -> None:
        self._url = url
        self._http = http
        self._deadline_seconds = deadline_seconds

    def find(self) -> list[Variant]:
        return read_variants(self._url, self._http, self._deadline_seconds)


def read_variants(url: str, http: HttpClient, deadline_seconds: float) -> list[Variant]:
    """Raises StreamNotFound."""
    try:
        with http.get(url, deadline_seconds=deadline_seconds) as response:
            return parse_variants(response.text(), response.url)
    except BadStatus as exc:
        raise StreamNotFound(str(exc), offline=exc.status in _OFF_THE_AIR) from exc
    except (FetchError, BadPlaylist) as exc:
        raise StreamNotFound(str(exc), offline=False) from exc
