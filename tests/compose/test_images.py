"""What is in the images, and which of their layers are built anew."""

import json
import re
from typing import Any

import pytest

from tests.compose.conftest import Images
from tests.support.documents import read_document, sections, table_rows
from tests.support.engine import Engine

pytestmark = pytest.mark.compose


def inspect(engine: Engine, image: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(engine.docker("image", "inspect", image))
    return found[0]


def built(images: Images) -> list[str]:
    return images.checkout.run("./build.sh", "--list").split()


def test_images_name_their_source_and_run_as_nobody_special(engine: Engine, images: Images) -> None:
    for service in built(images):
        config = inspect(engine, f"wubloader-{service}:{images.tag}")["Config"]
        assert config["User"] == "1000:1000", service
        # Without the password that the checkout's address has.
        assert config["Labels"] == {"org.opencontainers.image.source": "https://code.example/w"}


def test_images_hold_no_compilers_caches_or_secrets(engine: Engine, images: Images) -> None:
    look = "command -v gcc cc make pip pip3; find / -xdev -name '*.deb' -o -name '*.whl'; "
    look += "ls /var/lib/apt/lists /var/cache/apt /root"
    for service in built(images):
        image = f"wubloader-{service}:{images.tag}"
        found = engine.docker("run", "--rm", "--user=0", "--entrypoint=sh", image, "-c", look)
        listed = found.replace("/var/lib/apt/lists:", "").replace("/var/cache/apt:", "")
        assert listed.replace("/root:", "").split() == [], service
        history = engine.docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image)
        assert "CERTIFICATE-" not in history, service
        assert "PIP_" not in history, service


def test_images_are_as_large_as_documented(engine: Engine, images: Images) -> None:
    table = sections(read_document("docs/OPERATIONS.md"), level=3)["Sizes"]
    documented = {row[0].strip("`"): int(row[1].split()[0]) for row in table_rows(table)}
    for service in built(images):
        size = inspect(engine, f"wubloader-{service}:{images.tag}")["Size"] / 1_000_000
        assert size == pytest.approx(documented[f"wubloader-{service}"], rel=0.1), service


def layers(engine: Engine, service: str) -> list[str]:
    found: list[str] = inspect(engine, f"wubloader-{service}:latest")["RootFS"]["Layers"]
    return found


@pytest.mark.parametrize(
    ("change", "downloader", "restreamer"),
    [
        ("downloader/__init__.py", 2, 0),
        # Its own two, and those of each service.
        ("common/retry.py", 4, 4),
        # What is left is Debian's packages.
        ("requirements/runtime.txt", 7, 7),
    ],
)
def test_a_change_rebuilds_what_depends_on_it_and_nothing_else(
    engine: Engine, images: Images, change: str, downloader: int, restreamer: int
) -> None:
    services = ("downloader", "restreamer")
    before = [layers(engine, service) for service in services]
    path = images.checkout.folder / change
    if path.suffix == ".py":
        path.write_text(path.read_text("utf-8") + "CHANGED = True\n", "utf-8")
    else:
        # Another version of a package would have to be fetched from somewhere; one less need not.
        kept = re.sub(r"^yt-dlp==.*(\n .*)*\n", "", path.read_text("utf-8"), flags=re.MULTILINE)
        path.write_text(kept, "utf-8")
    images.checkout.commit("A change")
    images.checkout.build(engine, images.base, *services)
    after = [layers(engine, service) for service in services]
    changed = [len(set(new) - set(old)) for new, old in zip(after, before, strict=True)]
    assert changed == [downloader, restreamer]
