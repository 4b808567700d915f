"""Rows as the JSON that editors read. Pure."""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from common.times import format_time, from_datetime
from thrimshim.edits import Rules


def event_document(row: Mapping[str, Any]) -> dict[str, Any]:
    """An event in JSON's types: times as text, ranges as pairs, images as base64."""
    document = {name: _plain(value) for name, value in row.items()}
    if row.get("video_ranges") is not None:
        document["video_ranges"] = [
            [_plain(start), _plain(end)] for start, end in row["video_ranges"]
        ]
    if row.get("video_transitions") is not None:
        document["video_transitions"] = [
            None if entry is None else [entry[0], entry[1].total_seconds()]
            for entry in row["video_transitions"]
        ]
    return document


def settings_document(rules: Rules, bustime_start: str | None) -> dict[str, Any]:
    """What an editor's page needs to know of this installation; the default location is first."""
    others = [name for name in rules.upload_locations if name != rules.default_location]
    return {
        "video_channel": rules.channel,
        "video_quality": rules.quality,
        "bustime_start": bustime_start,
        "title_prefix": rules.title_prefix,
        "title_max_length": rules.title_max_length,
        "upload_locations": [rules.default_location, *others],
    }


def editing_document(
    row: Mapping[str, Any], rules: Rules, bustime_start: str | None
) -> dict[str, Any]:
    """One event with the settings; the event's own channel and quality win where it has them."""
    document = event_document(row)
    for name, value in settings_document(rules, bustime_start).items():
        if document.get(name) is None:
            document[name] = value
    return document


def history_document(rows: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def encode(document: Any) -> tuple[str, str]:
    """The JSON text, and an ETag of it."""
    text = json.dumps(document, separators=(",", ":"))
    return text, hashlib.sha256(text.encode()).hexdigest()[:32]


def difference_text(changed: Mapping[str, tuple[Any, Any]]) -> str:
    """The answer to an edit that was begun on given columns that have changed since."""
    lines = ["the event was changed while you were editing it:"]
    lines += [
        f"{name}: was {json.dumps(_plain(seen))}, is now {json.dumps(_plain(now))}"
        for name, (seen, now) in changed.items()
    ]
    lines.append("look at the changes and submit again with override_changes")
    return "\n".join(lines)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_time(from_datetime(value))
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode("ascii")
    return value
