"""docker-compose.yml and .env.example, as both generations of Compose read them."""

import subprocess
from pathlib import Path

import pytest

from tests.compose.conftest import Images
from tests.support.engine import Engine, compose_command
from tests.support.processes import clean_environment

pytestmark = pytest.mark.compose

PROFILES = "recording,replica,cutter,editing,database,monitoring"
_SECOND = (
    "apt-get update -qq && apt-get install -y -qq --no-install-recommends docker-compose >/dev/null"
)


@pytest.fixture(scope="module")
def second_compose(engine: Engine, images: Images) -> str:
    """An image with Compose v2, which is what Debian's package is by now."""
    name = "wubloader-compose-v2"
    engine.docker("rm", "--force", name)
    command = ("--name", name, "--network=host", "--user=0", "wubloader-system", "sh", "-c")
    engine.docker("run", *command, _SECOND)
    engine.docker("commit", name, name)
    engine.docker("rm", name)
    return name


def config(
    engine: Engine, checkout: Path, image: str | None, **settings: str
) -> "subprocess.CompletedProcess[str]":
    """Let Compose read the file: this machine's (v1 on Debian 12), or the one in `image`."""
    (checkout / ".env").write_text(
        "".join(f"{name}={value}\n" for name, value in settings.items()), "utf-8"
    )
    command = [*compose_command(), "config"]
    if image is not None:
        inside = ["docker", "run", "--rm", f"--volume={checkout}:/c:ro", "--workdir=/c"]
        command = [*inside, "--network=none", image, "docker-compose", "config"]
    return subprocess.run(
        command,
        cwd=checkout,
        env={**clean_environment(), **engine.env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("version", [1, 2])
def test_the_file_is_valid_and_wrong_settings_are_one_clear_line(
    version: int, engine: Engine, images: Images, second_compose: str
) -> None:
    checkout = images.checkout.folder
    image = second_compose if version == 2 else None
    settings = {"COMPOSE_PROFILES": PROFILES, "NODE_NAME": "one", "STORE": "/srv/store"}
    valid = config(engine, checkout, image, **settings)
    assert (valid.returncode, valid.stderr) == (0, "")
    assert "wubloader-downloader:latest" in valid.stdout
    for name in ("NODE_NAME", "STORE"):
        wrong = config(engine, checkout, image, **{**settings, name: ""})
        assert wrong.returncode != 0
        assert len(wrong.stderr.splitlines()) == 1
        assert name in wrong.stderr
        assert "set it in .env" in wrong.stderr
