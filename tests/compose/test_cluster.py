"""Three nodes and a database in containers, from the first start on. The tests are one story, that
of docs/OPERATIONS.md: each goes on where the one before has left the cluster.
"""

import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import requests

from common.segments.path import Segment
from common.times import SECOND, Micros, format_time
from tests.compose.conftest import Cluster, Images
from tests.support.checker import assert_frames, assert_steady, read_video
from tests.support.cluster import CHANNEL, QUALITY, Node, give_to_services, segment_path
from tests.support.engine import Engine, run
from tests.support.small_disk import fill_up, small_disk
from tests.support.thrimshim import Api
from tests.support.waiting import wait_until

pytestmark = pytest.mark.compose

FRAME: Micros = SECOND // 60
OTHERS = {"nginx", "postgres"}
"""Services that are not ours, and have no metrics."""


def has_all(node: Node, hashes: set[str]) -> bool:
    try:
        return hashes <= node.hashes()
    except requests.RequestException:
        return False  # it is just starting


def all_have(cluster: Cluster, *nodes: Node) -> int:
    """Wait until these nodes (all, if none is named) have everything that the origin has listed so
    far and nobody has deleted; returns how many segments that is.
    """
    wanted = set(cluster.origin.listed_hashes()) - cluster.deleted
    for node in nodes or cluster.nodes:
        what = f"{node.name} has all {len(wanted)} segments"
        wait_until(partial(has_all, node, wanted), what, seconds=300, interval=0.5)
    return len(wanted)


def test_two_nodes_start_and_record(cluster: Cluster) -> None:
    cluster.introduce(cluster.alpha, cluster.beta)
    for node in (cluster.alpha, cluster.beta):
        node.up()
    for node in (cluster.alpha, cluster.beta):
        node.wait_healthy()
    all_have(cluster, cluster.alpha, cluster.beta)


def test_a_node_that_is_added_gets_everything(cluster: Cluster) -> None:
    cluster.introduce(*cluster.nodes)
    for node in cluster.nodes:
        node.up()
    cluster.gamma.wait_healthy()
    all_have(cluster)


def test_services_may_nothing_that_they_do_not_need(cluster: Cluster) -> None:
    for node in cluster.nodes:
        for service, state in node.states().items():
            host = state["HostConfig"]
            assert host["ReadonlyRootfs"], service
            assert host["CapDrop"] == ["ALL"], service
            assert host["Memory"] > 0, service
            assert host["LogConfig"]["Config"], service
            assert node.exec(service, "id", "--user").strip() == "1000", service
            status = node.exec(service, "cat", "/proc/1/status")
            assert "CapEff:\t0000000000000000" in status, service
            assert "NoNewPrivs:\t1" in status, service


