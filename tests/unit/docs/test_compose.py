"""docker-compose.yml, .env.example and the images' files, held against each other."""

import re
from pathlib import Path
from typing import Any

import yaml

from tests.support.documents import read_document
from tests.support.processes import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load(read_document("docker-compose.yml"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(
    path.parent.name
    for path in ROOT.glob("*/service.py")
    if path.parent.name not in {"common", "demo", "bench"}
)


def own(service: dict[str, Any]) -> bool:
    """Whether we build its image."""
    return "wubloader-" in service["image"]


def test_each_setting_is_in_the_example_and_used() -> None:
    example = read_document(".env.example")
    used = set(re.findall(r"\$\{([A-Z_]+)", read_document("docker-compose.yml")))
    assert set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE)) == used | {"COMPOSE_PROFILES"}


def test_defaults_in_the_example_are_those_of_the_file() -> None:
    example = dict(re.findall(r"^([A-Z_]+)=(.+)$", read_document(".env.example"), re.MULTILINE))
    defaults = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", read_document("docker-compose.yml")))
    del example["COMPOSE_PROFILES"]
    assert example == {name: defaults[name] for name in example}


def test_each_service_has_an_image_and_a_container() -> None:
    built = {path.suffix[1:] for path in (ROOT / "docker").glob("Dockerfile.*")}
    assert set(OURS) <= built
    assert set(OURS) <= set(SERVICES)
    assert {name for name, service in SERVICES.items() if own(service)} == built - {"base"}


def test_each_container_is_confined_and_looked_after() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == "unless-stopped", name
        assert service["mem_limit"], name
        assert service["logging"]["options"]["max-size"], name
        assert service["healthcheck"]["test"], name
        assert service["stop_grace_period"], name
        assert service["profiles"], name


def megabytes(text: str) -> int:
    """The first size in a value of Compose: of `${MEMORY:-3g}` 3072."""
    found = re.search(r"(\d+)([mg])\b", text)
    assert found is not None, text
    return int(found[1]) * {"m": 1, "g": 1024}[found[2]]


def test_temporary_files_leave_memory_to_the_process() -> None:
    for name, service in SERVICES.items():
        temporary = sum(megabytes(mount) for mount in service["tmpfs"])
        assert temporary < megabytes(service["mem_limit"]), name


def test_only_what_needs_the_world_reaches_it() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    outside = {name for name, service in SERVICES.items() if "outside" in service["networks"]}
    assert outside - {"prometheus", "alertmanager", "grafana"} == {
        "downloader",
        "backfiller",
        "segment_coverage",
        "nginx",
    }


def test_the_store_is_written_by_those_alone_whose_work_it_is() -> None:
    writers = {
        name
        for name, service in SERVICES.items()
        for volume in service.get("volumes", [])
        if re.fullmatch(r"\$\{STORE.*\}:/store", volume)
    }
    assert writers == {"downloader", "backfiller", "segment_coverage"}


def test_mounted_files_exist() -> None:
    text = read_document("docker-compose.yml")
    for name in re.findall(r"(?:- |:-)(\./[\w./-]+)", text):
        assert Path(ROOT / name).exists(), name
