"""What the images' own scripts refuse to start."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import ROOT


def start(name: str, root: Path, *folders: str) -> "subprocess.CompletedProcess[str]":
    """Run a script of `docker/` with these folders of a container below `root` instead."""
    script = (ROOT / "docker" / name).read_text("utf-8")
    for folder in folders:
        script = script.replace(folder, f"{root}{folder}")
    return subprocess.run(
        ["bash", "-c", script],
        env={"PATH": os.defpath, "PGDATA": str(root / "database/data"), "PGUSER": "wubloader"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def make_secret(root: Path, name: str, content: str) -> None:
    path = root / "run/secrets" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8")


def test_where_there_are_backups_postgres_makes_no_empty_database(tmp_path: Path) -> None:
    make_secret(tmp_path, "database", "*:*:*:wubloader:secret\n")
    (tmp_path / "backup/base/20260701T120000.000Z").mkdir(parents=True)
    done = start("postgres-start", tmp_path, "/run/secrets/", "/backup/")
    assert (done.returncode, done.stdout) == (2, "")
    assert "restore one" in done.stderr
    assert not (tmp_path / "database").exists()


@pytest.mark.parametrize("empty", ["tls_certificate", "tls_key"])
def test_with_half_of_what_tls_needs_nginx_does_not_go_without_it(
    tmp_path: Path, empty: str
) -> None:
    for name in ("tls_certificate", "tls_key"):
        make_secret(tmp_path, name, "" if name == empty else "PEM")
    done = start("nginx-start", tmp_path, "/run/secrets/")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nginx: TLS_CERTIFICATE and TLS_KEY need each other, and one is empty\n"
