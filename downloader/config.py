"""Settings of the downloader."""

from dataclasses import dataclass
from pathlib import Path

from downloader.channels import Channel


@dataclass(frozen=True, kw_only=True)
class Timing:
    """All in seconds.

    `renew` is how long an address is trusted before a fresh one is taken; `poll_limit` the longest
    time between two looks at a playlist; `segment` how long a segment is tried for after it was
    first listed; `attempt` how long one transfer may take, and `stall` how long it may stand still;
    `find` how long finding a stream may take; `offline` how often a stream that is off the air is
    looked for, and `offline_always_live` how often if it should always be live.
    """

    renew: float = 6 * 3600
    poll_limit: float = 10
    segment: float = 60
    attempt: float = 20
    stall: float = 6
    find: float = 30
    retry: float = 2
    patience: float = 20
    offline: float = 20
    offline_always_live: float = 3


@dataclass(frozen=True, kw_only=True)
class Config:
    """`rewrites` replaces the beginnings of addresses that streamlink asks, for mirrors and tests.

    `transfers` bounds how many segments of one quality are fetched at a time.
    """

    channels: tuple[Channel, ...]
    qualities: tuple[str, ...]
    base_dir: Path
    timing: Timing
    transfers: int
    temp_age: float
    rewrites: tuple[str, ...]
    metrics_host: str
    metrics_port: int
    log_level: str
