"""An engine, the images, and a cluster of three nodes, each made once for all tests here."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest

from demo.postgres import free_port
from tests.support.cluster import Checkout, Node
from tests.support.engine import Engine, NoEngine
from tests.support.origin import Origin, stepped_origin


@dataclass(frozen=True, kw_only=True)
class Images:
    """What was built: of `checkout`, on the image `base`, with the tag `tag`."""

    checkout: Checkout
    base: str
    tag: str


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """`alpha` and `beta` record, `gamma` copies; alpha also has the database, edits and cuts.

    `resources` is closed at the end. `machine` is this machine's address as containers see it.
    """

    resources: ExitStack
    origin: Origin
    machine: str
    alpha: Node
    beta: Node
    gamma: Node
    deleted: set[str] = field(default_factory=set)
    """Hashes of segments that a test has hidden."""

    @property
    def nodes(self) -> tuple[Node, Node, Node]:
        return self.alpha, self.beta, self.gamma

    def address(self, node: Node) -> str:
        """Where the other nodes reach a node."""
        return f"http://{self.machine}:{node.port}"

    def introduce(self, *nodes: Node) -> None:
        """Tell each of these nodes of the others."""
        for node in nodes:
            node.configure(NODES=",".join(self.address(other) for other in nodes if other != node))


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    engine = Engine()
    try:
        engine.start()
    except NoEngine as exc:
        pytest.skip(f"no Docker engine can be started here: {exc}")
    try:
        yield engine
    finally:
        engine.stop()


@pytest.fixture(scope="session")
def images(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Images:
    checkout = Checkout(tmp_path_factory.mktemp("source") / "wubloader")
    base = engine.base_image()
    checkout.build(engine, base)
    return Images(checkout=checkout, base=base, tag=checkout.tag)


@pytest.fixture(scope="session")
def cluster(
    engine: Engine, images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    home = tmp_path_factory.mktemp("nodes")
    with ExitStack() as resources:
        machine = resources.enter_context(_machine(engine))
        origin = resources.enter_context(stepped_origin(start=None, speed=1, host=machine))
        database_ports = [str(free_port()), str(free_port())]

        def node(name: str, profiles: str, **settings: str) -> Node:
            common = {
                "COMPOSE_PROFILES": profiles,
                "TAG": images.tag,
                "PORT": str(free_port()),
                "RECORD": f"demo!:url:{origin.master_url}",
                "CHANNELS": "demo",
                "QUALITIES": "source,360p30",
                "REPLICATION_SECONDS": "1",
                "RECENT_CUTOFF": "10",
            }
            made = Node(engine, images.checkout, home / name, name, {**common, **settings})
            resources.callback(made.down)
            return made

        yield Cluster(
            resources=resources,
            origin=origin,
            machine=machine,
            alpha=node(
                "alpha",
                "recording,cutter,editing,database",
                EDIT_CHANNEL="demo",
                DATABASE=_dsn(machine, *database_ports),
                DATABASE_BIND=machine,
                DATABASE_PORT=database_ports[0],
                PROMETHEUS_PORT=str(free_port()),
            ),
            beta=node("beta", "recording"),
            gamma=node(
                "gamma",
                "replica",
                RECENT_CUTOFF="0",
                DATABASE_BIND=machine,
                DATABASE_PORT=database_ports[1],
                STANDBY_OF=f"host={machine} port={database_ports[0]}",
            ),
        )


def _dsn(host: str, *ports: str) -> str:
    """Of a database that may be on each of these ports."""
    where = f"host={','.join([host] * len(ports))} port={','.join(ports)}"
    who = "user=wubloader dbname=wubloader passfile=/run/secrets/database"
    return f"{where} {who} target_session_attrs=read-write"


@contextmanager
def _machine(engine: Engine) -> Iterator[str]:
    """This machine's address in containers: the gateway of a network of our own."""
    name = "wubloader-machine"
    form = "{{(index .IPAM.Config 0).Gateway}}"
    engine.docker("network", "create", name)
    try:
        yield engine.docker("network", "inspect", "--format", form, name).strip()
    finally:
        engine.docker("network", "rm", name)
