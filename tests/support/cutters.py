"""Cutter processes for tests, and what they leave in their folder of videos."""

import json
from pathlib import Path

import av

from tests.support.processes import ServiceProcess


def start_cutter(
    name: str,
    *,
    dsn: str,
    base_dir: Path,
    videos: Path,
    lease_seconds: float = 2,
    write_info: bool = False,
    **settings: object,
) -> ServiceProcess:
    """Start a cutter whose location `local` is the folder `videos`, with these other settings."""
    local = {"type": "local", "path": str(videos), "write_info": write_info, **settings}
    config = {"local": local}
    return ServiceProcess(
        "cutter",
        *("--name", name, "--config", json.dumps(config), "--database", dsn),
        *("--base-dir", str(base_dir), "--poll-seconds", "0.5"),
        *("--lease-seconds", str(lease_seconds)),
    )


def videos_of(folder: Path, event_id: str) -> list[Path]:
    """The published videos of an event."""
    return sorted(folder.glob(f"{event_id}_*.mp4"))


def unfinished(folder: Path) -> list[Path]:
    """Files in `folder` that a cutter works on, or that a crash left."""
    return sorted(folder.glob(".cutting-*"))


def count_frames(video: Path) -> int:
    """Decode the video and count its frames."""
    with av.open(str(video)) as container:
        return sum(1 for _ in container.decode(video=0))
