"""A segment in whose middle another stream turns up is served as far as the others go."""

from pathlib import Path

import pytest
import requests

from tests.integration.restreamer.conftest import START, Node
from tests.support.media import store_bytes
from tests.support.ts_surgery import change_table, pid_of, split_packets
from tests.support.variants import variant

PMT_PID = 0x1000
DATA_ENTRY = b"\x15\xe1\x02\xf0\x00"
SPAN = "start=2026-07-01T11:59:51Z&end=2026-07-01T11:59:52Z"


@pytest.fixture(scope="module")
def odd(node: Node) -> Path:
    made = variant("gop-10-across")
    parts = split_packets(made.data)
    tables = [part for part in parts if pid_of(part) == PMT_PID]
    # Not near the beginning or the end, which are looked at when a file is opened.
    change_table(tables[len(tables) // 2], lambda section: section + DATA_ENTRY)
    duration = sum(segment.duration for segment in made.segments)
    path, _ = store_bytes(node.base_dir / "odd" / "source", b"".join(parts), START, duration)
    return path


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize(
    "path",
    [
        "/frame/odd/source.png?timestamp=2026-07-01T11:59:51Z",
        f"/waveform/odd/source.png?{SPAN}",
        f"/cut/odd/source.ts?{SPAN}&type=rough",
        f"/cut/odd/source.ts?{SPAN}&type=fast",
        f"/cut/odd/source.ts?{SPAN}&type=mpegts",
        f"/cut/odd/source.ts?{SPAN}&type=smart",
    ],
)
def test_it_is_answered(node: Node, path: str) -> None:
    answer = requests.get(node.url + path, timeout=200)
    assert answer.status_code == 200, answer.text
    assert answer.content
