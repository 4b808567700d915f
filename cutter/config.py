"""Settings of the cutter, parsed into frozen objects; everything wrong is a ConfigError."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import ConfigError
from common.media.external import MUXERS
from common.media.request import CUT_TYPES, CutType

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", re.ASCII)
_LOCAL_KEYS = {
    *("type", "path", "cut_type", "ffmpeg_args", "container", "url_prefix", "write_info"),
}
# What a video file can be made of; the original's configurations say `full` for our `mp4`.
_CUT_TYPES = {
    "full": CutType.MP4,
    **{name: CutType(name) for name in CUT_TYPES},
    "archive": CutType.ARCHIVE,
}


@dataclass(frozen=True, kw_only=True)
class LocalLocation:
    """An upload location of type `local`: see `cutter.backends.local`.

    `ffmpeg_args` is empty unless `cut_type` is CUSTOM; `suffix` ends the names of videos.
    """

    path: Path
    cut_type: CutType
    ffmpeg_args: tuple[str, ...]
    suffix: str
    url_prefix: str | None
    write_info: bool


@dataclass(frozen=True, kw_only=True)
class CutterConfig:
    """`locations` by their names; times in seconds; `creds` is a file for locations that log in."""

    name: str
    locations: Mapping[str, LocalLocation]
    creds: Path | None
    database: str
    base_dir: Path
    metrics_host: str
    metrics_port: int
    lease_seconds: float
    poll_seconds: float


def check_name(name: str) -> str:
    """The cutter's name, if it can be one. It stands in file names and in whitelists."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"--name {name!r}: take letters, digits, dots, hyphens and underscores, at most 64"
        )
    return name


def parse_locations(text: str) -> dict[str, LocalLocation]:
    """Parse `--config`: JSON, or the path of a file that holds it."""
    source = text if text.lstrip().startswith("{") else _read(Path(text))
    try:
        parsed = json.loads(source)
    except json.JSONDecodeError as exc:
        raise ConfigError(f"--config: not JSON: {exc}") from exc
    if not isinstance(parsed, dict) or not parsed:
        raise ConfigError('--config: must be an object such as {"local": {"type": "local", ...}}')
    return {name: _location(name, fields) for name, fields in parsed.items()}


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"--config: {path} cannot be read: {exc}") from exc


def _location(name: str, fields: Any) -> LocalLocation:
    where = f"--config: location {name!r}"
    if not isinstance(fields, dict):
        raise ConfigError(f"{where}: must be an object")
    if fields.get("type") != "local":
        raise ConfigError(f"{where}: type {fields.get('type')!r} is unknown; there is: local")
    if unknown := sorted(set(fields) - _LOCAL_KEYS):
        raise ConfigError(f"{where}: unknown keys {unknown}; there are {sorted(_LOCAL_KEYS)}")
    cut_type = fields.get("cut_type", CutType.MP4.value)
    if not isinstance(cut_type, str) or cut_type not in _CUT_TYPES:
        raise ConfigError(f"{where}: cut_type {cut_type!r} is none of {', '.join(_CUT_TYPES)}")
    kind = _CUT_TYPES[cut_type]
    arguments = _ffmpeg_args(where, fields)
    if arguments and cut_type != "full":
        raise ConfigError(f"{where}: ffmpeg_args are for the cut_type full")
    if arguments:
        kind = CutType.CUSTOM
    if kind is CutType.SMART and fields.get("container") == "mp4":
        kind = CutType.SMART_MP4
    container = _container(where, fields, arguments, kind)
    return LocalLocation(
        path=Path(_text(where, fields, "path")),
        cut_type=kind,
        ffmpeg_args=arguments,
        suffix=f".{container}" if arguments else kind.suffix,
        url_prefix=_text(where, fields, "url_prefix") if "url_prefix" in fields else None,
        write_info=_flag(where, fields, "write_info"),
    )


def _ffmpeg_args(where: str, fields: Mapping[str, Any]) -> tuple[str, ...]:
    arguments = fields.get("ffmpeg_args", [])
    if not isinstance(arguments, list) or not all(isinstance(text, str) for text in arguments):
        raise ConfigError(f"{where}: ffmpeg_args must be a list of texts")
    return tuple(arguments)


def _container(
    where: str, fields: Mapping[str, Any], arguments: tuple[str, ...], kind: CutType
) -> str:
    if "container" in fields and not arguments and kind is not CutType.SMART_MP4:
        raise ConfigError(f"{where}: container goes with ffmpeg_args, and mp4 with smart")
    container = fields.get("container", "mp4")
    if not isinstance(container, str) or container not in MUXERS:
        raise ConfigError(f"{where}: container {container!r} is none of {', '.join(MUXERS)}")
    return container


def _text(where: str, fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where}: {key} must be a text")
    return value


def _flag(where: str, fields: Mapping[str, Any], key: str) -> bool:
    value = fields.get(key, False)
    if not isinstance(value, bool):
        raise ConfigError(f"{where}: {key} must be true or false")
    return value
