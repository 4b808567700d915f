"""What an upload location must offer, whatever it is.

The order of a publication, and what each step may leave behind when the process dies in it:

1. `scratch` gives a file to cut into. A file left behind is removed by the next `sweep`.
2. `begin` returns the *session*: a JSON object with all that is needed to find out later whether
   the upload happened (size and SHA-256 among it). Nothing is published.
3. The session is stored in the event, which is FINALIZING from then on.
4. `commit` publishes. From its begin on only `ask` tells what happened.
5. `ask` answers for a session, again and again, whoever asks. Where it answers ABSENT, the commit
   that it was asked about can't succeed any more.
6. `describe` makes title, description and tags at the location those of the event; doing it twice
   does no harm.

All of these block and are called in a thread. Errors of the location are OSError or one of ours;
they mean "try again later", never "it did not happen".
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from common.media.request import CutType
from cutter.event import Event
from cutter.job import Answer


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A location's answer. `video_id` and `video_link` are set unless it is ABSENT or REFUSED."""

    answer: Answer
    video_id: str = ""
    video_link: str = ""
    reason: str = ""


class Backend(Protocol):
    """One upload location of this cutter."""

    cut_type: CutType
    ffmpeg_args: tuple[str, ...]
    """For a custom cut, else empty."""

    def sweep(self) -> int:
        """Remove what a crash of this cutter left; returns the number of files."""
        ...

    def scratch(self, event: Event) -> AbstractContextManager[Path]:
        """A path to cut into; what is still there at the end is removed."""
        ...

    def begin(self, event: Event, file: Path) -> Mapping[str, Any]:
        """Prepare the upload of `file` and return the session."""
        ...

    def commit(self, session: Mapping[str, Any]) -> None:
        """Publish."""
        ...

    def can_ask(self, session: Mapping[str, Any]) -> bool:
        """Whether this location of this cutter can answer for `session` at all."""
        ...

    def ask(self, session: Mapping[str, Any]) -> Upload:
        """What became of the upload."""
        ...

    def describe(self, event: Event, video_id: str) -> None:
        """Make title, description and tags of the published video those of the event."""
        ...
