"""Digests of hours: how two nodes find out in one request which hours differ between them.

The digest of an hour is the sum, modulo 2^256, of the SHA-256 of each final name that is listed
there: visible segments and tombstones, no matter in which order. So a name that comes or goes
changes a digest by one addition, and hours with equal digests hold equal names. An hour that lists
nothing has the digest 0 and is left out, so it makes no difference whether its folder exists.

As JSON (hours in any order, digests as 64 hexadecimal digits):

    {"algorithm": "sha256-sum", "version": 1, "hours": {"2026-07-01T12": "00ab..."}}

What a peer says is bounded here: no more hours than a recording has, nothing but hours and digests.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from common.times import parse_hour

ALGORITHM = "sha256-sum"
VERSION = 1
MOST_HOURS = 50_000
"""More than five years without a pause."""
LIMIT_BYTES = 128 * MOST_HOURS
"""The longest body that can make sense: each hour takes 84 characters."""

_MODULUS = 1 << 256
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


class ForeignDigest(ValueError):
    """A digest of another algorithm or version: this peer has to be asked hour by hour."""


@dataclass(frozen=True, kw_only=True)
class QualityDigest:
    """The digest of each hour of a quality that lists anything."""

    hours: Mapping[str, int] = field(default_factory=dict)

    def differing(self, other: "QualityDigest") -> list[str]:
        """The hours in which the two do not list the same, the newest first."""
        return sorted(
            (
                hour
                for hour in self.hours.keys() | other.hours.keys()
                if self.hours.get(hour, 0) != other.hours.get(hour, 0)
            ),
            reverse=True,
        )


def name_value(name: str) -> int:
    """What one name adds to the digest of its hour."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest(), "big")


def digest_of(names: Iterable[str]) -> int:
    """The digest of an hour that lists these names."""
    return changed(0, added=names, removed=())


def changed(digest: int, *, added: Iterable[str], removed: Iterable[str]) -> int:
    """The digest after names came and went; costs work for these names only."""
    difference = sum(map(name_value, added)) - sum(map(name_value, removed))
    return (digest + difference) % _MODULUS


def format_digest(digest: QualityDigest) -> str:
    """As JSON, the same text for the same digests."""
    hours = {hour: f"{value:064x}" for hour, value in sorted(digest.hours.items()) if value}
    return json.dumps({"algorithm": ALGORITHM, "version": VERSION, "hours": hours})


def parse_digest(text: str | bytes) -> QualityDigest:
    """What a peer answered.

    Raises ForeignDigest if it speaks of another algorithm or version, ValueError for everything
    else that is not of the form above.
    """
    try:
        value = json.loads(text)
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    if not isinstance(value, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - the peer's mistake, not a caller's
    if value.get("algorithm") != ALGORITHM or value.get("version") != VERSION:
        raise ForeignDigest("another algorithm or version")
    hours = value.get("hours")
    if not isinstance(hours, dict) or len(hours) > MOST_HOURS:
        raise ValueError(f"'hours' is no object of at most {MOST_HOURS} hours")
    return QualityDigest(hours={_hour(hour): _value(hours[hour]) for hour in hours})


def _hour(name: str) -> str:
    parse_hour(name)
    return name


def _value(text: Any) -> int:
    if not isinstance(text, str) or not _DIGEST.fullmatch(text):
        raise ValueError("a digest is not 64 hexadecimal digits")
    return int(text, 16)
