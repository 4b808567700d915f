"""Requests of all kinds that a service's description allows, and many that it does not."""

from collections.abc import Callable, Iterator
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok


def operations(url: str) -> Iterator[Any]:
    """Each method of each path that `/openapi.json` of the service at `url` describes."""
    for found in schemathesis.openapi.from_url(f"{url}/openapi.json").get_all_operations():
        assert isinstance(found, Ok), found
        yield found.ok()


def fuzz(operation: Any, send: Callable[[Any], None], *, requests: int = 25) -> None:
    """Call `send` with so many cases of one operation; it raises where an answer is wrong."""

    @settings(
        max_examples=requests,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        send(case)

    run()
