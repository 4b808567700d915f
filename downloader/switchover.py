"""When workers start and stop, as a pure decision.

A worker records from one address, and addresses expire. So the next worker starts before the old
one's address runs out, or at once when the old one is in doubt; and the old one stops only when a
newer one has delivered a real segment. In between both run: what either lists is fetched once.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WorkerView:
    """What the decision needs to know of one worker. Times are seconds of a monotonic clock.

    `doubtful` says that its address expired, its playlist stands still, or its times jumped.
    `delivered` says that it has brought a segment that is no advertisement.
    """

    started: float
    finished: bool
    doubtful: bool
    delivered: bool


@dataclass(frozen=True, kw_only=True)
class Timing:
    """`renew_seconds` is how long an address is trusted, `retry_seconds` the least time between
    two starts, `patience_seconds` how long a fresh worker may take to deliver.
    """

    renew_seconds: float
    retry_seconds: float
    patience_seconds: float


@dataclass(frozen=True, kw_only=True)
class Decision:
    """`stop` holds indices of the workers that are no longer needed."""

    start: bool
    stop: frozenset[int]


_MOST_WORKERS = 3


def decide(
    workers: list[WorkerView], *, now: float, last_start: float | None, timing: Timing
) -> Decision:
    """`workers` are in the order in which they were started."""
    newest_delivered = max(
        (index for index, worker in enumerate(workers) if worker.delivered and not worker.finished),
        default=-1,
    )
    running = [worker for worker in workers if not worker.finished]
    # Addresses that all turn out bad must not pile up workers; but the one that delivers stays.
    untried = [
        index
        for index, worker in enumerate(workers)
        if index > newest_delivered and not worker.finished
    ]
    room = _MOST_WORKERS - (newest_delivered >= 0)
    kept = {newest_delivered, *untried[-room:]}
    stop = frozenset(
        index for index, worker in enumerate(workers) if not worker.finished and index not in kept
    )
    may_start = last_start is None or now - last_start >= timing.retry_seconds
    return Decision(start=may_start and _needs_another(running, now, timing), stop=stop)


def _needs_another(running: list[WorkerView], now: float, timing: Timing) -> bool:
    if not running:
        return True
    newest = running[-1]
    age = now - newest.started
    if newest.doubtful or age >= timing.renew_seconds:
        return True
    return not newest.delivered and age >= timing.patience_seconds
