"""docs/METRICS.md has every metric of ours, with its type and what it counts."""

import ast
from collections.abc import Iterator

from tests.support.documents import read_document, table_rows
from tests.support.processes import ROOT

_TYPES = {"Counter", "Gauge", "Histogram", "Summary"}
_PACKAGES = (
    *("common", "downloader", "restreamer", "backfiller", "cutter", "thrimshim"),
    *("segment_coverage", "demo"),
)

Metric = tuple[str, str, str]
"""Name, type, help."""


def declared_metrics() -> Iterator[Metric]:
    """Every `Counter("wubloader_...", "What it counts.")` of the code, and the like."""
    for package in _PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    yield from _metric(node.func.id, node.args)


def _metric(kind: str, arguments: list[ast.expr]) -> Iterator[Metric]:
    texts = [entry.value for entry in arguments[:2] if isinstance(entry, ast.Constant)]
    if kind in _TYPES and len(texts) == 2 and str(texts[0]).startswith("wubloader_"):
        yield str(texts[0]), kind.lower(), str(texts[1])


def test_each_metric_is_described_and_nothing_else() -> None:
    documented = {
        (row[0].strip("`"), row[1], row[3]) for row in table_rows(read_document("docs/METRICS.md"))
    }
    assert documented == set(declared_metrics())
