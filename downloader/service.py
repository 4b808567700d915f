"""Wires the downloader: one recorder for each channel and quality."""

import os
from pathlib import Path

from common import logs
from common.daemon import Daemon
from common.errors import ConfigError
from common.http import HttpClient, HttpClientMetrics
from common.segments.store import SegmentStore
from common.segments.sweep import Sweeper
from common.web import HttpServer, create_app, new_registry
from downloader.channels import Channel, ProviderType
from downloader.config import Config
from downloader.metrics import DownloaderMetrics
from downloader.providers.base import Provider
from downloader.providers.channel import ChannelStream
from downloader.providers.sites import SiteProvider
from downloader.providers.url import UrlProvider
from downloader.recorder import Recorder

_GRACE_SECONDS = 25


def run(config: Config) -> int:
    """Record until stopped; returns the exit status."""
    registry = new_registry()
    logs.configure("downloader", config.log_level, registry)
    _make(config.base_dir)
    store = SegmentStore(config.base_dir, registry=registry)
    metrics = DownloaderMetrics(registry)
    http_metrics = HttpClientMetrics(registry)
    daemon = Daemon(grace_seconds=_GRACE_SECONDS)
    app = create_app("downloader", registry=registry, ready=lambda: _missing(config))
    server = HttpServer(
        app, host=config.metrics_host, port=config.metrics_port, service="downloader"
    )
    sweeper = Sweeper(store, age_seconds=config.temp_age, swept=metrics.swept)
    daemon.spawn("sweeper", sweeper.run)
    for channel in config.channels:
        metrics.expected.labels(channel.name).set(channel.always_live)
        finder = HttpClient("find", http_metrics)
        stream = ChannelStream(_provider(channel, finder, config))
        for quality in config.qualities:
            recorder = Recorder(
                channel=channel,
                quality=quality,
                stream=stream,
                store=store,
                http=HttpClient(
                    "record",
                    http_metrics,
                    connections=config.transfers + 2,
                    read_seconds=config.timing.stall,
                ),
                metrics=metrics,
                timing=config.timing,
                transfers=config.transfers,
            )
            daemon.spawn(f"{channel.name}/{quality}", recorder.run)
    daemon.spawn("http", server.run)
    return daemon.run()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"cannot make the folder {folder}: {exc.strerror}") from exc


def _provider(channel: Channel, http: HttpClient, config: Config) -> Provider:
    deadline = config.timing.find
    if channel.provider is ProviderType.URL:
        return UrlProvider(channel.url, http, deadline_seconds=deadline)
    return SiteProvider(channel, http, deadline_seconds=deadline, rewrites=config.rewrites)


def _missing(config: Config) -> list[str]:
    """Nothing but the disk is needed to record."""
    if os.access(config.base_dir, os.W_OK | os.X_OK):
        return []
    return [f"{config.base_dir} cannot be written to"]
