"""Addresses that expire while they are recorded from: none is lost, none is fetched twice."""

from collections import Counter

import pytest

from tests.integration.downloader.conftest import Record
from tests.support.origin import Origin
from tests.support.waiting import wait_until

SPEED = 5
"""Seconds of the stream per second."""

SEGMENTS = 33
"""Of two seconds."""


@pytest.mark.parametrize(
    ("lives_seconds", "renew_seconds"),
    [
        # By the machine's clock an address lives for 12 s.
        pytest.param(60, 2, id="renewed in time"),
        pytest.param(20, 3600, id="renewed when refused"),
    ],
)
def test_while_addresses_expire_no_segment_is_lost_and_none_is_fetched_twice(
    origin: Origin, record: Record, lives_seconds: float, renew_seconds: float
) -> None:
    """`lives_seconds` are by the stream's clock. It goes on for longer than any address lives."""
    origin.change(token_seconds=lives_seconds, window_segments=2 * SEGMENTS)
    origin.advance(2)
    recording = record("--renew-seconds", str(renew_seconds))
    origin.set_speed(SPEED)
    wait_until(lambda: len(origin.listed()) >= SEGMENTS, "the stream goes on")
    origin.set_speed(0)
    recording.wait_for(origin.listed_hashes())
    assert fetched(origin) == {origin.segment_path(e["index"]): 1 for e in origin.listed()}
    assert recording.gaps() == []
    assert recording.types() == {"full": len(origin.listed())}
    if renew_seconds < lives_seconds / SPEED:
        assert refused(origin) == 0
    else:
        assert refused(origin) > 0


def fetched(origin: Origin) -> Counter[str]:
    """How often each segment was given out."""
    return Counter(
        request["path"]
        for request in origin.request_log()
        if request["path"].startswith("/segments/") and request["status"] == 200
    )


def refused(origin: Origin) -> int:
    return sum(request["status"] == 403 for request in origin.request_log())
