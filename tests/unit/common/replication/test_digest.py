"""Digests: what they depend on, what they cost, and what of a peer's answer is refused."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.replication.digest import (
    MOST_HOURS,
    ForeignDigest,
    QualityDigest,
    changed,
    digest_of,
    format_digest,
    parse_digest,
)

NAMES = st.sets(st.text(min_size=1, max_size=20), max_size=8)
HOURS = st.dictionaries(
    st.builds(
        "2026-{:02d}-{:02d}T{:02d}".format,
        st.integers(1, 12),
        st.integers(1, 28),
        st.integers(0, 23),
    ),
    st.integers(1, 2**256 - 1),
    max_size=5,
)


def answer(**changes: Any) -> str:
    return json.dumps({"algorithm": "sha256-sum", "version": 1, "hours": {}, **changes})


def test_it_is_the_sum_of_the_hashes_of_the_names() -> None:
    one, other = (int(hashlib.sha256(name).hexdigest(), 16) for name in (b"one", b"other"))
    assert digest_of(["one", "other"]) == (one + other) % 2**256
    assert digest_of([]) == 0


@given(NAMES, NAMES)
def test_a_digest_kept_up_to_date_is_that_of_the_names(before: set[str], after: set[str]) -> None:
    kept = changed(digest_of(before), added=after - before, removed=before - after)
    assert kept == digest_of(after)
    assert (kept == digest_of(before)) == (before == after)


@given(HOURS)
def test_what_is_written_is_read_again(hours: dict[str, int]) -> None:
    digest = QualityDigest(hours=hours)
    assert parse_digest(format_digest(digest)) == digest


@given(HOURS, HOURS)
def test_the_hours_that_differ_come_newest_first(
    one: dict[str, int], other: dict[str, int]
) -> None:
    differing = QualityDigest(hours=one).differing(QualityDigest(hours=other))
    expected = {hour for hour in {**one, **other} if one.get(hour) != other.get(hour)}
    assert differing == sorted(expected, reverse=True)


def test_an_hour_that_lists_nothing_is_as_if_it_were_not_there() -> None:
    empty = QualityDigest(hours={"2026-07-01T12": 0})
    assert empty.differing(QualityDigest()) == []
    assert json.loads(format_digest(empty))["hours"] == {}


@pytest.mark.parametrize("text", [answer(version=2), answer(algorithm="crc32"), "{}"])
def test_another_version_is_no_mistake_but_foreign(text: str) -> None:
    with pytest.raises(ForeignDigest):
        parse_digest(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "[" * 100_000,
        answer(hours=[]),
        answer(hours={"../../etc": "0" * 64}),
        answer(hours={"2026-07-01T12": "0" * 63}),
        answer(hours={"2026-07-01T12": "-" + "0" * 63}),
        answer(hours={"2026-07-01T12": 1}),
        answer(hours={"2026-07-01T99": "0" * 64}),
        answer(hours={str(number): "" for number in range(MOST_HOURS + 1)}),
    ],
)
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_digest(text)
    assert not isinstance(caught.value, ForeignDigest)
