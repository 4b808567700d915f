"""What editors send: JSON into valid values, or an error that says what to do. Pure.

In JSON, times are ISO 8601 in UTC, `video_ranges` is `[[start, end], ...]`, `video_transitions` is
`[null or [type, seconds], ...]`, images are base64.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from common.errors import BadParameter
from common.events import EDIT_COLUMNS, GIVEN_COLUMNS, MODIFIABLE_COLUMNS, EventState
from common.media.parts import arrange
from common.media.transitions import check_transition
from common.times import SECOND, Micros, from_datetime, parse_time, to_datetime

_LINK = re.compile(r"https?://[^\s]+", re.IGNORECASE)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_MAX_IMAGE_BYTES = 8 * 1024 * 1024
_MAX_RANGES = 1000
# A transition is whole frames: as far as times tell, it may be this much longer than its range.
_ONE_FRAME: Micros = SECOND // 20
_PNG = b"\x89PNG\r\n\x1a\n"


class InvalidEdit(ValueError):
    """The edit cannot be taken; `problems` are sentences for the editor."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _time(value: object) -> datetime:
    if isinstance(value, datetime):
        return to_datetime(from_datetime(value))
    if not isinstance(value, str):
        # pydantic makes an answer of ValueError only.
        raise ValueError(  # noqa: TRY004
            "write a time as text, such as 2026-07-01T12:00:00"
        )
    return to_datetime(parse_time(value))


def _image(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise ValueError("write an image as base64 text")  # noqa: TRY004
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ValueError("the image is not base64") from exc
    if not data.startswith(_PNG):
        raise ValueError("the image is not a PNG file")
    if len(data) > _MAX_IMAGE_BYTES:
        raise ValueError(f"the image is larger than {_MAX_IMAGE_BYTES} bytes")
    return data


def _clean(value: object) -> object:
    """Postgres stores neither NUL nor half a surrogate pair, and no text of ours needs them."""
    if isinstance(value, str) and _UNSTORABLE.search(value):
        raise ValueError("there is a NUL character or half a surrogate pair in it")
    return value


Time = Annotated[datetime, BeforeValidator(_time, json_schema_input_type=str)]
Image = Annotated[bytes, BeforeValidator(_image, json_schema_input_type=str)]
Text = Annotated[str, BeforeValidator(_clean), Field(max_length=20_000)]
Names = Annotated[list[Text], Field(max_length=200)]
Seconds = Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)]
Coordinate = Annotated[int, Field(ge=0, le=10_000)]
Box = Annotated[list[Coordinate], Field(min_length=4, max_length=4)]
_RESERVED_IDS = {"defaults", "transitions", "templates", "auth-test", "manual-link", "reset"}


def _not_reserved(value: str) -> str:
    if value in _RESERVED_IDS:
        raise ValueError(f"{value!r} is the name of something else in this API")
    return value


EventId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")]


class Given(BaseModel):
    """What whoever noted the moment says of it."""

    model_config = ConfigDict(extra="ignore")

    sheet_name: Text = ""
    event_start: Time | None = None
    event_end: Time | None = None
    category: Text = ""
    description: Text = ""
    submitter_winner: Text = ""
    poster_moment: bool = False
    image_links: Names = []
    notes: Text = ""
    tags: Names = []


class NewEvent(Given):
    """The body of `POST /thrimshim`. Without an `id` the event gets a UUID."""

    id: Annotated[EventId, AfterValidator(_not_reserved)] | None = None


class Edit(BaseModel):
    """The body of `POST /thrimshim/ID`.

    `state` says what it is: UNEDITED a draft, EDITED a complete edit, MODIFIED a change of a
    published video. The given columns, where they are sent, are those that the editor saw: an edit
    that was begun on others is refused unless `override_changes`.
    """

    model_config = ConfigDict(extra="ignore")

    state: Literal["UNEDITED", "EDITED", "MODIFIED"]
    override_changes: bool = False

    allow_holes: bool = False
    uploader_whitelist: Names | None = None
    upload_location: Text | None = None
    public: bool = True
    video_ranges: Annotated[list[tuple[Time, Time]], Field(max_length=_MAX_RANGES)] | None = None
    video_transitions: (
        Annotated[list[tuple[Text, Seconds] | None], Field(max_length=_MAX_RANGES)] | None
    ) = None
    video_title: Text | None = None
    video_description: Text | None = None
    video_tags: Names | None = None
    video_channel: Text | None = None
    video_quality: Text | None = None
    thumbnail_mode: Literal["NONE", "BARE", "TEMPLATE", "CUSTOM"] = "NONE"
    thumbnail_time: Time | None = None
    thumbnail_template: Text | None = None
    thumbnail_image: Image | None = None
    thumbnail_crop: Box | None = None
    thumbnail_location: Box | None = None

    sheet_name: Text | None = None
    event_start: Time | None = None
    event_end: Time | None = None
    category: Text | None = None
    description: Text | None = None
    submitter_winner: Text | None = None
    poster_moment: bool | None = None
    image_links: Names | None = None
    notes: Text | None = None
    tags: Names | None = None


