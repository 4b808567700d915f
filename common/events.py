"""Events: their states, who may change which state into which, and their columns.

An event is one moment worth a video. `docs/DATABASE.md` describes the columns; the migrations in
`common/db/migrations` hold them and check, in the database too, what each state requires.
"""

from enum import Enum


class EventState(Enum):
    """Where an event is on its way to a published video."""

    UNEDITED = "UNEDITED"
    """Waits for an editor. `error` says what was wrong with the last edit, if anything."""
    EDITED = "EDITED"
    """Waits for a cutter."""
    CLAIMED = "CLAIMED"
    """A cutter works on it, under a lease."""
    FINALIZING = "FINALIZING"
    """The step that publishes has begun; whether it happened only the upload location knows."""
    TRANSCODING = "TRANSCODING"
    """Uploaded; the upload location is still processing it."""
    DONE = "DONE"
    """Published; `video_link` says where."""
    MODIFIED = "MODIFIED"
    """Published, and an editor has changed what can be changed afterwards."""


_S = EventState

TRANSITIONS: frozenset[tuple[EventState, EventState]] = frozenset(
    {
        (_S.UNEDITED, _S.EDITED),  # an editor submits a complete edit
        (_S.UNEDITED, _S.DONE),  # an editor gives the link of a video that exists (manual-link)
        (_S.EDITED, _S.UNEDITED),  # an editor resets it
        (_S.EDITED, _S.CLAIMED),  # a cutter takes it
        (_S.CLAIMED, _S.EDITED),  # a failure worth trying again, or the lease ran out
        (_S.CLAIMED, _S.UNEDITED),  # it cannot be cut as edited, or an editor resets it
        (_S.CLAIMED, _S.FINALIZING),  # about to publish
        (_S.FINALIZING, _S.EDITED),  # the upload location does not have it
        (_S.FINALIZING, _S.UNEDITED),  # the upload location refused it
        (_S.FINALIZING, _S.TRANSCODING),  # the upload location has it and processes it
        (_S.FINALIZING, _S.DONE),  # the upload location has it
        (_S.TRANSCODING, _S.DONE),
        (_S.TRANSCODING, _S.UNEDITED),  # processing failed, or it was rejected
        (_S.DONE, _S.MODIFIED),  # an editor changes title, description, tags, thumbnail
        (_S.MODIFIED, _S.DONE),  # a cutter has applied the change
    }
)
"""What may follow what without force. A forced reset leads from every state to UNEDITED."""

RESETTABLE = frozenset({_S.EDITED, _S.CLAIMED})
"""States that an editor may reset without force: nothing has been published yet."""


def may_become(old: EventState, new: EventState, *, force: bool = False) -> bool:
    """Whether the step from `old` to `new` is in the table, or is a forced reset."""
    return (old, new) in TRANSITIONS or (force and new is EventState.UNEDITED)


GIVEN_COLUMNS = (
    "sheet_name",
    "event_start",
    "event_end",
    "category",
    "description",
    "submitter_winner",
    "poster_moment",
    "image_links",
    "notes",
    "tags",
)
"""What whoever noted the moment said of it."""

EDIT_COLUMNS = (
    "allow_holes",
    "uploader_whitelist",
    "upload_location",
    "public",
    "video_ranges",
    "video_transitions",
    "video_title",
    "video_description",
    "video_tags",
    "video_channel",
    "video_quality",
    "thumbnail_mode",
    "thumbnail_time",
    "thumbnail_template",
    "thumbnail_image",
    "thumbnail_crop",
    "thumbnail_location",
)
"""What editors decide."""

MODIFIABLE_COLUMNS = (
    "public",
    "video_title",
    "video_description",
    "video_tags",
    "thumbnail_mode",
    "thumbnail_time",
    "thumbnail_template",
    "thumbnail_image",
    "thumbnail_crop",
    "thumbnail_location",
)
"""The edits that can still be changed once the video is published."""

STATE_COLUMNS = (
    "state",
    "uploader",
    "error",
    "video_id",
    "video_link",
    "editor",
    "edit_time",
    "upload_time",
    "last_modified",
    "thumbnail_last_written",
    "frames_done",
    "frames_total",
)
"""What became of it."""

THUMBNAIL_MODES = ("NONE", "BARE", "TEMPLATE", "CUSTOM")

EVENTS_CHANNEL = "wubloader_events"
"""The channel of NOTIFY; the payload is the event's id and its state, separated by a space."""
