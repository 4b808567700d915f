"""Whether this node has taken the others' tombstones, as the backfiller tells the restreamer.

A node that was away may hold segments that were deleted meanwhile. Its backfiller takes all
tombstones that it can reach before anything else, and until then its restreamer is not ready. The
two share nothing but the store, so it is a file, `BASE/.replication/state.json`:

    {"tombstones": "pending"}      pending, complete, or alone (no other node answered in time)

The backfiller writes it when it starts, and again every few seconds as a sign of life. Where there
is no such file there is no backfiller, and nothing to wait for. A file that nobody has written to
for a minute is one of an earlier life: a restreamer that has just started gives the backfiller a
minute to come up as well.
"""

import json
import time
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path

from common.files import make_durable_folder, write_whole

FOLDER = ".replication"
ALIVE_SECONDS = 60.0
"""A backfiller that has not written for so long is not running."""
SIGN_SECONDS = 10.0
"""How often it writes."""


class Tombstones(Enum):
    """How far the first pass over the other nodes' tombstones is."""

    PENDING = "pending"
    """Not all nodes that answer have been asked yet."""
    COMPLETE = "complete"
    """All that answered have been asked."""
    ALONE = "alone"
    """No other node answered for a minute; what they deleted is not known here."""


def write_state(base_dir: Path, state: Tombstones) -> None:
    """Blocks on the disk. Raises OSError where that does."""
    make_durable_folder(base_dir / FOLDER)
    write_whole(_path(base_dir), json.dumps({"tombstones": state.value}))


class Readiness:
    """The restreamer's side: what is missing, as sentences. `clock` gives Unix seconds."""

    def __init__(self, base_dir: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = _path(base_dir)
        self._clock = clock
        self._started = clock()

    def missing(self) -> Iterable[str]:
        """Nothing once the backfiller has taken the others' tombstones, or where there is none."""
        try:
            age = abs(self._clock() - self._path.stat().st_mtime)
            state = json.loads(self._path.read_text("utf-8")).get("tombstones")
        except (OSError, ValueError, AttributeError):
            return
        if age > ALIVE_SECONDS:
            if self._clock() - self._started < ALIVE_SECONDS:
                yield "the backfiller has not started: tombstones of other nodes may be missing"
        elif state == Tombstones.PENDING.value:
            yield "the backfiller is still taking the tombstones of other nodes"


def _path(base_dir: Path) -> Path:
    return base_dir / FOLDER / "state.json"