class ManualLink(BaseModel):
    """The body of `POST /thrimshim/manual-link/ID`."""

    model_config = ConfigDict(extra="ignore")

    link: Text
    upload_location: Text = "manual"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What this installation demands of an edit."""

    channel: str
    quality: str
    upload_locations: tuple[str, ...]
    default_location: str
    title_prefix: str
    title_max_length: int


def column_values(edit: Edit, rules: Rules) -> dict[str, Any]:
    """The edit's columns as the database takes them, with defaults for what was left out.

    Raises InvalidEdit if the edit is not a draft and cannot be cut and published as it is.
    """
    values: dict[str, Any] = {name: getattr(edit, name) for name in EDIT_COLUMNS}
    values["uploader_whitelist"] = edit.uploader_whitelist or None
    if edit.state == EventState.UNEDITED.value:
        return _with_stored_types(values)
    values["video_channel"] = edit.video_channel or rules.channel
    values["video_quality"] = edit.video_quality or rules.quality
    values["upload_location"] = edit.upload_location or rules.default_location
    if edit.video_transitions is None and edit.video_ranges:
        values["video_transitions"] = [None] * (len(edit.video_ranges) - 1)
    problems = _problems(edit, values, rules)
    if problems:
        raise InvalidEdit(problems)
    return _with_stored_types(values)


def modified_values(edit: Edit, rules: Rules) -> dict[str, Any]:
    """The columns that a change of a published video sets. Raises InvalidEdit."""
    problems = [*_title_problems(edit, rules), *_thumbnail_problems(edit)]
    if problems:
        raise InvalidEdit(problems)
    return {name: getattr(edit, name) for name in MODIFIABLE_COLUMNS}


def check_link(link: str) -> str:
    """Raises InvalidEdit unless it is an http(s) address."""
    if not _LINK.fullmatch(link):
        raise InvalidEdit(["link: give the video's address, beginning with https://"])
    return link


def changed_given(edit: Edit, row: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Given columns that are not what the editor saw: {column: (seen, now)}."""
    return {
        name: (getattr(edit, name), row[name])
        for name in GIVEN_COLUMNS
        if name in edit.model_fields_set and getattr(edit, name) != row[name]
    }


def _with_stored_types(values: dict[str, Any]) -> dict[str, Any]:
    """Composite values as tuples of what Postgres' types hold."""
    transitions = values["video_transitions"]
    if transitions is not None:
        values["video_transitions"] = [
            None if entry is None else (entry[0], timedelta(seconds=entry[1]))
            for entry in transitions
        ]
    if values["video_ranges"] is None or transitions is None:
        return values
    if len(transitions) != max(len(values["video_ranges"]) - 1, 0):
        raise InvalidEdit(["video_transitions: there is one between each range and the next"])
    return values


def _problems(edit: Edit, values: Mapping[str, Any], rules: Rules) -> list[str]:
    problems = _range_problems(edit)
    problems += _transition_problems(edit)
    problems += _title_problems(edit, rules)
    problems += _thumbnail_problems(edit)
    if values["upload_location"] not in rules.upload_locations:
        known = ", ".join(rules.upload_locations)
        problems.append(
            f"upload_location: {values['upload_location']!r} is none of those there are: {known}"
        )
    return problems


def _range_problems(edit: Edit) -> list[str]:
    if not edit.video_ranges:
        return ["video_ranges: choose at least one range"]
    return [
        f"video_ranges: range {number} ends before it starts, or is empty"
        for number, (start, end) in enumerate(edit.video_ranges, 1)
        if start >= end
    ]


def _transition_problems(edit: Edit) -> list[str]:
    """A transition that there is not, or that is longer than a range beside it."""
    transitions = edit.video_transitions or []
    problems = []
    for number, entry in enumerate(transitions, 1):
        if entry is not None:
            try:
                check_transition(*entry)
            except BadParameter as exc:
                problems.append(f"video_transitions: transition {number}: {exc.reason}")
    ranges = edit.video_ranges or []
    lengths = [from_datetime(end) - from_datetime(start) for start, end in ranges]
    if problems or len(transitions) != len(ranges) - 1 or any(length <= 0 for length in lengths):
        return problems
    overlaps = [0 if entry is None else _overlap(entry[1]) for entry in transitions]
    try:
        arrange(lengths, overlaps)
    except BadParameter as exc:
        return [f"video_transitions: {exc.reason}"]
    return []


def _overlap(seconds: float) -> Micros:
    return max(round(seconds * SECOND) - _ONE_FRAME, 0)


def _title_problems(edit: Edit, rules: Rules) -> list[str]:
    title = (edit.video_title or "").strip()
    if not title:
        return ["video_title: give the video a title"]
    longest = rules.title_max_length - len(rules.title_prefix)
    if len(title) > longest:
        return [f"video_title: it has {len(title)} characters, at most {longest} fit"]
    return []


def _thumbnail_problems(edit: Edit) -> list[str]:
    mode = edit.thumbnail_mode
    problems = []
    if mode in {"BARE", "TEMPLATE"} and edit.thumbnail_time is None:
        problems.append("thumbnail_time: choose the frame for the thumbnail")
    if mode == "TEMPLATE" and not edit.thumbnail_template:
        problems.append("thumbnail_template: choose a template")
    if mode == "CUSTOM" and edit.thumbnail_image is None:
        problems.append("thumbnail_image: give the image")
    return problems
