"""Random tests that can be repeated: the seed is printed, and can be given again."""

import os
import random

_SEED = os.environ.get("TEST_SEED") or str(random.SystemRandom().getrandbits(32))


def seeded_random(purpose: str) -> random.Random:
    """A generator of its own for `purpose`. TEST_SEED repeats an earlier run's choices."""
    print(f"{purpose}: repeat with TEST_SEED={_SEED}")  # noqa: T201 - pytest shows it on failure
    return random.Random(f"{purpose} {_SEED}")
