"""Settings of thrimshim."""

from dataclasses import dataclass
from pathlib import Path

from thrimshim.edits import Rules


@dataclass(frozen=True, kw_only=True)
class Config:
    """`restreamer_url` is where browsers reach this node's restreamer. `player_folder` holds
    hls.js's distribution, if the set-up installed it. `bustime_start` is shown to editors as the
    moment from which the stream counts its own time.
    """

    database: str
    host: str
    port: int
    authentication: bool
    bustime_start: str | None
    rules: Rules
    restreamer_url: str
    player_folder: Path
    log_level: str
