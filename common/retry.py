"""How long to wait before trying again."""

import random
from collections.abc import Iterator


def backoff(
    first_seconds: float = 0.5,
    limit_seconds: float = 30.0,
    *,
    factor: float = 2.0,
    jitter: float = 0.25,
    rng: random.Random | None = None,
) -> Iterator[float]:
    """Yield waits for ever: `first_seconds`, growing by `factor` up to `limit_seconds`.

    Each is spread by up to ±`jitter` of itself, so that many clients that failed together do not
    come back together.
    """
    spread = rng or random.Random()
    wait = first_seconds
    while True:
        yield wait * (1 + spread.uniform(-jitter, jitter))
        wait = min(wait * factor, limit_seconds)
