"""What is to be fetched from one node, in order: newest hours first.

Each hour's segments are kept by name only while there are not too many in all; an hour beyond that
is kept as a number, and listed again when its turn comes. So an empty node that finds weeks to
fetch needs no more memory than one that lacks an hour.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import gevent
from gevent.event import Event

from backfiller.plan import Wanted

MOST_NAMES = 20_000
"""Names that are kept for a node."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """An hour of a quality. The hour is first: it decides the order."""

    hour: str
    channel: str
    quality: str

    @property
    def path(self) -> tuple[str, str]:
        """As `ObjectPatience` knows it."""
        return f"{self.channel}/{self.quality}", self.hour


@dataclass(slots=True, kw_only=True)
class _Hour:
    """`wanted` is None where the hour is to be listed again; `theirs` is the other's digest."""

    theirs: int
    count: int
    wanted: list[Wanted] | None


@dataclass(frozen=True, slots=True)
class Task:
    """One segment to fetch; or, with None, an hour to list again."""

    place: Place
    wanted: Wanted | None


@dataclass
class Claims:
    """What is being fetched just now, from whichever node: nothing is fetched twice at a time."""

    names: set[tuple[Place, str]] = field(default_factory=set)


class WorkList:
    """See the module's description. Greenlets share it; it never waits but in `wait`."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._hours: dict[Place, _Hour] = {}
        self._kept = 0
        self._listing: set[Place] = set()
        self._changed = Event()
        self.in_hand = 0
        """Tasks that were taken and not finished."""

    def put(
        self, place: Place, theirs: int, wanted: Iterable[Wanted], *, keep: bool = False
    ) -> None:
        """Replace what is to be fetched of an hour; its names are kept if there is room for them,
        or with `keep` in any case.
        """
        self.drop(place)
        found = list(wanted)
        if not found:
            return
        # The newest hours come first, in a look as in the work, so it is old ones that are let go.
        kept = keep or self._kept + len(found) <= MOST_NAMES
        self._hours[place] = _Hour(theirs=theirs, count=len(found), wanted=found if kept else None)
        self._kept += len(found) if kept else 0
        self._changed.set()

    def drop(self, place: Place) -> None:
        known = self._hours.pop(place, None)
        if known is not None and known.wanted is not None:
            self._kept -= len(known.wanted)

    def is_pending(self, place: Place, theirs: int) -> bool:
        """Whether work on the hour is planned already, from the very names that the node has."""
        known = self._hours.get(place)
        return known is not None and known.theirs == theirs

    def missing(self, channel: str, quality: str) -> int:
        """How many segments of a quality are still to be fetched."""
        return sum(
            hour.count if hour.wanted is None else len(hour.wanted)
            for place, hour in self._hours.items()
            if (place.channel, place.quality) == (channel, quality)
        )

    def take(self, must_wait: Callable[[Place], bool]) -> Task | None:
        """The next task that need not wait, if there is one. Call `finish` with it afterwards."""
        for place in self._in_order():
            if not must_wait(place):
                task = self._take_from(place, self._hours[place])
                if task is not None:
                    self.in_hand += 1
                    return task
        return None

    def has_any(self, must_wait: Callable[[Place], bool]) -> bool:
        """Whether there is a task that need not wait, or that somebody else has in hand."""
        return any(not must_wait(place) for place in self._hours)

    def finish(self, task: Task) -> None:
        self.in_hand -= 1
        if task.wanted is None:
            self._listing.discard(task.place)
        else:
            self._claims.names.discard((task.place, task.wanted.segment.name))
        self._changed.set()

    def wait(self, timeout_seconds: float) -> None:
        """Until something may have changed."""
        self._changed.clear()
        self._changed.wait(timeout_seconds)
        gevent.sleep(0)

    def _in_order(self) -> Iterator[Place]:
        # By hour only: between qualities the order in which they came.
        return iter(sorted(self._hours, key=lambda place: place.hour, reverse=True))

    def _take_from(self, place: Place, hour: _Hour) -> Task | None:
        if hour.wanted is None:
            if place in self._listing:
                return None
            self._listing.add(place)
            return Task(place, None)
        for index in range(len(hour.wanted) - 1, -1, -1):
            claim = (place, hour.wanted[index].segment.name)
            if claim not in self._claims.names:
                self._claims.names.add(claim)
                wanted = hour.wanted.pop(index)
                self._kept -= 1
                if not hour.wanted:
                    del self._hours[place]
                return Task(place, wanted)
        return None
