"""Answers that go wrong on request.

A fault applies to requests whose path matches its pattern, as often as it says, oldest fault first.
"""

from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase


class Kind(Enum):
    """What goes wrong."""

    STATUS = "status"
    """Answer with `status` instead of the content."""
    STALL = "stall"
    """Send `sent_bytes` (0: not even the headers), wait `seconds`, send the rest."""
    TRUNCATE = "truncate"
    """Send `sent_bytes` and break off; Content-Length is that of the whole."""
    SHORTEN = "shorten"
    """Send `sent_bytes`, with a Content-Length that fits them."""
    WRONG_LENGTH = "wrong_length"
    """Send everything, with a Content-Length that is `excess_bytes` too great."""
    EMPTY = "empty"
    """200 and nothing in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`path` is a shell pattern such as `/segments/source/*`. `times` None means always."""

    path: str
    kind: Kind
    times: int | None = 1
    status: int = 500
    seconds: float = 60.0
    sent_bytes: int | None = None
    """None is half, in whole TS packets."""
    excess_bytes: int = 188


class Faults:
    """The faults that are still to happen."""

    def __init__(self) -> None:
        self._left: list[tuple[Fault, int | None]] = []

    def add(self, fault: Fault) -> None:
        self._left.append((fault, fault.times))

    def clear(self) -> None:
        self._left = []

    def pending(self) -> list[Fault]:
        return [fault for fault, _ in self._left]

    def take(self, path: str) -> Fault | None:
        """The fault that happens to this request, if any; it is used up by one."""
        for position, (fault, left) in enumerate(self._left):
            if not fnmatchcase(path, fault.path):
                continue
            if left is not None and left <= 1:
                del self._left[position]
            elif left is not None:
                self._left[position] = (fault, left - 1)
            return fault
        return None
