"""What a running service says in its metrics."""

import requests
from prometheus_client.parser import text_string_to_metric_families


def metric(url: str, name: str, **labels: str) -> float:
    """The value of one sample of the service at `url`; 0 if it is not there (yet).

    Samples with further labels are added up.
    """
    answer = requests.get(f"{url}/metrics", timeout=60)
    answer.raise_for_status()
    return sum(
        sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
