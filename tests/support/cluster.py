"""Nodes in containers: each is a project of the one docker-compose.yml, with its own settings."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from common.segments.path import Segment, parse_name
from tests.support.engine import Engine, compose_command, run
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

CHANNEL = "demo"
QUALITY = "source"

_PASSWORD_LINE = r"*:*:*:wubloader:a \: in a password" + "\n"


class Checkout:
    """A copy of this checkout with a history of its own, to build images from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        for name in filter(None, listed.split("\0")):
            source = ROOT / name
            if source.is_file() and not source.is_symlink():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, folder / name)
        player = Path("node_modules/hls.js/dist/hls.min.js")
        if (ROOT / player).exists():
            (folder / player).parent.mkdir(parents=True)
            shutil.copy2(ROOT / player, folder / player)
        self.run("git", "init", "--quiet")
        self.run("git", "remote", "add", "origin", "https://alice:password@code.example/w")
        self.tag = self.commit("the checkout")

    def run(self, *command: str, seconds: float = 300, env: dict[str, str] | None = None) -> str:
        """Run a command here; returns what it printed."""
        return run(*command, cwd=self.folder, seconds=seconds, env=env)

    def commit(self, message: str) -> str:
        """Commit all that has changed; returns the tag that images of it get."""
        self.run("git", "add", "--all")
        who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        self.run("git", *who, "commit", "--quiet", "--message", message)
        return self.run("git", "rev-parse", "--short=12", "HEAD").strip()

    def build(self, engine: Engine, base_image: str, *services: str) -> None:
        command = ("./build.sh", "--base-image", base_image, *services)
        self.run(*command, env=engine.env, seconds=900)


class Node:
    """One node, whose files lie in `home`. `settings` are what is particular in its .env."""

    def __init__(
        self, engine: Engine, checkout: Checkout, home: Path, name: str, settings: Mapping[str, str]
    ) -> None:
        self.name = name
        self.home = home
        self.store = home / "store"
        self.videos = home / "videos"
        self.port = settings["PORT"]
        self.url = f"http://127.0.0.1:{self.port}"
        self.engine = engine
        self._checkout = checkout
        passfile = home / "passfile"
        self.settings = {
            "NODE_NAME": name,
            "STORE": str(self.store),
            "VIDEOS": str(self.videos),
            "DATABASE_DIR": str(home / "database"),
            "DATABASE_PASSFILE": str(passfile),
            "PUBLIC_URL": self.url,
            **settings,
        }
        for folder in (self.store, self.videos, home / "database"):
            folder.mkdir(parents=True)
        passfile.write_text(_PASSWORD_LINE, "utf-8")
        passfile.chmod(0o600)
        give_to_services(engine, home)

    def configure(self, **settings: str) -> None:
        """Change what .env says; `up` makes it true."""
        self.settings.update(settings)

    def compose(self, *args: str, seconds: float = 600) -> str:
        env_file = self.home / "env"
        lines = (f"{name}={value}\n" for name, value in self.settings.items())
        env_file.write_text("".join(lines), "utf-8")
        options = ("--env-file", str(env_file), "--project-name", self.name)
        return self._checkout.run(
            *compose_command(), *options, *args, env=self.engine.env, seconds=seconds
        )

    def up(self) -> None:
        self.compose("up", "--detach", "--quiet-pull")

    def down(self) -> None:
        """Stop and remove everything of this node but its folders."""
        self.compose("down", "--volumes", "--timeout", "30")

    def containers(self) -> dict[str, str]:
        """The ids of the containers, by service."""
        project = f"label=com.docker.compose.project={self.name}"
        form = '{{.Label "com.docker.compose.service"}} {{.ID}}'
        listed = self.engine.docker("ps", "--all", "--filter", project, "--format", form)
        return dict(line.split() for line in listed.splitlines())

    def container(self, service: str) -> str:
        """The id of a service's container."""
        return self.containers()[service]

    def exec(self, service: str, *command: str) -> str:
        return self.engine.docker("exec", self.container(service), *command)

    def states(self) -> dict[str, dict[str, Any]]:
        """What Docker knows of the containers, by service."""
        services = self.containers()
        found = json.loads(self.engine.docker("inspect", *services.values()))
        return dict(zip(services, found, strict=True))

    def kill(self, service: str) -> None:
        """SIGKILL to the service's process, as if it had crashed: Docker has to start it again."""
        command = ("sh", "-c", "kill -9 $(cat /proc/1/task/1/children)")
        # The command may end with the container, before it could say how it went.
        self.engine.docker("exec", "--detach", self.container(service), *command)

    def unhealthy(self) -> dict[str, str]:
        """The services that are not healthy, and what their last check said."""
        found = {}
        for service, container in self.states().items():
            health = container["State"]["Health"]
            if health["Status"] != "healthy":
                said = [entry["Output"] for entry in health["Log"]][-1:]
                found[service] = f"{health['Status']}: {said}"
        return found

    def wait_healthy(self, seconds: float = 300) -> None:
        unhealthy: dict[str, str] = {}

        def healthy() -> bool:
            nonlocal unhealthy
            unhealthy = self.unhealthy()
            return not unhealthy

        try:
            wait_until(healthy, f"{self.name} is healthy", seconds=seconds, interval=1)
        except AssertionError as exc:
            raise AssertionError(f"{exc}: {unhealthy}\n{self.logs(*unhealthy)}") from exc

    def logs(self, *services: str) -> str:
        return self.compose("logs", "--tail", "40", *services)

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(self.url + path, headers=headers, timeout=120)

    def segments(self, quality: str = QUALITY) -> list[Segment]:
        """What this node shows, by start."""
        found = []
        for hour in self.get(f"/files/{CHANNEL}/{quality}").json():
            for name in self.get(f"/files/{CHANNEL}/{quality}/{hour}").json():
                segment = parse_name(hour, name)
                assert isinstance(segment, Segment)
                found.append(segment)
        return sorted(found, key=lambda segment: segment.start)

    def hashes(self, quality: str = QUALITY) -> set[str]:
        return {segment.hash for segment in self.segments(quality)}


def give_to_services(engine: Engine, folder: Path) -> None:
    """Make the user that services run as the owner of all that is in `folder`."""
    mount = ("--volume", f"{folder}:{folder}")
    chown = ("chown", "--recursive", "1000:1000", str(folder))
    engine.docker("run", "--rm", "--network", "none", *mount, "wubloader-system", *chown)


def segment_path(segment: Segment, quality: str = QUALITY) -> str:
    return f"/segments/{CHANNEL}/{quality}/{segment.hour}/{segment.name}"
