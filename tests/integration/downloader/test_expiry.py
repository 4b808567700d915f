"""Addresses that expire while they are recorded from: none is lost, none is fetched twice."""

from collections import Counter

import pytest

from tests.integration.downloader.conftest import Record
from tests.support.origin import Origin
from tests.support.waiting import wait_until

SPEED = 5
"""Seconds of the stream per second."""

LIVES_SECONDS = 20
"""An address works for so long, by the stream's clock."""

SEGMENTS = 33
"""Of two seconds: addresses expire three times."""


@pytest.mark.parametrize(
    "renew_seconds",
    [
        pytest.param(0.5 * LIVES_SECONDS / SPEED, id="renewed in time"),
        pytest.param(3600, id="renewed when refused"),
    ],
)
def test_while_addresses_expire_every_20_s_no_segment_is_lost_and_none_is_fetched_twice(
    origin: Origin, record: Record, renew_seconds: float
) -> None:
    origin.change(token_seconds=LIVES_SECONDS)
    origin.advance(2)
    recording = record("--renew-seconds", str(renew_seconds))
    origin.set_speed(SPEED)
    wait_until(lambda: len(origin.listed()) >= SEGMENTS, "the stream goes on")
    origin.set_speed(0)
    recording.wait_for(origin.listed_hashes())
    assert fetched(origin) == {origin.segment_path(e["index"]): 1 for e in origin.listed()}
    assert recording.gaps() == []
    assert recording.types() == {"full": len(origin.listed())}
    if renew_seconds < LIVES_SECONDS / SPEED:
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
