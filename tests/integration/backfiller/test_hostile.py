"""Whatever a peer says, it wastes bounded resources and nothing else.

Each test has a peer that misbehaves in one way about one hour, and has a good segment in another
hour, or is beside a good peer. The good segment arrives, nothing else appears, and the backfiller
lives on in little memory.
"""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from common.segments.path import SegmentType, format_name, hash_bytes
from common.times import SECOND
from tests.support.hostile import HostilePeer, Reply, Trick, hostile_peer
from tests.support.metrics import metric
from tests.support.processes import ServiceProcess
from tests.support.replicas import DEMO, PAST, Replica, hour_name, hours_after, most_attempts
from tests.support.waiting import wait_until

FAILURES = "wubloader_backfiller_failures_total"
LOOKS = "wubloader_backfiller_looks_total"
MOST_RESIDENT_BYTES = 250 * 1024 * 1024

GOOD = b"a good segment"
BAD = b"a segment about which the peer misbehaves"
QUICK = ("--answer-seconds", "2", "--transfer-seconds", "2")
PATIENT = ("--answer-seconds", "100", "--transfer-seconds", "100")
"""Where something else than the time is to end it, on a busy machine too."""

DIGEST = "/digest/demo/source"
BAD_HOUR = hour_name(1)
BAD_LISTING = f"/files/demo/source/{BAD_HOUR}"
BAD_SEGMENT = f"/segments/demo/source/{BAD_HOUR}/.*"


def name_of(start: int, data: bytes) -> str:
    return format_name(start, 2 * SECOND, SegmentType.FULL, hash_bytes(data))


GOOD_NAME, BAD_NAME = name_of(PAST, GOOD), name_of(hours_after(1), BAD)


def peer_with(*tricks: tuple[str, Trick]) -> HostilePeer:
    """Has one good segment, and one of which the tricks are about, in the next hour."""
    return HostilePeer(
        hours={hour_name(0): {GOOD_NAME: GOOD}, BAD_HOUR: {BAD_NAME: BAD}}, tricks=list(tricks)
    )


@contextmanager
def copying(
    here: Replica, peer: HostilePeer, *urls: str, options: tuple[str, ...] = PATIENT
) -> Iterator[ServiceProcess]:
    """A backfiller that copies from `peer`; at the end it must be well, and the store clean."""
    with hostile_peer(peer), here.replicate(peer.url, *urls, options=options) as backfiller:
        yield backfiller
        wait_until(here_has(here, GOOD_NAME), "the good segment is here")
        process_memory = metric(backfiller.url, "process_resident_memory_bytes")
        assert process_memory < MOST_RESIDENT_BYTES
        assert "Traceback" not in backfiller.output
        assert backfiller.terminate() == 0
        assert set(files_below(here.base_dir)) <= {
            f"demo/source/{hour_name(0)}/{GOOD_NAME}",
            f"demo/source/{BAD_HOUR}/{BAD_NAME}",
            ".replication/state.json",
        }


def here_has(here: Replica, name: str, hour: str = hour_name(0)) -> Callable[[], bool]:
    return here.base_dir.joinpath(*DEMO, hour, name).exists


def options_for(reason: str) -> tuple[str, ...]:
    """For a peer of whom that reason of failures is expected."""
    return QUICK if reason == "timeout" else PATIENT


