"""Debian's Prometheus with our rules on one node that really runs."""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

import pytest
import requests

from demo.postgres import free_port
from tests.support.cutters import start_cutter
from tests.support.origin import stepped_origin
from tests.support.postgres import migrated_database
from tests.support.processes import ServiceProcess
from tests.support.prometheus import (
    MONITORING,
    Prometheus,
    alerts,
    metrics_in,
    running_prometheus,
)
from tests.support.thrimshim import start_thrimshim
from tests.support.waiting import wait_until

BUILT_IN = {"up", "ALERTS"}
OF_THE_MACHINE = {
    *("DiskAlmostFull", "DiskFullWithinADay", "SegmentsComeLate", "PlaylistsSlow", "ClockSkew"),
    *("NothingRecorded", "RecordingGap", "DoubtfulSegments"),
}
"""What may fire because the machine that the tests run on is full, or busy with others."""

EXPRESSIONS = {
    f"{path.stem}: {panel['title']}": target["expr"]
    for path in sorted((MONITORING / "grafana" / "dashboards").glob("*.json"))
    for panel in json.loads(path.read_text())["panels"]
    for target in panel["targets"]
}


class Node:
    """The services of one node; each can be stopped, and started again where it was."""

    def __init__(self, starts: Mapping[str, Callable[[], ServiceProcess]]) -> None:
        self._starts = starts
        self.processes = {job: start() for job, start in starts.items()}

    def stop(self, job: str) -> None:
        assert self.processes[job].terminate() == 0
        self.processes[job].close()

    def start(self, job: str) -> None:
        self.processes[job] = self._starts[job]()

    def close(self) -> None:
        for process in self.processes.values():
            process.close()


@pytest.fixture(scope="module")
def node(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that records a stream and cuts events; the only one that it copies from is itself."""
    folder = tmp_path_factory.mktemp("node")
    store = ("--base-dir", str(folder / "store"))
    ports = {job: str(free_port()) for job in ("restreamer", "downloader", "thrimshim")}
    with (
        migrated_database(pytestconfig) as dsn,
        stepped_origin(start=None, speed=1) as origin,
        closing(
            Node(
                {
                    "restreamer": lambda: ServiceProcess(
                        "restreamer", *store, "--port", ports["restreamer"]
                    ),
                    "downloader": lambda: ServiceProcess(
                        "downloader",
                        f"demo!:url:{origin.master_url}",
                        *(*store, "--metrics-port", ports["downloader"]),
                    ),
                    "backfiller": lambda: ServiceProcess(
                        "backfiller",
                        *("demo", *store),
                        *("--static-nodes", f"http://127.0.0.1:{ports['restreamer']}"),
                    ),
                    "segment_coverage": lambda: ServiceProcess("segment_coverage", "demo", *store),
                    "cutter": lambda: start_cutter(
                        "one", dsn=dsn, base_dir=folder / "store", videos=folder / "videos"
                    ),
                    "thrimshim": lambda: start_thrimshim(
                        dsn, "--no-authentication", "--port", ports["thrimshim"]
                    ),
                }
            )
        ) as running,
    ):
        for process in running.processes.values():
            process.wait_ready()
        yield running


@pytest.fixture(scope="module")
def prometheus(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """With our configuration, but in a hurry: it scrapes and evaluates every three seconds, which
    is also how long a busy service may take to answer, and alerts that should wait for up to five
    minutes wait for one second.
    """
    folder = tmp_path_factory.mktemp("prometheus")
    shutil.copytree(MONITORING / "rules", folder / "rules", ignore=shutil.ignore_patterns("tests"))
    for path in (folder / "rules").glob("*.yml"):
        path.write_text(re.sub(r"for: ([1-5]m|\d+s)$", "for: 1s", path.read_text(), flags=re.M))
    config = (MONITORING / "prometheus.yml").read_text()
    config = re.sub(r"_(interval|timeout): \d+s", r"_\1: 3s", config)
    config = config.replace("alertmanager:9093", "127.0.0.1:9")
    port = free_port()
    (folder / "prometheus.yml").write_text(config.replace("localhost:9090", f"localhost:{port}"))
    groups = [
        {"targets": [process.url.removeprefix("http://")], "labels": {"node": "one", "job": job}}
        for job, process in node.processes.items()
    ]
    (folder / "targets").mkdir()
    (folder / "targets" / "nodes.yml").write_text(json.dumps(groups))  # JSON is YAML
    with running_prometheus(folder / "prometheus.yml", port) as running:
        yield running


def exposed(node: Node) -> set[str]:
    """Every name under which a running service has samples, or will have some."""
    names = set()
    for process in node.processes.values():
        text = requests.get(f"{process.url}/metrics", timeout=60).text
        for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE):
            ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
            names |= {name + end for end in ends}
    return names


def test_rules_and_dashboards_ask_for_metrics_that_services_have(node: Node) -> None:
    wanted = {
        **{alert.name: alert.expression for alert in alerts()},
        **EXPRESSIONS,
    }
    there = exposed(node) | BUILT_IN
    unknown = {
        name: sorted(metrics_in(expression) - there)
        for name, expression in wanted.items()
        if metrics_in(expression) - there
    }
    assert unknown == {}


def test_the_alert_of_a_service_that_stops_fires_until_it_is_back(
    node: Node, prometheus: Prometheus
) -> None:
    everything_up = {("one", job): "up" for job in node.processes} | {("", "prometheus"): "up"}
    wait_until(lambda: prometheus.targets() == everything_up, "all targets are up")
    wait_for_alerts(prometheus, {"Watchdog"})
    for job, alert in (("thrimshim", "ServiceDown"), ("downloader", "DownloaderDown")):
        node.stop(job)
        wait_for_alerts(prometheus, {"Watchdog", alert})
        told = {
            (entry["labels"]["node"], entry["annotations"]["summary"])
            for entry in prometheus.alerts()
            if entry["labels"]["alertname"] == alert
        }
        assert any(at == "one" and f"{job} of one" in summary for at, summary in told)
        node.start(job)
        wait_for_alerts(prometheus, {"Watchdog"})
    assert prometheus.unhealthy_rules() == []


def test_prometheus_answers_each_panel(prometheus: Prometheus) -> None:
    for expression in EXPRESSIONS.values():
        prometheus.query(
            re.sub(r"\$(node|channel)", ".*", expression).replace("$__rate_interval", "10s")
        )
    replicated = wait_until(
        lambda: prometheus.query("wubloader_backfiller_missing_segments"), "it has been scraped"
    )
    assert {(labels["node"], "peer" in labels) for labels in replicated} == {("one", True)}


def wait_for_alerts(prometheus: Prometheus, expected: set[str]) -> None:
    wait_until(
        lambda: prometheus.firing() - OF_THE_MACHINE == expected,
        f"just these alerts fire: {expected}",
        interval=0.2,
    )
