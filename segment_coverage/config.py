"""Settings of segment_coverage."""

from dataclasses import dataclass
from pathlib import Path

from common.replication.nodes import Node
from segment_coverage.layout import Scale
from segment_coverage.window import Window


@dataclass(frozen=True, kw_only=True)
class Config:
    """See `segment_coverage.cli` for what each means to an operator."""

    channels: tuple[str, ...]
    qualities: tuple[str, ...]
    base_dir: Path
    window: Window
    scale: Scale
    check_interval: float
    recent_cutoff: float
    run_once: bool
    static_nodes: tuple[Node, ...]
    node_file: Path | None
    database: str | None
    localhost: str
    answer_seconds: float
    player_file: Path
    metrics_host: str
    metrics_port: int
    log_level: str

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every channel with every quality."""
        return [(channel, quality) for channel in self.channels for quality in self.qualities]

    @property
    def has_nodes(self) -> bool:
        return bool(self.static_nodes or self.node_file or self.database)
