"""What becomes of an event after each thing that can happen to a cutter. Pure decisions.

    CLAIMED      a failure leads to EDITED (worth another try) or UNEDITED (an editor must act)
    FINALIZING   only the upload location's answer leads on
    TRANSCODING  likewise
    MODIFIED     DONE once the change is applied

A failure in FINALIZING, TRANSCODING or MODIFIED changes nothing: the lease is given up, and whoever
comes next asks or applies again. A lost lease changes nothing anywhere: the row is someone else's.
"""

import errno
import os
from dataclasses import dataclass
from enum import Enum

from common.errors import BadParameter, HolesNotAllowed, LeaseLost, MediaError, WubloaderError
from common.events import EventState

MEDIA_ATTEMPTS = 3
"""How often one cutter tries an edit whose cut breaks before it tells the editor."""


class Stopping(WubloaderError):
    """The service stops: hand back what is in hand."""


class Failure(Enum):
    """Why a cutter could not go on."""

    NOT_AS_EDITED = "not_as_edited"
    """No cutter can cut this edit."""
    MISSING_HERE = "missing_here"
    """This node lacks segments; another may have them, and backfill may bring them."""
    MEDIA = "media"
    """Cutting broke, because of the media or by chance (an encoder that was killed)."""
    NODE = "node"
    """Something around the cutter failed: the disk, the network, the upload location."""
    STOPPING = "stopping"
    """The service stops."""
    LEASE_LOST = "lease_lost"
    """The event was reset, or the lease ran out."""


class Answer(Enum):
    """What an upload location says of an upload that had begun."""

    PUBLISHED = "published"
    PROCESSING = "processing"
    ABSENT = "absent"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The event's next state, or None to leave the row alone; `error` is for the editor."""

    state: EventState | None
    error: str | None = None


def classify(error: BaseException) -> Failure:
    """Which failure an exception is. What we do not know is the node's trouble, and tried again."""
    if is_disk_full(error):
        return Failure.NODE
    kinds: tuple[tuple[type[BaseException], Failure], ...] = (
        (LeaseLost, Failure.LEASE_LOST),
        (Stopping, Failure.STOPPING),
        (HolesNotAllowed, Failure.MISSING_HERE),
        (BadParameter, Failure.NOT_AS_EDITED),
        (MediaError, Failure.MEDIA),
    )
    return next((failure for kind, failure in kinds if isinstance(error, kind)), Failure.NODE)


def is_disk_full(error: BaseException) -> bool:
    """Whether there was no room. The encoding process tells of that in words only."""
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    texts = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))
    return isinstance(error, MediaError) and any(text in str(error) for text in texts)


def after_failure(
    state: EventState, failure: Failure, *, reason: str = "", attempts: int = 1
) -> Decision:
    """Where an event in `state` goes after `failure`.

    `reason` is the failure in words; `attempts` counts how often this edit's cut has broken here,
    this time included.
    """
    if failure is Failure.LEASE_LOST:
        return Decision(state=None)
    if state is not EventState.CLAIMED:
        return Decision(state=state)
    if failure is Failure.NOT_AS_EDITED:
        return Decision(state=EventState.UNEDITED, error=f"This edit cannot be cut: {reason}")
    if failure is Failure.MEDIA and attempts >= MEDIA_ATTEMPTS:
        return Decision(
            state=EventState.UNEDITED,
            error=f"Cutting broke {attempts} times, last with: {reason}. "
            "Try a slightly different range, or another quality.",
        )
    if failure is Failure.MISSING_HERE:
        return Decision(state=EventState.EDITED, error=missing_text(reason))
    return Decision(state=EventState.EDITED)


def missing_text(reason: str) -> str:
    """What an editor reads while an event waits for segments."""
    return (
        f"Waiting for parts of the recording: {reason}. It is cut as soon as a node has them; "
        "to cut it as it is, reset the event and allow holes."
    )


_AFTER_FINALIZING = {
    Answer.PUBLISHED: EventState.DONE,
    Answer.PROCESSING: EventState.TRANSCODING,
    Answer.ABSENT: EventState.EDITED,
    Answer.REFUSED: EventState.UNEDITED,
}

_AFTER_TRANSCODING = {
    Answer.PUBLISHED: EventState.DONE,
    Answer.PROCESSING: EventState.TRANSCODING,
    Answer.ABSENT: EventState.UNEDITED,
    Answer.REFUSED: EventState.UNEDITED,
}


def after_answer(state: EventState, answer: Answer, *, reason: str = "") -> Decision:
    """Where a FINALIZING or TRANSCODING event goes, now that the upload location has answered."""
    if state is EventState.FINALIZING:
        following = _AFTER_FINALIZING[answer]
    elif state is EventState.TRANSCODING:
        following = _AFTER_TRANSCODING[answer]
    else:
        raise ValueError(f"an event in {state.value} has no upload to ask about")
    if following is EventState.UNEDITED:
        told = reason or "the video is gone"
        return Decision(state=following, error=f"The upload location refused it: {told}")
    return Decision(state=following)
