"""write-targets: the nodes of a cluster as Prometheus reads them."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.documents import read_document, sections, table_rows
from tests.support.prometheus import MONITORING, promtool


def write(*nodes: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [MONITORING / "write-targets", *nodes],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def targets(*nodes: str) -> dict[tuple[str, str], tuple[str, str | None, str | None]]:
    """(node, job) to address, scheme, path."""
    groups = yaml.safe_load(write(*nodes).stdout)
    return {
        (group["labels"]["node"], group["labels"]["job"]): (
            group["targets"][0],
            group["labels"].get("__scheme__"),
            group["labels"].get("__metrics_path__"),
        )
        for group in groups
    }


def test_a_node_has_the_services_that_record_on_their_own_ports() -> None:
    assert targets("one=10.0.0.1") == {
        ("one", "downloader"): ("10.0.0.1:8001", None, None),
        ("one", "restreamer"): ("10.0.0.1:8000", None, None),
        ("one", "backfiller"): ("10.0.0.1:8002", None, None),
        ("one", "segment_coverage"): ("10.0.0.1:8006", None, None),
    }


def test_services_can_be_named_and_reached_inside_of_a_network_or_through_nginx() -> None:
    assert targets("one=@/cutter,thrimshim", "two=https://two.example.org/cutter") == {
        ("one", "cutter"): ("cutter:8003", None, None),
        ("one", "thrimshim"): ("thrimshim:8004", None, None),
        ("two", "cutter"): ("two.example.org", "https", "/metrics/cutter"),
    }


def test_the_ports_are_those_of_the_services() -> None:
    rows = table_rows(sections(read_document("docs/ARCHITECTURE.md"), level=1)["Architecture"])
    documented = {row[0].strip("`"): row[3].split()[0] for row in rows if len(row) == 4}
    assert "segment_coverage" in documented
    for service, port in documented.items():
        assert targets(f"one=host/{service}")["one", service][0] == f"host:{port}"


@pytest.mark.parametrize("node", ["one", "=host", "one=host/nope", "one="])
def test_what_makes_no_sense_is_one_clear_line(node: str) -> None:
    done = write(node)
    assert done.returncode == 2
    assert done.stderr.startswith("write-targets: ")
    assert len(done.stderr.splitlines()) == 1


def test_prometheus_takes_what_it_writes_and_the_example(tmp_path: Path) -> None:
    for name in ("prometheus.yml", "rules"):
        source = MONITORING / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    folder = tmp_path / "targets"
    folder.mkdir()
    (folder / "nodes.yml").write_text(write("one=@", "two=http://two/cutter").stdout)
    shutil.copy(MONITORING / "targets" / "example.yml.sample", folder / "example.yml")
    assert "does not exist" not in promtool("check", "config", tmp_path / "prometheus.yml")
