"""Settings of the backfiller."""

from dataclasses import dataclass
from pathlib import Path

from common.replication.nodes import Node


@dataclass(frozen=True, kw_only=True)
class Config:
    """See `backfiller.cli` for what each means to an operator.

    `start_seconds` is how far back in time to look, `start` since when; at most one is given. Rates
    are bytes per second, None without a limit; `scrub_rate` 0 checks nothing. `scrub_pause` is in
    seconds.
    """

    channels: tuple[str, ...]
    qualities: tuple[str, ...]
    extras: tuple[str, ...]
    base_dir: Path
    static_nodes: tuple[Node, ...]
    node_file: Path | None
    database: str | None
    localhost: str
    run_once: bool
    start_seconds: float | None
    start: int | None
    delete_old: bool
    recent_cutoff: float
    interval: float
    answer_seconds: float
    transfer_seconds: float
    download_concurrency: int
    bandwidth: float | None
    node_bandwidth: float | None
    scrub_rate: float
    scrub_pause: float
    metrics_host: str
    metrics_port: int
    log_level: str
