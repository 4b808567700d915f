"""The origin's settings."""

from dataclasses import dataclass
from pathlib import Path

from common.times import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """`recorded` None encodes live into `work_dir`; otherwise the set in that folder is served,
    beginning at `start` (None: now), on a clock that runs at `speed`.
    """

    host: str
    port: int
    work_dir: Path | None
    recorded: Path | None
    start: Micros | None
    speed: float
    window_segments: int
    token_seconds: float | None
    log_level: str