def test_nginx_sends_a_segment_as_the_restreamer_describes_it(cluster: Cluster) -> None:
    node = cluster.alpha
    segment = node.segments()[0]
    stored = (node.store / CHANNEL / QUALITY / segment.hour / segment.name).read_bytes()
    answer = node.get(segment_path(segment))
    assert answer.content == stored
    assert answer.headers["ETag"] == f'"{segment.hash}"'
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Type"] == "video/mp2t"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "nginx/" not in answer.headers["Server"]
    part = node.get(segment_path(segment), Range="bytes=188-375")
    assert (part.status_code, part.content) == (206, stored[188:376])
    again = node.get(segment_path(segment), **{"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_playlists_and_json_travel_compressed(cluster: Cluster) -> None:
    for path in (f"/playlist/{CHANNEL}/{QUALITY}.m3u8", "/openapi.json"):
        answer = cluster.alpha.get(path, **{"Accept-Encoding": "gzip"})
        assert answer.status_code == 200, path
        assert answer.headers.get("Content-Encoding") == "gzip", path


def test_floods_of_expensive_requests_are_refused(cluster: Cluster) -> None:
    # All at once: a busy machine answers some of them a second, which is no flood.
    with ThreadPoolExecutor(60) as clients:
        answers = list(clients.map(cluster.gamma.get, ["/frame/demo/source.png"] * 60))
    assert {answer.status_code for answer in answers} == {400, 429}
    assert {a.headers.get("Retry-After") for a in answers if a.status_code == 429} == {"5"}


def test_metrics_of_each_service_are_reached_through_nginx(cluster: Cluster) -> None:
    for service in cluster.alpha.containers().keys() - OTHERS:
        assert "process_cpu_seconds_total" in cluster.alpha.get(f"/metrics/{service}").text
    absent = cluster.gamma.get("/metrics/cutter")
    assert (absent.status_code, absent.headers["Retry-After"]) == (503, "5")


def moment(node: Node) -> tuple[Segment, Micros, Micros]:
    """A segment, and a range that begins in it and ends three segments later, on no edge, within
    one round of the recorded stream.
    """
    segments = node.segments()
    for first, last in zip(segments, segments[3:], strict=False):
        if last.end - first.start == 8 * SECOND and first_frame(node, first) < 100 * 20:
            return first, first.start + 50 * FRAME, last.start + 30 * FRAME
    raise AssertionError(f"no four segments in a row among {segments}")


def first_frame(node: Node, segment: Segment) -> int:
    number = read_video(node.get(segment_path(segment)).content).numbers[0]
    assert number is not None
    return number


def test_an_edit_is_cut_and_its_video_served_by_nginx(cluster: Cluster) -> None:
    alpha = cluster.alpha
    token = alpha.exec("thrimshim", "python", "-m", "thrimshim.tokens", "create", "alice").strip()
    api = Api(alpha.url)
    assert api.post(body={"description": "no token"}).status_code == 401
    api.session.headers["Authorization"] = f"Bearer {token}"
    segment, start, end = moment(alpha)
    span = [format_time(start), format_time(end)]
    event = api.create(event_start=span[0], event_end=span[1], description="A moment")
    edit = {"state": "EDITED", "video_ranges": [span], "video_title": "A moment"}
    answer = api.post(f"/{event}", edit)
    assert answer.ok, answer.text
    done = wait_until(
        lambda: found if (found := api.event(event))["state"] == "DONE" else None,
        "the video is DONE",
        seconds=300,
        interval=0.5,
    )
    name = Path(done["video_link"]).name
    video = alpha.get(f"/videos/{name}")
    assert video.status_code == 200
    found = read_video(video.content)
    first = first_frame(alpha, segment)
    assert_frames(found, first + 50, first + 3 * 120 + 29)
    assert_steady(found)


def test_a_cut_streams_through_nginx_on_each_node(cluster: Cluster) -> None:
    segment, start, end = moment(cluster.alpha)
    query = f"start={format_time(start)}&end={format_time(end)}"
    for node in cluster.nodes:
        answer = node.get(f"/cut/{CHANNEL}/{QUALITY}.ts?{query}")
        assert answer.status_code == 200, answer.text
        first = first_frame(node, segment)
        assert_frames(read_video(answer.content), first + 50, first + 3 * 120 + 29)


@pytest.mark.parametrize(
    "path",
    [
        "/stored/demo/source",
        "/segments/.replication/state.json",
        "/segments/demo/source/2026-01-01T00/00:00.0-2.0-temp-2f8d.ts",
        "/segments/demo/..%2f..%2fetc/passwd",
        "/videos/.wubloader-folder",
        "/videos/..%2fetc/passwd",
        "/metrics",
        "/metrics/nothing",
    ],
)
def test_nginx_shows_nothing_that_is_hidden(cluster: Cluster, path: str) -> None:
    assert (cluster.alpha.videos / ".wubloader-folder").exists()
    assert cluster.alpha.get(path).status_code in {400, 404}


def test_a_tombstone_on_one_node_hides_the_segment_on_all(cluster: Cluster) -> None:
    segment = cluster.beta.segments()[2]
    folder = f"{CHANNEL}/{QUALITY}/{segment.hour}"
    cluster.beta.exec("backfiller", "touch", f"/store/{folder}/{segment.tombstone.name}")
    cluster.deleted.add(segment.hash)

    def hidden(node: Node) -> bool:
        found = node.get(segment_path(segment))
        return found.status_code == 404 and segment.hash not in node.hashes()

    for node in cluster.nodes:
        wait_until(partial(hidden, node), f"{node.name} hides it", interval=0.2)
        assert (node.store / folder / segment.name).exists()
    # Now that all know of it, the files can go.
    for node in cluster.nodes:
        node.exec("backfiller", "python", "-m", "wubctl", "purge", "--yes")
        assert not (node.store / folder / segment.name).exists()


def test_services_that_crash_are_started_again(cluster: Cluster) -> None:
    for node in (cluster.alpha, cluster.beta):
        before = {name: state["RestartCount"] for name, state in node.states().items()}
        for service in before:
            node.kill(service)

        def restarted(node: Node = node, before: dict[str, int] = before) -> bool:
            states = node.states()
            return all(states[name]["RestartCount"] > count for name, count in before.items())

        wait_until(restarted, f"all of {node.name} have been started again", interval=0.5)
    for node in cluster.nodes:
        node.wait_healthy()
    all_have(cluster)


def test_nodes_that_could_not_reach_each_other_become_equal(
    cluster: Cluster, engine: Engine
) -> None:
    gamma = cluster.gamma
    links = [
        (f"{gamma.name}_{network}", gamma.container("backfiller"))
        for network in ("outside", "database", "inside")
    ]
    for link in links:
        engine.docker("network", "disconnect", *link)
    # What gamma was just fetching may still appear there, but nothing that is recorded from now on.
    before = cluster.alpha.hashes() | cluster.beta.hashes()
    recorded = wait_until(
        lambda: new if len(new := cluster.alpha.hashes() - before) >= 3 else None,
        "alpha records on",
    )
    assert not gamma.hashes() & recorded
    for link in links:
        engine.docker("network", "connect", "--alias", "backfiller", *link)
    all_have(cluster)


def test_recording_goes_on_without_the_database(cluster: Cluster) -> None:
    alpha = cluster.alpha
    alpha.compose("stop", "postgres")
    wait_until(lambda: alpha.get("/thrimshim").status_code == 503, "editors are told", interval=0.5)
    assert "Retry-After" in alpha.get("/thrimshim").headers
    count = len(alpha.hashes())
    wait_until(lambda: len(alpha.hashes()) >= count + 2, "alpha records on")
    alpha.up()
    wait_until(lambda: states(alpha) == ["DONE"], "it is used again", interval=0.5)
    alpha.wait_healthy()


def states(node: Node) -> list[str]:
    """Of all events, as thrimshim answers them."""
    answer = node.get("/thrimshim")
    return [event["state"] for event in answer.json()] if answer.ok else []


def test_a_standby_takes_over_and_its_backup_can_be_restored(cluster: Cluster) -> None:
    alpha, gamma = cluster.alpha, cluster.gamma
    gamma.configure(COMPOSE_PROFILES="replica,database")
    gamma.up()
    follows = ("psql", "--tuples-only", "--command", "SELECT state FROM pg_stat_replication")
    wait_until(
        lambda: alpha.exec("postgres", *follows).strip() == "streaming", "it follows", interval=0.5
    )
    alpha.compose("rm", "--stop", "--force", "postgres")
    alpha.configure(COMPOSE_PROFILES="recording,cutter,editing")
    gamma.exec("postgres", "/postgres/promote")
    wait_until(lambda: states(alpha) == ["DONE"], "it is used", interval=0.5)
    gamma.exec("postgres", "/postgres/backup", "/backup")
    gamma.compose("stop", "postgres")
    restore = "mv $PGDATA $PGDATA.lost; /postgres/restore /backup"
    gamma.compose("run", "--rm", "--entrypoint", "sh", "postgres", "-c", restore)
    gamma.up()
    wait_until(lambda: states(alpha) == ["DONE"], "it is used again", interval=0.5)
    alpha.wait_healthy()


def metric(node: Node, service: str, name: str) -> float | None:
    """None if the service does not tell (yet)."""
    for line in node.get(f"/metrics/{service}").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    return None


def test_a_node_with_a_new_disk_fills_up_and_a_full_disk_is_survived(cluster: Cluster) -> None:
    beta = cluster.beta
    beta.down()
    shutil.rmtree(beta.store)
    with small_disk(beta.store, 200_000_000):
        give_to_services(beta.engine, beta.store)
        beta.up()
        all_have(cluster, beta)
        ballast = beta.store / ".ballast"
        fill_up(ballast, leave_bytes=0)
        full = "wubloader_downloader_disk_full"
        wait_until(lambda: metric(beta, "downloader", full) == 1, "the disk is full", interval=0.5)
        ballast.unlink()
        wait_until(lambda: metric(beta, "downloader", full) == 0, "there is room", interval=0.5)
        all_have(cluster, beta)
        beta.down()
    # That disk is lost; beta starts with an empty folder.
    give_to_services(beta.engine, beta.store)
    beta.up()
    beta.wait_healthy()
    all_have(cluster)


def test_with_a_certificate_the_port_speaks_tls(cluster: Cluster, engine: Engine) -> None:
    gamma = cluster.gamma
    secrets = gamma.home / "tls"
    secrets.mkdir()
    files = {"TLS_CERTIFICATE": secrets / "certificate.pem", "TLS_KEY": secrets / "key.pem"}
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    make += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    make += ["-out", str(files["TLS_CERTIFICATE"]), "-keyout", str(files["TLS_KEY"])]
    engine.docker("run", "--rm", f"--volume={secrets}:{secrets}", "wubloader-system", *make)
    give_to_services(engine, secrets)
    gamma.configure(**{name: str(path) for name, path in files.items()})
    gamma.up()

    def answer() -> requests.Response | None:
        try:
            url = gamma.url.replace("http:", "https:")
            return requests.get(f"{url}/healthz", verify=str(files["TLS_CERTIFICATE"]), timeout=30)
        except requests.RequestException:
            return None

    assert "max-age" in wait_until(answer, "TLS").headers["Strict-Transport-Security"]
    gamma.configure(**dict.fromkeys(files, ""))
    gamma.up()
    gamma.wait_healthy()


class Prometheus:
    """The cluster's own, on alpha."""

    def __init__(self, cluster: Cluster, checkout: Path) -> None:
        self._url = f"http://127.0.0.1:{cluster.alpha.settings['PROMETHEUS_PORT']}/api/v1"
        self._checkout = checkout
        self._cluster = cluster

    def start(self) -> None:
        folder = self._checkout / "monitoring"
        services = {node: sorted(node.containers().keys() - OTHERS) for node in self._cluster.nodes}
        nodes = [
            f"{node.name}={self._cluster.address(node)}/{','.join(found)}"
            for node, found in services.items()
        ]
        targets = run(str(folder / "write-targets"), *nodes)
        (folder / "targets" / "nodes.yml").write_text(targets, "utf-8")
        # As it is, but in less time.
        config = folder / "prometheus.yml"
        text = config.read_text("utf-8").replace("_interval: 15s", "_interval: 2s")
        config.write_text(text.replace("_timeout: 10s", "_timeout: 2s"), "utf-8")
        self._cluster.alpha.compose("up", "--detach", "prometheus")

    def targets(self) -> dict[tuple[str, str], str]:
        """The health of each target, by node and job; nothing while it is starting."""
        try:
            answer = requests.get(f"{self._url}/targets", timeout=10)
        except requests.ConnectionError:
            return {}
        if not answer.ok:
            return {}
        found = answer.json()["data"]["activeTargets"]
        return {
            (target["labels"].get("node", ""), target["labels"]["job"]): target["health"]
            for target in found
        }

    def firing(self) -> set[tuple[str, str]]:
        """The alerts that fire, with the node that each is about."""
        found = requests.get(f"{self._url}/alerts", timeout=10).json()["data"]["alerts"]
        return {
            (alert["labels"]["alertname"], alert["labels"].get("node", ""))
            for alert in found
            if alert["state"] == "firing"
        }


def test_prometheus_sees_all_services_and_says_which_is_missing(
    cluster: Cluster, images: Images
) -> None:
    prometheus = Prometheus(cluster, images.checkout.folder)
    prometheus.start()

    def all_up() -> bool:
        found = prometheus.targets()
        return len(found) > 10 and set(found.values()) == {"up"}

    wait_until(all_up, "all targets are up", seconds=300, interval=0.5)
    wait_until(lambda: ("Watchdog", "") in prometheus.firing(), "the watchdog", interval=0.5)
    alert = ("DownloaderDown", "beta")
    cluster.beta.compose("stop", "downloader")
    wait_until(lambda: alert in prometheus.firing(), "the alert", seconds=300, interval=0.5)
    cluster.beta.up()
    wait_until(lambda: alert not in prometheus.firing(), "it clears", interval=0.5)
    assert not {name for name, _ in prometheus.firing()} & {"NobodyRecords", "NodeDown"}


def test_nothing_is_lost_while_nodes_are_upgraded_one_by_one(
    cluster: Cluster, images: Images, engine: Engine
) -> None:
    changed = images.checkout.folder / "common" / "__init__.py"
    changed.write_text('"""The next version."""\n', "utf-8")
    tag = images.checkout.commit("The next version")
    images.checkout.build(engine, images.base)
    for node in cluster.nodes:
        node.configure(TAG=tag)
        node.up()
        node.wait_healthy()
        # Prometheus was started by name, so that it is in no profile of this node.
        running = {
            state["Config"]["Image"].split(":")[1]
            for service, state in node.states().items()
            if service != "prometheus"
        }
        assert running == {tag}
    assert all_have(cluster) > 30
    assert_no_holes(cluster)


def assert_no_holes(cluster: Cluster) -> None:
    """But what was deleted. Of two segments that are just coming the later may be first."""
    for node in cluster.nodes:
        wait_until(
            partial(has_holes, node, len(cluster.deleted)),
            f"{node.name} has no hole but what was deleted",
            interval=0.5,
        )


def has_holes(node: Node, count: int) -> bool:
    segments = node.segments()
    query = f"start={format_time(segments[0].start)}&end={format_time(segments[-1].end)}"
    playlist = node.get(f"/playlist/{CHANNEL}/{QUALITY}.m3u8?{query}").text
    return playlist.count("#EXT-X-DISCONTINUITY\n") == count
