"""The end of the story. This file is the last by name, since nothing runs afterwards."""

import pytest

from tests.compose.conftest import Cluster
from tests.support.engine import Engine, mounts_below, processes_of

pytestmark = pytest.mark.compose


def test_taking_all_down_leaves_nothing_behind(cluster: Cluster, engine: Engine) -> None:
    cluster.resources.close()
    for node in cluster.nodes:
        project = f"label=com.docker.compose.project={node.name}"
        for kind in (("ps", "--all"), ("network", "ls"), ("volume", "ls")):
            assert engine.docker(*kind, "--quiet", "--filter", project) == "", node.name
    folder = engine.folder
    engine.stop()
    # An engine that was there before stays.
    if folder is not None:
        assert not folder.exists()
        assert mounts_below(folder) == []
        assert processes_of(folder) == []
