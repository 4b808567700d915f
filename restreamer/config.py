"""Settings of the restreamer."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Config:
    """See `restreamer.cli` for what each means to an operator."""

    base_dir: Path
    host: str
    port: int
    live_window_seconds: float
    max_cuts: int
    log_level: str