def files_below(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def wait_for_failures(backfiller: ServiceProcess, reason: str, count: int = 1) -> None:
    wait_until(
        lambda: metric(backfiller.url, FAILURES, reason=reason) >= count,
        f"a failure because of {reason}",
    )


# Segments


def other_bytes(reply: Reply) -> None:
    reply.body(b"other bytes than promised")


def huge_length(reply: Reply) -> None:
    reply.head(Content_Length=str(10**12))
    reply.wfile.write(bytes(1000))
    reply.hang_up()


def strange_length(reply: Reply) -> None:
    reply.head(Content_Length="9" * 6000)
    reply.hang_up()


def endless_chunks(reply: Reply) -> None:
    reply.head(Transfer_Encoding="chunked")
    while True:
        reply.wfile.write(b"100000\r\n" + bytes(0x100000) + b"\r\n")


def endless_without_length(reply: Reply) -> None:
    reply.head(Connection="close")
    while True:
        reply.wfile.write(bytes(1 << 20))


def slow_drip(reply: Reply) -> None:
    reply.head(Content_Length="100000")
    reply.slowly(bytes(100_000))


def cut_off(reply: Reply) -> None:
    reply.head(Content_Length=str(len(BAD)))
    reply.wfile.write(BAD[:10])
    reply.hang_up()
    reply.connection.close()


def silence(reply: Reply) -> None:
    reply.gone.wait(100)


@cache
def packed() -> bytes:
    """200 MB, as a bomb."""
    return gzip.compress(bytes(200_000_000), 1)


def bomb(reply: Reply) -> None:
    reply.body(packed(), Content_Encoding="gzip")


def server_error(reply: Reply) -> None:
    reply.body(b"no", status=500)


@pytest.mark.parametrize(
    ("trick", "reason"),
    [
        (other_bytes, "hash"),
        (huge_length, "answer"),
        (strange_length, "answer"),
        (endless_chunks, "answer"),
        (endless_without_length, "answer"),
        (slow_drip, "timeout"),
        (silence, "timeout"),
        (cut_off, "broken"),
        (bomb, "answer"),
        (server_error, "status"),
    ],
)
def test_a_segment_that_does_not_come_as_promised_is_not_stored(
    here: Replica, trick: Trick, reason: str
) -> None:
    peer = peer_with((BAD_SEGMENT, trick))
    started = time.monotonic()
    with copying(here, peer, options=options_for(reason)) as backfiller:
        wait_for_failures(backfiller, reason)
        wait_until(here_has(here, GOOD_NAME), "the good segment is here")
        assert not here_has(here, BAD_NAME, BAD_HOUR)()
        wait_until(lambda: not here.temps(), "nothing half is left between two attempts")
        asked = peer.asked(BAD_SEGMENT)
        assert asked <= most_attempts(time.monotonic() - started)
        peer.tricks.clear()
        wait_until(here_has(here, BAD_NAME, BAD_HOUR), "it is taken once it comes as promised")


def test_a_redirect_is_not_followed(here: Replica) -> None:
    elsewhere = HostilePeer()

    def redirect(reply: Reply) -> None:
        reply.body(b"", status=302, Location=f"{elsewhere.url}/segments/secret")

    with hostile_peer(elsewhere), copying(here, peer_with((BAD_SEGMENT, redirect))) as backfiller:
        wait_for_failures(backfiller, "status")
        assert elsewhere.requests == []


# Listings

JUNK_NAMES: list[object] = [
    "../../../../escaped.ts",
    f"../{BAD_NAME}",
    f"/{BAD_NAME}",
    f"x/{BAD_NAME}",
    f"{BAD_NAME}\0.ts",
    BAD_NAME.replace(".ts", ".TS"),
    BAD_NAME.replace("00:00", "61:00"),
    BAD_NAME.replace("-full-", "-temp-"),
    BAD_NAME[:-10] + ".ts",
    "00:00.000000-2.0-full-" + "a" * 5000 + ".ts",
    "../../00:00.000000-2.0-any.tombstone",
    ".00:00.000000-2.0-any.tombstone",
    "\ud800",
    "",
]


def test_names_that_are_none_touch_nothing(here: Replica) -> None:
    def listing(reply: Reply) -> None:
        reply.value(JUNK_NAMES)

    peer = peer_with((BAD_LISTING, listing))
    with copying(here, peer):
        wait_until(lambda: peer.asked(BAD_LISTING) >= 2, "the hour was listed")
        assert not here.base_dir.joinpath(*DEMO, BAD_HOUR).exists()
        assert peer.asked(BAD_SEGMENT) == 0


def no_json(reply: Reply) -> None:
    reply.body(b"<html>")


def nested(reply: Reply) -> None:
    reply.body(b"[" * 1_000_000)


def numbers(reply: Reply) -> None:
    reply.value([1, 2, 3])


def an_object(reply: Reply) -> None:
    reply.value({"names": []})


def huge_number(reply: Reply) -> None:
    reply.body(b"[" + b"9" * 1_000_000 + b"]")


def too_many(reply: Reply) -> None:
    reply.value([f"{number}" for number in range(100_000)])


def not_text(reply: Reply) -> None:
    reply.body(b"\xff\xfe\x00")


BROKEN_JSON = [no_json, nested, numbers, an_object, huge_number, too_many, not_text]


@pytest.mark.parametrize(
    ("trick", "reason"),
    [
        *((trick, "answer") for trick in BROKEN_JSON),
        (bomb, "answer"),
        (endless_chunks, "broken"),
        (slow_drip, "timeout"),
        (server_error, "status"),
    ],
)
def test_an_hour_that_is_listed_badly_delays_no_other(
    here: Replica, trick: Trick, reason: str
) -> None:
    peer = peer_with((BAD_LISTING, trick))
    started = time.monotonic()
    with copying(here, peer, options=options_for(reason)) as backfiller:
        wait_for_failures(backfiller, reason)
        wait_until(here_has(here, GOOD_NAME), "the good segment is here")
        asked = peer.asked(BAD_LISTING)
        assert asked <= most_attempts(time.monotonic() - started)
        peer.tricks.clear()
        wait_until(here_has(here, BAD_NAME, BAD_HOUR), "it is taken once it is listed well")


# Digests


def strange_hours(reply: Reply) -> None:
    hours = {"../../etc": "0" * 64}
    reply.value({"algorithm": "sha256-sum", "version": 1, "hours": hours})


def strange_digests(reply: Reply) -> None:
    reply.value({"algorithm": "sha256-sum", "version": 1, "hours": {BAD_HOUR: "x" * 64}})


@pytest.mark.parametrize(
    ("trick", "reason"),
    [
        *((trick, "answer") for trick in (no_json, nested, numbers, huge_number, not_text, bomb)),
        (strange_hours, "answer"),
        (strange_digests, "answer"),
        (endless_chunks, "broken"),
        (slow_drip, "timeout"),
    ],
)
def test_a_peer_whose_digest_is_bad_delays_no_other(
    here: Replica, there: Replica, trick: Trick, reason: str
) -> None:
    there.put(PAST, GOOD)
    peer = peer_with((DIGEST, trick))
    with copying(here, peer, there.url, options=options_for(reason)) as backfiller:
        wait_for_failures(backfiller, reason)


def test_hours_of_the_future_and_a_false_digest_are_not_asked_for_all_the_time(
    here: Replica,
) -> None:
    def lying(reply: Reply) -> None:
        hours = {"9998-01-01T00": "1" * 64, BAD_HOUR: "2" * 64}
        hours[hour_name(0)] = "3" * 64
        body = {"algorithm": "sha256-sum", "version": 1, "hours": hours}
        reply.body(json.dumps(body).encode())

    peer = peer_with((DIGEST, lying))
    with copying(here, peer) as backfiller:
        wait_until(here_has(here, BAD_NAME, BAD_HOUR), "what is there is taken")
        looks = metric(backfiller.url, LOOKS)
        wait_until(lambda: metric(backfiller.url, LOOKS) > looks + 8, "it has looked again")
        assert peer.asked("/files/demo/source/9998-01-01T00") == 0
        assert peer.asked(BAD_LISTING) <= 6


# Extras


def test_paths_of_extras_lead_nowhere_else(here: Replica) -> None:
    names = ["../a", "/a", "a/../../b", ".a", "a\0", "x" * 300, "a/" * 100 + "a", "\ud800", "a//b"]

    def listing(reply: Reply) -> None:
        reply.value(names)

    def served(reply: Reply) -> None:
        reply.body(b"x")

    peer = peer_with(("/extras/.*", listing), ("/segments/thumbnail_templates.*", served))
    with copying(here, peer):
        wait_until(lambda: peer.asked("/extras/.*"), "the extras were listed")
        wait_until(here_has(here, BAD_NAME, BAD_HOUR), "the segments are here")
        assert peer.asked("/segments/thumbnail_templates.*") == 0


def test_an_endless_extra_is_refused(here: Replica) -> None:
    def listing(reply: Reply) -> None:
        reply.value(["a.png"])

    peer = peer_with(("/extras/.*", listing), ("/segments/thumbnail_templates/.*", endless_chunks))
    with copying(here, peer) as backfiller:
        wait_for_failures(backfiller, "answer")


# Nodes of the original Wubloader


def test_a_peer_without_digests_is_asked_hour_by_hour(here: Replica) -> None:
    def unknown(reply: Reply) -> None:
        reply.body(b"", status=404)

    peer = peer_with((DIGEST, unknown))
    tombstone = "00:10.000000-2.0-full-" + "a" * 43 + ".tombstone"
    peer.hours[hour_name(2)] = {tombstone: b""}
    with hostile_peer(peer):
        assert here.replicate_once(peer.url) == 0
    assert here.shown() == {
        f"{hour_name(0)}/{GOOD_NAME}": GOOD,
        f"{BAD_HOUR}/{BAD_NAME}": BAD,
        f"{hour_name(2)}/{tombstone}": b"",
    }


def test_a_digest_of_another_version_counts_as_none(here: Replica) -> None:
    def newer(reply: Reply) -> None:
        reply.value({"algorithm": "tree", "version": 2, "roots": []})

    peer = peer_with((DIGEST, newer))
    with hostile_peer(peer):
        assert here.replicate_once(peer.url) == 0
    assert len(here.shown()) == 2
