"""The files that are served: maps, reports and pages, each replaced as a whole.

    BASE/coverage-maps/CHANNEL_QUALITY_coverage.png     the map
    BASE/coverage-maps/CHANNEL_QUALITY_coverage.json    the report
    BASE/coverage-maps/CHANNEL_QUALITY_coverage.html    a page with this quality
    BASE/coverage-maps/CHANNEL_coverage.html            a page with all qualities of the channel
    BASE/coverage-maps/hls.min.js                       their player, where it is installed

All of it can be deleted: what is missing is written again at the next check.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.extras import COVERAGE_MAPS
from common.files import make_durable_folder, write_whole
from segment_coverage.layout import Layout
from segment_coverage.render import draw, png
from segment_coverage.summary import Summary

_PAGE = Path(__file__).parent / "static" / "page.html"
_SETTINGS = "{{ settings }}"
_TITLE = "{{ title }}"


def stem_of(channel: str, quality: str) -> str:
    """What the names of a quality's files begin with."""
    return f"{channel}_{quality}"


def report_name(channel: str, quality: str) -> str:
    return f"{stem_of(channel, quality)}_coverage.json"


class Publisher:
    """Writes below `base_dir`. Every method blocks on the disk, and raises OSError where that does.

    `poll_seconds` is how often pages look for news.
    """

    def __init__(self, base_dir: Path, *, player_file: Path, poll_seconds: float) -> None:
        self._folder = base_dir / COVERAGE_MAPS
        self._player_file = player_file
        self._poll_seconds = poll_seconds

    def write_pages(self, channels: Sequence[str], qualities: Sequence[str]) -> None:
        """The pages, and the player beside them. They do not depend on what is recorded."""
        make_durable_folder(self._folder)
        has_player = self._player_file.exists()
        if has_player:
            self._write_new("hls.min.js", self._player_file.read_bytes())
        for channel in channels:
            self._write_page(channel, channel, qualities, has_player=has_player)
            for quality in qualities:
                stem = stem_of(channel, quality)
                self._write_page(stem, channel, [quality], has_player=has_player)

    def write_map(self, channel: str, quality: str, summary: Summary, layout: Layout) -> None:
        picture = png(draw(f"{channel} / {quality}", summary, layout))
        write_whole(self._map(channel, quality), picture)

    def write_report(self, channel: str, quality: str, report: dict[str, Any]) -> None:
        write_whole(self._folder / report_name(channel, quality), json.dumps(report).encode())

    def has_map(self, channel: str, quality: str) -> bool:
        return self._map(channel, quality).exists()

    def _map(self, channel: str, quality: str) -> Path:
        return self._folder / f"{stem_of(channel, quality)}_coverage.png"

    def _write_page(
        self, stem: str, channel: str, qualities: Sequence[str], *, has_player: bool
    ) -> None:
        settings = {
            "channel": channel,
            "qualities": qualities,
            "pollSeconds": self._poll_seconds,
            "hasPlayer": has_player,
        }
        page = _PAGE.read_text("utf-8").replace(_TITLE, channel)
        page = page.replace(_SETTINGS, json.dumps(settings))  # names of folders hold no markup
        self._write_new(f"{stem}_coverage.html", page.encode())

    def _write_new(self, name: str, data: bytes) -> None:
        """Unless it is there already: browsers keep what has not changed."""
        path = self._folder / name
        if not path.exists() or path.read_bytes() != data:
            write_whole(path, data)
