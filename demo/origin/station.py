"""The station: offers complete segments to the broadcast as time passes, and gives out bytes."""

from common.errors import BadParameter
from common.segments.path import hash_bytes
from common.times import SECOND
from demo.origin.broadcast import Broadcast, Entry, Offer
from demo.origin.clock import Clock
from demo.origin.encoder import RENDITIONS
from demo.origin.material import Material
from demo.origin.ts import split_tables

INIT = "init.ts"


class Station:
    """One stream on the air."""

    def __init__(self, material: Material, clock: Clock, broadcast: Broadcast) -> None:
        self.material = material
        self.clock = clock
        self.broadcast = broadcast
        self._offered = 0

    def catch_up(self) -> None:
        """Offer everything that has become complete, each at the time when it did."""
        now = self.clock.now()
        complete = self.material.complete(now)
        for index in range(self._offered, complete):
            start = self.material.start(index)
            offer = Offer(
                index=index,
                start=start,
                duration=self.material.start(index + 1) - start,
                at=self.material.complete_at(index),
                hashes=self._hashes(index),
            )
            self.broadcast.offer(offer)
        self._offered = max(self._offered, complete)
        self.broadcast.settle(now)

    def window(self) -> list[Entry]:
        """What is listed now."""
        self.catch_up()
        return self.broadcast.window

    def content(self, quality: str, name: str) -> bytes:
        """The bytes behind a segment's URL. Raises FileNotFoundError if there are none."""
        if quality not in {rendition.name for rendition in RENDITIONS}:
            raise FileNotFoundError(quality)
        if name == INIT:
            return split_tables(self.material.read(quality, max(0, self._offered - 1)))[0]
        stem = name.removesuffix(".ts")
        if not stem.isdecimal() or int(stem) >= self._offered:
            raise FileNotFoundError(name)
        data = self.material.read(quality, int(stem))
        return split_tables(data)[1] if self.broadcast.state.map else data

    def new_query(self) -> str:
        """What the master playlist adds to its URLs: a fresh token, if there are tokens.

        A token is the time of its expiry in microseconds; nobody forges tokens here.
        """
        seconds = self.broadcast.state.token_seconds
        if seconds is None:
            return ""
        return f"?token={self.clock.now() + round(seconds * SECOND)}"

    def may_use(self, token: str | None) -> bool:
        """Whether a URL with this token still works. Raises BadParameter if it is none of ours."""
        if self.broadcast.state.token_seconds is None:
            return True
        if token is None:
            return False
        if not token.isdecimal():
            raise BadParameter("token", "it is not one that this origin gave out")
        return self.clock.now() < int(token)

    def _hashes(self, index: int) -> dict[str, str]:
        return {
            quality: hash_bytes(self.material.read(quality, index))
            for quality in (rendition.name for rendition in RENDITIONS)
        }
