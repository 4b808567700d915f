"""Finding a channel's stream."""

from typing import Protocol

from common.errors import WubloaderError
from downloader.hls import Variant


class StreamNotFound(WubloaderError):
    """The stream cannot be found now. `offline` is true if the site says that it is off the air,
    false if asking failed.
    """

    def __init__(self, reason: str, *, offline: bool) -> None:
        super().__init__(reason)
        self.offline = offline


class Provider(Protocol):
    """Knows where one channel's stream is."""

    def find(self) -> list[Variant]:
        """The stream's variants, with fresh addresses. Raises StreamNotFound."""
